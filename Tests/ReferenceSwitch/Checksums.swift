/// Checksums as the protocols define them, computed the plain way.
public enum Checksums {
    /// The 16-bit one's-complement sum of `bytes`, an odd last byte padded with zero (RFC 1071 §1), added to `initial`.
    public static func sum(_ bytes: some Sequence<UInt8>, initial: UInt32 = 0) -> UInt32 {
        var total = initial
        var high: UInt8?
        for byte in bytes {
            if let h = high {
                total += UInt32(h) << 8 | UInt32(byte)
                high = nil
            } else {
                high = byte
            }
            if total > 0xffff { total = (total & 0xffff) + (total >> 16) }
        }
        if let h = high { total += UInt32(h) << 8 }
        while total > 0xffff { total = (total & 0xffff) + (total >> 16) }
        return total
    }

    /// The Internet checksum of `bytes`: the complement of their sum.
    public static func internet(_ bytes: some Sequence<UInt8>, initial: UInt32 = 0) -> UInt16 {
        ~UInt16(sum(bytes, initial: initial))
    }

    /// The checksum after one covered 16-bit word changed from `old` to `new` (RFC 1624 §3, equation 3).
    public static func update(_ checksum: UInt16, _ old: UInt16, _ new: UInt16) -> UInt16 {
        var total = UInt32(~checksum) + UInt32(~old) + UInt32(new)
        while total > 0xffff { total = (total & 0xffff) + (total >> 16) }
        return ~UInt16(total)
    }

    /// `update` for every 16-bit word of two equally long byte strings, from the last word to the first within each 32 bits.
    static func update(_ checksum: UInt16, old: some Collection<UInt8>, new: some Collection<UInt8>) -> UInt16 {
        let o = Array(old)
        let n = Array(new)
        var result = checksum
        for i in stride(from: 0, to: o.count, by: 2) { result = update(result, o.u16(i), n.u16(i)) }
        return result
    }

    /// CRC-32C as SCTP uses it (RFC 9260 appendix A), bit by bit; the result is stored little-endian in the packet.
    public static func crc32c(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xffff_ffff
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
        }
        return ~crc
    }

    /// Sum of the IPv4 or IPv6 pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1).
    public static func pseudoHeader(addresses: some Sequence<UInt8>, protocol proto: UInt8, length: Int) -> UInt32 {
        sum(
            [0, proto, UInt8(length >> 24 & 0xff), UInt8(length >> 16 & 0xff), UInt8(length >> 8 & 0xff), UInt8(length & 0xff)],
            initial: sum(addresses))
    }
}
