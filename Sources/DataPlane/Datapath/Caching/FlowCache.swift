import CLinux
import Flow

/// One worker's flow cache: what the tables said, for all packets that agree in the bits the tables looked at.
///
/// **Invariant.** A cached program may be missing or older than the tables; it is never run for a packet that the tables would now treat
/// differently. An entry carries the version it was made or last confirmed at; when that is not the current one, it is asked of the change log
/// (`Publication.View.affects`) before it is run.
///
/// **Design.** Flows are kept in one subtable per dependency mask (`Translator.depends`). Masks are few, because they come from routes through the
/// tables and not from entries. A packet's *class* (EtherType, protocol, fragment, tag, port), which every mask includes, remembers the subtable where a
/// packet of that class was last found; it is tried first, the others after it. So the usual packet costs one hash and two cache lines whatever
/// the number of masks. Masks that differ in few bits are merged into the larger.
///
/// **What was tried instead** is in Docs/Decisions/FlowCache.md.
///
/// Used by one thread.
final class FlowCache {
    /// Dependency masks at most; one more empties the cache.
    static let subtableLimit = 128
    /// Bits by which a subtable's mask may exceed what a flow depends on: a TTL and a TOS. The price is an entry for each of their values.
    static let mergeLimit = 16
    private(set) var subtables: [CacheSubtable] = []
    /// What lookups read of `subtables`, in the same order.
    let heads: UnsafeMutablePointer<CacheSubtable.Head>
    /// Subtable last successful for each packet class.
    let hints: UnsafeMutablePointer<UInt8>
    static let hintCount = 4096
    let entryLimit: Int
    /// The mask last asked for, and its subtable.
    private let lastDepends: UnsafeMutablePointer<UInt64>
    private var lastSubtable = -1
    private(set) var flushes: UInt64 = 0

    init(entryLimit: Int) {
        self.entryLimit = entryLimit
        lastDepends = .allocate(capacity: FlowKeyLayout.arrivalWordCount)
        heads = .allocate(capacity: Self.subtableLimit)
        hints = .allocate(capacity: Self.hintCount)
        hints.initialize(repeating: 0, count: Self.hintCount)
    }

    deinit {
        subtables = []
        heads.deallocate()
        lastDepends.deallocate()
        hints.deallocate()
    }

    /// Number of a packet's class.
    @inline(__always) static func packetClass(_ key: UnsafePointer<UInt64>) -> Int {
        let port = key[FlowKeyLayout.inPortFlags] & ~0xffff_ffff | key[FlowKeyLayout.ethDstType] & 0xffff
        let kind = key[FlowKeyLayout.transport] & 0xff00_0003 | key[FlowKeyLayout.ethSrcVLAN] & 0x1000
        return Int(truncatingIfNeeded: weft_hash_step(weft_hash_step(0, port), kind) & UInt64(hintCount - 1))
    }

    /// The subtable for a dependency mask, made when there is none.
    func subtable(depends: UnsafePointer<UInt64>) -> Int {
        if lastSubtable >= 0 {
            var difference: UInt64 = 0
            for w in 0..<FlowKeyLayout.arrivalWordCount { difference |= depends[w] ^ lastDepends[w] }
            if difference == 0 { return lastSubtable }
        }
        let index = searchSubtable(depends: depends)
        lastSubtable = index
        lastDepends.update(from: depends, count: FlowKeyLayout.arrivalWordCount)
        return index
    }

    private func searchSubtable(depends: UnsafePointer<UInt64>) -> Int {
        // A subtable with a slightly larger mask serves as well, and spares packets of one class from being looked for under two masks.
        var best: (index: Int, extra: Int)?
        for (i, s) in subtables.enumerated() where !s.isSuperseded {
            guard let extra = Self.extraBits(of: s.mask, over: depends), extra <= Self.mergeLimit else { continue }
            if best == nil || extra < best!.extra { best = (i, extra) }
        }
        if let best { return best.index }
        if subtables.count == Self.subtableLimit { removeAll() }
        let words = (0..<FlowKeyLayout.arrivalWordCount).filter { depends[$0] != 0 }.map { (index: $0, mask: depends[$0]) }
        let fresh = CacheSubtable(mask: MaskRecord(words: words), limit: entryLimit, head: heads + subtables.count)
        for s in subtables where !s.isSuperseded {
            if let extra = Self.extraBits(of: fresh.mask, over: s.mask), extra <= Self.mergeLimit {
                s.removeAll()
                s.isSuperseded = true
            }
        }
        subtables.append(fresh)
        return subtables.count - 1
    }

    /// Bits that a mask has beyond another, or nil when it does not contain the other.
    private static func extraBits(of mask: MaskRecord, over depends: UnsafePointer<UInt64>) -> Int? {
        var j = 0
        var extra = 0
        for w in 0..<FlowKeyLayout.arrivalWordCount {
            var m: UInt64 = 0
            if j < mask.count, mask.index(j) == w {
                m = mask.mask(j)
                j += 1
            }
            if depends[w] & ~m != 0 { return nil }
            extra += (m & ~depends[w]).nonzeroBitCount
        }
        return extra
    }

    private static func extraBits(of mask: MaskRecord, over other: MaskRecord) -> Int? {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: FlowKeyLayout.arrivalWordCount) { words in
            words.initialize(repeating: 0)
            for i in 0..<other.count { words[other.index(i)] = other.mask(i) }
            return extraBits(of: mask, over: words.baseAddress!)
        }
    }

    /// Empties the cache.
    func removeAll() {
        for s in subtables { s.removeAll() }
        subtables = []
        lastSubtable = -1
        hints.update(repeating: 0, count: Self.hintCount)
        flushes += 1
    }

    var entryCount: Int { subtables.reduce(0) { $0 + $1.count } }
    var byteCount: Int { subtables.reduce(0) { $0 + $1.byteCount } }
}
