/// The text form of flow tables: what `ovs-ofctl` reads and writes (ovs-ofctl(8), ovs-fields(7), ovs-actions(7)).
///
/// `parse` reads a whole file and reports everything that is wrong with it; `text` writes entries, matches, actions, groups and meters in the one
/// spelling that `parse` reads back to the same value. `Docs/Ledgers/FlowSyntax.md` lists every field and action, and each difference from Open
/// vSwitch 3.1.
///
/// Invariants: no input makes the reader trap or take more than time linear in its bytes times `FlowTextLimits.nesting`; a line that is wrong yields
/// no modification and at least one error; `parse(text(x)) == x` for every value the reader can produce.
public enum FlowText {
    /// What a file said.
    public struct Parsed: Sendable {
        /// In the order of the file; lines with errors are left out.
        public var modifications: [FlowModification] = []
        /// For each modification its line, from 1.
        public var lines: [UInt32] = []
        /// The first `FlowTextLimits.diagnostics` errors, in the order of the file.
        public var errors: [FlowTextDiagnostic] = []
        /// All errors, kept or not.
        public var errorCount = 0
        /// The first `FlowTextLimits.diagnostics` warnings; those about missing groups and meters come last.
        public var warnings: [FlowTextDiagnostic] = []
        public var warningCount = 0
        public var isValid: Bool { errorCount == 0 }
    }

    /// Reads a flow file: entries, with or without `flow` and a command before them, and `group …` and `meter …` lines.
    ///
    /// Cost: linear; about 1 µs for a five-tuple entry in a release build. Allocates the result and one array per match.
    public static func parse(bytes: UnsafeRawBufferPointer) -> Parsed { read(bytes, .flows) }
    public static func parse(bytes: [UInt8]) -> Parsed { bytes.withUnsafeBytes { parse(bytes: $0) } }
    public static func parse(_ text: String) -> Parsed { parse(bytes: Array(text.utf8)) }

    /// Reads a file of groups without `group` before each, as `ovs-ofctl add-groups` takes it.
    public static func parseGroups(bytes: [UInt8]) -> Parsed { bytes.withUnsafeBytes { read($0, .groups) } }
    public static func parseGroups(_ text: String) -> Parsed { parseGroups(bytes: Array(text.utf8)) }

    /// Reads a file of meters without `meter` before each, each line as `ovs-ofctl add-meter` takes it.
    public static func parseMeters(bytes: [UInt8]) -> Parsed { bytes.withUnsafeBytes { read($0, .meters) } }
    public static func parseMeters(_ text: String) -> Parsed { parseMeters(bytes: Array(text.utf8)) }

    /// Reads a description of packets like `in_port=1,tcp,nw_src=10.0.0.1`: the key with exactly these values, all else zero, and the match.
    ///
    /// A field whose prerequisite is missing is an error here, since a packet without it cannot have that value.
    public static func parseMatch(_ text: String) throws(FlowTextDiagnostic) -> (key: FlowKey, match: Match) {
        let bytes = Array(text.utf8)
        let outcome: Result<(key: FlowKey, match: Match), FlowTextDiagnostic> = bytes.withUnsafeBytes { buffer in
            guard let base = buffer.bindMemory(to: UInt8.self).baseAddress else { return .success((FlowKey(), .any)) }
            let slice = TextSlice(base: base, start: 0, end: buffer.count)
            var parser = FlowTextParser(slice, content: .flows)
            parser.lineNumber = 1
            if slice.count > FlowTextLimits.lineBytes || slice.index(of: 0) != nil {
                return .failure(parser.diagnostic(.error, TextFault(slice.upTo(0), "This is not a line of text.")))
            }
            do throws(TextFault) {
                try parser.readMatchOnly(slice)
                return .success((parser.match.key(), parser.match.finish()))
            } catch {
                return .failure(parser.diagnostic(.error, error))
            }
        }
        return try outcome.get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, _ content: FlowTextParser.Content) -> Parsed {
        // Safe: the buffer outlives the parser, and bytes may be read as UInt8.
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return Parsed() }
        var parser = FlowTextParser(TextSlice(base: base, start: 0, end: bytes.count), content: content)
        parser.run()
        return parser.result
    }
}
