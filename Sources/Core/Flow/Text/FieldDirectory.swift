/// What the reader and writer of flow text know of a field beyond `FieldInfo`: plain numbers, so that looking one up retains nothing.
struct FieldShape: Sendable {
    /// Fields whose match text means more than "these bits have this value".
    enum Special: UInt8, Sendable {
        case none
        /// Also requires a tag to be present; `dl_vlan=0xffff` requires that there is none.
        case vlanID, vlanPCP
        /// Only the upper six bits are matched.
        case tos
        /// 16 bits in text, of which the low eight are matched until the EtherType is known to be ARP's.
        case arpOp
        /// Eight bits in text that stand in a 16-bit port.
        case icmp
    }

    let field: Field
    let word: UInt8
    let lowWord: UInt8
    let shift: UInt8
    let bits: UInt8
    let format: FieldInfo.Format
    let isMaskable: Bool
    let isWritable: Bool
    let prerequisite: FieldInfo.Prerequisite
    let special: Special

    init(_ field: Field) {
        let info = field.info
        self.field = field
        word = UInt8(info.word)
        lowWord = UInt8(info.lowWord)
        shift = UInt8(info.shift)
        bits = UInt8(info.bits)
        format = info.format
        isMaskable = info.isMaskable
        isWritable = info.isWritable
        prerequisite = info.prerequisite
        special =
            switch field {
            case .dlVLAN: .vlanID
            case .vlanPCP, .dlVLANPCP: .vlanPCP
            case .ipTOS: .tos
            case .arpOp: .arpOp
            case .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code: .icmp
            default: .none
            }
    }

    static let table: [FieldShape] = Field.allCases.map { FieldShape($0) }
}

/// A name in a match: a field, a protocol keyword, an attribute of the entry.
enum FlowWord: UInt16 {
    /// Codes from here on are a field's raw value plus this.
    static let fieldBase: UInt16 = 1000
    /// `in_port` and `NXM_OF_IN_PORT`: the field of 32 bits seen as OpenFlow 1.0's 16.
    static let port16: UInt16 = 900
    /// Codes from here on are an index into `FieldDirectory.protocols`.
    static let protocolBase: UInt16 = 800

    case table = 1, priority, cookie, idleTimeout, hardTimeout, importance, outPort, outGroup
    case sendFlowRemoved, checkOverlap, resetCounts, noPacketCounts, noByteCounts
    /// Read and ignored.
    case ignoredWord, ignoredStatistic
    case actions
    case unsupported
}

/// The names of fields, protocols and entry attributes (ovs-fields(7), ovs-ofctl(8) "Flow Syntax").
enum FieldDirectory {
    struct ProtocolKeyword: Sendable {
        let name: String
        let etherType: UInt16
        let number: UInt8
    }

    static let protocols: [ProtocolKeyword] = [
        .init(name: "ip", etherType: 0x0800, number: 0), .init(name: "ipv4", etherType: 0x0800, number: 0),
        .init(name: "ip4", etherType: 0x0800, number: 0), .init(name: "arp", etherType: 0x0806, number: 0),
        .init(name: "icmp", etherType: 0x0800, number: 1), .init(name: "tcp", etherType: 0x0800, number: 6),
        .init(name: "udp", etherType: 0x0800, number: 17), .init(name: "sctp", etherType: 0x0800, number: 132),
        .init(name: "ipv6", etherType: 0x86dd, number: 0), .init(name: "ip6", etherType: 0x86dd, number: 0),
        .init(name: "icmp6", etherType: 0x86dd, number: 58), .init(name: "tcp6", etherType: 0x86dd, number: 6),
        .init(name: "udp6", etherType: 0x86dd, number: 17), .init(name: "sctp6", etherType: 0x86dd, number: 132),
        .init(name: "rarp", etherType: 0x8035, number: 0), .init(name: "mpls", etherType: 0x8847, number: 0),
        .init(name: "mplsm", etherType: 0x8848, number: 0),
    ]

    /// Fields of ovs-fields(7) that Weft's flow key does not hold.
    static let unsupportedFields: [String] =
        [
            "ct_state", "ct_zone", "ct_mark", "ct_label", "ct_nw_proto", "ct_nw_src", "ct_nw_dst", "ct_ipv6_src", "ct_ipv6_dst", "ct_tp_src",
            "ct_tp_dst", "nsh_flags", "nsh_mdtype", "nsh_np", "nsh_spi", "nsp", "nsh_si", "nsi", "nsh_c1", "nshc1", "nsh_c2", "nshc2", "nsh_c3",
            "nshc3", "nsh_c4", "nshc4", "nsh_ttl", "packet_type", "dp_hash", "recirc_id", "tun_erspan_idx", "tun_erspan_ver", "tun_erspan_dir",
            "tun_erspan_hwid", "tun_gtpu_flags", "tun_gtpu_msgtype", "NXM_NX_CT_STATE", "NXM_NX_CT_ZONE", "NXM_NX_CT_MARK", "NXM_NX_CT_LABEL",
            "NXM_NX_DP_HASH", "NXM_NX_RECIRC_ID", "OXM_OF_PACKET_TYPE", "NXM_NX_CT_NW_PROTO", "NXM_NX_CT_NW_SRC", "NXM_NX_CT_NW_DST",
            "NXM_NX_CT_IPV6_SRC", "NXM_NX_CT_IPV6_DST", "NXM_NX_CT_TP_SRC", "NXM_NX_CT_TP_DST", "NXOXM_NSH_FLAGS", "NXOXM_NSH_MDTYPE",
            "NXOXM_NSH_NP", "NXOXM_NSH_SPI", "NXOXM_NSH_SI", "NXOXM_NSH_C1", "NXOXM_NSH_C2", "NXOXM_NSH_C3", "NXOXM_NSH_C4", "NXOXM_NSH_TTL",
            "NXOXM_ET_DP_HASH", "NXOXM_ET_ERSPAN_IDX", "NXOXM_ET_ERSPAN_VER", "NXOXM_ET_ERSPAN_DIR", "NXOXM_ET_ERSPAN_HWID",
            "NXOXM_ET_GTPU_FLAGS", "NXOXM_ET_GTPU_MSGTYPE",
        ] + (16..<64).flatMap { ["tun_metadata\($0)", "NXM_NX_TUN_METADATA\($0)"] }

    static let names: NameTable = {
        var entries: [(name: String, code: UInt16)] = []
        func add(_ name: String, _ word: FlowWord) { entries.append((name, word.rawValue)) }
        entries.append(("in_port", FlowWord.port16))
        entries.append(("NXM_OF_IN_PORT", FlowWord.port16))
        func field(_ name: String, _ f: Field) { entries.append((name, FlowWord.fieldBase + UInt16(f.rawValue))) }
        field("in_port_oxm", .inPort)
        field("tp_src", .tcpSrc)
        field("tp_dst", .tcpDst)
        field("ONFOXM_ET_TCP_FLAGS", .tcpFlags)
        field("ONFOXM_ET_ACTSET_OUTPUT", .actsetOutput)
        for f in Field.allCases {
            let info = f.info
            for n in info.names + [info.nxm, info.oxm] where !n.isEmpty { field(n, f) }
        }
        for (i, p) in protocols.enumerated() { entries.append((p.name, FlowWord.protocolBase + UInt16(i))) }
        add("table", .table)
        add("priority", .priority)
        add("cookie", .cookie)
        add("idle_timeout", .idleTimeout)
        add("hard_timeout", .hardTimeout)
        add("importance", .importance)
        add("out_port", .outPort)
        add("out_group", .outGroup)
        add("send_flow_rem", .sendFlowRemoved)
        add("check_overlap", .checkOverlap)
        add("reset_counts", .resetCounts)
        add("no_packet_counts", .noPacketCounts)
        add("no_byte_counts", .noByteCounts)
        for n in ["eth", "no_readonly_table", "allow_hidden_fields"] { add(n, .ignoredWord) }
        for n in ["duration", "n_packets", "n_bytes", "idle_age", "hard_age"] { add(n, .ignoredStatistic) }
        add("actions", .actions)
        add("action", .actions)
        for n in unsupportedFields { add(n, .unsupported) }
        return NameTable(entries)
    }()

    /// Names worth suggesting for a misspelled one.
    static let suggestions: [String] =
        names.names.filter { n in !unsupportedFields.contains(n) && n.first?.isLowercase == true && n != "action" }
    static let fieldSuggestions: [String] = names.names.filter { n in !unsupportedFields.contains(n) && names.isField(n) }

    /// The name that ovs-ofctl writes for a field in `set_field` and `learn`.
    static func canonicalName(_ field: Field) -> String {
        switch field {
        case .ipv4Src: "ip_src"
        case .ipv4Dst: "ip_dst"
        default: field.info.name
        }
    }

    /// The name that ovs-ofctl writes for a field in a subfield: NXM's, or else OXM's, or else its own.
    static func subfieldName(_ field: Field) -> String {
        let info = field.info
        return !info.nxm.isEmpty ? info.nxm : !info.oxm.isEmpty ? info.oxm : info.name
    }
}

extension NameTable {
    fileprivate func isField(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { b in
            guard let base = b.baseAddress else { return false }
            let c = code(TextSlice(base: base, start: 0, end: b.count))
            return c >= FlowWord.fieldBase || c == FlowWord.port16
        }
    }
}
