// One flow line: command, match, attributes, actions.
extension FlowTextParser {
    private struct Attributes {
        var command = FlowModification.FlowCommand.add
        var table: UInt8?
        var priority = FlowEntry.defaultPriority
        var cookie: UInt64 = 0
        var cookieMask: UInt64 = 0
        var idleTimeout: UInt16 = 0
        var hardTimeout: UInt16 = 0
        var importance: UInt16 = 0
        var flags: FlowEntry.Flags = []
        var outPort: UInt32?
        var needsOpenFlow11 = false
        var takesActions: Bool { command != .delete && command != .deleteStrict }
    }

    mutating func readFlowLine(_ line: TextSlice) throws(TextFault) {
        var a = Attributes()
        var rest = line
        var end = line.start
        while end < line.end, !TextSlice.isSeparator(line[end]) { end &+= 1 }
        let word = line.upTo(end)
        switch word.first {
        case 0x61 where word.equals("add"): rest = line.from(end)
        case 0x64 where word.equals("delete"): (a.command, rest) = (.delete, line.from(end))
        case 0x64 where word.equals("delete_strict"): (a.command, rest) = (.deleteStrict, line.from(end))
        case 0x6d where word.equals("modify"): (a.command, rest) = (.modify, line.from(end))
        case 0x6d where word.equals("modify_strict"): (a.command, rest) = (.modifyStrict, line.from(end))
        default: break
        }
        match.reset()
        var actionText: TextSlice?
        while let kv = try rest.nextKeyValue() {
            let code = fieldNames.code(kv.key)
            if code >= FlowWord.fieldBase || code == FlowWord.port16 {
                try readField(code, kv)
            } else if code >= FlowWord.protocolBase {
                try readProtocol(code, kv)
            } else if code == FlowWord.actions.rawValue, a.takesActions {
                actionText = try Self.actionText(after: kv, in: line)
                break
            } else {
                try readAttribute(code, kv, &a)
            }
        }
        if a.takesActions, actionText == nil {
            throw TextFault(line.from(line.end), "The entry has no actions; write actions=… at its end (actions=drop for none).")
        }
        if let field = match.normalize() {
            let p = field.info.prerequisite
            warn(line.upTo(line.start), "\(field.info.name) is ignored, because the match does not contain \(p.wanted).")
        }
        var actions: [Action] = []
        if let actionText {
            let context = match.context(table: a.table ?? 0, needsOpenFlow11: a.needsOpenFlow11)
            actions = try readEntryActions(actionText.trimmed, context)
        }
        let entry = FlowEntry(
            table: a.table ?? 0, priority: a.priority, match: match.finish(), actions: actions, cookie: a.cookie, idleTimeout: a.idleTimeout,
            hardTimeout: a.hardTimeout, importance: a.importance, flags: a.flags)
        result.modifications.append(
            .flow(a.command, entry, anyTable: a.command != .add && a.table == nil, cookieMask: a.cookieMask, outPort: a.outPort))
        result.lines.append(UInt32(truncatingIfNeeded: lineNumber))
    }

    /// What stands behind `actions=`, to the end of the line.
    private static func actionText(after kv: KeyValue, in line: TextSlice) throws(TextFault) -> TextSlice {
        if kv.form == .assigned { return line.from(kv.value.start) }
        var i = kv.key.end
        while i < line.end, TextSlice.isBlank(line[i]) { i &+= 1 }
        guard line[i] == 0x3d else { throw TextFault(kv.key, "actions needs =… behind it.") }
        return line.from(i + 1)
    }

    mutating func readEntryActions(_ text: TextSlice, _ context: PacketContext) throws(TextFault) -> [Action] {
        let hash = ActionMemo.hash(text)
        let packed = context.packed
        if let known = memo.find(text, hash: hash, context: packed) { return known }
        var state = ActionState(context)
        let actions = try readActions(text, .entry, &state)
        if let i = state.inconsistent {
            state.isContextual = true
            if state.context.needsOpenFlow11 {
                throw TextFault(i.at, "This action needs a match on \(i.wanted).")
            }
            warn(i.at, "This action changes only packets with \(i.wanted), which the match does not ask for.")
        }
        memo.remember(text, hash: hash, context: state.isContextual ? packed : nil, actions)
        return actions
    }

    mutating func readProtocol(_ code: UInt16, _ kv: KeyValue) throws(TextFault) {
        let p = FieldDirectory.protocols[Int(code - FlowWord.protocolBase)]
        match.setProtocol(etherType: p.etherType, number: p.number)
    }

    mutating func readField(_ code: UInt16, _ kv: KeyValue) throws(TextFault) {
        let shape = shapes[code == FlowWord.port16 ? 0 : Int(code - FlowWord.fieldBase)]
        if kv.value.isEmpty {
            switch shape.format {
            // ovs-ofctl takes a field without a value for 0/0: no requirement.
            case .decimal, .hexadecimal, .ipv4, .tcpFlags, .tunnelFlags:
                match.set(shape, FieldValueText(value: .zero, mask: .zero, isExact: false))
                return
            default:
                throw TextFault(kv.key, "This field needs a value: \(shape.field.info.name)=….")
            }
        }
        var value = try FieldValueReader.read(shape, kv.value)
        if shape.special == .tos, value.isExact, value.value.low & 3 != 0 {
            warn(kv.value, "nw_tos matches the upper six bits; the lower two are ignored (nw_ecn matches them).")
        }
        if shape.special == .arpOp, value.isExact, value.value.low > 0xff {
            throw TextFault(kv.value, "arp_op matches the lower eight bits of the operation: 0 to 255.")
        }
        if shape.special == .arpOp { value.mask.low &= 0xff }
        match.set(shape, value)
    }

    /// `reg0[0..3]=5` and the like.
    mutating func readSubfieldMatch(_ kv: KeyValue) throws(TextFault) {
        let sub = try readSubfield(kv.key)
        guard let value = kv.value.wide else { throw TextFault(kv.value, "A part of a field needs a number.") }
        guard (value & ~FieldValue.ones(sub.count)).isZero else {
            throw TextFault(kv.value, "This value does not fit into \(sub.count) bits.")
        }
        match.set(shapes[Int(sub.field.rawValue)], offset: sub.offset, count: sub.count, value)
    }

    func unknownName(_ key: TextSlice) -> TextFault {
        TextFault(key, "This is neither a field nor an attribute of a flow entry.", suggestion: nearest(to: key, among: FieldDirectory.suggestions))
    }

    private mutating func readAttribute(_ code: UInt16, _ kv: KeyValue, _ a: inout Attributes) throws(TextFault) {
        guard let word = FlowWord(rawValue: code) else {
            if kv.key.index(of: 0x5b) != nil { return try readSubfieldMatch(kv) }
            if kv.key.hasPrefix("ct_") { throw TextFault(kv.key, "Connection tracking is not supported yet.") }
            throw unknownName(kv.key)
        }
        func valued() throws(TextFault) {
            if kv.value.isEmpty { throw TextFault(kv.key, "This needs a value behind =.") }
        }
        func only(_ allowed: Bool) throws(TextFault) {
            if !allowed { throw TextFault(kv.key, "This has no meaning in a \(a.command.rawValue) command.") }
        }
        switch word {
        case .table:
            try valued()
            let t = try kv.value.table("table")
            if t == 255, a.command == .add { throw TextFault(kv.value, "Tables are numbered from 0 to 254.") }
            a.table = t == 255 ? nil : t
        case .priority:
            try only(a.command != .delete)
            a.priority = try kv.value.number16("priority")
        case .cookie:
            try valued()
            if let slash = kv.value.index(of: 0x2f) {
                try only(a.command != .add)
                a.cookie = try kv.value.upTo(slash).number64("cookie")
                a.cookieMask = try kv.value.from(slash + 1).number64("The mask of a cookie")
            } else {
                if !a.takesActions { throw TextFault(kv.value, "To select by cookie, give a mask: cookie=\(kv.value.text)/-1.") }
                a.cookie = try kv.value.number64("cookie")
            }
        case .idleTimeout:
            try only(a.takesActions)
            a.idleTimeout = try kv.value.number16("idle_timeout")
        case .hardTimeout:
            try only(a.takesActions)
            a.hardTimeout = try kv.value.number16("hard_timeout")
        case .importance:
            try only(a.command == .add)
            a.importance = try kv.value.number16("importance")
        case .outPort:
            try only(!a.takesActions)
            guard let p = kv.value.port else { throw TextFault(kv.value, "out_port must be a port number or a reserved port's name.") }
            a.outPort = p == ReservedPort.any ? nil : p
        case .outGroup:
            throw TextFault(kv.key, "Deleting by out_group is not supported yet.")
        case .sendFlowRemoved:
            try only(a.takesActions)
            a.flags.insert(.sendFlowRemoved)
        case .checkOverlap:
            try only(a.takesActions)
            a.flags.insert(.checkOverlap)
        case .resetCounts:
            try only(a.takesActions)
            a.flags.insert(.resetCounts)
            a.needsOpenFlow11 = true
        case .noPacketCounts:
            try only(a.takesActions)
            a.flags.insert(.noPacketCounts)
            a.needsOpenFlow11 = true
        case .noByteCounts:
            try only(a.takesActions)
            a.flags.insert(.noByteCounts)
            a.needsOpenFlow11 = true
        case .ignoredWord:
            break
        case .ignoredStatistic:
            try valued()
        case .actions:
            throw TextFault(kv.key, "A \(a.command.rawValue) command takes no actions.")
        case .unsupported:
            throw TextFault(kv.key, "Matching on this field is not supported yet.")
        }
    }

    /// A match and nothing else, for `weft trace`.
    mutating func readMatchOnly(_ text: TextSlice) throws(TextFault) {
        lineNumber = 1
        match.reset()
        var rest = text
        while let kv = try rest.nextKeyValue() {
            let code = fieldNames.code(kv.key)
            if code >= FlowWord.fieldBase || code == FlowWord.port16 {
                try readField(code, kv)
            } else if code >= FlowWord.protocolBase {
                try readProtocol(code, kv)
            } else if kv.key.index(of: 0x5b) != nil {
                try readSubfieldMatch(kv)
            } else if code == FlowWord.ignoredWord.rawValue {
                continue
            } else if code == FlowWord.unsupported.rawValue {
                throw TextFault(kv.key, "Matching on this field is not supported yet.")
            } else if code != 0 {
                throw TextFault(kv.key, "Only fields of a packet can stand here.")
            } else {
                throw unknownName(kv.key)
            }
        }
        if let field = match.normalize() {
            throw TextFault(text, "\(field.info.name) needs \(field.info.prerequisite.wanted) in the match.")
        }
    }
}
