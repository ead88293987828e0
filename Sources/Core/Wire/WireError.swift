/// Why bytes are not the header that a view was asked to show.
///
/// A view's initialiser is the only place that throws it; afterwards the accessors cannot fail. Sizes are in bytes.
public enum WireError: Error, Equatable, Sendable {
    /// The bytes end inside the header: `needed` were required, `available` were there.
    case truncated(WireProtocol, needed: Int, available: Int)
    /// The version field is not the protocol's.
    case badVersion(WireProtocol, UInt8)
    /// The header's own length field says fewer bytes than the fixed part has.
    case badHeaderLength(WireProtocol, Int)
    /// The length field of the whole datagram, chunk or option is smaller than its header.
    case badLength(WireProtocol, Int)
    /// Bits are set that tell a receiver to discard the packet.
    case reservedBits(WireProtocol, UInt16)

    /// The error as a phrase: `truncated: 20 bytes needed, 12 available`.
    public var phrase: String {
        switch self {
        case .truncated(_, let needed, let available): "truncated: \(needed) bytes needed, \(available) available"
        case .badVersion(_, let version): "bad version \(version)"
        case .badHeaderLength(_, let size): "bad header length \(size)"
        case .badLength(_, let size): "bad length \(size)"
        case .reservedBits(_, let bits): "forbidden bits 0x\(String(bits, radix: 16)) are set"
        }
    }
}

/// The formats of this module; the raw value is the name in reports and JSON.
public enum WireProtocol: String, CaseIterable, Codable, Sendable {
    case ethernet, vlan, pbb, mpls, arp, ipv4, ipv6
    case hopByHop = "ipv6-hop-by-hop"
    case routing = "ipv6-routing"
    case fragment = "ipv6-fragment"
    case authentication = "ipsec-ah"
    case destinationOptions = "ipv6-destination-options"
    case ipv6Extension = "ipv6-extension"
    case icmpv4, icmpv6
    case neighborDiscovery = "nd"
    case tcp, udp, sctp
    case vxlan, geneve, gre, bfd
}
