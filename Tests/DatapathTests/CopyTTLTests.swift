import Datapath
import Flow
import Testing

/// `copy_ttl_out` and `copy_ttl_in` (OpenFlow 1.3.5 §5.12) on literal frames.
@Suite struct CopyTTLTests {
    static let ethernet = "020000000002 020000000001 "
    /// TTL and the checksum's two bytes are put in: 32 with 0xbb60, 64 with 0x9b60.
    static func ipv4(_ ttl: String, _ checksum: String) -> String {
        "4500001e00004000 \(ttl)11 \(checksum) c0a80a0a c0a81414 2b67 08ae 000a 0000 0102"
    }
    static func ipv6(_ hops: String) -> String {
        "60000000 0008 11 \(hops) fd000000000000000000000000000001 fd000000000000000000000000000002 2b67 08ae 0008 0000"
    }
    /// Label 100, class 3.
    static func label(_ ttl: String, bottom: Bool = true) -> String { "00064" + (bottom ? "7" : "6") + ttl + " " }

    private func run(_ before: String, _ actions: String, _ after: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let ends = LiteralFrames.ends(Self.ethernet + "8847 " + before, ["mpls,actions=\(actions),2"])
        #expect(ends == [LiteralFrames.sent(2, Self.ethernet + after)], sourceLocation: sourceLocation)
    }

    @Test func betweenALabelAndIPv4TheChecksumFollows() {
        run(Self.label("40") + Self.ipv4("20", "bb60"), "copy_ttl_out", "8847 " + Self.label("20") + Self.ipv4("20", "bb60"))
        run(Self.label("40") + Self.ipv4("20", "bb60"), "copy_ttl_in", "8847 " + Self.label("40") + Self.ipv4("40", "9b60"))
    }

    @Test func aWrongChecksumStaysWrongByTheSameAmount() {
        run(Self.label("40") + Self.ipv4("20", "bb61"), "copy_ttl_in", "8847 " + Self.label("40") + Self.ipv4("40", "9b61"))
    }

    @Test func betweenALabelAndIPv6() {
        run(Self.label("40") + Self.ipv6("20"), "copy_ttl_out", "8847 " + Self.label("20") + Self.ipv6("20"))
        run(Self.label("40") + Self.ipv6("20"), "copy_ttl_in", "8847 " + Self.label("40") + Self.ipv6("40"))
    }

    @Test func betweenTwoLabelsTheHeaderBelowStays() {
        let below = Self.label("1f") + Self.ipv4("20", "bb60")
        run(Self.label("40", bottom: false) + below, "copy_ttl_out", "8847 " + Self.label("1f", bottom: false) + below)
        run(
            Self.label("40", bottom: false) + below, "copy_ttl_in",
            "8847 " + Self.label("40", bottom: false) + Self.label("40") + Self.ipv4("20", "bb60"))
    }

    @Test func whatFollowsSeesTheCopiedValue() {
        run(Self.label("40") + Self.ipv4("21", "ba60"), "copy_ttl_out,dec_mpls_ttl", "8847 " + Self.label("20") + Self.ipv4("21", "ba60"))
        run(Self.label("40") + Self.ipv4("20", "bb60"), "copy_ttl_in,pop_mpls:0x0800", "0800 " + Self.ipv4("40", "9b60"))
        run(Self.label("41") + Self.ipv4("20", "bb60"), "dec_mpls_ttl,copy_ttl_in", "8847 " + Self.label("40") + Self.ipv4("40", "9b60"))
        let labelled = Self.ethernet + "0800 " + Self.ipv4("20", "bb60")
        // The pushed label has label 0 and the class of the packet's precedence, 0.
        #expect(
            LiteralFrames.ends(labelled, ["ip,actions=push_mpls:0x8847,set_mpls_ttl:64,copy_ttl_out,2"]) == [
                LiteralFrames.sent(2, Self.ethernet + "8847 00000120 " + Self.ipv4("20", "bb60"))
            ])
    }

    @Test func belowALabelThatCarriesNoIPNothingIsTouched() {
        for payload in ["0000 0000 " + Self.ethernet + "88b5" + "00000000", "45000014"] {
            for action in ["copy_ttl_out", "copy_ttl_in"] { run(Self.label("40") + payload, action, "8847 " + Self.label("40") + payload) }
        }
    }
}
