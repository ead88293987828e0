import CLinux
import Flow
import Synchronization

/// All flow tables, groups and meters of one forwarding element, and their only writer.
///
/// **Publication.** Every entry is valid for a range of *versions* [`addedAt`, `removedAt`). Changes are prepared for the next version and
/// become visible together when `publish()` stores it; a worker reads the version once per batch and sees exactly that state, however
/// many changes follow meanwhile. So publication costs nothing per table and a set of changes is atomic.
///
/// **Reclamation.** What readers may still hold (removed entries, replaced lists) waits in `limbo` until every registered worker has begun a
/// batch at or after the version that retired it.
///
/// **Caches** learn of changes from `changes`, the last publications with the matches they touched; see `ChangeLog`.
///
/// Not thread-safe: one thread at a time may call it (the *owner*); workers only read through `TableHead`.
public final class FlowTables: @unchecked Sendable {
    public let limits: Limits
    public let ports: PortRegistry
    let sides = SideStore()
    let changes = ChangeLog()
    let learning = LearningTable()
    let meters = MeterStore()
    let groups = GroupStore()
    var compiler: ActionCompiler
    var tables: [FlowTable?] = Array(repeating: nil, count: 256)
    /// 256 table heads, then the published version.
    let shared: UnsafeMutablePointer<UInt64>
    static let versionWord = 256 * TableHead.wordCount
    var slab = EntrySlab()
    var nextOrdinal: UInt32 = 0

    var masks: [[UInt64]: MaskRecord] = [:]
    var lastMask: MaskRecord?
    var actionRecords: [[Action]: ActionRecord] = [:]
    var actionSources: [[Action]?] = []
    /// The side objects that each source's compiled actions name.
    var sourceSides: [Int: [UInt32]] = [:]
    var freeSources: [Int] = []
    /// What is known of a list of actions.
    struct InternedActions {
        var source: [Action]
        var record: ActionRecord
        /// The `learn` actions with `delete_learned`.
        var learns: [Learn]
        var isConjunctive: Bool
    }
    var lastActions: InternedActions?

    var limbo = RetirementQueue<Retired>()
    /// Out of the lookup structures; a worker that has not collected its statistics since may still count for them.
    var uncollected = RetirementQueue<EntryRecord>()
    enum Retired {
        case memory(UnsafeMutableRawPointer)
        /// Invisible to new readers, still in the lookup structures.
        case entry(EntryRecord)
        case actions(ActionRecord)
        case sides([UInt32])
    }
    struct Learner: Hashable {
        var table: UInt8
        var cookie: UInt64
    }
    /// How many `learn` actions with `delete_learned` there are for a table and cookie.
    var learners: [Learner: Int] = [:]
    var readers: [ReaderEpoch] = []
    var timers = DeadlineHeap()
    var hasPendingChanges = false
    var dirtyTables: Set<UInt8> = []
    var lastDirtyTable: UInt8?
    /// While a transaction is open: how to undo what was done, in order.
    var journal: [Undo]?
    /// What is to be told once it is certain.
    var held: [Told] = []
    enum Told {
        case addition(FlowEntry, isNew: Bool)
        case removal(FlowRemoval)
    }
    var isModifying = false
    enum Undo {
        case added(FlowEntry)
        case withdrawn(FlowStatistics, ordinal: UInt32)
        case group(UInt32, was: Group?)
        case meter(UInt32, was: Meter?)
    }
    /// Told of every entry that is added, also in place of another one, or, with `isNew` false, given other actions; of a transaction's when all of it
    /// is done. Owner only.
    public var onAddition: ((_ entry: FlowEntry, _ isNew: Bool) -> Void)?
    /// Whether `onRemoval` is told also while no entry was ever added that asks for it (`sendFlowRemoved`). Owner only.
    public var tellsEveryRemoval = true
    /// Told of entries that end other than by being replaced, before they go; see `tellsEveryRemoval`. Owner only.
    public var onRemoval: ((FlowRemoval) -> Void)?
    /// Called before idle time-outs are judged, so that what workers counted has reached the entries.
    public var collectStatistics: () -> Void = {}
    public internal(set) var entryCount = 0
    /// Entries that timed out so far.
    public internal(set) var expiredCount = 0

    public init(limits: Limits = Limits(), ports: PortRegistry = PortRegistry()) {
        self.limits = limits
        self.ports = ports
        compiler = ActionCompiler(sides: sides)
        shared = .allocate(capacity: Self.versionWord + 8)
        shared.initialize(repeating: 0, count: Self.versionWord + 8)
        weft_store_release_u64(shared + Self.versionWord, 1)
    }

    deinit {
        for record in masks.values { record.deallocate() }
        for record in actionRecords.values { record.deallocate() }
        while let what = limbo.take(reached: .max) {
            switch what {
            case .memory(let p): p.deallocate()
            case .actions(let r): r.deallocate()
            case .entry, .sides: break
            }
        }
        tables = []
        shared.deallocate()
    }

    /// The version that workers see.
    public var version: UInt64 { weft_load_acquire_u64(shared + Self.versionWord) }
    /// The version being prepared.
    var nextVersion: UInt64 { version + 1 }

    @inline(__always) static func head(_ shared: UnsafeMutablePointer<UInt64>, _ table: Int) -> TableHead {
        TableHead(base: shared + table &* TableHead.wordCount)
    }

    func table(_ id: UInt8) -> FlowTable {
        if let t = tables[Int(id)] { return t }
        let t = FlowTable(id: id, head: Self.head(shared, Int(id)))
        tables[Int(id)] = t
        return t
    }

    func retire(_ p: UnsafeMutableRawPointer) { limbo.append(.memory(p), version: nextVersion) }

    // MARK: - Changes

    /// Prepares one change; visible after `publish()`.
    ///
    /// - Parameter now: nanoseconds on the clock of the packets.
    public func apply(_ modification: FlowModification, now: UInt64) throws(FlowTableError) {
        switch modification {
        case .flow(.add, let entry, _, _, _): try add(entry, now: now)
        case .flow(let command, let entry, let anyTable, let cookieMask, let outPort):
            try modifyOrDelete(command, entry, anyTable: anyTable, cookieMask: cookieMask, outPort: outPort, now: now)
        case .addGroup(let group):
            registerPorts(group.buckets.flatMap(\.actions))
            try groups.add(group, compiler: compiler)
            journal?.append(.group(group.id, was: nil))
            changes.noteGroupChange()
        case .modifyGroup(let group):
            registerPorts(group.buckets.flatMap(\.actions))
            let was = groups[group.id]?.group
            try groups.modify(group, compiler: compiler)
            journal?.append(.group(group.id, was: was))
            changes.noteGroupChange()
        case .deleteGroup(let id):
            if journal != nil {
                for g in groups.statistics where id == nil || g.group.id == id { journal?.append(.group(g.group.id, was: g.group)) }
            }
            groups.delete(id)
            withdrawEntries(reason: .groupDelete) { actions in
                actions.contains { if case .group(let g) = $0 { id == nil || g == id } else { false } }
            }
            changes.noteGroupChange()
        case .addMeter(let meter):
            try meters.add(meter)
            journal?.append(.meter(meter.id, was: nil))
            changes.noteGroupChange()
        case .modifyMeter(let meter):
            let was = meters[meter.id]
            try meters.modify(meter)
            journal?.append(.meter(meter.id, was: was))
            changes.noteGroupChange()
        case .deleteMeter(let id):
            if journal != nil {
                for m in meters.statistics where id == nil || m.meter.id == id { journal?.append(.meter(m.meter.id, was: m.meter)) }
            }
            meters.delete(id)
            withdrawEntries(reason: .meterDelete) { actions in
                actions.contains { if case .meter(let m) = $0 { id == nil || m == id } else { false } }
            }
            changes.noteGroupChange()
        }
        hasPendingChanges = true
    }

    /// Adds an entry; one with the same table, match and priority is replaced (OpenFlow 1.3.5 §6.4).
    ///
    /// Entries of one priority that both match are not told apart by OpenFlow (§5.3); here the one added first acts, and what changes or replaces an
    /// entry has its age.
    public func add(_ entry: FlowEntry, now: UInt64) throws(FlowTableError) { try add(entry, now: now, ordinal: nil) }

    /// - Parameter ordinal: the age of an entry that comes back; nil: new, or that of the entry which it replaces.
    func add(_ entry: FlowEntry, now: UInt64, ordinal: UInt32?) throws(FlowTableError) {
        guard entry.table < 255 else { throw .tableOutOfRange(entry.table) }
        let mask = intern(entry.match)
        let t = table(entry.table)
        if entry.flags.contains(.checkOverlap), overlaps(entry) { throw .overlap(table: entry.table, priority: entry.priority) }
        let actions = interned(entry.actions)
        let words = entry.match.words
        let record = slab.allocate(words: words.count)
        record.packets.pointee = 0
        record.bytes.pointee = 0
        record.mask = mask
        for i in 0..<words.count { record.values[i] = words[i].value }
        for l in actions.learns { learners[Learner(table: l.table, cookie: l.cookie), default: 0] += 1 }
        record.lastUsed = now
        var ordinal = ordinal
        if let existing = t.find(mask: mask, values: record.values, priority: entry.priority) {
            // The idle time goes on (Open vSwitch: "used" is handed over).
            if entry.idleTimeout != 0 {
                collectStatistics()
                record.lastUsed = existing.lastUsed
            }
            ordinal = ordinal ?? existing.ordinal
            withdraw(existing)
        }
        if ordinal == nil {
            ordinal = nextOrdinal
            nextOrdinal &+= 1
        }
        record.created = now
        record.modified = now
        record.cookie = entry.cookie
        record.addedAt = nextVersion
        record.removedAt = .max
        record.actions = actions.record
        actions.record.references += 1
        record.priority = entry.priority
        record.idleTimeout = entry.idleTimeout
        record.hardTimeout = entry.hardTimeout
        record.table = entry.table
        record.importance = entry.importance
        record.entryFlags = entry.flags.rawValue
        var flags: UInt8 = 0
        if actions.isConjunctive { flags |= EntryRecord.Flag.conjunctive }
        if !actions.learns.isEmpty { flags |= EntryRecord.Flag.deletesLearned }
        record.flags = flags
        record.ordinal = ordinal!
        t.insert(record, retire: retire)
        if lastDirtyTable != entry.table {
            dirtyTables.insert(entry.table)
            lastDirtyTable = entry.table
        }
        entryCount += 1
        if entry.flags.contains(.sendFlowRemoved) { mayTellRemovals = true }
        changes.note(record)
        journal?.append(.added(entry))
        if let onAddition {
            if journal == nil { onAddition(entry, !isModifying) } else { held.append(.addition(entry, isNew: !isModifying)) }
        }
        if entry.idleTimeout != 0 || entry.hardTimeout != 0 { timers.push(deadline(of: record), record) }
        hasPendingChanges = true
    }

    /// Ends the life of every entry whose actions, written ones included, are such (OpenFlow 1.3.5 §6.5, §6.6: entries that use a deleted group or
    /// meter go with it).
    func withdrawEntries(reason: FlowRemoval.Reason, _ isSuch: ([Action]) -> Bool) {
        var selected: [EntryRecord] = []
        for t in tables.compactMap({ $0 }) {
            t.forEachEntry { e in if e.removedAt == .max, self.actions(of: e).flattened(isSuch) { selected.append(e) } }
        }
        for e in selected where e.removedAt == .max { withdraw(e, reason: reason) }
    }

    /// Ends an entry's life at the next version.
    func withdraw(_ record: EntryRecord, reason: FlowRemoval.Reason? = nil) {
        if let reason, let onRemoval, mayTellRemovals || tellsEveryRemoval {
            let removal = FlowRemoval(statistics: statistics(record), reason: reason)
            if journal == nil { onRemoval(removal) } else { held.append(.removal(removal)) }
        }
        journal?.append(.withdrawn(statistics(record), ordinal: record.ordinal))
        record.removedAt = nextVersion
        entryCount -= 1
        limbo.append(.entry(record), version: nextVersion)
        changes.note(record)
        hasPendingChanges = true
        if record.flags & EntryRecord.Flag.deletesLearned != 0 { forgetLearned(by: record) }
    }

    /// Withdraws what a vanished entry had learned with `delete_learned`, unless another entry still learns into that table with that cookie.
    func forgetLearned(by record: EntryRecord) {
        for l in actions(of: record).deletingLearns {
            let learner = Learner(table: l.table, cookie: l.cookie)
            let left = learners[learner, default: 1] - 1
            learners[learner] = left == 0 ? nil : left
            guard left == 0 else { continue }
            var learned: [EntryRecord] = []
            tables[Int(l.table)]?.forEachEntry { if $0.removedAt == .max, $0.cookie == l.cookie { learned.append($0) } }
            for e in learned where e.removedAt == .max { withdraw(e, reason: .delete) }
        }
    }

    func overlaps(_ entry: FlowEntry) -> Bool {
        var found = false
        tables[Int(entry.table)]?.forEachEntry {
            if $0.removedAt == .max, $0.priority == entry.priority, $0.match.overlaps(entry.match) { found = true }
        }
        return found
    }

    /// Whether an entry was ever added whose end is to be told, with what it has counted until then.
    public internal(set) var mayTellRemovals = false

    func modifyOrDelete(
        _ command: FlowModification.FlowCommand, _ pattern: FlowEntry, anyTable: Bool, cookieMask: UInt64, outPort: UInt32?, now: UInt64
    ) throws(FlowTableError) {
        let isStrict = command == .modifyStrict || command == .deleteStrict
        var selected: [EntryRecord] = []
        func consider(_ e: EntryRecord) {
            guard e.removedAt == .max, (e.cookie ^ pattern.cookie) & cookieMask == 0 else { return }
            if let outPort, !actions(of: e).contains(where: { $0 == .output(port: outPort) }) { return }
            selected.append(e)
        }
        func select(in t: FlowTable) {
            if isStrict {
                // At most one, which is looked up.
                if let e = find(pattern, in: t) { consider(e) }
            } else {
                t.forEachEntry { e in if e.match.isWithin(pattern.match) { consider(e) } }
            }
        }
        if !anyTable {
            if let t = tables[Int(pattern.table)] { select(in: t) }
        } else {
            for t in tables.compactMap({ $0 }) { select(in: t) }
        }
        selected.sort { $0.ordinal < $1.ordinal }
        for e in selected where e.removedAt == .max {
            if command == .delete || command == .deleteStrict {
                withdraw(e, reason: .delete)
            } else {
                // A cookie that does not select is given to the entry.
                try modify(e, actions: pattern.actions, cookie: cookieMask == 0 && pattern.cookie != 0 ? pattern.cookie : nil, now: now)
            }
        }
    }

    /// Gives an entry other actions; time-outs, flags and counters stay, the hard time-out begins anew.
    func modify(_ e: EntryRecord, actions: [Action], cookie: UInt64?, now: UInt64) throws(FlowTableError) {
        var entry = self.entry(e)
        entry.actions = actions
        entry.flags.remove(.checkOverlap)
        if let cookie { entry.cookie = cookie }
        let (packets, bytes, created) = (e.packets.pointee, e.bytes.pointee, e.created)
        isModifying = true
        defer { isModifying = false }
        try add(entry, now: now)
        if let fresh = table(e.table).find(mask: e.mask, values: e.values, priority: e.priority) {
            fresh.packets.pointee = packets
            fresh.bytes.pointee = bytes
            fresh.created = created
        }
    }

    /// Held by whoever acts as the owner while several workers run: effects of programs, expiry, changes from outside.
    let owner = Mutex(())

    /// Runs something as the owner, while workers may be running: the only way to call anything else here in a live switch.
    public func withOwnership<R>(_ body: () throws -> R) rethrows -> R { try owner.withLock { _ in try body() } }

    /// Tells that ports were attached or detached, or that their state changed: floods and failover groups are worked out anew after `publish`.
    public func portsChanged() {
        changes.noteEverything()
        hasPendingChanges = true
    }

    /// Makes all prepared changes visible at once and frees what no worker can reach.
    public func publish() {
        if hasPendingChanges {
            for t in dirtyTables { table(t).settle(retire: retire) }
            dirtyTables.removeAll(keepingCapacity: true)
            lastDirtyTable = nil
            let v = nextVersion
            changes.close(version: v)
            weft_store_release_u64(shared + Self.versionWord, v)
            hasPendingChanges = false
        }
        reclaim()
    }
}
