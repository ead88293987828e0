import Flow
import Wire

/// Instructions as they were on the wire, what they depend on, and what they mean.
struct KnownInstructions {
    var bytes: [UInt8] = []
    var table: UInt8 = 0
    var prerequisites: UInt64 = 0
    var actions: [Action] = []
}

extension WireReader {
    /// The instructions up to the reader's end.
    mutating func instructions(_ s: inout DecodingState, table: UInt8) throws(OpenFlowError) -> [Action] {
        if isEmpty { return [] }
        let prerequisites = s.draft.context.prerequisites
        if s.instructions.table == table, s.instructions.prerequisites == prerequisites, rest(equals: s.instructions.bytes) {
            skip(remaining)
            return s.instructions.actions
        }
        let start = at
        var scope = ActionScope(version: s.version, place: .applied, context: s.draft.context)
        let actions = try instructions(&scope, table: table)
        s.instructions = KnownInstructions(bytes: span.array(start..<end), table: table, prerequisites: prerequisites, actions: actions)
        return actions
    }
}
