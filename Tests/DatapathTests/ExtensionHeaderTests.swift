import Datapath
import Flow
import Testing

/// `ipv6_exthdr` (OpenFlow 1.3.5 §A.2.3.8) of literal frames.
@Suite struct ExtensionHeaderTests {
    /// IPv6 from fd00::1 to fd00::2 with these headers behind the fixed one.
    static func frame(_ next: String, _ rest: String) -> String {
        let size = String(LiteralFrames.bytes(rest).count, radix: 16)
        return "020000000002 020000000001 86dd 60000000 " + String(repeating: "0", count: 4 - size.count) + size + next
            + "40 fd000000000000000000000000000001 fd000000000000000000000000000002 " + rest
    }
    static let udp = "2b67 08ae 0008 0000"
    static func options(_ next: String) -> String { next + "00 0104 00000000 " }
    static func authentication(_ next: String) -> String { next + "02 0000 00000001 00000001 00000000 " }

    static let chains: [(name: String, next: String, rest: String, flags: Int)] = [
        ("none", "11", udp, 0),
        ("hop-by-hop, authentication", "00", options("33") + authentication("11") + udp, 64 + 4),
        ("destination", "3c", options("11") + udp, 8),
        (
            "hop-by-hop, destination, routing, authentication, destination", "00",
            options("3c") + options("2b") + "33 00 0000 00000000 " + authentication("3c") + options("11") + udp, 64 + 8 + 32 + 4
        ),
        ("a whole packet as a fragment", "2c", "11 00 0000 00000001 " + udp, 16),
        ("the first fragment", "2c", "11 00 0001 00000001 " + udp, 16),
        ("a later fragment", "2c", "11 00 0010 00000001 0102030405060708", 16),
        ("security payload", "32", "0000000100000001", 2),
        ("authentication and security payload", "33", authentication("32") + "0000000100000001", 4 + 2),
        ("no next header", "3b", "", 1),
        ("destination and no next header", "3c", options("3b"), 8 + 1),
        ("routing twice", "2b", "2b 00 0000 00000000 11 00 0000 00000000 " + udp, 32 + 128),
        ("destination three times", "3c", options("3c") + options("3c") + options("11") + udp, 8 + 128),
        ("authentication before routing", "33", authentication("2b") + "11 00 0000 00000000 " + udp, 4 + 32 + 256),
        ("hop-by-hop behind destination", "3c", options("00") + options("11") + udp, 8 + 256),
        ("hop-by-hop twice", "00", options("00") + options("11") + udp, 64 + 128 + 256),
        ("a header that is cut", "00", "3300", 0),
    ]

    @Test(arguments: chains.indices) func theFlagsSayWhichHeadersThereAre(_ index: Int) {
        let chain = Self.chains[index]
        let frame = Self.frame(chain.next, chain.rest)
        let flows = ["priority=9,ipv6,ipv6_exthdr=\(chain.flags),actions=2", "priority=1,actions=3"]
        #expect(LiteralFrames.ends(frame, flows) == [LiteralFrames.sent(2, frame)], "\(chain.name)")
    }

    @Test func aMaskLooksAtSomeFlagsOnly() {
        let frame = Self.frame("00", Self.options("33") + Self.authentication("11") + Self.udp)
        for (mask, port) in [("0x40/0x1f0", UInt32(2)), ("0x4/0x4", 2), ("0x0/0x40", 3), ("0x44/0x1ff", 2)] {
            let flows = ["priority=9,ipv6,ipv6_exthdr=\(mask),actions=2", "priority=1,actions=3"]
            #expect(LiteralFrames.ends(frame, flows) == [LiteralFrames.sent(port, frame)], "\(mask)")
        }
    }

    @Test func linkLayerAddressAndFlagsShareAWordAndBothMatch() {
        // A neighbour advertisement behind hop-by-hop options; the checksum isn't looked at.
        let advertisement = "88000000 00000000 fd000000000000000000000000000009 0201 020000000007"
        let frame = Self.frame("00", Self.options("3a") + advertisement)
        let match = "icmp6,icmp_type=136,icmp_code=0,nd_tll=02:00:00:00:00:07,ipv6_exthdr=64"
        #expect(LiteralFrames.ends(frame, ["priority=9,\(match),actions=2", "priority=1,actions=3"]) == [LiteralFrames.sent(2, frame)])
    }

    @Test func flagsAreFoundBelowAPoppedLabel() {
        let inner = Self.frame("00", Self.options("33") + Self.authentication("11") + Self.udp)
        let labelled = inner.replacing("86dd", with: "8847 00064140", maxReplacements: 1)
        let flows = ["table=0,mpls,actions=pop_mpls:0x86dd,goto_table:1", "table=1,ipv6,ipv6_exthdr=68,actions=2"]
        #expect(LiteralFrames.ends(labelled, flows) == [LiteralFrames.sent(2, inner)])
    }
}
