/// EtherType numbers (IANA "ETHER TYPES"), host order.
public enum EtherType {
    public static let ipv4: UInt16 = 0x0800
    public static let arp: UInt16 = 0x0806
    public static let vlan: UInt16 = 0x8100
    public static let rarp: UInt16 = 0x8035
    public static let ipv6: UInt16 = 0x86dd
    public static let mpls: UInt16 = 0x8847
    public static let mplsMulticast: UInt16 = 0x8848
    /// The outer tag of IEEE 802.1ad.
    public static let serviceVLAN: UInt16 = 0x88a8
    public static let lldp: UInt16 = 0x88cc
    /// The I-TAG of IEEE 802.1ah, which a customer's whole frame follows.
    public static let backbone: UInt16 = 0x88e7
    /// A whole Ethernet frame, as tunnels carry it (RFC 1701, RFC 8926 §3.4).
    public static let transparentEthernet: UInt16 = 0x6558
    /// Smaller values are the length of an IEEE 802.3 frame, not a type (IEEE 802.3 §3.2.6).
    public static let minimum: UInt16 = 0x0600

    /// Whether the type announces a VLAN tag that is parsed as one.
    @inlinable public static func isVLAN(_ type: UInt16) -> Bool { type == vlan || type == serviceVLAN }
    /// Whether the type announces an MPLS label stack.
    @inlinable public static func isMPLS(_ type: UInt16) -> Bool { type == mpls || type == mplsMulticast }

    /// The type's usual name, or nil.
    public static func name(_ type: UInt16) -> String? {
        switch type {
        case ipv4: "IPv4"
        case arp: "ARP"
        case rarp: "RARP"
        case vlan: "802.1Q"
        case serviceVLAN: "802.1ad"
        case ipv6: "IPv6"
        case mpls: "MPLS"
        case mplsMulticast: "MPLS multicast"
        case lldp: "LLDP"
        case backbone: "802.1ah"
        case transparentEthernet: "Ethernet"
        default: nil
        }
    }
}
