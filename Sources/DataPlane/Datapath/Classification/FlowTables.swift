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
    private var compiler: ActionCompiler
    private var tables: [FlowTable?] = Array(repeating: nil, count: 256)
    /// 256 table heads, then the published version.
    let shared: UnsafeMutablePointer<UInt64>
    static let versionWord = 256 * TableHead.wordCount
    private var slab = EntrySlab()
    private var nextOrdinal: UInt32 = 0

    private var masks: [[UInt64]: MaskRecord] = [:]
    private var lastMask: MaskRecord?
    private var actionRecords: [[Action]: ActionRecord] = [:]
    private var actionSources: [[Action]?] = []
    /// The side objects that each source's compiled actions name.
    private var sourceSides: [Int: [UInt32]] = [:]
    private var freeSources: [Int] = []
    /// What is known of a list of actions.
    private struct InternedActions {
        var source: [Action]
        var record: ActionRecord
        /// The `learn` actions with `delete_learned`.
        var learns: [Learn]
        var isConjunctive: Bool
    }
    private var lastActions: InternedActions?

    private var limbo = RetirementQueue<Retired>()
    /// Out of the lookup structures; a worker that has not collected its statistics since may still count for them.
    private var uncollected = RetirementQueue<EntryRecord>()
    private enum Retired {
        case memory(UnsafeMutableRawPointer)
        /// Invisible to new readers, still in the lookup structures.
        case entry(EntryRecord)
        case actions(ActionRecord)
        case sides([UInt32])
    }
    private struct Learner: Hashable {
        var table: UInt8
        var cookie: UInt64
    }
    /// How many `learn` actions with `delete_learned` there are for a table and cookie.
    private var learners: [Learner: Int] = [:]
    private var readers: [ReaderEpoch] = []
    private var timers = DeadlineHeap()
    private var hasPendingChanges = false
    private var dirtyTables: Set<UInt8> = []
    private var lastDirtyTable: UInt8?
    /// While a transaction is open: how to undo what was done, in order.
    private var journal: [Undo]?
    /// What is to be told once it is certain.
    private var held: [Told] = []
    private enum Told {
        case addition(FlowEntry, isNew: Bool)
        case removal(FlowRemoval)
    }
    private var isModifying = false
    private enum Undo {
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
    public private(set) var entryCount = 0
    /// Entries that timed out so far.
    public private(set) var expiredCount = 0

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
    private var nextVersion: UInt64 { version + 1 }

    @inline(__always) static func head(_ shared: UnsafeMutablePointer<UInt64>, _ table: Int) -> TableHead {
        TableHead(base: shared + table &* TableHead.wordCount)
    }

    private func table(_ id: UInt8) -> FlowTable {
        if let t = tables[Int(id)] { return t }
        let t = FlowTable(id: id, head: Self.head(shared, Int(id)))
        tables[Int(id)] = t
        return t
    }

    private func retire(_ p: UnsafeMutableRawPointer) { limbo.append(.memory(p), version: nextVersion) }

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
    private func add(_ entry: FlowEntry, now: UInt64, ordinal: UInt32?) throws(FlowTableError) {
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
    private func withdrawEntries(reason: FlowRemoval.Reason, _ isSuch: ([Action]) -> Bool) {
        var selected: [EntryRecord] = []
        for t in tables.compactMap({ $0 }) {
            t.forEachEntry { e in if e.removedAt == .max, self.actions(of: e).flattened(isSuch) { selected.append(e) } }
        }
        for e in selected where e.removedAt == .max { withdraw(e, reason: reason) }
    }

    /// Ends an entry's life at the next version.
    private func withdraw(_ record: EntryRecord, reason: FlowRemoval.Reason? = nil) {
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
    private func forgetLearned(by record: EntryRecord) {
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

    private func overlaps(_ entry: FlowEntry) -> Bool {
        var found = false
        tables[Int(entry.table)]?.forEachEntry {
            if $0.removedAt == .max, $0.priority == entry.priority, $0.match.overlaps(entry.match) { found = true }
        }
        return found
    }

    /// Whether an entry was ever added whose end is to be told, with what it has counted until then.
    public private(set) var mayTellRemovals = false

    private func modifyOrDelete(
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
    private func modify(_ e: EntryRecord, actions: [Action], cookie: UInt64?, now: UInt64) throws(FlowTableError) {
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

    // MARK: - Transactions

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

    private func rollBack(_ undo: [Undo], now: UInt64) {
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
    private func record(of entry: FlowEntry) -> EntryRecord? { find(entry, in: table(entry.table)) }

    /// The live entry of a table with this match and priority.
    private func find(_ pattern: FlowEntry, in t: FlowTable) -> EntryRecord? {
        let mask = intern(pattern.match)
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: pattern.match.words.count + 1) { values in
            // Safe: as many as there is room for.
            for (i, w) in pattern.match.words.enumerated() { values[i] = w.value }
            return t.find(mask: mask, values: values.baseAddress!, priority: pattern.priority)
        }
    }

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
    private func learned(_ entry: FlowEntry) -> EntryRecord? {
        find(entry, in: table(entry.table))
    }

    private func isSame(_ e: EntryRecord, _ entry: FlowEntry) -> Bool {
        e.cookie == entry.cookie && e.idleTimeout == entry.idleTimeout && e.hardTimeout == entry.hardTimeout && e.importance == entry.importance
            && e.entryFlags == entry.flags.rawValue && actions(of: e) == entry.actions
    }

    private func hasRoom(for entry: FlowEntry, limit: UInt32) -> Bool {
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

    // MARK: - Time-outs

    /// The earliest moment at which some entry may expire; `.max` when none can.
    public var nextDeadline: UInt64 { timers.first ?? .max }

    private func deadline(of e: EntryRecord) -> UInt64 {
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

    private func reclaim() {
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

    // MARK: - Interning

    private func intern(_ match: Match) -> MaskRecord {
        let words = match.words
        if let last = lastMask, last.count == words.count {
            var isSame = true
            for i in 0..<words.count where last.index(i) != words[i].index || last.mask(i) != words[i].mask {
                isSame = false
                break
            }
            if isSame { return last }
        }
        var key: [UInt64] = []
        key.reserveCapacity(2 * words.count)
        for w in words {
            key.append(UInt64(w.index))
            key.append(w.mask)
        }
        if let m = masks[key] {
            lastMask = m
            return m
        }
        let m = MaskRecord(words: words.map { ($0.index, $0.mask) })
        masks[key] = m
        lastMask = m
        return m
    }

    /// The list compiled; its ports are registered. Entries that come in a row mostly share one array.
    private func interned(_ actions: [Action]) -> InternedActions {
        if let last = lastActions, last.source.count == actions.count,
            last.source.withUnsafeBufferPointer({ $0.baseAddress }) == actions.withUnsafeBufferPointer({ $0.baseAddress })
        {
            return last
        }
        registerPorts(actions)
        let isConjunctive = if case .conjunction? = actions.first { true } else { false }
        let fresh = InternedActions(source: actions, record: intern(actions), learns: actions.deletingLearns, isConjunctive: isConjunctive)
        lastActions = fresh
        return fresh
    }

    private func intern(_ actions: [Action]) -> ActionRecord {
        if let r = actionRecords[actions] { return r }
        sides.recent = []
        var words = compiler.compile(actions)
        let clauses = actions.compactMap { action -> UInt64? in
            if case .conjunction(let id, let clause, let of) = action { UInt64(id) << 32 | UInt64(clause) << 16 | UInt64(of) } else { nil }
        }
        words.append(UInt64(clauses.count))
        words += clauses
        let source: Int
        if let free = freeSources.popLast() {
            source = free
            actionSources[free] = actions
        } else {
            source = actionSources.count
            actionSources.append(actions)
        }
        if !sides.recent.isEmpty { sourceSides[source] = sides.recent }
        let record = ActionRecord(words: words, source: source)
        actionRecords[actions] = record
        return record
    }

    private func release(_ record: ActionRecord) {
        record.references -= 1
        guard record.references == 0 else { return }
        let source = record.source
        if let actions = actionSources[source] { actionRecords[actions] = nil }
        actionSources[source] = nil
        freeSources.append(source)
        if let named = sourceSides.removeValue(forKey: source) { limbo.append(.sides(named), version: version + 1) }
        if lastActions?.record == record { lastActions = nil }
        limbo.append(.actions(record), version: version + 1)
    }

    /// Ports that actions name exist from then on; see `PortRegistry`.
    private func registerPorts(_ actions: [Action]) {
        for action in actions {
            switch action {
            case .output(let port, _), .outputHint(let port, _), .enqueue(let port, _): ports.registerNamedByFlow(port)
            case .clone(let list), .writeActions(let list): registerPorts(list)
            case .bundle(_, _, _, let members, _): for m in members { ports.registerNamedByFlow(m) }
            default: break
            }
        }
    }

    // MARK: - Reading back

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

extension [Action] {
    /// Whether the list, or one written to the action set by it, is such.
    fileprivate func flattened(_ isSuch: ([Action]) -> Bool) -> Bool {
        if isSuch(self) { return true }
        return contains {
            switch $0 {
            case .writeActions(let inner), .clone(let inner): inner.flattened(isSuch)
            default: false
            }
        }
    }

    /// The `learn` actions with `delete_learned`, also inside other actions.
    fileprivate var deletingLearns: [Learn] {
        var found: [Learn] = []
        for action in self {
            switch action {
            case .learn(let l) where l.deleteLearned: found.append(l)
            case .clone(let inner), .writeActions(let inner): found += inner.deletingLearns
            default: break
            }
        }
        return found
    }
}

/// Why a change to the tables was refused.
public enum FlowTableError: Error, Equatable, Sendable, CustomStringConvertible {
    case tableOutOfRange(UInt8)
    case overlap(table: UInt8, priority: UInt16)
    case groupExists(UInt32)
    case noSuchGroup(UInt32)
    case groupLoop(UInt32)
    case meterExists(UInt32)
    case noSuchMeter(UInt32)

    public var description: String {
        switch self {
        case .tableOutOfRange(let t): "table \(t) is out of range: tables are 0 to 254"
        case .overlap(let table, let priority): "an entry of priority \(priority) in table \(table) overlaps, and check_overlap was asked"
        case .groupExists(let id): "group \(id) exists already"
        case .noSuchGroup(let id): "group \(id) does not exist"
        case .groupLoop(let id): "group \(id) would reach itself"
        case .meterExists(let id): "meter \(id) exists already"
        case .noSuchMeter(let id): "meter \(id) does not exist"
        }
    }
}
