import Datapath
import Flow
import ReferenceSwitch
import Testing

/// One entry table against literal frames; each packet goes twice, so that the cache has its say too.
struct LiteralFrames {
    static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// What becomes of a frame that comes in at port 1 with these flows.
    static func ends(_ frame: String, _ flows: [String], tags: Int = 2, ports: [UInt32] = [1, 2, 3]) -> [PacketEvent.End] {
        var results: [[PacketEvent.End]] = []
        for usesCache in [true, false] {
            var limits = Limits()
            limits.vlanTags = tags
            var datapath = DatapathUnderTest(ports: ports, usesCache: usesCache, limits: limits)
            for line in flows {
                let parsed = FlowText.parse(line)
                #expect(parsed.errors.isEmpty && parsed.modifications.count == 1, "\(line): \(parsed.errors)")
                for m in parsed.modifications { datapath.apply(m, time: 0) }
            }
            let packet = ReceivedPacket(bytes: bytes(frame), inPort: 1, time: 0)
            results += datapath.process([packet, packet])
        }
        #expect(results.allSatisfy { $0 == results[0] })
        return results[0]
    }

    static func sent(_ port: UInt32, _ hex: String) -> PacketEvent.End { .transmitted(port: port, bytes: bytes(hex)) }
}

/// Backbone headers (IEEE 802.1ah; OpenFlow 1.3.5 §5.12): matched, changed, pushed and popped.
@Suite struct BackboneHeaderTests {
    static let customer = "020000000004 020000000003 "
    static let outer = "020000000002 020000000001 "
    static let udp =
        "0800 4500001e00004000 40119b60 c0a80a0a c0a81414 2b67 08ae 000a 0000 0102"
    /// A service tag as the backbone's VLAN, the I-TAG, the customer's frame.
    static let tagged = outer + "88a8 000a 88e7 08000064 " + customer + udp

    @Test(arguments: [
        ("pbb_isid=100", true), ("pbb_isid=101", false), ("pbb_isid=96/0xf0", true), ("pbb_isid=0x10/0x10", false), ("pbb_uca=1", true),
        ("pbb_uca=0", false), ("pbb_isid=100,pbb_uca=1", true),
    ])
    func theTagIsMatched(_ match: String, _ matches: Bool) {
        let ends = LiteralFrames.ends(Self.tagged, ["priority=9,dl_type=0x88e7,\(match),actions=2", "priority=1,actions=3"])
        #expect(ends == [LiteralFrames.sent(matches ? 2 : 3, Self.tagged)])
    }

    @Test func servicesAndAddressBitAreWrittenAloneAndTheRestStays() {
        let frame = Self.outer + "88e7 f8000064 " + Self.customer + Self.udp
        let flows = ["dl_type=0x88e7,actions=set_field:203->pbb_isid,2,set_field:0->pbb_uca,3"]
        #expect(
            LiteralFrames.ends(frame, flows) == [
                LiteralFrames.sent(2, Self.outer + "88e7 f80000cb " + Self.customer + Self.udp),
                LiteralFrames.sent(3, Self.outer + "88e7 f00000cb " + Self.customer + Self.udp),
            ])
    }

    @Test func aFrameWithoutAWholeTagHasNoServiceAndStaysAsItIs() {
        let frame = Self.outer + "88e7 000064"
        let flows = ["priority=9,dl_type=0x88e7,pbb_isid=0,actions=set_field:5->pbb_isid,2,pop_pbb,3"]
        #expect(LiteralFrames.ends(frame, flows) == [LiteralFrames.sent(2, frame), LiteralFrames.sent(3, frame)])
    }

    @Test func aPushedHeaderTakesServiceAndPriority() {
        let plain = Self.customer + Self.udp
        #expect(LiteralFrames.ends(plain, ["actions=push_pbb:0x88e7,2"]) == [LiteralFrames.sent(2, Self.customer + "88e7 00000000 " + plain)])
        let vlan = Self.customer + "8100 6064 " + Self.udp
        #expect(
            LiteralFrames.ends(vlan, ["actions=push_pbb:0x88e7,set_field:7->pbb_isid,2"]) == [
                LiteralFrames.sent(2, Self.customer + "88e7 60000007 " + vlan)
            ])
        let twice = LiteralFrames.ends(
            plain, ["actions=push_pbb:0x88e7,set_field:7->pbb_isid,mod_dl_dst:02:00:00:00:00:09,push_pbb:0x88e7,2"])
        let once = "020000000009 020000000003 88e7 00000007 " + plain
        #expect(twice == [LiteralFrames.sent(2, "020000000009 020000000003 88e7 00000007 " + once)])
    }

    @Test func whatWasSetBeforeAPushIsInsideAndWhatIsPushedAfterIsOutside() {
        let frame = Self.customer + Self.udp
        let flows = ["ip,actions=push_vlan:0x8100,set_field:4101->vlan_vid,push_pbb:0x88e7,push_vlan:0x88a8,set_field:4106->vlan_vid,2"]
        #expect(
            LiteralFrames.ends(frame, flows) == [
                LiteralFrames.sent(2, Self.customer + "88a8 000a 88e7 00000000 " + Self.customer + "8100 0005 " + Self.udp)
            ])
    }

    @Test func aPoppedHeaderUncoversTheCustomersFrameForTheNextTable() {
        let inner = Self.customer + "88a8 000a 8100 6064 " + Self.udp
        let flows = [
            "table=0,dl_type=0x88e7,actions=pop_pbb,goto_table:1",
            "table=1,udp,nw_dst=192.168.20.20,tp_dst=2222,dl_vlan=10,dl_dst=02:00:00:00:00:04,actions=dec_ttl,2",
        ]
        let ends = LiteralFrames.ends(Self.outer + "88e7 00000064 " + inner, flows)
        #expect(ends == [LiteralFrames.sent(2, inner.replacing("40119b60", with: "3f119c60"))])
    }

    @Test func aBackboneVLANStaysWhenTheHeaderBehindItIsPopped() {
        #expect(
            LiteralFrames.ends(Self.tagged, ["dl_type=0x88e7,actions=pop_pbb,2"]) == [
                LiteralFrames.sent(2, Self.customer + "88a8 000a " + Self.udp)
            ])
        #expect(
            LiteralFrames.ends(Self.tagged, ["dl_vlan=10,dl_type=0x88e7,actions=pop_vlan,pop_pbb,2"]) == [
                LiteralFrames.sent(2, Self.customer + Self.udp)
            ])
        let twoTags = Self.outer + "88a8 000a 8100 000b 88e7 00000064 " + Self.customer + Self.udp
        #expect(
            LiteralFrames.ends(twoTags, ["dl_type=0x88e7,actions=pop_pbb,2"]) == [
                LiteralFrames.sent(2, Self.customer + "88a8 000a 8100 000b " + Self.udp)
            ])
    }

    @Test func aCopyThatPopsLeavesThePacketAsItWas() {
        let frame = Self.outer + "88e7 00000064 " + Self.customer + Self.udp
        #expect(
            LiteralFrames.ends(frame, ["dl_type=0x88e7,actions=clone(pop_pbb,2),3"]) == [
                LiteralFrames.sent(2, Self.customer + Self.udp), LiteralFrames.sent(3, frame),
            ])
    }

    @Test func theActionSetPopsBeforeItPushes() {
        let frame = Self.outer + "88e7 00000064 " + Self.customer + Self.udp
        #expect(
            LiteralFrames.ends(frame, ["dl_type=0x88e7,actions=write_actions(output:2,push_vlan:0x8100,push_pbb:0x88e7,pop_pbb)"]) == [
                LiteralFrames.sent(2, Self.customer + "8100 0000 88e7 00000000 " + Self.customer + Self.udp)
            ])
    }

    @Test func moreHeadersThanAPacketMayBeParsedAnewEndIt() {
        let most = Limits().recirculations
        let pushes = repeatElement("push_pbb:0x88e7", count: most).joined(separator: ",")
        let plain = Self.customer + Self.udp
        let headers = String(repeating: Self.customer + "88e7 00000000 ", count: most)
        #expect(LiteralFrames.ends(plain, ["actions=\(pushes),2"]) == [LiteralFrames.sent(2, headers + plain)])
        #expect(LiteralFrames.ends(plain, ["actions=\(pushes),push_pbb:0x88e7,2"]) == [.dropped(.recirculationDepth)])
    }
}
