import Flow
import Wire

/// What a tunnel port is: how its packets are wrapped, where they go, and which packets are its own. Docs/Tunnels.md tells users the same.
public struct TunnelConfiguration: Sendable, Equatable {
    /// The other end's address.
    public enum Remote: Sendable, Equatable {
        case address(TunnelAddress)
        /// `tun_dst` or `tun_ipv6_dst` of the packet; packets are accepted from anyone.
        case flow
    }

    /// VNI (24 bits) or GRE key (32 bits).
    public enum Key: Sendable, Equatable {
        /// No key: GRE without the field, VNI 0. Accepts packets without a key or with key 0.
        case none
        case fixed(UInt32)
        /// `tun_id` of the packet.
        case flow
    }

    /// A byte of the outer IP header that may be the inner one's.
    public enum Inheritable: Sendable, Equatable {
        case fixed(UInt8)
        /// From the inner IP header; 64 (TTL) or 0 (TOS) when the frame carries no IP.
        case inherit
    }

    /// The outer UDP checksum, or GRE's C bit.
    public enum ChecksumUse: String, Sendable, Equatable {
        /// UDP over IPv4: zero on a single datagram, computed for a batch that the kernel cuts, since it cuts only those with a checksum
        /// (udp(7), UDP_SEGMENT). UDP over IPv6: always. GRE: none.
        case automatic
        case on
        /// None; over IPv6 as RFC 6935 allows. Every datagram then is a message of its own to the kernel.
        case off
    }

    public var kind: PortKind
    /// OpenFlow port number.
    public var number: UInt32
    public var name: String
    /// The outer source address; nil leaves the choice to the kernel's routes and accepts packets for any local address.
    public var local: TunnelAddress?
    public var remote: Remote
    public var key: Key
    /// UDP destination port, and the port listened on; not for GRE.
    public var destinationPort: UInt16
    public var checksum: ChecksumUse = .automatic
    public var ttl: Inheritable = .fixed(64)
    /// The whole byte or the inner one; the two ECN bits always follow RFC 6040.
    public var tos: Inheritable = .fixed(0)
    /// DF on outer IPv4, and no fragmentation by this host. True as in Open vSwitch.
    public var dontFragment = true
    /// Whether GRE packets carry a sequence number (RFC 2890 §2.2).
    public var hasSequence = false
    /// Whether VXLAN packets carry group-policy bits.
    public var hasGroupPolicy = false
    /// `SO_MARK` of outgoing packets, for policy routing; 0 for none.
    public var egressMark: UInt32 = 0
    /// Geneve options and the fields they are kept in.
    public var options: [TunnelOption] = TunnelOption.weft
    /// Payload bytes of an inner frame; nil follows the route to a fixed remote, and is 1500 less the headers otherwise.
    public var mtu: Int?
    /// How the other end is watched; nil: not at all.
    public var liveness: LivenessConfiguration?

    public init(
        kind: PortKind, number: UInt32, name: String, remote: Remote, key: Key = .none, local: TunnelAddress? = nil,
        destinationPort: UInt16? = nil
    ) {
        self.kind = kind
        self.number = number
        self.name = name
        self.remote = remote
        self.key = key
        self.local = local
        self.destinationPort = destinationPort ?? (kind == .vxlan ? VXLAN.port : kind == .geneve ? Geneve.port : 0)
    }

    /// The key of packets that belong to the port itself and to no flow.
    var ownKey: UInt32 { if case .fixed(let key) = key { key } else { 0 } }

    /// Whether the port uses IPv4 or IPv6 outside; both when neither address is given.
    var families: (ipv4: Bool, ipv6: Bool) {
        if case .address(let address) = remote { return (address.isIPv4, !address.isIPv4) }
        if let local { return (local.isIPv4, !local.isIPv4) }
        return (true, true)
    }

    /// - Throws: `PortError` for what contradicts itself.
    func validate() throws {
        func fail(_ words: String) throws { throw PortError("tunnel \"\(name)\": \(words)") }
        if !kind.isTunnel { try fail("\(kind.rawValue) is not a tunnel kind") }
        if kind != .gre, destinationPort == 0 { try fail("the destination port is 0") }
        if case .fixed(let key) = key, kind != .gre, key > 0xff_ffff { try fail("key \(key) does not fit the 24 bits of a VNI") }
        if case .address(let address) = remote, let local, local.isIPv4 != address.isIPv4 {
            try fail("local and remote address are of different families")
        }
        if hasSequence, kind != .gre { try fail("only GRE has sequence numbers") }
        if hasGroupPolicy, kind != .vxlan { try fail("only VXLAN has group-policy bits") }
        var seen: Set<UInt32> = []
        var fields: Set<Int> = []
        for option in options {
            if !(4...124).contains(option.size) || option.size % 4 != 0 { try fail("a Geneve option holds 4 to 124 bytes, not \(option.size)") }
            if !(0..<16).contains(option.metadata) { try fail("there is no tun_metadata\(option.metadata)") }
            if !seen.insert(option.identifier).inserted { try fail("a Geneve option is listed twice") }
            if !fields.insert(option.metadata).inserted { try fail("tun_metadata\(option.metadata) is used twice") }
        }
        if TunnelOption.room(options) > TunnelOption.roomForAll { try fail("its Geneve options do not fit into a header") }
        if let liveness {
            if remote == .flow { try fail("only a fixed remote can be watched") }
            if !LivenessConfiguration.intervals.contains(liveness.interval) { try fail("packets of liveness are 10 ms to 60 s apart") }
            if !LivenessConfiguration.multipliers.contains(liveness.multiplier) { try fail("1 to 50 packets of liveness may be missed") }
        }
        if let mtu, !(68...65_535).contains(mtu) { try fail("an MTU of \(mtu) is not within 68…65535") }
    }
}

/// A Geneve option kept in a `tun_metadata` field: right-aligned, sent when not zero, zero when absent. A field keeps the last eight bytes.
public struct TunnelOption: Sendable, Equatable {
    public var optionClass: UInt16
    /// With the critical bit 0x80.
    public var type: UInt8
    /// Bytes of content: 4 to 124, a multiple of 4.
    public var size: Int
    /// 0…15.
    public var metadata: Int

    public init(class optionClass: UInt16, type: UInt8, size: Int, metadata: Int) {
        self.optionClass = optionClass
        self.type = type
        self.size = size
        self.metadata = metadata
    }

    /// Bytes of options that a header has room for (RFC 8926 §3.4: the length in words is a number of six bits).
    static let roomForAll = 63 * 4
    static func room(_ options: [TunnelOption]) -> Int { options.reduce(0) { $0 + 4 + $1.size } }

    /// What a port that was configured with `own` options has when others are laid over them: one field means one option, and one option one field.
    static func laying(_ mapped: [TunnelOption], over own: [TunnelOption]) -> [TunnelOption] {
        mapped + own.filter { o in !mapped.contains { $0.metadata == o.metadata || $0.identifier == o.identifier } }
    }

    var identifier: UInt32 { UInt32(optionClass) << 8 | UInt32(type) }

    /// Weft's class, of the experimental range (RFC 8926 §7).
    public static let weftClass: UInt16 = 0xff57
    /// Weft's own: the logical context in `tun_metadata0`, critical because a receiver that ignored it would deliver into the wrong logical
    /// network, the mark bits in `tun_metadata1`, which may be ignored, and in `tun_metadata2` the host for which a pool node relays.
    public static let weft = [
        TunnelOption(class: weftClass, type: 0x81, size: 8, metadata: 0), TunnelOption(class: weftClass, type: 0x02, size: 4, metadata: 1),
        TunnelOption(class: weftClass, type: 0x83, size: 4, metadata: 2),
    ]
}

/// An outer address: IPv6, or IPv4 in its mapped form (RFC 4291 §2.5.5.2).
public struct TunnelAddress: Hashable, Sendable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    public init(_ address: IPv4Address) { self.init(high: 0, low: 0xffff_0000_0000 | UInt64(address.bits)) }
    public init(_ address: IPv6Address) { self.init(high: address.high, low: address.low) }

    /// An address in text, nil when it is neither IPv4 nor IPv6.
    public init?(_ text: String) {
        if let address = IPv4Address(text) {
            self.init(address)
        } else if let address = IPv6Address(text) {
            self.init(address)
        } else {
            return nil
        }
    }

    @inlinable public var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }
    @inlinable public var ipv4: UInt32 { UInt32(truncatingIfNeeded: low) }
    public var description: String { isIPv4 ? IPv4Address(ipv4).description : IPv6Address(high: high, low: low).description }
}
