import Flow

/// Entries and their counters, for people and controllers.
extension FlowTables {
    func actions(of e: EntryRecord) -> [Action] { actionSources[e.actions.source] ?? [] }

    func entry(_ e: EntryRecord) -> FlowEntry {
        FlowEntry(
            table: e.table, priority: e.priority, match: e.match, actions: actions(of: e), cookie: e.cookie, idleTimeout: e.idleTimeout,
            hardTimeout: e.hardTimeout, importance: e.importance, flags: FlowEntry.Flags(rawValue: e.entryFlags))
    }

    /// Every live entry with its counters, by table, falling priority, then age. Call `collectStatistics` first for counters to the packet.
    public func entries() -> [(entry: FlowEntry, packets: UInt64, bytes: UInt64, lastUsed: UInt64)] {
        var records: [EntryRecord] = []
        for t in tables.compactMap({ $0 }) { t.forEachEntry { if $0.removedAt == .max { records.append($0) } } }
        records.sort { ($0.table, $1.priority, $0.ordinal) < ($1.table, $0.priority, $1.ordinal) }
        return records.map { (entry($0), $0.packets.pointee, $0.bytes.pointee, $0.lastUsed) }
    }

    func statistics(_ e: EntryRecord) -> FlowStatistics {
        FlowStatistics(
            entry: entry(e), packets: e.packets.pointee, bytes: e.bytes.pointee, created: e.created, modified: e.modified, lastUsed: e.lastUsed)
    }

    /// Visits live entries, in no order; of one table, or of all for nil. Call `collectStatistics` first for counters to the packet.
    public func forEachEntry(table: UInt8?, _ body: (FlowStatistics) -> Void) {
        for t in tables.compactMap({ $0 }) where table == nil || t.id == table {
            t.forEachEntry { if $0.removedAt == .max { body(statistics($0)) } }
        }
    }

    /// Visits live entries by table, falling priority, then age, holding the tables only for some entries at a time: what is added meanwhile is
    /// not visited, nor what has gone until its turn. Not for who holds them already. For nil, all tables.
    public func visitInOrder(table: UInt8?, _ body: (FlowStatistics) -> Void) {
        struct Place {
            var rank: UInt64
            var entry: EntryRecord
            var addedAt: UInt64
        }
        var places: [Place] = []
        withOwnership {
            for t in tables.compactMap({ $0 }) where table == nil || t.id == table {
                t.forEachEntry { e in
                    guard e.removedAt == .max else { return }
                    let rank = UInt64(e.table) << 48 | UInt64(~e.priority) << 32 | UInt64(e.ordinal)
                    places.append(Place(rank: rank, entry: e, addedAt: e.addedAt))
                }
            }
        }
        places.sort { $0.rank < $1.rank }
        var next = 0
        while next < places.count {
            withOwnership {
                let end = Swift.min(next + 256, places.count)
                while next < end {
                    let place = places[next]
                    next += 1
                    // The memory may serve another entry by now.
                    if place.entry.removedAt == .max, place.entry.addedAt == place.addedAt { body(statistics(place.entry)) }
                }
            }
        }
    }

    public var groupStatistics: [GroupStatistics] { groups.statistics }
    public var meterStatistics: [MeterStatistics] { meters.statistics }
    public func hasGroup(_ id: UInt32) -> Bool { groups[id] != nil }
    public func hasMeter(_ id: UInt32) -> Bool { meters.contains(id) }

    /// Makes actions ready for `Worker.inject`. Owner only.
    public func compile(_ actions: [Action]) -> CompiledActions {
        sides.recent = []
        let record = ActionRecord(words: compiler.compile(actions), source: 0)
        return CompiledActions(record: record, sides: sides.recent)
    }

    /// Gives back what `compile` made, once no worker uses it. Owner only.
    public func release(_ actions: CompiledActions) {
        sides.release(actions.sides)
        actions.record.deallocate()
    }

    /// Live entries of one table that a trace may compare with a packet, in falling priority.
    func records(inTable id: UInt8) -> [EntryRecord] {
        var records: [EntryRecord] = []
        tables[Int(id)]?.forEachEntry { if $0.removedAt == .max { records.append($0) } }
        records.sort { ($1.priority, $0.ordinal) < ($0.priority, $1.ordinal) }
        return records
    }

    /// Number of entries by table.
    public var entryCounts: [(table: UInt8, count: Int)] {
        tables.compactMap { t in
            guard let t else { return nil }
            var n = 0
            t.forEachEntry { if $0.removedAt == .max { n += 1 } }
            return n == 0 ? nil : (t.id, n)
        }
    }

    /// Bytes of entries and lookup structures.
    public var byteCount: Int { slab.byteCount + tables.reduce(0) { $0 + ($1?.byteCount ?? 0) } }
}
