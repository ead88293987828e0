// Subfields, and the actions that move bits between them.
extension FlowTextParser {
    /// The whole width of a field under the name it was given: `in_port` has OpenFlow 1.0's 16 bits under its NXM name.
    private func width(_ code: UInt16) -> Int { code == FlowWord.port16 ? 16 : Int(shapes[Int(code - FlowWord.fieldBase)].bits) }

    /// Reads `field`, `field[]`, `field[bit]` or `field[first..last]`, the whole slice.
    func readSubfield(_ text: TextSlice) throws(TextFault) -> Subfield {
        let open = text.index(of: 0x5b)
        let name = text.upTo(open ?? text.end)
        let code = fieldNames.code(name)
        guard code >= FlowWord.fieldBase || code == FlowWord.port16 else {
            if code == FlowWord.unsupported.rawValue { throw TextFault(name, "This field is not supported yet.") }
            throw TextFault(name, "This is not a field.", suggestion: nearest(to: name, among: FieldDirectory.fieldSuggestions))
        }
        let field: Field = code == FlowWord.port16 ? .inPort : shapes[Int(code - FlowWord.fieldBase)].field
        let bits = width(code)
        guard let open else { return Subfield(field, offset: 0, count: bits) }
        let syntax = "Behind a field stands [], [BIT] or [FIRST..LAST]."
        guard text[text.end - 1] == 0x5d else { throw TextFault(text.from(open), syntax) }
        let inside = text.between(open + 1, text.end - 1)
        if inside.isEmpty { return Subfield(field, offset: 0, count: bits) }
        var first = inside
        var last = inside
        var i = inside.start
        while i &+ 1 < inside.end {
            if inside[i] == 0x2e, inside[i &+ 1] == 0x2e {
                first = inside.upTo(i)
                last = inside.from(i + 2)
                break
            }
            i &+= 1
        }
        guard let a = first.decimal32, let b = last.decimal32 else { throw TextFault(text.from(open), syntax) }
        guard a <= b else { throw TextFault(inside, "The first bit is above the last one.") }
        guard b < bits else { throw TextFault(inside, "\(field.info.name) has \(bits) bits, numbered from 0.") }
        return Subfield(field, offset: Int(a), count: Int(b - a) + 1)
    }

    /// A subfield that is written to: writable, and its prerequisite established.
    func readDestination(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Subfield {
        let s = try readSubfield(text)
        guard shapes[Int(s.field.rawValue)].isWritable else { throw TextFault(text, "\(s.field.info.name) cannot be written.") }
        try require(s.field, at: text, &state)
        return s
    }

    private func split(_ text: TextSlice, _ form: StaticString) throws(TextFault) -> (TextSlice, TextSlice) {
        guard let arrow = text.arrow else { throw TextFault(text, "This is written \(form).") }
        return (text.upTo(arrow).trimmed, text.from(arrow + 2).trimmed)
    }

    func readLoad(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        let (valueText, fieldText) = try split(text, "load:VALUE->FIELD[FIRST..LAST]")
        let destination = try readDestination(fieldText, &state)
        guard let value = valueText.wide else { throw TextFault(valueText, "load takes a number.") }
        guard (value & ~FieldValue.ones(destination.count)).isZero else {
            throw TextFault(valueText, "This value does not fit into \(destination.count) bits.")
        }
        noteWrite(destination, value, &state)
        return .load(value, destination)
    }

    func readMove(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        let (from, to) = try split(text, "move:FIELD[FIRST..LAST]->FIELD[FIRST..LAST]")
        let source = try readSubfield(from)
        try require(source.field, at: from, &state)
        let destination = try readDestination(to, &state)
        guard source.count == destination.count else {
            throw TextFault(text, "The source has \(source.count) bits, the destination \(destination.count).")
        }
        return .move(from: source, to: destination)
    }

    func readSetField(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        let (valueText, fieldText) = try split(text, "set_field:VALUE[/MASK]->FIELD")
        if fieldText.index(of: 0x5b) != nil {
            // A part of a field: the whole field under the mask of the part.
            let s = try readDestination(fieldText, &state)
            let ones = FieldValue.ones(s.count)
            let slash = valueText.index(of: 0x2f)
            guard let value = valueText.upTo(slash ?? valueText.end).wide else { throw TextFault(valueText, "A part of a field takes a number.") }
            guard (value & ~ones).isZero else { throw TextFault(valueText, "This value does not fit into \(s.count) bits.") }
            var mask = ones
            if let slash {
                guard let m = valueText.from(slash + 1).wide, (m & ~ones).isZero else {
                    throw TextFault(valueText.from(slash + 1), "This mask does not fit into \(s.count) bits.")
                }
                mask = m
            }
            noteWrite(s, value, &state)
            return .setField(s.field, (value & mask) << s.offset, mask: mask << s.offset)
        }
        let code = fieldNames.code(fieldText)
        guard code >= FlowWord.fieldBase || code == FlowWord.port16 else {
            if code == FlowWord.unsupported.rawValue { throw TextFault(fieldText, "This field is not supported yet.") }
            throw TextFault(fieldText, "This is not a field.", suggestion: nearest(to: fieldText, among: FieldDirectory.fieldSuggestions))
        }
        let shape = shapes[code == FlowWord.port16 ? 0 : Int(code - FlowWord.fieldBase)]
        guard shape.isWritable || shape.field.isKindOfPayload else { throw TextFault(fieldText, "\(shape.field.info.name) cannot be written.") }
        let v = try FieldValueReader.read(shape, valueText)
        if shape.field.isKindOfPayload, v.mask != .ones(Int(shape.bits)) {
            throw TextFault(valueText, "\(shape.field.info.name) is written as a whole.")
        }
        if shape.special == .vlanID, v.value.low > 0xfff { throw TextFault(valueText, "A VLAN id has 12 bits.") }
        if shape.special == .tos, v.value.low & 3 != 0 { throw TextFault(valueText, "nw_tos sets the upper six bits: a multiple of 4.") }
        if shape.special == .arpOp, v.value.low > 0xff { throw TextFault(valueText, "arp_op is set to a value from 0 to 255.") }
        try require(shape.field, at: fieldText, &state)
        if shape.field == .vlanVID {
            state.isContextual = true
            guard state.context.vlanTags > 0 else {
                throw TextFault(fieldText, "vlan_vid exists only in tagged packets; match a tag or push one before.")
            }
        }
        noteWrite(Subfield(shape.field), v.value, &state)
        noteKind(shape.field, v.value, &state)
        return .setField(shape.field, v.value, mask: v.mask)
    }

    /// Writing the whole tag can add or remove it.
    private func noteWrite(_ s: Subfield, _ value: FieldValue, _ state: inout ActionState) {
        if s.field == .vlanTCI, s.offset == 0, s.count == 16 {
            state.context.vlanTags = value.low & 0x1000 != 0 ? max(1, state.context.vlanTags) : 0
        }
    }

    /// What follows is of another kind.
    private func noteKind(_ field: Field, _ value: FieldValue, _ state: inout ActionState) {
        switch field {
        case .ethType:
            state.context.etherType = UInt16(truncatingIfNeeded: value.low)
            state.context.ipProtocol = 0
        case .ipProto: state.context.ipProtocol = UInt8(truncatingIfNeeded: value.low)
        default: return
        }
        state.isContextual = true
    }

    func readCheckPacketLarger(_ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        guard let arrow = text.arrow else { throw TextFault(text, "This is written check_pkt_larger(LENGTH)->FIELD[BIT].") }
        var length = text.upTo(arrow).trimmed
        if length[length.end - 1] == 0x29 { length.end -= 1 }
        let to = text.from(arrow + 2).trimmed
        let destination = try readDestination(to, &state)
        guard destination.count == 1 else { throw TextFault(to, "The result is one bit: name it, as in NXM_NX_REG0[0].") }
        return .checkPacketLarger(length: try length.number16("A packet length"), to: destination)
    }
}
