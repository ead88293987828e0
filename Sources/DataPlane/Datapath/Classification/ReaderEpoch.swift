import CLinux

/// The version that one worker works on, for the owner to know what it may free; `.max` while the worker holds nothing.
final class ReaderEpoch: @unchecked Sendable {
    private let word: UnsafeMutablePointer<UInt64>

    init() {
        // A cache line of its own: the worker writes it every batch.
        word = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64).assumingMemoryBound(to: UInt64.self)
        word.pointee = .max
    }

    deinit { UnsafeMutableRawPointer(word).deallocate() }

    @inline(__always) var version: UInt64 { weft_load_acquire_u64(word) }

    /// Enters a batch: from here on the worker may hold what `version` shows.
    @inline(__always) func enter(_ version: UInt64) {
        weft_store_release_u64(word, version)
    }
    @inline(__always) func leave() { weft_store_release_u64(word, .max) }
}
