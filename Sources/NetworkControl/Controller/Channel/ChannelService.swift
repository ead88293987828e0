import Flow
import Foundation
import Logging
import PhysicalControl
import Translation

/// The logical controller's end of the channels: tells physical controllers and hosts in chassis mode what concerns their hosts, gives out mastership of hosts, and
/// answers packets (spec 002 J13, H10, H11).
///
/// Receivers are told which sets of datapaths this controller leads, which may be none, and subscribe for these. One that does not keep up is sent away, and told what
/// it lacks when it comes again. Runs on the controller's queue.
public final class ChannelService {
    /// Bytes that may wait for a receiver when there is more to tell.
    static let backlogLimit = 256 << 20
    /// Hosts of one receiver, and groups that it says to have.
    static let hostLimit = 65_536
    static let digestLimit = 1 << 20
    private unowned let core: ControllerCore
    private let log: Logger
    private var receivers: [ObjectIdentifier: Receiver] = [:]

    init(_ core: ControllerCore, log: Logger) {
        self.core = core
        self.log = log
    }

    /// One has connected.
    public func begin(peer: String, _ transport: StreamTransport) -> any StreamConversation {
        let receiver = Receiver(self, peer, transport)
        receivers[ObjectIdentifier(receiver)] = receiver
        return receiver
    }

    /// Looks after silent peers; call it every two seconds.
    public func tick(now: UInt64) { for r in receivers.values { r.tick(now: now) } }

    // MARK: - What the controller tells and asks

    /// Gives receivers their parts of a change.
    func publish(_ change: UniversalChange, _ logical: LogicalController) {
        for r in receivers.values {
            guard let update = r.subscriptions[logical.set]?.update(change, logical) else { continue }
            if r.transport.backlog() > Self.backlogLimit {
                r.close("it does not keep up")
            } else {
                r.transport.send(update.bytes)
            }
        }
    }

    /// Tries again for those whose claims were refused.
    func grantWaiting() { for r in receivers.values { for host in r.waiting.sorted() { claim(host, nil, r) } } }

    /// A host's lease is lost.
    func revoke(_ host: String, owner: String) {
        for r in receivers.values where r.name == owner { r.send(.revoked(host: host)) }
    }

    /// The controller leads other sets than before.
    func tellLeads() {
        for r in receivers.values where r.name != nil {
            for set in r.subscriptions.keys where core.led[set] == nil { r.subscriptions[set] = nil }
            if core.led[1] == nil { r.waiting = [] }
            r.send(.leads(leads))
        }
    }

    /// The controller stops.
    func leave() { for r in receivers.values { r.close("the controller stops") } }

    private var leads: ChannelMessage.Leads {
        .init(
            sets: core.options.sets,
            led: core.led.values.sorted { $0.number < $1.number }.map { .init(set: $0.number, generation: $0.mastership.generation) })
    }

    /// The hosts of receivers, as those told.
    var states: [PhysicalController.HostState] {
        receivers.values.flatMap(\.states.values).sorted { ($0.host, $0.controller ?? "") < ($1.host, $1.controller ?? "") }
    }
    /// Hosts that a receiver leads.
    var ledHosts: Set<String> { Set(receivers.values.flatMap(\.states.values).filter { $0.generation != nil }.map(\.host)) }
    /// The revision by which a host forwards; nil when no receiver leads it.
    func inForce(_ host: String) -> UInt64? {
        receivers.values.compactMap { $0.states[host] }.filter { $0.generation != nil }.map(\.inForce).max()
    }

    // MARK: - Conversations

    /// One connection with a physical controller, or a host that customizes itself.
    private final class Receiver: ChannelConversation {
        private unowned let service: ChannelService
        var name: String?
        /// nil for a physical controller.
        var chassisHost: String?
        /// By set.
        var subscriptions: [Int: UniversalSubscription] = [:]
        var have: [Int: [UniversalGroup: UniversalDigest]] = [:]
        /// Hosts that it asks to lead and does not yet.
        var waiting: Set<String> = []
        var states: [String: PhysicalController.HostState] = [:]

        init(_ service: ChannelService, _ peer: String, _ transport: StreamTransport) {
            self.service = service
            super.init(peer: peer, transport: transport, log: service.log)
        }

        override var peerName: String { name ?? "" }
        override func handle(_ message: ChannelMessage) throws(ChannelError) { try service.handle(message, self) }
        override func lost(_ reason: String) { service.ended(self, reason) }

        func contains(_ host: String) -> Bool { subscriptions.values.contains { $0.contains(host) } }
    }

    private func ended(_ r: Receiver, _ reason: String) {
        receivers[ObjectIdentifier(r)] = nil
        guard let name = r.name else { return }
        log.notice("a controller of hosts is gone", metadata: ["name": "\(name)", "peer": "\(r.peer)", "reason": "\(reason)"])
        for host in r.states.keys { core.leftBy(name, host) }
        // One that has come anew has taken its place.
        if receivers.values.contains(where: { $0.name == name }) { return }
        core.releaseHosts(of: name)
    }

    private func handle(_ message: ChannelMessage, _ r: Receiver) throws(ChannelError) {
        if case .hello(let hello) = message {
            guard r.name == nil else { throw ChannelError("a second hello") }
            return try greet(hello, r)
        }
        guard let name = r.name else { throw ChannelError("the first message is not a hello") }
        switch message {
        case .have(let set, let digests):
            guard r.have.values.reduce(digests.count, { $0 + $1.count }) <= Self.digestLimit else {
                throw ChannelError("more than \(Self.digestLimit) digests")
            }
            for d in digests { r.have[set, default: [:]][d.group] = d.digest }
        case .subscribe(let set, let hosts):
            if core.options.requiresCertificateNames, let own = r.chassisHost, let other = hosts.first(where: { $0 != own }) {
                throw ChannelError("a host asks for another one, \(other)")
            }
            // The lease may have gone while this was on its way.
            guard let logical = core.led[set]?.logical else { break }
            guard (r.subscriptions[set]?.count ?? 0) + hosts.count <= Self.hostLimit else { throw ChannelError("more than \(Self.hostLimit) hosts") }
            // Later it says what it has by nothing but what it was told.
            let update = r.subscriptions[set, default: .init()].subscribe(hosts, have: r.have.removeValue(forKey: set) ?? [:], logical)
            r.transport.send(update.bytes)
        case .unsubscribe(let host):
            for set in r.subscriptions.keys { r.subscriptions[set]!.unsubscribe(host) }
            r.waiting.remove(host)
            r.send(.unsubscribe(host: host))
        // What is not subscribed for has just been left, or is made up.
        case .claim(let host, _) where !r.contains(host): break
        case .claim(let host, let generation): claim(host, generation, r)
        case .release(let host): core.release(host, of: name)
        case .state(let state) where !r.contains(state.host): break
        case .state(var state):
            state.controller = name
            r.states[state.host] = state
            if state.generation != nil { core.isInForce(state.host, state.inForce) }
        case .left(let host, let reason):
            log.notice("host is gone", metadata: ["host": "\(host)", "controller": "\(name)", "reason": "\(reason)"])
            r.states[host] = nil
            r.waiting.remove(host)
            core.release(host, of: name)
            core.leftBy(name, host)
        case .packet(let p):
            let packet = try p.value
            if let answer = core.logical(for: packet)?.answer(packet) { r.send(.answer(.init(number: p.number, answer))) }
        default: throw ChannelError("something that only a physical controller is told")
        }
    }

    private func greet(_ hello: ChannelMessage.Hello, _ r: Receiver) throws(ChannelError) {
        guard hello.version == ChannelMessage.Hello.version else { throw ChannelError("it speaks version \(hello.version)") }
        guard (1...200).contains(hello.name.utf8.count) else { throw ChannelError("it has no name of 1 to 200 bytes") }
        guard hello.name != core.options.name else { throw ChannelError("it has this controller's own name") }
        if core.options.requiresCertificateNames, !r.transport.certificateNames.contains(hello.chassisHost ?? hello.name) {
            throw ChannelError("its certificate does not have the name of \(hello.name)")
        }
        // The same one again, whose old connection has not been missed yet.
        let old = receivers.values.filter { $0.name == hello.name }
        (r.name, r.chassisHost) = (hello.name, hello.chassisHost)
        for other in old { other.close("it has connected anew") }
        log.notice("a controller of hosts is here", metadata: ["name": "\(hello.name)", "peer": "\(r.peer)"])
        r.send(.hello(.init(name: core.options.name)))
        r.send(.leads(leads))
    }

    private func claim(_ host: String, _ held: UInt64?, _ r: Receiver) {
        guard let name = r.name, let generation = core.claim(host, for: name, held: held) else {
            r.waiting.insert(host)
            return
        }
        r.waiting.remove(host)
        r.send(.granted(host: host, generation: generation))
    }
}
