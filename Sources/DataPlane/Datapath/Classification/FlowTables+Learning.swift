import Flow

/// What packets do to the tables.
extension FlowTables {
    /// Adds, changes or refreshes an entry made by a `learn` action; returns whether the tables changed.
    func learn(_ entry: FlowEntry, limit: UInt32, now: UInt64) -> Bool {
        let existing = learned(entry)
        if let existing, isSame(existing, entry) {
            existing.modified = now
            return false
        }
        guard hasRoom(for: entry, limit: limit) else { return false }
        if let existing {
            try? modify(existing, actions: entry.actions, cookie: entry.cookie, now: now)
        } else {
            try? add(entry, now: now)
        }
        return true
    }

    /// Whether a `learn` with a limit would be carried out now. Call it as the owner.
    func wouldLearn(_ entry: FlowEntry, limit: UInt32) -> Bool {
        if let existing = learned(entry), isSame(existing, entry) { return true }
        return hasRoom(for: entry, limit: limit)
    }

    /// The live entry in the place of a learned one.
    func learned(_ entry: FlowEntry) -> EntryRecord? {
        find(entry, in: table(entry.table))
    }

    func isSame(_ e: EntryRecord, _ entry: FlowEntry) -> Bool {
        e.cookie == entry.cookie && e.idleTimeout == entry.idleTimeout && e.hardTimeout == entry.hardTimeout && e.importance == entry.importance
            && e.entryFlags == entry.flags.rawValue && actions(of: e) == entry.actions
    }

    func hasRoom(for entry: FlowEntry, limit: UInt32) -> Bool {
        if limit == 0 { return true }
        var learned: UInt32 = 0
        tables[Int(entry.table)]?.forEachEntry { if $0.removedAt == .max, $0.cookie == entry.cookie { learned += 1 } }
        return learned < limit
    }

    /// Lowers an entry's time-outs to at most these (0: as it is), as `fin_timeout` asks.
    func reduceTimeouts(of e: EntryRecord, addedAt: UInt64, idle: UInt16, hard: UInt16) {
        // The memory may serve another entry by now.
        guard e.addedAt == addedAt, e.removedAt == .max else { return }
        if idle != 0, e.idleTimeout == 0 || e.idleTimeout > idle { e.idleTimeout = idle }
        if hard != 0, e.hardTimeout == 0 || e.hardTimeout > hard { e.hardTimeout = hard }
        let d = deadline(of: e)
        if d != .max { timers.push(d, e) }
        // A new version, so that workers look at the deadline before the next packet.
        hasPendingChanges = true
    }
}
