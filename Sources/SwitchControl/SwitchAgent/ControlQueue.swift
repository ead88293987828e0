import Dispatch
import Glibc
import Synchronization

/// The control side's order of work: one thing at a time, in the order in which it was asked for, and a turn that another thread may take in between.
///
/// A dispatch queue alone would do, were it not for a packet on its way to a controller: a worker that takes the turn itself, when nobody has it, spares the
/// packet the wakeup of another thread. Whoever has the turn is on the queue, whatever thread it is.
///
/// Whoever has the turn may wait for workers; so a worker never waits for the turn (`tryNow`).
final class ControlQueue: Sendable {
    private let queue = DispatchQueue(label: "control")
    /// A semaphore, since a lock of `Synchronization` gives its value away with the result.
    private let turn = DispatchSemaphore(value: 1)
    /// The thread that has the turn; 0 is none.
    private let holder = Atomic<UInt>(0)

    /// Whether the caller has the turn.
    var isCurrent: Bool { holder.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Runs something in its turn and waits for it; at once when the caller has the turn.
    func sync<R>(_ body: () throws -> R) rethrows -> R {
        if isCurrent { return try body() }
        return try queue.sync { try take(body) }
    }

    /// Runs something in its turn, later.
    func async(_ body: @escaping @Sendable () -> Void) { queue.async { [self] in take(body) } }

    /// Runs something on the caller's thread, if nobody has the turn. Things asked for by `async` may be waiting, and come after it.
    ///
    /// - Returns: whether it ran.
    func tryNow(_ body: () -> Void) -> Bool {
        guard turn.wait(timeout: .now()) == .success else { return false }
        hold(body)
        return true
    }

    /// A timer whose handler runs in its turn, until it is cancelled.
    func every(_ interval: DispatchTimeInterval, leeway: DispatchTimeInterval, _ body: @escaping @Sendable () -> Void) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + interval, repeating: interval, leeway: leeway)
        timer.setEventHandler { [self] in take(body) }
        timer.resume()
        return timer
    }

    private func take<R>(_ body: () throws -> R) rethrows -> R {
        turn.wait()
        return try hold(body)
    }

    /// Runs something and gives the turn back.
    private func hold<R>(_ body: () throws -> R) rethrows -> R {
        holder.store(UInt(pthread_self()), ordering: .relaxed)
        defer {
            holder.store(0, ordering: .relaxed)
            turn.signal()
        }
        return try body()
    }
}
