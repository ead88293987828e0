/// Appends big-endian values to a byte array.
///
/// What the version cannot say is noted in `failure`, the first time, and the encoder throws it at the end.
struct WireWriter {
    var bytes: [UInt8] = []
    let version: OpenFlowVersion
    private(set) var failure: String?

    init(_ version: OpenFlowVersion) { self.version = version }

    var count: Int { bytes.count }

    @inline(__always) mutating func u8(_ v: UInt8) { bytes.append(v) }
    @inline(__always) mutating func u16(_ v: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: v >> 8))
        bytes.append(UInt8(truncatingIfNeeded: v))
    }
    @inline(__always) mutating func u32(_ v: UInt32) {
        u16(UInt16(truncatingIfNeeded: v >> 16))
        u16(UInt16(truncatingIfNeeded: v))
    }
    @inline(__always) mutating func u64(_ v: UInt64) {
        u32(UInt32(truncatingIfNeeded: v >> 32))
        u32(UInt32(truncatingIfNeeded: v))
    }
    mutating func mac(_ v: UInt64) {
        u16(UInt16(truncatingIfNeeded: v >> 32))
        u32(UInt32(truncatingIfNeeded: v))
    }
    mutating func put(_ data: [UInt8]) { bytes.append(contentsOf: data) }
    mutating func zeros(_ count: Int) { for _ in 0..<count { bytes.append(0) } }

    /// The low `count` bytes of a number of 128 bits.
    mutating func wide(_ high: UInt64, _ low: UInt64, _ count: Int) {
        for i in stride(from: count - 1, through: 0, by: -1) {
            u8(i >= 16 ? 0 : i >= 8 ? UInt8(truncatingIfNeeded: high >> UInt64(8 * (i - 8))) : UInt8(truncatingIfNeeded: low >> UInt64(8 * i)))
        }
    }

    /// A text in a field of fixed size with at least one zero byte at its end.
    mutating func name(_ text: String, _ size: Int) {
        let b = Array(text.utf8.prefix(size - 1))
        put(b)
        zeros(size - b.count)
    }

    mutating func set16(_ v: Int, at offset: Int) {
        if v > 0xffff { fail("A part of the message is longer than 65535 bytes.") }
        bytes[offset] = UInt8(truncatingIfNeeded: v >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: v)
    }

    /// Zeros up to a multiple of `alignment` bytes from `start`.
    mutating func pad(from start: Int, to alignment: Int = 8) {
        while (count - start) % alignment != 0 { bytes.append(0) }
    }

    /// A property or element of type, length and body; the length leaves out the padding to 8 bytes that follows (OpenFlow 1.5.1 §7.2.1.2).
    mutating func property(_ type: UInt16, _ body: (inout WireWriter) -> Void) {
        let start = count
        u16(type)
        u16(0)
        body(&self)
        set16(count - start, at: start + 2)
        pad(from: start)
    }

    mutating func fail(_ what: String) { if failure == nil { failure = what } }
}
