import CLinux
import Foundation
import Synchronization

/// A line on the terminal that tells how far long work has come; nothing when standard error is not a terminal or the work is short.
final class Progress {
    private let label: String
    private let isShown: Bool
    private let start = weft_monotonic_ns()
    private var last: UInt64 = 0
    private var hasPrinted = false

    init(label: String, isShown: Bool) {
        self.label = label
        self.isShown = isShown && isatty(STDERR_FILENO) != 0
    }

    /// Tells how many packets are done, and of how many when that is known.
    func update(_ done: Int, of total: Int? = nil) {
        update(done, fraction: total.map { $0 > 0 ? Double(done) / Double($0) : 1 }, of: total.map { "\(ReplaySummary.count(UInt64($0))) packets" })
    }

    /// Tells how many packets are done, and which part of the work, in words `of`, that is.
    func update(_ done: Int, fraction: Double?, of whole: String?) {
        guard isShown else { return }
        let now = weft_monotonic_ns()
        // Nothing in the first half second, then five times a second.
        guard now - start > 500_000_000, now - last > 150_000_000 else { return }
        last = now
        hasPrinted = true
        let rate = Double(done) / (Double(now - start) / 1e9)
        var line = "\r\u{1b}[K\(label)"
        if let fraction, let whole {
            let filled = max(0, min(30, Int(fraction * 30)))
            line += " [\(String(repeating: "#", count: filled))\(String(repeating: ".", count: 30 - filled))] \(whole)"
        }
        line += ": \(ReplaySummary.count(UInt64(done))) packets, \(ReplaySummary.count(UInt64(rate)))/s "
        FileHandle.standardError.write(Data(line.utf8))
    }

    func finish() {
        if hasPrinted { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
        hasPrinted = false
    }
}

/// Updates a progress line from a thread of its own, five times a second, so that measured threads never draw.
final class ProgressTicker: Sendable {
    private let stops = Mutex(false)
    private let ended = DispatchSemaphore(value: 0)
    private let isRunning: Bool

    /// - Parameter tick: given the line to update and the seconds since the start; called on the ticker's thread.
    init(isShown: Bool, tick: @escaping @Sendable (Progress, Double) -> Void) {
        isRunning = isShown && isatty(STDERR_FILENO) != 0
        guard isRunning else { return }
        Thread.detachNewThread { [self] in
            let progress = Progress(label: "measuring", isShown: true)
            let start = weft_monotonic_ns()
            while !stops.withLock({ $0 }) {
                usleep(200_000)
                tick(progress, Double(weft_monotonic_ns() - start) / 1e9)
            }
            progress.finish()
            ended.signal()
        }
    }

    /// Takes the line off the terminal.
    func stop() {
        guard isRunning else { return }
        stops.withLock { $0 = true }
        ended.wait()
    }
}
