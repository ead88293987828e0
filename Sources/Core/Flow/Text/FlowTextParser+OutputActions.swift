// Actions that say where a packet goes, and those with lists of arguments.
extension FlowTextParser {
    func readOutput(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        if text.index(of: 0x3d) != nil {
            var port: UInt32?
            var length: UInt32?
            var rest = text
            while let kv = try rest.nextKeyValue() {
                if kv.key.equals("port") {
                    let p = try readOutputPort(kv.value)
                    guard p < 0xff00 || p == ReservedPort.local || p == ReservedPort.inPort else {
                        throw TextFault(kv.value, "With max_len a packet goes to a numbered port, LOCAL or IN_PORT.")
                    }
                    port = p
                } else if kv.key.equals("max_len") {
                    length = try kv.value.number32("max_len")
                    guard length! >= 14 else { throw TextFault(kv.value, "max_len is at least 14, an Ethernet header.") }
                } else {
                    throw TextFault(kv.key, "output takes port and max_len.")
                }
            }
            guard let port, let length else { throw TextFault(text, "This form is output(port=PORT,max_len=BYTES), with both.") }
            return .output(port: port, maxLength: length)
        }
        if text.port != nil { return outputAction(try readOutputPort(text)) }
        let code = fieldNames.code(text.upTo(text.index(of: 0x5b) ?? text.end))
        if code == 0 { return outputAction(try readOutputPort(text)) }
        let s = try readSubfield(text)
        try require(s.field, at: text, &state)
        return .outputSubfield(s)
    }

    func readController(_ text: TextSlice) throws(TextFault) -> Action {
        var c = Action.Controller()
        if text.isEmpty { return .controller(c) }
        if text.first &- 0x30 < 10 {
            c.maxLength = try text.number16("max_len")
            return .controller(c)
        }
        var rest = text
        while let kv = try rest.nextKeyValue() {
            let v = kv.value
            if kv.key.equals("max_len") {
                c.maxLength = try v.number16("max_len")
            } else if kv.key.equals("id") {
                c.controllerID = try v.number16("A controller's id")
            } else if kv.key.equals("reason") {
                let reasons = ["no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"]
                guard let r = reasons.first(where: { $0.utf8.elementsEqual(v.bytes.lazy.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }) }) else {
                    throw TextFault(v, "A reason is one of \(reasons.joined(separator: ", ")).", suggestion: nearest(to: v, among: reasons))
                }
                c.reason = r
            } else if kv.key.equals("userdata") {
                c.userdata = try readHex(v, "userdata")
            } else if kv.key.equals("pause") {
                c.pause = true
            } else if kv.key.equals("meter_id") {
                c.meter = try v.number32("meter_id")
            } else {
                throw TextFault(kv.key, "controller takes max_len, id, reason, userdata, pause and meter_id.")
            }
        }
        return .controller(c)
    }

    func readEnqueue(_ text: TextSlice) throws(TextFault) -> Action {
        var i = text.start
        while i < text.end, text[i] != 0x3a, text[i] != 0x71, text[i] != 0x2c { i += 1 }
        guard i > text.start, i + 1 < text.end else { throw TextFault(text, "This is written enqueue:PORT:QUEUE or enqueue(PORT,QUEUE).") }
        let portText = text.upTo(i).trimmed
        guard let port = portText.port, port < 0xff00 || port == ReservedPort.inPort || port == ReservedPort.local else {
            throw TextFault(portText, "A queue belongs to a numbered port, LOCAL or IN_PORT.")
        }
        return .enqueue(port: port, queue: try text.from(i + 1).trimmed.number32("A queue"))
    }

    func readResubmit(_ text: TextSlice) throws(TextFault) -> Action {
        var parts: [TextSlice] = []
        var rest = text
        while let comma = rest.index(of: 0x2c), parts.count < 3 {
            parts.append(rest.upTo(comma).trimmed)
            rest = rest.from(comma + 1)
        }
        parts.append(rest.trimmed)
        guard parts.count <= 3 else { throw TextFault(text, "This is written resubmit:PORT or resubmit(PORT,TABLE).") }
        var port: UInt32?
        var table: UInt8?
        if !parts[0].isEmpty {
            guard let p = parts[0].port else { throw TextFault(parts[0], "This is not a port to resubmit with.") }
            port = p == ReservedPort.inPort ? nil : p
        }
        if parts.count > 1, !parts[1].isEmpty {
            let t = try parts[1].table("resubmit")
            table = t == 255 ? nil : t
        }
        if parts.count > 2, !parts[2].isEmpty {
            guard parts[2].equals("ct") else { throw TextFault(parts[2], "This is written resubmit(PORT,TABLE).") }
            throw TextFault(parts[2], "Connection tracking is not supported yet.")
        }
        guard port != nil || table != nil else { throw TextFault(text, "resubmit needs a port or a table: resubmit(,TABLE).") }
        return .resubmit(inPort: port, table: table)
    }

    func readDecTTL(_ text: TextSlice) throws(TextFault) -> Action {
        if text.isEmpty { return .decTTL() }
        var ids: [UInt16] = []
        for part in words(text) { ids.append(try part.number16("A controller's id")) }
        guard !ids.isEmpty else { throw TextFault(text, "dec_ttl(…) needs at least one controller id.") }
        guard ids.count <= FlowTextLimits.bundleMembers else {
            throw TextFault(text, "dec_ttl takes at most \(FlowTextLimits.bundleMembers) controller ids.")
        }
        return .decTTL(controllers: ids)
    }

    /// The pieces between commas, blanks and brackets.
    func words(_ text: TextSlice) -> [TextSlice] {
        var parts: [TextSlice] = []
        var i = text.start
        while i < text.end {
            while i < text.end, TextSlice.isSeparator(text[i]) || text[i] == 0x5b || text[i] == 0x5d { i += 1 }
            var end = i
            while end < text.end, !TextSlice.isSeparator(text[end]), text[end] != 0x5b, text[end] != 0x5d { end += 1 }
            if end > i { parts.append(text.between(i, end)) }
            i = end
        }
        return parts
    }

    /// Pairs of hexadecimal digits, with or without dots between them.
    func readHex(_ text: TextSlice, _ what: StaticString) throws(TextFault) -> [UInt8] {
        var bytes: [UInt8] = []
        guard text.count <= 3 * FlowTextLimits.dataBytes else { throw TextFault(text, "\(what) holds at most \(FlowTextLimits.dataBytes) bytes.") }
        var i = text.start
        while i < text.end {
            if text[i] == 0x2e || TextSlice.isBlank(text[i]) {
                i += 1
                continue
            }
            guard i + 1 < text.end, let high = Self.hexDigit(text[i]), let low = Self.hexDigit(text[i + 1]) else {
                throw TextFault(text.from(i), "\(what) takes pairs of hexadecimal digits: 00.1a.ff.")
            }
            bytes.append(high << 4 | low)
            i += 2
        }
        guard bytes.count <= FlowTextLimits.dataBytes else { throw TextFault(text, "\(what) holds at most \(FlowTextLimits.dataBytes) bytes.") }
        return bytes
    }

    private static func hexDigit(_ b: UInt8) -> UInt8? {
        switch b {
        case 0x30...0x39: b - 0x30
        case 0x61...0x66: b - 0x61 + 10
        case 0x41...0x46: b - 0x41 + 10
        default: nil
        }
    }

    private func hashFields(_ text: TextSlice) throws(TextFault) -> HashFields {
        guard let f = HashFields(rawValue: text.text.lowercased()) else {
            let all = HashFields.allCases.map(\.rawValue)
            throw TextFault(text, "The fields to hash are one of \(all.joined(separator: ", ")).", suggestion: nearest(to: text, among: all))
        }
        return f
    }

    func readMultipath(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        let w = arguments(text)
        guard w.count == 6 else { throw TextFault(text, "This is written multipath(FIELDS,BASIS,ALGORITHM,LINKS,ARGUMENT,FIELD[FIRST..LAST]).") }
        let fields = try hashFields(w[0])
        let basis = try w[1].number16("The basis of a hash")
        guard let algorithm = MultipathAlgorithm(rawValue: w[2].text.lowercased()) else {
            throw TextFault(w[2], "The algorithm is one of \(MultipathAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        let links = try w[3].number("The number of links", max: 65536)
        guard links >= 1 else { throw TextFault(w[3], "There is at least one link.") }
        let argument = try w[4].number32("The argument")
        let to = try readDestination(w[5], &state)
        guard to.count >= 16 || links <= 1 << UInt64(to.count) else { throw TextFault(w[5], "\(to.count) bits cannot hold \(links) links.") }
        return .multipath(fields: fields, basis: basis, algorithm: algorithm, links: UInt32(links), argument: argument, to: to)
    }

    /// The pieces between commas and blanks; brackets stay.
    private func arguments(_ text: TextSlice) -> [TextSlice] {
        var parts: [TextSlice] = []
        var i = text.start
        while i < text.end, parts.count < 7 {
            while i < text.end, TextSlice.isSeparator(text[i]) { i += 1 }
            var end = i
            while end < text.end, !TextSlice.isSeparator(text[end]) { end += 1 }
            if end > i { parts.append(text.between(i, end)) }
            i = end
        }
        return parts
    }

    func readBundle(_ text: TextSlice, loads: Bool, _ state: inout ActionState) throws(TextFault) -> Action {
        var form: String {
            loads
                ? "bundle_load(FIELDS,BASIS,ALGORITHM,ofport,FIELD[FIRST..LAST],members:PORT,…)"
                : "bundle(FIELDS,BASIS,ALGORITHM,ofport,members:PORT,…)"
        }
        guard let colon = text.index(of: 0x3a) else { throw TextFault(text, "This is written \(form).") }
        let w = arguments(text.upTo(colon))
        guard w.count == (loads ? 6 : 5) else { throw TextFault(text, "This is written \(form).") }
        let delimiter = w[w.count - 1]
        guard delimiter.equals("members", foldingCase: true) || delimiter.equals("slaves", foldingCase: true) else {
            throw TextFault(delimiter, "The ports stand behind members:.")
        }
        let fields = try hashFields(w[0])
        let basis = try w[1].number16("The basis of a hash")
        guard let algorithm = BundleAlgorithm(rawValue: w[2].text.lowercased()) else {
            throw TextFault(w[2], "The algorithm is active_backup or hrw.")
        }
        guard w[3].equals("ofport", foldingCase: true) else { throw TextFault(w[3], "Members are ports: write ofport.") }
        let to = loads ? try readDestination(w[4], &state) : nil
        var members: [UInt32] = []
        for part in words(text.from(colon + 1)) {
            guard let port = part.port else { throw TextFault(part, "This is not a port.") }
            guard port != ReservedPort.controller, port == ReservedPort.any || TextSlice.isOutputPort(port) else {
                throw TextFault(part, "Packets cannot be sent to this port.")
            }
            guard members.count < FlowTextLimits.bundleMembers else {
                throw TextFault(part, "A bundle has at most \(FlowTextLimits.bundleMembers) members.")
            }
            members.append(port)
        }
        return .bundle(fields: fields, basis: basis, algorithm: algorithm, members: members, to: to)
    }

    func readConjunction(_ text: TextSlice) throws(TextFault) -> Action {
        let form = "This is written conjunction(ID,K/N)."
        guard let comma = text.index(of: 0x2c), let slash = text.index(of: 0x2f), comma < slash else { throw TextFault(text, form) }
        let id = try text.upTo(comma).trimmed.number32("A conjunction's id")
        let clauseText = text.between(comma + 1, slash).trimmed
        let countText = text.from(slash + 1).trimmed
        guard let clause = clauseText.decimal32, let count = countText.decimal32 else { throw TextFault(text, form) }
        guard (2...64).contains(count) else { throw TextFault(countText, "A conjunction has from 2 to 64 clauses.") }
        guard clause >= 1, clause <= count else { throw TextFault(clauseText, "Clauses are numbered from 1 to the number of clauses, \(count).") }
        return .conjunction(id: id, clause: Int(clause), of: Int(count))
    }

    func readFinTimeout(_ text: TextSlice) throws(TextFault) -> Action {
        var idle: UInt16 = 0
        var hard: UInt16 = 0
        var rest = text
        while let kv = try rest.nextKeyValue() {
            if kv.key.equals("idle_timeout") {
                idle = try kv.value.number16("idle_timeout")
            } else if kv.key.equals("hard_timeout") {
                hard = try kv.value.number16("hard_timeout")
            } else {
                throw TextFault(kv.key, "fin_timeout takes idle_timeout and hard_timeout.")
            }
        }
        return .finTimeout(idle: idle, hard: hard)
    }
}
