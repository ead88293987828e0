import Wire

/// Internet checksums over raw memory, also while copying it (RFC 1071 §2.B: the sum does not depend on the byte order, so it is taken in the
/// machine's and stored as it is).
///
/// Sums are 64 bits wide and folded at the end; pieces of an even size may be added up. Both loops are plain so that the compiler
/// makes vector instructions of them.
enum ChecksumCopy {
    /// The sum of `count` bytes. Safe: reads exactly `count` bytes.
    @inline(__always)
    static func sum(_ p: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var total: UInt64 = 0
        let words = count >> 2
        for i in 0..<words { total &+= UInt64(p.loadUnaligned(fromByteOffset: i &* 4, as: UInt32.self)) }
        return total &+ tail(p + words * 4, count & 3)
    }

    /// Copies `count` bytes and returns their sum. Safe: the areas do not overlap; touches exactly `count` bytes of each.
    @inline(__always)
    static func copy(to: UnsafeMutableRawPointer, from: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var total: UInt64 = 0
        let words = count >> 2
        for i in 0..<words {
            let word = from.loadUnaligned(fromByteOffset: i &* 4, as: UInt32.self)
            to.storeBytes(of: word, toByteOffset: i &* 4, as: UInt32.self)
            total &+= UInt64(word)
        }
        let rest = count & 3
        if rest != 0 { (to + words * 4).copyMemory(from: from + words * 4, byteCount: rest) }
        return total &+ tail(from + words * 4, rest)
    }

    @inline(__always)
    private static func tail(_ p: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var total: UInt64 = 0
        if count >= 2 { total = UInt64(p.loadUnaligned(as: UInt16.self)) }
        if count & 1 == 1 { total &+= UInt64((UInt16(p.load(fromByteOffset: count - 1, as: UInt8.self)) << 8).bigEndian) }
        return total
    }

    /// 16 bits with all carries added in, still in the machine's byte order.
    @inline(__always) static func fold(_ sum: UInt64) -> UInt16 { Checksum.fold(sum) }

    /// Whether a sum that includes its checksum field tells a correct one.
    @inline(__always) static func isCorrect(_ sum: UInt64) -> Bool { fold(sum) == 0xffff }

    /// Writes the header checksum of the IPv4 header at `header`.
    @inline(__always)
    static func finishIPv4(_ header: UnsafeMutableRawPointer) {
        let size = Int(header.load(as: UInt8.self) & 0xf) * 4
        header.storeBytes(of: 0, toByteOffset: 10, as: UInt16.self)
        let checksum = ~fold(sum(UnsafeRawPointer(header), size))
        header.storeBytes(of: checksum, toByteOffset: 10, as: UInt16.self)
    }
}
