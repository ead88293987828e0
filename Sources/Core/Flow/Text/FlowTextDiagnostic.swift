/// The named maxima of the flow-text reader; what happens at each is said where it is.
public enum FlowTextLimits {
    /// A longer line is one error and is skipped.
    public static let lineBytes = 1 << 20
    /// Deeper nesting of `clone(…)` and `write_actions(…)` is an error.
    public static let nesting = 64
    /// Further errors are counted, not kept; the same number of warnings is kept.
    public static let diagnostics = 1000
    /// A longer token is shown cut.
    public static let tokenBytes = 60
    /// Distinct action texts that are remembered; further ones are read anew on each line.
    public static let rememberedActions = 1 << 16
    /// Longer action texts are not remembered.
    public static let rememberedActionBytes = 4096
    /// Members of one `bundle`, as in Open vSwitch.
    public static let bundleMembers = 2048
    /// Bytes of one `note` or `userdata`, what an OpenFlow action can carry.
    public static let dataBytes = 65_000
    /// Actions of one line, nested ones included.
    public static let actions = 16_384
}

/// One thing wrong with a flow file, or worth knowing about it.
public struct FlowTextDiagnostic: Error, Hashable, Sendable {
    public enum Severity: String, Hashable, Sendable { case error, warning }
    public var severity: Severity
    /// From 1.
    public var line: Int
    /// In bytes, from 1.
    public var column: Int
    /// The text that it is about, cut to `FlowTextLimits.tokenBytes`.
    public var token: String
    /// Bytes of the whole token.
    public var tokenBytes: Int
    /// A sentence: what is wrong and what was expected.
    public var message: String
    /// A name that exists and is spelled like the token.
    public var suggestion: String?
}

extension FlowTextDiagnostic: CustomStringConvertible {
    /// `LINE:COLUMN: error: sentence 'token' (did you mean …?)`.
    public var description: String { "\(line):\(column): \(severity.rawValue): \(text)" }

    /// The sentence, the token and the suggestion.
    public var text: String {
        var s = message
        if !token.isEmpty { s += " '\(token)'" }
        if let suggestion { s += " (did you mean \(suggestion)?)" }
        return s
    }
}

extension FlowText {
    /// The name that is spelled most like `word`, case aside; nil when none is close (two edits at most).
    public static func nearestName(to word: String, among names: [String]) -> String? {
        let bytes = Array(word.utf8)
        return bytes.withUnsafeBufferPointer { buffer in
            // Safe: the slice does not outlive the buffer.
            buffer.baseAddress.flatMap { Spelling.nearest(to: TextSlice(base: $0, start: 0, end: buffer.count), among: names) }
        }
    }
}

/// An error on its way out of one line.
struct TextFault: Error {
    var at: TextSlice
    var message: String
    var suggestion: String?
    init(_ at: TextSlice, _ message: String, suggestion: String? = nil) {
        self.at = at
        self.message = message
        self.suggestion = suggestion
    }
}

/// Finds the nearest of some names to a misspelled one.
enum Spelling {
    /// The name with the smallest edit distance, at most 2 and less than half of the word's length; nil when none is that close.
    static func nearest(to word: TextSlice, among names: [String]) -> String? {
        guard word.count >= 2, word.count <= 32 else { return nil }
        let w = word.bytes.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
        var best: String?
        var bestDistance = min(3, (w.count + 1) / 2)
        for name in names {
            let n = Array(name.utf8)
            if abs(n.count - w.count) >= bestDistance { continue }
            let d = distance(w, n)
            if d < bestDistance {
                bestDistance = d
                best = name
            }
        }
        return best
    }

    /// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var previous = Array(0...b.count)
        for i in 0..<a.count {
            var current = [i + 1]
            for j in 0..<b.count {
                let bj = b[j] &- 0x41 < 26 ? b[j] | 0x20 : b[j]
                let bPrevious = j > 0 ? (b[j - 1] &- 0x41 < 26 ? b[j - 1] | 0x20 : b[j - 1]) : 0
                var d = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == bj ? 0 : 1))
                if i > 0, j > 0, a[i] == bPrevious, a[i - 1] == bj { d = min(d, before[j - 1] + 1) }
                current.append(d)
            }
            before = previous
            previous = current
        }
        return previous[b.count]
    }
}
