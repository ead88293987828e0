import Datapath
import Flow
import OpenFlow
import Synchronization

/// One controller's conversation: version, role, filters, bundles, and the handling of each message.
///
/// Message kinds are handled in files of their own (`OpenFlowSession+…`). A handler throws the `OpenFlowError` that answers a refused message; what it was
/// to change is then unchanged.
public final class OpenFlowSession: @unchecked Sendable {
    /// Held until the session ends, when the agent lets go of it (an unowned reference costs a tenth of a flow-mod each time).
    let agent: OpenFlowAgent
    let vswitch: VirtualSwitch
    let tables: FlowTables
    let transport: any OpenFlowTransport
    /// For logs: the peer's address.
    public let name: String
    private var framer = MessageFramer()
    private var decoder: MessageDecoder?
    private var encoder: MessageEncoder?
    private var isClosed = false
    /// Actions that were found to refer to nothing; flow-mods that come in a row mostly share them.
    private var plainActions: [Action] = []

    var role = ControllerRole.equal
    var config = SwitchConfig(missSendLength: 128)
    /// Who is at the other end.
    public enum Peer: Sendable {
        /// The switch connected to it.
        case controller
        /// It came by itself to where the switch listens, as `ovs-ofctl` does: it gets asynchronous messages only after it has asked for some bytes of
        /// missed packets (`miss_send_len`), as in Open vSwitch.
        case service
        /// It looks on at what is said with controllers, and says nothing.
        case snooper
    }
    let peer: Peer
    var async = OpenFlowSession.defaultAsync(.v13)
    var controllerID: UInt16 = 0
    /// `NXT_PACKET_IN2` instead of the standard message.
    var usesPacketIn2 = false
    var bundles: [UInt32: Bundle] = [:]
    var monitors: [UInt32: FlowMonitorRequest] = [:]
    /// Whether the monitors are told nothing for now.
    var isPaused = false
    /// A line of the configuration channel that is still incomplete.
    var configurationLine = ConfigurationChannel.Assembler()
    /// Parts of a multipart request that is still incomplete.
    var partialMonitors: [FlowMonitorRequest] = []
    var partialTableFeatures: [TableFeatures] = []
    /// Messages handled, and refused.
    public private(set) var received: UInt64 = 0
    public private(set) var refused: UInt64 = 0
    /// Told of what is refused, for the log.
    public var onRefusal: ((OpenFlowError) -> Void)?

    init(agent: OpenFlowAgent, transport: any OpenFlowTransport, name: String, peer: Peer) {
        self.peer = peer
        if peer != .controller { config.missSendLength = 0 }
        self.agent = agent
        vswitch = agent.vswitch
        tables = agent.vswitch.tables
        self.transport = transport
        self.name = name
    }

    /// Whether the versions are agreed.
    public var isReady: Bool { decoder != nil && !isClosed }
    public var version: OpenFlowVersion { decoder?.version ?? .v13 }

    func start() {
        let versions = agent.options.versions
        let hello = Hello(highest: versions.max()!.rawValue, bitmap: OpenFlowVersion.bitmap(versions))
        if let bytes = try? MessageEncoder(versions.max()!).encode(.hello(hello), xid: 1) { transmit(bytes) }
    }

    // MARK: - Receiving

    /// Whether requests wait because the peer has not read the answers to earlier ones. From any thread.
    var isStalled: Bool { stalled.load(ordering: .acquiring) }
    private let stalled = Atomic(false)

    func receive(_ bytes: [UInt8]) {
        framer.append(bytes)
        process()
    }

    func resume() {
        stalled.store(false, ordering: .releasing)
        process()
    }

    private func process() {
        while !isClosed {
            if transport.backlog > OpenFlowAgent.backlogLimit {
                stalled.store(true, ordering: .sequentiallyConsistent)
                // Looked at again: what was in the way may have gone before anybody could know that we wait.
                if transport.backlog > OpenFlowAgent.backlogLimit {
                    flush()
                    return
                }
                stalled.store(false, ordering: .releasing)
            }
            takePlainFlowMods()
            switch framer.next() {
            case .incomplete:
                flush()
                return
            case .broken(let length):
                flush()
                close("a header says \(length) bytes")
            case .message(let message): handle(message)
            }
        }
    }

    /// Takes the flow-mods that come next, as far as nobody but the tables has to do with them; leaves the rest, and what is to be refused, to
    /// `handle`.
    private func takePlainFlowMods() {
        guard decoder != nil, role != .slave, peer != .snooper, !agent.isShown, tables.onAddition == nil else { return }
        let now = monotonicNow()
        tables.withOwnership {
            framer.takeRun { bytes in
                guard let f = decoder!.flowMod(bytes), isPlain(f) else { return false }
                do throws(FlowTableError) {
                    if f.command == .add { try tables.add(f.entry, now: now) } else { try tables.apply(f.modification, now: now) }
                } catch {
                    return false
                }
                received += 1
                hasUnpublished = true
                return true
            }
        }
    }

    /// Whether a flow-mod adds an entry or takes one away, no counter has to be up to date for it, and nothing it refers to can be missing.
    private func isPlain(_ f: FlowMod) -> Bool {
        switch f.command {
        case .add:
            guard f.bufferID == OpenFlowNumber.noBuffer, f.entry.table < OpenFlowAgent.tableCount, f.entry.idleTimeout == 0 else { return false }
            let isKnown = f.entry.actions.withUnsafeBufferPointer { new in
                plainActions.withUnsafeBufferPointer { $0.baseAddress == new.baseAddress && $0.count == new.count }
            }
            if isKnown { return true }
            guard f.entry.actions.allSatisfy(\.refersToNothing) else { return false }
            plainActions = f.entry.actions
            return true
        case .deleteStrict:
            return f.entry.table < OpenFlowAgent.tableCount && f.outPort == ReservedPort.any && f.outGroup == OpenFlowNumber.anyGroup
                && !tables.mayTellRemovals
        case .modify, .modifyStrict, .delete: return false
        }
    }

    private func handle(_ bytes: [UInt8]) {
        if peer == .controller, agent.isShown { agent.show(bytes) }
        guard decoder != nil else {
            negotiate(bytes)
            return
        }
        if peer == .snooper { return }
        received += 1
        do throws(OpenFlowError) {
            if Self.isFromSwitches(bytes[1]) { throw OpenFlowError(.badRequestType, "This message goes from switches to controllers only.") }
            let message = try decoder!.decode(bytes)
            agent.acting = (self, message.xid)
            defer { agent.acting = nil }
            try dispatch(message, bytes)
        } catch {
            var e = error
            if e.data.isEmpty { e.data = Array(bytes.prefix(OpenFlowError.quotedBytes)) }
            if e.xid == 0 { e.xid = MessageHeader(bytes)?.xid ?? 0 }
            refuse(e)
        }
    }

    func refuse(_ e: OpenFlowError) {
        refused += 1
        onRefusal?(e)
        flush()
        guard let encoder else { return }
        transmit(encoder.encode(e))
    }

    /// Reads a message that is inside another.
    func decodeInBundle(_ bytes: [UInt8]) throws(OpenFlowError) -> OpenFlowMessage {
        guard decoder != nil else { throw OpenFlowError(.badRequestType, "There is no session yet.") }
        return try decoder!.decode(bytes)
    }

    private func negotiate(_ bytes: [UInt8]) {
        guard let hello = MessageDecoder.hello(bytes) else {
            close("the first message is not a hello")
            return
        }
        guard
            let version = OpenFlowVersion.negotiate(
                supported: agent.options.versions, peerVersion: hello.highest, peerBitmap: hello.bitmap)
        else {
            let best = agent.options.versions.max()!
            let text = "We support versions \(agent.options.versions.sorted().map(\.text).joined(separator: ", "))."
            let e = OpenFlowError(.helloIncompatible, text, xid: MessageHeader(bytes)?.xid ?? 0, data: Array(text.utf8))
            transport.send(MessageEncoder(best).encode(e))
            close("no version in common")
            return
        }
        decoder = MessageDecoder(version)
        encoder = MessageEncoder(version)
        async = Self.defaultAsync(version)
        agent.sessionIsReady()
    }

    /// Nobody reads answers any more: what was received and not handled is let go of.
    func connectionEnded() { isClosed = true }

    func close(_ reason: String) {
        if isClosed { return }
        isClosed = true
        transport.close(reason: reason)
    }

    // MARK: - Changes that wait to be published

    /// Whether changes were prepared since the last publication: a run of flow-mods is published as one.
    private var hasUnpublished = false

    /// Applies changes to the tables; they become visible with the next answer, or when the bytes at hand are used up.
    func change(_ modifications: [FlowModification]) -> FlowTableError? {
        let now = monotonicNow()
        // Who is counted for must be up to date before it ends or is copied.
        if modifications.contains(where: needsCounters) {
            flush()
            vswitch.collectCounters()
        }
        return tables.withOwnership {
            for m in modifications {
                do throws(FlowTableError) {
                    try tables.apply(m, now: now)
                } catch {
                    return error
                }
            }
            hasUnpublished = true
            return nil
        }
    }

    private func needsCounters(_ m: FlowModification) -> Bool {
        switch m {
        case .flow(.add, let e, _, _, _): e.idleTimeout != 0
        // Nobody asks what an entry had counted that ends untold.
        case .flow(.delete, _, _, _, _), .flow(.deleteStrict, _, _, _, _): tables.mayTellRemovals
        case .flow, .deleteGroup, .deleteMeter, .modifyGroup: true
        default: false
        }
    }

    /// Publishes what was changed.
    func flush() {
        guard hasUnpublished else { return }
        hasUnpublished = false
        tables.withOwnership { tables.publish() }
    }

    // MARK: - Sending

    /// - Parameter atOnce: whether nothing follows for now and it should not wait for more.
    func send(_ body: Message, xid: UInt32, atOnce: Bool = false) {
        guard let encoder, !isClosed else { return }
        do {
            transmit(try encoder.encode(body, xid: xid), atOnce: atOnce)
        } catch {
            // A value that this version cannot say; the request that asked for it is answered all the same.
            transmit(encoder.encode(OpenFlowError(.badRequestType, error.description, xid: xid)))
        }
    }

    func sendBytes(_ bytes: [UInt8]) { if !isClosed { transmit(bytes) } }

    private func transmit(_ bytes: [UInt8], atOnce: Bool = false) {
        if atOnce { transport.sendAtOnce(bytes) } else { transport.send(bytes) }
        if peer == .controller, agent.isShown { agent.show(bytes) }
    }

    // MARK: - Dispatch

    private func dispatch(_ m: OpenFlowMessage, _ bytes: [UInt8]) throws(OpenFlowError) {
        switch m.body {
        case .flowMod(let f):
            try requireWriter()
            try handle(f)
        case .hello, .error, .echoReply, .barrierReply: break
        case .echoRequest(let data): send(.echoReply(data), xid: m.xid)
        case .experimenter(let e):
            guard e.experimenter == ConfigurationChannel.experimenter, peer == .controller, let handler = agent.configurationHandler else {
                throw unknown(e)
            }
            try handle(e, xid: m.xid, handler)
        case .featuresRequest: send(.featuresReply(features), xid: m.xid)
        case .getConfigRequest: send(.getConfigReply(config), xid: m.xid)
        case .setConfig(let c):
            // Entries may match fragments by nw_frag; the switch itself does nothing to them.
            if c.fragments != .normal { throw OpenFlowError(.switchConfigFlags, "Fragments are forwarded as other packets are; match nw_frag.") }
            config = c
        case .packetOut(let p):
            try requireWriter()
            flush()
            try handle(p)
        case .groupMod(let g):
            try requireWriter()
            try handle(g)
            agent.forward(bytes, kind: 0, from: self)
        case .meterMod(let meter):
            try requireWriter()
            try handle(meter)
            agent.forward(bytes, kind: 1, from: self)
        case .portMod(let p):
            try requireWriter()
            try handle(p)
        case .tableMod(let t):
            try requireWriter()
            try handle(t)
        case .barrierRequest:
            flush()
            send(.barrierReply, xid: m.xid)
        case .multipartRequest(let r):
            flush()
            try handle(r, xid: m.xid)
        case .queueConfigRequest(let port): try queueConfig(port, xid: m.xid)
        case .roleRequest(let r): try handle(r, xid: m.xid)
        case .getAsyncRequest: send(.getAsyncReply(async), xid: m.xid)
        case .setAsync(let a): merge(a)
        case .bundleControl(let b):
            try requireWriter()
            try handle(b, xid: m.xid)
        case .bundleAdd(let b):
            try requireWriter()
            try handle(b)
        case .nicira(let n): try handle(n, xid: m.xid)
        // Refused by their number before.
        case .featuresReply, .getConfigReply, .packetIn, .flowRemoved, .portStatus, .multipartReply, .queueConfigReply, .roleReply,
            .getAsyncReply, .roleStatus, .tableStatus, .requestForward:
            throw OpenFlowError(.badRequestType, "This message goes from switches to controllers only.")
        }
    }

    /// Whether only a switch sends messages of this type; what is in them does not matter then.
    private static func isFromSwitches(_ type: UInt8) -> Bool {
        switch type {
        // Replies to features, configuration, multipart, barrier, queues, role and asynchronous configuration.
        case 6, 8, 19, 21, 23, 25, 27: true
        // Packet-in, flow-removed, port-status; role-status, table-status, request-forward.
        case 10, 11, 12, 30, 31, 32: true
        default: false
        }
    }

    /// Refuses changes by a slave (OpenFlow 1.3.5 §6.3.5).
    private func requireWriter() throws(OpenFlowError) {
        if role == .slave { throw OpenFlowError(.badRequestIsSlave, "A slave may not change the switch.") }
    }

    private func unknown(_ e: UnknownExperimenter) -> OpenFlowError {
        let isKnown = e.experimenter == Experimenter.nicira || e.experimenter == Experimenter.onf
        return OpenFlowError(
            isKnown ? .badRequestExperimenterType : .badRequestExperimenter,
            "Messages of type \(e.type) of the experimenter 0x\(String(e.experimenter, radix: 16)) are not known.")
    }

    private var features: SwitchFeatures {
        SwitchFeatures(
            datapathID: agent.options.datapathID, tableCount: OpenFlowAgent.tableCount,
            capabilities: ([.flowStats, .tableStats, .portStats, .groupStats, .queueStats] as SwitchFeatures.Capabilities)
                // 1.4 has bundles, but no bit of its own for them; Open vSwitch sets that of 1.5.
                .union(version >= .v14 ? .bundles : []).union(version >= .v15 ? .flowMonitoring : []))
    }
}
