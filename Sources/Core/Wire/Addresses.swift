/// An Ethernet address in the low 48 bits.
public struct MACAddress: Hashable, Sendable {
    public var bits: UInt64
    public init(_ bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }
    public var isGroup: Bool { bits & 0x0100_0000_0000 != 0 }
    public static let broadcast = MACAddress(0xffff_ffff_ffff)
}

/// An IPv4 address in host order.
public struct IPv4Address: Hashable, Sendable {
    public var bits: UInt32
    public init(_ bits: UInt32) { self.bits = bits }
}

/// An IPv6 address as two host-order halves.
public struct IPv6Address: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}
