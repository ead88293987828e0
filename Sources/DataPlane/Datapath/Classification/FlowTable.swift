import CLinux
import Flow

/// One flow table: its entries, arranged for lookup by what it holds.
///
/// A lookup must return an entry of highest priority among those that accept the key at the reader's version; that never errs. The basic
/// design is tuple space search: entries with the same mask share a hash table (`TupleGroup`), groups are probed in falling order of their
/// highest priority, and the search ends when the best entry found outranks every group left. `groups` always holds every entry so, for
/// changes. For lookups there are two shapes besides:
/// - Up to `linearLimit` entries are kept as one list in falling priority and compared one by one: no hashing for the small tables that most
///   pipelines consist of.
/// - With more than `groupLimit` masks, the entries of masks with few entries go into a `CutTree`, whose cost does not grow with the number of masks. Masks
///   with many entries (`tallLimit`), for which a hash is best, and entries too wide for the tree stay in groups, probed after it. The price is
///   memory for the tree, and time to build it when the shape of the table changes.
///
/// Written by the owner, read by workers without locks; lists are replaced whole and freed after the workers have passed.
final class FlowTable {
    static let linearLimit = 8
    /// Masks that are probed one after the other before the tree takes over.
    static let groupLimit = 3
    /// Entries of one mask from which on it keeps its own hash table beside the tree.
    static let tallLimit = 4096
    let head: TableHead
    let id: UInt8
    private var groups: [TupleGroup] = []
    private var groupOfMask: [UnsafeMutablePointer<UInt64>: Int] = [:]
    private(set) var count = 0
    /// Entries whose actions are `conjunction`; while there are any, lookups take the conjunctive way through all groups.
    private(set) var conjunctiveCount = 0

    /// The tree and the entries that it refused, while the table has that shape.
    private var tree: CutTree?
    private var wide: [TupleGroup] = []
    private var tall: Set<UnsafeMutablePointer<UInt64>> = []
    private var changesSinceBuild = 0
    private var groupsAreStale = false
    private var linearIsStale = false
    private var unionIsStale = false

    init(id: UInt8, head: TableHead) {
        self.id = id
        self.head = head
    }

    deinit {
        tree?.deallocate()
        for g in groups + wide { g.deallocate() }
        head.deallocateLists()
    }

    /// Bytes of the lookup structures, entries not counted.
    var byteCount: Int { (groups + wide).reduce(0) { $0 + $1.byteCount } + (tree?.byteCount ?? 0) }

    /// Adds a complete entry, found by lookups after the next `settle`. `retire` is given memory that readers may still hold.
    func insert(_ entry: EntryRecord, retire: (UnsafeMutableRawPointer) -> Void) {
        let group = group(for: entry.mask)
        let oldPriority = group.maxPriority
        if group.count == 0 {
            groupsAreStale = true
            unionIsStale = true
        }
        if let old = group.insert(entry, hash: group.hash(of: entry)) { retire(old) }
        if group.maxPriority != oldPriority { groupsAreStale = true }
        if entry.flags & EntryRecord.Flag.conjunctive != 0 { conjunctiveCount += 1 }
        count += 1
        linearIsStale = true
        if let tree {
            changesSinceBuild += 1
            if !tall.contains(entry.mask.base), !tree.insert(entry, retire: retire) { addWide(entry, retire: retire) }
        }
    }

    /// Takes an entry out of the structures, when no reader can see it any more.
    func remove(_ entry: EntryRecord, retire: (UnsafeMutableRawPointer) -> Void) {
        let group = group(for: entry.mask)
        group.remove(entry, hash: group.hash(of: entry))
        if entry.flags & EntryRecord.Flag.conjunctive != 0 { conjunctiveCount -= 1 }
        count -= 1
        linearIsStale = true
        if let tree {
            changesSinceBuild += 1
            if !tall.contains(entry.mask.base) {
                tree.remove(entry, retire: retire)
                if let g = wide.first(where: { $0.mask == entry.mask }) { g.remove(entry, hash: g.hash(of: entry)) }
            }
        }
        if group.count == 0 { removeGroup(group, retire: retire) }
        settle(retire: retire)
    }

    /// Publishes to lookups what has changed, in the shape that suits the table now.
    func settle(retire: (UnsafeMutableRawPointer) -> Void) {
        let wantsTree = conjunctiveCount == 0 && groups.count > Self.groupLimit && count > 2 * Self.linearLimit
        if wantsTree {
            if tree == nil || changesSinceBuild > 64 + count / 2 { buildTree(retire: retire) }
        } else if let old = tree {
            // Lookups go to the groups before the tree goes away.
            tree = nil
            groupsAreStale = true
            let oldWide = wide
            wide = []
            publishGroups(retire: retire)
            head.hasTree = false
            _ = old.build([], retire: retire)
            for g in oldWide { g.forgetLater(retire) }
        }
        if groupsAreStale { publishGroups(retire: retire) }
        if unionIsStale { publishUnion(retire: retire) }
        if linearIsStale {
            linearIsStale = false
            if count <= Self.linearLimit { publishLinear(retire: retire) } else if let old = head.exchangeLinear(nil) { retire(old) }
        }
        head.conjunctiveCount = UInt64(conjunctiveCount)
    }

    private func buildTree(retire: (UnsafeMutableRawPointer) -> Void) {
        let tree = self.tree ?? CutTree(root: head.treeRoot)
        let oldWide = wide
        wide = []
        tall = Set(groups.filter { $0.count > Self.tallLimit }.map(\.mask.base))
        var entries: [EntryRecord] = []
        for g in groups where !tall.contains(g.mask.base) { g.forEachEntry { entries.append($0) } }
        for e in tree.build(entries, retire: retire) { addWide(e, retire: retire) }
        self.tree = tree
        changesSinceBuild = 0
        // Readers may search the tree and all groups for a moment, which finds the same.
        head.hasTree = true
        publishGroups(retire: retire)
        for g in oldWide { g.forgetLater(retire) }
    }

    private func addWide(_ entry: EntryRecord, retire: (UnsafeMutableRawPointer) -> Void) {
        let group: TupleGroup
        if let known = wide.first(where: { $0.mask == entry.mask }) {
            group = known
        } else {
            group = TupleGroup(mask: entry.mask)
            wide.append(group)
        }
        if let old = group.insert(entry, hash: group.hash(of: entry)) { retire(old) }
        groupsAreStale = true
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

    private func group(for mask: MaskRecord) -> TupleGroup {
        if let index = groupOfMask[mask.base] { return groups[index] }
        let group = TupleGroup(mask: mask)
        groups.append(group)
        groupOfMask[mask.base] = groups.count - 1
        return group
    }

    private func removeGroup(_ group: TupleGroup, retire: (UnsafeMutableRawPointer) -> Void) {
        guard let index = groupOfMask.removeValue(forKey: group.mask.base) else { return }
        let last = groups.count - 1
        if index != last {
            groups[index] = groups[last]
            groupOfMask[groups[index].mask.base] = index
        }
        groups.removeLast()
        unionIsStale = true
        publishGroups(retire: retire)
        group.forgetLater(retire)
    }

    /// Publishes the groups that lookups probe, in falling order of their highest priority.
    private func publishGroups(retire: (UnsafeMutableRawPointer) -> Void) {
        groupsAreStale = false
        let probed = tree == nil ? groups : groups.filter { tall.contains($0.mask.base) } + wide
        let sorted = probed.sorted { $0.maxPriority > $1.maxPriority }
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

    private func publishUnion(retire: (UnsafeMutableRawPointer) -> Void) {
        unionIsStale = false
        var words = [UInt64](repeating: 0, count: FlowKeyLayout.wordCount)
        for g in groups { for i in 0..<g.mask.count { words[g.mask.index(i)] |= g.mask.mask(i) } }
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
