import Flow
import PhysicalControl
import Translation

/// One input is what a peer says on the channel between controllers: frames, whose lengths are made to fit.
///
/// Besides not trapping: where the stream is cut makes no difference; an error is an error for good; a message that is read is written as bytes that are read
/// as the same; an update that a copy refuses leaves it as it was, and one that it takes leaves programs for all its hosts.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzChannel(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer hands `size` readable bytes that live until this function returns.
    let input = Array(UnsafeBufferPointer(start: start, count: size))
    _ = read(input, piece: .max)
    let bytes = fitted(input)
    let (messages, reason) = read(bytes, piece: .max)
    let (cut, cutReason) = read(bytes, piece: 1 + Int(input.first ?? 0) % 7)
    let said = messages.map { "\($0)" }
    precondition(said == cut.map { "\($0)" } && reason == cutReason, "it matters where the stream is cut")
    for (message, words) in zip(messages, said) { check(message, words) }
    take(messages)
    return 0
}

/// Each frame's length, and the length within an OpenFlow message, as many bytes as there are at most.
private func fitted(_ input: [UInt8]) -> [UInt8] {
    var bytes = input
    var at = 0
    while at + 6 <= bytes.count {
        let asked = bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
        let length = asked < 2 ? 2 : min(asked, bytes.count - at - 4)
        for i in 0..<4 { bytes[at + i] = UInt8(truncatingIfNeeded: length >> (24 - 8 * i)) }
        // Behind the kind and the group: version, type, length.
        if bytes[at + 4] == 1, length >= 17 + 4, length - 17 <= 0xffff {
            bytes[at + 23] = UInt8((length - 17) >> 8)
            bytes[at + 24] = UInt8((length - 17) & 0xff)
        }
        at += 4 + length
    }
    return bytes
}

private func read(_ bytes: [UInt8], piece: Int) -> (messages: [ChannelMessage], reason: String?) {
    var decoder = ChannelCodec.Decoder()
    var messages: [ChannelMessage] = []
    var at = 0
    while at < bytes.count {
        let end = min(bytes.count, piece == .max ? bytes.count : at + piece)
        decoder.append(bytes[at..<end])
        at = end
        do throws(ChannelError) {
            while let message = try decoder.next() { messages.append(message) }
        } catch {
            decoder.append([0, 0, 0, 2, 0, 0])
            precondition(!error.description.isEmpty && fails(&decoder), "a stream that has failed goes on")
            return (messages, error.description)
        }
    }
    return (messages, nil)
}

private func fails(_ decoder: inout ChannelCodec.Decoder) -> Bool {
    do throws(ChannelError) { return try decoder.next() == nil && false } catch { return true }
}

/// Writes a message and reads it again.
private func check(_ message: ChannelMessage, _ words: String) {
    if case .packet(let packet) = message { _ = try? packet.value }
    let bytes = ChannelCodec.encode(message)
    // What only an experimenter's message could say is not said.
    if bytes.isEmpty { return }
    let (again, reason) = read(bytes, piece: .max)
    precondition(again.count == 1 && reason == nil, "\(message) is written as what is refused: \(reason ?? "")")
    // Of an entry that goes only the identity is told, and its OpenFlow form may have shorter ones.
    if case .entry = message { return }
    precondition("\(again[0])" == words, "\(words) is written as \(again[0])")
}

/// Lets a copy take what the messages say.
private func take(_ messages: [ChannelMessage]) {
    var assembler = UniversalUpdate.Assembler()
    let copy = UniversalCopy()
    for message in messages {
        switch message {
        case .begin, .host, .group, .entry, .end:
            let update: UniversalUpdate?
            do throws(ChannelError) { update = try assembler.add(message) } catch { return }
            guard let update else { continue }
            let before = state(copy)
            do throws(ChannelError) { _ = try copy.apply(update) } catch {
                precondition(state(copy) == before, "half of an update is there")
                return
            }
            precondition(copy.revisions[update.set] == update.revision)
            for host in copy.hostNames { precondition((copy.snapshot(host: host) != nil) == copy.contains(host)) }
        case .leads(let leads): copy.setCount = max(copy.setCount, leads.sets)
        case .unsubscribe(let host):
            for set in copy.revisions.keys { copy.forget(host, set: set) }
            precondition(!copy.contains(host))
        default: break
        }
    }
}

private func state(_ copy: UniversalCopy) -> [String] {
    ["\(copy.sequence) \(copy.revisions)"] + copy.hostNames + copy.revisions.keys.sorted().flatMap { copy.digests(set: $0).map { "\($0)" }.sorted() }
}
