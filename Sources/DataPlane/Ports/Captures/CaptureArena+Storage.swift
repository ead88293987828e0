import Glibc

/// Zeroed memory that grows in place: address space is reserved at once, memory made usable step by step.
///
/// Its start never moves, so nothing has to be copied and growing needs no second copy of gigabytes. Reserved but unused space costs
/// neither memory nor commit charge. The start is aligned for huge pages and the kernel is asked for them; where it has none,
/// ordinary pages serve. Owned by one `CaptureArena`.
final class GrowingMapping {
    /// Alignment of the start: a huge page of x86-64 and (with 4 KiB pages) of arm64.
    static let hugePageBytes = 2 << 20
    /// Memory is made usable in multiples of this.
    static let stepBytes = 32 << 20

    let start: UnsafeMutableRawPointer
    private let region: UnsafeMutableRawPointer
    private let regionSize: Int
    private let limit: Int
    private var usable = 0

    /// - Throws: `.outOfMemory`.
    init(reserving size: Int, spareBytes: Int = 0) throws(CaptureError) {
        let rounded = size.addingReportingOverflow(spareBytes + Self.stepBytes - 1)
        guard size >= 0, !rounded.overflow, rounded.partialValue < 1 << 46 else { throw .outOfMemory(sizeBytes: size) }
        limit = rounded.partialValue / Self.stepBytes * Self.stepBytes
        regionSize = limit + Self.hugePageBytes
        guard let region = mmap(nil, regionSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), region != MAP_FAILED else {
            throw .outOfMemory(sizeBytes: size)
        }
        self.region = region
        start = region.alignedUp(toMultipleOf: Self.hugePageBytes)
    }

    deinit { munmap(region, regionSize) }

    /// Makes at least `size` bytes from `start` readable and writable.
    ///
    /// - Throws: `.outOfMemory` when `size` exceeds the reservation or the system has no memory.
    func grow(to size: Int) throws(CaptureError) {
        if size <= usable { return }
        let wanted = (size + Self.stepBytes - 1) / Self.stepBytes * Self.stepBytes
        guard wanted <= limit, mprotect(start + usable, wanted - usable, PROT_READ | PROT_WRITE) == 0 else {
            throw .outOfMemory(sizeBytes: size)
        }
        // Advice only: a kernel without huge pages refuses, and nothing is lost.
        madvise(start + usable, wanted - usable, MADV_HUGEPAGE)
        usable = wanted
    }
}
