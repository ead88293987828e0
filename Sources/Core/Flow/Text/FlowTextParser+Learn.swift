// The `learn` action: the attributes of the entry to learn, and the specifications of its match and actions (ovs-actions(7)).
extension FlowTextParser {
    func readLearn(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        var learn = Learn()
        // What is known of packets that the learned entry matches.
        var learned = ActionState(PacketContext())
        var rest = text
        while let kv = try rest.nextKeyValue() {
            let v = kv.value
            if kv.key.equals("table") {
                learn.table = try v.table("table")
                guard learn.table != 255 else { throw TextFault(v, "Tables are numbered from 0 to 254.") }
            } else if kv.key.equals("priority") {
                learn.priority = try v.number16("priority")
            } else if kv.key.equals("idle_timeout") {
                learn.idleTimeout = try v.number16("idle_timeout")
            } else if kv.key.equals("hard_timeout") {
                learn.hardTimeout = try v.number16("hard_timeout")
            } else if kv.key.equals("fin_idle_timeout") {
                learn.finIdleTimeout = try v.number16("fin_idle_timeout")
            } else if kv.key.equals("fin_hard_timeout") {
                learn.finHardTimeout = try v.number16("fin_hard_timeout")
            } else if kv.key.equals("cookie") {
                learn.cookie = try v.number64("cookie")
            } else if kv.key.equals("send_flow_rem") {
                learn.sendFlowRemoved = true
            } else if kv.key.equals("delete_learned") {
                learn.deleteLearned = true
            } else if kv.key.equals("limit") {
                learn.limit = try v.number32("limit")
            } else if kv.key.equals("result_dst") {
                let s = try readSubfield(v)
                guard shapes[Int(s.field.rawValue)].isWritable else { throw TextFault(v, "\(s.field.info.name) cannot be written.") }
                guard s.count == 1 else { throw TextFault(v, "The result is one bit: name it, as in NXM_NX_REG0[0].") }
                learn.resultDestination = s
            } else {
                guard learn.specs.count < FlowTextLimits.bundleMembers else {
                    throw TextFault(kv.key, "learn takes at most \(FlowTextLimits.bundleMembers) specifications.")
                }
                learn.specs.append(try readLearnSpec(kv, &state, &learned))
            }
        }
        return .learn(learn)
    }

    private func readLearnSpec(_ kv: KeyValue, _ state: inout ActionState, _ learned: inout ActionState) throws(TextFault) -> LearnSpec {
        let v = kv.value
        if kv.key.equals("load") {
            guard let arrow = v.arrow else { throw TextFault(v, "This is written load:VALUE->FIELD[FIRST..LAST] or load:FIELD->FIELD.") }
            let from = v.upTo(arrow).trimmed
            let to = v.from(arrow + 2).trimmed
            guard !from.isEmpty else { throw TextFault(v, "A value or a field stands before ->.") }
            let destination = try readSubfield(to)
            guard shapes[Int(destination.field.rawValue)].isWritable else { throw TextFault(to, "\(destination.field.info.name) cannot be written.") }
            try require(destination.field, at: to, &learned)
            if let value = from.wide {
                guard (value & ~FieldValue.ones(destination.count)).isZero else {
                    throw TextFault(from, "This value does not fit into \(destination.count) bits.")
                }
                return LearnSpec(source: .immediate(value), destination: .load(destination))
            }
            let source = try readSubfield(from)
            try require(source.field, at: from, &state)
            guard source.count == destination.count else {
                throw TextFault(v, "The source has \(source.count) bits, the destination \(destination.count).")
            }
            return LearnSpec(source: .subfield(source), destination: .load(destination))
        }
        if kv.key.equals("output") {
            let source = try readSubfield(v)
            try require(source.field, at: v, &state)
            return LearnSpec(source: .subfield(source), destination: .output)
        }
        let destination: Subfield
        do throws(TextFault) {
            destination = try readSubfield(kv.key)
        } catch {
            if kv.key.index(of: 0x5b) != nil || fieldNames.code(kv.key) == FlowWord.unsupported.rawValue { throw error }
            throw TextFault(kv.key, "This is neither an argument of learn nor a field.", suggestion: error.suggestion)
        }
        try require(destination.field, at: kv.key, &learned)
        if v.isEmpty {
            try require(destination.field, at: kv.key, &state)
            return LearnSpec(source: .subfield(destination), destination: .match(destination))
        }
        let nameEnd = v.index(of: 0x5b) ?? v.end
        if fieldNames.code(v.upTo(nameEnd)) >= FlowWord.port16 {
            let source = try readSubfield(v)
            try require(source.field, at: v, &state)
            guard source.count == destination.count else {
                throw TextFault(v, "The source has \(source.count) bits, the destination \(destination.count).")
            }
            return LearnSpec(source: .subfield(source), destination: .match(destination))
        }
        let shape = shapes[Int(destination.field.rawValue)]
        var value: FieldValue
        if destination.offset == 0, destination.count == Int(shape.bits) || destination.field == .inPort && destination.count == 16 {
            let text = try FieldValueReader.read(shape, v)
            guard text.isExact else { throw TextFault(v, "A learned value has no mask; name a part of the field instead.") }
            value = text.value
            if destination.count == 16 { value.low &= 0xffff }
        } else {
            guard let n = v.wide else { throw TextFault(v, "A part of a field is given a number or a part of a field.") }
            value = n
        }
        guard (value & ~FieldValue.ones(destination.count)).isZero else {
            throw TextFault(v, "This value does not fit into \(destination.count) bits.")
        }
        if destination.offset == 0 { learned.context.learn(destination.field, value.low) }
        return LearnSpec(source: .immediate(value), destination: .match(destination))
    }
}
