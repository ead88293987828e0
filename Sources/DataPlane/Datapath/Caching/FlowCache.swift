import CLinux
import Flow

/// One worker's flow cache: what the tables said, for all packets that agree in the bits the tables looked at.
///
/// **Invariant.** A cached program may be missing or older than the tables; it is never run for a packet that the tables would now treat
/// differently. An entry carries the version it was made or last confirmed at; when that is not the current one, it is asked of the change log
/// (`Publication.affects`) before it is run.
///
/// **Design.** Flows are kept in one subtable per dependency mask (`Translator.depends`). Masks are few, because they come from routes through the
/// tables and not from entries. A packet's *class* (EtherType, protocol, fragment, tag, port), which every mask includes, remembers the subtable where a
/// packet of that class was last found; it is tried first, the others after it. So the usual packet costs one hash and two cache lines whatever
/// the number of masks.
///
/// **What was tried instead** is in Docs/Decisions/FlowCache.md.
///
/// Used by one thread.
final class FlowCache {
    /// Dependency masks at most; one more empties the cache.
    static let subtableLimit = 128
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
        lastDepends = .allocate(capacity: FlowKeyLayout.packetWordCount)
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
            for w in 0..<FlowKeyLayout.packetWordCount { difference |= depends[w] ^ lastDepends[w] }
            if difference == 0 { return lastSubtable }
        }
        let index = searchSubtable(depends: depends)
        lastSubtable = index
        lastDepends.update(from: depends, count: FlowKeyLayout.packetWordCount)
        return index
    }

    private func searchSubtable(depends: UnsafePointer<UInt64>) -> Int {
        outer: for (i, s) in subtables.enumerated() {
            var j = 0
            for w in 0..<FlowKeyLayout.packetWordCount {
                let m: UInt64
                if j < s.mask.count, s.mask.index(j) == w {
                    m = s.mask.mask(j)
                    j += 1
                } else {
                    m = 0
                }
                if m != depends[w] { continue outer }
            }
            return i
        }
        if subtables.count == Self.subtableLimit { removeAll() }
        let words = (0..<FlowKeyLayout.packetWordCount).filter { depends[$0] != 0 }.map { (index: $0, mask: depends[$0]) }
        subtables.append(CacheSubtable(mask: MaskRecord(words: words), limit: entryLimit, head: heads + subtables.count))
        return subtables.count - 1
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
