import Testing
import Wire

@Suite struct TunnelHeaderTests {
    @Test func vxlanHasItsFieldsAtTheirPlaces() throws {
        try checkLayout(VXLAN.Header(identifier: 0x123456), "08 000000 123456 00", .vxlan) { _ in 8 }
        let policy = VXLAN.Header.Policy(group: 0xbeef, dontLearn: true, isApplied: true)
        try checkLayout(VXLAN.Header(identifier: 1, policy: policy), "88 48 beef 000001 00", .vxlan) { _ in 8 }
        try checkLayout(VXLAN.Header(identifier: 1, policy: .init(group: 1, isApplied: true)), "88 08 0001 000001 00", .vxlan) { _ in 8 }
        try checkLayout(VXLAN.Header(identifier: nil), "0000000000000000", .vxlan) { _ in 8 }
    }

    @Test(arguments: ["09000000 00000100", "08010000 00000100", "08000001 00000100", "08000000 00000101", "88800001 00000100"])
    func vxlanReservedBitsAreToldAndIgnored(_ hexadecimal: String) throws {
        let bytes = SampleFrames.bytes(hexadecimal)
        #expect(try VXLAN.View(bytes.span.bytes).hasReservedBits)
        #expect(try VXLAN.Header(parsing: bytes.span.bytes).identifier == 1)
    }

    @Test func vxlanWithoutTheIFlagHasNoIdentifier() throws {
        let bytes = SampleFrames.bytes("00000000 00000100")
        #expect(try !VXLAN.View(bytes.span.bytes).hasIdentifier)
        #expect(try VXLAN.Header(parsing: bytes.span.bytes).identifier == nil)
    }

    @Test func geneveHasItsFieldsAtTheirPlaces() throws {
        try checkLayout(Geneve.Header(identifier: 0xabcdef), "00 00 6558 abcdef 00", .geneve) { _ in 8 }
        try checkLayout(Geneve.Header(identifier: 1, protocolType: 0x0800, isControl: true), "00 80 0800 000001 00", .geneve) { _ in 8 }
        let options = [
            Geneve.Option(class: 0xff57, type: 0x81, content: [1, 2, 3, 4, 5, 6, 7, 8]), Geneve.Option(class: 0x0102, type: 3, content: []),
        ]
        try checkLayout(
            Geneve.Header(identifier: 7, options: options), "04 40 6558 000007 00  ff57 81 02 0102030405060708  0102 03 00", .geneve
        ) { $0 < 8 ? 8 : 24 }
    }

    @Test func everyGeneveFirstByteIsJudged() {
        for first in UInt8(0)...255 {
            var bytes = [UInt8](repeating: 0, count: 260)
            bytes[0] = first
            #expect(error(Geneve.Header.self, bytes) == (first >> 6 == 0 ? nil : .badVersion(.geneve, first >> 6)))
        }
    }

    @Test func geneveReservedBitsAreToldAndIgnored() throws {
        for bit in UInt8(0)..<6 {
            let bytes: [UInt8] = [0, 1 << bit, 0x65, 0x58, 0, 0, 5, 0]
            #expect(try Geneve.View(bytes.span.bytes).hasReservedBits)
            #expect(try Geneve.Header(parsing: bytes.span.bytes) == Geneve.Header(identifier: 5))
        }
        // The three bits before an option's length.
        #expect(try parse(Geneve.Header.self, "01 00 6558 000005 00 0001 02 e0").options == [.init(class: 1, type: 2, content: [])])
    }

    @Test func aGeneveOptionThatReachesTooFarIsRefused() {
        #expect(error(Geneve.Header.self, SampleFrames.bytes("01 00 6558 000005 00 0001 02 01 00000000")) == .badLength(.geneve, 12))
        #expect(Geneve.Option.parse(SampleFrames.bytes("000102").span.bytes).isMalformed)
    }

    @Test func aLivenessPacketHasItsFieldsAtTheirPlaces() throws {
        var p = BFD.Control(state: .up, multiplier: 3, myDiscriminator: 0x0102_0304, desiredTransmit: 300_000, requiredReceive: 100_000)
        try checkLayout(p, "20 c0 03 18 01020304 00000000 000493e0 000186a0 00000000", .bfd) { _ in 24 }
        p.diagnostic = BFD.Diagnostic.reverseConcatenatedPathDown
        p.state = .initial
        p.flags = BFD.Flag.poll | BFD.Flag.demand
        p.yourDiscriminator = 0xffff_ffff
        p.requiredEcho = 5
        try checkLayout(p, "28 a2 03 18 01020304 ffffffff 000493e0 000186a0 00000005", .bfd) { _ in 24 }
    }

    @Test func aLivenessPacketOfAnotherVersionOrLengthIsRefused() {
        func bytes(_ first: UInt8, _ length: UInt8) -> [UInt8] { [first, 0xc0, 3, length] + [UInt8](repeating: 1, count: 20) }
        for version in UInt8(0)..<8 where version != 1 { #expect(error(BFD.Control.self, bytes(version << 5, 24)) == .badVersion(.bfd, version)) }
        #expect(error(BFD.Control.self, bytes(0x20, 23)) == .badLength(.bfd, 23))
        #expect(error(BFD.Control.self, bytes(0x20, 25)) == .badLength(.bfd, 25))
        #expect(error(BFD.Control.self, bytes(0x20, 24)) == nil)
    }

    @Test func greHasItsFieldsAtTheirPlaces() throws {
        try checkLayout(GRE.Header(), "0000 6558", .gre) { _ in 4 }
        try checkLayout(GRE.Header(key: 0x01020304), "2000 6558 01020304", .gre) { $0 < 4 ? 4 : 8 }
        try checkLayout(GRE.Header(protocolType: 0x0800, sequence: 9), "1000 0800 00000009", .gre) { $0 < 4 ? 4 : 8 }
        try checkLayout(
            GRE.Header(checksum: 0xbeef, key: 1, sequence: 2), "b000 6558 beef0000 00000001 00000002", .gre
        ) { $0 < 4 ? 4 : 16 }
    }

    @Test func everyGREFlagWordIsJudged() {
        for flags in UInt16(0)...0xffff {
            let bytes = [UInt8(flags >> 8), UInt8(flags & 0xff)] + [UInt8](repeating: 0, count: 14)
            let expected: WireError? =
                flags & 7 != 0
                ? .badVersion(.gre, UInt8(flags & 7)) : flags & 0x4c00 != 0 ? .reservedBits(.gre, flags & 0x4c00) : nil
            let found = error(GRE.Header.self, bytes)
            if found != expected { Issue.record("flags \(flags): \(String(describing: found))") }
        }
    }

    @Test func theGREChecksumCoversHeaderAndPayload() throws {
        var header = GRE.Header(checksum: 0, key: 5)
        header.fillChecksum(payload: [1, 2, 3])
        // 0xa000 + 0x6558 + 0x0005 + 0x0102 + 0x0300 = 0x1095f, folded 0x0960, complement 0xf69f.
        #expect(header.checksum == 0xf69f)
        var packet = header.encoded() + [1, 2, 3]
        #expect(try GRE.View(packet.span.bytes).isChecksumCorrect)
        packet[13] ^= 1
        #expect(try !GRE.View(packet.span.bytes).isChecksumCorrect)
    }

    /// An Ethernet frame with `payload` in UDP to `port`, or as IP protocol 47.
    private func outer(_ payload: [UInt8], port: UInt16?) -> [UInt8] {
        var bytes = Ethernet.Header(destination: MACAddress(2), source: MACAddress(4), etherType: 0x0800).encoded()
        let size = payload.count + (port == nil ? 0 : 8)
        bytes += IPv4.Header(source: IPv4Address(1), destination: IPv4Address(2), nextProtocol: port == nil ? 47 : 17, payloadSize: size).encoded()
        if let port { bytes += UDP.Header(sourcePort: 50000, destinationPort: port, payloadSize: payload.count).encoded() }
        return bytes + payload
    }

    @Test func dissectionShowsTheFrameInsideATunnel() throws {
        let inner = SampleFrames.named("tcp-data")
        let option = Geneve.Option(class: 0xff57, type: 0x81, content: [0, 0, 0, 1])
        var gre = GRE.Header(checksum: 0, key: 0x77)
        gre.fillChecksum(payload: inner)
        let cases: [(String, [UInt8])] = [
            ("vxlan", outer(VXLAN.Header(identifier: 42).encoded() + inner, port: 4789)),
            ("geneve", outer(Geneve.Header(identifier: 42, options: [option]).encoded() + inner, port: 6081)),
            ("gre", outer(gre.encoded() + inner, port: nil)),
        ]
        for (name, frame) in cases {
            let dissection = Dissection(frame)
            let layer = try #require(dissection[name], "\(name): \(dissection.summary)")
            #expect(layer.problems.isEmpty)
            #expect(name == "gre" ? layer["key"] == "0x00000077" && layer.checksum == .correct : layer["vni"] == "42")
            #expect(dissection["tcp"]?.checksum == .correct, "\(name)")
            #expect(dissection.layers.filter { $0.name == "ethernet" }.count == 2)
        }
    }

    @Test func dissectionTellsWhatATunnelHeaderGotWrong() {
        #expect(Dissection(outer(SampleFrames.bytes("0000000000000100"), port: 4789))["vxlan"]?.problems == ["the I flag is not set"])
        #expect(Dissection(outer(SampleFrames.bytes("40"), port: 6081))["geneve"]?.isTruncated == true)
        #expect(Dissection(outer(SampleFrames.bytes("40006558"), port: nil))["gre"]?.problems == ["forbidden bits 0x4000 are set"])
        #expect(
            Dissection(outer(SampleFrames.bytes("0140655800000100 00010203"), port: 6081))["geneve"]?.problems.contains(
                "malformed option after 0 options") == true)
    }
}
