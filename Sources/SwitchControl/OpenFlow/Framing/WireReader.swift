import Wire

/// Reads big-endian values in order from a part of a message.
///
/// A read past the end yields zero and sets `isShort`, so no bytes make it trap; whoever decodes a structure asks `check` or `isShort` at its end.
struct WireReader: ~Escapable {
    let span: RawSpan
    private(set) var at: Int
    private(set) var end: Int
    private(set) var isShort = false

    @_lifetime(copy span)
    init(_ span: RawSpan) {
        self.span = span
        at = 0
        end = span.byteCount
    }

    @inline(__always) var remaining: Int { end - at }
    @inline(__always) var isEmpty: Bool { at >= end }

    @inline(__always) private mutating func take(_ count: Int) -> Int? {
        let start = at
        if count > end &- start {
            isShort = true
            at = end
            return nil
        }
        at = start &+ count
        return start
    }

    @inline(__always) mutating func u8() -> UInt8 { take(1).map { span.u8(at: $0) } ?? 0 }
    @inline(__always) mutating func u16() -> UInt16 { take(2).map { span.u16(at: $0) } ?? 0 }
    @inline(__always) mutating func u32() -> UInt32 { take(4).map { span.u32(at: $0) } ?? 0 }
    @inline(__always) mutating func u64() -> UInt64 { take(8).map { span.u64(at: $0) } ?? 0 }
    mutating func mac() -> UInt64 { UInt64(u16()) << 32 | UInt64(u32()) }
    @inline(__always) mutating func skip(_ count: Int) { _ = take(count) }

    /// The 16-bit value `ahead` bytes on, without reading it; 0 beyond the end.
    @inline(__always) func peek8() -> UInt8 { at < end ? span.u8(at: at) : 0 }
    @inline(__always) func peek16(_ ahead: Int = 0) -> UInt16 { at &+ ahead &+ 2 <= end ? span.u16(at: at &+ ahead) : 0 }
    @inline(__always) func peek32(_ ahead: Int = 0) -> UInt32 { at &+ ahead &+ 4 <= end ? span.u32(at: at &+ ahead) : 0 }

    mutating func bytes(_ count: Int) -> [UInt8] {
        guard count >= 0, let start = take(count) else {
            isShort = true
            return []
        }
        return span.array(start..<start + count)
    }
    mutating func rest() -> [UInt8] { bytes(remaining) }
    /// Whether what is left is exactly this.
    func rest(equals other: [UInt8]) -> Bool {
        guard remaining == other.count else { return false }
        var i = 0
        while i &+ 8 <= other.count {
            if span.u64(at: at &+ i) != other.span.bytes.u64(at: i) { return false }
            i &+= 8
        }
        while i < other.count {
            if span.u8(at: at &+ i) != other[i] { return false }
            i &+= 1
        }
        return true
    }

    /// A right-aligned number of up to 16 bytes.
    mutating func wide(_ count: Int) -> (high: UInt64, low: UInt64) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        guard let start = take(count) else { return (0, 0) }
        for i in start..<start + count {
            high = high << 8 | low >> 56
            low = low << 8 | UInt64(span.u8(at: i))
        }
        return (high, low)
    }

    /// Whether the next bytes are all zero; skips them.
    mutating func zeros(_ count: Int) -> Bool {
        guard let start = take(count) else { return false }
        for i in start..<start + count where span.u8(at: i) != 0 { return false }
        return true
    }

    /// A text in a field of fixed size, ended by a zero byte or the field's end.
    mutating func name(_ size: Int) -> String {
        let b = bytes(size)
        return String(decoding: b.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Narrows the reader to the next `count` bytes; hand what it returns to `leave`. Beyond the end narrows to what is there and sets `isShort`.
    @inline(__always) mutating func enter(_ count: Int) -> Int {
        let outer = end
        if count > end &- at || count < 0 {
            isShort = true
        } else {
            end = at &+ count
        }
        return outer
    }
    /// Goes on behind the part that `enter` narrowed to.
    @inline(__always) mutating func leave(_ outer: Int) {
        at = end
        end = outer
    }

    /// Throws when a read went beyond the end.
    @inline(__always) func check(_ code: ErrorCode = .badRequestLength, _ what: StaticString) throws(OpenFlowError) {
        if isShort { throw OpenFlowError(code, "\(what) is cut short.") }
    }
}
