import CLinux

/// How far one worker has come, for the owner to know what it may free: the version it works on, and the version up to which its counts have reached the
/// entries. The first guards what lookups walk over; the second guards the entries, which a worker's programs point to until it has collected.
final class ReaderEpoch: @unchecked Sendable {
    private let word: UnsafeMutablePointer<UInt64>

    init() {
        // A cache line of its own: the worker writes it every batch.
        word = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64).assumingMemoryBound(to: UInt64.self)
        word.initialize(repeating: 0, count: 8)
    }

    deinit { UnsafeMutableRawPointer(word).deallocate() }

    @inline(__always) var version: UInt64 { weft_load_acquire_u64(word) }
    @inline(__always) var collectedVersion: UInt64 { weft_load_acquire_u64(word + 1) }

    /// Enters a batch: from here on the worker holds nothing older than `version`, programs excepted.
    @inline(__always) func enter(_ version: UInt64) { weft_store_release_u64(word, version) }
    /// The worker's programs have nothing left to tell entries that are gone by `version`.
    @inline(__always) func collected(_ version: UInt64) { weft_store_release_u64(word + 1, version) }
}
