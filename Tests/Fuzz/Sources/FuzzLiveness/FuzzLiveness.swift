import Ports
import Wire

/// One input is what happens to a session of Bidirectional Forwarding Detection: a byte that says what, and what belongs to it. Packets arrive, time passes.
///
/// Besides not trapping: a control packet that is read is written as bytes that are read as the same; one that is discarded changes nothing; packets are sent
/// neither closer together than the session promises nor in a form that its twin would discard; after time has passed there is nothing to do at once.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLiveness(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer hands `size` readable bytes that live until this function returns.
    var input = Input(bytes: Array(UnsafeBufferPointer(start: start, count: size)))
    let interval = LivenessConfiguration.intervals.lowerBound << UInt64(input.byte() & 0x0f)
    let multiplier = 1 + input.byte() % LivenessConfiguration.multipliers.upperBound
    let configuration = LivenessConfiguration(interval: min(interval, LivenessConfiguration.intervals.upperBound), multiplier: multiplier)
    var now: UInt64 = 1_000_000_000
    var session = LivenessSession(configuration, discriminator: discriminator, seed: 1, now: now)
    var lastSent: UInt64?
    var isOff = false
    while !input.isEmpty {
        let what = input.byte()
        switch what & 7 {
        case 0...3:
            var packet = input.take(Int(what >> 3))
            // What is meant for this session passes for it, mostly.
            if what & 3 != 0, packet.count >= BFD.headerSize {
                for i in 0..<4 { packet[BFD.Offset.yourDiscriminator + i] = UInt8(truncatingIfNeeded: discriminator >> UInt32(24 - 8 * i)) }
            }
            check(packet)
            receive(packet, ttl: what & 3 == 1 ? input.byte() : 255, now: now, by: &session)
        case 4: session.repeated(UInt64(input.byte()), at: now)
        case 5: now += UInt64(input.byte()) << 20
        case 6: now = max(now, min(session.deadline, now + 120_000_000_000))
        default:
            if input.byte() == 0xff, !isOff {
                check(session.turnOff().encoded())
                isOff = true
            }
        }
        if let packet = session.advance(to: now) {
            precondition(!isOff, "a session that was turned off speaks")
            precondition(lastSent.map { $0 + 5_000_000 <= now } ?? true, "two packets within five milliseconds")
            lastSent = now
            let bytes = packet.encoded()
            check(bytes)
            precondition(packet.myDiscriminator == discriminator && packet.multiplier > 0)
            precondition(packet.flags & (BFD.Flag.poll | BFD.Flag.final) != BFD.Flag.poll | BFD.Flag.final)
        }
        precondition(session.deadline > now, "something is to be done at once, again and again")
        precondition(session.received >= session.discarded.values.reduce(0, +))
        precondition(!session.isUsable || session.state == .up)
    }
    return 0
}

private let discriminator: UInt32 = 0x0102_0304

/// Hands a packet to the session; one that it discards may only be counted.
private func receive(_ packet: [UInt8], ttl: UInt8, now: UInt64, by session: inout LivenessSession) {
    func state(_ s: LivenessSession) -> [UInt64] {
        [
            UInt64(s.state.rawValue), UInt64(s.diagnostic), UInt64(s.remoteState.rawValue), UInt64(s.remoteDiagnostic), UInt64(s.remoteDiscriminator),
            s.changes, s.sent, s.deadline, s.detectionTime,
        ]
    }
    let (before, counted) = (state(session), session.received)
    let reason = session.receive(packet.span.bytes, ttl: ttl, now: now)
    precondition(session.received == counted + 1)
    if let reason {
        precondition(state(session) == before && session.discarded[reason, default: 0] > 0, "\(reason) has changed the session")
    } else {
        precondition(ttl == 255 && packet.count >= BFD.headerSize)
    }
}

/// Reads a control packet, and writes it again.
private func check(_ bytes: [UInt8]) {
    guard let control = try? BFD.Control(parsing: bytes.span.bytes) else { return }
    precondition(bytes.count >= BFD.headerSize)
    let again = control.encoded()
    precondition(again.count == BFD.headerSize)
    precondition((try? BFD.Control(parsing: again.span.bytes)) == control, "\(control) is written as another")
}

/// Bytes that are taken from the front; zeros when there are none left.
private struct Input {
    var bytes: [UInt8]
    var at = 0
    var isEmpty: Bool { at >= bytes.count }

    mutating func byte() -> UInt8 {
        if isEmpty { return 0 }
        at += 1
        return bytes[at - 1]
    }

    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, at + count)
        defer { at = end }
        return Array(bytes[min(at, end)..<end])
    }
}
