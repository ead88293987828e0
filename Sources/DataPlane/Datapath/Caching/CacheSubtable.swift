import CLinux
import Flow

/// All cached flows with one dependency mask: a hash table from the masked words of a key to a program.
///
/// Buckets are one cache line, eight tags and eight entry numbers; an entry is one line when the mask has up to six words: `[hash 32 | version 32]
/// [program][masked key words…]`. A lookup thus touches two lines, both prefetched a stage before they are needed. A bucket that is full when the
/// table has its largest size gives up one of its entries.
final class CacheSubtable {
    /// What a lookup reads: plain memory, so that the packet path holds no object.
    struct Head {
        /// Masks of words 0–4, for masks that touch no other: those of IPv4 packets.
        var dense: (UInt64, UInt64, UInt64, UInt64, UInt64)
        /// Whether `dense` is the whole mask; entries then hold five words, masked out ones as zero.
        var isDense: Bool
        var stride: UInt32
        var bucketMask: UInt32
        var buckets: UnsafeMutablePointer<UInt32>
        var entries: UnsafeMutableRawPointer
        var mask: MaskRecord

        @inline(__always) func bucket(_ hash: UInt32) -> UnsafeMutablePointer<UInt32> {
            buckets + Int(truncatingIfNeeded: (hash & bucketMask) &* 16)
        }

        @inline(__always) func entry(_ number: UInt32) -> UnsafeMutablePointer<UInt64> {
            (entries + Int(truncatingIfNeeded: number) &* Int(truncatingIfNeeded: stride)).assumingMemoryBound(to: UInt64.self)
        }

        @inline(__always) func hash(_ key: UnsafePointer<UInt64>) -> UInt32 {
            if !isDense { return mask.hash(key) }
            var h = weft_hash_step(0x5bd1_e995, key[0] & dense.0)
            h = weft_hash_step(h, key[1] & dense.1)
            h = weft_hash_step(h, key[2] & dense.2)
            h = weft_hash_step(h, key[3] & dense.3)
            h = weft_hash_step(h, key[4] & dense.4)
            return weft_hash_finish(h)
        }

        /// Whether an entry stands for this key.
        @inline(__always) func accepts(_ entry: UnsafeMutablePointer<UInt64>, _ key: UnsafePointer<UInt64>) -> Bool {
            let e = entry + CacheSubtable.headerWords
            if isDense {
                let d0 = (key[0] & dense.0 ^ e[0]) | (key[1] & dense.1 ^ e[1])
                let d1 = (key[2] & dense.2 ^ e[2]) | (key[3] & dense.3 ^ e[3])
                return d0 | d1 | (key[4] & dense.4 ^ e[4]) == 0
            }
            let n = mask.count
            var difference: UInt64 = 0
            var i = 0
            while i < n {
                difference |= (key[mask.index(i)] & mask.mask(i)) ^ e[i]
                i &+= 1
            }
            return difference == 0
        }

        /// Which bits of a word the packets of an entry are known to have, and how.
        @inline(__always) func known(_ entry: UnsafeMutablePointer<UInt64>, _ word: Int) -> (mask: UInt64, value: UInt64) {
            let e = entry + CacheSubtable.headerWords
            if isDense {
                switch word {
                case 0: return (dense.0, e[0])
                case 1: return (dense.1, e[1])
                case 2: return (dense.2, e[2])
                case 3: return (dense.3, e[3])
                case 4: return (dense.4, e[4])
                default: return (0, 0)
                }
            }
            var i = 0
            while i < mask.count {
                if mask.index(i) == word { return (mask.mask(i), e[i]) }
                i &+= 1
            }
            return (0, 0)
        }

        /// Writes the masked words of a key as entries hold them.
        func fill(_ entry: UnsafeMutablePointer<UInt64>, _ key: UnsafePointer<UInt64>) {
            let e = entry + CacheSubtable.headerWords
            if isDense {
                (e[0], e[1], e[2]) = (key[0] & dense.0, key[1] & dense.1, key[2] & dense.2)
                (e[3], e[4]) = (key[3] & dense.3, key[4] & dense.4)
            } else {
                for i in 0..<mask.count { e[i] = key[mask.index(i)] & mask.mask(i) }
            }
        }
    }

    let head: UnsafeMutablePointer<Head>
    var mask: MaskRecord { head.pointee.mask }
    private var buckets: UnsafeMutablePointer<UInt32> { head.pointee.buckets }
    private var bucketMask: UInt32 { head.pointee.bucketMask }
    private var entries: UnsafeMutableRawPointer { head.pointee.entries }
    private var stride: Int { Int(head.pointee.stride) }
    private var capacity: Int
    private(set) var count = 0
    private var nextUnused = 0
    private var free: [UInt32] = []
    static let headerWords = 2
    /// Half the flows at which the buckets stop growing; beyond, a full bucket gives up one of its entries.
    let limit: Int
    private var victim: UInt32 = 0
    /// Whether a larger mask has taken over; the table is then empty for good.
    var isSuperseded = false

    /// - Parameter head: where to keep what lookups read; stays the caller's.
    init(mask: MaskRecord, limit: Int, head: UnsafeMutablePointer<Head>) {
        self.limit = limit
        self.head = head
        let isDense = (0..<mask.count).allSatisfy { mask.index($0) < 5 }
        var dense: [UInt64] = [0, 0, 0, 0, 0]
        if isDense { for i in 0..<mask.count { dense[mask.index(i)] = mask.mask(i) } }
        let stride = ((Self.headerWords + (isDense ? 5 : mask.count)) * 8 + 63) / 64 * 64
        capacity = 256
        head.initialize(
            to: Head(
                dense: (dense[0], dense[1], dense[2], dense[3], dense[4]), isDense: isDense, stride: UInt32(stride), bucketMask: 63,
                buckets: Self.makeBuckets(64), entries: weft_allocate_large(capacity * stride)!, mask: mask))
    }

    deinit {
        weft_free_large(buckets, Int(bucketMask + 1) * 64)
        weft_free_large(entries, capacity * stride)
        mask.deallocate()
    }

    private static func makeBuckets(_ n: Int) -> UnsafeMutablePointer<UInt32> {
        weft_allocate_large(n * 64)!.bindMemory(to: UInt32.self, capacity: n * 16)
    }

    private func bucket(_ hash: UInt32) -> UnsafeMutablePointer<UInt32> { head.pointee.bucket(hash) }
    private func entry(_ number: UInt32) -> UnsafeMutablePointer<UInt64> { head.pointee.entry(number) }

    /// Zero marks an empty slot, so no tag is zero.
    @inline(__always) static func tag(_ hash: UInt32) -> UInt32 { hash | 1 }

    /// The entry that stands for this key.
    func find(_ key: UnsafePointer<UInt64>, hash: UInt32) -> UnsafeMutablePointer<UInt64>? {
        let b = bucket(hash)
        var candidates = weft_match_tags8(b, Self.tag(hash))
        while candidates != 0 {
            let e = entry(b[8 + candidates.trailingZeroBitCount])
            if head.pointee.accepts(e, key) { return e }
            candidates &= candidates - 1
        }
        return nil
    }

    /// Adds a flow that is not in the table.
    func insert(_ key: UnsafePointer<UInt64>, hash: UInt32, program: Program, version: UInt32) {
        if count >= Int(bucketMask + 1) * 2, Int(bucketMask + 1) * 2 < limit { grow() }
        let b = bucket(hash)
        var slot = weft_match_tags8(b, 0)
        let number: UInt32
        if slot != 0 {
            slot = UInt32(slot.trailingZeroBitCount)
            number = allocate()
            count += 1
        } else {
            victim &+= 1
            slot = victim & 7
            number = b[8 + Int(slot)]
            release(entry(number))
        }
        let e = entry(number)
        e[0] = UInt64(hash) << 32 | UInt64(version)
        e[1] = UInt64(UInt(bitPattern: program.base))
        head.pointee.fill(e, key)
        program.references += 1
        b[8 + Int(slot)] = number
        b[Int(slot)] = Self.tag(hash)
    }

    /// Takes a flow out.
    func remove(_ target: UnsafeMutablePointer<UInt64>) {
        let hash = UInt32(target[0] >> 32)
        let b = bucket(hash)
        for i in 0..<8 where b[i] != 0 && entry(b[8 + i]) == target {
            release(target)
            free.append(b[8 + i])
            b[i] = 0
            count -= 1
            return
        }
    }

    private func release(_ e: UnsafeMutablePointer<UInt64>) {
        Program(base: UnsafeMutablePointer(bitPattern: UInt(e[1]))!).references -= 1
    }

    private func allocate() -> UInt32 {
        if let n = free.popLast() { return n }
        if nextUnused == capacity {
            let fresh = weft_allocate_large(capacity * 2 * stride)!
            fresh.copyMemory(from: entries, byteCount: capacity * stride)
            weft_free_large(entries, capacity * stride)
            head.pointee.entries = fresh
            capacity *= 2
        }
        nextUnused += 1
        return UInt32(nextUnused - 1)
    }

    /// Quadruples the buckets; entries stay where they are.
    private func grow() {
        let old = buckets
        let oldCount = Int(bucketMask + 1)
        head.pointee.buckets = Self.makeBuckets(oldCount * 4)
        head.pointee.bucketMask = UInt32(oldCount * 4 - 1)
        for i in 0..<oldCount {
            for j in 0..<8 where old[i * 16 + j] != 0 {
                let number = old[i * 16 + 8 + j]
                let hash = UInt32(entry(number)[0] >> 32)
                let b = bucket(hash)
                let room = weft_match_tags8(b, 0)
                if room == 0 {
                    release(entry(number))
                    free.append(number)
                    count -= 1
                    continue
                }
                b[room.trailingZeroBitCount] = Self.tag(hash)
                b[8 + room.trailingZeroBitCount] = number
            }
        }
        weft_free_large(old, oldCount * 64)
    }

    /// Releases every flow.
    func removeAll() {
        for i in 0...Int(bucketMask) {
            for j in 0..<8 where buckets[i * 16 + j] != 0 {
                release(entry(buckets[i * 16 + 8 + j]))
                buckets[i * 16 + j] = 0
            }
        }
        count = 0
        nextUnused = 0
        free = []
    }

    var byteCount: Int { Int(bucketMask + 1) * 64 + capacity * stride }
}
