import Flow

/// One entry of the replies to `flow`, `flow-desc` and `flow-stats` (OpenFlow 1.3.5 §A.3.5.2, 1.5.1 §7.3.5.2).
public struct FlowStatistics: Hashable, Sendable {
    public var entry: FlowEntry
    public var counters: FlowCounters

    public init(_ entry: FlowEntry, _ counters: FlowCounters) {
        self.entry = entry
        self.counters = counters
    }

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < (s.version >= .v15 ? 32 : 56) || length - 2 > r.remaining {
            throw OpenFlowError(.badRequestLength, "An entry of \(length) bytes does not fit into its list.")
        }
        let outer = r.enter(length - 2)
        counters = FlowCounters()
        var e = FlowEntry()
        if s.version >= .v15 { r.skip(2) }
        e.table = r.u8()
        r.skip(1)
        if s.version < .v15 {
            counters.seconds = r.u32()
            counters.nanoseconds = r.u32()
        }
        e.priority = r.u16()
        e.idleTimeout = r.u16()
        e.hardTimeout = r.u16()
        e.flags = FlowEntry.Flags(rawValue: UInt8(truncatingIfNeeded: r.u16() & 0x1f))
        let importance = r.u16()
        if s.version >= .v14 { e.importance = importance }
        if s.version < .v15 { r.skip(2) }
        e.cookie = r.u64()
        if s.version < .v15 {
            counters.packets = r.u64()
            counters.bytes = r.u64()
        }
        try r.match(&s.draft)
        e.match = s.draft.finish()
        if s.version >= .v15 { counters = try FlowCounters(oxs: &r) }
        e.actions = try r.instructions(&s, table: e.table)
        r.leave(outer)
        entry = e
    }

    func write(_ w: inout WireWriter) {
        let start = w.count
        w.u16(0)
        if w.version >= .v15 { w.u16(0) }
        w.u8(entry.table)
        w.u8(0)
        if w.version < .v15 {
            w.u32(counters.seconds)
            w.u32(counters.nanoseconds)
        }
        w.u16(entry.priority)
        w.u16(entry.idleTimeout)
        w.u16(entry.hardTimeout)
        w.u16(UInt16(entry.flags.rawValue))
        w.u16(w.version >= .v14 ? entry.importance : 0)
        if w.version < .v15 { w.u16(0) }
        w.u64(entry.cookie)
        if w.version < .v15 {
            w.u64(counters.packets)
            w.u64(counters.bytes)
        }
        w.match(entry.match)
        if w.version >= .v15 { counters.writeOXS(&w) }
        w.instructions(entry.actions, entry.match)
        w.set16(w.count - start, at: start)
    }

    /// The form of `OFPMP_FLOW_STATS`: table, priority, match, counters.
    init(statsOnly r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < 16 || length - 2 > r.remaining {
            throw OpenFlowError(.badRequestLength, "An entry of \(length) bytes does not fit into its list.")
        }
        let outer = r.enter(length - 2)
        r.skip(2)
        entry = FlowEntry(table: r.u8())
        r.skip(1)
        entry.priority = r.u16()
        try r.match(&s.draft)
        entry.match = s.draft.finish()
        counters = try FlowCounters(oxs: &r)
        r.leave(outer)
    }

    func writeStatsOnly(_ w: inout WireWriter) {
        let start = w.count
        w.u16(0)
        w.u16(0)
        w.u8(entry.table)
        // OFPFSR_STATS_REQUEST
        w.u8(0)
        w.u16(entry.priority)
        w.match(entry.match)
        counters.writeOXS(&w)
        w.set16(w.count - start, at: start)
    }
}
