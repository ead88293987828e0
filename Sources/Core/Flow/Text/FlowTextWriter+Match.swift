// A match as text, in the order and spelling of `ovs-ofctl dump-flows`.
extension FlowTextWriter {
    /// Appends `priority=…` unless it is the default, then the fields; nothing for a match of everything at the default priority.
    mutating func match(_ match: Match, priority: UInt16? = nil) {
        let start = bytes.count
        if let priority, priority != FlowEntry.defaultPriority {
            put("priority=")
            decimal(priority)
            byte(0x2c)
        }
        let m = MatchView(match)
        for f in [Field.packetMark, .conjunctionID, .skbPriority, .actsetOutput] { field(f, m) }
        let type = UInt16(truncatingIfNeeded: m.value(FlowKeyLayout.ethDstType))
        let hasType = m.mask(FlowKeyLayout.ethDstType) & 0xffff == 0xffff
        let proto = UInt8(truncatingIfNeeded: m.value(FlowKeyLayout.transport) >> 24)
        let hasProto = m.mask(FlowKeyLayout.transport) & 0xff00_0000 == 0xff00_0000
        let isARP = hasType && (type == 0x0806 || type == 0x8035)
        let (writesType, writesProto) = keyword(hasType ? type : 0, hasType, hasProto ? proto : nil)
        for n in 0..<16 { field(.register(n), m) }
        tunnel(m)
        field(.metadata, m)
        field(.inPort, m)
        vlan("", mask: m.mask(FlowKeyLayout.ethSrcVLAN) & 0xffff, value: m.value(FlowKeyLayout.ethSrcVLAN) & 0xffff)
        let innerMask = m.mask(FlowKeyLayout.inPortFlags) & 0xffff
        if innerMask != 0 { tci("vlan_tci1", mask: innerMask, value: m.value(FlowKeyLayout.inPortFlags) & 0xffff) }
        field(.ethSrc, "dl_src", m)
        field(.ethDst, "dl_dst", m)
        if writesType { field(.ethType, "dl_type", m) }
        if hasType, type == 0x86dd {
            field(.ipv6Src, m)
            field(.ipv6Dst, m)
            let (v, mask) = m[.ipv6Label]
            if mask.low != 0 {
                put("ipv6_label=")
                hex(v.low, digits: 5)
                if mask.low != 0xfffff {
                    byte(0x2f)
                    hex(mask.low, digits: 5)
                }
                byte(0x2c)
            }
            field(.ipv6ExtensionHeaders, m)
        } else if hasType, type == 0x88e7 {
            field(.pbbISID, m)
            field(.pbbUCA, m)
        } else if isARP {
            field(.arpSPA, m)
            field(.arpTPA, m)
        } else {
            field(.ipv4Src, m)
            field(.ipv4Dst, m)
        }
        if isARP {
            if hasProto {
                put("arp_op=")
                decimal(proto)
                byte(0x2c)
            }
            field(.arpSHA, m)
            field(.arpTHA, m)
        } else if writesProto {
            field(.ipProto, m)
        }
        // The order of ovs-ofctl: TOS, ECN, TTL, MPLS, fragment, ports.
        let tos = m[.ipTOS]
        if tos.mask.low & 0xfc != 0 {
            put("nw_tos=")
            decimal(tos.value.low & 0xfc)
            byte(0x2c)
        }
        field(.ipECN, m)
        field(.ipTTL, m)
        for f in [Field.mplsLabel, .mplsTC, .mplsTTL, .mplsBOS] { field(f, m) }
        let frag = m[.ipFrag]
        if frag.mask.low != 0 {
            put("nw_frag=")
            fragment(frag.value.low, mask: frag.mask.low)
            byte(0x2c)
        }
        transport(m, type: hasType ? type : 0, proto: hasProto ? proto : 0)
        if bytes.count > start { dropComma() }
    }

    private mutating func field(_ f: Field, _ m: MatchView) { field(f, f.info.name, m) }

    private mutating func field(_ f: Field, _ name: String, _ m: MatchView) {
        let (v, mask) = m[f]
        if mask.isZero { return }
        put(name)
        byte(0x3d)
        if f.info.format == .decimal, mask != .ones(f.info.bits) {
            hex(v.low, digits: 1)
            byte(0x2f)
            hex(mask)
        } else if f == .ethType {
            hex(v.low, digits: 4)
        } else {
            value(f, v, mask: mask)
        }
        byte(0x2c)
    }

    /// Appends the protocol keyword, if there is one; returns whether type and protocol are still to be written.
    private mutating func keyword(_ type: UInt16, _ hasType: Bool, _ proto: UInt8?) -> (type: Bool, proto: Bool) {
        guard hasType else { return (true, true) }
        switch type {
        case 0x0800:
            switch proto {
            case 1: put("icmp,")
            case 6: put("tcp,")
            case 17: put("udp,")
            case 132: put("sctp,")
            default:
                put("ip,")
                return (false, true)
            }
            return (false, false)
        case 0x86dd:
            switch proto {
            case 58: put("icmp6,")
            case 6: put("tcp6,")
            case 17: put("udp6,")
            case 132: put("sctp6,")
            default:
                put("ipv6,")
                return (false, true)
            }
            return (false, false)
        case 0x0806: put("arp,")
        case 0x8035: put("rarp,")
        case 0x8847: put("mpls,")
        case 0x8848: put("mplsm,")
        default: return (true, true)
        }
        return (false, true)
    }

    private mutating func tunnel(_ m: MatchView) {
        for f in [
            Field.tunnelID, .tunnelSrc, .tunnelDst, .tunnelIPv6Src, .tunnelIPv6Dst, .tunnelGBPID, .tunnelGBPFlags, .tunnelTOS, .tunnelTTL,
            .tunnelFlags,
        ] {
            if f == .tunnelFlags, m[f].mask.low != 0 {
                // One of several flags of which only this one can be matched, so it is written with its sign.
                put(m[f].value.low != 0 ? "tun_flags=+oam," : "tun_flags=-oam,")
            } else {
                field(f, m)
            }
        }
        for n in 0..<16 { field(Field(rawValue: Field.tunnelMetadata0.rawValue + UInt8(n))!, m) }
    }

    private mutating func vlan(_ suffix: StaticString, mask: UInt64, value: UInt64) {
        if mask == 0 { return }
        let vid = mask & 0x0fff
        let pcp = mask & 0xe000
        if mask & value & 0x1000 != 0, vid == 0 || vid == 0x0fff, pcp == 0 || pcp == 0xe000, vid != 0 || pcp != 0 {
            if vid != 0 {
                put("dl_vlan=")
                decimal(value & 0x0fff)
                byte(0x2c)
            }
            if pcp != 0 {
                put("dl_vlan_pcp=")
                decimal(value >> 13)
                byte(0x2c)
            }
        } else {
            tci("vlan_tci", mask: mask, value: value)
        }
    }

    private mutating func tci(_ name: StaticString, mask: UInt64, value: UInt64) {
        put(name)
        byte(0x3d)
        hex(value, digits: 4)
        if mask != 0xffff {
            byte(0x2f)
            hex(mask, digits: 4)
        }
        byte(0x2c)
    }

    private mutating func transport(_ m: MatchView, type: UInt16, proto: UInt8) {
        let isICMP = type == 0x0800 && proto == 1
        let isICMPv6 = type == 0x86dd && proto == 58
        let mask = m.mask(FlowKeyLayout.transport)
        let value = m.value(FlowKeyLayout.transport)
        let isARP = type == 0x0806 || type == 0x8035
        port(isICMP || isICMPv6 ? "icmp_type" : "tp_src", value >> 48, mask >> 48, bits: isICMP || isICMPv6 ? 8 : 16)
        if !isARP {
            port(isICMP || isICMPv6 ? "icmp_code" : "tp_dst", value >> 32 & 0xffff, mask >> 32 & 0xffff, bits: isICMP || isICMPv6 ? 8 : 16)
        }
        if isICMPv6 {
            for f in [Field.ndTarget, .ndSLL, .ndTLL, .ndReserved, .ndOptionsType] { field(f, m) }
        }
        if type == 0x0800 || type == 0x86dd, proto == 6 { field(.tcpFlags, m) }
    }

    private mutating func port(_ name: StaticString, _ value: UInt64, _ mask: UInt64, bits: Int) {
        if mask == 0 { return }
        put(name)
        byte(0x3d)
        if mask == (1 << UInt64(bits)) - 1 || mask == 0xffff {
            decimal(value)
        } else {
            hex(value, digits: 1)
            byte(0x2f)
            hex(mask)
        }
        byte(0x2c)
    }
}

/// A match spread out to one value and mask per word.
private struct MatchView {
    private var values = InlineArray<52, UInt64>(repeating: 0)
    private var masks = InlineArray<52, UInt64>(repeating: 0)

    init(_ match: Match) {
        for w in match.words {
            values[w.index] = w.value
            masks[w.index] = w.mask
        }
    }

    func value(_ word: Int) -> UInt64 { values[word] }
    func mask(_ word: Int) -> UInt64 { masks[word] }

    subscript(field: Field) -> (value: FieldValue, mask: FieldValue) {
        let i = field.info
        let shift = UInt64(i.shift)
        return (
            FieldValue(high: i.bits > 64 ? values[i.word] : 0, low: values[i.lowWord] >> shift & i.lowMask),
            FieldValue(high: i.bits > 64 ? masks[i.word] : 0, low: masks[i.lowWord] >> shift & i.lowMask)
        )
    }
}

extension FlowText {
    /// The fields of a match between commas, with `priority=…` before them when one is given that is not the default.
    public static func text(_ match: Match, priority: UInt16? = nil) -> String { written { $0.match(match, priority: priority) } }
}
