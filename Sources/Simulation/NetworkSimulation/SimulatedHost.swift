import Datapath
import Flow
import LogicalNetwork
import Ports
import Translation

/// One host of a simulated network: a forwarding element with its entries, whose ports and tunnels end in memory.
///
/// It forwards one packet at a time, by the same worker that live ports use, and says what came of it.
final class SimulatedHost {
    /// What left by a port, with the tunnel words when it was a tunnel.
    struct Departure {
        var port: UInt32
        var bytes: [UInt8]
        var tunnel: [UInt64]
    }

    /// What came of one packet here.
    struct Outcome {
        var departures: [Departure] = []
        /// Packets for the controller.
        var requests: [PacketIn] = []
        var drops: [(reason: DropReason, table: UInt8?, cookie: Cookie?)] = []
    }

    /// Takes the frames of a port.
    private final class Exit: FrameTransmitter {
        var departures: [Departure] = []
        func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
            for i in 0..<count {
                let f = frames[i]
                let words = f.tunnel.map { t in FlowKeyLayout.tunnelWords.indices.map { t[$0 - FlowKeyLayout.tunnelWords.lowerBound] } } ?? []
                departures.append(
                    Departure(
                        port: f.port, bytes: Array(UnsafeRawBufferPointer(start: f.data, count: f.length)), tunnel: words))
            }
        }
    }

    /// Frames are Ethernet: captures may hold large ones, joined by a device.
    static let maxFrameLength = 262_144

    let name: String
    let address: IPAddress
    let tables: FlowTables
    private let worker: Worker
    private let recorder = EventRecorder()
    private let exit = Exit()
    private let packetIns = PacketInQueue {}
    private var last: (table: UInt8, priority: UInt16, cookie: UInt64)?
    private var attached: Set<UInt32> = []

    init(name: String, address: IPAddress, usesCache: Bool) {
        self.name = name
        self.address = address
        tables = FlowTables(ports: PortRegistry(admitsNamedPorts: false))
        worker = Worker(tables: tables, usesCache: usesCache, maxFrameLength: Self.maxFrameLength)
        worker.goLive()
        worker.recorder = recorder
        worker.packetIns = packetIns
        attach(HostPorts.tunnel, isTunnel: true)
        worker.observePrograms { [unowned self] _, last in self.last = last }
    }

    private func attach(_ port: UInt32, isTunnel: Bool = false) {
        guard attached.insert(port).inserted else { return }
        tables.ports.attach(port, isTunnel: isTunnel)
        worker.setTransmitter(exit, port: port)
    }

    /// Makes ports and changes entries, as one.
    func apply(_ modifications: [FlowModification], ports: some Sequence<UInt32>) throws(FlowTableError) {
        for port in ports { attach(port) }
        defer { tables.publish() }
        for m in modifications { try tables.apply(m, now: 0) }
    }

    /// Says whether a port counts as live.
    func setLive(_ port: UInt32, _ isLive: Bool) {
        if isLive { tables.ports.attach(port) } else { tables.ports.detach(port) }
        tables.portsChanged()
        tables.publish()
    }

    /// How often each table was looked up so far.
    func lookups(table: UInt8) -> UInt64 { worker.tableCounters(table).lookups }
    func collectStatistics() { worker.collectStatistics() }

    /// The tables that a frame is looked up in, with the entries that match, without a trace of it.
    func lookups(_ frame: [UInt8], port: UInt32, tunnel: [UInt64]?) -> [(table: UInt8, entry: FlowEntry?)] {
        var metadata: FlowKey?
        if let tunnel {
            var key = FlowKey()
            for (i, word) in tunnel.enumerated() { key.words[FlowKeyLayout.tunnelWords.lowerBound + i] = word }
            metadata = key
        }
        return PacketTracer(tables: tables, isLive: true).trace(frame, inPort: port, metadata: metadata).items.compactMap { item in
            if case .lookup(let table, _, let entry, _, _) = item.step { (table, entry) } else { nil }
        }
    }

    /// Forwards a frame that arrives at `time`.
    func forward(_ frame: [UInt8], port: UInt32, tunnel: [UInt64]?, time: UInt64) -> Outcome {
        var outcome = Outcome()
        guard frame.count <= Self.maxFrameLength else {
            outcome.drops.append((.frameTooLong, nil, nil))
            return outcome
        }
        let slot = worker.slots
        frame.withUnsafeBytes { if let base = $0.baseAddress { slot.pointee.data.copyMemory(from: base, byteCount: frame.count) } }
        slot.pointee.length = frame.count
        slot.pointee.inPort = port
        slot.pointee.isTunneled = tunnel != nil
        slot.pointee.offload = .none
        if let tunnel { for (i, word) in tunnel.enumerated() { slot.pointee.tunnel[i] = word } }
        begin()
        worker.processSlots(count: 1, now: time)
        end(&outcome)
        return outcome
    }

    /// Forwards what the controller answers.
    func inject(_ answer: ControllerAnswer, time: UInt64) -> Outcome {
        var outcome = Outcome()
        let compiled = tables.compile(answer.actions)
        defer { tables.release(compiled) }
        begin()
        if !worker.inject(answer.frame, inPort: ReservedPort.controller, metadata: answer.metadata, actions: compiled, now: time) {
            outcome.drops.append((.frameTooLong, nil, nil))
        }
        end(&outcome)
        return outcome
    }

    private func begin() {
        recorder.reset()
        exit.departures = []
        last = nil
    }

    private func end(_ outcome: inout Outcome) {
        outcome.departures = exit.departures
        outcome.requests = packetIns.takeAll()
        let cookie = last.map { Cookie(value: $0.cookie) }
        for event in recorder.events {
            switch event.kind {
            case .transmitted, .controller: break
            case .dropped: outcome.drops.append((DropReason(rawValue: UInt8(event.port))!, last?.table, cookie))
            }
        }
    }
}
