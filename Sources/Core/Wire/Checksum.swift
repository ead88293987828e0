/// The Internet checksum: the ones' complement of the ones' complement sum of 16-bit words (RFC 1071), and its incremental
/// update (RFC 1624). Checksums and sums are in host order, as read by `RawSpan.u16`.
public enum Checksum {
    /// A running sum over several spans, any of which may have an odd size.
    ///
    /// The basic design is a 16-bit sum with end-around carry. Optimised: 32-bit words in native byte order into 64 bits, folded and
    /// swapped once per span, since the sum does not depend on the byte order (RFC 1071 §2.B). A span must be shorter than 16 GiB.
    @frozen public struct Sum: Equatable, Sendable {
        @usableFromInline var total: UInt64 = 0
        @usableFromInline var isOdd = false

        @inlinable public init() {}

        /// Adds bytes as if they followed those added before.
        @inlinable public mutating func add(_ bytes: RawSpan) {
            let count = bytes.byteCount
            var native: UInt64 = 0
            var offset = 0
            while count &- offset >= 4 {
                native &+= UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
                offset &+= 4
            }
            if count &- offset >= 2 {
                native &+= UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
                offset &+= 2
            }
            // A last odd byte is the high half of a word whose low half is zero.
            if offset < count { native &+= UInt64((UInt16(bytes.u8(at: offset)) << 8).bigEndian) }
            var part = UInt16(bigEndian: Checksum.fold(native))
            if isOdd { part = part.byteSwapped }
            total &+= UInt64(part)
            isOdd = isOdd != (count & 1 == 1)
        }

        /// Adds a 16-bit number. Only after an even number of bytes.
        @inlinable public mutating func add(_ value: UInt16) {
            assert(!isOdd)
            total &+= UInt64(value)
        }

        /// Adds a 32-bit number. Only after an even number of bytes.
        @inlinable public mutating func add(_ value: UInt32) {
            assert(!isOdd)
            total &+= UInt64(value >> 16) &+ UInt64(value & 0xffff)
        }

        /// Adds a 64-bit number. Only after an even number of bytes.
        @inlinable public mutating func add(_ value: UInt64) {
            add(UInt32(truncatingIfNeeded: value >> 32))
            add(UInt32(truncatingIfNeeded: value))
        }

        /// The sum in 16 bits: 0xffff (or 0 for all-zero data) when the data include a correct checksum.
        @inlinable public var folded: UInt16 { Checksum.fold(total) }
        /// The checksum: the complement of the sum.
        @inlinable public var checksum: UInt16 { ~folded }
    }

    /// A sum with its carries added back in until 16 bits are left.
    @inlinable public static func fold(_ sum: UInt64) -> UInt16 {
        var s = (sum >> 32) &+ (sum & 0xffff_ffff)
        s = (s >> 16) &+ (s & 0xffff)
        s = (s >> 16) &+ (s & 0xffff)
        s = (s >> 16) &+ (s & 0xffff)
        return UInt16(truncatingIfNeeded: s)
    }

    /// The checksum of `bytes`, whose own checksum field must be zero.
    @inlinable public static func of(_ bytes: RawSpan) -> UInt16 {
        var sum = Sum()
        sum.add(bytes)
        return sum.checksum
    }

    /// `checksum` after a 16-bit word of its data changed, by RFC 1624 equation 3.
    ///
    /// A correct checksum stays correct, a wrong one stays wrong by the same amount. The one value with two spellings is normalised:
    /// the result is 0xffff only when all three terms of the equation are zero.
    /// - Cost: constant, no allocation.
    @inlinable public static func update(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        ~fold(UInt64(~checksum) &+ UInt64(~old) &+ UInt64(new))
    }

    /// The same for a 32-bit change, such as an IPv4 address.
    @inlinable public static func update(_ checksum: UInt16, from old: UInt32, to new: UInt32) -> UInt16 {
        ~fold(UInt64(~checksum) &+ halves(~old) &+ halves(new))
    }

    /// The same for a 128-bit change, such as an IPv6 address.
    @inlinable public static func update(_ checksum: UInt16, from old: IPv6Address, to new: IPv6Address) -> UInt16 {
        ~fold(UInt64(~checksum) &+ quarters(~old.high) &+ quarters(~old.low) &+ quarters(new.high) &+ quarters(new.low))
    }

    /// `update` for UDP: zero means "no checksum" and stays; a result of zero is written as 0xffff (RFC 768).
    @inlinable public static func updateUDP(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        checksum == 0 ? 0 : nonzero(update(checksum, from: old, to: new))
    }

    /// `update` for UDP over a 32-bit change.
    @inlinable public static func updateUDP(_ checksum: UInt16, from old: UInt32, to new: UInt32) -> UInt16 {
        checksum == 0 ? 0 : nonzero(update(checksum, from: old, to: new))
    }

    /// `update` for UDP over a 128-bit change.
    @inlinable public static func updateUDP(_ checksum: UInt16, from old: IPv6Address, to new: IPv6Address) -> UInt16 {
        checksum == 0 ? 0 : nonzero(update(checksum, from: old, to: new))
    }

    /// UDP's spelling of a computed checksum: 0xffff for 0 (RFC 768).
    @inlinable public static func nonzero(_ checksum: UInt16) -> UInt16 { checksum == 0 ? 0xffff : checksum }

    /// Whether two checksums stand for the same sum: equal, or the two spellings of zero.
    @inlinable public static func isEquivalent(_ a: UInt16, _ b: UInt16) -> Bool {
        a == b || (a == 0 && b == 0xffff) || (a == 0xffff && b == 0)
    }

    @inlinable static func halves(_ value: UInt32) -> UInt64 { UInt64(value >> 16) &+ UInt64(value & 0xffff) }

    @inlinable static func quarters(_ value: UInt64) -> UInt64 {
        halves(UInt32(truncatingIfNeeded: value >> 32)) &+ halves(UInt32(truncatingIfNeeded: value))
    }
}
