import Flow

/// The few values from which both the packets and the entries of one random case are made, so that packets meet entries.
public struct ValuePool: Sendable {
    public let ports: [UInt32] = [1, 2, 3, 4, 5]
    public let macs: [UInt64] = [0x0200_0000_0001, 0x0200_0000_0002, 0x0200_0000_0103, 0x0000_5e00_5301, 0xffff_ffff_ffff, 0x0100_5e00_0001]
    public let ipv4: [UInt32] = [0x0a00_0001, 0x0a00_0002, 0x0a00_0101, 0xc0a8_0001, 0xe000_0001, 0x0aff_ffff]
    public let ipv6: [FieldValue] = [
        FieldValue(high: 0xfe80_0000_0000_0000, low: 1), FieldValue(high: 0xfe80_0000_0000_0000, low: 0x0200_00ff_fe00_0002),
        FieldValue(high: 0x2001_0db8_0000_0001, low: 0x10), FieldValue(high: 0xff02_0000_0000_0000, low: 0x0000_0001_ff00_0002),
    ]
    public let transportPorts: [UInt16] = [53, 80, 443, 8080, 0xc001, 0]
    public let vlans: [UInt16] = [0, 1, 10, 100, 0xffe]
    public let labels: [UInt32] = [0, 2, 16, 1000, 0xfffff]
    public let ttls: [UInt8] = [0, 1, 2, 64, 255]
    public let tos: [UInt8] = [0, 0x28, 0x2b, 0xb8, 0x30, 0x01]
    public let wide: [UInt64] = [0, 1, 2, 0x8000_0000_0000_0001, 0x1234_5678_9abc_def0]
    public let small: [UInt64] = [0, 1, 2, 3, 4, 5]

    public init() {}

    /// A value of the field that packets of this pool may have.
    public func value(_ field: Field, _ random: inout SplitMix64) -> FieldValue {
        let low: UInt64
        switch field {
        case .inPort, .actsetOutput: low = UInt64(random.pick(ports))
        case .ethDst, .ethSrc, .arpSHA, .arpTHA, .ndSLL, .ndTLL: low = random.pick(macs)
        case .ethType: low = random.pick([0x0800, 0x86dd, 0x0806, 0x8847, 0x05ff])
        case .vlanTCI, .innerVLANTCI: low = 0x1000 | UInt64(random.pick(vlans)) | UInt64(random.pick([0, 3, 7])) << 13
        case .vlanVID: low = 0x1000 | UInt64(random.pick(vlans))
        case .dlVLAN: low = UInt64(random.pick(vlans))
        case .vlanPCP, .dlVLANPCP, .mplsTC: low = random.pick([0, 3, 7])
        case .mplsLabel: low = UInt64(random.pick(labels))
        case .mplsBOS: low = random.pick([0, 1])
        case .ipTTL, .mplsTTL: low = UInt64(random.pick(ttls))
        case .ipv4Src, .ipv4Dst, .arpSPA, .arpTPA, .tunnelSrc, .tunnelDst: low = UInt64(random.pick(ipv4))
        case .ipv6Src, .ipv6Dst, .ndTarget, .tunnelIPv6Src, .tunnelIPv6Dst: return random.pick(ipv6)
        case .ipv6Label: low = random.pick([0, 5, 0xabcde])
        case .ipProto: low = random.pick([6, 17, 1, 58, 132, 2])
        case .ipTOS: low = UInt64(random.pick(tos)) & 0xfc
        case .ipDSCP: low = UInt64(random.pick(tos)) >> 2
        case .ipECN: low = UInt64(random.pick(tos)) & 3
        case .ipFrag: low = random.pick([0, 1, 3])
        case .arpOp: low = random.pick([1, 2])
        case .tcpSrc, .tcpDst, .udpSrc, .udpDst, .sctpSrc, .sctpDst: low = UInt64(random.pick(transportPorts))
        case .tcpFlags: low = random.pick([0x02, 0x12, 0x10, 0x11, 0x04])
        case .icmpType: low = random.pick([0, 8, 3])
        case .icmpCode, .icmpv6Code: low = random.pick([0, 1])
        case .icmpv6Type: low = random.pick([128, 129, 135, 136])
        case .ndReserved: low = random.pick([0, 0x4000_0000, 0x6000_0000])
        case .ndOptionsType: low = random.pick([1, 2])
        default:
            if field.info.bits > 64 { return FieldValue(high: random.pick(wide), low: random.pick(wide)) }
            low = field.info.bits == 64 ? random.pick(wide) : random.pick(small)
        }
        return FieldValue(low: low)
    }
}
