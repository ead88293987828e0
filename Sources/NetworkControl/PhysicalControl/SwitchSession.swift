import Flow
import Foundation
import OpenFlow
import Translation

/// The controller's side of the conversation with one forwarding element: who it is, what it has, and what it is to do.
///
/// A connection goes through these states: versions are agreed and the host is asked for its name; who leads asks for all entries and meters (`reading`),
/// sends what differs from the snapshot, and from then on the changes as they come (`steady`). What changes while it reads is in the snapshot that it is
/// compared with afterwards. Each change is one bundle, so that no packet meets half of it. When the forwarding element refuses anything, it is read and
/// compared again.
///
/// It knows no sockets and no time: bytes, ticks and updates come in, bytes go out by `transport`. Used by one thread at a time.
public final class SwitchSession {
    public enum State: String, Sendable {
        case negotiating, identifying
        /// Another controller leads the host.
        case following
        case reading, steady, closed
    }

    /// What it needs of the physical controller.
    struct Owner {
        /// The host has told its name.
        var identified: (SwitchSession) -> Void
        var snapshot: (String) -> HostSnapshot?
        /// The answer may come later, or not at all.
        var answer: (HostPacket, @escaping (ControllerAnswer) -> Void) -> Void
        /// Entries and ports of that revision are in force.
        var inForce: (SwitchSession) -> Void
        /// The forwarding element knows a newer master.
        var superseded: (SwitchSession) -> Void
        var log: (SwitchSession, String) -> Void
    }

    /// What a comparison came to, for logs and tests.
    public struct Reconciliation: Sendable, Equatable {
        public var present = 0
        public var added = 0
        public var removed = 0
        public var changed = 0
        public var foreign = 0
        public var devicesOpened = 0
        public var devicesClosed = 0
    }

    /// Answers to packets in a second; further packets end unanswered.
    static let answersPerSecond = 1000
    /// Comparisons in a row that may fail; the connection ends then, and the host begins anew.
    static let failureLimit = 3
    /// Bytes of a dump that are collected.
    static let dumpLimit = 1 << 30

    public private(set) var state = State.negotiating
    public private(set) var host: String?
    public private(set) var datapathID: UInt64?
    /// Where the connection comes from.
    public let peer: String
    public private(set) var inForce: UInt64 = 0
    public private(set) var reconciliations: [Reconciliation] = []
    public private(set) var bundlesSent = 0
    public private(set) var modificationsSent = 0
    /// The role's generation, while it leads.
    public private(set) var generation: UInt64?

    private let transport: StreamTransport
    var certificateNames: Set<String> { transport.certificateNames }
    private let owner: Owner
    private var framer = MessageFramer()
    private var decoder: MessageDecoder?
    private var encoder: MessageEncoder?
    private var assembler = ConfigurationChannel.Assembler()
    private var nextXID: UInt32 = 1
    private var nextBundle: UInt32 = 1
    private var aboutXID: UInt32?
    private var roleXID: UInt32?
    private var dumpXIDs: (meters: UInt32, entries: UInt32) = (0, 0)
    private var dump: (entries: [FlowEntry], meters: [Meter], hasEntries: Bool, hasMeters: Bool) = ([], [], false, false)
    private var dumped = 0
    /// Requests whose success makes a revision's part in force.
    private var pending: [UInt32: UInt64] = [:]
    private var portXIDs: Set<UInt32> = []
    /// The transaction ids of changes since the last comparison: an error about one of them asks for another.
    private var firstChangeXID: UInt32 = 0
    private var sent: UInt64 = 0
    /// The host has left the network; the connection ends when it has nothing of it any more.
    private var isLeaving = false
    private var failures = 0
    private var heard: UInt64 = 0
    private var answers = (second: UInt64(0), count: 0)

    init(peer: String, transport: StreamTransport, owner: Owner) {
        self.peer = peer
        self.transport = transport
        self.owner = owner
    }

    func start() {
        let versions: Set<OpenFlowVersion> = [.v14, .v15]
        let hello = Hello(highest: OpenFlowVersion.v15.rawValue, bitmap: OpenFlowVersion.bitmap(versions))
        if let bytes = try? MessageEncoder(.v15).encode(.hello(hello), xid: makeXID()) { transport.send(bytes) }
    }

    // MARK: - Receiving

    func receive(_ bytes: some Sequence<UInt8>, now: UInt64) {
        heard = now
        framer.append(bytes)
        while state != .closed {
            switch framer.next() {
            case .incomplete: return
            case .broken(let length): close("a header says \(length) bytes")
            case .message(let message):
                do throws(OpenFlowError) { try handle(message, now: now) } catch { close("a message cannot be read: \(error.reason)") }
            }
        }
    }

    /// Looks after a silent peer; call it every few seconds. Times are nanoseconds of a monotonic clock.
    func tick(now: UInt64) {
        if heard == 0 { heard = now }
        let silence = now > heard ? now - heard : 0
        if silence > 15_000_000_000 { return close(state == .negotiating ? "it says nothing" : "no answer to an echo request") }
        if silence > 5_000_000_000, encoder != nil { send(.echoRequest([])) }
    }

    func ended() { state = .closed }

    func close(_ reason: String) {
        guard state != .closed else { return }
        state = .closed
        transport.close(reason)
    }

    private func handle(_ bytes: [UInt8], now: UInt64) throws(OpenFlowError) {
        guard decoder != nil else { return negotiate(bytes) }
        let message = try decoder!.decode(bytes)
        switch message.body {
        case .echoRequest(let data): send(.echoReply(data), xid: message.xid)
        case .featuresReply(let f):
            datapathID = f.datapathID
            if host == nil { aboutXID = request("host.about", Nothing()) }
        case .experimenter(let e) where e.experimenter == ConfigurationChannel.experimenter:
            if let (kind, line) = try assembler.add(e, xid: message.xid), kind == .reply { reply(line, xid: message.xid) }
        case .multipartReply(let r): collect(r, xid: message.xid, size: bytes.count)
        case .bundleControl(let b): if b.kind == .commitReply { complete(message.xid) }
        case .roleReply(let r):
            if message.xid == roleXID, r.role == .master {
                roleXID = nil
                read()
            }
        case .roleStatus(let s): if s.role == .slave, generation != nil { owner.superseded(self) }
        case .nicira(.packetIn2(let p)): answer(p, now: now)
        case .error(let e): refused(e, xid: message.xid)
        default: break
        }
    }

    private func negotiate(_ bytes: [UInt8]) {
        guard let hello = MessageDecoder.hello(bytes) else { return close("the first message is not a hello") }
        guard let version = OpenFlowVersion.negotiate(supported: [.v14, .v15], peerVersion: hello.highest, peerBitmap: hello.bitmap) else {
            let e = OpenFlowError(.helloIncompatible, "The controller speaks OpenFlow 1.4 and 1.5.", data: Array("OpenFlow 1.4 or 1.5".utf8))
            transport.send(MessageEncoder(.v15).encode(e))
            return close("it speaks neither OpenFlow 1.4 nor 1.5")
        }
        decoder = MessageDecoder(version)
        encoder = MessageEncoder(version)
        state = .identifying
        send(.featuresRequest)
    }

    private func refused(_ e: ErrorMessage, xid: UInt32) {
        if xid == aboutXID { return close("it has no configuration channel; start it as `weft switch --host NAME --controller …`") }
        if xid == roleXID {
            owner.log(self, "it knows a newer master")
            return owner.superseded(self)
        }
        guard state == .steady, xid &- firstChangeXID < 0x8000_0000 else { return }
        // The change and its commit are answered by an error each; one comparison is enough.
        failures += 1
        owner.log(self, "a change is refused (\(e.code)); it is compared again")
        if failures > Self.failureLimit { return close("it refuses what it is to do") }
        read()
    }

    // MARK: - The configuration channel

    private struct Nothing: Codable {}
    private struct Call<P: Encodable>: Encodable {
        var method: String
        var params: P
    }
    private struct PortsRequest: Encodable {
        var all: Bool
        var remove: [String]
        var ports: [HostDevice]
    }
    private struct AboutReply: Decodable {
        struct Result: Decodable { var host: String }
        struct Failure: Decodable { var message: String }
        var result: Result?
        var error: Failure?
    }
    private struct PortsReply: Decodable {
        struct Result: Decodable {
            var opened: Int
            var closed: Int
            var waiting: [String: String]
            var refused: [String: String]
        }
        var result: Result?
        var error: AboutReply.Failure?
    }

    /// Sends a request; returns the transaction id of its reply.
    private func request(_ method: String, _ params: some Encodable) -> UInt32 {
        let xid = makeXID()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let line = try? encoder.encode(Call(method: method, params: params)) else { return xid }
        for m in ConfigurationChannel.messages(.request, Array(line)) { send(m, xid: xid) }
        return xid
    }

    private func reply(_ line: [UInt8], xid: UInt32) {
        if xid == aboutXID {
            aboutXID = nil
            guard let reply = try? JSONDecoder().decode(AboutReply.self, from: Data(line)), let name = reply.result?.host, !name.isEmpty else {
                return close("it does not say which host it is")
            }
            host = name
            state = .following
            owner.identified(self)
        } else if portXIDs.remove(xid) != nil {
            if let reply = try? JSONDecoder().decode(PortsReply.self, from: Data(line)) {
                if let result = reply.result {
                    if !reconciliations.isEmpty, pending[xid] != nil {
                        reconciliations[reconciliations.count - 1].devicesOpened += result.opened
                        reconciliations[reconciliations.count - 1].devicesClosed += result.closed
                    }
                    for (name, reason) in result.waiting.sorted(by: { $0.key < $1.key }) { owner.log(self, "port \(name) is waited for: \(reason)") }
                    for (name, reason) in result.refused.sorted(by: { $0.key < $1.key }) { owner.log(self, "port \(name) is refused: \(reason)") }
                } else {
                    owner.log(self, "its ports cannot be changed: \(reply.error?.message ?? "no reason given")")
                }
            }
            complete(xid)
        }
    }

    // MARK: - Leading

    /// Takes the lead with a generation that is newer than any before (OpenFlow 1.3.5 §6.3.5).
    func lead(generation: UInt64) {
        guard state == .following, encoder != nil else { return }
        self.generation = generation
        send(.nicira(.setPacketInFormat(2)))
        roleXID = makeXID()
        send(.roleRequest(RoleMessage(.master, generation: generation)), xid: roleXID!)
    }

    /// Leaves the lead to another controller; the connection stays.
    func follow() {
        generation = nil
        roleXID = nil
        if state == .reading || state == .steady { state = .following }
    }

    /// Asks for everything that the forwarding element has.
    private func read() {
        state = .reading
        pending = [:]
        portXIDs = []
        dump = ([], [], false, false)
        dumped = 0
        dumpXIDs = (makeXID(), makeXID())
        send(.multipartRequest(MultipartRequest(.meterConfig(OpenFlowNumber.allMeters))), xid: dumpXIDs.meters)
        send(.multipartRequest(MultipartRequest(.flow(FlowSelection()))), xid: dumpXIDs.entries)
    }

    private func collect(_ r: MultipartReply, xid: UInt32, size: Int) {
        guard state == .reading else { return }
        dumped += size
        if dumped > Self.dumpLimit { return close("it has more entries than can be read") }
        switch r.body {
        case .flow(let all) where xid == dumpXIDs.entries:
            dump.entries += all.map(\.entry)
            if !r.more { dump.hasEntries = true }
        case .meterConfig(let all) where xid == dumpXIDs.meters:
            dump.meters += all
            if !r.more { dump.hasMeters = true }
        default: return
        }
        if dump.hasEntries, dump.hasMeters { reconcile() }
    }

    private func reconcile() {
        guard let host, let version = decoder?.version else { return }
        guard let snapshot = owner.snapshot(host) else { return close("there is no host \(host) in the network") }
        let difference = ProgramDifference(from: dump.entries, meters: dump.meters, to: snapshot.program, version: version)
        reconciliations.append(
            Reconciliation(
                present: dump.entries.count, added: difference.added, removed: difference.removed, changed: difference.changed,
                foreign: difference.foreign))
        dump = ([], [], false, false)
        state = .steady
        firstChangeXID = nextXID
        sent = snapshot.revision
        commit(difference.modifications, revision: snapshot.revision)
        changePorts(PortsRequest(all: true, remove: [], ports: snapshot.devices), revision: snapshot.revision)
        owner.log(
            self,
            "compared at revision \(snapshot.revision): \(difference.added) entries added, \(difference.changed) changed, \(difference.removed) removed, "
                + "\(difference.foreign) of others")
    }

    /// Has the forwarding element do what changed; while it is not steady, it will be compared later.
    func publish(_ update: HostUpdate) {
        guard state == .steady else { return }
        sent = update.revision
        if update.isGone {
            isLeaving = true
            commit(Self.removal, revision: update.revision)
            return changePorts(PortsRequest(all: true, remove: [], ports: []), revision: update.revision)
        }
        if !update.closed.isEmpty { changePorts(PortsRequest(all: false, remove: update.closed, ports: []), revision: update.revision) }
        commit(update.modifications, revision: update.revision)
        if !update.opened.isEmpty { changePorts(PortsRequest(all: false, remove: [], ports: update.opened), revision: update.revision) }
        // It may be told that nothing of it changed.
        if pending.isEmpty { advance() }
    }

    /// Has it compared again, when it is not known what it lacks.
    func compare() { if state == .steady { read() } }

    /// Takes everything that is the controller's away.
    private static var removal: [FlowModification] {
        let kind: UInt64 = 0xff << 56
        return EntryKind.allCases.map {
            .flow(.delete, FlowEntry(table: 0, priority: 0, cookie: UInt64($0.rawValue) << 56), anyTable: true, cookieMask: kind)
        } + [.deleteMeter(nil)]
    }

    private func changePorts(_ change: PortsRequest, revision: UInt64) {
        let xid = request("host.ports", change)
        portXIDs.insert(xid)
        pending[xid] = revision
    }

    /// One bundle, all or nothing.
    private func commit(_ modifications: [FlowModification], revision: UInt64) {
        guard !modifications.isEmpty, let encoder else { return }
        let id = nextBundle
        nextBundle &+= 1
        let flags: BundleControl.Flags = [.atomic, .ordered]
        var out: [UInt8] = []
        func put(_ m: Message) -> UInt32 {
            let xid = makeXID()
            if let bytes = try? encoder.encode(m, xid: xid) { out += bytes }
            return xid
        }
        _ = put(.bundleControl(BundleControl(bundle: id, .openRequest, flags: flags)))
        for m in modifications {
            let xid = makeXID()
            guard let body = Self.message(m), let inner = try? encoder.encode(body, xid: xid),
                let bytes = try? encoder.encode(.bundleAdd(BundleAdd(bundle: id, flags: flags, message: inner)), xid: xid)
            else {
                owner.log(self, "an entry cannot be said in OpenFlow: \(FlowText.text(m))")
                continue
            }
            out += bytes
        }
        _ = put(.bundleControl(BundleControl(bundle: id, .closeRequest, flags: flags)))
        pending[put(.bundleControl(BundleControl(bundle: id, .commitRequest, flags: flags)))] = revision
        bundlesSent += 1
        modificationsSent += modifications.count
        transport.send(out)
    }

    private static func message(_ m: FlowModification) -> Message? {
        switch m {
        case .flow: FlowMod(m).map(Message.flowMod)
        case .addMeter(let meter): .meterMod(MeterMod(.add, meter))
        case .modifyMeter(let meter): .meterMod(MeterMod(.modify, meter))
        case .deleteMeter(let id): .meterMod(MeterMod(.delete, Meter(id: id ?? OpenFlowNumber.allMeters, unit: .kbps)))
        case .addGroup, .modifyGroup, .deleteGroup: nil
        }
    }

    private func complete(_ xid: UInt32) {
        guard pending.removeValue(forKey: xid) != nil else { return }
        if pending.isEmpty { failures = 0 }
        defer { if isLeaving, pending.isEmpty { close("the host is no longer part of the network") } }
        advance()
    }

    private func advance() {
        let now = pending.values.min().map { $0 - 1 } ?? sent
        guard now > inForce else { return }
        inForce = now
        owner.inForce(self)
    }

    // MARK: - Packets

    private func answer(_ p: PacketIn, now: UInt64) {
        guard generation != nil else { return }
        let second = now / 1_000_000_000
        if answers.second != second { answers = (second, 0) }
        answers.count += 1
        if answers.count > Self.answersPerSecond { return }
        var metadata = FlowKey()
        for w in p.metadata.words { metadata[w.index] = w.value }
        owner.answer(HostPacket(frame: p.data, metadata: metadata, userdata: p.userdata)) { [weak self] a in
            self?.send(.packetOut(PacketOut(inPort: ReservedPort.controller, actions: a.packetOutActions, data: a.frame)))
        }
    }

    // MARK: - Sending

    private func makeXID() -> UInt32 {
        defer { nextXID = nextXID == .max ? 1 : nextXID + 1 }
        return nextXID
    }

    private func send(_ body: Message) { send(body, xid: makeXID()) }

    private func send(_ body: Message, xid: UInt32) {
        guard let encoder, state != .closed, let bytes = try? encoder.encode(body, xid: xid) else { return }
        transport.send(bytes)
    }
}
