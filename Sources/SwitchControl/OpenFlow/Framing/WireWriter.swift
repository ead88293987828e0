/// Appends big-endian values to a byte array.
///
/// What the version cannot say is noted in `failure`, the first time, and the encoder throws it at the end.
struct WireWriter {
    /// The bytes written, and room for more behind them.
    private var room: [UInt8]
    private(set) var count = 0
    let version: OpenFlowVersion
    private(set) var failure: String?
    /// The fields that the match written last could have had, and the words of the key it asked for: entries in a row mostly ask for the same.
    var candidates: (words: UInt64, codes: [FieldCode]) = (0, [])

    init(_ version: OpenFlowVersion, capacity: Int = 64) {
        self.version = version
        room = [UInt8](repeating: 0, count: capacity)
    }

    /// What was written.
    var bytes: [UInt8] { Array(room[..<count]) }

    /// Ends the writing: what was written, without a copy.
    consuming func finish() -> [UInt8] {
        room.removeLast(room.count - count)
        return room
    }

    /// Makes room for some bytes and returns where it begins.
    @inline(__always) private mutating func claim(_ size: Int) -> Int {
        let at = count
        count = at &+ size
        if count > room.count { grow() }
        return at
    }

    @inline(never) private mutating func grow() { room += [UInt8](repeating: 0, count: max(count, 2 * room.count) - room.count) }

    @inline(__always) private mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ v: T) {
        let at = claim(MemoryLayout<T>.size)
        // Checked against the room in debug builds; `claim` made it.
        room.withUnsafeMutableBytes { $0.storeBytes(of: v.bigEndian, toByteOffset: at, as: T.self) }
    }

    @inline(__always) mutating func u8(_ v: UInt8) { store(v) }
    @inline(__always) mutating func u16(_ v: UInt16) { store(v) }
    @inline(__always) mutating func u32(_ v: UInt32) { store(v) }
    @inline(__always) mutating func u64(_ v: UInt64) { store(v) }
    mutating func mac(_ v: UInt64) {
        u16(UInt16(truncatingIfNeeded: v >> 32))
        u32(UInt32(truncatingIfNeeded: v))
    }
    mutating func put(_ data: [UInt8]) { put(data[...]) }
    mutating func put(_ data: ArraySlice<UInt8>) {
        let at = claim(data.count)
        room.withUnsafeMutableBytes { to in
            data.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: to[at..<at + $0.count]).copyMemory(from: $0) }
        }
    }
    mutating func zeros(_ size: Int) {
        let at = claim(size)
        // Room that was given back by `truncate` is not zero.
        for i in at..<at + size { room[i] = 0 }
    }

    /// The low `count` bytes of a number of 128 bits.
    mutating func wide(_ high: UInt64, _ low: UInt64, _ size: Int) {
        switch size {
        case 1: u8(UInt8(truncatingIfNeeded: low))
        case 2: u16(UInt16(truncatingIfNeeded: low))
        case 4: u32(UInt32(truncatingIfNeeded: low))
        case 6: mac(low)
        case 8: u64(low)
        default:
            for i in stride(from: size - 1, through: 0, by: -1) {
                u8(i >= 16 ? 0 : i >= 8 ? UInt8(truncatingIfNeeded: high >> UInt64(8 * (i - 8))) : UInt8(truncatingIfNeeded: low >> UInt64(8 * i)))
            }
        }
    }

    /// A text in a field of fixed size with at least one zero byte at its end.
    mutating func name(_ text: String, _ size: Int) {
        let b = Array(text.utf8.prefix(size - 1))
        put(b)
        zeros(size - b.count)
    }

    mutating func set8(_ v: UInt8, at offset: Int) { room[offset] = v }
    mutating func set16(_ v: Int, at offset: Int) {
        if v > 0xffff { fail("A part of the message is longer than 65535 bytes.") }
        room[offset] = UInt8(truncatingIfNeeded: v >> 8)
        room[offset + 1] = UInt8(truncatingIfNeeded: v)
    }

    /// Zeros up to a multiple of `alignment` bytes from `start`.
    mutating func pad(from start: Int, to alignment: Int = 8) { zeros((alignment - (count - start) % alignment) % alignment) }

    /// A property or element of type, length and body; the length leaves out the padding to 8 bytes that follows (OpenFlow 1.5.1 §7.2.1.2).
    mutating func property(_ type: UInt16, _ body: (inout WireWriter) -> Void) {
        let start = count
        u16(type)
        u16(0)
        body(&self)
        set16(count - start, at: start + 2)
        pad(from: start)
    }

    /// Takes what was written from `start` on back out.
    mutating func takeBack(from start: Int) -> [UInt8] {
        defer { count = start }
        return Array(room[start..<count])
    }

    /// Takes the first bytes out; what is behind them moves to the front.
    mutating func takeFirst(_ size: Int) -> [UInt8] {
        let taken = Array(room[..<size])
        let rest = Array(room[size..<count])
        count = 0
        put(rest)
        return taken
    }

    mutating func fail(_ what: String) { if failure == nil { failure = what } }
}
