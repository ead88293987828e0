import Testing
import Wire

@testable import Ports

/// Bytes from outside that are not what they should be: read in memory of exactly their size, so that a tool for memory errors sees more.
@Suite struct TunnelRobustnessTests {
    @Test(arguments: [PortKind.vxlan, .geneve, .gre])
    func anyBytesAreReadWithoutHarm(kind: PortKind) {
        var random = SeededNumbers(42)
        let slots = SlotSet(4)
        var accepted = 0
        for round in 0..<20_000 {
            var bytes: [UInt8]
            switch round % 4 {
            case 0: bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            default:
                // A right packet with some bytes changed and its end cut.
                let inner = round % 3 == 0 ? TunnelFrames.tcp([1, 2, 3], isIPv6: round % 2 == 0) : TunnelFrames.udp([1])
                bytes =
                    switch kind {
                    case .vxlan: VXLAN.Header(identifier: 1).encoded() + inner
                    case .geneve:
                        Geneve.Header(identifier: 1, options: [.init(class: 0xff57, type: 0x81, content: [0, 0, 0, 0, 0, 0, 0, 1])]).encoded() + inner
                    default: GRE.Header(key: 1).encoded() + inner
                    }
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
                }
                bytes.removeLast(round % 2 == 0 ? 0 : Int.random(in: 0..<bytes.count, using: &random))
            }
            let copy = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
            defer { copy.deallocate() }
            bytes.withUnsafeBytes { if let base = $0.baseAddress { copy.copyMemory(from: base, byteCount: $0.count) } }
            guard let header = TunnelHeader(kind, UnsafeRawPointer(copy), count: bytes.count) else { continue }
            var metadata = [UInt64](repeating: 0, count: 23)
            #expect(header.size <= bytes.count)
            if !metadata.withUnsafeMutableBufferPointer({ header.readOptions(UnsafeRawPointer(copy + 8), TunnelOption.weft, into: $0.baseAddress!) })
            {
                continue
            }
            let frame = copy + header.size
            let count = bytes.count - header.size
            let inner = InnerFrame(UnsafeRawPointer(frame), count: count)
            _ = CongestionMark.decapsulate(frame, inner, outerTOS: 3)
            var coalescer = SegmentCoalescer()
            coalescer.begin(slots.slots, 4)
            for _ in 0..<2 {
                _ = coalescer.add(UnsafeRawPointer(frame), count: count, inner, words: metadata, port: 1, mtu: 60, innerSegment: 0)
            }
            #expect(coalescer.finish() <= 2)
            accepted += 1
        }
        #expect(accepted > 1000)
    }

    @Test func aVXLANPacketWithoutTheIFlagIsRefused() {
        let bytes = VXLAN.Header(identifier: nil).encoded() + TunnelFrames.udp([1])
        #expect(bytes.withUnsafeBytes { TunnelHeader(.vxlan, $0.baseAddress!, count: $0.count) == nil })
    }

    @Test(arguments: 0..<7)
    func contradictionsInAConfigurationAreNamed(index: Int) {
        let address = TunnelAddress("10.0.0.1")!
        var all = (0..<7).map { _ in TunnelConfiguration(kind: .geneve, number: 1, name: "x", remote: .address(address), key: .fixed(1)) }
        all[0].key = .fixed(0x100_0000)
        all[1].local = TunnelAddress("fd00::1")
        all[2].hasSequence = true
        all[3].options = [TunnelOption(class: 1, type: 1, size: 10, metadata: 0)]
        all[4].options = TunnelOption.weft + TunnelOption.weft
        all[5].mtu = 20
        // Three times 4 + 124 bytes.
        all[6].options = (0..<3).map { TunnelOption(class: 1, type: UInt8($0), size: 124, metadata: $0) }
        #expect(throws: PortError.self) { try all[index].validate() }
    }
}
