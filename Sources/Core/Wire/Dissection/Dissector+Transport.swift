/// TCP, UDP and SCTP, and the choice between them and what follows IP otherwise.
extension Dissector {
    mutating func transport(_ frame: RawSpan, _ range: Range<Int>, number: UInt8, _ context: TransportContext) {
        guard canNest(frame, range) else { return }
        let between = "\(context.name) \(context.source) > \(context.destination): "
        switch number {
        case IPProtocol.tcp: tcp(frame, range, context)
        case IPProtocol.udp: udp(frame, range, context)
        case IPProtocol.sctp: sctp(frame, range, context)
        case IPProtocol.icmpv4:
            say(between)
            icmpv4(frame, range, context)
        case IPProtocol.icmpv6:
            say(between)
            icmpv6(frame, range, context)
        case IPProtocol.ipv4 where !context.isFragment:
            say(between)
            ipv4(frame, range)
        case IPProtocol.ipv6 where !context.isFragment:
            say(between)
            ipv6(frame, range)
        case IPProtocol.gre where !context.isFragment:
            say(between)
            gre(frame, range)
        case IPProtocol.noNextHeader:
            say(between + "no next header")
            data(frame, range)
        default:
            say(between + "\(IPProtocol.name(number) ?? "protocol \(number)"), length \(context.size)")
            data(frame, range)
        }
    }

    /// Why the checksum over `context.size` bytes cannot be judged when `present` are here, or nil.
    func obstacle(_ context: TransportContext, present: Int) -> String? {
        if let obstacle = context.obstacle { return obstacle }
        if context.isFragment { return "fragment" }
        if present < context.size { return isQuoting ? "quoted in part" : "truncated" }
        return nil
    }

    /// The verdict for an Internet checksum with a pseudo header over the whole of `segment`.
    func verdict(
        _ context: TransportContext, protocol number: UInt8, segment: RawSpan, value: UInt16, at offset: Int
    ) -> ChecksumVerdict {
        if let why = obstacle(context, present: segment.byteCount) { return .notCheckable(why) }
        let expected = context.pseudoHeader.checksum(protocol: number, segment: segment, checksumOffset: offset)
        return Checksum.isEquivalent(expected, value) ? .correct : .incorrect(expected: UInt32(expected))
    }

    private mutating func tcp(_ frame: RawSpan, _ range: Range<Int>, _ context: TransportContext) {
        let segment = frame.extracting(range)
        let view: TCP.View
        do { view = try TCP.View(segment) } catch {
            say("\(context.name) \(context.source) > \(context.destination): ")
            return failed(.tcp, "TCP", error, frame, range)
        }
        var layer = layer(.tcp, "TCP", at: range, size: view.headerLength)
        layer.add("source port", "\(view.sourcePort)", at: TCP.Offset.sourcePort, size: 2)
        layer.add("destination port", "\(view.destinationPort)", at: TCP.Offset.destinationPort, size: 2)
        layer.add("sequence", "\(view.sequence)", at: TCP.Offset.sequence, size: 4)
        layer.add("acknowledgment", "\(view.acknowledgment)", at: TCP.Offset.acknowledgment, size: 4)
        layer.add("flags", "\(tcpFlagsText(view.flags)) \(hex(view.flags, 3))", at: TCP.Offset.dataOffsetAndFlags, size: 2)
        layer.add("window", "\(view.window)", at: TCP.Offset.window, size: 2)
        layer.addChecksum(
            UInt32(view.checksum),
            verdict(context, protocol: IPProtocol.tcp, segment: segment, value: view.checksum, at: TCP.Offset.checksum),
            at: TCP.Offset.checksum)
        if view.flags & TCP.Flag.urg != 0 { layer.add("urgent", "\(view.urgentPointer)", at: TCP.Offset.urgentPointer, size: 2) }
        let (options, isMalformed) = TCPOption.parse(view.options)
        let optionText = options.map(tcpOptionText).joined(separator: ",")
        if !options.isEmpty { layer.add("options", optionText, at: TCP.Offset.options, size: view.options.byteCount) }
        if isMalformed { layer.problems.append("malformed option after \(count(options.count, "option"))") }
        if view.flags & TCP.Flag.reserved != 0 { layer.problems.append("reserved flags are set") }
        layers.append(layer)

        let length = max(0, context.size - view.headerLength)
        var line = "\(context.name) \(context.source).\(view.sourcePort) > \(context.destination).\(view.destinationPort): "
        line += "Flags \(tcpFlagsText(view.flags)), seq \(view.sequence)"
        if length > 0 { line += ":\(view.sequence &+ UInt32(truncatingIfNeeded: length))" }
        if view.flags & TCP.Flag.ack != 0 { line += ", ack \(view.acknowledgment)" }
        line += ", win \(view.window)"
        if view.flags & TCP.Flag.urg != 0 { line += ", urg \(view.urgentPointer)" }
        if !options.isEmpty { line += ", options [\(optionText)]" }
        say(line + ", length \(length)" + badChecksum(layer))
        data(frame, (range.lowerBound + view.headerLength)..<range.upperBound)
    }

    private mutating func udp(_ frame: RawSpan, _ range: Range<Int>, _ context: TransportContext) {
        let view: UDP.View
        do { view = try UDP.View(frame.extracting(range)) } catch {
            say("\(context.name) \(context.source) > \(context.destination): ")
            return failed(.udp, "UDP", error, frame, range)
        }
        var layer = layer(.udp, "UDP", at: range, size: UDP.headerSize)
        layer.add("source port", "\(view.sourcePort)", at: UDP.Offset.sourcePort, size: 2)
        layer.add("destination port", "\(view.destinationPort)", at: UDP.Offset.destinationPort, size: 2)
        layer.add("length", "\(view.length)", at: UDP.Offset.length, size: 2)
        let end = range.lowerBound + UDP.headerSize + view.payload.byteCount
        // The checksum covers the UDP length, which may be less than the IP payload.
        var covered = context
        covered.size = view.length
        let isTooLong = view.length > context.size && !context.isFragment
        let checksum: ChecksumVerdict =
            if view.length < UDP.headerSize || isTooLong {
                .notCheckable("bad length")
            } else if view.checksum == 0 {
                .zero
            } else {
                verdict(
                    covered, protocol: IPProtocol.udp, segment: frame.extracting(range.lowerBound..<end), value: view.checksum,
                    at: UDP.Offset.checksum)
            }
        layer.addChecksum(UInt32(view.checksum), spelled(checksum), at: UDP.Offset.checksum)
        if view.checksum == 0, case .ipv6 = context.pseudoHeader { layer.problems.append("zero checksum over IPv6 (RFC 8200 §8.1)") }
        if view.length < UDP.headerSize { layer.problems.append("length \(view.length) is less than the header's 8") }
        if isTooLong { layer.problems.append("length \(view.length) exceeds the IP payload of \(context.size)") }
        layers.append(layer)
        say("\(context.name) \(context.source).\(view.sourcePort) > \(context.destination).\(view.destinationPort): ")
        say(view.length < UDP.headerSize ? "UDP, bad length \(view.length)" : "UDP, length \(view.length - UDP.headerSize)")
        say(badChecksum(layer))
        let payload = (range.lowerBound + UDP.headerSize)..<end
        if !(view.length >= UDP.headerSize && !isTooLong && !context.isFragment && tunnel(frame, payload, port: view.destinationPort)) {
            data(frame, payload)
        }
        if !isQuoting { data(frame, end..<range.upperBound, name: "padding") }
    }

    /// UDP sends 0xffff where the computation gives 0.
    private func spelled(_ verdict: ChecksumVerdict) -> ChecksumVerdict {
        if case .incorrect(0) = verdict { .incorrect(expected: 0xffff) } else { verdict }
    }

    private mutating func sctp(_ frame: RawSpan, _ range: Range<Int>, _ context: TransportContext) {
        let packet = frame.extracting(range)
        let view: SCTP.View
        do { view = try SCTP.View(packet) } catch {
            say("\(context.name) \(context.source) > \(context.destination): ")
            return failed(.sctp, "SCTP", error, frame, range)
        }
        var layer = layer(.sctp, "SCTP", at: range, size: SCTP.headerSize)
        layer.add("source port", "\(view.sourcePort)", at: SCTP.Offset.sourcePort, size: 2)
        layer.add("destination port", "\(view.destinationPort)", at: SCTP.Offset.destinationPort, size: 2)
        layer.add("verification tag", hex(view.verificationTag, 8), at: SCTP.Offset.verificationTag, size: 4)
        // No pseudo header, so a routing header does not matter.
        let expected = SCTP.checksum(packet: packet)
        let checksum: ChecksumVerdict =
            if context.isFragment {
                .notCheckable("fragment")
            } else if packet.byteCount < context.size {
                .notCheckable(isQuoting ? "quoted in part" : "truncated")
            } else {
                expected == view.checksum ? .correct : .incorrect(expected: expected)
            }
        layer.addChecksum(view.checksum, checksum, digits: 8, at: SCTP.Offset.checksum)
        let (names, end) = chunks(frame, range, &layer)
        layer.size = end - range.lowerBound
        layers.append(layer)
        say("\(context.name) \(context.source).\(view.sourcePort) > \(context.destination).\(view.destinationPort): ")
        say("sctp [\(names.joined(separator: "] ["))], length \(context.size)" + badChecksum(layer))
        data(frame, end..<range.upperBound)
    }

    /// Adds a field per chunk; the chunks' names and where reading ended.
    private func chunks(_ frame: RawSpan, _ range: Range<Int>, _ layer: inout Dissection.Layer) -> ([String], Int) {
        var names: [String] = []
        var start = range.lowerBound + SCTP.headerSize
        while start < range.upperBound {
            guard names.count < Dissection.maximumOptions else {
                layer.problems.append("more than \(Dissection.maximumOptions) chunks")
                break
            }
            let chunk: SCTP.ChunkView
            do { chunk = try SCTP.ChunkView(frame.extracting(start..<range.upperBound)) } catch {
                layer.problems.append("chunk \(names.count + 1) \(error.phrase)")
                if case .truncated = error { layer.isTruncated = true }
                break
            }
            let name = SCTP.chunkName(chunk.type) ?? "chunk type \(chunk.type)"
            names.append(name)
            layer.add("chunk", "\(name) flags \(hex(chunk.flags, 2)) length \(chunk.length)", at: start - layer.offset, size: chunk.length)
            start = min(range.upperBound, start + (chunk.length + 3) & ~3)
        }
        return (names, start)
    }

    /// The summary's remark on a wrong checksum.
    func badChecksum(_ layer: Dissection.Layer) -> String {
        if case .incorrect = layer.checksum { " (bad \(layer.name) checksum)" } else { "" }
    }
}
