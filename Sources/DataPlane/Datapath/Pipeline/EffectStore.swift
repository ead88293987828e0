import Flow

/// A change to the flow tables that a program makes each time it runs.
enum Effect: Hashable, Sendable {
    /// An entry to learn or refresh, while its table has fewer than `limit` entries with its cookie (0: no limit).
    case learn(FlowEntry, limit: UInt32)
    /// Time-outs to lower, of the entry that this version added.
    case reduceTimeouts(EntryRecord, addedAt: UInt64, idle: UInt16, hard: UInt16)
}

/// One worker's effects, each stored once and counted by the programs that name it.
final class EffectStore {
    private var effects: [Effect?] = []
    private var references: [Int] = []
    private var indices: [Effect: UInt32] = [:]
    private var free: [UInt32] = []

    subscript(id: UInt32) -> Effect? { effects[Int(id)] }

    /// The number of an effect; the caller's program then holds one reference more, see `retain`.
    func intern(_ effect: Effect) -> UInt32 {
        if let id = indices[effect] { return id }
        let id: UInt32
        if let reused = free.popLast() {
            id = reused
            effects[Int(id)] = effect
        } else {
            id = UInt32(effects.count)
            effects.append(effect)
            references.append(0)
        }
        indices[effect] = id
        return id
    }

    func retain(_ id: UInt32) { references[Int(id)] += 1 }

    func release(_ id: UInt32) {
        references[Int(id)] -= 1
        guard references[Int(id)] == 0, let effect = effects[Int(id)] else { return }
        indices[effect] = nil
        effects[Int(id)] = nil
        free.append(id)
    }
}
