import Testing
import Wire

@Suite struct NetworkHeaderTests {
    let source = IPv6Address(high: 0x2001_0db8_0000_0000, low: 1)
    let destination = IPv6Address(high: 0x2001_0db8_0000_0000, low: 2)

    @Test func ipv4HasItsFieldsAtTheirPlaces() throws {
        var header = IPv4.Header(
            source: IPv4Address(0x0a00_0001), destination: IPv4Address(0x0a00_0002), nextProtocol: 17, payloadSize: 100, ttl: 63,
            trafficClass: 0xb9, identification: 0x1234, dontFragment: true)
        header.checksum = 0xabcd
        try checkLayout(header, "45 b9 0078 1234 4000 3f 11 abcd 0a000001 0a000002", .ipv4) { _ in 20 }
    }

    @Test func ipv4OptionsBelongToTheHeader() throws {
        var header = IPv4.Header(
            source: IPv4Address(1), destination: IPv4Address(2), nextProtocol: 6, payloadSize: 0, moreFragments: true,
            fragmentOffset: 65528, options: [0x94, 4, 0, 0])
        header.reservedFlag = true
        header.checksum = 0
        try checkLayout(header, "46 00 0018 0000 bfff 40 06 0000 00000001 00000002 94040000", .ipv4) { $0 < 20 ? 20 : 24 }
    }

    @Test func ipv4FillsACorrectChecksum() {
        let header = IPv4.Header(
            source: IPv4Address(0x0a00_0001), destination: IPv4Address(0x0a00_0002), nextProtocol: 17, payloadSize: 12, identification: 6)
        #expect(header.checksum == 0x66c5)  // As in the sample "udp-zero-checksum".
        #expect(Checksum.of(header.encoded().span.bytes) == 0)
    }

    @Test func everyFirstByteIsJudged() {
        for first in UInt8.min...255 {
            let bytes = [first] + [UInt8](repeating: 0, count: 59)
            let expected: WireError? =
                first >> 4 != 4
                ? .badVersion(.ipv4, first >> 4) : first & 15 < 5 ? .badHeaderLength(.ipv4, Int(first & 15) * 4) : nil
            #expect(error(IPv4.Header.self, bytes) == expected)
            #expect(error(IPv6.Header.self, bytes) == (first >> 4 == 6 ? nil : .badVersion(.ipv6, first >> 4)))
        }
    }

    @Test func ipv4PayloadIsWhatIsThereOfIt() throws {
        let header = "45 00 0018 0000 0000 40 11 0000 00000001 00000002"
        for (rest, size) in [("", 0), ("aa", 1), ("aabbccdd", 4), ("aabbccddee", 4)] {
            #expect(try IPv4.View(SampleFrames.bytes(header + rest).span.bytes).payload.byteCount == size)
        }
        let lying = "45 00 0013 0000 0000 40 11 0000 00000001 00000002 aabb"
        #expect(try IPv4.View(SampleFrames.bytes(lying).span.bytes).payload.byteCount == 0)
    }

    @Test(arguments: [(0x8000, true, false, false), (0x4000, false, true, false), (0x2000, false, false, true)])
    func eachIPv4FlagIsItsOwnBit(_ word: Int, _ reserved: Bool, _ dont: Bool, _ more: Bool) throws {
        var bytes = SampleFrames.bytes("45 00 0014 0000 0000 40 11 0000 00000001 00000002")
        bytes[6] = UInt8(word >> 8)
        let view = try IPv4.View(bytes.span.bytes)
        #expect(view.reservedFlag == reserved && view.dontFragment == dont && view.moreFragments == more)
        #expect(view.isFragment == more && view.fragmentOffset == 0)
    }

    @Test func ipv6HasItsFieldsAtTheirPlaces() throws {
        let header = IPv6.Header(
            source: source, destination: destination, nextHeader: 58, payloadSize: 300, hopLimit: 255, trafficClass: 0xb8, flowLabel: 0x12345)
        try checkLayout(
            header, "6b812345 012c 3a ff 20010db8000000000000000000000001 20010db8000000000000000000000002", .ipv6
        ) { _ in 40 }
    }

    @Test func theFragmentHeaderKeepsItsReservedBits() throws {
        var header = IPv6Fragment.Header(nextHeader: 17, fragmentOffset: 65528, moreFragments: true, identification: 0xdead_beef)
        try checkLayout(header, "11 00 fff9 deadbeef", .fragment) { _ in 8 }
        header.reserved = 0x55
        header.reservedFlags = 2
        try checkLayout(header, "11 55 fffd deadbeef", .fragment) { _ in 8 }
    }

    @Test(arguments: [
        (IPProtocol.hopByHop, 1, 16), (IPProtocol.routing, 0, 8), (IPProtocol.destinationOptions, 255, 2048), (IPProtocol.fragment, 9, 8),
        (IPProtocol.authentication, 4, 24), (IPProtocol.authentication, 0, 8), (IPProtocol.mobility, 2, 24), (IPProtocol.hostIdentity, 0, 8),
        (IPProtocol.shim6, 1, 16),
    ])
    func extensionHeadersCountTheirLengthEachInItsWay(_ number: UInt8, _ length: UInt8, _ size: Int) throws {
        let bytes = [6, length] + [UInt8](repeating: 0, count: size - 2)
        let view = try IPv6Extension.View(bytes.span.bytes, number: number)
        #expect(view.size == size && view.nextHeader == 6)
        let kind = IPv6Extension.wireProtocol(number)
        for present in 0..<size {
            do {
                _ = try IPv6Extension.View(bytes.span.bytes.extracting(0..<present), number: number)
                Issue.record("\(present) of \(size) bytes were accepted")
            } catch {
                #expect(error == .truncated(kind, needed: present < 8 ? 8 : size, available: present))
            }
        }
    }

    @Test func onlyHeadersWithALengthAreWalked() {
        let walkable = (UInt8.min...255).filter(IPProtocol.isWalkableExtension)
        #expect(walkable == [0, 43, 44, 51, 60, 135, 139, 140])
    }
}
