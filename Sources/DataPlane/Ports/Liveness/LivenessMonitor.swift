import CLinux
import Dispatch
import Glibc
import Synchronization
import Wire

/// The sessions of a switch's watched tunnels: when they act, and what carries their packets.
///
/// *Concurrency.* Sessions live on a serial queue of the monitor's own with one timer, set to the earliest deadline of all; workers reach it by inboxes only.
/// Neither a busy worker nor a long request to the switch delays a packet. What changed is told by `descriptor`, readable until `takeChanges`.
///
/// *Cost.* Nothing while no tunnel is watched. Packets that are due within a twentieth of the interval leave together, so an interval has some twenty wakeups at
/// most, however many tunnels there are.
public final class LivenessMonitor: @unchecked Sendable {
    /// How a tunnel's other end does, for people.
    public struct Report: Sendable, Equatable, Codable {
        public var state: String
        public var remoteState: String
        public var isUsable: Bool
        /// Milliseconds of silence after which it counts as gone.
        public var detectionMilliseconds: UInt64
        public var sent: UInt64
        public var received: UInt64
        /// By reason, without zeros.
        public var discarded: [String: UInt64]
        /// How often it came and went.
        public var changes: UInt64
    }

    /// Sends a frame by a port's tunnel.
    typealias Carrier = @Sendable (_ frame: [UInt8]) -> Void

    private final class Watched {
        let number: UInt32
        let remote: String
        let source: UInt32?
        let inbox: LivenessInbox
        let carry: Carrier
        var session: LivenessSession
        init(_ number: UInt32, _ remote: String, _ source: UInt32?, _ inbox: LivenessInbox, _ session: LivenessSession, _ carry: @escaping Carrier) {
            self.number = number
            self.remote = remote
            self.source = source
            self.inbox = inbox
            self.session = session
            self.carry = carry
        }
    }

    private struct Shared {
        var reasons: [UInt32: String] = [:]
        var changed: Set<UInt32> = []
    }

    private let queue = DispatchQueue(label: "liveness")
    private let event: Int32
    private let shared = Mutex(Shared())
    private let isWoken = Atomic<Bool>(false)
    // On the queue.
    private var watched: [UInt32: Watched] = [:]
    private var timer: (any DispatchSourceTimer)?

    init() { event = weft_event_create() }
    deinit {
        timer?.cancel()
        if event >= 0 { close(event) }
    }

    /// Readable when a tunnel's other end has come or gone; -1 when the system gave none.
    public var descriptor: Int32 { event }

    /// The ports whose other end has come or gone since the last call.
    public func takeChanges() -> [UInt32] {
        if event >= 0 { weft_event_clear(event) }
        return shared.withLock { s in
            defer { s.changed = [] }
            return s.changed.sorted()
        }
    }

    func report(_ number: UInt32) -> Report? {
        queue.sync {
            guard let w = watched[number] else { return nil }
            let s = w.session
            var discarded = Dictionary(uniqueKeysWithValues: s.discarded.map { ($0.key.rawValue, $0.value) })
            if w.inbox.overflow > 0 { discarded["overflow"] = w.inbox.overflow }
            return Report(
                state: "\(s.state)", remoteState: "\(s.remoteState)", isUsable: s.isUsable, detectionMilliseconds: s.detectionTime / 1_000_000,
                sent: s.sent,
                received: s.received, discarded: discarded, changes: s.changes)
        }
    }

    /// Why a port's other end counts as gone; nil when it does not, or is not watched.
    func reason(_ number: UInt32) -> String? { shared.withLock { $0.reasons[number] } }

    /// The inbox that a port's receiver is to fill, made before the port is.
    func inbox(key: UInt32) -> LivenessInbox {
        LivenessInbox(key: key) { [weak self] in self?.wake() }
    }

    /// Begins to watch; the port counts as gone until its other end answers.
    func add(
        _ number: UInt32, remote: String, source: UInt32?, _ configuration: LivenessConfiguration, inbox: LivenessInbox, carry: @escaping Carrier
    ) {
        queue.sync {
            // Distinct, so that a packet belongs to one session only (RFC 5880 §6.8.1).
            var discriminator = UInt32.random(in: 1 ... .max)
            while watched.values.contains(where: { $0.session.discriminator == discriminator }) { discriminator = .random(in: 1 ... .max) }
            let session = LivenessSession(configuration, discriminator: discriminator, seed: .random(in: 0 ... .max), now: weft_monotonic_ns())
            watched[number] = Watched(number, remote, source, inbox, session, carry)
            publish(watched[number]!)
            run()
        }
    }

    /// Ends watching, and tells the other end so.
    func remove(_ number: UInt32) {
        queue.sync {
            guard let w = watched.removeValue(forKey: number) else { return }
            send(w.session.turnOff(), w)
            shared.withLock {
                $0.reasons[number] = nil
                $0.changed.remove(number)
            }
            if watched.isEmpty {
                timer?.cancel()
                timer = nil
            }
        }
    }

    private func wake() {
        if isWoken.exchange(true, ordering: .acquiringAndReleasing) { return }
        queue.async { [weak self] in self?.run() }
    }

    /// Does everything that is due, and sets the timer.
    private func run() {
        isWoken.store(false, ordering: .releasing)
        var next = UInt64.max
        for w in watched.values {
            let before = (w.session.isUsable, w.session.state, w.session.diagnostic)
            collect(w)
            let now = weft_monotonic_ns()
            while w.session.deadline <= now || w.session.isDueSoon(now) {
                let deadline = w.session.deadline
                if let packet = w.session.advance(to: now) { send(packet, w) }
                if w.session.deadline <= deadline { break }
            }
            next = min(next, w.session.deadline)
            if before == (w.session.isUsable, w.session.state, w.session.diagnostic) { continue }
            if w.session.state != .up { w.inbox.settle(nil) }
            publish(w, isChange: before.0 != w.session.isUsable)
        }
        guard next != .max else { return }
        let timer = timer ?? makeTimer()
        let now = weft_monotonic_ns()
        timer.schedule(deadline: .now() + .nanoseconds(Int(clamping: next > now ? next - now : 0)), leeway: .milliseconds(1))
    }

    private func makeTimer() -> any DispatchSourceTimer {
        let made = DispatchSource.makeTimerSource(queue: queue)
        made.setEventHandler { [weak self] in self?.run() }
        made.resume()
        timer = made
        return made
    }

    /// Gives the session what its receivers left.
    private func collect(_ w: Watched) {
        let contents = w.inbox.take()
        w.session.repeated(contents.repeats, at: contents.lastRepeat)
        guard !contents.packets.isEmpty else { return }
        var steady: [UInt8]?
        for packet in contents.packets {
            let discard = w.session.receive(packet.bytes.span.bytes, ttl: packet.ttl, now: packet.time)
            let asks = packet.bytes.count > 1 && packet.bytes[1] & (BFD.Flag.poll | BFD.Flag.final) != 0
            steady = discard == nil && !asks && w.session.state == .up ? packet.bytes : nil
        }
        w.inbox.settle(steady)
    }

    private func send(_ packet: BFD.Control, _ w: Watched) {
        w.carry(LivenessFrame.bytes(packet, discriminator: w.session.discriminator, source: w.source))
    }

    private func publish(_ w: Watched, isChange: Bool = false) {
        let reason = w.session.isUsable ? nil : "remote \(w.remote): \(Self.reason(w.session))"
        shared.withLock {
            $0.reasons[w.number] = reason
            if isChange { $0.changed.insert(w.number) }
        }
        if isChange, event >= 0 { weft_event_signal(event) }
    }

    private static func reason(_ s: LivenessSession) -> String {
        switch (s.state, s.diagnostic) {
        case (.up, _): "it says that its own path is down"
        case (.down, BFD.Diagnostic.detectionTimeExpired): "no packet for \(s.detectionTime / 1_000_000) ms"
        case (.down, BFD.Diagnostic.neighborSignaledDown): s.remoteState == .adminDown ? "turned off there" : "it hears nothing from here"
        default: s.received == 0 ? "no answer yet" : "not up yet"
        }
    }
}
