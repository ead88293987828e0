import Testing

@testable import Flow

/// The only entry of a text without errors.
func entry(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> FlowEntry {
    let parsed = FlowText.parse(text)
    #expect(parsed.errors.map(\.description) == [], sourceLocation: sourceLocation)
    guard case .flow(.add, let e, _, _, _)? = parsed.modifications.first else {
        Issue.record("no entry in \(text)", sourceLocation: sourceLocation)
        throw FlowTextDiagnostic(severity: .error, line: 0, column: 0, token: "", tokenBytes: 0, message: "no entry", suggestion: nil)
    }
    return e
}

/// The first error of a text.
func firstError(_ text: String) -> FlowTextDiagnostic? { FlowText.parse(text).errors.first }

@Suite struct FlowTextParseTests {
    @Test func aFiveTupleEntryIsReadFieldByField() throws {
        let e = try entry(
            "table=3,priority=7,cookie=0x1f,idle_timeout=10,hard_timeout=0x14,importance=2,send_flow_rem,tcp,in_port=1,nw_src=10.0.0.0/8,nw_dst=1.2.3.4,"
                + "tp_src=0x10/0xfff0,tp_dst=80,actions=output:2")
        #expect(e.table == 3)
        #expect(e.priority == 7)
        #expect(e.cookie == 31)
        #expect(e.idleTimeout == 10)
        #expect(e.hardTimeout == 20)
        #expect(e.importance == 2)
        #expect(e.flags == [.sendFlowRemoved])
        var m = Match()
        m.require(.ethType, 0x0800)
        m.require(.ipProto, 6)
        m.require(.inPort, 1)
        m.require(.ipv4Src, FieldValue(low: 0x0a00_0000), mask: FieldValue(low: 0xff00_0000))
        m.require(.ipv4Dst, 0x0102_0304)
        m.require(.tcpSrc, FieldValue(low: 0x10), mask: FieldValue(low: 0xfff0))
        m.require(.tcpDst, 80)
        #expect(e.match == m)
        #expect(e.actions == [.output(port: 2)])
    }

    @Test(arguments: [
        ("ip", 0x0800, 0), ("ipv4", 0x0800, 0), ("ip4", 0x0800, 0), ("icmp", 0x0800, 1), ("tcp", 0x0800, 6), ("udp", 0x0800, 17),
        ("sctp", 0x0800, 132), ("ipv6", 0x86dd, 0), ("ip6", 0x86dd, 0), ("icmp6", 0x86dd, 58), ("tcp6", 0x86dd, 6), ("udp6", 0x86dd, 17),
        ("sctp6", 0x86dd, 132), ("arp", 0x0806, 0), ("rarp", 0x8035, 0), ("mpls", 0x8847, 0), ("mplsm", 0x8848, 0),
    ])
    func aProtocolKeywordStandsForEtherTypeAndProtocol(_ keyword: String, _ type: UInt64, _ number: UInt64) throws {
        let m = try entry("\(keyword) actions=drop").match
        #expect(m.requirement(on: .ethType).value.low == type)
        #expect(m.requirement(on: .ethType).mask.low == 0xffff)
        if number == 0 {
            #expect(m.requirement(on: .ipProto).mask.isZero)
        } else {
            #expect(m.requirement(on: .ipProto).value.low == number)
        }
    }

    @Test(arguments: [
        ("vlan_tci=0x1000/0x1000", 0x1000, 0x1000), ("dl_vlan=0xffff", 0, 0xffff), ("dl_vlan=5", 0x1005, 0x1fff), ("dl_vlan_pcp=3", 0x7000, 0xf000),
        ("vlan_vid=0x1005", 0x1005, 0x1fff), ("vlan_vid=0x1000/0x1000", 0x1000, 0x1000), ("vlan_pcp=2,dl_vlan=7", 0x5007, 0xffff),
        ("vlan_tci=0", 0, 0xffff), ("dl_vlan=5,vlan_tci=0x2000/0xf000", 0x2000, 0xf000),
    ])
    func vlanFieldsShareTheTag(_ text: String, _ value: UInt64, _ mask: UInt64) throws {
        let r = try entry("\(text) actions=drop").match.requirement(on: .vlanTCI)
        #expect(r.value.low == value)
        #expect(r.mask.low == mask)
    }

    @Test(arguments: [
        ("tcp_flags=+syn-ack", 0x002, 0x012), ("tcp_flags=syn|ack", 0x012, 0xfff), ("tcp_flags=0x12", 0x012, 0xfff),
        ("tcp_flags=0x2/0x12", 0x002, 0x012), ("tcp_flags=+[800]", 0x800, 0x800), ("tcp_flags=0", 0, 0xfff),
    ])
    func tcpFlagsAreReadByNameAndByNumber(_ text: String, _ value: UInt64, _ mask: UInt64) throws {
        let r = try entry("tcp,\(text) actions=drop").match.requirement(on: .tcpFlags)
        #expect(r.value.low == value)
        #expect(r.mask.low == mask)
    }

    @Test(arguments: [("no", 0, 3), ("yes", 1, 1), ("first", 1, 3), ("later", 3, 3), ("not_later", 0, 2)])
    func fragmentsAreReadByName(_ text: String, _ value: UInt64, _ mask: UInt64) throws {
        let r = try entry("ip,ip_frag=\(text) actions=drop").match.requirement(on: .ipFrag)
        #expect(r.value.low == value)
        #expect(r.mask.low == mask)
    }

    @Test(arguments: [
        ("LOCAL", ReservedPort.local), ("local", ReservedPort.local), ("65534", ReservedPort.local), ("4294967294", ReservedPort.local),
        ("DISPATCH", ReservedPort.dispatch), ("65281", ReservedPort.dispatch), ("IN_PORT", ReservedPort.inPort), ("7", 7),
        ("CONTROLLER", ReservedPort.controller), ("65279", 65279),
    ])
    func portsHaveNumbersAndNames(_ text: String, _ port: UInt32) throws {
        let r = try entry("in_port=\(text) actions=drop").match.requirement(on: .inPort)
        #expect(r.value.low == UInt64(port))
        #expect(r.mask.low == 0xffff_ffff)
    }

    @Test func everyFieldNameIsAMatchKeyAndASubfield() throws {
        for f in Field.allCases {
            let info = f.info
            for name in info.names + [info.nxm, info.oxm] where !name.isEmpty {
                let parsed = FlowText.parse("\(name)=\(FlowText.valueText(f, FieldValue(low: 1))) actions=drop")
                // A TCP flag and so on are 1 in text as well.
                #expect(parsed.errors.map(\.description) == [], "\(name)")
                guard info.isWritable, info.prerequisite == .none, f != .vlanVID else { continue }
                let e = try entry("actions=load:1->\(name)[0]")
                #expect(e.actions == [.load(FieldValue(low: 1), Subfield(f, offset: 0, count: 1))], "\(name)")
            }
        }
    }

    @Test func aNameOfAnotherSizeIsNotTakenForAField() {
        for name in ["reg16", "reg", "xreg8", "xxreg4", "tun_metadata64", "nw_sr", "nw_srcc", "", "NXM_NX_REG16"] {
            #expect(firstError("\(name)=1 actions=drop") != nil, "\(name)")
        }
    }

    @Test func separatorsCommentsAndLineEndsAreFree() {
        let parsed = FlowText.parse("# head\r\n\r\n  table=1 , ip\tnw_src=1.2.3.4,,actions=1 , 2   # tail\r\n\n\tip actions=drop\r")
        #expect(parsed.errors.isEmpty)
        #expect(parsed.lines == [3, 5])
        #expect(parsed.modifications.count == 2)
        guard case .flow(_, let e, _, _, _) = parsed.modifications[0] else { return }
        #expect(e.actions == [.output(port: 1), .output(port: 2)])
    }

    @Test func commandsAreReadWithAndWithoutFlow() {
        let parsed = FlowText.parse(
            """
            add table=1,actions=drop
            flow add table=1,actions=drop
            delete ip
            flow delete table=2,cookie=5/-1,out_port=3
            delete_strict priority=3,ip
            modify table=1,ip,actions=1
            flow modify_strict cookie=7,actions=1
            """)
        #expect(parsed.errors.map(\.description) == [])
        let shapes = parsed.modifications.map { m in
            guard case .flow(let c, _, let any, let mask, let out) = m else { return "" }
            return "\(c.rawValue) \(any) \(mask == .max ? "all" : String(mask)) \(out.map(String.init) ?? "-")"
        }
        #expect(
            shapes == [
                "add false 0 -", "add false 0 -", "delete true 0 -", "delete false all 3", "delete_strict true 0 -", "modify false 0 -",
                "modify_strict true 0 -",
            ])
    }

    @Test func theOutputOfDumpFlowsIsReadable() {
        let parsed = FlowText.parse(
            """
            NXST_FLOW reply (xid=0x4):
             cookie=0x0, duration=12.3s, table=0, n_packets=5, n_bytes=490, idle_timeout=10, idle_age=3, hard_age=7, priority=5,ip actions=output:1
            OFPST_FLOW reply (OF1.5) (xid=0x2):
             cookie=0x1, duration=1s, table=1, n_packets=0, n_bytes=0, send_flow_rem actions=drop
            """)
        #expect(parsed.errors.map(\.description) == [])
        #expect(parsed.lines == [2, 4])
    }

    @Test func laterTextAboutAFieldReplacesEarlierText() throws {
        #expect(try entry("reg0=1/0xff,reg0=0x100/0xff00 actions=drop").match == entry("reg0=0x100/0xff00 actions=drop").match)
        #expect(try entry("ip,nw_src=1.2.3.4,nw_src=* actions=drop").match == entry("ip actions=drop").match)
        #expect(try entry("reg0[0..3]=5,reg0[8]=1 actions=drop").match == entry("reg0=0x105/0x10f actions=drop").match)
    }

    @Test func fieldsWithoutTheirPrerequisiteAreIgnoredWithAWarning() {
        let parsed = FlowText.parse("tp_src=5,nw_src=1.2.3.4,in_port=1 actions=drop")
        #expect(parsed.errors.isEmpty)
        #expect(parsed.warningCount == 1)
        guard case .flow(_, let e, _, _, _)? = parsed.modifications.first else { return }
        var m = Match()
        m.require(.inPort, 1)
        #expect(e.match == m)
    }

    @Test func sharedBitsTakeTheWidthOfTheFieldTheyAre() throws {
        #expect(try entry("icmp,tp_src=8 actions=drop").match == entry("icmp,icmp_type=8 actions=drop").match)
        #expect(try entry("arp,nw_proto=1,nw_src=1.2.3.4 actions=drop").match == entry("arp,arp_op=1,arp_spa=1.2.3.4 actions=drop").match)
        #expect(try entry("arp,arp_op=1 actions=drop").match.requirement(on: .arpOp).mask.low == 0xffff)
        #expect(try entry("icmp,icmp_type=8 actions=drop").match.requirement(on: .icmpType).mask.low == 0xff)
    }

    @Test func aMatchAloneGivesAKeyWithExactlyItsValues() throws {
        let (key, match) = try FlowText.parseMatch("in_port=1,tcp,nw_src=10.0.0.1,tp_dst=80,dl_vlan=5,reg1=7")
        #expect(match.accepts(key))
        #expect(key[.inPort] == 1)
        #expect(key[.ethType] == 0x0800)
        #expect(key[.ipProto] == 6)
        #expect(key[.ipv4Src] == 0x0a00_0001)
        #expect(key[.tcpDst] == 80)
        #expect(key[.vlanTCI] == 0x1005)
        #expect(key[.register(1)] == 7)
        #expect(key[.ipv4Dst] == 0)
        #expect(throws: FlowTextDiagnostic.self) { try FlowText.parseMatch("tcp_src=80") }
        #expect(throws: FlowTextDiagnostic.self) { try FlowText.parseMatch("priority=80") }
        #expect(throws: FlowTextDiagnostic.self) { try FlowText.parseMatch("ip,nwsrc=1.2.3.4") }
        #expect(try FlowText.parseMatch("").key == FlowKey())
    }
}
