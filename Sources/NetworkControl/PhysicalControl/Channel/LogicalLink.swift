import Flow
import Foundation
import Logging
import Translation

/// A physical controller whose logical controllers are at the other ends of channels: it subscribes for the hosts that connect, customizes what it is told, and
/// claims their mastership (spec 002 J13, H8, H10, H11).
///
/// Each set of datapaths is led by one logical controller; one may lead several, and others wait to. The controller of the first set gives out mastership of hosts. The
/// role itself is `physical`. While nobody leads a set, hosts keep what they have of it, and those that are led stay so; a host that connects then is taken on if it is known
/// still. When somebody leads it again, what both ends have is compared by digests, and only groups that differ are told again.
///
/// It knows no sockets: `begin` is told of a channel, bytes go in and out. Used by one thread at a time.
public final class LogicalLink {
    public let name: String
    public private(set) var physical: PhysicalController!
    private let log: Logger
    private let copy = UniversalCopy()
    /// Hosts that are connected.
    private var wanted: Set<String> = []
    private var generations: [String: UInt64] = [:]
    private var conversations: [ObjectIdentifier: Conversation] = [:]
    /// By set.
    private var leaders: [Int: (conversation: Conversation, generation: UInt64)] = [:]
    /// Updates that hosts were told of and do not forward by yet: the sequence number, the set, and its revision.
    private var told: [String: [(sequence: UInt64, set: Int, revision: UInt64)]] = [:]
    private var answers: [UInt64: (ControllerAnswer) -> Void] = [:]
    private var nextPacket: UInt64 = 1
    /// Packets that wait for an answer; the oldest ends unanswered.
    static let packetLimit: UInt64 = 1000
    static let toldLimit = 1000

    /// - Parameter name: what it is called in leases: of one name there is one process.
    public init(name: String, log: Logger) {
        self.name = name
        self.log = log
        physical = PhysicalController(
            logical: PhysicalController.Logical(
                presence: { [unowned self] in isKnown($0) ? .present : .unknown }, snapshot: { [unowned self] in copy.snapshot(host: $0) },
                answer: { [unowned self] in ask($0, $1) }), log: log)
        physical.claim = { [unowned self] in claim($0) }
        physical.report = { [unowned self] in take($0) }
    }

    /// Whether every set of datapaths has a logical controller.
    public var isConnected: Bool { !leaders.isEmpty && leaders.count >= copy.setCount }
    /// The datapaths of which it has entries.
    public var datapaths: Set<UInt64> { copy.datapaths }
    public func snapshot(host: String) -> HostSnapshot? { copy.snapshot(host: host) }

    /// The hosts that are connected, with the revisions by which they forward.
    public var states: [PhysicalController.HostState] {
        physical.states.map { state in
            var state = state
            state.inForce = copy.revisions.keys.map { inForce(state.host, state.inForce, [$0]) }.max() ?? 0
            return state
        }
    }

    private func isKnown(_ host: String) -> Bool { copy.contains(host) && !conversations.values.contains { $0.leaving.contains(host) } }
    private func sets(of c: Conversation) -> [Int] { leaders.filter { $0.value.conversation === c }.keys.sorted() }

    // MARK: - The channels

    /// A channel is there.
    public func begin(peer: String, _ transport: StreamTransport) -> any StreamConversation {
        let new = Conversation(self, peer, transport)
        conversations[ObjectIdentifier(new)] = new
        new.send(.hello(.init(name: name)))
        return new
    }

    /// Looks after silent peers; call it every two seconds.
    public func tick(now: UInt64) { for c in conversations.values { c.tick(now: now) } }

    /// One connection of a channel.
    private final class Conversation: ChannelConversation {
        private unowned let link: LogicalLink
        var assembler = UniversalUpdate.Assembler()
        /// What the other end is called; nil before it has said so.
        var name: String?
        /// Hosts whose mastership was asked for.
        var asked: Set<String> = []
        /// Hosts that are no longer asked for, until the other end has said so too: until then it tells of them.
        var leaving: Set<String> = []

        init(_ link: LogicalLink, _ peer: String, _ transport: StreamTransport) {
            self.link = link
            super.init(peer: peer, transport: transport, log: link.log)
        }

        override var peerName: String { name ?? "" }
        override func handle(_ message: ChannelMessage) throws(ChannelError) { try link.handle(message, self) }
        override func lost(_ reason: String) { link.ended(self, reason) }
    }

    private func ended(_ c: Conversation, _ reason: String) {
        conversations[ObjectIdentifier(c)] = nil
        leave(sets(of: c), reason)
    }

    /// Nobody leads some sets, as far as is known.
    private func leave(_ sets: [Int], _ reason: String) {
        if sets.isEmpty { return }
        for set in sets { leaders[set] = nil }
        log.warning(
            "no logical controller any more; hosts go on by what they have",
            metadata: ["reason": "\(reason)", "sets": "\(sets.map(String.init).joined(separator: " "))"])
    }

    private func handle(_ message: ChannelMessage, _ c: Conversation) throws(ChannelError) {
        switch message {
        case .hello(let hello):
            guard c.name == nil else { throw ChannelError("a second hello") }
            guard hello.version == ChannelMessage.Hello.version else { throw ChannelError("it speaks version \(hello.version)") }
            c.name = hello.name
        case _ where c.name == nil: throw ChannelError("the first message is not a hello")
        case .leads(let leads): follow(leads, c)
        case .begin, .host, .group, .entry, .end: if let update = try c.assembler.add(message) { try apply(update, c) }
        case .granted(let host, let generation):
            guard wanted.contains(host) else { return c.send(.release(host: host)) }
            generations[host] = generation
            physical.granted(host)
        case .revoked(let host):
            generations[host] = nil
            c.asked.remove(host)
            physical.follow(host)
            _ = claim(host)
        case .unsubscribe(let host):
            c.leaving.remove(host)
            for set in sets(of: c) {
                copy.forget(host, set: set)
                if wanted.contains(host) { c.send(.subscribe(set: set, hosts: [host])) }
            }
        case .answer(let answer):
            let value = try answer.value
            answers.removeValue(forKey: answer.number)?(value)
        default: throw ChannelError("something that only a logical controller is told")
        }
    }

    /// Takes note of the sets that the other end leads.
    private func follow(_ leads: ChannelMessage.Leads, _ c: Conversation) {
        // There may become more of them, never less.
        copy.setCount = max(copy.setCount, leads.sets)
        let before = Set(sets(of: c))
        let now = Set(leads.led.map(\.set))
        leave(before.subtracting(now).sorted(), "controller \(c.peerName) leads it no longer")
        for led in leads.led.sorted(by: { $0.set < $1.set }) where before.contains(led.set) || (leaders[led.set]?.generation ?? 0) <= led.generation {
            leaders[led.set] = (c, led.generation)
            if !before.contains(led.set) { ready(led.set, c) }
        }
    }

    /// Says what is here and what is wanted of a set.
    private func ready(_ set: Int, _ c: Conversation) {
        log.notice("has a logical controller", metadata: ["name": "\(c.peerName)", "peer": "\(c.peer)", "set": "\(set) of \(copy.setCount)"])
        for host in copy.hostNames where !wanted.contains(host) { copy.forget(host, set: set) }
        let digests = copy.digests(set: set)
        for at in stride(from: 0, to: digests.count, by: ChannelCodec.digestLimit) {
            c.send(.have(set: set, Array(digests[at..<min(at + ChannelCodec.digestLimit, digests.count)])))
        }
        let hosts = wanted.subtracting(c.leaving).sorted()
        if !hosts.isEmpty { c.send(.subscribe(set: set, hosts: hosts)) }
        for host in wanted.sorted() {
            if set == 1 {
                c.asked.remove(host)
                if isKnown(host) { askToLead(host, c) }
            }
            tell(host, c)
        }
    }

    private func apply(_ update: UniversalUpdate, _ c: Conversation) throws(ChannelError) {
        // What one says who does not lead any more counts no more.
        guard leaders[update.set]?.conversation === c else { return }
        let new = Set(update.hosts.map(\.name).filter { !copy.contains($0) })
        for (host, change) in try copy.apply(update) {
            if !wanted.contains(host) || c.leaving.contains(host) { continue }
            told[host, default: []].append((copy.sequence, update.set, update.revision))
            // One that is not led forwards by nothing of it; when it is, it is compared.
            if told[host]!.count > Self.toldLimit { told[host]!.removeFirst() }
            guard let change else {
                physical.compare(host)
                continue
            }
            if change.isGone, new.contains(host) { physical.refuse(host) } else { physical.publish([change]) }
            if new.contains(host) { physical.lead(host) }
        }
    }

    // MARK: - The role

    private func claim(_ host: String) -> UInt64? {
        if let generation = generations[host] { return generation }
        if let c = leaders[1]?.conversation, isKnown(host) { askToLead(host, c) }
        return nil
    }

    private func askToLead(_ host: String, _ c: Conversation) {
        if c.asked.insert(host).inserted { c.send(.claim(host: host, generation: generations[host])) }
    }

    private func take(_ report: PhysicalReport) {
        switch report {
        case .connected(let host):
            if wanted.insert(host).inserted {
                for (set, leader) in leaders.sorted(by: { $0.key < $1.key }) where !leader.conversation.leaving.contains(host) {
                    leader.conversation.send(.subscribe(set: set, hosts: [host]))
                }
            }
            tell(host)
        case .inForce(let host, let sequence):
            told[host]?.removeAll { $0.sequence <= sequence }
            tell(host)
        case .superseded(let host):
            generations[host] = nil
            leaders[1]?.conversation.send(.release(host: host))
            tell(host)
        case .disconnected(let host, let reason):
            wanted.remove(host)
            told[host] = nil
            if leaders.isEmpty { return }
            generations[host] = nil
            for c in leadingConversations {
                c.asked.remove(host)
                c.send(.left(host: host, reason: reason))
                if c.leaving.insert(host).inserted { c.send(.unsubscribe(host: host)) }
            }
        }
    }

    private var leadingConversations: [Conversation] { conversations.values.filter { c in leaders.values.contains { $0.conversation === c } } }

    private func tell(_ host: String) { for c in leadingConversations { tell(host, c) } }

    private func tell(_ host: String, _ c: Conversation) {
        guard var state = physical.state(of: host) else { return }
        state.inForce = inForce(host, state.inForce, sets(of: c))
        c.send(.state(state))
    }

    /// The revision of some sets by which a host forwards that has everything up to a sequence number.
    private func inForce(_ host: String, _ sequence: UInt64, _ sets: [Int]) -> UInt64 {
        if sequence == 0 { return 0 }
        let behind = told[host]?.filter { $0.sequence > sequence && sets.contains($0.set) }.map(\.revision).min()
        return behind.map { $0 - 1 } ?? sets.compactMap { copy.revisions[$0] }.max() ?? 0
    }

    /// Has a packet answered, by who leads the datapath that it is in; the answer may not come.
    public func ask(_ packet: HostPacket, _ done: @escaping (ControllerAnswer) -> Void) {
        let set = copy.setCount == 1 ? 1 : NumberSpace.set(of: packet.metadata[RegisterMap.datapath.bits.field] & RegisterMap.identifierMask)
        guard let c = leaders[set]?.conversation else { return }
        let number = nextPacket
        nextPacket += 1
        answers[number] = done
        if number > Self.packetLimit { answers[number - Self.packetLimit] = nil }
        c.send(.packet(.init(number: number, packet)))
    }
}
