import Flow

extension NaiveFlow {
    /// The field's value as actions see it.
    func read(_ field: Field) -> FieldValue {
        switch field {
        case .ipTOS: FieldValue(low: key[.ipTOS] & 0xfc)
        case .arpOp: FieldValue(low: key[.ipProto])
        default: key.wide(field)
        }
    }

    mutating func write(_ field: Field, _ value: FieldValue) {
        let v = value.low
        switch field {
        case .vlanTCI:
            setTag(0, UInt16(v & 0xffff))
            completeTag()
        case .dlVLAN:
            setTag(0, tag(0) & ~0x0fff | NaiveFlow.vlanPresent | UInt16(v & 0xfff))
            completeTag()
        case .vlanVID:
            setTag(0, tag(0) & ~0x1fff | UInt16(v & 0x1fff))
            completeTag()
        case .vlanPCP, .dlVLANPCP:
            setTag(0, tag(0) & ~0xe000 | NaiveFlow.vlanPresent | UInt16(v & 7) << 13)
            completeTag()
        case .ipTOS: key[.ipTOS] = key[.ipTOS] & 0x03 | v & 0xfc
        case .arpOp: key[.ipProto] = v & 0xff
        default: key.setWide(field, value)
        }
    }

    func read(_ sub: Subfield) -> FieldValue { read(sub.field) >> sub.offset & .ones(sub.count) }

    mutating func write(_ sub: Subfield, _ value: FieldValue) {
        let mask = FieldValue.ones(sub.count) << sub.offset
        write(sub.field, read(sub.field) & ~mask | value << sub.offset & mask)
    }

    mutating func write(_ field: Field, _ value: FieldValue, mask: FieldValue) {
        write(field, read(field) & ~mask | value & mask)
    }

    /// Which bits of the type of service these bits of a field are.
    static func bitsOfTOS(_ field: Field, _ mask: FieldValue) -> UInt8 {
        switch field {
        case .ipTOS: UInt8(mask.low & 0xfc)
        case .ipDSCP: UInt8(mask.low & 0x3f) << 2
        case .ipECN: UInt8(mask.low & 3)
        default: 0
        }
    }

    /// Whether the packet has the field at all.
    func has(_ field: Field) -> Bool {
        switch field.info.prerequisite {
        case .none: true
        case .vlan: tag(0) & NaiveFlow.vlanPresent != 0
        case .mpls: isMPLS
        case .pbb: etherType == 0x88e7
        case .ipv4: isIPv4
        case .ipv6: isIPv6
        case .ip: isIP
        case .arp: etherType == 0x0806 || etherType == 0x8035
        case .tcp: isIP && ipProtocol == 6 && !isLaterFragment
        case .udp: isIP && ipProtocol == 17 && !isLaterFragment
        case .sctp: isIP && ipProtocol == 132 && !isLaterFragment
        case .icmpv4: isIPv4 && ipProtocol == 1
        case .icmpv6: isICMPv6
        case .nd: isND(135) || isND(136)
        case .ndSolicit: isND(135)
        case .ndAdvert: isND(136)
        }
    }

    private func isND(_ type: UInt64) -> Bool { isICMPv6 && key[.tcpSrc] == type && key[.tcpDst] == 0 }
}
