import Flow
import Foundation
import Logging
import Translation

/// A physical controller whose logical controller is at the other end of a channel: it subscribes for the hosts that connect, customizes what it is told, and
/// claims their mastership (spec 002 J13, H8, H10, H11).
///
/// The role itself is `physical`. While there is no channel hosts keep what they have, and those that are led stay so; a host that connects then is taken on if it
/// is known still. When the channel is back, what both ends have is compared by digests, and only groups that differ are told again.
///
/// It knows no sockets: `begin` is told of a channel, bytes go in and out. Used by one thread at a time.
public final class LogicalLink {
    public let name: String
    public private(set) var physical: PhysicalController!
    private let log: Logger
    private let copy = UniversalCopy()
    /// Hosts that are connected.
    private var wanted: Set<String> = []
    /// Hosts that are no longer asked for, until the other end has said so too: until then it tells of them.
    private var leaving: Set<String> = []
    private var generations: [String: UInt64] = [:]
    private var conversation: Conversation?
    private var answers: [UInt64: (ControllerAnswer) -> Void] = [:]
    private var nextPacket: UInt64 = 1
    /// Packets that wait for an answer; the oldest ends unanswered.
    static let packetLimit: UInt64 = 1000

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

    public var isConnected: Bool { conversation?.isReady ?? false }
    /// The revision that the copy has.
    public var revision: UInt64 { copy.revision }
    /// The datapaths of which it has entries.
    public var datapaths: Set<UInt64> { copy.datapaths }
    public func snapshot(host: String) -> HostSnapshot? { copy.snapshot(host: host) }

    private func isKnown(_ host: String) -> Bool { copy.contains(host) && !leaving.contains(host) }

    // MARK: - The channel

    /// A channel is there.
    public func begin(peer: String, _ transport: StreamTransport) -> any StreamConversation {
        conversation?.close("another channel has begun")
        let new = Conversation(self, peer, transport)
        conversation = new
        new.send(.hello(.init(name: name)))
        return new
    }

    /// Looks after a silent peer; call it every two seconds.
    public func tick(now: UInt64) { conversation?.tick(now: now) }

    /// One connection of the channel.
    private final class Conversation: StreamConversation {
        private unowned let link: LogicalLink
        let peer: String
        private let transport: StreamTransport
        private var decoder = ChannelCodec.Decoder()
        var assembler = UniversalUpdate.Assembler()
        var isReady = false
        private var isOpen = true
        /// Hosts whose mastership was asked for.
        var asked: Set<String> = []
        private var liveness = ChannelLiveness()

        init(_ link: LogicalLink, _ peer: String, _ transport: StreamTransport) {
            self.link = link
            self.peer = peer
            self.transport = transport
        }

        func send(_ message: ChannelMessage) { if isOpen { transport.send(ChannelCodec.encode(message)) } }

        func close(_ reason: String) {
            guard isOpen else { return }
            isOpen = false
            transport.close(reason)
        }

        func receive(_ bytes: [UInt8], now: UInt64) {
            guard isOpen else { return }
            liveness.heard(now)
            decoder.append(bytes)
            do throws(ChannelError) {
                while isOpen, let message = try decoder.next() { try link.handle(message, self) }
            } catch {
                link.log.error("the channel ends", metadata: ["peer": "\(peer)", "reason": "\(error)"])
                close("\(error)")
            }
        }

        func tick(now: UInt64) {
            switch liveness.look(now) {
            case .alive: break
            case .silent: send(.echo)
            case .dead: close("it says nothing")
            }
        }

        func ended(reason: String) {
            isOpen = false
            link.ended(self, reason)
        }
    }

    private func ended(_ c: Conversation, _ reason: String) {
        guard c === conversation else { return }
        if c.isReady { log.warning("no logical controller any more; hosts go on by what they have", metadata: ["reason": "\(reason)"]) }
        conversation = nil
        answers = [:]
    }

    private func handle(_ message: ChannelMessage, _ c: Conversation) throws(ChannelError) {
        switch message {
        case .hello(let hello):
            guard !c.isReady else { throw ChannelError("a second hello") }
            guard hello.version == ChannelMessage.Hello.version else { throw ChannelError("it speaks version \(hello.version)") }
            ready(c, hello.name)
        case .echo: c.send(.echoReply)
        case .echoReply: break
        case .follows(let leader):
            log.info("the controller does not lead", metadata: ["peer": "\(c.peer)", "leader": "\(leader ?? "nobody")"])
            c.close("another controller leads")
        case _ where !c.isReady: throw ChannelError("the first message is not a hello")
        case .begin, .host, .group, .entry, .end: if let update = try c.assembler.add(message) { try apply(update) }
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
            leaving.remove(host)
            copy.forget(host)
            if wanted.contains(host) { c.send(.subscribe(hosts: [host])) }
        case .answer(let answer):
            let value = try answer.value
            answers.removeValue(forKey: answer.number)?(value)
        default: throw ChannelError("something that only a logical controller is told")
        }
    }

    /// Says what is here and what is wanted.
    private func ready(_ c: Conversation, _ name: String) {
        c.isReady = true
        log.notice("has a logical controller", metadata: ["name": "\(name)", "peer": "\(c.peer)"])
        leaving = []
        for host in copy.hostNames where !wanted.contains(host) { copy.forget(host) }
        let digests = copy.digests
        for at in stride(from: 0, to: digests.count, by: ChannelCodec.digestLimit) {
            c.send(.have(Array(digests[at..<min(at + ChannelCodec.digestLimit, digests.count)])))
        }
        if !wanted.isEmpty { c.send(.subscribe(hosts: wanted.sorted())) }
        for host in wanted.sorted() {
            if copy.contains(host) { askToLead(host, c) }
            if let state = physical.state(of: host) { c.send(.state(state)) }
        }
    }

    private func apply(_ update: UniversalUpdate) throws(ChannelError) {
        let known = Set(copy.hostNames)
        for (host, change) in try copy.apply(update) {
            if !wanted.contains(host) || leaving.contains(host) { continue }
            guard let change else {
                physical.compare(host)
                continue
            }
            if change.isGone, !known.contains(host) { physical.refuse(host) } else { physical.publish([change]) }
            if !known.contains(host) { physical.lead(host) }
        }
    }

    // MARK: - The role

    private func claim(_ host: String) -> UInt64? {
        if let generation = generations[host] { return generation }
        if let c = conversation, c.isReady, isKnown(host) { askToLead(host, c) }
        return nil
    }

    private func askToLead(_ host: String, _ c: Conversation) {
        if c.asked.insert(host).inserted { c.send(.claim(host: host, generation: generations[host])) }
    }

    private func take(_ report: PhysicalReport) {
        let c = conversation.flatMap { $0.isReady ? $0 : nil }
        switch report {
        case .connected(let host):
            if wanted.insert(host).inserted, !leaving.contains(host) { c?.send(.subscribe(hosts: [host])) }
            tell(host)
        case .inForce(let host, _): tell(host)
        case .superseded(let host):
            generations[host] = nil
            c?.send(.release(host: host))
            tell(host)
        case .disconnected(let host, let reason):
            wanted.remove(host)
            guard let c else { return }
            generations[host] = nil
            c.asked.remove(host)
            c.send(.left(host: host, reason: reason))
            if leaving.insert(host).inserted { c.send(.unsubscribe(host: host)) }
        }
    }

    private func tell(_ host: String) {
        guard let c = conversation, c.isReady, let state = physical.state(of: host) else { return }
        c.send(.state(state))
    }

    /// Has a packet answered; the answer may not come.
    public func ask(_ packet: HostPacket, _ done: @escaping (ControllerAnswer) -> Void) {
        guard let c = conversation, c.isReady else { return }
        let number = nextPacket
        nextPacket += 1
        answers[number] = done
        if number > Self.packetLimit { answers[number - Self.packetLimit] = nil }
        c.send(.packet(.init(number: number, packet)))
    }
}

/// Whether the peer of a channel is still there.
public struct ChannelLiveness: Sendable {
    public enum State: Sendable { case alive, silent, dead }
    /// Nanoseconds after which it is asked, and given up.
    static let silence: UInt64 = 5_000_000_000
    static let end: UInt64 = 15_000_000_000
    private var last: UInt64 = 0

    public init() {}
    public mutating func heard(_ now: UInt64) { last = now }
    public mutating func look(_ now: UInt64) -> State {
        if last == 0 { last = now }
        let silent = now > last ? now - last : 0
        return silent > Self.end ? .dead : silent > Self.silence ? .silent : .alive
    }
}
