/// Finds the present rows of a relation by some of its columns: buckets of doubly linked slots, so that adding and removing a row costs the same however
/// many rows share its key.
///
/// A bucket may hold rows of several keys; who walks it compares. It has at least as many buckets as the relation has rows.
public final class RowIndex {
    let columns: [Int]
    private let columnPointer: UnsafeMutablePointer<Int>
    private let columnCount: Int
    private var heads: UnsafeMutablePointer<Int32>
    private var mask: UInt32
    private(set) var next: UnsafeMutablePointer<Int32>
    private var previous: UnsafeMutablePointer<Int32>
    private unowned(unsafe) let relation: Relation

    init(columns: [Int], relation: Relation) {
        self.columns = columns
        self.relation = relation
        columnCount = columns.count
        columnPointer = .allocate(capacity: max(columns.count, 1))
        for (i, c) in columns.enumerated() { columnPointer[i] = c }
        let n = relation.capacity
        heads = .allocate(capacity: n)
        next = .allocate(capacity: n)
        previous = .allocate(capacity: n)
        mask = UInt32(n - 1)
        heads.initialize(repeating: -1, count: n)
        for slot in 0..<relation.slotCount where relation.counts[slot] > 0 { insert(slot, relation) }
    }

    deinit {
        columnPointer.deallocate()
        heads.deallocate()
        next.deallocate()
        previous.deallocate()
    }

    /// The first slot that may have this key, or -1.
    @inline(__always) func first(_ key: UnsafePointer<UInt64>) -> Int32 { heads[Int(RowHash.hash(key, columnCount) & mask)] }

    @inline(__always) func matches(_ row: UnsafePointer<UInt64>, _ key: UnsafePointer<UInt64>) -> Bool {
        var i = 0
        while i < columnCount {
            if row[columnPointer[i]] != key[i] { return false }
            i &+= 1
        }
        return true
    }

    @inline(__always) private func bucket(_ row: UnsafePointer<UInt64>) -> Int {
        var h: UInt64 = 0x2545_F491_4F6C_DD1D
        var i = 0
        while i < columnCount {
            h = RowHash.fold(h, row[columnPointer[i]])
            i &+= 1
        }
        return Int(UInt32(truncatingIfNeeded: h ^ h >> 32) & mask)
    }

    @inline(__always) func insert(_ slot: Int, _ relation: Relation) {
        let b = bucket(relation.rows + slot &* relation.width)
        let head = heads[b]
        next[slot] = head
        previous[slot] = -1
        if head >= 0 { previous[Int(head)] = Int32(truncatingIfNeeded: slot) }
        heads[b] = Int32(truncatingIfNeeded: slot)
    }

    @inline(__always) func remove(_ slot: Int, _ relation: Relation) {
        let after = next[slot]
        let before = previous[slot]
        if after >= 0 { previous[Int(after)] = before }
        if before >= 0 { next[Int(before)] = after } else { heads[bucket(relation.rows + slot &* relation.width)] = after }
    }

    /// Makes room after the relation grew.
    func reserve(_ capacity: Int) {
        heads.deallocate()
        next.deallocate()
        previous.deallocate()
        heads = .allocate(capacity: capacity)
        next = .allocate(capacity: capacity)
        previous = .allocate(capacity: capacity)
        mask = UInt32(capacity - 1)
        heads.initialize(repeating: -1, count: capacity)
        for slot in 0..<relation.slotCount where relation.counts[slot] > 0 { insert(slot, relation) }
    }
}
