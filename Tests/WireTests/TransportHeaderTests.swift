import Testing
import Wire

@Suite struct TransportHeaderTests {
    let pseudoHeader = PseudoHeader.ipv4(source: IPv4Address(0x0a00_0001), destination: IPv4Address(0x0a00_0002))

    @Test func tcpHasItsFieldsAtTheirPlaces() throws {
        var header = TCP.Header(sourcePort: 1234, destinationPort: 80, sequence: 1, acknowledgment: 2, flags: 0xabc, window: 502)
        header.checksum = 0xbeef
        header.urgentPointer = 7
        try checkLayout(header, "04d2 0050 00000001 00000002 5abc 01f6 beef 0007", .tcp) { _ in 20 }
        header.options = [1, 1, 4, 2]
        try checkLayout(header, "04d2 0050 00000001 00000002 6abc 01f6 beef 0007 01010402", .tcp) { $0 < 20 ? 20 : 24 }
    }

    @Test func everyDataOffsetIsJudged() {
        for offset in UInt8(0)..<16 {
            var bytes = [UInt8](repeating: 0, count: 60)
            bytes[12] = offset << 4
            #expect(error(TCP.Header.self, bytes) == (offset < 5 ? .badHeaderLength(.tcp, Int(offset) * 4) : nil))
        }
    }

    @Test func tcpFillsACorrectChecksum() throws {
        let frame = SampleFrames.named("tcp-data")
        var header = try TCP.Header(parsing: Array(frame[34...]).span.bytes)
        let correct = header.checksum
        header.checksum = 0
        header.fillChecksum(pseudoHeader: pseudoHeader, payload: Array(frame[54...]))
        #expect(header.checksum == correct)
    }

    @Test func tcpOptionsSurviveBothDirections() {
        let options: [TCPOption] = [
            .maximumSegmentSize(1460), .sackPermitted, .timestamps(value: 7, echo: 0xffff_ffff), .noOperation, .windowScale(7),
            .sack([.init(left: 1, right: 2), .init(left: 3, right: 4)]), .other(kind: 254, content: [1, 2]),
        ]
        let bytes = TCPOption.encode(options)
        #expect(bytes.prefix(6) == [2, 4, 0x05, 0xb4, 4, 2] && bytes.count % 4 == 0)
        let parsed = TCPOption.parse(bytes.span.bytes)
        #expect(!parsed.isMalformed && Array(parsed.options.prefix(options.count)) == options)
    }

    @Test(arguments: ["02", "0200", "0201", "0204aa", "01080a0000"])
    func aTCPOptionThatLiesIsMalformed(_ hexadecimal: String) {
        #expect(TCPOption.parse(SampleFrames.bytes(hexadecimal).span.bytes).isMalformed)
    }

    @Test func aKnownTCPOptionOfAnotherLengthIsOther() {
        let parsed = TCPOption.parse(SampleFrames.bytes("0203aa 0502 00 ff").span.bytes)
        #expect(parsed.options == [.other(kind: 2, content: [0xaa]), .other(kind: 5, content: []), .endOfList])
        #expect(!parsed.isMalformed)
    }

    @Test func udpHasItsFieldsAtTheirPlaces() throws {
        var header = UDP.Header(sourcePort: 53, destinationPort: 4000, payloadSize: 3)
        header.checksum = 0x179e
        try checkLayout(header, "0035 0fa0 000b 179e", .udp) { _ in 8 }
        header.checksum = 0
        header.fillChecksum(pseudoHeader: pseudoHeader, payload: Array("abc".utf8))
        #expect(header.checksum == 0x179e)  // As in the sample "udp-odd".
    }

    @Test func aUDPChecksumThatComputesToZeroIsSentAsOnes() {
        var header = UDP.Header(sourcePort: 53, destinationPort: 4000, payloadSize: 2)
        header.fillChecksum(pseudoHeader: pseudoHeader, payload: [0, 0])
        // The payload word that makes the sum all ones is the checksum itself.
        let payload = [UInt8(header.checksum >> 8), UInt8(header.checksum & 0xff)]
        header.fillChecksum(pseudoHeader: pseudoHeader, payload: payload)
        #expect(header.checksum == 0xffff)
    }

    @Test func udpPayloadIsWhatIsThereOfIt() throws {
        for (length, expected) in [(0, 0), (7, 0), (8, 0), (9, 1), (10, 2), (11, 2), (65535, 2)] {
            let bytes: [UInt8] = [0, 1, 0, 2, UInt8(length >> 8), UInt8(length & 0xff), 0, 0, 0xaa, 0xbb]
            #expect(try UDP.View(bytes.span.bytes).payload.byteCount == expected, "length \(length)")
        }
    }

    @Test func sctpHasItsFieldsAtTheirPlaces() throws {
        try checkLayout(
            SCTP.Header(sourcePort: 1000, destinationPort: 2000, verificationTag: 0x0102_0304, checksum: 0x8505_8445),
            "03e8 07d0 01020304 85058445", .sctp
        ) { _ in 12 }
    }

    @Test func sctpFillsACorrectChecksum() throws {
        let frame = SampleFrames.named("sctp-init")
        var header = try SCTP.Header(parsing: Array(frame[34...]).span.bytes)
        let correct = header.checksum
        header.checksum = 0x5555
        header.fillChecksum(payload: Array(frame[46...]))
        #expect(header.checksum == correct)
    }

    @Test func everyShortChunkLengthIsRefused() {
        for length in UInt8(0)...5 {
            do {
                _ = try SCTP.ChunkView([1, 0, 0, length, 9].span.bytes)
                #expect(length == 4 || length == 5)
            } catch {
                #expect(error == (length < 4 ? .badLength(.sctp, Int(length)) : nil))
            }
        }
        #expect(throws: WireError.truncated(.sctp, needed: 6, available: 5)) { try chunkLength([1, 0, 0, 6, 9]) }
        #expect(throws: WireError.truncated(.sctp, needed: 4, available: 3)) { try chunkLength([1, 0, 0]) }
    }

    private func chunkLength(_ bytes: [UInt8]) throws(WireError) -> Int { try SCTP.ChunkView(bytes.span.bytes).length }
}
