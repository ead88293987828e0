import Wire

/// How the other end of a tunnel is watched.
public struct LivenessConfiguration: Sendable, Equatable {
    /// Nanoseconds between packets, sent and expected, once both ends are up; before, one a second at most (RFC 5880 §6.8.3).
    public var interval: UInt64
    /// Packets that may be missed before the other end counts as gone.
    public var multiplier: UInt8

    public init(interval: UInt64 = 300_000_000, multiplier: UInt8 = 3) {
        self.interval = interval
        self.multiplier = multiplier
    }

    /// Nanoseconds: 10 ms to 60 s.
    public static let intervals: ClosedRange<UInt64> = 10_000_000...60_000_000_000
    public static let multipliers: ClosedRange<UInt8> = 1...50
}

/// One end of a session of Bidirectional Forwarding Detection in asynchronous mode, active, without echo and authentication (RFC 5880).
///
/// Values and time come in, packets come out: no sockets, no clock. Times are nanoseconds of any monotonic clock. `receive` takes a packet, `advance` does
/// what is due and gives the packet to send, if any; `deadline` says when to call it next.
///
/// *Invariant.* The session is up only while packets of the other end arrive that name this end's discriminator, which is random. A packet that is discarded
/// changes nothing but its counter.
///
/// *Limits.* No more than one packet leaves in `spacing`, whatever arrives. Packets that an interval's last twentieth would ask for are sent with those that
/// are due, so that many sessions share wakeups; the jitter of RFC 5880 §6.8.7 is drawn from 80 to 100 % (of 90 when the multiplier is 1), and stays within 75.
public struct LivenessSession: Sendable {
    /// Why a packet was discarded (RFC 5880 §6.8.6, RFC 5881 §5).
    public enum Discard: String, Sendable, CaseIterable {
        case badTTL, tooShort, badVersion, badLength, authentication, zeroMultiplier, multipoint, zeroDiscriminator, wrongDiscriminator,
            unexpectedState
    }

    /// Nanoseconds between any two packets sent.
    static let spacing: UInt64 = 5_000_000
    /// Microseconds; sessions that are not up send no faster (RFC 5880 §6.8.3).
    static let slowInterval: UInt32 = 1_000_000

    public let configuration: LivenessConfiguration
    public let discriminator: UInt32
    public private(set) var state = BFD.State.down
    public private(set) var diagnostic = BFD.Diagnostic.none
    public private(set) var remoteState = BFD.State.down
    public private(set) var remoteDiagnostic = BFD.Diagnostic.none
    public private(set) var remoteDiscriminator: UInt32 = 0
    public private(set) var sent: UInt64 = 0
    public private(set) var received: UInt64 = 0
    public private(set) var discarded: [Discard: UInt64] = [:]
    /// Changes of `isUsable`.
    public private(set) var changes: UInt64 = 0

    /// Microseconds, as the other end says; 1 before it has said anything (RFC 5880 §6.8.1).
    private var remoteRequiredReceive: UInt32 = 1
    private var remoteDesiredTransmit: UInt32 = 0
    private var remoteMultiplier: UInt8 = 0
    private var remoteDemands = false
    private var isPolling = false
    private var owesFinal = false
    private var lastSent: UInt64?
    private var lastHeard: UInt64 = 0
    private var nextTransmit: UInt64
    /// When silence has lasted too long; nil when nothing was heard since.
    private var silence: UInt64?
    private var random: UInt64

    /// - Parameters:
    ///   - discriminator: random, not 0.
    ///   - seed: of the jitter.
    public init(_ configuration: LivenessConfiguration, discriminator: UInt32, seed: UInt64, now: UInt64) {
        precondition(discriminator != 0, "a discriminator is not 0")
        self.configuration = configuration
        self.discriminator = discriminator
        random = seed
        nextTransmit = now
    }

    /// Whether packets get through to the other end and back, as far as both know.
    ///
    /// A session that is up is not usable while the other end says that the path behind it is down (RFC 5880 §6.8.17), nor is one that was turned off there.
    public var isUsable: Bool {
        guard state == .up else { return false }
        switch remoteDiagnostic {
        case BFD.Diagnostic.pathDown, BFD.Diagnostic.concatenatedPathDown, BFD.Diagnostic.reverseConcatenatedPathDown: return false
        default: return true
        }
    }

    /// The next moment at which `advance` has something to do.
    public var deadline: UInt64 { min(nextTransmit, silence ?? .max) }

    /// Whether a packet is due, or as good as due.
    public func isDueSoon(_ now: UInt64) -> Bool {
        nextTransmit <= now &+ configuration.interval / 20 && lastSent.map { $0 &+ Self.spacing <= now } ?? true
    }

    /// Nanoseconds of silence after which the session goes down (RFC 5880 §6.8.4); 0 before anything was heard.
    public var detectionTime: UInt64 {
        UInt64(remoteMultiplier) * UInt64(max(requiredReceive, remoteDesiredTransmit)) * 1000
    }

    /// Microseconds.
    private var requiredReceive: UInt32 { UInt32(truncatingIfNeeded: configuration.interval / 1000) }
    private var desiredTransmit: UInt32 { state == .up ? requiredReceive : max(requiredReceive, Self.slowInterval) }

    // MARK: - Receiving

    /// Takes a control packet: what UDP carried, and the TTL that it came with. Returns why it was discarded, nil when it was not.
    @discardableResult public mutating func receive(_ bytes: RawSpan, ttl: UInt8, now: UInt64) -> Discard? {
        received &+= 1
        guard let reason = judge(bytes, ttl: ttl) else {
            accept(try! BFD.View(bytes), now: now)
            return nil
        }
        discarded[reason, default: 0] &+= 1
        return reason
    }

    /// Notes that the last accepted packet has come again `count` times, most recently at `time`. It asked for nothing.
    public mutating func repeated(_ count: UInt64, at time: UInt64) {
        guard count > 0, silence != nil else { return }
        received &+= count
        hear(max(time, lastHeard))
    }

    private func judge(_ bytes: RawSpan, ttl: UInt8) -> Discard? {
        if ttl != 255 { return .badTTL }
        guard let p = try? BFD.View(bytes) else { return .tooShort }
        if p.version != BFD.version { return .badVersion }
        if p.length < BFD.headerSize || p.length > bytes.byteCount { return .badLength }
        if p.flags & BFD.Flag.authentication != 0 { return .authentication }
        if p.multiplier == 0 { return .zeroMultiplier }
        if p.flags & BFD.Flag.multipoint != 0 { return .multipoint }
        if p.myDiscriminator == 0 { return .zeroDiscriminator }
        if p.yourDiscriminator != 0 {
            if p.yourDiscriminator != discriminator { return .wrongDiscriminator }
        } else if p.state == .initial || p.state == .up {
            return .unexpectedState
        }
        return nil
    }

    private mutating func accept(_ p: borrowing BFD.View, now: UInt64) {
        let before = (state, isUsable, remoteDiscriminator)
        remoteDiscriminator = p.myDiscriminator
        remoteState = p.state
        remoteDiagnostic = p.diagnostic
        remoteDemands = p.flags & BFD.Flag.demand != 0
        remoteDesiredTransmit = p.desiredTransmit
        remoteMultiplier = p.multiplier
        if p.requiredReceive != remoteRequiredReceive || nextTransmit == .max {
            remoteRequiredReceive = p.requiredReceive
            schedule()
        }
        if p.flags & BFD.Flag.final != 0 { isPolling = false }
        hear(now)
        if state == .adminDown { return }
        step(p.state)
        if p.flags & BFD.Flag.poll != 0 { owesFinal = true }
        if owesFinal || before.0 != state || before.2 != remoteDiscriminator { hasten(now) }
        if before.1 != isUsable { changes &+= 1 }
    }

    /// The state machine (RFC 5880 §6.8.6).
    private mutating func step(_ remote: BFD.State) {
        switch (state, remote) {
        case (.down, .adminDown), (.adminDown, _): break
        case (_, .adminDown), (.up, .down): enter(.down, BFD.Diagnostic.neighborSignaledDown)
        case (.down, .down): enter(.initial, diagnostic)
        case (.down, .initial), (.initial, .initial), (.initial, .up): enter(.up, BFD.Diagnostic.none)
        case (.down, .up), (.initial, .down), (.up, .initial), (.up, .up): break
        }
    }

    private mutating func enter(_ new: BFD.State, _ diagnostic: UInt8) {
        state = new
        self.diagnostic = diagnostic
        // The interval changes when the session comes up, which the other end has to confirm (RFC 5880 §6.8.3).
        isPolling = new == .up && requiredReceive < Self.slowInterval
    }

    private mutating func hear(_ now: UInt64) {
        lastHeard = now
        silence = now &+ detectionTime
    }

    // MARK: - Time

    /// Does what is due at `now`, and returns the packet to send.
    public mutating func advance(to now: UInt64) -> BFD.Control? {
        if let silence, silence <= now {
            let wasUsable = isUsable
            if state == .initial || state == .up {
                enter(.down, BFD.Diagnostic.detectionTimeExpired)
                hasten(now)
            }
            // (RFC 5880 §6.8.1, bfd.RemoteDiscr)
            remoteDiscriminator = 0
            remoteState = .down
            remoteDemands = false
            self.silence = nil
            if wasUsable { changes &+= 1 }
        }
        guard isDueSoon(now) else { return nil }
        let packet = packet()
        owesFinal = false
        sent &+= 1
        lastSent = now
        schedule()
        return packet
    }

    /// Turns the session off and returns the packet that says so (RFC 5880 §6.8.16).
    public mutating func turnOff() -> BFD.Control {
        if isUsable { changes &+= 1 }
        enter(.adminDown, BFD.Diagnostic.administrativelyDown)
        owesFinal = false
        nextTransmit = .max
        sent &+= 1
        return packet()
    }

    private func packet() -> BFD.Control {
        var p = BFD.Control(
            state: state, multiplier: configuration.multiplier, myDiscriminator: discriminator, desiredTransmit: desiredTransmit,
            requiredReceive: requiredReceive)
        p.diagnostic = diagnostic
        p.yourDiscriminator = remoteDiscriminator
        // Never both (RFC 5880 §6.5).
        p.flags = owesFinal ? BFD.Flag.final : isPolling ? BFD.Flag.poll : 0
        return p
    }

    /// Sets when the next periodic packet leaves, counted from the last one (RFC 5880 §6.8.7).
    private mutating func schedule() {
        guard state != .adminDown, let lastSent else { return }
        let isQuiet = remoteRequiredReceive == 0 || remoteDemands && state == .up && remoteState == .up
        if isQuiet, !isPolling, !owesFinal {
            nextTransmit = .max
            return
        }
        let interval = UInt64(max(desiredTransmit, remoteRequiredReceive)) * 1000
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let range: UInt64 = configuration.multiplier == 1 ? 10 : 20
        nextTransmit = lastSent &+ interval / 100 * 80 &+ (interval / 100 * range * (random >> 44)) >> 20
    }

    /// Has the next packet leave as soon as may be, since it says something new.
    private mutating func hasten(_ now: UInt64) {
        nextTransmit = min(nextTransmit, max(now, lastSent.map { $0 &+ Self.spacing } ?? now))
    }
}
