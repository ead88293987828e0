/// The actions of texts seen before, shared by every entry with the same text: most lines of a large file repeat a few.
///
/// Open addressing by a hash of the bytes; an entry holds where its text lies in the input, so nothing is copied. A text whose meaning depends on the
/// match (prerequisites, table) is remembered once per `PacketContext`. Never evicts: past `FlowTextLimits.rememberedActions` texts are read anew.
struct ActionMemo {
    private struct Entry {
        var hash: UInt64 = 0
        /// 0: the entry of the text as such.
        var context: UInt64 = 0
        var start = 0
        var count = -1
        /// The actions depend on the context; look there.
        var isContextual = false
        var actions: [Action] = []
    }

    private var entries: [Entry] = Array(repeating: Entry(), count: 64)
    private var used = 0
    /// Slots looked at before giving up.
    private static let probes = 64

    static func hash(_ text: TextSlice) -> UInt64 {
        let b = UnsafeRawBufferPointer(text.bytes)
        var h: UInt64 = UInt64(truncatingIfNeeded: b.count) &* 0x9e37_79b9_7f4a_7c15
        var i = 0
        // Safe: eight bytes are loaded only where eight remain.
        while i &+ 8 <= b.count {
            h = (h ^ b.loadUnaligned(fromByteOffset: i, as: UInt64.self)) &* 0xff51_afd7_ed55_8ccd
            h ^= h >> 32
            i &+= 8
        }
        var tail: UInt64 = 0
        while i < b.count {
            tail = tail << 8 | UInt64(b[i])
            i &+= 1
        }
        h = (h ^ tail) &* 0xff51_afd7_ed55_8ccd
        return h ^ h >> 29
    }

    /// The actions of this text in this context, if they are known.
    func find(_ text: TextSlice, hash: UInt64, context: UInt64) -> [Action]? {
        guard let i = slot(text, hash: hash, context: 0) else { return nil }
        if !entries[i].isContextual { return entries[i].actions }
        guard let j = slot(text, hash: Self.mix(hash, context), context: context) else { return nil }
        return entries[j].actions
    }

    private static func mix(_ hash: UInt64, _ context: UInt64) -> UInt64 {
        let h = (hash ^ context) &* 0xc4ce_b9fe_1a85_ec53
        return h ^ h >> 31
    }

    private func slot(_ text: TextSlice, hash: UInt64, context: UInt64) -> Int? {
        let mask = entries.count &- 1
        var i = Int(truncatingIfNeeded: hash) & mask
        var probes = 0
        while entries[i].count >= 0, probes < Self.probes {
            if entries[i].hash == hash, entries[i].count == text.count, entries[i].context == context {
                let a = UnsafeRawBufferPointer(text.bytes)
                let b = UnsafeRawBufferPointer(TextSlice(base: text.base, start: entries[i].start, end: entries[i].start &+ entries[i].count).bytes)
                if a.elementsEqualBytes(b) { return i }
            }
            i = (i &+ 1) & mask
            probes &+= 1
        }
        return nil
    }

    /// Remembers the actions, for this context only when `context` is given.
    mutating func remember(_ text: TextSlice, hash: UInt64, context: UInt64?, _ actions: [Action]) {
        if used >= FlowTextLimits.rememberedActions || text.count > FlowTextLimits.rememberedActionBytes { return }
        while (used + 2) * 2 > entries.count { grow() }
        guard let context else {
            insert(Entry(hash: hash, start: text.start, count: text.count, actions: actions))
            return
        }
        if slot(text, hash: hash, context: 0) == nil {
            insert(Entry(hash: hash, start: text.start, count: text.count, isContextual: true))
        }
        insert(Entry(hash: Self.mix(hash, context), context: context, start: text.start, count: text.count, actions: actions))
    }

    private mutating func insert(_ entry: Entry) {
        let mask = entries.count &- 1
        var i = Int(truncatingIfNeeded: entry.hash) & mask
        var probes = 0
        while entries[i].count >= 0 {
            i = (i &+ 1) & mask
            probes &+= 1
            // Texts made to collide are not remembered, so that they cost their own reading and no more.
            if probes >= Self.probes { return }
        }
        entries[i] = entry
        used += 1
    }

    private mutating func grow() {
        let old = entries
        entries = Array(repeating: Entry(), count: old.count * 4)
        used = 0
        for entry in old where entry.count >= 0 { insert(entry) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func elementsEqualBytes(_ other: UnsafeRawBufferPointer) -> Bool {
        var i = 0
        while i &+ 8 <= count {
            // Safe: both have `count` bytes; the caller compared the counts.
            if loadUnaligned(fromByteOffset: i, as: UInt64.self) != other.loadUnaligned(fromByteOffset: i, as: UInt64.self) { return false }
            i &+= 8
        }
        while i < count {
            if self[i] != other[i] { return false }
            i &+= 1
        }
        return true
    }
}
