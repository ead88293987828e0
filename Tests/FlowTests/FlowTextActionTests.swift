import Testing

@testable import Flow

@Suite struct FlowTextActionTests {
    private static let reg0 = Subfield(.register(0))

    static let spellings: [(String, [Action])] = [
        ("2", [.output(port: 2)]),
        ("output:2", [.output(port: 2)]),
        ("output=2", [.output(port: 2)]),
        ("output(2)", [.output(port: 2)]),
        ("LOCAL", [.output(port: ReservedPort.local)]),
        ("normal", [.output(port: ReservedPort.normal)]),
        ("FLOOD,all,in_port,table", [ReservedPort.flood, ReservedPort.all, ReservedPort.inPort, ReservedPort.table].map { .output(port: $0) }),
        ("output:DISPATCH", [.output(port: ReservedPort.dispatch)]),
        ("output(port=1,max_len=64)", [.output(port: 1, maxLength: 64)]),
        ("output:NXM_NX_REG0[0..15]", [.outputSubfield(Subfield(.register(0), offset: 0, count: 16))]),
        ("output:reg0[]", [.outputSubfield(reg0)]),
        ("output:in_port", [.output(port: ReservedPort.inPort)]),
        ("controller", [.controller(.init())]),
        ("output:controller", [.controller(.init())]),
        (
            "CONTROLLER:128",
            [
                .controller(
                    {
                        var c = Action.Controller(); c.maxLength = 128; return c
                    }())
            ]
        ),
        (
            "controller(max_len=5,reason=no_match,id=3,userdata=01.ff,pause,meter_id=9)",
            [
                .controller(
                    {
                        var c = Action.Controller()
                        (c.maxLength, c.reason, c.controllerID, c.userdata, c.pause, c.meter) = (5, "no_match", 3, [1, 255], true, 9)
                        return c
                    }())
            ]
        ),
        ("drop", []),
        ("", []),
        ("resubmit:3", [.resubmit(inPort: 3, table: nil)]),
        ("resubmit(3,4)", [.resubmit(inPort: 3, table: 4)]),
        ("resubmit(,4)", [.resubmit(inPort: nil, table: 4)]),
        ("resubmit(3,)", [.resubmit(inPort: 3, table: nil)]),
        ("resubmit(IN_PORT,4)", [.resubmit(inPort: nil, table: 4)]),
        ("resubmit(DISPATCH,0)", [.resubmit(inPort: ReservedPort.dispatch, table: 0)]),
        ("goto_table:4", [.gotoTable(4)]),
        (
            "clear_actions,write_actions(output:1,group:2),write_metadata:5/0xff,goto_table:9",
            [.clearActions, .writeActions([.output(port: 1), .group(2)]), .writeMetadata(value: 5, mask: 0xff), .gotoTable(9)]
        ),
        ("write_metadata:0x10", [.writeMetadata(value: 16, mask: .max)]),
        ("meter:3,output:1", [.meter(3), .output(port: 1)]),
        ("load:0x5->NXM_NX_REG0[4..7]", [.load(FieldValue(low: 5), Subfield(.register(0), offset: 4, count: 4))]),
        (
            "load:0x1234567890abcdef1234->NXM_NX_XXREG0[0..79]",
            [.load(FieldValue(high: 0x1234, low: 0x5678_90ab_cdef_1234), Subfield(.xxreg0, offset: 0, count: 80))]
        ),
        (
            "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
            [.move(from: Subfield(.inPort, offset: 0, count: 16), to: Subfield(.register(0), offset: 0, count: 16))]
        ),
        ("set_field:7->reg0", [.setField(.register(0), FieldValue(low: 7), mask: .ones(32))]),
        ("set_field:0x5/0xf->reg0", [.setField(.register(0), FieldValue(low: 5), mask: FieldValue(low: 15))]),
        ("set_field:0x5->reg0[4..7]", [.setField(.register(0), FieldValue(low: 0x50), mask: FieldValue(low: 0xf0))]),
        ("set_field:00:11:22:33:44:55->eth_src", [.setField(.ethSrc, FieldValue(low: 0x0011_2233_4455), mask: .ones(48))]),
        ("push:NXM_NX_REG0[],pop:NXM_NX_REG1[]", [.push(reg0), .pop(Subfield(.register(1)))]),
        ("mod_dl_src:00:11:22:33:44:55,mod_dl_dst:ff:ff:ff:ff:ff:ff", [.setEthSrc(0x0011_2233_4455), .setEthDst(0xffff_ffff_ffff)]),
        ("mod_vlan_vid:5,mod_vlan_pcp:3,strip_vlan,pop_vlan", [.setVLANID(5), .setVLANPCP(3), .stripVLAN, .stripVLAN]),
        ("push_vlan:0x8100,push_vlan:0x88a8", [.pushVLAN(etherType: 0x8100), .pushVLAN(etherType: 0x88a8)]),
        (
            "push_mpls:0x8847,set_mpls_label:5,set_mpls_tc:1,set_mpls_ttl:3,dec_mpls_ttl,pop_mpls:0x0800",
            [.pushMPLS(etherType: 0x8847), .setMPLSLabel(5), .setMPLSTC(1), .setMPLSTTL(3), .decMPLSTTL, .popMPLS(etherType: 0x0800)]
        ),
        (
            "push_mpls:0x8847,copy_ttl_out,copy_ttl_in,push_pbb:0x88e7,set_field:5->pbb_isid,pop_pbb",
            [
                .pushMPLS(etherType: 0x8847), .copyTTLOut, .copyTTLIn, .pushPBB(etherType: 0x88e7),
                .setField(.pbbISID, FieldValue(low: 5), mask: .ones(24)), .popPBB,
            ]
        ),
        (
            "mod_nw_src:1.2.3.4,mod_nw_dst:4.3.2.1,mod_nw_tos:4,mod_nw_ecn:1,mod_nw_ttl:9,set_nw_ttl:8",
            [.setIPv4Src(0x0102_0304), .setIPv4Dst(0x0403_0201), .setTOS(4), .setECN(1), .setTTL(9), .setTTL(8)]
        ),
        (
            "mod_tp_src:1,mod_tp_dst:2,dec_ttl,dec_ttl(1,2)",
            [.setTransportSrc(1), .setTransportDst(2), .decTTL(), .decTTL(controllers: [1, 2])]
        ),
        ("set_tunnel:5,set_tunnel64:0x123456789a", [.setTunnelID(5), .setTunnelID(0x12_3456_789a)]),
        (
            "set_queue:4,pop_queue,enqueue:1:2,enqueue(1,2),enqueue:LOCAL:3",
            [.setQueue(4), .popQueue, .enqueue(port: 1, queue: 2), .enqueue(port: 1, queue: 2), .enqueue(port: ReservedPort.local, queue: 3)]
        ),
        ("group:9", [.group(9)]),
        ("note:00.1a.ff,note:0102", [.note([0, 0x1a, 0xff]), .note([1, 2])]),
        (
            "clone(output:1,clone(set_field:1->reg0)),2",
            [.clone([.output(port: 1), .clone([.setField(.register(0), FieldValue(low: 1), mask: .ones(32))])]), .output(port: 2)]
        ),
        ("clone(drop)", [.clone([])]),
        (
            "multipath(symmetric_l3l4+udp, 7, hrw, 4, 0, NXM_NX_REG0[0..1])",
            [
                .multipath(
                    fields: .symmetricL3L4UDP, basis: 7, algorithm: .hrw, links: 4, argument: 0, to: Subfield(.register(0), offset: 0, count: 2))
            ]
        ),
        (
            "bundle(eth_src,0,active_backup,ofport,slaves:1,2)",
            [.bundle(fields: .ethSrc, basis: 0, algorithm: .activeBackup, members: [1, 2], to: nil)]
        ),
        (
            "bundle_load(nw_dst,5,hrw,ofport,NXM_NX_REG0[],members:[1,2,LOCAL])",
            [.bundle(fields: .nwDst, basis: 5, algorithm: .hrw, members: [1, 2, ReservedPort.local], to: reg0)]
        ),
        ("check_pkt_larger(1500)->NXM_NX_REG0[0]", [.checkPacketLarger(length: 1500, to: Subfield(.register(0), offset: 0, count: 1))]),
        (
            "conjunction(7, 1/2),conjunction(8,2/2),note:01",
            [.conjunction(id: 7, clause: 1, of: 2), .conjunction(id: 8, clause: 2, of: 2), .note([1])]
        ),
        ("fin_timeout(idle_timeout=5,hard_timeout=6),exit", [.finTimeout(idle: 5, hard: 6), .exit]),
    ]

    @Test(arguments: spellings.indices) func everySpellingOfAnActionIsRead(_ i: Int) throws {
        let (text, actions) = Self.spellings[i]
        #expect(try entry("table=3,tcp,actions=\(text)").actions == actions, "\(text)")
    }

    @Test(arguments: spellings.indices) func everyActionIsReadBackFromItsText(_ i: Int) throws {
        let actions = Self.spellings[i].1
        let text = FlowText.text(actions)
        #expect(try entry("table=3,tcp,actions=\(text)").actions == actions, "\(text)")
    }

    @Test func learnIsReadInAllItsForms() throws {
        var l = Learn()
        (l.table, l.priority, l.cookie, l.idleTimeout, l.hardTimeout) = (2, 5, 0x1f, 10, 20)
        (l.finIdleTimeout, l.finHardTimeout, l.sendFlowRemoved, l.deleteLearned, l.limit) = (1, 2, true, true, 100)
        l.resultDestination = Subfield(.register(0), offset: 3, count: 1)
        let vid = Subfield(.vlanTCI, offset: 0, count: 12)
        l.specs = [
            LearnSpec(source: .subfield(vid), destination: .match(vid)),
            LearnSpec(source: .subfield(Subfield(.ethSrc)), destination: .match(Subfield(.ethDst))),
            LearnSpec(source: .immediate(FieldValue(low: 0x0800)), destination: .match(Subfield(.ethType))),
            LearnSpec(source: .immediate(FieldValue(low: 6)), destination: .match(Subfield(.ipProto))),
            LearnSpec(source: .subfield(Subfield(.tcpDst)), destination: .match(Subfield(.tcpSrc))),
            LearnSpec(source: .immediate(FieldValue(low: 5)), destination: .match(Subfield(.register(1), offset: 4, count: 4))),
            LearnSpec(source: .immediate(FieldValue(low: 7)), destination: .load(Subfield(.register(2), offset: 0, count: 8))),
            LearnSpec(source: .subfield(Subfield(.ethSrc)), destination: .load(Subfield(.ethDst))),
            LearnSpec(source: .subfield(Subfield(.inPort, offset: 0, count: 16)), destination: .output),
        ]
        let text =
            "learn(table=2,priority=5,cookie=0x1f,idle_timeout=10,hard_timeout=20,fin_idle_timeout=1,fin_hard_timeout=2,send_flow_rem,delete_learned,"
            + "limit=100,result_dst=NXM_NX_REG0[3],NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],eth_type=0x800,nw_proto=6,"
            + "NXM_OF_TCP_SRC[]=NXM_OF_TCP_DST[],reg1[4..7]=5,load:7->NXM_NX_REG2[0..7],load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],output:NXM_OF_IN_PORT[])"
        let e = try entry("tcp,actions=\(text)")
        #expect(e.actions == [.learn(l)])
        #expect(try entry("tcp,actions=\(FlowText.text(e.actions))").actions == e.actions)
    }

    @Test(arguments: [
        ("output:1,meter:2", "Instructions stand in the order"), ("goto_table:4,output:1", "Instructions stand in the order"),
        ("write_metadata:1,write_metadata:2", "only once"), ("clone(goto_table:5)", "only in the list of an entry"),
        ("write_actions(meter:1)", "only in the list of an entry"), ("drop,output:1", "drop stands alone"),
        ("conjunction(1,1/2),output:1", "Beside conjunction"), ("conjunction(1,3/2)", "Clauses are numbered"),
        ("conjunction(1,1/65)", "2 to 64"), ("goto_table:3", "later table"), ("goto_table:2", "later table"), ("goto_table:255", "0 to 254"),
        ("load:1->NXM_OF_ETH_TYPE[]", "cannot be written"), ("load:16->NXM_NX_REG0[0..3]", "does not fit"),
        ("move:NXM_NX_REG0[]->NXM_NX_REG1[0..15]", "32 bits, the destination 16"), ("load:1->NXM_NX_REG0[32]", "has 32 bits"),
        ("set_field:1->tcp_src", "exists only in some packets"), ("set_field:1.2.3.4->arp_spa", "exists only in some packets"),
        ("push_mpls:0x8847,set_field:1.2.3.4->ip_src", "exists only in some packets"), ("set_field:0x1005->vlan_vid", "only in tagged packets"),
        ("push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100", "at most two"), ("push_vlan:0x0800", "0x8100 or 0x88a8"),
        ("push_vlan:0x8100,mod_tp_src:5", "needs a match"), ("output:70000", "not a port"), ("output:ANY", "cannot be sent"),
        ("output:65290", "cannot be sent"), ("output(port=1)", "with both"), ("output(port=1,max_len=13)", "at least 14"),
        ("resubmit:in_port", "port or a table"), ("resubmit(,1,ct)", "Connection tracking"), ("ct(commit)", "not supported"),
        ("nat", "not supported"), ("ct_clear", "not supported"), ("dec_nsh_ttl", "not supported"), ("encap(nsh)", "not supported"),
        ("sample(probability=1)", "not supported"), ("outptu:1", "not an action"), ("load:1>reg0", "load:VALUE->FIELD"),
        ("clone(1", "never closed"), ("mod_nw_tos:5", "multiple of 4"), ("note:1", "pairs of hexadecimal"), ("group:4294967295", "numbered"),
        ("meter:0", "numbered"), ("learn(tabel=1)", "neither an argument of learn"), ("learn(NXM_OF_TCP_DST[]=80)", "exists only"),
        ("multipath(eth_src,0,hrw,5,0,NXM_NX_REG0[0..1])", "cannot hold"), ("check_pkt_larger(5)->NXM_NX_REG0[]", "one bit"),
        ("set_field:1/1->mpls_label", "cannot be masked"), ("apply_actions(1)", "apply_actions"), ("bundle(eth_src,0,hrw,ofport)", "written bundle"),
    ])
    func whatOpenFlowForbidsIsAnError(_ text: String, _ fragment: String) {
        let error = firstError("table=3,actions=\(text)")
        #expect(error?.message.contains(fragment) == true, "\(text): \(error?.description ?? "accepted")")
    }

    @Test func aKnownActionTextIsJudgedAnewForEachContext() {
        let parsed = FlowText.parse(
            """
            table=1,tcp,actions=set_field:5->tcp_src,goto_table:2
            table=1,udp,actions=set_field:5->tcp_src,goto_table:2
            table=2,tcp,actions=set_field:5->tcp_src,goto_table:2
            table=1,tcp,actions=set_field:5->tcp_src,goto_table:2
            table=0,tcp,actions=set_field:5->tcp_src,goto_table:2
            """)
        #expect(parsed.errors.map(\.line) == [2, 3])
        #expect(parsed.lines == [1, 4, 5])
    }

    @Test func missingGroupsAndMetersAreWarnedOf() {
        let parsed = FlowText.parse("actions=group:1\nactions=meter:5,group:2\ngroup add group_id=2,type=all,bucket=1")
        #expect(parsed.errors.isEmpty)
        #expect(parsed.warnings.map { "\($0.line):\($0.column) \($0.token)" } == ["1:15 1", "2:15 5"])
    }
}
