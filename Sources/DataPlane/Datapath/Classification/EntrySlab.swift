/// Memory for entry records: bump allocation from 1 MiB blocks, freed records are reused by size. Owner only.
struct EntrySlab: ~Copyable {
    private static let blockSize = 1 << 20
    private var blocks: [UnsafeMutableRawPointer] = []
    private var used = EntrySlab.blockSize
    private var free: [[UnsafeMutableRawPointer]] = []

    /// Bytes taken from the system.
    var byteCount: Int { blocks.count * Self.blockSize }

    /// A record for `words` masked words, uninitialised.
    mutating func allocate(words: Int) -> EntryRecord {
        if words < free.count, let p = free[words].popLast() { return EntryRecord(p) }
        let size = EntryRecord.size(words: words)
        if used + size > Self.blockSize {
            blocks.append(.allocate(byteCount: Self.blockSize, alignment: 64))
            used = 0
        }
        defer { used += size }
        return EntryRecord(blocks[blocks.count - 1] + used)
    }

    mutating func deallocate(_ entry: EntryRecord, words: Int) {
        while free.count <= words { free.append([]) }
        free[words].append(entry.base)
    }

    deinit { for b in blocks { b.deallocate() } }
}
