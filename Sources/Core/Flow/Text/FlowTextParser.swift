/// Reads a whole file of flow text, line by line; the state behind `FlowText.parse`.
///
/// One pass over the bytes. A line is divided into keys and values (`TextSlice.nextKeyValue`), names are looked up by their bytes (`NameTable`),
/// fields are collected (`MatchBuilder`), and an action text that an earlier line had is taken from `ActionMemo`. A line that is wrong throws one
/// `TextFault`, which becomes a diagnostic; reading goes on with the next line. Used by one thread; lives as long as one call.
struct FlowTextParser {
    /// What a file without keywords contains.
    enum Content { case flows, groups, meters }

    let input: TextSlice
    let content: Content
    let fieldNames = FieldDirectory.names
    let actionNames = ActionDirectory.names
    let shapes = FieldShape.table
    let match = MatchBuilder()
    var memo = ActionMemo()
    var result = FlowText.Parsed()
    var lineNumber = 0
    var lineStart = 0
    /// Where each group or meter was first named, for the warning that there is none.
    var groupUses: [UInt32: FlowTextDiagnostic] = [:]
    var meterUses: [UInt32: FlowTextDiagnostic] = [:]
    var definedGroups: Set<UInt32> = []
    var definedMeters: Set<UInt32> = []

    init(_ input: TextSlice, content: Content) {
        self.input = input
        self.content = content
    }

    mutating func run() {
        let n = input.end
        if content == .flows {
            // A five-tuple entry has about a hundred bytes; a wrong guess costs one move of the array or some unused memory.
            result.modifications.reserveCapacity(Swift.min(n / 96, 1 << 22))
            result.lines.reserveCapacity(Swift.min(n / 96, 1 << 22))
        }
        var at = 0
        while at < n {
            var end = at
            var comment = -1
            var hasNUL = false
            (end, comment, hasNUL) = scanLine(from: at)
            lineNumber &+= 1
            lineStart = at
            let whole = input.between(at, end)
            if whole.count > FlowTextLimits.lineBytes {
                fail(TextFault(whole.upTo(at + 20), "The line has \(whole.count) bytes; the longest that is read has \(FlowTextLimits.lineBytes)."))
            } else if hasNUL {
                fail(TextFault(whole.upTo(at), "The line contains a NUL byte; flow files are text."))
            } else {
                let line = (comment >= 0 ? whole.upTo(comment) : whole).trimmed
                if !line.isEmpty {
                    do throws(TextFault) {
                        try readLine(line)
                    } catch {
                        fail(error)
                    }
                }
            }
            at = end &+ 1
        }
        warnOfMissingReferences()
    }

    /// The end of the line that starts at `at`, where its comment starts (or -1), and whether there is a NUL byte before the comment.
    private func scanLine(from at: Int) -> (end: Int, comment: Int, hasNUL: Bool) {
        let base = input.base
        let n = input.end
        var i = at
        var comment = -1
        var hasNUL = false
        // Eight bytes at a time: is one of them a newline, a `#` or a NUL? (The zero-byte test of Hacker's Delight §6-1.)
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let raw = UnsafeRawPointer(base)
        while i < n {
            // Safe: eight bytes are loaded only where eight remain.
            if i &+ 8 <= n {
                let w = raw.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                let newline = w ^ (ones &* 0x0a)
                let hash = w ^ (ones &* 0x23)
                let hit = ((newline &- ones) & ~newline) | ((hash &- ones) & ~hash) | ((w &- ones) & ~w)
                if hit & highs == 0 {
                    i &+= 8
                    continue
                }
            }
            let b = base[i]
            if b == 0x0a { return (i, comment, hasNUL) }
            if b == 0x23, comment < 0 { comment = i }
            if b == 0, comment < 0 { hasNUL = true }
            i &+= 1
        }
        return (n, comment, hasNUL)
    }

    private mutating func readLine(_ line: TextSlice) throws(TextFault) {
        var end = line.start
        while end < line.end, !TextSlice.isSeparator(line[end]) { end &+= 1 }
        let word = line.upTo(end)
        let rest = line.from(end)
        switch content {
        case .groups: return try readGroupLine(line)
        case .meters: return try readMeterLine(line)
        case .flows: break
        }
        switch word.first {
        case 0x66 where word.equals("flow"):
            return try readFlowLine(rest.trimmed)
        case 0x67 where word.equals("group"):
            return try readGroupLine(rest.trimmed)
        case 0x6d where word.equals("meter"):
            return try readMeterLine(rest.trimmed)
        case 0x70 where word.equals("packet-out"):
            throw TextFault(word, "Packet-out messages are not supported in flow files.")
        case 0x4e where word.hasPrefix("NXST_FLOW"), 0x4f where word.hasPrefix("OFPST_FLOW"):
            // The first line of what `ovs-ofctl dump-flows` prints.
            return
        default:
            return try readFlowLine(line)
        }
    }

    // MARK: Diagnostics

    /// A name spelled like the word; none once no further errors are kept.
    func nearest(to word: TextSlice, among names: [String]) -> String? {
        result.errors.count < FlowTextLimits.diagnostics ? Spelling.nearest(to: word, among: names) : nil
    }

    func diagnostic(_ severity: FlowTextDiagnostic.Severity, _ fault: TextFault) -> FlowTextDiagnostic {
        FlowTextDiagnostic(
            severity: severity, line: lineNumber, column: fault.at.start - lineStart + 1, token: fault.at.text, tokenBytes: fault.at.count,
            message: fault.message, suggestion: fault.suggestion)
    }

    mutating func fail(_ fault: TextFault) {
        if result.errors.count < FlowTextLimits.diagnostics {
            result.errors.append(diagnostic(.error, fault))
        }
        result.errorCount += 1
    }

    mutating func warn(_ at: TextSlice, _ message: @autoclosure () -> String) {
        if result.warnings.count < FlowTextLimits.diagnostics {
            result.warnings.append(diagnostic(.warning, TextFault(at, message())))
        }
        result.warningCount += 1
    }

    mutating func noteGroupUse(_ id: UInt32, at: TextSlice) {
        if groupUses[id] == nil, groupUses.count < FlowTextLimits.rememberedActions {
            groupUses[id] = diagnostic(.warning, TextFault(at, "No line of the file adds group \(id)."))
        }
    }

    mutating func noteMeterUse(_ id: UInt32, at: TextSlice) {
        if meterUses[id] == nil, meterUses.count < FlowTextLimits.rememberedActions {
            meterUses[id] = diagnostic(.warning, TextFault(at, "No line of the file adds meter \(id)."))
        }
    }

    private mutating func warnOfMissingReferences() {
        var missing = groupUses.filter { !definedGroups.contains($0.key) }.map(\.value)
        missing += meterUses.filter { !definedMeters.contains($0.key) }.map(\.value)
        missing.sort { ($0.line, $0.column) < ($1.line, $1.column) }
        for w in missing {
            if result.warnings.count < FlowTextLimits.diagnostics { result.warnings.append(w) }
            result.warningCount += 1
        }
    }
}
