import Flow

/// Which fields of a flow mean something, and how two flows differ, in the words of flow text.
enum FlowFields {
    struct Change: Encodable, Equatable {
        var field: String
        var before: String
        var after: String
    }

    /// Fields that packets of this kind have, each bit of the key once, then the metadata that every packet has.
    static func all(type: UInt16, proto: UInt8) -> [Field] {
        var fields: [Field] = [.inPort, .ethSrc, .ethDst, .ethType, .innerVLANTCI]
        switch type {
        case 0x0800: fields += [.ipv4Src, .ipv4Dst, .ipProto, .ipTOS, .ipECN, .ipTTL, .ipFrag]
        case 0x86dd: fields += [.ipv6Src, .ipv6Dst, .ipv6Label, .ipProto, .ipTOS, .ipECN, .ipTTL, .ipFrag, .ipv6ExtensionHeaders]
        case 0x0806, 0x8035: fields += [.arpOp, .arpSPA, .arpTPA, .arpSHA, .arpTHA]
        case 0x8847, 0x8848: fields += [.mplsLabel, .mplsTC, .mplsBOS, .mplsTTL]
        case 0x88e7: fields += [.pbbISID, .pbbUCA]
        default: break
        }
        if type == 0x0800 || type == 0x86dd {
            switch proto {
            case 6: fields += [.tcpSrc, .tcpDst, .tcpFlags]
            case 17: fields += [.udpSrc, .udpDst]
            case 132: fields += [.sctpSrc, .sctpDst]
            case 1 where type == 0x0800: fields += [.icmpType, .icmpCode]
            case 58 where type == 0x86dd: fields += [.icmpv6Type, .icmpv6Code, .ndTarget, .ndSLL, .ndTLL, .ndReserved, .ndOptionsType]
            default: break
            }
        }
        return fields + metadata
    }

    static let metadata: [Field] =
        [.tunnelID, .tunnelSrc, .tunnelDst, .tunnelIPv6Src, .tunnelIPv6Dst, .tunnelFlags, .tunnelTTL, .tunnelTOS, .tunnelGBPID, .tunnelGBPFlags]
        + (0..<16).map { Field(rawValue: Field.tunnelMetadata0.rawValue + UInt8($0))! } + [.metadata] + (0..<16).map(Field.register)
        + [.packetMark, .skbPriority, .conjunctionID, .actsetOutput]

    static func all(of flow: FlowKey) -> [Field] { all(type: UInt16(flow[.ethType]), proto: UInt8(flow[.ipProto])) }

    /// What `after` has that `before` had not.
    static func changes(from before: FlowKey, to after: FlowKey) -> [Change] {
        var fields = all(of: after)
        for f in all(of: before) where !fields.contains(f) { fields.append(f) }
        var out: [Change] = []
        if before[.vlanTCI] != after[.vlanTCI] { out.append(Change(field: "vlan", before: tag(before[.vlanTCI]), after: tag(after[.vlanTCI]))) }
        for f in fields {
            let (old, new) =
                f == .ipTOS ? (before.wide(f) & FieldValue(low: 0xfc), after.wide(f) & FieldValue(low: 0xfc)) : (before.wide(f), after.wide(f))
            if old == new { continue }
            if f == .innerVLANTCI {
                out.append(Change(field: "inner vlan", before: tag(old.low), after: tag(new.low)))
            } else if f == .skbPriority {
                out.append(Change(field: "queue", before: queue(old.low), after: queue(new.low)))
            } else {
                out.append(Change(field: f.info.name, before: FlowText.valueText(f, old), after: FlowText.valueText(f, new)))
            }
        }
        return out
    }

    private static func tag(_ tci: UInt64) -> String {
        tci & 0x1000 == 0 ? "none" : "\(tci & 0xfff)" + (tci >> 13 == 0 ? "" : " priority \(tci >> 13)")
    }

    private static func queue(_ n: UInt64) -> String { n == 0 ? "none" : String(n - 1) }

    struct Difference: Encodable {
        var field: String
        /// What the entry asks for, as flow text.
        var wanted: String
        /// What the packet has.
        var actual: String
    }

    /// The fields in which a flow is not what a match asks for. A wrong protocol is told alone: the fields above it then mean nothing.
    static func differences(_ match: Match, _ flow: FlowKey) -> [Difference] {
        let wantedType = match.requirement(on: .ethType)
        let type = wantedType.mask.isZero ? flow[.ethType] : wantedType.value.low
        let wantedProto = match.requirement(on: .ipProto)
        let proto = wantedProto.mask.isZero ? flow[.ipProto] : wantedProto.value.low
        var out: [Difference] = []
        let tags = match.requirement(on: .vlanTCI)
        if (flow.wide(.vlanTCI) & tags.mask) != tags.value {
            var only = Match()
            only.require(.vlanTCI, tags.value, mask: tags.mask)
            out.append(
                Difference(
                    field: "vlan", wanted: FlowText.text(only), actual: flow[.vlanTCI] & 0x1000 == 0 ? "no tag" : "vlan \(tag(flow[.vlanTCI]))"))
        }
        for f in all(type: UInt16(type), proto: UInt8(truncatingIfNeeded: proto)) {
            let (value, mask) = match.requirement(on: f)
            if mask.isZero || flow.wide(f) & mask == value { continue }
            let difference = Difference(field: f.info.name, wanted: FlowText.text(f, value, mask: mask), actual: FlowText.valueText(f, flow.wide(f)))
            if f == .ethType || f == .ipProto { return out.filter { $0.field == "in_port" } + [difference] }
            out.append(difference)
        }
        return out
    }
}
