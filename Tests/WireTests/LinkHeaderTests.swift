import Testing
import Wire

/// Checks a header in all three directions: bytes to value, value to bytes, and every truncation to a named error.
func checkLayout<Header: WireValue>(
    _ header: Header, _ hexadecimal: String, _ kind: WireProtocol, needed: (Int) -> Int, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let bytes = SampleFrames.bytes(hexadecimal)
    #expect(header.size == bytes.count, sourceLocation: sourceLocation)
    #expect(header.encoded() == bytes, sourceLocation: sourceLocation)
    #expect(try Header(parsing: bytes.span.bytes) == header, sourceLocation: sourceLocation)
    #expect(try Header(parsing: (bytes + [0xee, 0xee]).span.bytes) == header, sourceLocation: sourceLocation)
    for size in 0..<bytes.count {
        #expect(
            error(Header.self, Array(bytes[..<size])) == .truncated(kind, needed: needed(size), available: size),
            sourceLocation: sourceLocation)
    }
}

@Suite struct LinkHeaderTests {
    let a = MACAddress(0x0200_0000_0001)
    let b = MACAddress(0x0200_0000_0002)

    @Test func ethernetHasTwoAddressesAndAType() throws {
        try checkLayout(
            Ethernet.Header(destination: b, source: a, etherType: 0x0800), "020000000002 020000000001 0800", .ethernet
        ) { _ in 14 }
    }

    @Test func aTypeBelow0x600IsALength() throws {
        #expect(EtherType.minimum == 0x600)
        #expect(Dissection(SampleFrames.bytes("020000000002 020000000001 05ff") + [0])["ethernet"]?["length"] == "1535")
        #expect(Dissection(SampleFrames.bytes("020000000002 020000000001 0600") + [0])["ethernet"]?["type"] == "0x0600")
    }

    @Test func vlanHasPriorityDropBitAndIdentifier() throws {
        try checkLayout(
            VLAN.Header(identifier: 0xabc, priority: 5, dropEligible: true, etherType: 0x86dd), "babc86dd", .vlan
        ) { _ in 4 }
        #expect(VLAN.Header(identifier: 0xffff, priority: 9, etherType: 0).tci == 0x2fff)
    }

    @Test func everyTagControlValueSurvives() throws {
        for tci in UInt16.min...UInt16.max {
            let bytes = [UInt8(tci >> 8), UInt8(tci & 0xff), 8, 0]
            #expect(try VLAN.Header(parsing: bytes.span.bytes).tci == tci)
        }
    }

    @Test func theReservedVLANIdentifierIsAProblem() {
        let frame = SampleFrames.bytes("020000000002 020000000001 8100 0fff 1234 00")
        #expect(Dissection(frame)["vlan"]?.problems == ["VLAN identifier 4095 is reserved"])
    }

    @Test func backboneTagHasPriorityDropBitAddressBitAndService() throws {
        try checkLayout(
            PBB.Header(service: 0xabcdef, priority: 5, dropEligible: true, usesCustomerAddresses: true), "b8abcdef", .pbb
        ) { _ in 4 }
        try checkLayout(PBB.Header(service: 100), "00000064", .pbb) { _ in 4 }
        #expect(PBB.Header(service: .max, priority: 9).tci == 0x20ff_ffff)
        // The three reserved bits are not looked at.
        #expect(try PBB.Header(parsing: ([7, 0, 0, 1] as [UInt8]).span.bytes) == PBB.Header(service: 1))
    }

    @Test func aCustomersFrameFollowsTheBackboneTag() {
        let frame = SampleFrames.bytes("020000000002 020000000001 88e7 00000064 020000000004 020000000003 8100 0007 88b5 00")
        let dissection = Dissection(frame)
        #expect(dissection.layers.prefix(4).map(\.name) == ["ethernet", "pbb", "ethernet", "vlan"])
        #expect(dissection["pbb"]?["service"] == "100")
        #expect(dissection["vlan"]?["id"] == "7")
    }

    @Test func mplsHasLabelClassBottomAndTTL() throws {
        try checkLayout(
            MPLS.Header(label: 0xabcde, trafficClass: 5, isBottom: true, ttl: 63), "abcdeb3f", .mpls
        ) { _ in 4 }
        try checkLayout(MPLS.Header(label: 16, isBottom: false, ttl: 1), "00010001", .mpls) { _ in 4 }
    }

    @Test(arguments: 0...16 as ClosedRange<UInt32>)
    func everyReservedLabelHasAName(_ label: UInt32) {
        let assigned: Set<UInt32> = [0, 1, 2, 3, 7, 13, 14, 15]
        if label == 16 {
            #expect(MPLS.Label.name(label) == nil)
        } else {
            #expect((MPLS.Label.name(label) == "reserved") == !assigned.contains(label))
        }
    }

    @Test func aStackGuessesItsPayloadByTheFirstBits() {
        for first in UInt8.min...255 {
            let expected: UInt16? = first >> 4 == 4 ? EtherType.ipv4 : first >> 4 == 6 ? EtherType.ipv6 : nil
            #expect(MPLS.payloadEtherType([first].span.bytes) == expected)
        }
        #expect(MPLS.payloadEtherType([UInt8]().span.bytes) == nil)
    }

    @Test func arpHasOperationAndFourAddresses() throws {
        let message = ARP.Header(
            operation: 1, senderHardware: a, senderProtocol: IPv4Address(0x0a00_0001), targetHardware: MACAddress(0),
            targetProtocol: IPv4Address(0x0a00_0002))
        try checkLayout(message, "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002", .arp) { _ in 28 }
    }

    @Test(arguments: [
        "0002 0800 06 04", "0001 86dd 06 04", "0001 0800 08 04", "0001 0800 06 10",
    ])
    func anotherARPLayoutIsNotReadAsOurs(_ start: String) throws {
        let bytes = SampleFrames.bytes(start + "0001 020000000001 0a000001 000000000000 0a000002")
        #expect(try !ARP.View(bytes.span.bytes).isIPv4OverEthernet)
        let layer = Dissection(SampleFrames.bytes("020000000002 020000000001 0806") + bytes)["arp"]
        #expect(layer?["sender"] == nil)
        #expect(layer?.problems.first?.hasPrefix("not IPv4 over Ethernet") == true)
    }

    @Test func unassignedARPOperationsHaveNoName() {
        for operation in UInt16.min...UInt16.max {
            #expect((ARP.Operation.name(operation) != nil) == (1...4).contains(operation))
        }
    }
}
