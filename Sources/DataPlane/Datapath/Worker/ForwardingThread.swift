import CLinux
import Flow
import Foundation
import Ports
import Synchronization

/// A worker at work: the thread that takes frames from receivers and forwards them, until it is stopped.
///
/// **Design.** One turn asks the kernel which receivers have frames and takes a few bursts from each, so that no port starves the others. While frames keep
/// coming the thread does not sleep; after `spin` without any it waits in epoll, which loses nothing, as the first frames wait in the receivers.
///
/// **Control.** What the control side wants done between two turns (another port, statistics) it hands over as a closure; the thread is woken for it.
/// `perform` returns when it is done. The owner of the tables must not hold their lock meanwhile: a program's effects may be waiting for it.
///
/// **Limits.** `roundsPerTurn` bursts from one receiver per turn. A receiver that is ready with nothing to give eight times in a row (a device that is
/// gone) is set aside until it is added again.
public final class ForwardingThread: @unchecked Sendable {
    private static let roundsPerTurn = 4
    private static let emptyLimit = 8

    private struct Source {
        var receiver: any FrameReceiver
        var descriptor: Int32
        var port: UInt32
        var emptyTurns = 0
        var isAside = false
    }

    public struct Statistics: Sendable, Codable {
        /// Turns of the loop, and how many of them found frames.
        public var turns: UInt64 = 0
        public var busyTurns: UInt64 = 0
        /// Times it went to sleep.
        public var sleeps: UInt64 = 0
    }

    public let index: Int
    public let worker: Worker
    /// How long it looks for more frames before it sleeps.
    public let spin: UInt64
    private let processor: Int32?
    private let poll: Int32
    private let event: Int32
    private struct Command: @unchecked Sendable { let run: () -> Void }
    private let commands = Mutex<[Command]>([])
    private let hasCommands = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    // The thread's own.
    private var sources: [UInt64: Source] = [:]
    private var asked: [UInt64] = []
    private var nextToken: UInt64 = 1
    private var counts = Statistics()

    /// - Parameters:
    ///   - spin: nanoseconds without frames after which the thread sleeps.
    ///   - processor: the processor to run on; nil leaves it to the kernel.
    public init(index: Int, worker: Worker, spin: UInt64 = 20_000, processor: Int32? = nil) throws(PortError) {
        self.index = index
        self.worker = worker
        self.spin = spin
        self.processor = processor
        poll = weft_poll_create()
        event = weft_event_create()
        guard poll >= 0, event >= 0, weft_poll_add(poll, event, 0) == 0 else {
            throw PortError("cannot wait for frames: \(String(cString: strerror(poll < 0 ? -poll : event < 0 ? -event : errno)))")
        }
        worker.goLive()
    }

    deinit {
        Glibc.close(poll)
        Glibc.close(event)
    }

    public func start() {
        let thread = Thread { [self] in
            if let processor { weft_pin_to_processor(processor) }
            run()
            hasEnded.signal()
        }
        thread.name = "worker\(index)"
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Ends the thread after its turn and waits for that.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        weft_event_signal(event)
        hasEnded.wait()
    }

    /// Has the thread run something between two turns, and waits for it.
    public func perform<R>(_ body: @escaping () -> R) -> R {
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var result: R?
        let command = Command {
            result = body()
            done.signal()
        }
        commands.withLock { $0.append(command) }
        hasCommands.store(true, ordering: .releasing)
        weft_event_signal(event)
        done.wait()
        return result!
    }

    // MARK: - On the thread

    /// Takes frames from a receiver from now on. Call in `perform`.
    public func add(_ receiver: any FrameReceiver, port: UInt32) {
        let token = nextToken
        nextToken += 1
        let descriptor = receiver.receiveDescriptor
        sources[token] = Source(receiver: receiver, descriptor: descriptor, port: port)
        if descriptor < 0 {
            asked.append(token)
        } else if weft_poll_add(poll, descriptor, token) != 0 {
            sources[token]!.isAside = true
        }
    }

    /// Takes no more frames from a port's receivers; their descriptors must still be open. Call in `perform`.
    public func removeReceivers(port: UInt32) {
        for (token, source) in sources where source.port == port {
            if source.descriptor >= 0, !source.isAside { _ = weft_poll_remove(poll, source.descriptor) }
            sources[token] = nil
            asked.removeAll { $0 == token }
        }
    }

    public var statistics: Statistics { counts }

    private func run() {
        let tokens = UnsafeMutablePointer<UInt64>.allocate(capacity: 64)
        defer { tokens.deallocate() }
        var lastBusy = weft_monotonic_ns()
        var sleeps = false
        while !isStopping.load(ordering: .relaxed) {
            if hasCommands.load(ordering: .acquiring) { runCommands() }
            let n = Int(weft_poll_wait(poll, tokens, 64, sleeps ? -1 : 0))
            if sleeps { counts.sleeps &+= 1 }
            counts.turns &+= 1
            var isBusy = false
            for i in 0..<n {
                let token = tokens[i] & ~(1 << 63)
                if token == 0 {
                    weft_event_clear(event)
                } else if serve(token) {
                    isBusy = true
                }
            }
            for token in asked where sources[token]!.receiver.hasFrames { if serve(token) { isBusy = true } }
            let now = weft_monotonic_ns()
            if isBusy {
                counts.busyTurns &+= 1
                lastBusy = now
            }
            sleeps = now &- lastBusy > spin && !hasCommands.load(ordering: .acquiring)
        }
        runCommands()
    }

    private func runCommands() {
        hasCommands.store(false, ordering: .releasing)
        let list = commands.withLock { list in
            defer { list = [] }
            return list
        }
        for command in list { command.run() }
    }

    /// Takes some bursts from a receiver; false when it had nothing.
    private func serve(_ token: UInt64) -> Bool {
        guard let receiver = sources[token]?.receiver else { return false }
        var round = 0
        while round < Self.roundsPerTurn {
            let n = receiver.receive(worker.slots, count: Worker.batchSize)
            if n == 0 { break }
            worker.processSlots(count: n, now: weft_monotonic_ns())
            round += 1
            if n < Worker.batchSize / 2 { break }
        }
        if round > 0 {
            if sources[token]!.emptyTurns != 0 { sources[token]!.emptyTurns = 0 }
            return true
        }
        sources[token]!.emptyTurns += 1
        if sources[token]!.emptyTurns >= Self.emptyLimit, sources[token]!.descriptor >= 0 {
            _ = weft_poll_remove(poll, sources[token]!.descriptor)
            sources[token]!.isAside = true
        }
        return false
    }
}
