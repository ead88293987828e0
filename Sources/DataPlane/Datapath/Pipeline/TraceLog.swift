import Flow

/// What one walk through the tables did, step by step, for `weft trace`.
///
/// The translator fills it while it works, so what a trace tells is what forwarding does. Made for one packet, never in a worker's loop.
///
/// Actions are told from the compiled words that run: whenever a list of actions is entered, the addresses at which its actions begin are noted,
/// and a later step finds its action by address. A walk that is resumed after recirculation stands on the same words, so it needs nothing else.
public final class TraceLog {
    /// An entry that outranks the one that matched, and what it asks for that the packet does not have.
    public struct Refusal: Sendable {
        public var entry: FlowEntry
        /// The words of the key in which the packet differs; empty when all fields match and the entry is a clause of a conjunction.
        public var words: [Match.Word]
    }

    public enum Step: Sendable {
        /// A table was looked up with this flow; the entry that matched, or nil for a miss. `refusals` are entries above it, at most the limit asked
        /// for; `refusalCount` is how many there are.
        case lookup(table: UInt8, flow: FlowKey, entry: FlowEntry?, refusals: [Refusal], refusalCount: Int)
        /// An action is about to run on this flow.
        case action(Action, flow: FlowKey)
        case output(UInt32)
        case notSent(DropReason)
        /// The actions of a group's bucket follow, one level deeper, on a copy.
        case bucket(group: UInt32, kind: Group.Kind, bucket: UInt32)
        /// The actions of a clone follow, one level deeper.
        case clone
        /// The action set follows, one level deeper.
        case actionSet([Action])
        case learned(FlowEntry)
        /// The rest of the walk goes on with the packet parsed anew.
        case recirculated
        /// It goes on here, with this flow.
        case resumed(flow: FlowKey)
        /// A limit was exceeded here; all that the packet would have become is discarded.
        case failed(DropReason)
        /// The list of actions is done; the flow as they left it.
        case done(flow: FlowKey)
    }

    public struct Item: Sendable {
        /// Nesting of lookups, buckets, clones and action sets, from 0.
        public var depth: Int
        public var step: Step
    }

    public private(set) var items: [Item] = []
    private var depth = 0
    private let tables: FlowTables
    private let refusalLimit: Int
    private let compiler = ActionCompiler(sides: SideStore())
    private var actions: [UnsafePointer<UInt64>: [Action]] = [:]
    private var hasFailed = false

    /// - Parameter refusalLimit: how many entries above the matching one are noted per lookup.
    init(tables: FlowTables, refusalLimit: Int = 0) {
        self.tables = tables
        self.refusalLimit = refusalLimit
    }

    static func snapshot(_ key: UnsafePointer<UInt64>) -> FlowKey {
        var k = FlowKey()
        for w in 0..<FlowKeyLayout.wordCount { k.words[w] = key[w] }
        return k
    }

    /// Notes where the actions of a compiled list begin. Those that compile to nothing are told with the one behind them.
    private func register(_ list: [Action], at start: UnsafePointer<UInt64>) {
        var at = start
        var waiting: [Action] = []
        for action in list {
            let count = compiler.compile([action]).count - 1
            if count == 0 {
                waiting.append(action)
                continue
            }
            actions[at] = waiting + [action]
            waiting = []
            if case .clone(let nested) = action { register(nested, at: at + 1) }
            at += count
        }
    }

    func lookup(table: UInt8, key: UnsafePointer<UInt64>, entry: EntryRecord?) {
        let flow = Self.snapshot(key)
        let told = entry.map { tables.entry($0) }
        let (refusals, count) = refusalLimit > 0 ? refused(table: table, flow, below: entry?.priority) : ([], 0)
        items.append(Item(depth: depth, step: .lookup(table: table, flow: flow, entry: told, refusals: refusals, refusalCount: count)))
        guard let entry, let told else { return }
        register(told.actions, at: entry.actions.ops)
        depth += 1
    }

    /// The entries that would have won.
    private func refused(table: UInt8, _ flow: FlowKey, below priority: UInt16?) -> ([Refusal], Int) {
        var refusals: [Refusal] = []
        var count = 0
        for record in tables.records(inTable: table) where priority == nil || record.priority > priority! {
            count += 1
            if refusals.count >= refusalLimit { continue }
            let entry = tables.entry(record)
            refusals.append(Refusal(entry: entry, words: entry.match.words.filter { flow.words[$0.index] & $0.mask != $0.value }))
        }
        return (refusals, count)
    }

    func action(_ key: UnsafePointer<UInt64>, _ at: UnsafePointer<UInt64>) {
        for action in actions[at] ?? [] { note(.action(action, flow: Self.snapshot(key))) }
    }

    /// A bucket's actions follow.
    func enter(group: Group, bucket: Int, at start: UnsafePointer<UInt64>) {
        note(.bucket(group: group.id, kind: group.kind, bucket: group.buckets[bucket].id))
        register(ActionSet.ordered(group.buckets[bucket].actions), at: start)
        depth += 1
    }

    func enterClone() {
        note(.clone)
        depth += 1
    }

    func enter(actionSet list: [Action], at start: UnsafePointer<UInt64>) {
        note(.actionSet(list))
        register(list, at: start)
        depth += 1
    }

    /// The innermost list is done, or was left because a limit was exceeded.
    func leave(_ key: UnsafePointer<UInt64>, failure: DropReason?) {
        if let failure, !hasFailed {
            hasFailed = true
            note(.failed(failure))
        }
        note(.done(flow: Self.snapshot(key)))
        depth -= 1
    }

    /// The walk goes on with a packet parsed anew.
    func resume(_ key: UnsafePointer<UInt64>) {
        depth = 0
        hasFailed = false
        note(.resumed(flow: Self.snapshot(key)))
    }

    func note(_ step: Step) { items.append(Item(depth: depth, step: step)) }
}
