import Testing
import Wire

@testable import Ports

@Suite struct SegmentCoalescerTests {
    private let words = [UInt64](repeating: 5, count: 23)

    private func coalesce(_ frames: [[UInt8]], slots: SlotSet, mtu: Int = 1450) -> Int {
        var coalescer = SegmentCoalescer()
        coalescer.begin(slots.slots, slots.count)
        for frame in frames {
            frame.withUnsafeBytes { p in
                let base = p.baseAddress!
                let outcome = coalescer.add(
                    base, count: p.count, InnerFrame(base, count: p.count), words: words, port: 3, mtu: mtu, innerSegment: 0)
                #expect(outcome == .taken)
            }
        }
        return coalescer.finish()
    }

    /// The frame cut up again, or the frame itself.
    private func cut(_ slot: ReceiveSlot) -> [[UInt8]] {
        let p = UnsafeRawPointer(slot.data)
        guard slot.offload.isSegmented else { return [Array(UnsafeRawBufferPointer(start: p, count: slot.length))] }
        guard
            let segmenter = TunnelSegmenter(
                p, InnerFrame(p, count: slot.length), wanted: Int(slot.offload.segmentSize), maximum: 65_535, keepsCWR: false)
        else { return [] }
        return (0..<segmenter.partCount).map { i in
            var out = [UInt8](repeating: 0, count: 70_000)
            let size = out.withUnsafeMutableBytes { segmenter.write(i, to: $0.baseAddress!) }
            return Array(out[..<size])
        }
    }

    /// The same rule on arrays, from the RFCs' fields, without cleverness.
    private func naiveGroups(_ frames: [[UInt8]]) throws -> [Int] {
        var groups: [Int] = []
        var first: (ip: IPv4.Header, tcp: TCP.Header, size: Int)?
        var next: UInt32 = 0
        var identification: UInt16 = 0
        for bytes in frames {
            let ip = try IPv4.Header(parsing: Array(bytes[14...]).span.bytes)
            let segment = Array(bytes[34...])
            let tcp = try TCP.Header(parsing: segment.span.bytes)
            let size = segment.count - tcp.size
            let pseudo = PseudoHeader.ipv4(source: ip.source, destination: ip.destination)
            let isRight = pseudo.checksum(protocol: 6, segment: segment.span.bytes, checksumOffset: 16) == tcp.checksum
            if let open = first, isRight, size > 0, size <= open.size, tcp.sequence == next, tcp.sourcePort == open.tcp.sourcePort,
                tcp.options == open.tcp.options, (tcp.flags | 8) == (open.tcp.flags | 8), ip.trafficClass == open.ip.trafficClass,
                ip.dontFragment == open.ip.dontFragment, ip.dontFragment || ip.identification == identification
            {
                groups[groups.count - 1] += 1
                next &+= UInt32(size)
                identification &+= 1
                if size < open.size || tcp.flags & 8 != 0 { first = nil }
                continue
            }
            groups.append(1)
            first = isRight && size > 0 && tcp.flags & ~0x40 == 0x10 ? (ip, tcp, size) : nil
            next = tcp.sequence &+ UInt32(size)
            identification = ip.identification &+ 1
        }
        return groups
    }

    @Test(arguments: 0..<150)
    func randomSegmentsAreJoinedAsTheNaiveRuleSaysAndCutIntoTheSameAgain(seed: Int) throws {
        var random = SeededNumbers(UInt64(seed))
        var frames: [[UInt8]] = []
        var wrong: Set<Int> = []
        var sequence: UInt32 = .random(in: 0...UInt32.max, using: &random)
        var identification: UInt16 = 0xfffe
        for i in 0..<30 {
            var size = 100
            var flags: UInt16 = 0x10
            var tos: UInt8 = 0
            var port: UInt16 = 1000
            var options: [UInt8] = []
            var keepsFragmenting = true
            switch Int.random(in: 0..<24, using: &random) {
            case 0: size = Int.random(in: 0...200, using: &random)
            case 1: flags = 0x18
            case 2: flags = [0x11, 0x12, 0x14, 0x30, 0x50, 0x90, 0x00].randomElement(using: &random)!
            case 3: tos = 2
            case 4: port = 1001
            case 5: options = [1, 1, 1, 1]
            case 6: sequence &+= 1
            case 7: identification &+= 3
            case 8: keepsFragmenting = false
            default: break
            }
            var bytes = TunnelFrames.tcp(
                TunnelFrames.payload(size, seed: random.next()), sequence: sequence, flags: flags, identification: identification,
                dontFragment: keepsFragmenting && seed % 2 == 0, trafficClass: tos, sourcePort: port, options: options)
            if Int.random(in: 0..<12, using: &random) == 0 {
                bytes[Int.random(in: 54..<max(55, bytes.count), using: &random) % bytes.count] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                wrong.insert(i)
            }
            frames.append(bytes)
            sequence &+= UInt32(size)
            identification &+= 1
        }
        let slots = SlotSet(32)
        let count = coalesce(frames, slots: slots)
        let groups = try naiveGroups(frames)
        #expect(count == groups.count)
        var i = 0
        for slot in 0..<count {
            let parts = cut(slots.slots[slot])
            #expect(parts.count == groups[slot], "slot \(slot)")
            for part in parts where i < frames.count {
                if parts.count > 1 { #expect(!wrong.contains(i), "frame \(i) has a wrong checksum") }
                expectSameSegment(part, frames[i], isWhole: parts.count == 1)
                i += 1
            }
            #expect(slots.slots[slot].inPort == 3 && slots.slots[slot].isTunneled && slots.slots[slot].tunnel[22] == 5)
        }
        #expect(i == frames.count)
    }

    /// Equal but for the identification, PSH and the checksums that cover them.
    private func expectSameSegment(_ a: [UInt8], _ b: [UInt8], isWhole: Bool) {
        var (x, y) = (a, b)
        if !isWhole {
            #expect(Dissection(a)["tcp"]?.checksum == .correct && Dissection(a)["ipv4"]?.checksum == .correct)
            for at in [18, 19, 24, 25, 50, 51] where at < min(x.count, y.count) { (x[at], y[at]) = (0, 0) }
            (x[47], y[47]) = (x[47] & ~8, y[47] & ~8)
        }
        #expect(x == y)
    }

    @Test func aLargeFrameIsCutAndJoinedIntoTheSame() {
        for isIPv6 in [false, true] {
            let (large, offload) = TunnelFrames.large(TunnelFrames.payload(40_001), segmentSize: 1400, isIPv6: isIPv6, flags: 0x10)
            let source = SlotSet(1)
            large.withUnsafeBytes { source.slots[0].data.copyMemory(from: $0.baseAddress!, byteCount: large.count) }
            source.slots[0].length = large.count
            source.slots[0].offload = offload
            let parts = cut(source.slots[0])
            #expect(parts.count == 29)
            #expect(parts.allSatisfy { Dissection($0)["tcp"]?.checksum == .correct })
            let slots = SlotSet(4)
            #expect(coalesce(parts, slots: slots) == 1)
            var joined = slots.frame(0)
            #expect(slots.slots[0].offload == offload)
            if !isIPv6 { joined.replaceSubrange(24..<26, with: large[24..<26]) }
            #expect(joined == large)
        }
    }

    @Test func framesThatTheLocalKernelDidNotFinishAreMarkedSo() {
        let (large, _) = TunnelFrames.large(TunnelFrames.payload(5000), segmentSize: 1000)
        let (small, _) = TunnelFrames.large(TunnelFrames.payload(500), segmentSize: 1000)
        let slots = SlotSet(4)
        #expect(coalesce([large, small, TunnelFrames.udp([1, 2, 3])], slots: slots) == 3)
        #expect(
            slots.slots[0].offload
                == Offload(flags: .needsChecksum, segmentation: 1, segmentSize: 1410, checksumStart: 34, checksumOffset: 16))
        #expect(slots.slots[1].offload == Offload(flags: .needsChecksum, checksumStart: 34, checksumOffset: 16))
        #expect(slots.slots[2].offload == .none)
        #expect(slots.frame(0) == large && slots.frame(1) == small)
    }

    @Test func framesOfDifferentTunnelWordsAreNotJoined() {
        let slots = SlotSet(4)
        var coalescer = SegmentCoalescer()
        coalescer.begin(slots.slots, 4)
        for i in 0..<2 {
            let bytes = TunnelFrames.tcp(TunnelFrames.payload(100), sequence: UInt32(1 + 100 * i))
            bytes.withUnsafeBytes { p in
                _ = coalescer.add(
                    p.baseAddress!, count: p.count, InnerFrame(p.baseAddress!, count: p.count), words: [UInt64](repeating: UInt64(i), count: 23),
                    port: 3, mtu: 1450, innerSegment: 0)
            }
        }
        #expect(coalescer.finish() == 2)
    }

    /// RFC 6040 §4.2, figure 4, row by row: inner Not-ECT, ECT(0), ECT(1), CE; outer in the same order.
    @Test func decapsulationFollowsTheTableOfRFC6040() {
        let order: [UInt8] = [0, 2, 1, 3]
        let table: [[UInt8?]] = [[0, 0, 0, nil], [2, 2, 1, 3], [1, 1, 1, 3], [3, 3, 3, 3]]
        for (i, inner) in order.enumerated() {
            for (o, outer) in order.enumerated() {
                #expect(CongestionMark.decapsulated(inner: inner, outer: outer) == table[i][o], "inner \(inner) outer \(outer)")
                for isIPv6 in [false, true] {
                    var bytes = TunnelFrames.tcp([1, 2, 3], isIPv6: isIPv6, trafficClass: 0x28 | inner)
                    let isKept = bytes.withUnsafeMutableBytes { p in
                        CongestionMark.decapsulate(
                            p.baseAddress!, InnerFrame(UnsafeRawPointer(p.baseAddress!), count: p.count), outerTOS: 0xfc & 0xb8 | outer)
                    }
                    #expect(isKept == (table[i][o] != nil))
                    let expected = TunnelFrames.tcp([1, 2, 3], isIPv6: isIPv6, trafficClass: 0x28 | (table[i][o] ?? inner))
                    #expect(bytes == expected, "inner \(inner) outer \(outer)")
                }
            }
        }
    }
}
