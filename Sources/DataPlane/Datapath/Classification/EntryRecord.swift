import CLinux
import Flow

/// A flow entry as lookups and translation see it: one block of raw memory, 96 bytes and 8 for each masked word.
///
/// Written by the owner of the tables before it is published; afterwards only the counters, `modified`, `removedAt` and the time-outs
/// change, each a single aligned word. It is freed by the owner after every worker has passed the version that removed it.
struct EntryRecord: Hashable, @unchecked Sendable {
    let base: UnsafeMutableRawPointer

    enum Flag {
        /// All actions are `conjunction`.
        static let conjunctive: UInt8 = 1
        static let sendFlowRemoved: UInt8 = 2
        /// Dropped packets of this entry never count as misses; set for entries whose statistics nobody wants.
        static let noCounters: UInt8 = 4
        /// Some action is a `learn` whose entries go when this one goes.
        static let deletesLearned: UInt8 = 8
    }

    private enum Offset {
        static let packets = 0, bytes = 8, lastUsed = 16, created = 24, modified = 32, cookie = 40
        static let addedAt = 48, removedAt = 56
        static let mask = 64, actions = 72
        static let priority = 80, idle = 82, hard = 84, table = 86, flags = 87
        static let importance = 88, entryFlags = 90, ordinal = 92
        static let values = 96
    }
    static func size(words: Int) -> Int { Offset.values + 8 * words }

    init(_ base: UnsafeMutableRawPointer) { self.base = base }
    @inline(__always) init?(word: UInt64) {
        guard let p = UnsafeMutableRawPointer(bitPattern: UInt(word)) else { return nil }
        base = p
    }
    @inline(__always) var word: UInt64 { UInt64(UInt(bitPattern: base)) }

    @inline(__always) private func pointer<T>(_ offset: Int, _: T.Type) -> UnsafeMutablePointer<T> {
        (base + offset).assumingMemoryBound(to: T.self)
    }
    /// Counters are added to by any worker's flush, hence atomically.
    @inline(__always) var packets: UnsafeMutablePointer<UInt64> { pointer(Offset.packets, UInt64.self) }
    @inline(__always) var bytes: UnsafeMutablePointer<UInt64> { pointer(Offset.bytes, UInt64.self) }
    /// Nanoseconds of the last packet, or of creation.
    @inline(__always) var lastUsed: UInt64 {
        get { pointer(Offset.lastUsed, UInt64.self).pointee }
        nonmutating set { pointer(Offset.lastUsed, UInt64.self).pointee = newValue }
    }
    @inline(__always) var created: UInt64 {
        get { pointer(Offset.created, UInt64.self).pointee }
        nonmutating set { pointer(Offset.created, UInt64.self).pointee = newValue }
    }
    /// When the entry was added, modified or relearned; the hard time-out counts from here.
    @inline(__always) var modified: UInt64 {
        get { pointer(Offset.modified, UInt64.self).pointee }
        nonmutating set { pointer(Offset.modified, UInt64.self).pointee = newValue }
    }
    @inline(__always) var cookie: UInt64 {
        get { pointer(Offset.cookie, UInt64.self).pointee }
        nonmutating set { pointer(Offset.cookie, UInt64.self).pointee = newValue }
    }
    /// First version of the tables that has the entry.
    @inline(__always) var addedAt: UInt64 {
        get { pointer(Offset.addedAt, UInt64.self).pointee }
        nonmutating set { pointer(Offset.addedAt, UInt64.self).pointee = newValue }
    }
    /// First version that lacks it again.
    @inline(__always) var removedAt: UInt64 {
        get { weft_load_acquire_u64(pointer(Offset.removedAt, UInt64.self)) }
        nonmutating set { weft_store_release_u64(pointer(Offset.removedAt, UInt64.self), newValue) }
    }
    @inline(__always) var mask: MaskRecord {
        get { MaskRecord(base: pointer(Offset.mask, UnsafeMutablePointer<UInt64>.self).pointee) }
        nonmutating set { pointer(Offset.mask, UnsafeMutablePointer<UInt64>.self).pointee = newValue.base }
    }
    /// The compiled actions.
    @inline(__always) var actions: ActionRecord {
        get { ActionRecord(base: pointer(Offset.actions, UnsafeMutablePointer<UInt64>.self).pointee) }
        nonmutating set { pointer(Offset.actions, UnsafeMutablePointer<UInt64>.self).pointee = newValue.base }
    }
    @inline(__always) var priority: UInt16 {
        get { pointer(Offset.priority, UInt16.self).pointee }
        nonmutating set { pointer(Offset.priority, UInt16.self).pointee = newValue }
    }
    @inline(__always) var idleTimeout: UInt16 {
        get { pointer(Offset.idle, UInt16.self).pointee }
        nonmutating set { pointer(Offset.idle, UInt16.self).pointee = newValue }
    }
    @inline(__always) var hardTimeout: UInt16 {
        get { pointer(Offset.hard, UInt16.self).pointee }
        nonmutating set { pointer(Offset.hard, UInt16.self).pointee = newValue }
    }
    @inline(__always) var table: UInt8 {
        get { pointer(Offset.table, UInt8.self).pointee }
        nonmutating set { pointer(Offset.table, UInt8.self).pointee = newValue }
    }
    @inline(__always) var flags: UInt8 {
        get { pointer(Offset.flags, UInt8.self).pointee }
        nonmutating set { pointer(Offset.flags, UInt8.self).pointee = newValue }
    }
    @inline(__always) var importance: UInt16 {
        get { pointer(Offset.importance, UInt16.self).pointee }
        nonmutating set { pointer(Offset.importance, UInt16.self).pointee = newValue }
    }
    @inline(__always) var entryFlags: UInt8 {
        get { pointer(Offset.entryFlags, UInt8.self).pointee }
        nonmutating set { pointer(Offset.entryFlags, UInt8.self).pointee = newValue }
    }
    /// Position in the order of addition, handed over to the entry that changes or replaces this one; ties of equal priority are won by the older.
    @inline(__always) var ordinal: UInt32 {
        get { pointer(Offset.ordinal, UInt32.self).pointee }
        nonmutating set { pointer(Offset.ordinal, UInt32.self).pointee = newValue }
    }
    /// The masked values, one for each word of `mask`.
    @inline(__always) var values: UnsafeMutablePointer<UInt64> { pointer(Offset.values, UInt64.self) }

    /// Whether a key has this entry's values under its mask.
    @inline(__always) func accepts(_ key: UnsafePointer<UInt64>) -> Bool {
        let m = mask
        let v = values
        let n = m.count
        var i = 0
        while i < n {
            if key[m.index(i)] & m.mask(i) != v[i] { return false }
            i &+= 1
        }
        return true
    }

    /// Whether the entry exists in this version of the tables.
    @inline(__always) func isVisible(at version: UInt64) -> Bool {
        addedAt <= version && version < removedAt
    }

    /// The match as a value.
    var match: Match {
        let (mask, values) = (mask, values)
        let words = [Match.Word](unsafeUninitializedCapacity: mask.count) { buffer, count in
            // Safe: as many as asked for.
            for i in 0..<mask.count {
                (buffer.baseAddress! + i).initialize(to: Match.Word(index: mask.index(i), mask: mask.mask(i), value: values[i]))
            }
            count = mask.count
        }
        return Match(ascending: words)
    }
}
