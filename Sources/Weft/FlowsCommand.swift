import ArgumentParser
import Flow
import Foundation

/// `weft flows`: what a flow file says, without running it.
struct FlowsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flows", abstract: "Check flow files and print them in one spelling.", subcommands: [Check.self, Normalize.self, Dump.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report everything wrong with a flow file.",
            discussion: "Prints FILE:LINE:COLUMN and the line for each error and warning. The exit code is 1 when there is an error.")
        @OptionGroup var input: FlowFile
        @Flag(help: "Print one JSON object instead of text.") var json = false

        func run() throws {
            let file = try input.load()
            let parsed = file.parsed
            if json {
                try printJSON(
                    CheckReport(
                        file: input.file, valid: parsed.isValid, modifications: parsed.modifications.count, errors: parsed.errorCount,
                        warnings: parsed.warningCount, diagnostics: (parsed.errors + parsed.warnings).map(DiagnosticReport.init)))
            } else {
                file.printDiagnostics(to: FileHandle.standardOutput)
                let n = parsed.modifications.count
                try OutputFile.print(
                    "\(input.file): \(n) \(n == 1 ? "line" : "lines") read, \(parsed.errorCount) errors, \(parsed.warningCount) warnings")
            }
            if !parsed.isValid { throw ExitCode(1) }
        }
    }

    struct Normalize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a flow file in canonical spelling.",
            discussion: """
                Meters and groups come first, then the entries by table and falling priority. A file with commands other than add keeps its order, \
                because there the order has a meaning.
                """)
        @OptionGroup var input: FlowFile

        func run() throws {
            let parsed = try input.loadValid()
            let onlyAdds = parsed.modifications.allSatisfy {
                switch $0 {
                case .flow(.add, _, _, _, _), .addGroup, .addMeter: true
                default: false
                }
            }
            let output = try OutputFile("-")
            if onlyAdds {
                for m in parsed.modifications { if case .addMeter = m { try output.write((FlowText.text(m) + "\n").utf8) } }
                for m in parsed.modifications { if case .addGroup = m { try output.write((FlowText.text(m) + "\n").utf8) } }
                for e in sorted(parsed.modifications.compactMap { if case .flow(_, let e, _, _, _) = $0 { e } else { nil } }) {
                    try output.write((FlowText.text(e) + "\n").utf8)
                }
            } else {
                for m in parsed.modifications { try output.write((FlowText.text(m) + "\n").utf8) }
            }
            try output.flush()
        }
    }

    struct Dump: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the entries that a flow file leaves in the tables.",
            discussion: "Applies the file's commands in order, then prints as `ovs-ofctl --no-stats dump-flows` does.")
        @OptionGroup var input: FlowFile
        @Flag(help: "Print one JSON object per entry instead of text.") var json = false

        func run() throws {
            let parsed = try input.loadValid()
            var tables = FlowFileTables()
            for m in parsed.modifications { tables.apply(m) }
            let output = try OutputFile("-")
            for e in sorted(tables.entries) {
                try output.write(((json ? encodeJSON(EntryReport(e)) : " " + FlowText.text(e)) + "\n").utf8)
            }
            try output.flush()
        }
    }
}

/// Entries by table and falling priority, otherwise in the order of the file.
private func sorted(_ entries: [FlowEntry]) -> [FlowEntry] {
    entries.enumerated()
        .sorted { a, b in
            (a.element.table, UInt16.max - a.element.priority, a.offset) < (b.element.table, UInt16.max - b.element.priority, b.offset)
        }
        .map(\.element)
}

/// A flow file named on the command line.
struct FlowFile: ParsableArguments {
    @Argument(help: "The flow file (required); - is standard input.") var file: String

    struct Loaded {
        var name: String
        var bytes: [UInt8]
        var parsed: FlowText.Parsed
    }

    func load() throws -> Loaded { try Loaded(reading: file) { FlowText.parse(bytes: $0) } }

    /// The contents of a file without errors; otherwise its errors on standard error and exit code 1.
    func loadValid() throws -> FlowText.Parsed {
        let loaded = try load()
        if !loaded.parsed.isValid {
            loaded.printDiagnostics(to: FileHandle.standardError)
            throw ExitCode(1)
        }
        return loaded.parsed
    }
}

extension FlowFile.Loaded {
    /// Reads a file, or standard input for `-`.
    init(reading file: String, parse: ([UInt8]) -> FlowText.Parsed) throws {
        let bytes = try InputFile.read(file)
        self.init(name: file, bytes: bytes, parsed: parse(bytes))
    }

    /// Every kept error and warning in the order of lines, each with its line and a caret under the token.
    func printDiagnostics(to handle: FileHandle) {
        var text = ""
        var starts = LineIndex(bytes)
        for d in (parsed.errors + parsed.warnings).sorted(by: { ($0.line, $0.column) < ($1.line, $1.column) }) {
            text += "\(name):\(d)\n"
            text += starts.excerpt(of: d)
            if text.utf8.count > 1 << 16 {
                handle.write(Data(text.utf8))
                text = ""
            }
        }
        for (what, kept, all) in [("errors", parsed.errors.count, parsed.errorCount), ("warnings", parsed.warnings.count, parsed.warningCount)]
        where all > kept {
            text += "\(name): \(all - kept) more \(what) are not shown\n"
        }
        handle.write(Data(text.utf8))
    }
}

/// Finds lines of a file in ascending order.
private struct LineIndex {
    private let bytes: [UInt8]
    private var line = 1
    private var start = 0
    /// Bytes of a line shown on either side of the token.
    private static let context = 60

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func excerpt(of d: FlowTextDiagnostic) -> String {
        while line < d.line, let newline = bytes[start...].firstIndex(of: 0x0a) {
            start = newline + 1
            line += 1
        }
        let end = bytes[start...].firstIndex(of: 0x0a) ?? bytes.count
        let at = min(start + max(0, d.column - 1), end)
        let from = max(start, at - Self.context)
        let to = min(end, at + Self.context)
        // One character per byte, so that the caret stands under the token.
        let shown = String(String.UnicodeScalarView(bytes[from..<to].map { (0x20..<0x7f).contains($0) ? Unicode.Scalar($0) : "." }))
        let width = max(1, min(d.tokenBytes, to - at))
        return "    \(shown)\n    \(String(repeating: " ", count: at - from))^\(String(repeating: "~", count: width - 1))\n"
    }
}

/// What a file's commands leave in the tables (OpenFlow 1.3.5 §6.4); for printing, so plainly written.
private struct FlowFileTables {
    private var index: [FlowEntry.Identity: Int] = [:]
    private var slots: [FlowEntry?] = []
    var entries: [FlowEntry] { slots.compactMap { $0 } }

    mutating func apply(_ m: FlowModification) {
        guard case .flow(let command, let e, let anyTable, let cookieMask, let outPort) = m else { return }
        let identity = e.identity
        func selects(_ slot: FlowEntry?) -> Bool {
            guard let s = slot, anyTable || s.table == e.table, s.cookie & cookieMask == e.cookie & cookieMask else { return false }
            if let outPort, !s.actions.contains(where: { if case .output(outPort, _) = $0 { true } else { false } }) { return false }
            return true
        }
        switch command {
        case .add:
            if let i = index[identity] { slots[i] = e } else { append(e, identity) }
        case .modify, .modifyStrict:
            var found = false
            for i in slots.indices where selects(slots[i]) {
                guard let s = slots[i], command == .modify ? s.match.isWithin(e.match) : s.match == e.match && s.priority == e.priority else {
                    continue
                }
                slots[i]?.actions = e.actions
                found = true
            }
            if !found, cookieMask == 0 { append(e, identity) }
        case .delete, .deleteStrict:
            for i in slots.indices where selects(slots[i]) {
                guard let s = slots[i], command == .delete ? s.match.isWithin(e.match) : s.match == e.match && s.priority == e.priority else {
                    continue
                }
                index[s.identity] = nil
                slots[i] = nil
            }
        }
    }

    private mutating func append(_ e: FlowEntry, _ identity: FlowEntry.Identity) {
        index[identity] = slots.count
        slots.append(e)
    }
}

private struct DiagnosticReport: Encodable {
    var severity, message, token: String
    var line, column: Int
    var suggestion: String?
    init(_ d: FlowTextDiagnostic) {
        severity = d.severity.rawValue
        message = d.message
        token = d.token
        line = d.line
        column = d.column
        suggestion = d.suggestion
    }
}

private struct CheckReport: Encodable {
    var file: String
    var valid: Bool
    var modifications, errors, warnings: Int
    var diagnostics: [DiagnosticReport]
}

private struct EntryReport: Encodable {
    var table: UInt8
    var priority: UInt16
    var cookie: String
    var idleTimeout, hardTimeout, importance: UInt16
    var match: String
    var actions: [String]
    init(_ e: FlowEntry) {
        table = e.table
        priority = e.priority
        cookie = "0x" + String(e.cookie, radix: 16)
        idleTimeout = e.idleTimeout
        hardTimeout = e.hardTimeout
        importance = e.importance
        match = FlowText.text(e.match)
        actions = e.actions.isEmpty ? ["drop"] : e.actions.map { FlowText.text($0) }
    }
}

private func encodeJSON(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

private func printJSON(_ value: some Encodable) throws { try OutputFile.print(encodeJSON(value)) }
