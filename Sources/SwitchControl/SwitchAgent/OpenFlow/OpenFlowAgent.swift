import CLinux
import Datapath
import Flow
import OpenFlow
import Ports

/// The switch as controllers see it: what all their sessions share.
///
/// **Where it sits.** A session turns bytes into changes of the `VirtualSwitch` and answers; the agent keeps what is one for the switch (roles, port and table
/// configuration, tunnel options, monitors) and hands asynchronous messages to the sessions that asked for them. It knows no sockets: a connection
/// gives a session bytes and takes its bytes (`OpenFlowTransport`).
///
/// **Concurrency.** Everything here runs on the switch's control queue, so that a barrier is answered when all before it is done and published.
///
/// **Limits.** A session whose transport holds more than `backlogLimit` bytes gets no more packets, which are counted (`packetInsDropped`), and its
/// requests wait until it has read its answers; above `eventLimit` it gets no other events either (`eventsDropped`). All open bundles together hold at
/// most `bundleLimit` bytes of messages.
public final class OpenFlowAgent: @unchecked Sendable {
    public struct Options: Sendable {
        public var datapathID: UInt64 = 0
        public var versions: Set<OpenFlowVersion> = [.v13, .v14, .v15]
        /// With no controller connected, whether the switch goes on as a learning switch of its own.
        public var isStandalone = false
        public init() {}
    }

    /// Tables that controllers see; the last number means "all", the one before is not offered, as in Open vSwitch.
    static let tableCount: UInt8 = 254
    static let backlogLimit = 4 << 20
    static let eventLimit = 64 << 20
    static let bundleLimit = 128 << 20

    let vswitch: VirtualSwitch
    public private(set) var options: Options
    private(set) var sessions: [OpenFlowSession] = []
    /// The newest generation that a master or slave request named (OpenFlow 1.3.5 §6.3.5).
    var generation: UInt64?
    var portConfigs: [UInt32: UInt32] = [:]
    var tableConfigs: [UInt8: TableConfig] = [:]
    var tunnelOptions: [OpenFlow.TunnelOption] = []
    /// Makes the tunnel ports follow `tunnelOptions`; throws `PortError` when one has no room for them. On the control queue.
    public var mapTunnelOptions: ([Ports.TunnelOption]) throws -> Void = { _ in }
    /// Group and meter birthdays, which the tables do not keep.
    var groupsCreated: [UInt32: UInt64] = [:]
    var metersCreated: [UInt32: UInt64] = [:]
    /// Carries out requests of the configuration channel, nil where there is none: the request's line, whether its controller may change things, and where the
    /// reply goes, once, from any thread. Called on the control queue. Set before there are sessions.
    public var configurationHandler: ((_ line: [UInt8], _ mayChange: Bool, _ reply: @escaping @Sendable ([UInt8]) -> Void) -> Void)?
    public private(set) var packetInsDropped: UInt64 = 0
    public private(set) var eventsDropped: UInt64 = 0
    /// Bytes of messages in open bundles.
    var bundled = 0
    private var nextXID: UInt32 = 0x8000_0000
    private var packetIns: PacketInQueue?
    /// The session whose message is being handled, for flow monitors.
    var acting: (session: OpenFlowSession, xid: UInt32)?
    private var hasStandaloneEntry = false

    public init(_ vswitch: VirtualSwitch, options: Options = Options()) {
        self.vswitch = vswitch
        self.options = options
        vswitch.onControl {
            let control = vswitch.control
            let queue = PacketInQueue(
                wake: { [weak self] in control.async { [weak self] in self?.deliverPacketIns() } },
                deliverNow: { [weak self] in control.tryNow { self?.deliverPacketIns() } })
            packetIns = queue
            for thread in vswitch.threads { vswitch.reach(thread) { thread.worker.packetIns = queue } }
            // Workers, too, end entries, and learn them.
            vswitch.tables.onRemoval = { [weak self, unowned vswitch] r in vswitch.passToControl { [weak self] in self?.entryRemoved(r) } }
            updateMonitoring()
            updateStandalone()
        }
    }

    /// Ends every session.
    public func stop(reason: String) {
        vswitch.onControl { for s in sessions { s.transport.close(reason: reason) } }
    }

    /// Takes other options; sessions end when they agreed on what is no longer so, and their controllers connect anew.
    public func change(_ new: Options) {
        vswitch.onControl {
            let isSame = new.datapathID == options.datapathID && new.versions == options.versions
            options = new
            if !isSame { for s in sessions { s.close("the switch was configured anew") } }
            updateStandalone()
        }
    }

    // MARK: - Sessions

    /// Begins a session; its `hello` is sent at once. Give what the transport receives to `receive`, and tell its end by `ended`.
    ///
    public func begin(_ transport: any OpenFlowTransport, name: String, peer: OpenFlowSession.Peer = .controller) -> OpenFlowSession {
        vswitch.onControl {
            let s = OpenFlowSession(agent: self, transport: transport, name: name, peer: peer)
            sessions.append(s)
            s.start()
            return s
        }
    }

    public func receive(_ bytes: [UInt8], for session: OpenFlowSession) { vswitch.onControl { session.receive(bytes) } }

    /// Goes on with what a session received when its peer did not read.
    public func resume(_ session: OpenFlowSession) { vswitch.onControl { session.resume() } }

    public func ended(_ session: OpenFlowSession) {
        vswitch.onControl {
            session.connectionEnded()
            session.forgetBundles()
            sessions.removeAll { $0 === session }
            isShown = sessions.contains { $0.peer == .snooper && $0.isReady }
            updateMonitoring()
            updateStandalone()
        }
    }

    /// Asks a silent peer for a sign of life.
    public func probe(_ session: OpenFlowSession) { vswitch.onControl { session.send(.echoRequest([]), xid: makeXID()) } }

    func sessionIsReady() {
        isShown = sessions.contains { $0.peer == .snooper && $0.isReady }
        updateStandalone()
    }

    /// Shows whole messages of a controller's session, either way, to those who look on; leaves out what they do not read.
    func show(_ messages: [UInt8]) {
        for s in sessions where s.peer == .snooper && s.isReady && s.transport.backlog <= Self.backlogLimit { s.sendBytes(messages) }
    }
    /// Whether anybody looks on.
    private(set) var isShown = false

    /// A transaction id for a message of our own.
    func makeXID() -> UInt32 {
        nextXID &+= 1
        return nextXID
    }

    /// Adds or removes the learning switch that serves while no controller is connected.
    private func updateStandalone() {
        // Who only looks in, as ovs-ofctl does, takes nothing over.
        let isAlone = options.isStandalone && !sessions.contains { $0.isReady && $0.peer == .controller }
        guard isAlone != hasStandaloneEntry else { return }
        hasStandaloneEntry = isAlone
        let entry = FlowEntry(priority: 0, actions: [.output(port: ReservedPort.normal)], cookie: Self.standaloneCookie)
        vswitch.tables.withOwnership {
            try? vswitch.tables.apply(
                isAlone ? .flow(.add, entry) : .flow(.deleteStrict, entry, cookieMask: .max), now: weft_monotonic_ns())
            vswitch.tables.publish()
        }
    }
    static let standaloneCookie: UInt64 = 0x7765_6674_0000_0001

    // MARK: - Asynchronous messages

    private func deliverPacketIns() {
        guard let packetIns else { return }
        let packets = packetIns.takeAll()
        for packet in packets {
            for s in sessions where s.isReady && s.wants(packet) {
                if s.transport.backlog > Self.backlogLimit {
                    packetInsDropped += 1
                } else {
                    s.send(packet, isAlone: packets.count == 1)
                }
            }
        }
    }

    private func entryRemoved(_ removal: FlowRemoval) {
        let s = removal.statistics
        if s.entry.flags.contains(.sendFlowRemoved), let reason = FlowRemoved.Reason(rawValue: removal.reason.rawValue) {
            let message = FlowRemoved(
                reason: reason, table: s.entry.table, priority: s.entry.priority, cookie: s.entry.cookie, idleTimeout: s.entry.idleTimeout,
                hardTimeout: s.entry.hardTimeout, match: s.entry.match, counters: Self.counters(s, now: weft_monotonic_ns()))
            for session in sessions where session.isReady && session.wants(.flowRemoved, reason: UInt32(reason.rawValue)) && hasRoom(session) {
                // Versions before 1.4 know the first four reasons.
                if session.version < .v14, reason.rawValue > 3 {
                    var m = message
                    m.reason = .delete
                    session.send(.flowRemoved(m), xid: 0)
                } else {
                    session.send(.flowRemoved(message), xid: 0)
                }
            }
        }
        tellMonitors(.removed, s.entry, reason: removal.reason.rawValue)
    }

    /// Tells of a port, as `VirtualSwitch.onEvent` does. Call on the control queue.
    public func handle(_ event: SwitchEvent) {
        let (reason, report): (OpenFlow.PortStatus.Reason, PortReport) =
            switch event {
            case .portAdded(let r): (.add, r)
            case .portRemoved(let r): (.delete, r)
            case .portChanged(let r): (.modify, r)
            }
        tellPort(reason, report)
    }

    func tellPort(_ reason: OpenFlow.PortStatus.Reason, _ report: PortReport) {
        let status = OpenFlow.PortStatus(reason, port(report))
        for s in sessions where s.isReady && s.wants(.portStatus, reason: UInt32(reason.rawValue)) && hasRoom(s) {
            s.send(.portStatus(status), xid: 0)
        }
    }

    /// Whether a session may get an event; counts those that it does not get.
    private func hasRoom(_ s: OpenFlowSession) -> Bool {
        if s.transport.backlog <= Self.eventLimit { return true }
        eventsDropped += 1
        return false
    }

    /// Passes a change of groups or meters on to the other controllers that asked for it (OpenFlow 1.4.0 §7.4.6).
    func forward(_ message: [UInt8], kind: UInt32, from session: OpenFlowSession) {
        for s in sessions where s !== session && s.isReady && s.version >= .v14 && s.wants(.requestForward, reason: kind) && hasRoom(s) {
            s.send(.requestForward(message), xid: 0)
        }
    }

    // MARK: - Flow monitors

    func updateMonitoring() {
        let isNeeded = sessions.contains { !$0.monitors.isEmpty }
        vswitch.tables.withOwnership { vswitch.tables.tellsEveryRemoval = isNeeded }
        if isNeeded, vswitch.tables.onAddition == nil {
            vswitch.tables.onAddition = { [weak self, unowned vswitch] entry, isNew in
                vswitch.passToControl { [weak self] in self?.tellMonitors(isNew ? .added : .modified, entry, reason: 0) }
            }
        } else if !isNeeded {
            vswitch.tables.onAddition = nil
        }
    }

    private func tellMonitors(_ event: FlowUpdate.Event, _ entry: FlowEntry, reason: UInt8) {
        for s in sessions where s.isReady && !s.monitors.isEmpty { s.tellMonitors(event, entry, reason: reason) }
    }

    // MARK: - Values

    static func counters(_ s: Datapath.FlowStatistics, now: UInt64) -> FlowCounters {
        let age = now > s.created ? now - s.created : 0
        return FlowCounters(
            packets: s.packets, bytes: s.bytes, seconds: UInt32(clamping: age / 1_000_000_000), nanoseconds: UInt32(age % 1_000_000_000),
            idleSeconds: UInt32(clamping: (now > s.lastUsed ? now - s.lastUsed : 0) / 1_000_000_000))
    }

    /// A port as OpenFlow describes it.
    func port(_ report: PortReport) -> SwitchPort {
        let bytes = (report.address ?? "").split(separator: ":").compactMap { UInt64($0, radix: 16) }
        var p = SwitchPort(number: report.number, address: bytes.reduce(0) { $0 << 8 | $1 }, name: String(report.name.prefix(15)))
        p.config = portConfigs[report.number] ?? 0
        if !report.status.isUp { p.config |= SwitchPort.Config.portDown }
        if !report.status.isForwarding || p.config & SwitchPort.Config.portDown != 0 {
            p.state |= SwitchPort.State.linkDown
        } else {
            p.state |= SwitchPort.State.live
        }
        // 10 Gbit/s, full duplex, copper: what virtual devices call themselves.
        if report.kind != .patch {
            p.current = 1 << 6 | 1 << 11
            p.currentSpeed = 10_000_000
        }
        return p
    }
}

/// What carries a session's bytes. Called on the control queue.
public protocol OpenFlowTransport: AnyObject {
    func send(_ bytes: [UInt8])
    /// Sends a message that nothing follows for now, the sooner the better.
    func sendAtOnce(_ bytes: [UInt8])
    /// Bytes accepted and not yet taken by the peer.
    var backlog: Int { get }
    /// Closes after what was sent; `reason` is for the log.
    func close(reason: String)
}

extension OpenFlowTransport {
    public func sendAtOnce(_ bytes: [UInt8]) { send(bytes) }
}
