/// IP protocol numbers, which are the IPv6 next-header numbers too (IANA "Protocol Numbers").
public enum IPProtocol {
    public static let hopByHop: UInt8 = 0
    public static let icmpv4: UInt8 = 1
    public static let igmp: UInt8 = 2
    public static let ipv4: UInt8 = 4
    public static let tcp: UInt8 = 6
    public static let udp: UInt8 = 17
    public static let ipv6: UInt8 = 41
    public static let routing: UInt8 = 43
    public static let fragment: UInt8 = 44
    public static let gre: UInt8 = 47
    public static let esp: UInt8 = 50
    public static let authentication: UInt8 = 51
    public static let icmpv6: UInt8 = 58
    public static let noNextHeader: UInt8 = 59
    public static let destinationOptions: UInt8 = 60
    public static let sctp: UInt8 = 132
    public static let mobility: UInt8 = 135
    public static let hostIdentity: UInt8 = 139
    public static let shim6: UInt8 = 140

    /// Whether the number is an IPv6 extension header with a length that can be walked over. ESP is not: its rest is opaque.
    @inlinable public static func isWalkableExtension(_ number: UInt8) -> Bool {
        switch number {
        case hopByHop, routing, fragment, authentication, destinationOptions, mobility, hostIdentity, shim6: true
        default: false
        }
    }

    /// The protocol's usual name, or nil.
    public static func name(_ number: UInt8) -> String? {
        switch number {
        case hopByHop: "hop-by-hop options"
        case icmpv4: "ICMP"
        case igmp: "IGMP"
        case ipv4: "IPv4"
        case tcp: "TCP"
        case udp: "UDP"
        case ipv6: "IPv6"
        case routing: "routing"
        case fragment: "fragment"
        case gre: "GRE"
        case esp: "ESP"
        case authentication: "AH"
        case icmpv6: "ICMPv6"
        case noNextHeader: "no next header"
        case destinationOptions: "destination options"
        case sctp: "SCTP"
        case mobility: "mobility"
        case hostIdentity: "HIP"
        case shim6: "SHIM6"
        default: nil
        }
    }
}
