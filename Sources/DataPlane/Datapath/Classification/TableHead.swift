import CLinux
import Flow

/// What a worker reads of one flow table: a cache line of shared memory, each word published by a single store.
///
/// `linear`: `[count][entry…]` in falling priority, or null when the table is too large for it. `groups`: `[count][group…]` in falling order of
/// highest priority. `union`: the bits that any entry looks at; a lookup depends on these and no others.
struct TableHead: @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt64>
    static let wordCount = 8
    private enum Word { static let linear = 0, groups = 1, union = 2, conjunctive = 3, treeRoot = 4, hasTree = 5 }

    init(base: UnsafeMutablePointer<UInt64>) { self.base = base }

    @inline(__always) private func list(_ word: Int) -> UnsafeMutablePointer<UInt64>? {
        UnsafeMutablePointer(bitPattern: UInt(weft_load_acquire_u64(base + word)))
    }
    @inline(__always) var linear: UnsafeMutablePointer<UInt64>? { list(Word.linear) }
    @inline(__always) var groups: UnsafeMutablePointer<UInt64>? { list(Word.groups) }
    /// Null for a table without entries.
    @inline(__always) var union: MaskRecord? { list(Word.union).map { MaskRecord(base: $0) } }
    @inline(__always) var conjunctiveCount: UInt64 {
        get { base[Word.conjunctive] }
        nonmutating set { base[Word.conjunctive] = newValue }
    }

    /// The root of the table's `CutTree`.
    var treeRoot: UnsafeMutablePointer<UInt64> { base + Word.treeRoot }
    /// Whether lookups begin with the tree; `groups` then holds the rest.
    @inline(__always) var hasTree: Bool {
        get { weft_load_acquire_u64(base + Word.hasTree) != 0 }
        nonmutating set { weft_store_release_u64(base + Word.hasTree, newValue ? 1 : 0) }
    }

    private func exchange(_ word: Int, _ new: UnsafeMutablePointer<UInt64>?) -> UnsafeMutableRawPointer? {
        let old = list(word)
        weft_store_release_u64(base + word, UInt64(UInt(bitPattern: new)))
        return old.map { UnsafeMutableRawPointer($0) }
    }
    func exchangeLinear(_ new: UnsafeMutablePointer<UInt64>?) -> UnsafeMutableRawPointer? { exchange(Word.linear, new) }
    func exchangeGroups(_ new: UnsafeMutablePointer<UInt64>?) -> UnsafeMutableRawPointer? { exchange(Word.groups, new) }
    func exchangeUnion(_ new: MaskRecord) -> UnsafeMutableRawPointer? { exchange(Word.union, new.base) }
    func deallocateLists() {
        for w in [Word.linear, Word.groups, Word.union] { list(w)?.deallocate() }
    }

    /// The visible entry of highest priority that accepts the key.
    @inline(__always)
    func lookup(_ key: UnsafePointer<UInt64>, version: UInt64) -> EntryRecord? {
        if let list = linear {
            let n = Int(truncatingIfNeeded: list[0])
            var i = 1
            while i <= n {
                let e = EntryRecord(word: list[i])!
                if e.accepts(key), e.isVisible(at: version) { return e }
                i &+= 1
            }
            return nil
        }
        return lookupLarge(key, version: version)
    }

    @inline(never)
    private func lookupLarge(_ key: UnsafePointer<UInt64>, version: UInt64) -> EntryRecord? {
        var best: EntryRecord?
        var floor = 0
        if hasTree {
            best = CutTree.lookup(weft_load_acquire_u64(base + Word.treeRoot), key, version: version)
            if let best { floor = Int(best.priority) }
        }
        guard let list = groups else { return best }
        let n = Int(truncatingIfNeeded: list[0])
        var i = 1
        while i <= n {
            let group = TupleGroup(base: UnsafeMutablePointer(bitPattern: UInt(list[i]))!)
            let top = Int(group.maxPriority)
            if best != nil, top < floor { break }
            if let entry = group.best(key, version: version, floor: floor) {
                if best == nil || entry.priority > best!.priority || (entry.priority == best!.priority && entry.ordinal < best!.ordinal) {
                    best = entry
                    floor = Int(entry.priority)
                }
            }
            i &+= 1
        }
        return best
    }

    /// Calls `body` with every visible entry that accepts the key, in no particular order.
    func forEach(accepting key: UnsafePointer<UInt64>, version: UInt64, _ body: (EntryRecord) -> Void) {
        guard let list = groups else { return }
        for i in 0..<Int(list[0]) {
            TupleGroup(base: UnsafeMutablePointer(bitPattern: UInt(list[1 + i]))!).forEach(accepting: key, version: version, body)
        }
    }
}
