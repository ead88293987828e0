/// CRC-32C, the checksum of SCTP (RFC 9260 appendix A): polynomial 0x1edc6f41, reflected, both ends inverted.
///
/// A table of 256 entries, one byte per step, on any processor. It is for rewriting and judging SCTP packets, not for the per-packet hash.
public struct CRC32c: Sendable {
    private var state: UInt32 = 0xffff_ffff

    public init() {}

    /// Adds bytes after those added before.
    public mutating func add(_ bytes: RawSpan) {
        var crc = state
        for i in 0..<bytes.byteCount {
            crc = Self.table[Int(truncatingIfNeeded: (crc ^ UInt32(bytes.u8(at: i))) & 0xff)] ^ (crc >> 8)
        }
        state = crc
    }

    /// The CRC as a number; `123456789` gives 0xe3069283.
    public var value: UInt32 { ~state }

    /// The CRC of `bytes`.
    public static func of(_ bytes: RawSpan) -> UInt32 {
        var crc = CRC32c()
        crc.add(bytes)
        return crc.value
    }

    private static let table: InlineArray<256, UInt32> = {
        var table = InlineArray<256, UInt32>(repeating: 0)
        for i in 0..<256 {
            var entry = UInt32(i)
            for _ in 0..<8 { entry = entry & 1 == 1 ? entry >> 1 ^ 0x82f6_3b78 : entry >> 1 }
            table[i] = entry
        }
        return table
    }()
}
