import Flow

/// Changes that are made all or none.
extension FlowTables {
    /// Applies changes all or none: at the first that is refused, those before it are undone, and nothing becomes visible.
    ///
    /// - Returns: the index of the refused change and why; nil when all are applied.
    public func transact(_ modifications: [FlowModification], now: UInt64) -> (index: Int, error: FlowTableError)? {
        journal = []
        defer { held = [] }
        for (i, m) in modifications.enumerated() {
            do throws(FlowTableError) {
                try apply(m, now: now)
            } catch {
                let undo = journal!
                journal = nil
                rollBack(undo, now: now)
                return (i, error)
            }
        }
        journal = nil
        for t in held {
            switch t {
            case .addition(let entry, let isNew): onAddition?(entry, isNew)
            case .removal(let removal): onRemoval?(removal)
            }
        }
        return nil
    }

    func rollBack(_ undo: [Undo], now: UInt64) {
        let (told, removed) = (onAddition, onRemoval)
        (onAddition, onRemoval) = (nil, nil)
        defer { (onAddition, onRemoval) = (told, removed) }
        for step in undo.reversed() {
            switch step {
            case .added(let entry):
                if let e = record(of: entry), e.removedAt == .max { withdraw(e) }
            case .withdrawn(let s, let ordinal):
                var entry = s.entry
                entry.flags.remove(.checkOverlap)
                // It was there before, so it can be again.
                try? add(entry, now: now, ordinal: ordinal)
                if let e = record(of: entry) {
                    e.entryFlags = s.entry.flags.rawValue
                    e.packets.pointee = s.packets
                    e.bytes.pointee = s.bytes
                    (e.created, e.modified, e.lastUsed) = (s.created, s.modified, s.lastUsed)
                }
            case .group(let id, let was):
                if groups[id] != nil { groups.delete(id) }
                if let was { try? groups.add(was, compiler: compiler) }
            case .meter(let id, let was):
                if meters.contains(id) { meters.delete(id) }
                if let was { try? meters.add(was) }
            }
        }
    }

    /// The live entry in the place of another: same table, match and priority.
    func record(of entry: FlowEntry) -> EntryRecord? { find(entry, in: table(entry.table)) }

    /// The live entry of a table with this match and priority.
    func find(_ pattern: FlowEntry, in t: FlowTable) -> EntryRecord? {
        let mask = intern(pattern.match)
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: pattern.match.words.count + 1) { values in
            // Safe: as many as there is room for.
            for (i, w) in pattern.match.words.enumerated() { values[i] = w.value }
            return t.find(mask: mask, values: values.baseAddress!, priority: pattern.priority)
        }
    }
}
