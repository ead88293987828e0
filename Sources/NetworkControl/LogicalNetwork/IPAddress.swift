import Wire

/// An IPv4 or IPv6 address. IPv4 lies in the low 32 bits.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Family: UInt64, Hashable, Sendable {
        case ipv4 = 4
        case ipv6 = 6
        /// Bits of an address.
        public var bits: Int { self == .ipv4 ? 32 : 128 }
    }
    public var family: Family
    public var high: UInt64
    public var low: UInt64

    public init(family: Family, high: UInt64 = 0, low: UInt64) {
        self.family = family
        self.high = high
        self.low = low
    }
    public init(_ address: IPv4Address) { self.init(family: .ipv4, low: UInt64(address.bits)) }
    public init(_ address: IPv6Address) { self.init(family: .ipv6, high: address.high, low: address.low) }

    /// A dotted quad or an IPv6 address (RFC 4291 §2.2); nil for anything else.
    public init?(_ text: String) {
        if let v4 = IPv4Address(text) { self.init(v4) } else if let v6 = IPv6Address(text) { self.init(v6) } else { return nil }
    }

    public var isMulticast: Bool { family == .ipv4 ? low >> 28 == 0xe : high >> 56 == 0xff }
    public var isUnspecified: Bool { high == 0 && low == 0 }
    /// fe80::/10.
    public var isLinkLocal: Bool { family == .ipv6 && high >> 54 == 0x3fa }

    /// The address with all bits behind the first `length` zero.
    public func masked(_ length: Int) -> IPAddress {
        let m = Self.mask(family, length)
        return IPAddress(family: family, high: high & m.high, low: low & m.low)
    }

    /// The first `length` bits set, in the form of `high` and `low`.
    public static func mask(_ family: Family, _ length: Int) -> (high: UInt64, low: UInt64) {
        func ones(_ n: Int) -> UInt64 { n <= 0 ? 0 : n >= 64 ? .max : ~(.max >> UInt64(n)) }
        if family == .ipv4 { return (0, ones(length) >> 32) }
        return (ones(length), ones(length - 64))
    }

    public var description: String {
        family == .ipv4 ? "\(IPv4Address(UInt32(truncatingIfNeeded: low)))" : "\(IPv6Address(high: high, low: low))"
    }
}

/// An address with a prefix length: a subnet, or an interface's address within its subnet.
public struct AddressPrefix: Hashable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    public var length: Int

    public init(_ address: IPAddress, length: Int) {
        self.address = address
        self.length = length
    }

    /// `10.0.0.0/8`, or an address alone, which is all its bits; nil for anything else.
    public init?(_ text: String) {
        guard let slash = text.firstIndex(of: "/") else {
            guard let address = IPAddress(text) else { return nil }
            self.init(address, length: address.family.bits)
            return
        }
        let digits = text[text.index(after: slash)...]
        guard let address = IPAddress(String(text[..<slash])), digits.allSatisfy(\.isASCII), digits.first != "+", let length = Int(digits),
            (0...address.family.bits).contains(length)
        else { return nil }
        self.init(address, length: length)
    }

    /// The subnet: without the bits behind the prefix.
    public var subnet: AddressPrefix { AddressPrefix(address.masked(length), length: length) }

    public func contains(_ other: IPAddress) -> Bool { other.family == address.family && other.masked(length) == address.masked(length) }

    /// Whether some address lies in both.
    public func overlaps(_ other: AddressPrefix) -> Bool {
        let shorter = min(length, other.length)
        return address.family == other.address.family && address.masked(shorter) == other.address.masked(shorter)
    }

    public var description: String { "\(address)/\(length)" }
}

extension IPAddress {
    /// 127.0.0.0/8 and ::1 (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
    public var isLoopback: Bool { family == .ipv4 ? low >> 24 == 127 : high == 0 && low == 1 }
    /// 240.0.0.0/4 with the limited broadcast address (RFC 1112 §4, RFC 919).
    public var isReserved: Bool { family == .ipv4 && low >> 28 == 0xf }
    /// Whether it may be a workload's or a router port's.
    public var isOfOneMachine: Bool { !(isMulticast || isUnspecified || isLoopback || isReserved) }
}

extension AddressPrefix {
    /// The highest address within: of IPv4 the broadcast address.
    public var last: IPAddress {
        let mask = IPAddress.mask(address.family, length)
        let all: UInt64 = address.family == .ipv4 ? 0xffff_ffff : .max
        return IPAddress(family: address.family, high: address.family == .ipv4 ? 0 : address.high | ~mask.high, low: (address.low | ~mask.low) & all)
    }
}
