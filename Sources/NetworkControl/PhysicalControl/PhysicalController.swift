import Flow
import Logging
import OpenFlow
import Translation

/// The role that publishes: holds the conversations with forwarding elements, each with the one host that it is, and gives each what concerns it.
///
/// It asks the logical controller for what a host is to have (`snapshot`) and is told of changes (`publish`). Which hosts it leads is decided by `claim`,
/// which records mastership in the store. The logical controller may be in the same process or at the other end of a channel (`LogicalLink`), and the forwarding
/// element at the other end of a connection or in the same process too (chassis mode). Used by one thread at a time.
public final class PhysicalController {
    /// A host that is connected, as told to people.
    public struct HostState: Sendable, Codable, Hashable {
        public var host: String
        /// Who holds the connection, when it is not the controller that tells.
        public var controller: String?
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
    public struct ReconciliationState: Sendable, Codable, Hashable {
        public var present: Int
        public var added: Int
        public var changed: Int
        public var removed: Int
        public var foreign: Int
        public var devicesOpened: Int
        public var devicesClosed: Int
    }

    /// Whether a host is part of the network.
    public enum Presence: Sendable {
        case present, absent
        /// It has been asked; `resume` or `refuse` says what came of it.
        case unknown
    }

    /// What it asks the logical controller for.
    public struct Logical {
        public var presence: (String) -> Presence
        public var snapshot: (String) -> HostSnapshot?
        /// The answer may come later, or not at all.
        public var answer: (HostPacket, @escaping (ControllerAnswer) -> Void) -> Void
        public init(
            presence: @escaping (String) -> Presence, snapshot: @escaping (String) -> HostSnapshot?,
            answer: @escaping (HostPacket, @escaping (ControllerAnswer) -> Void) -> Void
        ) {
            self.presence = presence
            self.snapshot = snapshot
            self.answer = answer
        }
    }

    private let logical: Logical
    private let log: Logger
    /// The generation with which this controller leads a host; nil when another one does, or it is not known yet: `lead` asks again.
    public var claim: (String) -> UInt64? = { _ in 1 }
    public var report: (PhysicalReport) -> Void = { _ in }
    /// Whether a forwarding element is only let in as a host whose name its certificate has.
    public var requiresCertificateNames = false
    private var sessions: [ObjectIdentifier: SwitchSession] = [:]
    private var byHost: [String: SwitchSession] = [:]
    /// Hosts that know a newer master than this controller's: to go on claiming them would be a race that nobody wins.
    private var superseded: Set<String> = []

    public init(logical: Logical, log: Logger) {
        self.logical = logical
        self.log = log
    }

    public var connectedHosts: [String] { byHost.keys.sorted() }

    public var states: [HostState] { byHost.values.map(Self.state).sorted { $0.host < $1.host } }
    public func state(of host: String) -> HostState? { byHost[host].map(Self.state) }

    private static func state(_ s: SwitchSession) -> HostState {
        HostState(
            host: s.host ?? "", peer: s.peer, datapath: "0x" + String(s.datapathID ?? 0, radix: 16), state: s.state.rawValue,
            generation: s.generation, inForce: s.inForce, bundles: s.bundlesSent, modifications: s.modificationsSent,
            reconciliations: s.reconciliations.suffix(8).map {
                ReconciliationState(
                    present: $0.present, added: $0.added, changed: $0.changed, removed: $0.removed, foreign: $0.foreign,
                    devicesOpened: $0.devicesOpened, devicesClosed: $0.devicesClosed)
            })
    }

    /// The revision by which a host forwards; nil when it is not connected, or not led from here.
    public func inForce(_ host: String) -> UInt64? {
        guard let s = byHost[host], s.generation != nil else { return nil }
        return s.inForce
    }

    // MARK: - Connections

    /// A forwarding element has connected.
    public func begin(peer: String, _ transport: StreamTransport) -> SwitchSession {
        let owner = SwitchSession.Owner(
            identified: { [unowned self] in identified($0) }, snapshot: { [unowned self] in logical.snapshot($0) },
            answer: { [unowned self] in logical.answer($0, $1) },
            inForce: { [unowned self] s in if let host = s.host { report(.inForce(host: host, revision: s.inForce)) } },
            superseded: { [unowned self] s in
                s.follow()
                guard let host = s.host else { return }
                superseded.insert(host)
                report(.superseded(host: host))
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
        superseded.remove(host)
        log.notice("host is gone", metadata: ["host": "\(host)", "reason": "\(reason)"])
        report(.disconnected(host: host, reason: reason))
    }

    public func tick(now: UInt64) { for s in sessions.values { s.tick(now: now) } }

    private func identified(_ session: SwitchSession) {
        guard let host = session.host else { return }
        if requiresCertificateNames, !session.certificateNames.contains(host) {
            log.warning(
                "a host is refused: its certificate does not have its name",
                metadata: ["host": "\(host)", "peer": "\(session.peer)", "names": "\(session.certificateNames.sorted().joined(separator: " "))"])
            return session.close("the certificate is not that of host \(host)")
        }
        if logical.presence(host) == .absent { return refuse(session) }
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
        superseded.remove(host)
        log.notice("host is connected", metadata: ["host": "\(host)", "peer": "\(session.peer)"])
        report(.connected(host: host))
        lead(host)
    }

    private func refuse(_ session: SwitchSession) {
        log.warning("a host is refused: it is not in the network", metadata: ["host": "\(session.host ?? "")", "peer": "\(session.peer)"])
        session.close("there is no host \(session.host ?? "") in the network")
    }

    /// A host that was unknown is not part of the network.
    public func refuse(_ host: String) { if let session = byHost[host] { refuse(session) } }

    /// Leads a host whose mastership has been granted anew.
    public func granted(_ host: String) {
        superseded.remove(host)
        lead(host)
    }

    /// Leads a connected host when it may be led now.
    public func lead(_ host: String) {
        guard let session = byHost[host], !superseded.contains(host), logical.presence(host) == .present, let generation = claim(host) else { return }
        if let held = session.generation {
            // A newer lease of the same holder: the forwarding element has to hear of it.
            if held == generation { return }
            session.follow()
        }
        session.lead(generation: generation)
    }

    /// Leads the connected hosts that may be led now, when mastership has come.
    public func lead() { for (host, session) in byHost where session.generation == nil { lead(host) } }

    /// Leads no host any more, when mastership has gone.
    public func follow() {
        superseded = []
        for session in byHost.values { session.follow() }
    }

    /// Leads a host no more.
    public func follow(_ host: String) { byHost[host]?.follow() }

    // MARK: - Changes

    /// Gives hosts what changed. Those that are not connected, or being compared, get it by comparison.
    public func publish(_ updates: [HostUpdate]) { for update in updates { byHost[update.host]?.publish(update) } }

    /// Compares a host again.
    public func compare(_ host: String) { byHost[host]?.compare() }
}
