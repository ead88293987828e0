import Testing
import Wire

@testable import Ports

/// RFC 5880: two sessions, or one and whatever arrives, with time as an argument.
@Suite struct LivenessSessionTests {
    static let millisecond: UInt64 = 1_000_000

    /// Two ends of a path that may lose packets, with a delay of nothing.
    struct Pair {
        var a: LivenessSession
        var b: LivenessSession
        var now: UInt64 = 1_000
        var passes = (fromA: true, fromB: true)
        /// When each packet left, by end.
        var sent: (a: [UInt64], b: [UInt64]) = ([], [])

        init(_ a: LivenessConfiguration = LivenessConfiguration(), _ b: LivenessConfiguration = LivenessConfiguration(), seed: UInt64 = 1) {
            self.a = LivenessSession(a, discriminator: 0xa, seed: seed, now: now)
            self.b = LivenessSession(b, discriminator: 0xb, seed: seed &* 77, now: now)
        }

        mutating func run(_ milliseconds: UInt64, until isDone: (Pair) -> Bool = { _ in false }) {
            let end = now + milliseconds * millisecond
            while now < end, !isDone(self) {
                now = max(now, min(end, min(a.deadline, b.deadline)))
                if let packet = a.advance(to: now) {
                    sent.a.append(now)
                    if passes.fromA { b.receive(packet.encoded().span.bytes, ttl: 255, now: now) }
                }
                if let packet = b.advance(to: now) {
                    sent.b.append(now)
                    if passes.fromB { a.receive(packet.encoded().span.bytes, ttl: 255, now: now) }
                }
            }
        }
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>) func bothEndsComeUp(seed: UInt64) {
        var pair = Pair(seed: seed)
        pair.run(2000) { $0.a.isUsable && $0.b.isUsable }
        #expect(pair.a.state == .up && pair.b.state == .up && pair.a.isUsable && pair.b.isUsable)
        #expect(pair.now < 1_100 * Self.millisecond, "\(pair.now)")
        #expect(pair.a.remoteDiscriminator == 0xb && pair.b.remoteDiscriminator == 0xa)
        // The faster interval is asked for, and confirmed, in a moment.
        pair.run(100)
        #expect(pair.a.detectionTime == 900 * Self.millisecond && pair.b.detectionTime == 900 * Self.millisecond)
        pair.run(60_000)
        #expect(pair.a.changes == 1 && pair.b.changes == 1 && pair.a.discarded.isEmpty && pair.b.discarded.isEmpty)
    }

    @Test func packetsKeepTheIntervalWithJitter() {
        var pair = Pair()
        pair.run(5000)
        pair.sent = ([], [])
        pair.run(60_000)
        let gaps = zip(pair.sent.a, pair.sent.a.dropFirst()).map { $1 - $0 }
        #expect(gaps.count > 200)
        #expect(gaps.allSatisfy { (225 * Self.millisecond...300 * Self.millisecond).contains($0) }, "\(gaps.min()!) \(gaps.max()!)")
        #expect(Set(gaps).count > gaps.count / 2)
        // With a multiplier of 1 a packet that comes at nine tenths is still in time (§6.8.7).
        var single = Pair(LivenessConfiguration(multiplier: 1), LivenessConfiguration(multiplier: 1))
        single.run(5000)
        single.sent = ([], [])
        single.run(60_000)
        let other = zip(single.sent.a, single.sent.a.dropFirst()).map { $1 - $0 }
        #expect(other.allSatisfy { (225 * Self.millisecond...270 * Self.millisecond).contains($0) }, "\(other.min()!) \(other.max()!)")
        #expect(single.a.changes == 1 && single.b.changes == 1)
    }

    @Test func theSlowerEndSetsThePaceOfEachDirection() {
        var pair = Pair(
            LivenessConfiguration(interval: 100 * Self.millisecond), LivenessConfiguration(interval: 500 * Self.millisecond, multiplier: 5))
        pair.run(5000)
        #expect(pair.a.detectionTime == 2500 * Self.millisecond && pair.b.detectionTime == 1500 * Self.millisecond)
        pair.sent = ([], [])
        pair.run(10_000)
        #expect((18...30).contains(pair.sent.a.count) && (18...30).contains(pair.sent.b.count), "\(pair.sent.a.count) \(pair.sent.b.count)")
    }

    @Test func silenceIsNoticedAfterTheDetectionTime() {
        var pair = Pair()
        pair.run(5000)
        let last = pair.sent.b.last!
        pair.passes = (false, false)
        pair.run(5000) { !$0.a.isUsable }
        let lost = pair.now - last
        #expect(lost <= 900 * Self.millisecond && lost > 899 * Self.millisecond, "\(lost)")
        #expect(pair.a.state == .down && pair.a.diagnostic == BFD.Diagnostic.detectionTimeExpired && pair.a.remoteDiscriminator == 0)
        pair.run(1000)
        #expect(pair.b.state == .down)
        // Nobody sends faster than once a second into the void.
        pair.sent = ([], [])
        pair.run(10_000)
        #expect((9...14).contains(pair.sent.a.count), "\(pair.sent.a.count)")
        pair.passes = (true, true)
        pair.run(1100)
        #expect(pair.a.isUsable && pair.b.isUsable && pair.a.changes == 3)
    }

    /// One direction is enough to be down at both ends.
    @Test func oneDirectionThatFailsIsNoticedByBoth() {
        var pair = Pair()
        pair.run(5000)
        pair.passes.fromB = false
        pair.run(1000)
        #expect(pair.a.state == .down && !pair.b.isUsable && pair.b.diagnostic == BFD.Diagnostic.neighborSignaledDown)
        pair.run(5000)
        #expect(!pair.a.isUsable && !pair.b.isUsable)
        pair.passes.fromB = true
        pair.run(2100)
        #expect(pair.a.isUsable && pair.b.isUsable)
    }

    @Test func anEndThatBeginsAnewIsMetAnew() {
        var pair = Pair()
        pair.run(5000)
        pair.b = LivenessSession(LivenessConfiguration(), discriminator: 0xbb, seed: 5, now: pair.now)
        pair.run(100)
        #expect(pair.a.changes >= 2)
        pair.run(3000)
        #expect(pair.a.isUsable && pair.b.isUsable && pair.a.remoteDiscriminator == 0xbb)
    }

    @Test func whatIsTurnedOffSaysSo() {
        var pair = Pair()
        pair.run(5000)
        let farewell = pair.b.turnOff()
        #expect(farewell.state == .adminDown && farewell.diagnostic == BFD.Diagnostic.administrativelyDown)
        pair.a.receive(farewell.encoded().span.bytes, ttl: 255, now: pair.now)
        #expect(
            pair.a.state == .down && pair.a.diagnostic == BFD.Diagnostic.neighborSignaledDown && pair.a.remoteState == .adminDown && !pair.a.isUsable)
        #expect(pair.b.deadline == .max || pair.b.advance(to: pair.now + 10_000 * Self.millisecond) == nil)
        // It takes packets and answers none.
        pair.b.receive(packet(.up, my: 0xa, your: 0xb).encoded().span.bytes, ttl: 255, now: pair.now)
        #expect(pair.b.state == .adminDown && pair.b.advance(to: pair.now + 20_000 * Self.millisecond) == nil)
    }

    @Test func aPollIsAnsweredAtOnceAndEndsWithTheAnswer() throws {
        var pair = Pair()
        pair.run(5000)
        var p = packet(.up, my: 0xb, your: 0xa)
        p.flags = BFD.Flag.poll
        pair.a.receive(p.encoded().span.bytes, ttl: 255, now: pair.now)
        #expect(pair.a.deadline <= pair.now + LivenessSession.spacing)
        let answered = pair.a.advance(to: pair.a.deadline)
        let answer = try #require(answered)
        #expect(answer.flags == BFD.Flag.final)
        // Its own poll goes on until it is answered.
        var s = LivenessSession(LivenessConfiguration(), discriminator: 1, seed: 1, now: 0)
        s.receive(packet(.initial, my: 2, your: 1).encoded().span.bytes, ttl: 255, now: 0)
        var now: UInt64 = 0
        for _ in 0..<2 {
            now = max(now, s.deadline)
            let asked = s.advance(to: now)
            #expect(asked?.flags == BFD.Flag.poll)
        }
        p = packet(.up, my: 2, your: 1)
        p.flags = BFD.Flag.final
        s.receive(p.encoded().span.bytes, ttl: 255, now: now)
        let next = s.advance(to: s.deadline)
        #expect(next?.flags == 0)
    }

    @Test func thePathBehindTheOtherEndMayBeDown() {
        var pair = Pair()
        pair.run(5000)
        var p = packet(.up, my: 0xb, your: 0xa)
        p.diagnostic = BFD.Diagnostic.concatenatedPathDown
        pair.a.receive(p.encoded().span.bytes, ttl: 255, now: pair.now)
        #expect(pair.a.state == .up && !pair.a.isUsable)
        p.diagnostic = 0
        pair.a.receive(p.encoded().span.bytes, ttl: 255, now: pair.now)
        #expect(pair.a.isUsable)
    }

    @Test func anEndInDemandModeOrThatWantsNothingIsLeftAlone() {
        for change in [{ $0.flags = BFD.Flag.demand }, { $0.requiredReceive = 0 }] as [(inout BFD.Control) -> Void] {
            var s = LivenessSession(LivenessConfiguration(interval: 1_000 * Self.millisecond), discriminator: 1, seed: 1, now: 0)
            s.receive(packet(.initial, my: 2, your: 1).encoded().span.bytes, ttl: 255, now: 0)
            var p = packet(.up, my: 2, your: 1)
            change(&p)
            s.receive(p.encoded().span.bytes, ttl: 255, now: 0)
            var now: UInt64 = 0
            var packets = 0
            while now < 20_000 * Self.millisecond {
                s.receive(p.encoded().span.bytes, ttl: 255, now: now)
                if s.advance(to: now) != nil { packets += 1 }
                now += 100 * Self.millisecond
            }
            #expect(s.isUsable && packets <= 2, "\(packets)")
            // It may be asked again.
            s.receive(packet(.up, my: 2, your: 1).encoded().span.bytes, ttl: 255, now: now)
            #expect(s.deadline < now + 1_100 * Self.millisecond)
        }
    }

    // MARK: - Bad packets

    private func packet(_ state: BFD.State, my: UInt32, your: UInt32) -> BFD.Control {
        var p = BFD.Control(state: state, multiplier: 3, myDiscriminator: my, desiredTransmit: 300_000, requiredReceive: 300_000)
        p.yourDiscriminator = your
        return p
    }

    @Test func badPacketsAreCountedAndChangeNothing() {
        var pair = Pair()
        pair.run(5000)
        let good = packet(.up, my: 0xb, your: 0xa).encoded()
        func changed(_ offset: Int, _ value: UInt8) -> [UInt8] {
            var bytes = good
            bytes[offset] = value
            return bytes
        }
        let unexpected = packet(.up, my: 0xb, your: 0).encoded()
        let cases: [([UInt8], UInt8, LivenessSession.Discard)] = [
            (good, 254, .badTTL), (Array(good.dropLast()), 255, .tooShort), ([], 255, .tooShort), (changed(0, 0), 255, .badVersion),
            (changed(0, 2 << 5), 255, .badVersion), (changed(3, 23), 255, .badLength), (changed(3, 25), 255, .badLength),
            (changed(1, 0xc4), 255, .authentication), (changed(2, 0), 255, .zeroMultiplier), (changed(1, 0xc1), 255, .multipoint),
            (changed(7, 0), 255, .zeroDiscriminator), (changed(11, 0xb), 255, .wrongDiscriminator), (unexpected, 255, .unexpectedState),
            (packet(.down, my: 0xb, your: 0xc).encoded(), 255, .wrongDiscriminator),
            (packet(.initial, my: 0xb, your: 0).encoded(), 255, .unexpectedState),
        ]
        #expect(Set(cases.map(\.2)) == Set(LivenessSession.Discard.allCases))
        let before = (pair.a.state, pair.a.remoteDiscriminator, pair.a.deadline, pair.a.detectionTime)
        for (bytes, ttl, reason) in cases {
            let counted = pair.a.discarded[reason, default: 0]
            #expect(pair.a.receive(bytes.span.bytes, ttl: ttl, now: pair.now) == reason)
            #expect(pair.a.discarded[reason] == counted + 1)
            #expect(before == (pair.a.state, pair.a.remoteDiscriminator, pair.a.deadline, pair.a.detectionTime))
        }
        // Authentication behind the mandatory section is read as a longer packet.
        #expect(pair.a.receive((changed(3, 26) + [0, 0]).span.bytes, ttl: 255, now: pair.now) == nil)
    }

    /// Random packets, good ones changed in places, random times: nothing traps, nothing is sent faster than allowed, and without the right discriminator it is never up.
    @Test(arguments: 1...8 as ClosedRange<UInt64>) func randomPacketsNeitherTrapNorBringItUp(seed: UInt64) {
        var random = seed &* 0x9e37_79b9_7f4a_7c15
        func next(_ bound: UInt64) -> UInt64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (random >> 33) % bound
        }
        let own: UInt32 = 0x1234_5678
        var s = LivenessSession(LivenessConfiguration(multiplier: UInt8(1 + next(3))), discriminator: own, seed: seed, now: 0)
        var now: UInt64 = 0
        var sent: [UInt64] = []
        var accepted = 0
        for i in 0..<20_000 {
            var bytes = packet(BFD.State(rawValue: UInt8(next(4)))!, my: UInt32(next(3)), your: next(3) == 0 ? own : UInt32(next(2))).encoded()
            for _ in 0..<next(3) { bytes[Int(next(24))] = UInt8(next(256)) }
            // The first half never names the session.
            if i < 10_000, bytes[8..<12].elementsEqual([0x12, 0x34, 0x56, 0x78]) { bytes[8] = 0 }
            bytes = next(10) == 0 ? Array(bytes.prefix(Int(next(25)))) : bytes
            if next(20) == 0 { bytes += [UInt8](repeating: 7, count: Int(next(300))) }
            if s.receive(bytes.span.bytes, ttl: next(20) == 0 ? 64 : 255, now: now) == nil { accepted += 1 }
            if next(50) == 0 { s.repeated(next(5), at: now) }
            now += next(40) * Self.millisecond / 10
            if s.advance(to: now) != nil { sent.append(now) }
            if i < 10_000 { #expect(s.state != .up) }
        }
        #expect(accepted > 1000 && s.received >= 20_000)
        #expect(zip(sent, sent.dropFirst()).allSatisfy { $1 - $0 >= LivenessSession.spacing })
    }
}
