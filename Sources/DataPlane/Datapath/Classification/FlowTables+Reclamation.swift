import Flow

/// Time-outs, and memory that no worker can reach any more.
extension FlowTables {
    /// The earliest moment at which some entry may expire; `.max` when none can.
    public var nextDeadline: UInt64 { timers.first ?? .max }

    func deadline(of e: EntryRecord) -> UInt64 {
        var d = UInt64.max
        if e.idleTimeout != 0 { d = Swift.min(d, e.lastUsed &+ UInt64(e.idleTimeout) * 1_000_000_000) }
        if e.hardTimeout != 0 { d = Swift.min(d, e.modified &+ UInt64(e.hardTimeout) * 1_000_000_000) }
        return d
    }

    /// Removes and publishes every entry whose time is up at `now`; returns how many.
    @discardableResult public func expire(now: UInt64) -> Int {
        guard nextDeadline <= now else { return 0 }
        collectStatistics()
        var expired = 0
        while let first = timers.first, first <= now {
            let item = timers.pop()
            let e = item.entry
            // The memory may serve another entry by now, which has a timer of its own.
            guard e.addedAt == item.addedAt, e.removedAt == .max else { continue }
            let d = deadline(of: e)
            if d <= now {
                let isHard = e.hardTimeout != 0 && e.modified &+ UInt64(e.hardTimeout) * 1_000_000_000 <= now
                withdraw(e, reason: isHard ? .hardTimeout : .idleTimeout)
                expired += 1
            } else {
                timers.push(d, e)
            }
        }
        expiredCount += expired
        if expired > 0 { publish() }
        return expired
    }

    // MARK: - Reclamation

    /// Registers a worker, whose epoch then holds back reclamation.
    func register(_ reader: ReaderEpoch) { readers.append(reader) }
    func unregister(_ reader: ReaderEpoch) { readers.removeAll { $0 === reader } }

    func reclaim() {
        if limbo.isEmpty, uncollected.isEmpty { return }
        let current = version
        var safe = current
        var collected = current
        for r in readers {
            safe = Swift.min(safe, r.version)
            collected = Swift.min(collected, r.version, r.collectedVersion)
        }
        // Freeing an entry retires lists in turn, which are appended with the next version and so wait.
        while let what = limbo.take(reached: safe) {
            switch what {
            case .memory(let p): p.deallocate()
            case .actions(let r): r.deallocate()
            case .sides(let ids): sides.release(ids)
            case .entry(let e):
                table(e.table).remove(e, retire: retire)
                uncollected.append(e, version: current + 1)
            }
        }
        while let e = uncollected.take(reached: collected) {
            release(e.actions)
            slab.deallocate(e, words: e.mask.count)
        }
    }
}
