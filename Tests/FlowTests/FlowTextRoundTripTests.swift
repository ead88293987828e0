import Testing

@testable import Flow

/// SplitMix64: the same numbers from the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

@Suite struct FlowTextRoundTripTests {
    private static let free: [Field] = [
        .inPort, .ethDst, .ethSrc, .vlanTCI, .tunnelID, .tunnelSrc, .tunnelDst, .tunnelIPv6Src, .tunnelIPv6Dst, .tunnelFlags, .tunnelGBPID,
        .tunnelMetadata0, .tunnelMetadata15, .metadata, .reg0, .reg7, .reg15, .xreg2, .xxreg3, .packetMark, .conjunctionID, .innerVLANTCI,
    ]
    private static let families: [(String, [Field])] = [
        ("", []), ("dl_type=0x1234", []),
        ("ip", [.ipv4Src, .ipv4Dst, .ipTTL, .ipDSCP, .ipECN, .ipFrag]),
        ("tcp", [.ipv4Src, .ipv4Dst, .tcpSrc, .tcpDst, .tcpFlags, .ipDSCP]),
        ("udp6", [.ipv6Src, .ipv6Dst, .ipv6Label, .udpSrc, .udpDst]),
        ("icmp", [.icmpType, .icmpCode, .ipTTL]),
        ("arp", [.arpSPA, .arpTPA, .arpSHA, .arpTHA]),
        ("icmp6,icmp_type=135,icmp_code=0", [.ndTarget, .ndSLL, .ndReserved]),
        ("icmp6,icmp_type=136,icmp_code=0", [.ndTarget, .ndTLL, .ndOptionsType]),
        ("dl_type=0x88e7", [.pbbISID, .pbbUCA]), ("sctp6", [.ipv6Src, .ipv6ExtensionHeaders]),
        ("icmp6,icmp_type=136,icmp_code=0", [.ndTLL, .ipv6ExtensionHeaders]),
        ("mpls", [.mplsLabel, .mplsTC, .mplsBOS, .mplsTTL]),
    ]

    private func value(_ bits: Int, _ g: inout SeededGenerator) -> FieldValue {
        FieldValue(high: g.next(), low: g.next()) & .ones(bits)
    }

    private func subfield(_ g: inout SeededGenerator) -> Subfield {
        let f = [Field.reg0, .reg3, .xreg1, .xxreg2, .metadata, .ethSrc, .tunnelID, .packetMark].randomElement(using: &g)!
        let count = Int.random(in: 1...f.info.bits, using: &g)
        return Subfield(f, offset: Int.random(in: 0...(f.info.bits - count), using: &g), count: count)
    }

    private func match(_ g: inout SeededGenerator) throws -> Match {
        let (base, fields) = Self.families.randomElement(using: &g)!
        var m = try FlowText.parseMatch(base).match
        for f in fields + Self.free where Int.random(in: 0..<3, using: &g) == 0 {
            let bits = f.info.bits
            if f == .ipFrag {
                m.require(f, FieldValue(low: 1), mask: FieldValue(low: 3))
            } else if f.info.isMaskable, Bool.random(using: &g) {
                m.require(f, value(bits, &g), mask: value(bits, &g))
            } else if f == .inPort {
                m.require(f, g.next() & 0xfeff)
            } else {
                m.require(f, value(bits, &g), mask: .ones(bits))
            }
        }
        return m
    }

    private func action(_ depth: Int, _ g: inout SeededGenerator) -> Action {
        let port = UInt32.random(in: 0..<0xff00, using: &g)
        switch Int.random(in: 0..<(depth < 3 ? 22 : 21), using: &g) {
        case 0: return .output(port: port)
        case 1: return .output(port: port, maxLength: UInt32.random(in: 14...9000, using: &g))
        case 2: return .outputSubfield(subfield(&g))
        case 3:
            let s = subfield(&g)
            return .load(value(s.count, &g), s)
        case 4:
            let f = [Field.reg0, .ethDst, .tunnelIPv6Src, .tunnelSrc, .metadata, .xxreg1].randomElement(using: &g)!
            let mask = Bool.random(using: &g) ? FieldValue.ones(f.info.bits) : value(f.info.bits, &g) | FieldValue(low: 1)
            return .setField(f, value(f.info.bits, &g) & mask, mask: mask)
        case 5:
            let a = subfield(&g)
            return .move(from: a, to: Subfield(.xxreg0, offset: 0, count: a.count))
        case 6: return .push(subfield(&g))
        case 7: return .pop(subfield(&g))
        case 8: return .resubmit(inPort: Bool.random(using: &g) ? port : nil, table: UInt8.random(in: 0..<255, using: &g))
        case 9: return .setEthSrc(g.next() >> 16)
        case 10: return .setVLANID(UInt16.random(in: 0..<4096, using: &g))
        case 11: return .setTunnelID(g.next())
        case 12: return .setQueue(UInt32.random(in: 0...UInt32.max, using: &g))
        case 13: return .enqueue(port: port, queue: 7)
        case 14: return .group(UInt32.random(in: 0...Group.max, using: &g))
        case 15: return .note((0..<Int.random(in: 0..<9, using: &g)).map { _ in UInt8.random(in: 0...255, using: &g) })
        case 16:
            var c = Action.Controller()
            c.maxLength = UInt16.random(in: 0...UInt16.max, using: &g)
            c.controllerID = UInt16.random(in: 0...3, using: &g)
            c.pause = Bool.random(using: &g)
            c.userdata = Bool.random(using: &g) ? [1, 2] : []
            return .controller(c)
        case 17:
            return .multipath(
                fields: HashFields.allCases.randomElement(using: &g)!, basis: 5, algorithm: MultipathAlgorithm.allCases.randomElement(using: &g)!,
                links: 16, argument: 3, to: Subfield(.reg0, offset: 8, count: 8))
        case 18:
            return .bundle(
                fields: HashFields.allCases.randomElement(using: &g)!, basis: 1, algorithm: .hrw, members: [port, ReservedPort.local],
                to: Bool.random(using: &g) ? Subfield(.reg1) : nil)
        case 19: return .checkPacketLarger(length: UInt16.random(in: 0...UInt16.max, using: &g), to: Subfield(.reg1, offset: 3, count: 1))
        case 20:
            var l = Learn()
            l.table = UInt8.random(in: 0..<255, using: &g)
            l.priority = UInt16.random(in: 0...UInt16.max, using: &g)
            l.cookie = g.next()
            l.hardTimeout = UInt16.random(in: 0...3, using: &g)
            let s = subfield(&g)
            l.specs = [
                LearnSpec(source: .subfield(s), destination: .match(s)),
                LearnSpec(source: .immediate(value(48, &g)), destination: .match(Subfield(.ethDst))),
                LearnSpec(source: .immediate(value(s.count, &g)), destination: .load(s)),
                LearnSpec(source: .immediate(FieldValue(low: 0xffff_fffe & 0xffff)), destination: .match(Subfield(.inPort, offset: 0, count: 16))),
                LearnSpec(source: .subfield(Subfield(.inPort, offset: 0, count: 16)), destination: .output),
            ]
            return .learn(l)
        default: return .clone((0..<Int.random(in: 0..<4, using: &g)).map { _ in action(depth + 1, &g) })
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func entriesAreReadBackFromTheirText(_ seed: UInt64) throws {
        var g = SeededGenerator(state: seed)
        for i in 0..<500 {
            let e = FlowEntry(
                table: UInt8.random(in: 0..<255, using: &g), priority: Bool.random(using: &g) ? 32768 : UInt16.random(in: 0...65535, using: &g),
                match: try match(&g), actions: (0..<Int.random(in: 0..<6, using: &g)).map { _ in action(0, &g) },
                cookie: Bool.random(using: &g) ? 0 : g.next(), idleTimeout: UInt16.random(in: 0...2, using: &g),
                hardTimeout: UInt16.random(in: 0...2, using: &g), importance: UInt16.random(in: 0...2, using: &g),
                flags: FlowEntry.Flags(rawValue: UInt8.random(in: 0..<32, using: &g)))
            let text = FlowText.text(e)
            let parsed = FlowText.parse(text)
            #expect(parsed.errors.isEmpty, "seed \(seed), entry \(i): \(text): \(parsed.errors.map(\.description))")
            #expect(parsed.modifications == [.flow(.add, e)], "seed \(seed), entry \(i): \(text)")
            if parsed.modifications != [.flow(.add, e)] { return }
        }
    }

    @Test func modificationsAreReadBackFromTheirText() throws {
        var g = SeededGenerator(state: 9)
        let e = FlowEntry(table: 0, priority: 5, match: try match(&g), actions: [.output(port: 1)], cookie: 7)
        var d = e
        d.actions = []
        var loose = d
        loose.priority = FlowEntry.defaultPriority
        let all: [FlowModification] = [
            .flow(.modify, e, anyTable: true), .flow(.modifyStrict, e, cookieMask: 0xff),
            .flow(.deleteStrict, d, anyTable: true, cookieMask: .max, outPort: 3), .flow(.delete, loose, cookieMask: 1),
            .addGroup(
                Group(
                    id: 1, kind: .select,
                    buckets: [.init(id: 0, actions: [.output(port: 1), .output(port: 2)]), .init(id: 7, weight: 5, actions: [])],
                    selectionMethod: "hash", selectionParameter: 3, selectionFields: [.ipv4Src, .tcpDst])),
            .modifyGroup(
                Group(id: 2, kind: .fastFailover, buckets: [.init(id: 0, weight: 0, watchPort: 1, watchGroup: 1, actions: [.output(port: 1)])])),
            .addGroup(Group(id: 3, kind: .all)), .addGroup(Group(id: 4, kind: .indirect, buckets: [.init(id: 0, weight: 0, actions: [.decTTL()])])),
            .deleteGroup(5), .deleteGroup(nil),
            .addMeter(Meter(id: 1, unit: .kbps, bands: [.drop(rate: 5, burst: 0)])),
            .modifyMeter(
                Meter(
                    id: 2, unit: .pktps, hasBurst: true, collectsStatistics: true,
                    bands: [.drop(rate: 5, burst: 6), .dscpRemark(rate: 7, burst: 8, precedence: 1)])),
            .deleteMeter(1), .deleteMeter(nil),
        ]
        for m in all {
            let text = FlowText.text(m)
            let parsed = FlowText.parse(text)
            #expect(parsed.errors.map(\.description) == [], "\(text)")
            #expect(parsed.modifications == [m], "\(text)")
        }
    }

    @Test func matchesArePrintedInTheOrderAndSpellingOfDumpFlows() throws {
        for (text, printed) in [
            (
                "nw_dst=1.2.3.0/24,tcp,in_port=LOCAL,reg3=5,dl_src=00:11:22:33:44:55,tp_dst=80",
                "tcp,reg3=0x5,in_port=LOCAL,dl_src=00:11:22:33:44:55,nw_dst=1.2.3.0/24,tp_dst=80"
            ),
            ("dl_vlan=5,dl_vlan_pcp=1", "dl_vlan=5,dl_vlan_pcp=1"), ("vlan_tci=0x1000/0x1000", "vlan_tci=0x1000/0x1000"), ("reg0=0", "reg0=0"),
            ("xreg0=0x100000002", "reg0=0x1,reg1=0x2"), ("ipv6,ipv6_src=2001:db8::/32,nw_proto=47", "ipv6,ipv6_src=2001:db8::/32,nw_proto=47"),
            ("", ""),
        ] {
            #expect(FlowText.text(try FlowText.parseMatch(text).match) == printed)
        }
        #expect(FlowText.text(Match.any, priority: 5) == "priority=5")
    }
}
