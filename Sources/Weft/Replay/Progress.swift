import CLinux
import Foundation
#if canImport(Glibc)
import Glibc
#endif

/// A line on the terminal that tells how far long work has come; nothing when standard error is not a terminal or the work is short.
final class Progress {
    private let label: String
    private let isShown: Bool
    private let total: Int?
    private let start = weft_monotonic_ns()
    private var last: UInt64 = 0
    private var hasPrinted = false

    init(label: String, total: Int? = nil, isShown: Bool) {
        self.label = label
        self.total = total
        self.isShown = isShown && isatty(STDERR_FILENO) != 0
    }

    func update(_ done: Int) {
        guard isShown else { return }
        let now = weft_monotonic_ns()
        // Nothing in the first half second, then five times a second.
        guard now - start > 500_000_000, now - last > 200_000_000 else { return }
        last = now
        hasPrinted = true
        let rate = Double(done) / (Double(now - start) / 1e9)
        var line = "\r\(label): \(ReplaySummary.count(UInt64(done)))"
        if let total, total > 0 {
            let filled = min(30, done * 30 / total)
            line += " of \(ReplaySummary.count(UInt64(total))) [\(String(repeating: "#", count: filled))\(String(repeating: ".", count: 30 - filled))]"
        }
        line += " packets, \(ReplaySummary.count(UInt64(rate)))/s "
        FileHandle.standardError.write(Data(line.utf8))
    }

    func finish() {
        if hasPrinted { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
    }
}
