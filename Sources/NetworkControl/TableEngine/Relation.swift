/// A table of the rules engine: a multiset of rows of fixed width, each column an unsigned 64-bit number (a symbol, an identifier, half an address).
///
/// A row counts how often it is asserted or derived. It is *present* while that count is above zero; only presence is seen by joins, and only a change of
/// presence goes on to other tables (spec 000-075, J5). Because derivations are counted, taking one away leaves exactly what the others support.
///
/// As if unoptimised: a dictionary from row to count, and for each set of columns that some join asks by, a dictionary from key to rows. Here rows lie in
/// one block of memory under slot numbers, found by a hash table of slots; an index (`RowIndex`) threads slots into lists, so that nothing is allocated for a
/// row. A change is first only noted (`pending`), so that changes which cancel each other cause no work downstream.
///
/// Limits: 2^31 - 1 rows; at most `widthLimit` columns. Used by one thread at a time.
public final class Relation {
    public static let widthLimit = 16

    public let name: String
    /// Names of the columns, in order.
    public let columns: [String]
    /// Whether changes of presence are kept for `drainChanges`.
    public let isOutput: Bool
    let width: Int
    /// Position among the engine's relations.
    let number: Int

    private(set) var rows: UnsafeMutablePointer<UInt64>
    private(set) var counts: UnsafeMutablePointer<Int32>
    private var pending: UnsafeMutablePointer<Int32>
    private var hashes: UnsafeMutablePointer<UInt32>
    /// The next slot of the same bucket, or of the list of free slots.
    private var next: UnsafeMutablePointer<Int32>
    private var buckets: UnsafeMutablePointer<Int32>
    private var bucketMask: UInt32
    private(set) var capacity: Int
    /// Slots that have ever been used.
    private(set) var slotCount = 0
    private var freeSlot: Int32 = -1
    private var storedCount = 0
    private var dirty: [Int32] = []
    private(set) var indexes: [RowIndex] = []
    private var changedRows: [UInt64] = []
    private var changedSigns: [Bool] = []

    /// Rows that are present.
    public private(set) var count = 0

    init(name: String, columns: [String], isOutput: Bool, number: Int) {
        precondition((1...Self.widthLimit).contains(columns.count), "\(name): 1 to \(Self.widthLimit) columns")
        precondition(Set(columns).count == columns.count, "\(name): column names differ")
        self.name = name
        self.columns = columns
        self.isOutput = isOutput
        self.number = number
        width = columns.count
        capacity = 16
        rows = .allocate(capacity: capacity * width)
        counts = .allocate(capacity: capacity)
        pending = .allocate(capacity: capacity)
        hashes = .allocate(capacity: capacity)
        next = .allocate(capacity: capacity)
        buckets = .allocate(capacity: capacity)
        buckets.initialize(repeating: -1, count: capacity)
        bucketMask = UInt32(capacity - 1)
    }

    deinit {
        rows.deallocate()
        counts.deallocate()
        pending.deallocate()
        hashes.deallocate()
        next.deallocate()
        buckets.deallocate()
    }

    // MARK: - Changes

    /// Asserts a row once more.
    public func insert(_ row: [UInt64]) { change(row, by: 1) }

    /// Takes back one assertion of a row.
    public func remove(_ row: [UInt64]) { change(row, by: -1) }

    /// Asserts a row so many times more, or fewer.
    public func change(_ row: [UInt64], by amount: Int32) {
        precondition(row.count == width, "\(name) has \(width) columns")
        row.withUnsafeBufferPointer { change($0.baseAddress!, by: amount) }
    }

    /// Notes a change of a row's count, until the relation's turn comes.
    @inline(__always) func change(_ row: UnsafePointer<UInt64>, by amount: Int32) {
        let hash = RowHash.hash(row, width)
        var slot = find(row, hash: hash)
        if slot < 0 {
            slot = addSlot(row, hash: hash)
            pending[slot] = amount
            dirty.append(Int32(truncatingIfNeeded: slot))
            return
        }
        let was = pending[slot]
        // A slot in the list of dirty ones keeps its place there even when its change is back at zero.
        if was == Self.clean {
            pending[slot] = amount
            dirty.append(Int32(truncatingIfNeeded: slot))
        } else {
            pending[slot] = was &+ amount
        }
    }

    private static let clean = Int32.min
    var hasPendingChanges: Bool { !dirty.isEmpty }

    /// Applies what is pending. `appeared` is called with the row present, `disappearing` while it still is.
    ///
    /// - Returns: the number of rows whose presence changed.
    func settle(_ propagate: (_ slot: Int, _ sign: Int32) -> Void) -> Int {
        var changed = 0
        // Safe: the relation holds its indexes.
        let indexes = self.indexes.map(Unmanaged.passUnretained)
        for at in dirty.indices {
            let slot = Int(dirty[at])
            let old = counts[slot]
            let new = old &+ pending[slot]
            precondition(new >= 0, "\(name): a row is removed more often than it was inserted")
            pending[slot] = Self.clean
            if old == 0, new > 0 {
                counts[slot] = new
                count += 1
                for index in indexes { index._withUnsafeGuaranteedRef { $0.insert(slot, self) } }
                if isOutput { log(slot, true) }
                changed += 1
                propagate(slot, 1)
            } else if old > 0, new == 0 {
                propagate(slot, -1)
                for index in indexes { index._withUnsafeGuaranteedRef { $0.remove(slot, self) } }
                if isOutput { log(slot, false) }
                counts[slot] = 0
                count -= 1
                changed += 1
                release(slot)
            } else if new == 0 {
                release(slot)
            } else {
                counts[slot] = new
            }
        }
        dirty.removeAll(keepingCapacity: true)
        return changed
    }

    private func log(_ slot: Int, _ isPresent: Bool) {
        changedRows.append(contentsOf: UnsafeBufferPointer(start: rows + slot &* width, count: width))
        changedSigns.append(isPresent)
    }

    // MARK: - Reading

    /// Hands over the changes of presence since the last call, in their order, and forgets them (spec 000-080, J12).
    public func drainChanges(_ body: (_ row: UnsafeBufferPointer<UInt64>, _ isPresent: Bool) -> Void) {
        changedRows.withUnsafeBufferPointer { all in
            for (i, sign) in changedSigns.enumerated() { body(UnsafeBufferPointer(rebasing: all[(i * width)..<((i + 1) * width)]), sign) }
        }
        changedRows.removeAll(keepingCapacity: true)
        changedSigns.removeAll(keepingCapacity: true)
    }

    /// Changes that wait to be drained.
    public var changeCount: Int { changedSigns.count }

    /// Every present row, in no order that means anything.
    public func forEach(_ body: (_ row: UnsafeBufferPointer<UInt64>) -> Void) {
        for slot in 0..<slotCount where counts[slot] > 0 { body(UnsafeBufferPointer(start: rows + slot * width, count: width)) }
    }

    /// The present rows whose columns at the index's places have these values; costs the rows met.
    public func forEach(_ index: RowIndex, _ key: [UInt64], _ body: (_ row: UnsafeBufferPointer<UInt64>) -> Void) {
        key.withUnsafeBufferPointer { key in
            var slot = index.first(key.baseAddress!)
            while slot >= 0 {
                let row = rows + Int(slot) * width
                if index.matches(row, key.baseAddress!) { body(UnsafeBufferPointer(start: row, count: width)) }
                slot = index.next[Int(slot)]
            }
        }
    }

    /// The present rows as arrays, sorted: for tests and dumps.
    public var sortedRows: [[UInt64]] {
        var all: [[UInt64]] = []
        forEach { all.append(Array($0)) }
        return all.sorted { $0.lexicographicallyPrecedes($1) }
    }

    public func contains(_ row: [UInt64]) -> Bool {
        row.withUnsafeBufferPointer { isPresent($0.baseAddress!) }
    }

    @inline(__always) func isPresent(_ row: UnsafePointer<UInt64>) -> Bool {
        let slot = find(row, hash: RowHash.hash(row, width))
        return slot >= 0 && counts[slot] > 0
    }

    /// The index on these columns, made at the first call.
    public func index(on columns: [Int]) -> RowIndex {
        if let known = indexes.first(where: { $0.columns == columns }) { return known }
        let index = RowIndex(columns: columns, relation: self)
        indexes.append(index)
        return index
    }

    /// The slot of a row, whatever its count, or -1.
    @inline(__always) func find(_ row: UnsafePointer<UInt64>, hash: UInt32) -> Int {
        var slot = buckets[Int(hash & bucketMask)]
        while slot >= 0 {
            if hashes[Int(slot)] == hash, isEqual(rows + Int(slot) &* width, row) { return Int(slot) }
            slot = next[Int(slot)]
        }
        return -1
    }

    @inline(__always) private func isEqual(_ a: UnsafePointer<UInt64>, _ b: UnsafePointer<UInt64>) -> Bool {
        var i = 0
        while i < width {
            if a[i] != b[i] { return false }
            i &+= 1
        }
        return true
    }

    // MARK: - Slots

    private func addSlot(_ row: UnsafePointer<UInt64>, hash: UInt32) -> Int {
        var slot = Int(freeSlot)
        if slot >= 0 {
            freeSlot = next[slot]
        } else {
            if slotCount == capacity { grow() }
            slot = slotCount
            slotCount += 1
        }
        let place = rows + slot &* width
        for i in 0..<width { place[i] = row[i] }
        counts[slot] = 0
        hashes[slot] = hash
        let bucket = Int(hash & bucketMask)
        next[slot] = buckets[bucket]
        buckets[bucket] = Int32(truncatingIfNeeded: slot)
        storedCount += 1
        return slot
    }

    private func release(_ slot: Int) {
        let bucket = Int(hashes[slot] & bucketMask)
        if buckets[bucket] == slot {
            buckets[bucket] = next[slot]
        } else {
            var at = Int(buckets[bucket])
            while Int(next[at]) != slot { at = Int(next[at]) }
            next[at] = next[slot]
        }
        next[slot] = freeSlot
        freeSlot = Int32(truncatingIfNeeded: slot)
        storedCount -= 1
    }

    private func grow() {
        let old = capacity
        capacity *= 2
        precondition(capacity <= Int(Int32.max), "\(name): too many rows")
        rows = Self.enlarged(rows, old * width, capacity * width)
        counts = Self.enlarged(counts, old, capacity)
        pending = Self.enlarged(pending, old, capacity)
        hashes = Self.enlarged(hashes, old, capacity)
        next = Self.enlarged(next, old, capacity)
        buckets.deallocate()
        buckets = .allocate(capacity: capacity)
        buckets.initialize(repeating: -1, count: capacity)
        bucketMask = UInt32(capacity - 1)
        // No slot is free when the block is full.
        for slot in 0..<slotCount {
            let bucket = Int(hashes[slot] & bucketMask)
            next[slot] = buckets[bucket]
            buckets[bucket] = Int32(truncatingIfNeeded: slot)
        }
        for index in indexes { index.reserve(capacity) }
    }

    static func enlarged<T: BitwiseCopyable>(_ old: UnsafeMutablePointer<T>, _ used: Int, _ capacity: Int) -> UnsafeMutablePointer<T> {
        let new = UnsafeMutablePointer<T>.allocate(capacity: capacity)
        new.update(from: old, count: used)
        old.deallocate()
        return new
    }
}

/// The hash of rows and keys: multiplications fold each column in.
enum RowHash {
    @inline(__always) static func fold(_ h: UInt64, _ column: UInt64) -> UInt64 {
        let product = (h ^ column).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    @inline(__always) static func hash(_ row: UnsafePointer<UInt64>, _ width: Int) -> UInt32 {
        var h: UInt64 = 0x2545_F491_4F6C_DD1D
        var i = 0
        while i < width {
            h = fold(h, row[i])
            i &+= 1
        }
        return UInt32(truncatingIfNeeded: h ^ h >> 32)
    }
}
