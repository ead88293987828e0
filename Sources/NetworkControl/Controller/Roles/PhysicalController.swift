import Flow
import Logging
import OpenFlow
import Translation

/// The role that publishes: holds the conversations with forwarding elements, each with the one host that it is, and gives each what concerns it.
///
/// It asks the logical controller for what a host is to have (`snapshot`) and is told of changes (`publish`). Which hosts it leads is decided by `claim`,
/// which records mastership in the store. Used by one thread at a time.
public final class PhysicalController {
    /// A host that is connected, as told to people.
    public struct HostState: Sendable, Codable, Equatable {
        public var host: String
        public var peer: String
        public var datapath: String
        public var state: String
        public var generation: UInt64?
        /// The revision of the network that it forwards by.
        public var inForce: UInt64
        public var bundles: Int
        public var modifications: Int
        public var reconciliations: [ReconciliationState]
    }
    public struct ReconciliationState: Sendable, Codable, Equatable {
        public var present: Int
        public var added: Int
        public var changed: Int
        public var removed: Int
        public var foreign: Int
        public var devicesOpened: Int
        public var devicesClosed: Int
    }

    public struct Logical {
        public var snapshot: (String) -> HostSnapshot?
        public var answer: (HostPacket) -> ControllerAnswer?
        public init(snapshot: @escaping (String) -> HostSnapshot?, answer: @escaping (HostPacket) -> ControllerAnswer?) {
            self.snapshot = snapshot
            self.answer = answer
        }
    }

    private let logical: Logical
    private let log: Logger
    /// The generation with which this controller leads a host; nil when another one does.
    public var claim: (String) -> UInt64? = { _ in 1 }
    public var report: (PhysicalReport) -> Void = { _ in }
    private var sessions: [ObjectIdentifier: SwitchSession] = [:]
    private var byHost: [String: SwitchSession] = [:]

    public init(logical: Logical, log: Logger) {
        self.logical = logical
        self.log = log
    }

    public var connectedHosts: [String] { byHost.keys.sorted() }

    public var states: [HostState] {
        byHost.values.map { s in
            HostState(
                host: s.host ?? "", peer: s.peer, datapath: "0x" + String(s.datapathID ?? 0, radix: 16), state: s.state.rawValue,
                generation: s.generation, inForce: s.inForce, bundles: s.bundlesSent, modifications: s.modificationsSent,
                reconciliations: s.reconciliations.suffix(8).map {
                    ReconciliationState(
                        present: $0.present, added: $0.added, changed: $0.changed, removed: $0.removed, foreign: $0.foreign,
                        devicesOpened: $0.devicesOpened, devicesClosed: $0.devicesClosed)
                })
        }.sorted { $0.host < $1.host }
    }

    /// The revision by which a host forwards; nil when it is not connected, or not led from here.
    public func inForce(_ host: String) -> UInt64? {
        guard let s = byHost[host], s.generation != nil else { return nil }
        return s.inForce
    }

    // MARK: - Connections

    /// A forwarding element has connected.
    public func begin(peer: String, _ transport: SwitchSession.Transport) -> SwitchSession {
        let owner = SwitchSession.Owner(
            identified: { [unowned self] in identified($0) }, snapshot: { [unowned self] in logical.snapshot($0) },
            answer: { [unowned self] in logical.answer($0) },
            inForce: { [unowned self] s in if let host = s.host { report(.inForce(host: host, revision: s.inForce)) } },
            superseded: { [unowned self] s in
                s.follow()
                if let host = s.host { report(.disconnected(host: host, reason: "another controller leads it")) }
            }, log: { [log] s, text in log.info("\(text)", metadata: ["host": "\(s.host ?? s.peer)"]) })
        let session = SwitchSession(peer: peer, transport: transport, owner: owner)
        sessions[ObjectIdentifier(session)] = session
        session.start()
        return session
    }

    public func receive(_ bytes: some Sequence<UInt8>, for session: SwitchSession, now: UInt64) { session.receive(bytes, now: now) }

    public func ended(_ session: SwitchSession, reason: String) {
        session.ended()
        sessions[ObjectIdentifier(session)] = nil
        guard let host = session.host, byHost[host] === session else { return }
        byHost[host] = nil
        log.notice("host is gone", metadata: ["host": "\(host)", "reason": "\(reason)"])
        report(.disconnected(host: host, reason: reason))
    }

    public func tick(now: UInt64) { for s in sessions.values { s.tick(now: now) } }

    private func identified(_ session: SwitchSession) {
        guard let host = session.host else { return }
        guard logical.snapshot(host) != nil else {
            log.warning("a host is refused: it is not in the network", metadata: ["host": "\(host)", "peer": "\(session.peer)"])
            return session.close("there is no host \(host) in the network")
        }
        if let other = byHost[host], other !== session, other.state != .closed {
            if other.datapathID != session.datapathID {
                log.error(
                    "a host is refused: another forwarding element is this host already",
                    metadata: ["host": "\(host)", "peer": "\(session.peer)", "other": "\(other.peer)"])
                return session.close("another forwarding element is host \(host) already")
            }
            // The same one again, whose old connection has not been missed yet.
            other.close("it has connected anew")
        }
        byHost[host] = session
        log.notice("host is connected", metadata: ["host": "\(host)", "peer": "\(session.peer)"])
        report(.connected(host: host))
        if let generation = claim(host) { session.lead(generation: generation) }
    }

    /// Leads the connected hosts that may be led now, when mastership has come.
    public func lead() {
        for (host, session) in byHost where session.generation == nil { if let generation = claim(host) { session.lead(generation: generation) } }
    }

    /// Leads no host any more, when mastership has gone.
    public func follow() { for session in byHost.values { session.follow() } }

    // MARK: - Changes

    /// Gives hosts what changed. Those that are not connected, or being compared, get it by comparison.
    public func publish(_ updates: [HostUpdate]) { for update in updates { byHost[update.host]?.publish(update) } }
}
