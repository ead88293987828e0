import CLinux
import Flow

/// A mask over the flow key, stored once for all entries and caches that use it: the words with a non-empty mask, ascending.
///
/// Raw memory so that lookups touch no reference count: `[count: 8][index0: 8 | mask0: 8] …`, immutable once made, freed with its owner.
struct MaskRecord: Equatable, @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt64>

    @inline(__always) init(base: UnsafeMutablePointer<UInt64>) { self.base = base }

    init(words: [(index: Int, mask: UInt64)]) {
        base = .allocate(capacity: 1 + 2 * words.count)
        base[0] = UInt64(words.count)
        for (i, w) in words.enumerated() {
            base[1 + 2 * i] = UInt64(w.index)
            base[2 + 2 * i] = w.mask
        }
    }

    func deallocate() { base.deallocate() }

    @inline(__always) var count: Int { Int(truncatingIfNeeded: base[0]) }
    @inline(__always) func index(_ i: Int) -> Int { Int(truncatingIfNeeded: base[1 &+ 2 &* i]) }
    @inline(__always) func mask(_ i: Int) -> UInt64 { base[2 &+ 2 &* i] }

    /// Hash of the masked words of a key.
    @inline(__always) func hash(_ key: UnsafePointer<UInt64>) -> UInt32 {
        var h: UInt64 = 0x5bd1_e995
        var p = UnsafePointer(base + 1)
        let end = p + 2 &* count
        while p < end {
            h = weft_hash_step(h, key[Int(truncatingIfNeeded: p[0])] & p[1])
            p += 2
        }
        return weft_hash_finish(h)
    }

    /// The mask as match words with no value.
    var words: [(index: Int, mask: UInt64)] { (0..<count).map { (index($0), mask($0)) } }
}
