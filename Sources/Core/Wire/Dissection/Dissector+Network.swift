/// ARP, IPv4, IPv6 and its extension headers.
extension Dissector {
    mutating func arp(_ frame: RawSpan, _ range: Range<Int>) {
        let view: ARP.View
        do { view = try ARP.View(frame.extracting(range)) } catch {
            say("ARP, ")
            return failed(.arp, "ARP", error, frame, range)
        }
        var layer = layer(.arp, "ARP", at: range, size: ARP.headerSize)
        let operation = ARP.Operation.name(view.operation)
        layer.add("operation", named("\(view.operation)", operation), at: ARP.Offset.operation, size: 2)
        if operation == nil { layer.problems.append("operation \(view.operation) is not an assigned one") }
        guard view.isIPv4OverEthernet else {
            layer.problems.append(
                "not IPv4 over Ethernet: hardware type \(view.hardwareType) with \(view.hardwareSize) bytes,"
                    + " protocol type \(hex(view.protocolType, 4)) with \(view.protocolSize) bytes")
            layer.size = ARP.fixedSize
            layers.append(layer)
            say("ARP, \(operation ?? "operation \(view.operation)"), not IPv4 over Ethernet")
            return data(frame, (range.lowerBound + ARP.fixedSize)..<range.upperBound)
        }
        layer.add("sender", "\(view.senderProtocol) at \(view.senderHardware)", at: ARP.Offset.senderHardware, size: 10)
        layer.add("target", "\(view.targetProtocol) at \(view.targetHardware)", at: ARP.Offset.targetHardware, size: 10)
        layers.append(layer)
        let (sender, target) = (view.senderProtocol.description, view.targetProtocol.description)
        switch view.operation {
        case ARP.Operation.request: say("ARP, Request who-has \(target) tell \(sender)")
        case ARP.Operation.reply: say("ARP, Reply \(sender) is-at \(view.senderHardware)")
        default: say("ARP, \(operation ?? "operation \(view.operation)"), sender \(sender), target \(target)")
        }
        say(", length \(range.count)")
        data(frame, (range.lowerBound + ARP.headerSize)..<range.upperBound, name: "padding")
    }

    mutating func ipv4(_ frame: RawSpan, _ range: Range<Int>) {
        let view: IPv4.View
        do { view = try IPv4.View(frame.extracting(range)) } catch {
            say("IP ")
            return failed(.ipv4, "IPv4", error, frame, range)
        }
        var layer = layer(.ipv4, "IPv4", at: range, size: view.headerLength)
        layer.add("source", view.source.description, at: IPv4.Offset.source, size: 4)
        layer.add("destination", view.destination.description, at: IPv4.Offset.destination, size: 4)
        layer.add("protocol", named("\(view.nextProtocol)", IPProtocol.name(view.nextProtocol)), at: IPv4.Offset.nextProtocol, size: 1)
        layer.add("ttl", "\(view.ttl)", at: IPv4.Offset.ttl, size: 1)
        layer.add("dscp", "\(view.dscp)", at: IPv4.Offset.trafficClass, size: 1)
        layer.add("ecn", "\(view.ecn)", at: IPv4.Offset.trafficClass, size: 1)
        layer.add("id", "\(view.identification)", at: IPv4.Offset.identification, size: 2)
        var flags: [String] = []
        if view.reservedFlag { flags.append("reserved") }
        if view.dontFragment { flags.append("DF") }
        if view.moreFragments { flags.append("MF") }
        layer.add("flags", flags.isEmpty ? "none" : flags.joined(separator: " "), at: IPv4.Offset.flagsAndFragment, size: 1)
        if view.isFragment { layer.add("fragment offset", "\(view.fragmentOffset)", at: IPv4.Offset.flagsAndFragment, size: 2) }
        if view.headerLength > IPv4.headerSize {
            let options = frame.extracting((range.lowerBound + IPv4.Offset.options)..<(range.lowerBound + view.headerLength))
            layer.add("options", bytesText(options, limit: 40), at: IPv4.Offset.options, size: options.byteCount)
        }
        layer.add("total length", "\(view.totalLength)", at: IPv4.Offset.totalLength, size: 2)
        var sum = Checksum.Sum()
        sum.add(view.header)
        // RFC 1624 §3: the sum of the header without its checksum is what the checksum should complement.
        let expected = Checksum.update(~sum.folded, from: view.checksum, to: 0)
        layer.addChecksum(
            UInt32(view.checksum), sum.folded == 0xffff ? .correct : .incorrect(expected: UInt32(expected)), at: IPv4.Offset.checksum)
        if view.reservedFlag { layer.problems.append("the reserved flag is set") }
        if view.ttl == 0 { layer.problems.append("ttl is 0") }
        let missing = view.totalLength - range.count
        if view.totalLength < view.headerLength {
            layer.problems.append("total length \(view.totalLength) is less than the header's \(view.headerLength)")
        } else if missing > 0 {
            noteMissing(missing, of: view.totalLength, &layer)
        }
        layers.append(layer)

        let start = range.lowerBound + view.headerLength
        let end = start + view.payload.byteCount
        let pseudo = PseudoHeader.ipv4(source: view.source, destination: view.destination)
        let context = TransportContext(
            source: view.source.description, destination: view.destination.description, pseudoHeader: pseudo,
            size: max(0, view.totalLength - view.headerLength), isFragment: view.isFragment, name: "IP")
        if view.fragmentOffset > 0 {
            say("IP \(context.source) > \(context.destination): ")
            say("\(IPProtocol.name(view.nextProtocol) ?? "protocol \(view.nextProtocol)") fragment, ")
            say("id \(view.identification), offset \(view.fragmentOffset)\(view.moreFragments ? "+" : ""), length \(context.size)")
            data(frame, start..<end)
        } else {
            transport(frame, start..<end, number: view.nextProtocol, context)
            if view.moreFragments { say(" (first fragment)") }
        }
        if !isQuoting { data(frame, end..<range.upperBound, name: "padding") }
    }

    /// Marks a datagram whose end is not here; for a quoted one that is no problem.
    private func noteMissing(_ missing: Int, of size: Int, _ layer: inout Dissection.Layer) {
        layer.isTruncated = true
        if !isQuoting { layer.problems.append("truncated: \(count(missing, "byte")) of \(size) missing, \(missingReason)") }
    }

    mutating func ipv6(_ frame: RawSpan, _ range: Range<Int>) {
        let view: IPv6.View
        do { view = try IPv6.View(frame.extracting(range)) } catch {
            say("IP6 ")
            return failed(.ipv6, "IPv6", error, frame, range)
        }
        var layer = layer(.ipv6, "IPv6", at: range, size: IPv6.headerSize)
        layer.add("source", view.source.description, at: IPv6.Offset.source, size: 16)
        layer.add("destination", view.destination.description, at: IPv6.Offset.destination, size: 16)
        layer.add("next header", named("\(view.nextHeader)", IPProtocol.name(view.nextHeader)), at: IPv6.Offset.nextHeader, size: 1)
        layer.add("hop limit", "\(view.hopLimit)", at: IPv6.Offset.hopLimit, size: 1)
        layer.add("dscp", "\(view.dscp)", at: 0, size: 2)
        layer.add("ecn", "\(view.ecn)", at: 1, size: 1)
        layer.add("flow label", hex(view.flowLabel, 5), at: 1, size: 3)
        layer.add("payload length", "\(view.payloadLength)", at: IPv6.Offset.payloadLength, size: 2)
        let missing = IPv6.headerSize + view.payloadLength - range.count
        if missing > 0 {
            noteMissing(missing, of: view.payloadLength, &layer)
        }
        layers.append(layer)
        let start = range.lowerBound + IPv6.headerSize
        let end = start + view.payload.byteCount
        let context = TransportContext(
            source: view.source.description, destination: view.destination.description,
            pseudoHeader: .ipv6(source: view.source, destination: view.destination), size: view.payloadLength, isFragment: false,
            name: "IP6")
        extensions(frame, start..<end, first: view.nextHeader, context)
        if !isQuoting { data(frame, end..<range.upperBound, name: "padding") }
    }

    /// The chain of extension headers, then the transport.
    private mutating func extensions(_ frame: RawSpan, _ range: Range<Int>, first: UInt8, _ context: TransportContext) {
        var number = first
        var start = range.lowerBound
        var context = context
        var isFirst = true
        while IPProtocol.isWalkableExtension(number) {
            let rest = start..<range.upperBound
            guard canNest(frame, rest) else { return }
            let kind = IPv6Extension.wireProtocol(number)
            let title = "IPv6 \(IPProtocol.name(number) ?? "extension")"
            let view: IPv6Extension.View
            do { view = try IPv6Extension.View(frame.extracting(rest), number: number) } catch {
                say("IP6 \(context.source) > \(context.destination): ")
                return failed(kind, title, error, frame, rest)
            }
            var layer = layer(kind, title, at: rest, size: view.size)
            layer.add("next header", named("\(view.nextHeader)", IPProtocol.name(view.nextHeader)), at: 0, size: 1)
            if number == IPProtocol.hopByHop, !isFirst { layer.problems.append("hop-by-hop options must come first") }
            var fragmentOffset = 0
            switch number {
            case IPProtocol.fragment:
                fragmentOffset = describeFragment(frame, rest, &layer, &context)
            case IPProtocol.routing:
                layer.add("routing type", "\(view.routingType)", at: 2, size: 1)
                layer.add("segments left", "\(view.segmentsLeft)", at: 3, size: 1)
                // The checksum uses the last address of the route (RFC 8200 §8.1), which only the type's own format tells.
                if view.segmentsLeft > 0 { context.obstacle = "routing header" }
            case IPProtocol.authentication:
                layer.add("spi", hex(view.securityParametersIndex, 8), at: 4, size: 4)
            default:
                layer.add("content", bytesText(frame.extracting((start + 2)..<(start + view.size))), at: 2, size: view.size - 2)
            }
            layers.append(layer)
            context.size = max(0, context.size - view.size)
            number = view.nextHeader
            start += view.size
            isFirst = false
            if fragmentOffset > 0 {
                say("IP6 \(context.source) > \(context.destination): frag (\(fragmentOffset)|\(context.size))")
                return data(frame, start..<range.upperBound)
            }
        }
        transport(frame, start..<range.upperBound, number: number, context)
        if context.isFragment { say(" (first fragment)") }
    }

    /// Fills in the fragment header's layer and returns the fragment's offset in bytes.
    private func describeFragment(
        _ frame: RawSpan, _ range: Range<Int>, _ layer: inout Dissection.Layer, _ context: inout TransportContext
    ) -> Int {
        // The extension's view has seen 8 bytes, so this one cannot fail; a failure would describe nothing.
        guard let view = try? IPv6Fragment.View(frame.extracting(range)) else { return 0 }
        layer.add("offset", "\(view.fragmentOffset)", at: IPv6Fragment.Offset.offsetAndFlags, size: 2)
        layer.add("more", view.moreFragments ? "yes" : "no", at: IPv6Fragment.Offset.offsetAndFlags + 1, size: 1)
        layer.add("id", hex(view.identification, 8), at: IPv6Fragment.Offset.identification, size: 4)
        if view.reserved != 0 || view.reservedFlags != 0 { layer.problems.append("reserved bits are set") }
        context.isFragment = context.isFragment || view.fragmentOffset > 0 || view.moreFragments
        return view.fragmentOffset
    }
}

/// What a transport step needs to know of the network layer.
struct TransportContext {
    var source: String
    var destination: String
    var pseudoHeader: PseudoHeader
    /// Bytes of the transport header and payload according to the network header.
    var size: Int
    var isFragment: Bool
    /// `IP` or `IP6`.
    var name: String
    /// Why the checksum cannot be judged although all bytes are here.
    var obstacle: String?
}
