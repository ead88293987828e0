import Flow

/// A flow entry in a table, with the times that its time-outs are counted from.
final class TableEntry {
    var entry: FlowEntry
    /// Nanoseconds; the hard time-out counts from here.
    var modified: UInt64
    /// Nanoseconds; the idle time-out counts from here.
    var used: UInt64
    /// The entry that took this one's place, which inherits its uses.
    var successor: TableEntry?

    init(_ entry: FlowEntry, modified: UInt64, used: UInt64) {
        self.entry = entry
        self.modified = modified
        self.used = used
    }

    var isConjunctive: Bool {
        entry.actions.contains { if case .conjunction = $0 { true } else { false } }
    }

    func isExpired(_ now: UInt64) -> Bool {
        let second: UInt64 = 1_000_000_000
        if entry.hardTimeout > 0, now >= modified + UInt64(entry.hardTimeout) * second { return true }
        return entry.idleTimeout > 0 && now >= used + UInt64(entry.idleTimeout) * second
    }

    func touch(_ now: UInt64) {
        var e = self
        while let next = e.successor { e = next }
        e.used = now
    }
}

/// All flow tables as lists in no particular order, and the rules for changing them (OpenFlow 1.3.5 §6.4, Open vSwitch for `learn`).
struct FlowTables {
    var tables: [[TableEntry]] = Array(repeating: [], count: 256)

    // MARK: Lookup

    /// The entry that a packet with this key meets: the highest priority; conjunctive entries stand for the entries with their `conj_id`
    /// when every clause of the conjunction is met at one priority (ovs-fields(7), "conjunctive match").
    func lookup(_ table: UInt8, _ key: FlowKey) -> TableEntry? {
        let matching = tables[Int(table)].filter { $0.entry.match.accepts(key) }
        let priorities = Set(matching.map(\.entry.priority)).sorted(by: >)
        for priority in priorities {
            let here = matching.filter { $0.entry.priority == priority }
            if let plain = here.first(where: { !$0.isConjunctive }) { return plain }
            for id in FlowTables.satisfied(here) {
                var withID = key
                withID[.conjunctionID] = UInt64(id)
                let plain = tables[Int(table)].filter { !$0.isConjunctive && $0.entry.match.accepts(withID) }
                if let best = plain.max(by: { $0.entry.priority < $1.entry.priority }) { return best }
            }
        }
        return nil
    }

    /// The conjunctions all of whose clauses occur among `entries`, lowest first.
    private static func satisfied(_ entries: [TableEntry]) -> [UInt32] {
        var clauses: [UInt32: (met: Set<Int>, count: Int)] = [:]
        for entry in entries {
            for case .conjunction(let id, let clause, let count) in entry.entry.actions {
                clauses[id, default: ([], count)].met.insert(clause)
            }
        }
        return clauses.filter { $0.value.met.count == $0.value.count }.keys.sorted()
    }

    // MARK: Changes

    mutating func expire(_ now: UInt64) {
        var gone: [TableEntry] = []
        for t in tables.indices {
            gone += tables[t].filter { $0.isExpired(now) }
            tables[t].removeAll { $0.isExpired(now) }
        }
        forgetLearned(by: gone)
    }

    mutating func add(_ entry: FlowEntry, _ now: UInt64) {
        let t = Int(entry.table)
        let new = TableEntry(entry, modified: now, used: now)
        if let i = tables[t].firstIndex(where: { $0.entry.priority == entry.priority && $0.entry.match == entry.match }) {
            replace(t, i, by: new)
        } else {
            tables[t].append(new)
        }
    }

    private mutating func replace(_ t: Int, _ i: Int, by new: TableEntry) {
        let old = tables[t][i]
        new.used = old.used
        old.successor = new
        tables[t][i] = new
        forgetLearned(by: [old])
    }

    /// Gives the selected entries new actions; a cookie other than 0 replaces theirs when the cookie does not select.
    mutating func modify(_ entry: FlowEntry, strict: Bool, anyTable: Bool, cookieMask: UInt64, _ now: UInt64) {
        for (t, i) in selected(entry, strict: strict, anyTable: anyTable, cookieMask: cookieMask) {
            modify(t, i, actions: entry.actions, cookie: cookieMask == 0 && entry.cookie != 0 ? entry.cookie : nil, now)
        }
    }

    private mutating func modify(_ t: Int, _ i: Int, actions: [Action], cookie: UInt64?, _ now: UInt64) {
        var changed = tables[t][i].entry
        changed.actions = actions
        if let cookie { changed.cookie = cookie }
        replace(t, i, by: TableEntry(changed, modified: now, used: now))
    }

    mutating func delete(_ entry: FlowEntry, strict: Bool, anyTable: Bool, cookieMask: UInt64, outPort: UInt32?) {
        var gone: [TableEntry] = []
        for (t, i) in selected(entry, strict: strict, anyTable: anyTable, cookieMask: cookieMask).reversed() {
            if let outPort, !tables[t][i].entry.actions.contains(where: { $0.outputs(to: outPort) }) { continue }
            gone.append(tables[t].remove(at: i))
        }
        forgetLearned(by: gone)
    }

    private func selected(_ entry: FlowEntry, strict: Bool, anyTable: Bool, cookieMask: UInt64) -> [(Int, Int)] {
        var found: [(Int, Int)] = []
        for t in anyTable ? Array(0..<255) : [Int(entry.table)] {
            for (i, e) in tables[t].enumerated() {
                if (e.entry.cookie ^ entry.cookie) & cookieMask != 0 { continue }
                let isMatch = strict ? e.entry.match == entry.match && e.entry.priority == entry.priority : e.entry.match.isWithin(entry.match)
                if isMatch { found.append((t, i)) }
            }
        }
        return found
    }

    // MARK: Learning

    /// Adds or refreshes a learned entry; false when `limit` stood against it.
    mutating func learn(_ entry: FlowEntry, limit: UInt32, _ now: UInt64) -> Bool {
        let t = Int(entry.table)
        let existing = tables[t].firstIndex { $0.entry.priority == entry.priority && $0.entry.match == entry.match }
        if let i = existing {
            let e = tables[t][i].entry
            if e.idleTimeout == entry.idleTimeout && e.hardTimeout == entry.hardTimeout && e.importance == entry.importance
                && e.flags == entry.flags && e.cookie == entry.cookie && e.actions == entry.actions
            {
                tables[t][i].modified = now
                return true
            }
        }
        if limit > 0, tables[t].filter({ $0.entry.cookie == entry.cookie }).count >= Int(limit) { return false }
        if let i = existing {
            modify(t, i, actions: entry.actions, cookie: entry.cookie, now)
        } else {
            tables[t].append(TableEntry(entry, modified: now, used: now))
        }
        return true
    }

    /// Deletes what the vanished entries had learned with `delete_learned`, unless another entry still learns into that table and cookie.
    private mutating func forgetLearned(by gone: [TableEntry]) {
        for learn in gone.flatMap({ $0.entry.actions.deletingLearns }) {
            let isStillLearned = tables.joined().contains { e in
                e.entry.actions.deletingLearns.contains { $0.table == learn.table && $0.cookie == learn.cookie }
            }
            if isStillLearned { continue }
            let t = Int(learn.table)
            let forgotten = tables[t].filter { $0.entry.cookie == learn.cookie }
            tables[t].removeAll { $0.entry.cookie == learn.cookie }
            forgetLearned(by: forgotten)
        }
    }
}

extension [Action] {
    /// The `learn` actions with `delete_learned`, also inside other actions.
    var deletingLearns: [Learn] {
        flatMap { action -> [Learn] in
            switch action {
            case .learn(let l): l.deleteLearned ? [l] : []
            case .clone(let inner), .writeActions(let inner): inner.deletingLearns
            default: []
            }
        }
    }
}

extension Action {
    /// Whether `delete … out_port=` selects an entry by this action.
    func outputs(to port: UInt32) -> Bool {
        switch self {
        case .output(let p, _): p == port
        case .enqueue(let p, _): p == port
        case .controller: port == ReservedPort.controller
        case .clone(let inner), .writeActions(let inner): inner.contains { $0.outputs(to: port) }
        default: false
        }
    }
}
