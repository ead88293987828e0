/// Network-order access to spans. Every access is bounds-checked; a view's own length test lets the optimiser drop the check.
extension RawSpan {
    /// The byte at `offset`.
    @inlinable public func u8(at offset: Int) -> UInt8 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self) }

    /// The 16-bit number at `offset`, host order.
    @inlinable public func u16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// The 32-bit number at `offset`, host order.
    @inlinable public func u32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The 64-bit number at `offset`, host order.
    @inlinable public func u64(at offset: Int) -> UInt64 {
        UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The 6 bytes at `offset`.
    @inlinable public func mac(at offset: Int) -> MACAddress {
        MACAddress(UInt64(u16(at: offset)) << 32 | UInt64(u32(at: offset + 2)))
    }

    /// The 4 bytes at `offset`.
    @inlinable public func ipv4(at offset: Int) -> IPv4Address { IPv4Address(u32(at: offset)) }

    /// The 16 bytes at `offset`.
    @inlinable public func ipv6(at offset: Int) -> IPv6Address { IPv6Address(high: u64(at: offset), low: u64(at: offset + 8)) }

    /// A copy of the bytes of `range`. Allocates.
    @inlinable public func array(_ range: Range<Int>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(range.count)
        for i in range { out.append(u8(at: i)) }
        return out
    }
}

extension MutableRawSpan {
    @inlinable public mutating func set8(_ value: UInt8, at offset: Int) { storeBytes(of: value, toByteOffset: offset, as: UInt8.self) }

    @inlinable public mutating func set16(_ value: UInt16, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    @inlinable public mutating func set32(_ value: UInt32, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    @inlinable public mutating func set64(_ value: UInt64, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }

    @inlinable public mutating func set(_ address: MACAddress, at offset: Int) {
        set16(UInt16(truncatingIfNeeded: address.bits >> 32), at: offset)
        set32(UInt32(truncatingIfNeeded: address.bits), at: offset + 2)
    }

    @inlinable public mutating func set(_ address: IPv4Address, at offset: Int) { set32(address.bits, at: offset) }

    @inlinable public mutating func set(_ address: IPv6Address, at offset: Int) {
        set64(address.high, at: offset)
        set64(address.low, at: offset + 8)
    }

    @inlinable public mutating func set(_ bytes: [UInt8], at offset: Int) {
        for i in 0..<bytes.count { set8(bytes[i], at: offset + i) }
    }
}
