import Flow

/// Reading instructions into Flow's one list (OpenFlow 1.3.5 §A.2.4).
extension WireReader {
    /// Reads instructions up to the reader's end. They come out in the order in which OpenFlow executes them: meter, applied actions,
    /// `clear_actions`, `write_actions`, `write_metadata`, `goto_table`.
    mutating func instructions(_ scope: inout ActionScope, table: UInt8) throws(OpenFlowError) -> [Action] {
        if isEmpty { return [] }
        var seen: UInt32 = 0
        var meter: Action?
        var applied: [Action] = []
        var clears = false
        var written: Action?
        var metadata: Action?
        var next: Action?
        while !isEmpty {
            let type = u16()
            let length = Int(u16())
            if isShort || length < 8 || length & 7 != 0 || length - 4 > remaining {
                throw OpenFlowError(
                    .badInstructionLength, "An instruction of \(length) bytes is too short, no multiple of 8, or too long for its list.")
            }
            let outer = enter(length - 4)
            if type <= 6 {
                if seen & 1 << UInt32(type) != 0 { throw OpenFlowError(.duplicateInstruction, "Instruction \(type) stands twice.") }
                seen |= 1 << UInt32(type)
            }
            switch type {
            case 1:
                try size(length, 8)
                let t = u8()
                // Controllers number tables below 255; a later table only (§5.1).
                if t == 255 || table != 255 && t <= table {
                    throw OpenFlowError(.badInstructionTable, "goto_table must name a later table than the entry's own, \(table), not \(t).")
                }
                next = .gotoTable(t)
            case 2:
                try size(length, 24)
                skip(4)
                metadata = .writeMetadata(value: u64(), mask: u64())
            case 3:
                skip(4)
                var inner = scope
                inner.place = .actionSet
                inner.context = .open
                written = .writeActions(try actions(remaining, &inner))
            case 4:
                skip(4)
                applied = try actions(remaining, &scope)
            case 5:
                // Some controllers send four bytes, some eight; both mean the same.
                try size(length, 8)
                clears = true
            case 6 where scope.version < .v15:
                try size(length, 8)
                let id = u32()
                guard id != 0, id <= OpenFlowNumber.maxMeter else { throw OpenFlowError(.invalidMeter, "\(id) is not the number of a meter.") }
                meter = .meter(id)
            case 0xffff:
                throw OpenFlowError(.badInstructionExperimenter, "Instructions of experimenter 0x\(String(u32(), radix: 16)) are not supported.")
            default: throw OpenFlowError(.unknownInstruction, "Instruction \(type) is not known.")
            }
            if isShort { throw OpenFlowError(.badInstructionLength, "Instruction \(type) is cut short.") }
            leave(outer)
        }
        if meter == nil, !clears, written == nil, metadata == nil, next == nil { return applied }
        var list: [Action] = []
        if let meter { list.append(meter) }
        list += applied
        if clears { list.append(.clearActions) }
        if let written { list.append(written) }
        if let metadata { list.append(metadata) }
        if let next { list.append(next) }
        return list
    }

    private func size(_ length: Int, _ wanted: Int) throws(OpenFlowError) {
        if length != wanted { throw OpenFlowError(.badInstructionLength, "The instruction has \(length) bytes where \(wanted) are right.") }
    }
}
