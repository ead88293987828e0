import CLinux
import Datapath
import Dispatch
import Flow
import Ports
import Synchronization

/// A running switch: its tables, its ports, and the threads that forward between them.
///
/// **Who does what.** All changes happen in one order, that of `control`; every public method may be called from any thread and runs there. Workers forward on
/// threads of their own and are reached between two batches (`ForwardingThread.perform`), never while the tables' lock is held. Facts go up as
/// `SwitchEvent`s through `onEvent`.
///
/// **Ports.** A port's queues are handed to the workers, one each. A port whose device goes away stays, with its number and counters, and forwards again
/// when the device is back.
///
/// **Time.** Packets carry the monotonic clock. Once a second, and when an entry may time out, the control side collects what the workers counted and
/// expires entries; an idle switch does nothing else.
public final class VirtualSwitch: @unchecked Sendable {
    public struct Options: Sendable {
        /// Forwarding threads.
        public var workers = 1
        /// Nanoseconds that a worker looks for more frames before it sleeps.
        public var spin: UInt64 = 20_000
        /// Whether workers are bound to processors, from the last one down.
        public var pinsWorkers = false
        public var usesCache = true
        public var limits = Limits()
        /// Longest frame, a large segment included.
        public var maxFrameLength = 65_536 + 256
        public init() {}
    }

    public let options: Options
    public let tables: FlowTables
    let control = ControlQueue()
    private(set) var threads: [ForwardingThread] = []
    private(set) var attached: [UInt32: any LivePort] = [:]
    /// By port number.
    var queues: [UInt32: AttachedQueues] = [:]
    private var timer: (any DispatchSourceTimer)?
    private var refreshedVersion: UInt64 = 0
    private var isRunning = false
    /// Told of what happens, on the control queue. Set before `start`.
    public var onEvent: (@Sendable (SwitchEvent) -> Void)?

    public init(options: Options = Options()) throws(PortError) {
        self.options = options
        tables = FlowTables(limits: options.limits, ports: PortRegistry(admitsNamedPorts: false))
        for i in 0..<max(options.workers, 1) {
            let worker = Worker(tables: tables, usesCache: options.usesCache, maxFrameLength: options.maxFrameLength)
            threads.append(
                try ForwardingThread(
                    index: i, worker: worker, spin: options.spin, processor: options.pinsWorkers ? weft_allowed_processor(Int32(-1 - i)) : nil))
        }
    }

    /// Runs something on the control queue, also from there.
    func onControl<R>(_ body: () throws -> R) rethrows -> R {
        try control.sync(body)
    }

    /// Runs something on the control queue: at once when called there, otherwise later.
    func passToControl(_ body: @escaping @Sendable () -> Void) {
        if control.isCurrent { body() } else { control.async(body) }
    }

    /// Begins to forward.
    public func start() {
        onControl {
            guard !isRunning else { return }
            isRunning = true
            for thread in threads { thread.start() }
            timer = control.every(.seconds(1), leeway: .milliseconds(100)) { [unowned self] in tick() }
        }
    }

    /// Ends forwarding and closes the ports.
    public func stop() {
        onControl {
            guard isRunning else { return }
            isRunning = false
            timer?.cancel()
            timer = nil
            for thread in threads { thread.stop() }
            for port in attached.values { port.close() }
            attached = [:]
        }
    }

    // MARK: - Ports

    /// Adds a port and forwards by it from now on.
    ///
    /// Throws when its number or name is taken, or when there are `PortRegistry.limit` ports.
    public func addPort(_ port: any LivePort) throws(PortError) {
        let result: Result<Void, PortError> = onControl {
            if let other = attached[port.number] {
                return .failure(PortError("port number \(port.number) is taken by \"\(other.name)\""))
            }
            if attached.values.contains(where: { $0.name == port.name }) { return .failure(PortError("there is a port \"\(port.name)\" already")) }
            guard tables.ports.attach(port.number, isTunnel: port.kind.carriesContext) != nil else {
                return .failure(PortError("there are \(PortRegistry.limit) ports already"))
            }
            attached[port.number] = port
            if !port.status.isForwarding { tables.ports.detach(port.number) }
            connect(port)
            portsChanged()
            onEvent?(.portAdded(report(port)))
            return .success(())
        }
        try result.get()
    }

    /// Takes a port away; false when there is none of that number.
    @discardableResult public func removePort(_ number: UInt32) -> Bool {
        onControl {
            guard let port = attached.removeValue(forKey: number) else { return false }
            let last = report(port)
            tables.ports.detach(number)
            change(number, nil)
            disconnect(port)
            portsChanged()
            port.close()
            onEvent?(.portRemoved(last))
            return true
        }
    }

    public func port(named name: String) -> (any LivePort)? { onControl { attached.values.first { $0.name == name } } }

    /// Ascending.
    public var portNumbers: [UInt32] { onControl { attached.keys.sorted() } }
    public func hasPort(_ number: UInt32) -> Bool { onControl { attached[number] != nil } }
    public func portName(_ number: UInt32) -> String? { onControl { attached[number]?.name } }
    public var portCount: Int { onControl { attached.count } }

    /// The lowest port number that is free.
    public var freePortNumber: UInt32 { onControl { (1...).first { attached[$0] == nil }! } }

    /// Has a port read its device's state anew, and follows what changed. Link monitors call it.
    public func refreshPort(_ number: UInt32) {
        onControl {
            guard let port = attached[number] else { return }
            let before = port.status
            // A tunnel's queues are those of its endpoint and stay as they are.
            if !port.kind.isTunnel { disconnect(port) }
            let hasChanged = port.refresh()
            if !port.kind.isTunnel { connect(port) }
            guard hasChanged || before != port.status else { return }
            if port.status.isForwarding { tables.ports.attach(number, isTunnel: port.kind.carriesContext) } else { tables.ports.detach(number) }
            portsChanged()
            onEvent?(.portChanged(report(port)))
        }
    }

    private func connect(_ port: any LivePort) {
        for thread in threads {
            nonisolated(unsafe) let receiver = port.receiver(worker: thread.index)
            nonisolated(unsafe) let transmitter = port.transmitter(worker: thread.index)
            let number = port.number
            reach(thread) {
                thread.worker.setTransmitter(transmitter, port: number)
                if let receiver { thread.add(receiver, port: number) }
            }
        }
    }

    private func disconnect(_ port: any LivePort) {
        for thread in threads {
            reach(thread) {
                thread.removeReceivers(port: port.number)
                thread.worker.setTransmitter(nil, port: port.number)
            }
        }
    }

    /// Runs something on a worker's thread; right here while the threads are not running.
    func reach<R>(_ thread: ForwardingThread, _ body: @escaping () -> R) -> R { isRunning ? thread.perform(body) : body() }

    private func portsChanged() {
        tables.withOwnership {
            tables.portsChanged()
            tables.publish()
        }
    }

    // MARK: - Entries

    /// Applies changes to flow tables, groups and meters as one: all of them, or none when one is refused.
    public func apply(_ modifications: [FlowModification]) throws(FlowTableError) {
        if let (_, error) = applyAll(modifications) { throw error }
    }

    /// As `apply`; tells which change was refused.
    public func applyAll(_ modifications: [FlowModification]) -> (index: Int, error: FlowTableError)? {
        onControl {
            collectCounters()
            return tables.withOwnership {
                defer { tables.publish() }
                return tables.transact(modifications, now: weft_monotonic_ns())
            }
        }
    }

    // MARK: - Looking at packets

    /// Has every worker copy packets to a mirror.
    public func addMirror(_ mirror: FrameMirror) { onControl { for thread in threads { reach(thread) { thread.worker.addMirror(mirror) } } } }
    public func removeMirror(_ mirror: FrameMirror) { onControl { for thread in threads { reach(thread) { thread.worker.removeMirror(mirror) } } } }

    /// Follows one packet through the tables as they are, without a trace of it in them.
    ///
    /// - Parameter inPort: a port of the switch, or a reserved one.
    public func trace(_ frame: [UInt8], inPort: UInt32, metadata: FlowKey?, refusalLimit: Int) -> PacketTrace {
        onControl {
            tables.withOwnership {
                PacketTracer(tables: tables, isLive: true).trace(
                    frame, inPort: inPort, metadata: metadata, time: weft_monotonic_ns(), refusalLimit: refusalLimit)
            }
        }
    }

    /// Every entry with its counters, up to date.
    public func entries() -> [(entry: FlowEntry, packets: UInt64, bytes: UInt64, lastUsed: UInt64)] {
        onControl {
            collectCounters()
            return tables.withOwnership { tables.entries() }
        }
    }

    /// Has every worker bring the entries' counters up to date.
    func collectCounters() {
        for thread in threads { reach(thread) { thread.worker.refresh() } }
        refreshedVersion = tables.version
    }

    private func tick() {
        let now = weft_monotonic_ns()
        // Workers without traffic hold on to what changes have replaced.
        if tables.nextDeadline <= now || tables.version != refreshedVersion {
            collectCounters()
            tables.withOwnership {
                _ = tables.expire(now: now)
                tables.publish()
            }
        }
    }
}

/// What a switch tells of itself.
public enum SwitchEvent: Sendable {
    case portAdded(PortReport)
    case portRemoved(PortReport)
    case portChanged(PortReport)
}
