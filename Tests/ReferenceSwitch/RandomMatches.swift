import Flow

/// A kind of packet, as far as a match has to establish it before fields of that kind may be matched or written.
public enum PacketKind: CaseIterable, Sendable {
    case any, vlan, ipv4, ipv6, arp, mpls, tcp4, tcp6, udp4, udp6, sctp4, sctp6, icmp, icmpv6, solicit, advertisement

    /// Requires what makes a packet be of this kind.
    func require(_ match: inout Match) {
        switch self {
        case .any: break
        case .vlan: match.require(.vlanTCI, FieldValue(low: 0x1000), mask: FieldValue(low: 0x1000))
        case .ipv4: match.require(.ethType, 0x0800)
        case .ipv6: match.require(.ethType, 0x86dd)
        case .arp: match.require(.ethType, 0x0806)
        case .mpls: match.require(.ethType, 0x8847)
        case .tcp4: transport(&match, 0x0800, 6)
        case .tcp6: transport(&match, 0x86dd, 6)
        case .udp4: transport(&match, 0x0800, 17)
        case .udp6: transport(&match, 0x86dd, 17)
        case .sctp4: transport(&match, 0x0800, 132)
        case .sctp6: transport(&match, 0x86dd, 132)
        case .icmp: transport(&match, 0x0800, 1)
        case .icmpv6: transport(&match, 0x86dd, 58)
        case .solicit, .advertisement:
            transport(&match, 0x86dd, 58)
            match.require(.icmpv6Type, self == .solicit ? 135 : 136)
            match.require(.icmpv6Code, 0)
        }
    }

    private func transport(_ match: inout Match, _ etherType: UInt64, _ proto: UInt64) {
        match.require(.ethType, etherType)
        match.require(.ipProto, proto)
    }

    private var prerequisites: Set<FieldInfo.Prerequisite> {
        switch self {
        case .any: [.none]
        case .vlan: [.none, .vlan]
        case .ipv4: [.none, .ip, .ipv4]
        case .ipv6: [.none, .ip, .ipv6]
        case .arp: [.none, .arp]
        case .mpls: [.none, .mpls]
        case .tcp4: [.none, .ip, .ipv4, .tcp]
        case .tcp6: [.none, .ip, .ipv6, .tcp]
        case .udp4: [.none, .ip, .ipv4, .udp]
        case .udp6: [.none, .ip, .ipv6, .udp]
        case .sctp4: [.none, .ip, .ipv4, .sctp]
        case .sctp6: [.none, .ip, .ipv6, .sctp]
        case .icmp: [.none, .ip, .ipv4, .icmpv4]
        case .icmpv6: [.none, .ip, .ipv6, .icmpv6]
        case .solicit: [.none, .ip, .ipv6, .icmpv6, .nd, .ndSolicit]
        case .advertisement: [.none, .ip, .ipv6, .icmpv6, .nd, .ndAdvert]
        }
    }

    /// Fields that packets of this kind have.
    var fields: [Field] {
        Field.allCases.filter { field in prerequisites.contains { field.info.isAvailable(with: $0) } && !PacketKind.excluded.contains(field) }
    }

    /// Tunnel options belong to tunnel ports, the naive switch has no extension headers, and the rest has no value that a test could choose freely.
    private static let excluded: Set<Field> = Set(
        [
            .ethType, .ipProto, .conjunctionID, .actsetOutput, .skbPriority, .ipv6ExtensionHeaders, .tunnelFlags, .tunnelTTL, .tunnelTOS,
            .tunnelGBPID, .tunnelGBPFlags,
        ]
            + Field.allCases.filter { $0.rawValue >= Field.tunnelMetadata0.rawValue && $0.rawValue <= Field.tunnelMetadata15.rawValue })
}

extension FieldInfo {
    func isAvailable(with prerequisite: Prerequisite) -> Bool { self.prerequisite == prerequisite }
}

extension ValuePool {
    /// A match on one to four fields with values that packets have.
    public func match(_ kind: PacketKind, _ random: inout SplitMix64) -> Match {
        var match = Match()
        kind.require(&match)
        let specific = kind.fields.filter { $0.info.prerequisite != .none }
        let common: [Field] = [
            .inPort, .ethDst, .ethSrc, .vlanTCI, .dlVLAN, .dlVLANPCP, .reg0, .reg1, .reg2, .metadata, .xreg1, .xxreg1, .packetMark,
        ]
        for _ in 0..<random.pick([0, 1, 1, 1, 2, 2, 3]) {
            let field = !specific.isEmpty && random.chance(65) ? random.pick(specific) : random.pick(common)
            add(field, &match, &random)
        }
        return match
    }

    /// A field once only: a second demand on the same bits would be another match.
    private func add(_ field: Field, _ match: inout Match, _ random: inout SplitMix64) {
        if !match.requirement(on: field).mask.isZero { return }
        var value = self.value(field, &random)
        let all = FieldValue.ones(field.info.bits)
        var mask = all
        if field.info.isMaskable && random.chance(45) {
            switch field {
            case .ipv4Src, .ipv4Dst, .arpSPA, .arpTPA: mask = FieldValue(low: 0xffff_ffff << UInt64(random.pick([8, 16, 24])) & 0xffff_ffff)
            case .ipv6Src, .ipv6Dst, .ndTarget:
                mask = random.chance(50) ? FieldValue(high: .max, low: 0) : FieldValue(high: 0xffff_0000_0000_0000, low: 0)
            case .ipFrag:
                (value, mask) = random.pick([
                    (.zero, FieldValue(low: 2)), (FieldValue(low: 1), FieldValue(low: 1)), (FieldValue(low: 3), FieldValue(low: 3)),
                ])
            case .vlanTCI: mask = FieldValue(low: random.pick([0x1000, 0x1fff, 0xf000, 0x1001]))
            case .vlanVID: mask = FieldValue(low: 0x1000)
            case .ethDst, .ethSrc: mask = FieldValue(low: random.pick([0xffff_0000_0000, 0x0100_0000_0000, 0xffff_ffff_ff00]))
            default: mask = FieldValue(high: random.next(), low: random.next()) & all
            }
        }
        if field == .ipTOS { mask = FieldValue(low: 0xfc) }
        if field == .dlVLAN {
            // A tag with this number, not any tag control information that happens to hold it.
            match.require(.vlanTCI, FieldValue(low: 0x1000 | value.low), mask: FieldValue(low: 0x1fff))
            return
        }
        if field == .dlVLANPCP || field == .vlanPCP {
            if match.requirement(on: .vlanTCI).mask.low & 0xf000 & ~0x1000 != 0 { return }
            match.require(.vlanTCI, FieldValue(low: 0x1000 | value.low << 13), mask: FieldValue(low: 0xf000))
            return
        }
        match.require(field, value & mask, mask: mask)
    }
}
