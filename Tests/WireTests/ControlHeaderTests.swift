import Testing
import Wire

@Suite struct ControlHeaderTests {
    let target = IPv6Address(high: 0x2001_0db8_0000_0000, low: 2)

    @Test func icmpHasFourBytesOfItsType() throws {
        try checkLayout(
            ICMPv4.Header(type: 8, code: 0, checksum: 0x1234, rest: 0x0009_0002), "08 00 1234 0009 0002", .icmpv4
        ) { _ in 8 }
        let view = try ICMPv4.View(SampleFrames.bytes("03 04 0000 0000 0578").span.bytes)
        #expect(view.nextHopMTU == 1400)
    }

    @Test func icmpFillsACorrectChecksum() {
        var header = ICMPv4.Header.echo(reply: false, identifier: 9, sequence: 2)
        header.fillChecksum(payload: Array("ping".utf8))
        #expect(header.checksum == 0x1924)  // As in the sample "ipv4-options".
    }

    @Test func theICMPErrorsAreThoseThatQuote() {
        #expect((UInt8.min...255).filter(ICMPv4.MessageType.isError) == [3, 4, 5, 11, 12])
        #expect((UInt8.min...255).filter(ICMPv6.MessageType.isError) == [1, 2, 3, 4])
    }

    @Test func icmpv6ValuesHaveFourBytesOfBody() throws {
        try checkLayout(
            ICMPv6.Header(type: 128, code: 0, checksum: 0x1234, rest: 0x0003_0004), "80 00 1234 0003 0004", .icmpv6
        ) { $0 < 4 ? 4 : 8 }
    }

    @Test func icmpv6FillsACorrectChecksum() throws {
        let frame = SampleFrames.named("icmpv6-echo")
        let ip = try IPv6.Header(parsing: Array(frame[14...]).span.bytes)
        var header = ICMPv6.Header.echo(reply: false, identifier: 3, sequence: 4)
        header.fillChecksum(pseudoHeader: .ipv6(source: ip.source, destination: ip.destination), payload: Array("ping6".utf8))
        #expect(Array(frame[54..<62]) == header.encoded())
    }

    @Test func aSolicitationHasTargetAndOptions() throws {
        let message = NeighborDiscovery.Message(
            type: 135, reserved: 0x1fff_ffff, target: target,
            options: [.linkLayer(type: 1, MACAddress(0x0200_0000_0001)), .init(type: 14, content: Array(1...14))])
        let text = "87 00 0000 1fffffff 20010db8000000000000000000000002 01 01 020000000001 0e 02 0102030405060708090a0b0c0d0e"
        let bytes = SampleFrames.bytes(text)
        #expect(message.encoded() == bytes)
        #expect(try NeighborDiscovery.Message(parsing: bytes.span.bytes) == message)
        #expect(message.options.map(\.linkLayerAddress) == [MACAddress(0x0200_0000_0001), nil])
        for size in 0..<bytes.count where size != 24 && size != 32 {
            let failure = error(NeighborDiscovery.Message.self, Array(bytes[..<size]))
            let needed: (Int, Int) =
                switch size {
                case ..<24: (24, size)
                case 25: (2, 1)
                case ..<32: (8, size - 24)
                case 33: (2, 1)
                default: (16, size - 32)
                }
            #expect(failure == .truncated(.neighborDiscovery, needed: needed.0, available: needed.1), "\(size) bytes")
        }
    }

    @Test func anOptionOfLengthZeroIsRefused() {
        #expect(error(NeighborDiscovery.Option.self, [1, 0, 0, 0, 0, 0, 0, 0]) == .badLength(.neighborDiscovery, 0))
        var frame = SampleFrames.named("nd-solicitation")
        frame[14 + 40 + 24 + 1] = 0
        #expect(Dissection(frame)["icmpv6"]?.problems == ["option 1 bad length 0"])
    }

    @Test func anAdvertisementFillsACorrectChecksum() throws {
        let frame = SampleFrames.named("nd-advertisement")
        let ip = try IPv6.Header(parsing: Array(frame[14...]).span.bytes)
        var message = NeighborDiscovery.Message(
            type: 136, reserved: NeighborDiscovery.Flag.solicited | NeighborDiscovery.Flag.override, target: target,
            options: [.linkLayer(type: 2, MACAddress(0x0200_0000_0002))])
        message.fillChecksum(pseudoHeader: .ipv6(source: ip.source, destination: ip.destination))
        #expect(message.encoded() == Array(frame[54...]))
    }
}
