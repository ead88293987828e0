import CLinux
import Flow
import Glibc
import Testing
import Wire

@testable import Ports

/// Tunnels between two of our own endpoints in namespaces. Run as root; the reason is printed otherwise.
@Suite(.serialized, .enabled(if: TunnelLab.obstacle == nil, "needs root and iproute2")) struct TunnelPortTests {
    static func remote(_ i: Int, _ isIPv6: Bool) -> TunnelAddress { TunnelAddress(isIPv6 ? "fd77:\(i)::2" : "10.77.\(i).2")! }

    /// A port in host 1 towards host 2 and one the other way.
    func pair(
        _ lab: TunnelLab, _ kind: PortKind, isIPv6: Bool = false, key: TunnelConfiguration.Key = .fixed(77),
        change: (inout TunnelConfiguration) -> Void = { _ in }
    ) throws -> (TunnelPort, TunnelPort) {
        let stack = TunnelStack(workers: 1)
        var a = TunnelConfiguration(kind: kind, number: 1, name: "a", remote: .address(Self.remote(2, isIPv6)), key: key)
        var b = TunnelConfiguration(kind: kind, number: 2, name: "b", remote: .address(Self.remote(1, isIPv6)), key: key)
        change(&a)
        change(&b)
        return (try stack.makePort(a, namespace: lab.namespace(1)), try stack.makePort(b, namespace: lab.namespace(2)))
    }

    @Test(arguments: [PortKind.vxlan, .geneve, .gre], [false, true])
    func aFrameArrivesWithItsTunnelWords(kind: PortKind, isIPv6: Bool) throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, kind, isIPv6: isIPv6)
        defer { a.close(); b.close() }
        let frame = TunnelFrames.udp([1, 2, 3], trafficClass: 0x02)
        #expect(a.send([frame]) == [.none])
        let arrived = b.arrivals(1)
        let first = try #require(arrived.first)
        #expect(first.bytes == frame && first.port == 2 && first.offload == .none)
        #expect(first[16] == 77)
        if isIPv6 {
            #expect(first[18] == 0xfd77_0001_0000_0000 && first[19] == 2 && first[20] == 0xfd77_0002_0000_0000 && first[21] == 2)
        } else {
            #expect(first[17] == 0x0a4d_0102_0a4d_0202)
        }
        // Sent with 64, less one hop at the hub; ECN of the inner frame outside.
        #expect(first[22] >> 40 & 0xff == 63 && first[22] >> 32 & 0xff == 2, "\(String(first[22], radix: 16))")
        #expect(b.send([frame]) == [.none])
        #expect(a.arrivals(1).first?.port == 1)
        #expect(b.status.mtu == 1500 - (isIPv6 ? 40 : 20) - 14 - (kind == .gre ? 8 : 16))
    }

    @Test(arguments: [PortKind.vxlan, .geneve, .gre], [false, true])
    func aLargeFrameArrivesEqual(kind: PortKind, isIPv6: Bool) throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, kind, isIPv6: isIPv6)
        defer { a.close(); b.close() }
        let payload = TunnelFrames.payload(60_000)
        let (large, offload) = TunnelFrames.large(payload, segmentSize: 1448, isIPv6: isIPv6)
        #expect(a.send([large], offload: offload) == [.none])
        var whole: [UInt8] = []
        var next: UInt32 = 1
        var arrivals = 0
        while whole.count < payload.count {
            let some = b.arrivals(1, milliseconds: 5000, slots: 2)
            if some.isEmpty { break }
            for arrival in some {
                let headers = isIPv6 ? 74 : 54
                let tcp = try TCP.Header(parsing: Array(arrival.bytes[(headers - 20)...]).span.bytes)
                #expect(tcp.sequence == next)
                if arrival.offload.isNone { #expect(Dissection(arrival.bytes)["tcp"]?.checksum == .correct) }
                whole += arrival.bytes[headers...]
                next = 1 + UInt32(whole.count)
                arrivals += 1
            }
        }
        #expect((whole == payload) as Bool, "\(whole.count) bytes")
        // 1500 less outer headers and less 40 of the inner ones: 43 segments, joined again where UDP_GRO keeps them together.
        print("60,000 bytes by \(kind) over \(isIPv6 ? "IPv6" : "IPv4") arrived in \(arrivals) frames")
        if kind != .gre { #expect(arrivals <= 4) }
        #expect(kind == .gre || (a.transmitter(worker: 0) as? TunnelTransmitter)?.kernelCuts == true)
    }

    @Test func manySmallFramesAreOneMessageAndArriveInOrder() throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .vxlan)
        defer { a.close(); b.close() }
        let frames = (0..<100).map { TunnelFrames.udp([UInt8($0), 1, 2]) }
        #expect(a.send(frames).allSatisfy { $0 == .none })
        #expect(b.arrivals(100, slots: 7).map(\.bytes) == frames)
    }

    @Test func optionsGroupsAndControlBitsSurvive() throws {
        let lab = TunnelLab(hosts: 2)
        var words = [UInt64](repeating: 0, count: 23)
        words[FlowKeyLayout.tunnelMetadata - 16] = 0x0123_4567_89ab_cdef
        words[FlowKeyLayout.tunnelMetadata - 16 + 1] = 0xcafe_f00d
        words[FlowKeyLayout.tunnelMisc - 16] = 1 << 48 | 0xbeef << 16 | 0x48 << 8
        let frame = TunnelFrames.udp([9])
        let (a, b) = try pair(lab, .geneve)
        #expect(a.send([frame], words: words) == [.none])
        let arrived = try #require(b.arrivals(1).first)
        #expect(arrived.bytes == frame)
        #expect(arrived[23] == 0x0123_4567_89ab_cdef && arrived[24] == 0xcafe_f00d && arrived[25] == 0)
        #expect(arrived[22] >> 48 == 1 && arrived[22] & 0xffff_ffff == 0)
        a.close()
        b.close()
        let (c, d) = try pair(lab, .vxlan) { $0.hasGroupPolicy = true }
        #expect(c.send([frame], words: words) == [.none])
        let group = try #require(d.arrivals(1).first)
        #expect(group[22] & 0xffff_ffff == 0xbeef_4800 && group[23] == 0)
        c.close()
        d.close()
    }

    @Test func unknownCriticalOptionsAreDroppedAndOthersIgnored() throws {
        let lab = TunnelLab(hosts: 2)
        for isCritical in [true, false] {
            let stack = TunnelStack(workers: 1)
            var from = TunnelConfiguration(kind: .geneve, number: 1, name: "a", remote: .address(Self.remote(2, false)), key: .fixed(1))
            from.options = [TunnelOption(class: 0x0104, type: isCritical ? 0x90 : 0x10, size: 4, metadata: 3)]
            let a = try stack.makePort(from, namespace: lab.namespace(1))
            let b = try stack.makePort(
                TunnelConfiguration(kind: .geneve, number: 2, name: "b", remote: .flow, key: .flow), namespace: lab.namespace(2))
            var words = [UInt64](repeating: 0, count: 23)
            words[FlowKeyLayout.tunnelMetadata - 16 + 3] = 5
            _ = a.send([TunnelFrames.udp([9])], words: words)
            #expect(b.arrivals(1, milliseconds: isCritical ? 200 : 10_000).count == (isCritical ? 0 : 1))
            #expect(b.counters(worker: 0)?[.tunnelMalformed] == (isCritical ? 1 : 0))
            a.close()
            b.close()
        }
    }

    @Test(arguments: [false, true])
    func greCarriesSequenceAndChecksum(isIPv6: Bool) throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .gre, isIPv6: isIPv6, key: .fixed(0xfedc_ba98)) {
            $0.hasSequence = true
            $0.checksum = .on
        }
        defer { a.close(); b.close() }
        let frames = (0..<5).map { TunnelFrames.udp([UInt8](repeating: UInt8($0), count: 1 + $0)) }
        #expect(a.send(frames).allSatisfy { $0 == .none })
        let arrived = b.arrivals(5)
        #expect(arrived.map(\.bytes) == frames && arrived.allSatisfy { $0[16] == 0xfedc_ba98 })
        #expect(b.counters(worker: 0)?[.tunnelMalformed] == 0)
    }

    @Test func theMostSpecificPortTakesAPacket() throws {
        let lab = TunnelLab(hosts: 2)
        let sender = TunnelStack(workers: 1)
        let receiver = TunnelStack(workers: 1)
        let near = TunnelAddress("10.77.1.2")!
        let own = TunnelAddress("10.77.2.2")!
        func port(_ number: UInt32, _ remote: TunnelConfiguration.Remote, _ key: TunnelConfiguration.Key, _ local: TunnelAddress? = nil) throws
            -> TunnelPort
        {
            try receiver.makePort(
                TunnelConfiguration(kind: .vxlan, number: number, name: "p\(number)", remote: remote, key: key, local: local),
                namespace: lab.namespace(2))
        }
        let a = try sender.makePort(
            TunnelConfiguration(kind: .vxlan, number: 1, name: "a", remote: .flow, key: .flow), namespace: lab.namespace(1))
        defer { a.close() }
        var words = [UInt64](repeating: 0, count: 23)
        words[0] = 5
        #expect(a.send([TunnelFrames.udp([1])], words: words) == [.tunnelNoRemote])
        words[1] = UInt64(own.ipv4)
        // From the least specific to the most: each new one takes the packet over.
        var ports: [TunnelPort] = []
        let steps: [(TunnelConfiguration.Remote, TunnelConfiguration.Key, TunnelAddress?)] = [
            (.flow, .flow, nil), (.flow, .flow, own), (.address(near), .flow, nil), (.address(near), .flow, own), (.flow, .fixed(5), nil),
            (.flow, .fixed(5), own), (.address(near), .fixed(5), nil), (.address(near), .fixed(5), own),
        ]
        for (i, step) in steps.enumerated() {
            ports.append(try port(UInt32(10 + i), step.0, step.1, step.2))
            #expect(a.send([TunnelFrames.udp([1])], words: words) == [.none])
            #expect(ports[0].arrivals(1).first?.port == UInt32(10 + i), "step \(i)")
        }
        #expect(throws: PortError.self) { try port(99, .flow, .fixed(5)) }
        while ports.count > 1 { ports.removeLast().close() }
        ports[0].close()
        let only = try port(30, .flow, .fixed(6))
        #expect(a.send([TunnelFrames.udp([1])], words: words) == [.none])
        #expect(only.arrivals(1, milliseconds: 200).isEmpty)
        #expect(only.counters(worker: 0)?[.tunnelNoPort] == 1)
        only.close()
    }

    @Test func withoutARouteOrANeighborTheDropHasAName() throws {
        let lab = TunnelLab(hosts: 1)
        lab.execute(1, "ip route del default; ip -6 route del default")
        lab.execute(1, "sysctl -qw net.ipv4.neigh.eth0.retrans_time_ms=50 net.ipv4.neigh.eth0.mcast_solicit=1")
        let stack = TunnelStack(workers: 1)
        let a = try stack.makePort(
            TunnelConfiguration(kind: .geneve, number: 1, name: "a", remote: .flow, key: .fixed(1)), namespace: lab.namespace(1))
        defer { a.close() }
        let frame = TunnelFrames.udp([1])
        func words(_ address: UInt32) -> [UInt64] {
            var words = [UInt64](repeating: 0, count: 23)
            words[1] = UInt64(address)
            return words
        }
        #expect(a.send([frame], words: words(0x0b00_0001)) == [.tunnelNoRoute])
        // Nobody is 10.77.1.9: the first packets wait with the kernel, which asks; then they are refused, but for one a second.
        #expect(a.send([frame], words: words(0x0a4d_0109)) == [.none])
        var refused = false
        for _ in 0..<1000 where !refused {
            usleep(20_000)
            refused = a.send([frame], words: words(0x0a4d_0109)) == [.tunnelNoNeighbor]
        }
        #expect(refused)
        #expect(lab.output(1, "ip neigh show 10.77.1.9").contains("10.77.1.9"))
        // The neighbour appears, answers the next question, and packets flow.
        lab.execute(0, "ip addr add 10.77.1.9/24 dev v1")
        var isSent = 0
        for _ in 0..<1000 where isSent < 5 {
            usleep(20_000)
            isSent = a.send([frame], words: words(0x0a4d_0109)) == [.none] ? isSent + 1 : 0
        }
        #expect(isSent == 5)
        // A route that comes is followed.
        lab.execute(1, "ip route add 11.0.0.0/8 via 10.77.1.1")
        var isFollowed = false
        for _ in 0..<1000 where !isFollowed {
            usleep(10_000)
            isFollowed = a.send([frame], words: words(0x0b00_0001)) == [.none]
        }
        #expect(isFollowed)
    }

    @Test(arguments: [false, true])
    func whatExceedsThePathIsRefusedOrFragmented(dontFragment: Bool) throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .geneve) { $0.dontFragment = dontFragment }
        defer { a.close(); b.close() }
        let frame = TunnelFrames.udp(TunnelFrames.payload(1472))
        #expect(a.send([frame]) == [dontFragment ? .exceedsMTU : .none])
        // The kernel there puts the fragments together.
        #expect(b.arrivals(1, milliseconds: dontFragment ? 100 : 10_000).map(\.bytes) == (dontFragment ? [] : [frame]))
        // A complete TCP frame is cut instead of lost.
        let payload = TunnelFrames.payload(1460)
        #expect(a.send([TunnelFrames.tcp(payload)]) == [.none])
        var whole: [UInt8] = []
        while whole.count < 1460, let next = b.arrivals(1).first { whole += next.bytes[54...] }
        #expect((whole == payload) as Bool, "\(whole.count) bytes")
    }

    @Test func aSmallerPathIsLearnedFromTheKernel() throws {
        let lab = TunnelLab(hosts: 2)
        // The hub's way to host 2 is narrower than host 1 knows.
        lab.execute(0, "ip link set v2 mtu 1300")
        lab.execute(2, "ip link set eth0 mtu 1300")
        let (a, b) = try pair(lab, .vxlan)
        defer { a.close(); b.close() }
        let payload = TunnelFrames.payload(20_000)
        let (large, offload) = TunnelFrames.large(payload, segmentSize: 1400)
        var isThrough = false
        for _ in 0..<20 where !isThrough {
            _ = a.send([large], offload: offload)
            var whole = 0
            while whole < payload.count, let next = b.arrivals(1, milliseconds: 500).first { whole += next.bytes.count - 54 }
            isThrough = whole == payload.count
        }
        #expect(isThrough)
    }

    @Test func outerMarksFollowRFC6040AndTTLMayBeInherited() throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .vxlan) {
            $0.tos = .fixed(0xb8)
            $0.ttl = .inherit
        }
        defer { a.close(); b.close() }
        for ecn in UInt8(0)..<4 {
            #expect(a.send([TunnelFrames.udp([1], trafficClass: 0x28 | ecn, ttl: 17)]) == [.none])
            let words = try #require(b.arrivals(1).first)[22]
            #expect(words >> 32 & 0xff == UInt64(0xb8 | ecn) && words >> 40 & 0xff == 16)
        }
        // As if marked on the way: Not-ECT inside is dropped, ECT becomes CE.
        let socket = try TunnelNamespace(path: lab.namespace(1)).enter { weft_datagram_open(AF_INET, 0) }
        defer { close(socket) }
        for inner in UInt8(0)..<4 {
            var bytes = VXLAN.Header(identifier: 77).encoded() + TunnelFrames.udp([1], trafficClass: inner)
            let n = bytes.withUnsafeMutableBytes { buffer in
                var part = iovec(iov_base: buffer.baseAddress!, iov_len: buffer.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var datagram = weft_datagram_out()
                    datagram.parts = part
                    datagram.part_count = 1
                    datagram.ttl = 64
                    datagram.tos = 3
                    datagram.destination = (0, (0xffff_0000_0000 | UInt64(0x0a4d_0202)).bigEndian)
                    datagram.port = 4789
                    return weft_datagram_send(socket, AF_INET, &datagram, 1)
                }
            }
            #expect(n == 1)
            #expect(
                b.arrivals(1, milliseconds: inner == 0 ? 200 : 10_000).map(\.bytes) == (inner == 0 ? [] : [TunnelFrames.udp([1], trafficClass: 3)]))
            #expect(b.counters(worker: 0)?[.tunnelECN] == 1)
        }
    }

    @Test func flowsSpreadOverWorkers() throws {
        let lab = TunnelLab(hosts: 2)
        let a = try TunnelStack(workers: 1).makePort(
            TunnelConfiguration(kind: .vxlan, number: 1, name: "a", remote: .address(Self.remote(2, false)), key: .fixed(7)),
            namespace: lab.namespace(1))
        let b = try TunnelStack(workers: 2).makePort(
            TunnelConfiguration(kind: .vxlan, number: 2, name: "b", remote: .flow, key: .flow), namespace: lab.namespace(2))
        defer { a.close(); b.close() }
        let frames = (0..<64).map { TunnelFrames.udp([UInt8($0)], sourcePort: UInt16(5000 + $0)) }
        #expect(a.send(frames).allSatisfy { $0 == .none })
        let set = SlotSet(64)
        var counts = [0, 0]
        for _ in 0..<1000 where counts[0] + counts[1] < 64 {
            usleep(10_000)
            for worker in 0..<2 { counts[worker] += b.receiver(worker: worker)?.receive(set.slots, count: 64) ?? 0 }
        }
        // 16 source ports fall on one of two workers alone once in 32,768 runs.
        #expect(counts[0] + counts[1] == 64 && counts[0] > 0 && counts[1] > 0, "\(counts)")
    }

    @Test func nothingIsLeftOpenWhenPortsClose() throws {
        let lab = TunnelLab(hosts: 2)
        func descriptors() -> Int { (0..<1024).count { fcntl($0, F_GETFD) >= 0 } }
        let before = descriptors()
        let rounds = 40
        for round in 0..<rounds {
            let (a, b) = try pair(lab, [PortKind.vxlan, .geneve, .gre][round % 3])
            a.close()
            b.close()
        }
        // Other tests of the process have descriptors of their own meanwhile; one left open by each port would be twice as many as rounds.
        #expect(descriptors() < before + rounds)
    }
}
