import Datapath
import Flow
import ReferenceSwitch
import Testing

/// Fields that say how the rest is to be read, written by `set_field` (OpenFlow 1.3.5 §5.12).
@Suite struct KindOfPayloadTests {
    static let ethernet = "020000000002 020000000001 "
    static let ports = "2b67 08ae "

    private static func ipv4(_ proto: String, _ sum: String) -> String { "4500001e00004000 40\(proto)\(sum) c0a80a0a c0a81414 " }
    private static func ipv6(_ next: String, _ length: String) -> String {
        "60000000 \(length) \(next)40 20010db8000000000000000000000001 20010db8000000000000000000000002 "
    }

    @Test func theProtocolOfIPv4ChangesWithTheChecksumOfItsHeader() {
        let payload = Self.ports + "000a 0000 0102"
        let frame = Self.ethernet + "0800 " + Self.ipv4("11", "9b60") + payload
        // 0x9b60 + 17 - 6, by one's complement.
        let changed = Self.ethernet + "0800 " + Self.ipv4("06", "9b6b") + payload
        #expect(LiteralFrames.ends(frame, ["udp,actions=set_field:6->nw_proto,2"]) == [LiteralFrames.sent(2, changed)])
        #expect(
            LiteralFrames.ends("020000000002 020000000001 8100 0064 " + frame.dropFirst(Self.ethernet.count), ["udp,actions=set_field:6->nw_proto,2"])
                == [LiteralFrames.sent(2, Self.ethernet + "8100 0064 " + changed.dropFirst(Self.ethernet.count))])
    }

    @Test func theProtocolOfIPv6IsThatBehindItsExtensionHeaders() {
        // The UDP checksum covers the number: 0x1111 + 17 - 6, 0x1111 + 17 - 59.
        let plain = Self.ethernet + "86dd " + Self.ipv6("11", "000a") + Self.ports + "000a 1111 0102"
        #expect(
            LiteralFrames.ends(plain, ["udp6,actions=set_field:6->nw_proto,2"]) == [
                LiteralFrames.sent(2, Self.ethernet + "86dd " + Self.ipv6("06", "000a") + Self.ports + "000a 111c 0102")
            ])
        let hop = "00 010400000000 "
        let extended = Self.ethernet + "86dd " + Self.ipv6("00", "0012") + "11 " + hop + Self.ports + "000a 1111 0102"
        #expect(
            LiteralFrames.ends(extended, ["udp6,actions=set_field:59->nw_proto,2"]) == [
                LiteralFrames.sent(2, Self.ethernet + "86dd " + Self.ipv6("00", "0012") + "3b " + hop + Self.ports + "000a 10e7 0102")
            ])
        // A later fragment has no protocol that is known.
        let fragment = Self.ethernet + "86dd " + Self.ipv6("2c", "0012") + "11 00 0009 00000001 " + Self.ports + "000a 1111 0102"
        #expect(
            LiteralFrames.ends(fragment, ["ipv6,actions=set_field:6->nw_proto,2"]) == [LiteralFrames.sent(2, fragment)])
    }

    @Test func whatFollowsIsReadAsTheNewKind() {
        let payload = Self.ports + "000a 0000 0102"
        let frame = Self.ethernet + "0800 " + Self.ipv4("11", "9b60") + payload
        let asSCTP = Self.ethernet + "0800 " + Self.ipv4("84", "9aed") + payload
        // As SCTP it matches by SCTP's ports, and no longer as UDP; ten bytes are no whole SCTP header.
        let flows = [
            "table=0,udp,actions=set_field:132->nw_proto,resubmit(,1)", "table=1,priority=9,udp,actions=2",
            "table=1,priority=5,ip,nw_proto=132,actions=3",
        ]
        #expect(LiteralFrames.ends(frame, flows) == [LiteralFrames.sent(3, asSCTP)])
        // An EtherType nobody reads leaves no IP fields to match or to change.
        let other = [
            "table=0,ip,actions=set_field:0x88b5->eth_type,resubmit(,1)", "table=1,priority=9,ip,actions=2",
            "table=1,priority=5,dl_type=0x88b5,actions=3",
        ]
        #expect(LiteralFrames.ends(frame, other) == [LiteralFrames.sent(3, frame.replacingType("88b5"))])
    }

    @Test func theTypeIsThatBehindTheTags() {
        let frame = Self.ethernet + "88a8 0005 8100 0064 0800 " + Self.ipv4("11", "9b60") + Self.ports + "000a 0000 0102"
        let changed = frame.replacingType("0800", by: "88b5")
        #expect(LiteralFrames.ends(frame, ["ip,actions=set_field:0x88b5->eth_type,2"]) == [LiteralFrames.sent(2, changed)])
    }

    @Test func theBottomOfTheStackIsAFlagOfTheOuterLabel() {
        let ip = Self.ipv4("11", "9b60") + Self.ports + "000a 0000 0102"
        let frame = Self.ethernet + "8847 00064140 " + ip
        #expect(
            LiteralFrames.ends(frame, ["mpls,mpls_bos=1,actions=set_field:0->mpls_bos,2"]) == [
                LiteralFrames.sent(2, Self.ethernet + "8847 00064040 " + ip)
            ])
        #expect(
            LiteralFrames.ends(Self.ethernet + "8847 00064040 " + ip, ["mpls,actions=set_field:1->mpls_bos,2"]) == [LiteralFrames.sent(2, frame)])
    }

    @Test func theyAreWrittenOnlyByNameAndAsAWhole() {
        for line in [
            "ip,actions=load:1->NXM_OF_ETH_TYPE[],2", "ip,actions=load:1->NXM_OF_IP_PROTO[0..3],2",
            "ip,actions=move:NXM_NX_REG0[0..7]->NXM_OF_IP_PROTO[]",
            "actions=set_field:6->nw_proto,2", "ip,actions=set_field:0->mpls_bos,2",
        ] {
            #expect(!FlowText.parse(line).errors.isEmpty, "\(line)")
        }
    }
}

extension String {
    /// The same frame with another EtherType where the first 0800 is.
    fileprivate func replacingType(_ old: String = "0800", by new: String) -> String { self.replacingFirst(old, new) }
    fileprivate func replacingType(_ new: String) -> String { self.replacingFirst("0800", new) }
    private func replacingFirst(_ old: String, _ new: String) -> String {
        guard let range = self.firstRange(of: old) else { return self }
        return self.replacingCharacters(range, new)
    }
    private func replacingCharacters(_ range: Range<String.Index>, _ new: String) -> String {
        String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
    }
}
