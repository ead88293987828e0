import Flow

/// What one walk through the tables did, step by step, for `weft trace`.
///
/// The translator fills it while it works, so what a trace tells is what forwarding does. Made for one packet, never in a worker's loop.
public final class TraceLog {
    public enum Step {
        /// A table was looked up with this flow; the entry that matched, or nil for a miss.
        case lookup(table: UInt8, flow: FlowKey, entry: FlowEntry?)
        /// An action of the current entry, group bucket or action set is about to run on this flow.
        case action(flow: FlowKey)
        case output(UInt32)
        case notSent(DropReason)
        case bucket(group: UInt32, bucket: UInt32)
        case actionSet([Action])
        case learned(FlowEntry)
        /// The rest of the walk goes on with the packet parsed anew.
        case recirculated
        /// A limit ended the walk.
        case failed(DropReason)
        /// The entry's (bucket's) actions are done; the flow as they left it.
        case done(flow: FlowKey)
    }

    public struct Item {
        /// Nesting of lookups, from 0.
        public var depth: Int
        public var step: Step
    }

    public private(set) var items: [Item] = []
    private var depth = 0
    private let tables: FlowTables

    init(tables: FlowTables) { self.tables = tables }

    private static func snapshot(_ key: UnsafePointer<UInt64>) -> FlowKey {
        var k = FlowKey()
        for w in 0..<FlowKeyLayout.wordCount { k.words[w] = key[w] }
        return k
    }

    func lookup(table: UInt8, key: UnsafePointer<UInt64>, entry: EntryRecord?) {
        items.append(Item(depth: depth, step: .lookup(table: table, flow: Self.snapshot(key), entry: entry.map { tables.entry($0) })))
        if entry != nil { depth += 1 }
    }

    func leave(key: UnsafePointer<UInt64>) {
        items.append(Item(depth: depth, step: .done(flow: Self.snapshot(key))))
        depth -= 1
    }

    func action(_ key: UnsafePointer<UInt64>) { items.append(Item(depth: depth, step: .action(flow: Self.snapshot(key)))) }

    func note(_ step: Step) { items.append(Item(depth: depth, step: step)) }
}
