import CLinux

/// All entries of one table that are found by one hash mask: an open-addressed hash table of entry pointers.
///
/// The hash mask is a subset of each entry's own mask (tuple merging: several masks share a group, the rest of each entry's mask is
/// compared on the entry). One writer, many readers without locks: a slot is a single word (`hash 16 | pointer 48`), stored with release after
/// its entry is complete; the slot array starts with its own capacity, so that growing publishes both by one pointer store. Readers that
/// still hold an old array see the entries of their version; the owner frees it when they have passed.
struct TupleGroup: @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt64>

    private enum Word {
        static let mask = 0, slots = 1, maxPriority = 2, count = 3, used = 4
        static let size = 5
    }
    /// A removed slot: probing goes on over it.
    private static let tombstone: UInt64 = 1
    private static let pointerMask: UInt64 = 0xffff_ffff_ffff

    @inline(__always) init(base: UnsafeMutablePointer<UInt64>) { self.base = base }

    init(mask: MaskRecord) {
        base = .allocate(capacity: Word.size)
        base[Word.mask] = UInt64(UInt(bitPattern: mask.base))
        base[Word.slots] = UInt64(UInt(bitPattern: Self.makeSlots(8)))
        base[Word.maxPriority] = 0
        base[Word.count] = 0
        base[Word.used] = 0
    }

    private static func makeSlots(_ capacity: Int) -> UnsafeMutablePointer<UInt64> {
        let p = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity + 1)
        p.initialize(repeating: 0, count: capacity + 1)
        p[0] = UInt64(capacity - 1)
        return p
    }

    var slotsForRetirement: UnsafeMutablePointer<UInt64> { slots }

    func deallocate() {
        slots.deallocate()
        base.deallocate()
    }

    @inline(__always) var mask: MaskRecord { MaskRecord(base: UnsafeMutablePointer(bitPattern: UInt(base[Word.mask]))!) }
    @inline(__always) private var slots: UnsafeMutablePointer<UInt64> {
        UnsafeMutablePointer(bitPattern: UInt(weft_load_acquire_u64(base + Word.slots)))!
    }
    /// Highest priority that any entry here has had; an upper bound.
    @inline(__always) var maxPriority: UInt16 {
        get { UInt16(truncatingIfNeeded: base[Word.maxPriority]) }
        nonmutating set { base[Word.maxPriority] = UInt64(newValue) }
    }
    var count: Int { Int(base[Word.count]) }

    /// Bytes held, for the memory report.
    var byteCount: Int { (Int(slots[0]) + 2 + Word.size) * 8 }

    /// The visible entry with the highest priority, at least `floor`, that accepts the key; ties go to the older entry.
    @inline(__always)
    func best(_ key: UnsafePointer<UInt64>, version: UInt64, floor: Int) -> EntryRecord? {
        let hash = mask.hash(key)
        let slots = self.slots
        let capacityMask = slots[0]
        var at = UInt64(hash) & capacityMask
        let tag = UInt64(hash) >> 16
        var best: EntryRecord?
        var bestPriority = floor
        while true {
            let slot = weft_load_acquire_u64(slots + 1 + Int(at))
            if slot == 0 { return best }
            if slot >> 48 == tag, slot & Self.pointerMask > Self.tombstone {
                let entry = EntryRecord(word: slot & Self.pointerMask)!
                let priority = Int(entry.priority)
                if priority >= bestPriority, entry.accepts(key), entry.isVisible(at: version) {
                    if best == nil || priority > bestPriority || entry.ordinal < best!.ordinal {
                        best = entry
                        bestPriority = priority
                    }
                }
            }
            at = (at &+ 1) & capacityMask
        }
    }

    /// Calls `body` with every visible entry that accepts the key.
    func forEach(accepting key: UnsafePointer<UInt64>, version: UInt64, _ body: (EntryRecord) -> Void) {
        let hash = mask.hash(key)
        let slots = self.slots
        var at = UInt64(hash) & slots[0]
        let tag = UInt64(hash) >> 16
        while true {
            let slot = weft_load_acquire_u64(slots + 1 + Int(at))
            if slot == 0 { return }
            if slot >> 48 == tag, slot & Self.pointerMask > Self.tombstone {
                let entry = EntryRecord(word: slot & Self.pointerMask)!
                if entry.accepts(key), entry.isVisible(at: version) { body(entry) }
            }
            at = (at &+ 1) & slots[0]
        }
    }

    /// Calls `body` with every entry; owner only.
    func forEachEntry(_ body: (EntryRecord) -> Void) {
        let slots = self.slots
        for i in 0...Int(slots[0]) {
            let p = slots[1 + i] & Self.pointerMask
            if p > Self.tombstone { body(EntryRecord(word: p)!) }
        }
    }

    /// The live entry with exactly this mask, these values and this priority; owner only.
    func find(mask: MaskRecord, values: UnsafePointer<UInt64>, priority: UInt16, hash: UInt32) -> EntryRecord? {
        let slots = self.slots
        var at = UInt64(hash) & slots[0]
        let tag = UInt64(hash) >> 16
        while true {
            let slot = slots[1 + Int(at)]
            if slot == 0 { return nil }
            if slot >> 48 == tag, slot & Self.pointerMask > Self.tombstone {
                let e = EntryRecord(word: slot & Self.pointerMask)!
                if e.priority == priority, e.mask == mask, e.removedAt == .max {
                    var isSame = true
                    for i in 0..<mask.count where e.values[i] != values[i] {
                        isSame = false
                        break
                    }
                    if isSame { return e }
                }
            }
            at = (at &+ 1) & slots[0]
        }
    }

    /// Adds an entry; returns the replaced slot array when the table grew, for the owner to free later.
    func insert(_ entry: EntryRecord, hash: UInt32) -> UnsafeMutableRawPointer? {
        var old: UnsafeMutableRawPointer?
        if (base[Word.used] + 1) * 2 > slots[0] + 1 {
            old = UnsafeMutableRawPointer(slots)
            rebuild()
        }
        let slots = self.slots
        var at = UInt64(hash) & slots[0]
        while slots[1 + Int(at)] & Self.pointerMask > Self.tombstone { at = (at &+ 1) & slots[0] }
        if slots[1 + Int(at)] == 0 { base[Word.used] += 1 }
        base[Word.count] += 1
        if entry.priority > maxPriority { maxPriority = entry.priority }
        weft_store_release_u64(slots + 1 + Int(at), (UInt64(hash) >> 16) << 48 | entry.word)
        return old
    }

    /// Takes an entry out; it must be in the group. Called when no reader can need it any more.
    func remove(_ entry: EntryRecord, hash: UInt32) {
        let slots = self.slots
        var at = UInt64(hash) & slots[0]
        while slots[1 + Int(at)] & Self.pointerMask != entry.word {
            if slots[1 + Int(at)] == 0 { return }
            at = (at &+ 1) & slots[0]
        }
        base[Word.count] -= 1
        let next = slots[1 + Int((at &+ 1) & slots[0])]
        // A slot before an empty one ends its probe chains anyway and can become empty itself.
        if next == 0 {
            base[Word.used] -= 1
            weft_store_release_u64(slots + 1 + Int(at), 0)
        } else {
            weft_store_release_u64(slots + 1 + Int(at), Self.tombstone)
        }
    }

    /// Hash of an entry's values under this group's mask, which is a subset of the entry's.
    func hash(of entry: EntryRecord) -> UInt32 { hash(mask: entry.mask, values: entry.values) }

    func hash(mask entryMask: MaskRecord, values: UnsafePointer<UInt64>) -> UInt32 {
        var h: UInt64 = 0x5bd1_e995
        let own = mask
        var j = 0
        for i in 0..<own.count {
            while entryMask.index(j) != own.index(i) { j += 1 }
            h = weft_hash_step(h, values[j] & own.mask(i))
        }
        return weft_hash_finish(h)
    }

    /// Moves all live slots to an array with room for as many again.
    private func rebuild() {
        var capacity = 8
        while capacity < Int(base[Word.count] + 1) * 4 { capacity *= 2 }
        let fresh = Self.makeSlots(capacity)
        let slots = self.slots
        for i in 0...Int(slots[0]) where slots[1 + i] & Self.pointerMask > Self.tombstone {
            let entry = EntryRecord(word: slots[1 + i] & Self.pointerMask)!
            let h = hash(of: entry)
            var at = UInt64(h) & fresh[0]
            while fresh[1 + Int(at)] != 0 { at = (at &+ 1) & fresh[0] }
            fresh[1 + Int(at)] = slots[1 + i]
        }
        base[Word.used] = base[Word.count]
        weft_store_release_u64(base + Word.slots, UInt64(UInt(bitPattern: fresh)))
    }
}
