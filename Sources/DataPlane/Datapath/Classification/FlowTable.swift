import CLinux
import Flow

/// One flow table: its entries, arranged for lookup by what it holds.
///
/// A lookup must return an entry of highest priority among those that accept the key at the reader's version; that never errs. The basic
/// design is tuple space search: entries with the same hash mask share a hash table (`TupleGroup`), groups are probed in falling order of their
/// highest priority, and the search ends when the best entry found outranks every group left. On top of it:
/// - Up to `linearLimit` entries are kept as one list in falling priority and compared one by one: no hashing for the small tables that most
///   pipelines consist of.
/// - Masks are merged: an entry joins a group whose mask is a subset of its own as long as the chains stay short, so that the number of probes
///   does not grow with the number of masks (TupleMerge, Daly et al. 2017). The price is comparing a few entries more in a probe.
///
/// Written by the owner, read by workers without locks; lists are replaced whole and freed after the workers have passed.
final class FlowTable {
    static let linearLimit = 8
    /// Words before the tables' list pointers in shared memory; see `TableHead`.
    let head: TableHead
    let id: UInt8
    private(set) var groups: [TupleGroup] = []
    private(set) var count = 0
    /// Entries whose actions are `conjunction`; while there are any, lookups take the conjunctive way.
    private(set) var conjunctiveCount = 0
    /// Masks in use and how many entries have each; the union of them is what a lookup depends on.
    private var maskCounts: [UnsafeMutablePointer<UInt64>: Int] = [:]
    private var lastMask: MaskRecord?
    private var groupOfMask: [UnsafeMutablePointer<UInt64>: Int] = [:]
    private var isLinearStale = false

    init(id: UInt8, head: TableHead) {
        self.id = id
        self.head = head
    }

    deinit {
        for g in groups { g.deallocate() }
        head.deallocateLists()
    }

    /// Bytes of the lookup structures, entries not counted.
    var byteCount: Int { groups.reduce(0) { $0 + $1.byteCount } }

    /// Adds a complete entry. `retire` is given memory that readers may still hold.
    func insert(_ entry: EntryRecord, retire: (UnsafeMutableRawPointer) -> Void) {
        let group = group(for: entry.mask, retire: retire)
        let oldPriority = group.maxPriority
        let wasEmpty = group.count == 0
        if let old = group.insert(entry, hash: group.hash(of: entry)) { retire(old) }
        if entry.flags & EntryRecord.Flag.conjunctive != 0 { conjunctiveCount += 1 }
        count += 1
        let uses = maskCounts[entry.mask.base, default: 0]
        maskCounts[entry.mask.base] = uses + 1
        if uses == 0 { publishUnion(retire: retire) }
        if group.maxPriority != oldPriority || wasEmpty { publishGroups(retire: retire) }
        if count <= Self.linearLimit { publishLinear(retire: retire) } else if count == Self.linearLimit + 1 { dropLinear(retire: retire) }
        head.conjunctiveCount = UInt64(conjunctiveCount)
    }

    /// Takes an entry out of the structures, when no reader can see it any more.
    func remove(_ entry: EntryRecord, retire: (UnsafeMutableRawPointer) -> Void) {
        let group = group(for: entry.mask, retire: retire)
        group.remove(entry, hash: group.hash(of: entry))
        if entry.flags & EntryRecord.Flag.conjunctive != 0 { conjunctiveCount -= 1 }
        count -= 1
        let uses = maskCounts[entry.mask.base, default: 1] - 1
        maskCounts[entry.mask.base] = uses == 0 ? nil : uses
        if uses == 0 { publishUnion(retire: retire) }
        if group.count == 0 { removeGroup(group, retire: retire) }
        if count <= Self.linearLimit { publishLinear(retire: retire) }
        head.conjunctiveCount = UInt64(conjunctiveCount)
    }

    /// The live entry with exactly this match and priority.
    func find(mask: MaskRecord, values: UnsafePointer<UInt64>, priority: UInt16) -> EntryRecord? {
        guard let index = groupOfMask[mask.base] else { return nil }
        let group = groups[index]
        return group.find(mask: mask, values: values, priority: priority, hash: group.hash(mask: mask, values: values))
    }

    func forEachEntry(_ body: (EntryRecord) -> Void) {
        for g in groups { g.forEachEntry(body) }
    }

    private func group(for mask: MaskRecord, retire: (UnsafeMutableRawPointer) -> Void) -> TupleGroup {
        if let index = groupOfMask[mask.base] { return groups[index] }
        let group = TupleGroup(mask: mask)
        groups.append(group)
        groupOfMask[mask.base] = groups.count - 1
        return group
    }

    private func removeGroup(_ group: TupleGroup, retire: (UnsafeMutableRawPointer) -> Void) {
        guard let index = groups.firstIndex(where: { $0.base == group.base }) else { return }
        for (mask, i) in groupOfMask where i == index { groupOfMask[mask] = nil }
        groups.remove(at: index)
        for (mask, i) in groupOfMask where i > index { groupOfMask[mask] = i - 1 }
        publishGroups(retire: retire)
        group.forgetLater(retire)
    }

    /// Publishes the groups in falling order of their highest priority.
    private func publishGroups(retire: (UnsafeMutableRawPointer) -> Void) {
        let sorted = groups.sorted { $0.maxPriority > $1.maxPriority }
        let list = UnsafeMutablePointer<UInt64>.allocate(capacity: sorted.count + 1)
        list[0] = UInt64(sorted.count)
        for (i, g) in sorted.enumerated() { list[1 + i] = UInt64(UInt(bitPattern: g.base)) }
        if let old = head.exchangeGroups(list) { retire(old) }
    }

    private func publishLinear(retire: (UnsafeMutableRawPointer) -> Void) {
        var entries: [EntryRecord] = []
        forEachEntry { entries.append($0) }
        entries.sort { ($0.priority, $1.ordinal) > ($1.priority, $0.ordinal) }
        let list = UnsafeMutablePointer<UInt64>.allocate(capacity: entries.count + 1)
        list[0] = UInt64(entries.count)
        for (i, e) in entries.enumerated() { list[1 + i] = e.word }
        if let old = head.exchangeLinear(list) { retire(old) }
    }

    private func dropLinear(retire: (UnsafeMutableRawPointer) -> Void) {
        if let old = head.exchangeLinear(nil) { retire(old) }
    }

    private func publishUnion(retire: (UnsafeMutableRawPointer) -> Void) {
        var words = [UInt64](repeating: 0, count: FlowKeyLayout.wordCount)
        for mask in maskCounts.keys {
            let m = MaskRecord(base: mask)
            for i in 0..<m.count { words[m.index(i)] |= m.mask(i) }
        }
        let union = MaskRecord(words: words.indices.filter { words[$0] != 0 }.map { ($0, words[$0]) })
        if let old = head.exchangeUnion(union) { retire(old) }
    }
}

extension TupleGroup {
    /// Hands the group's memory to the owner's retirement.
    fileprivate func forgetLater(_ retire: (UnsafeMutableRawPointer) -> Void) {
        retire(UnsafeMutableRawPointer(slotsForRetirement))
        retire(UnsafeMutableRawPointer(base))
    }
}
