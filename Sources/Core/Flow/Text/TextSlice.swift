/// A piece of the input, by offsets into the whole of it, so that every token knows its column.
///
/// This is the one place where the reader touches memory. Safe: an access outside the slice reads as 0, which no token contains
/// (a NUL byte in the input is refused before a line is looked at), and slices live only while `FlowText.parse` holds the buffer.
///
/// `Sendable` because an error may carry one across an isolation; none ever does.
struct TextSlice: @unchecked Sendable {
    let base: UnsafePointer<UInt8>
    var start: Int
    var end: Int

    @inline(__always) var count: Int { end &- start }
    @inline(__always) var isEmpty: Bool { start >= end }

    /// The byte at an absolute offset, or 0 outside the slice.
    @inline(__always) subscript(at: Int) -> UInt8 { at >= start && at < end ? base[at] : 0 }

    @inline(__always) var first: UInt8 { start < end ? base[start] : 0 }

    /// The part between two absolute offsets, cut to this slice.
    @inline(__always) func between(_ from: Int, _ to: Int) -> TextSlice {
        let s = Swift.min(Swift.max(from, start), end)
        return TextSlice(base: base, start: s, end: Swift.min(Swift.max(to, s), end))
    }

    @inline(__always) func from(_ at: Int) -> TextSlice { between(at, end) }
    @inline(__always) func upTo(_ at: Int) -> TextSlice { between(start, at) }

    @inline(__always) var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base + start, count: Swift.max(0, end &- start)) }

    /// The absolute offset of the first `byte`, or nil.
    func index(of byte: UInt8) -> Int? {
        var i = start
        while i < end {
            if base[i] == byte { return i }
            i &+= 1
        }
        return nil
    }

    /// The absolute offset of the first `->`, or nil.
    var arrow: Int? {
        var i = start
        while i &+ 1 < end {
            if base[i] == 0x2d, base[i &+ 1] == 0x3e { return i }
            i &+= 1
        }
        return nil
    }

    /// Whether the slice is exactly this ASCII text; `foldingCase` takes upper-case letters in the input for lower-case ones.
    @inline(__always) func equals(_ text: StaticString, foldingCase: Bool = false) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return hasPrefix(text, foldingCase: foldingCase)
    }

    @inline(__always) func hasPrefix(_ text: StaticString, foldingCase: Bool = false) -> Bool {
        let n = text.utf8CodeUnitCount
        guard count >= n else { return false }
        let p = text.utf8Start
        var i = 0
        while i < n {
            var b = base[start &+ i]
            if foldingCase, b &- 0x41 < 26 { b |= 0x20 }
            if b != p[i] { return false }
            i &+= 1
        }
        return true
    }

    /// Without the blanks at both ends.
    var trimmed: TextSlice {
        var s = self
        while s.start < s.end, TextSlice.isBlank(base[s.start]) { s.start &+= 1 }
        while s.end > s.start, TextSlice.isBlank(base[s.end &- 1]) { s.end &-= 1 }
        return s
    }

    // All bytes that divide text lie below 64, so a set of them is a word.
    private static let blanks: UInt64 = 1 << 0x20 | 1 << 0x09 | 1 << 0x0d | 1 << 0x0a
    private static let separators: UInt64 = blanks | 1 << 0x2c
    /// Separators, `(`, `:` and `=`.
    fileprivate static let keyEnds: UInt64 = separators | 1 << 0x28 | 1 << 0x3a | 1 << 0x3d
    fileprivate static let valueEnds: UInt64 = separators | 1 << 0x28

    @inline(__always) fileprivate static func set(_ set: UInt64, contains b: UInt8) -> Bool { b < 64 && set &>> UInt64(b) & 1 != 0 }
    @inline(__always) static func isBlank(_ b: UInt8) -> Bool { set(blanks, contains: b) }
    @inline(__always) static func isSeparator(_ b: UInt8) -> Bool { set(separators, contains: b) }

    /// The text for a message, at most `FlowTextLimits.tokenBytes` of it, invalid UTF-8 replaced.
    var text: String {
        let shown = Swift.min(count, FlowTextLimits.tokenBytes)
        let s = String(decoding: UnsafeBufferPointer(start: base + start, count: Swift.max(0, shown)), as: UTF8.self)
        return shown < count ? s + "…" : s
    }
}

/// A key, and the value that follows it after `:` or `=` or in parentheses.
struct KeyValue {
    enum Form { case bare, assigned, parenthesized }
    var key: TextSlice
    var value: TextSlice
    var form: Form
    /// Key and value together.
    var whole: TextSlice { key.base == value.base ? TextSlice(base: key.base, start: key.start, end: Swift.max(key.end, value.end)) : key }
}

extension TextSlice {
    /// Takes the next key and value off the front, as ovs-ofctl divides them: separators are commas and blanks, a value after `:` or `=` goes on to
    /// the next separator outside parentheses, one in parentheses to the matching one, and `key(value)->rest` is one piece.
    ///
    /// Cost: linear in what is taken; nesting is counted, not recursed into.
    @inline(__always) mutating func nextKeyValue() throws(TextFault) -> KeyValue? {
        var i = start
        while i < end, TextSlice.isSeparator(base[i]) { i &+= 1 }
        if i >= end {
            start = end
            return nil
        }
        let keyStart = i
        var delimiter: UInt8 = 0
        while i < end {
            let b = base[i]
            if TextSlice.set(TextSlice.keyEnds, contains: b) {
                delimiter = b
                break
            }
            i &+= 1
        }
        let key = TextSlice(base: base, start: keyStart, end: i)
        switch delimiter {
        case 0x3d, 0x3a:
            let valueStart = i &+ 1
            let valueEnd = try endOfAssigned(from: valueStart)
            start = valueEnd < end ? valueEnd &+ 1 : end
            return KeyValue(key: key, value: TextSlice(base: base, start: valueStart, end: valueEnd), form: .assigned)
        case 0x28:
            let close = try closing(of: i)
            if close &+ 2 < end, base[close &+ 1] == 0x2d, base[close &+ 2] == 0x3e {
                let valueEnd = try endOfAssigned(from: close &+ 1)
                start = valueEnd < end ? valueEnd &+ 1 : end
                return KeyValue(key: key, value: TextSlice(base: base, start: i &+ 1, end: valueEnd), form: .parenthesized)
            }
            start = close &+ 1
            return KeyValue(key: key, value: TextSlice(base: base, start: i &+ 1, end: close), form: .parenthesized)
        default:
            start = i
            return KeyValue(key: key, value: TextSlice(base: base, start: i, end: i), form: .bare)
        }
    }

    @inline(__always) private func endOfAssigned(from at: Int) throws(TextFault) -> Int {
        var i = at
        while i < end {
            let b = base[i]
            if TextSlice.set(TextSlice.valueEnds, contains: b) {
                if b != 0x28 { break }
                i = try closing(of: i)
            }
            i &+= 1
        }
        return i
    }

    /// The offset of the parenthesis that closes the one at `open`.
    private func closing(of open: Int) throws(TextFault) -> Int {
        var depth = 0
        var i = open
        while i < end {
            if base[i] == 0x28 {
                depth &+= 1
            } else if base[i] == 0x29 {
                depth &-= 1
                if depth == 0 { return i }
            }
            i &+= 1
        }
        throw TextFault(TextSlice(base: base, start: open, end: open + 1), "This parenthesis is never closed.")
    }
}
