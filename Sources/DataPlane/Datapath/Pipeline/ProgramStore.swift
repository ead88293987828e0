import CLinux

/// One worker's programs: equal ones are stored once, unreferenced ones are freed when statistics are collected.
///
/// Not shared between threads.
final class ProgramStore {
    private var buckets: UnsafeMutablePointer<UInt64>
    private var bucketMask: Int
    private(set) var count = 0
    /// Packets that reached each table, and of these the ones that matched; for the summary.
    let lookups: UnsafeMutablePointer<UInt64>
    let matches: UnsafeMutablePointer<UInt64>

    private let effects: EffectStore

    private let groups: GroupStore

    init(effects: EffectStore, groups: GroupStore) {
        self.effects = effects
        self.groups = groups
        bucketMask = 1023
        buckets = .allocate(capacity: 1024)
        buckets.initialize(repeating: 0, count: 1024)
        lookups = .allocate(capacity: 256)
        lookups.initialize(repeating: 0, count: 256)
        matches = .allocate(capacity: 256)
        matches.initialize(repeating: 0, count: 256)
    }

    deinit {
        forEach { $0.base.deallocate() }
        buckets.deallocate()
        lookups.deallocate()
        matches.deallocate()
    }

    /// The stored program equal to the builder's, made when there is none.
    func intern(_ b: ProgramBuilder) -> Program {
        var h: UInt64 = b.flags
        for i in 0..<b.opCount { h = weft_hash_step(h, b.ops[i]) }
        for i in 0..<b.pathCount { h = weft_hash_step(h, b.path[i]) }
        let hash = UInt64(weft_hash_finish(h))
        var p = buckets[Int(hash) & bucketMask]
        while p != 0 {
            let program = Program(base: UnsafeMutablePointer(bitPattern: UInt(p))!)
            if program.base[Program.Header.hash] == hash, equals(program, b) { return program }
            p = program.base[Program.Header.next]
        }
        let base = UnsafeMutablePointer<UInt64>.allocate(capacity: Program.Header.size + b.opCount + b.pathCount)
        base.initialize(repeating: 0, count: Program.Header.size)
        let program = Program(base: base)
        base[Program.Header.flags] = b.flags
        base[Program.Header.counts] = UInt64(b.opCount) | UInt64(b.pathCount) << 32
        base[Program.Header.hash] = hash
        base[Program.Header.written] = b.writtenWords
        base[Program.Header.learningVersion] = b.learningVersion
        for i in 0..<4 { base[Program.Header.tables + i] = b.tables[i] }
        (base + Program.Header.size).initialize(from: b.ops, count: b.opCount)
        program.path.initialize(from: b.path, count: b.pathCount)
        base[Program.Header.next] = buckets[Int(hash) & bucketMask]
        buckets[Int(hash) & bucketMask] = UInt64(UInt(bitPattern: base))
        count += 1
        forEachEffect(program) { effects.retain($0) }
        if count > bucketMask + 1 { grow() }
        return program
    }

    private func forEachEffect(_ program: Program, _ body: (UInt32) -> Void) {
        guard program.flags & Program.Flag.hasEffects != 0 else { return }
        let path = program.path
        for i in 0..<program.pathCount where path[i] & 7 == 2 { body(UInt32(path[i] >> 3)) }
    }

    private func equals(_ p: Program, _ b: ProgramBuilder) -> Bool {
        guard p.opCount == b.opCount, p.pathCount == b.pathCount, p.flags == b.flags, p.writtenWords == b.writtenWords,
            p.base[Program.Header.learningVersion] == b.learningVersion
        else { return false }
        let ops = p.ops
        for i in 0..<b.opCount where ops[i] != b.ops[i] { return false }
        let path = p.path
        for i in 0..<b.pathCount where path[i] != b.path[i] { return false }
        return true
    }

    private func grow() {
        let size = (bucketMask + 1) * 4
        let fresh = UnsafeMutablePointer<UInt64>.allocate(capacity: size)
        fresh.initialize(repeating: 0, count: size)
        let old = buckets
        let oldCount = bucketMask + 1
        buckets = fresh
        bucketMask = size - 1
        for i in 0..<oldCount {
            var p = old[i]
            while p != 0 {
                let base = UnsafeMutablePointer<UInt64>(bitPattern: UInt(p))!
                let next = base[Program.Header.next]
                let at = Int(base[Program.Header.hash]) & bucketMask
                base[Program.Header.next] = buckets[at]
                buckets[at] = p
                p = next
            }
        }
        old.deallocate()
    }

    private func forEach(_ body: (Program) -> Void) {
        for i in 0...bucketMask {
            var p = buckets[i]
            while p != 0 {
                let program = Program(base: UnsafeMutablePointer(bitPattern: UInt(p))!)
                p = program.base[Program.Header.next]
                body(program)
            }
        }
    }

    /// Moves the programs' counts to the entries on their paths and frees programs that no cache entry holds.
    ///
    /// The entries must still be alive: the owner calls this before it frees entries of a version that this worker has left behind.
    ///
    /// - Parameter freesUnused: false within a batch, whose packets may stand on programs that the cache has let go of.
    func collect(freesUnused: Bool) {
        for i in 0...bucketMask {
            var link = buckets + i
            while link.pointee != 0 {
                let program = Program(base: UnsafeMutablePointer(bitPattern: UInt(link.pointee))!)
                let packets = program.base[Program.Header.packets]
                if packets != 0 {
                    credit(program, packets: packets)
                    program.base[Program.Header.packets] = 0
                    program.base[Program.Header.bytes] = 0
                }
                if freesUnused, program.references == 0 {
                    link.pointee = program.base[Program.Header.next]
                    forEachEffect(program) { effects.release($0) }
                    program.base.deallocate()
                    count -= 1
                } else {
                    link = program.base + Program.Header.next
                }
            }
        }
    }

    private func credit(_ program: Program, packets: UInt64) {
        let bytes = program.base[Program.Header.bytes]
        let used = program.base[Program.Header.lastUsed]
        let path = program.path
        for i in 0..<program.pathCount {
            if path[i] & 7 == 2 { continue }
            if path[i] & 7 == 4 {
                groups.credit(UInt32(path[i] >> 32), bucket: Int(path[i] >> 16 & 0xffff), packets: packets, bytes: bytes)
                continue
            }
            if path[i] & 1 == 1 {
                lookups[Int(path[i] >> 1)] += packets
                continue
            }
            let entry = EntryRecord(word: path[i])!
            lookups[Int(entry.table)] += packets
            matches[Int(entry.table)] += packets
            weft_add_relaxed_u64(entry.packets, packets)
            weft_add_relaxed_u64(entry.bytes, bytes)
            if used > entry.lastUsed { entry.lastUsed = used }
        }
    }
}
