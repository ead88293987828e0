import CLinux
import Flow
import Foundation
import Ports
import Synchronization

/// A worker at work: the thread that takes frames from receivers and forwards them, until it is stopped.
///
/// **Design.** One turn asks the kernel which receivers have frames and takes a few bursts from each, so that no port starves the others. A receiver that
/// had more than that is served again in the next turn without asking. While frames keep coming the thread does not sleep; after a while without any it
/// waits in epoll, which loses nothing, as the first frames wait in the receivers.
///
/// **How long it looks.** `spin` at least. When frames come so soon after it fell asleep that four times `spin` would have met them, it looks twice as long
/// the next time, up to that; when they come later, half as long. Steady traffic then finds it awake, and rare packets do not pay for looking.
///
/// **Queues of ports.** Frames that wait until their queue's rate lets them go are sent in the turn in which they are due; a thread that sleeps wakes for it.
///
/// **Control.** What the control side wants done between two turns (another port, statistics) it hands over as a closure; the thread is woken for it.
/// `perform` returns when it is done. The owner of the tables must not hold their lock meanwhile: a program's effects may be waiting for it.
///
/// **Limits.** `roundsPerTurn` bursts from one receiver per turn. A receiver that is ready with nothing to give `emptyLimit` times in a row (a device
/// that is gone) is left out for `asideTime`.
public final class ForwardingThread: @unchecked Sendable {
    private static let roundsPerTurn = 8
    /// With and without an error at the descriptor: one without may have had bad frames.
    private static let emptyLimit = (error: 8, plain: 1024)
    private static let asideTime: UInt64 = 100_000_000
    /// The longest look for frames, as a multiple of `spin`.
    private static let spinGrowth: UInt64 = 4

    /// A receiver, which may serve several ports.
    private final class Source {
        let receiver: any FrameReceiver
        let descriptor: Int32
        let token: UInt64
        var ports: [UInt32]
        var emptyTurns = 0
        /// When it is to be asked again; 0 unless it is left out.
        var asideUntil: UInt64 = 0
        /// Whether it is to be served in the next turn whatever its descriptor says.
        var isPending = false
        init(receiver: any FrameReceiver, token: UInt64, port: UInt32) {
            self.receiver = receiver
            descriptor = receiver.receiveDescriptor
            self.token = token
            ports = [port]
        }
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
    /// Those without a descriptor.
    private var asked: [Source] = []
    private var pending: [Source] = []
    private var aside: [Source] = []
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
    ///
    /// A receiver that several ports share is added for each, and served once.
    public func add(_ receiver: any FrameReceiver, port: UInt32) {
        if let source = sources.values.first(where: { $0.receiver === receiver }) {
            source.ports.append(port)
            return
        }
        let source = Source(receiver: receiver, token: nextToken, port: port)
        nextToken += 1
        sources[source.token] = source
        if source.descriptor < 0 { asked.append(source) } else { listen(source) }
    }

    /// Takes no more frames from a port's receivers; their descriptors must still be open. Call in `perform`.
    public func removeReceivers(port: UInt32) {
        for (token, source) in sources where source.ports.contains(port) {
            source.ports.removeAll { $0 == port }
            guard source.ports.isEmpty else { continue }
            if source.descriptor >= 0, source.asideUntil == 0 { _ = weft_poll_remove(poll, source.descriptor) }
            sources[token] = nil
            asked.removeAll { $0 === source }
            pending.removeAll { $0 === source }
            aside.removeAll { $0 === source }
        }
    }

    private func listen(_ source: Source) {
        source.emptyTurns = 0
        source.asideUntil = 0
        if weft_poll_add(poll, source.descriptor, source.token) != 0 { leaveOut(source) }
    }

    private func leaveOut(_ source: Source) {
        source.asideUntil = weft_monotonic_ns() &+ Self.asideTime
        aside.append(source)
    }

    private func askAgain(now: UInt64) {
        let due = aside.filter { $0.asideUntil <= now }
        if due.isEmpty { return }
        aside.removeAll { $0.asideUntil <= now }
        for source in due { listen(source) }
    }

    public var statistics: Statistics { counts }

    private func run() {
        let tokens = UnsafeMutablePointer<UInt64>.allocate(capacity: 64)
        defer { tokens.deallocate() }
        var lastBusy = weft_monotonic_ns()
        var window = spin
        var sleeps = false
        while !isStopping.load(ordering: .relaxed) {
            if hasCommands.load(ordering: .acquiring) { runCommands() }
            let asleep = sleeps ? weft_monotonic_ns() : 0
            let n = Int(weft_poll_wait(poll, tokens, 64, sleeps ? longestSleep(from: asleep) : 0))
            counts.turns &+= 1
            var isBusy = servePending()
            for i in 0..<n {
                let token = tokens[i] & ~(1 << 63)
                if token == 0 {
                    weft_event_clear(event)
                } else if let source = sources[token], serve(source, hasError: tokens[i] >> 63 != 0) {
                    isBusy = true
                }
            }
            for source in asked where source.receiver.hasFrames { if serve(source, hasError: false) { isBusy = true } }
            let now = weft_monotonic_ns()
            let isDue = worker.nextDeparture <= now
            if isDue { worker.sendDue(now: now) }
            if sleeps {
                counts.sleeps &+= 1
                // Frames that waited here are no sign that others come.
                if !isDue || isBusy {
                    window = now &- asleep < spin &* Self.spinGrowth ? min(window &* 2, spin &* Self.spinGrowth) : max(window / 2, spin)
                }
            }
            if isBusy {
                counts.busyTurns &+= 1
                lastBusy = now
            }
            if !aside.isEmpty { askAgain(now: now) }
            sleeps = pending.isEmpty && now &- lastBusy > window && !hasCommands.load(ordering: .acquiring)
            // Those whose frames it waits for may share its processor.
            if !isBusy { sched_yield() }
        }
        runCommands()
    }

    /// Microseconds until receivers that are left out are asked again, or a frame that waits in a queue is due; -1 when neither is so.
    private func longestSleep(from now: UInt64) -> Int64 {
        let due = worker.nextDeparture
        if aside.isEmpty, due == .max { return -1 }
        let wait = due <= now ? 0 : due - now
        // A frame must not be waited for in vain, so up.
        return Int64((min(wait, aside.isEmpty ? .max : Self.asideTime) + 999) / 1000)
    }

    /// Serves those that had more in the last turn.
    private func servePending() -> Bool {
        if pending.isEmpty { return false }
        let list = pending
        pending.removeAll(keepingCapacity: true)
        var isBusy = false
        for source in list {
            source.isPending = false
            if serve(source, hasError: false, counts: false) { isBusy = true }
        }
        return isBusy
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
    ///
    /// - Parameter counts: whether it said that it was ready.
    private func serve(_ source: Source, hasError: Bool, counts: Bool = true) -> Bool {
        let receiver = source.receiver
        var round = 0
        var isDrained = false
        while round < Self.roundsPerTurn {
            let n = receiver.receive(worker.slots, count: Worker.batchSize)
            if n == 0 {
                isDrained = true
                break
            }
            worker.processSlots(count: n, now: weft_monotonic_ns())
            round += 1
            if receiver.isDrained {
                isDrained = true
                break
            }
        }
        if (!isDrained || receiver.hasFrames) && source.descriptor >= 0 && !source.isPending {
            source.isPending = true
            pending.append(source)
        }
        if round > 0 {
            source.emptyTurns = 0
            return true
        }
        guard counts, source.descriptor >= 0 else { return false }
        source.emptyTurns += 1
        if source.emptyTurns >= (hasError ? Self.emptyLimit.error : Self.emptyLimit.plain) {
            _ = weft_poll_remove(poll, source.descriptor)
            leaveOut(source)
        }
        return false
    }
}
