/// ICMP for both versions of IP, with the quoted packets, and neighbour discovery.
extension Dissector {
    mutating func icmpv4(_ frame: RawSpan, _ range: Range<Int>, _ context: TransportContext) {
        let message = frame.extracting(range)
        let view: ICMPv4.View
        do { view = try ICMPv4.View(message) } catch { return failed(.icmpv4, "ICMP", error, frame, range) }
        var layer = layer(.icmpv4, "ICMP", at: range, size: ICMPv4.headerSize)
        layer.add("type", named("\(view.type)", ICMPv4.MessageType.name(view.type)), at: ICMPv4.Offset.type, size: 1)
        let code = ICMPv4.codeName(type: view.type, code: view.code)
        layer.add("code", named("\(view.code)", code), at: ICMPv4.Offset.code, size: 1)
        layer.addChecksum(UInt32(view.checksum), icmpVerdict(message, view.checksum, context), at: ICMPv4.Offset.checksum)
        var line = "ICMP \(ICMPv4.MessageType.name(view.type) ?? "type \(view.type)")"
        switch view.type {
        case ICMPv4.MessageType.echoRequest, ICMPv4.MessageType.echoReply, ICMPv4.MessageType.timestamp, ICMPv4.MessageType.timestampReply:
            layer.add("id", "\(view.identifier)", at: ICMPv4.Offset.identifier, size: 2)
            layer.add("seq", "\(view.sequence)", at: ICMPv4.Offset.sequence, size: 2)
            line += ", id \(view.identifier), seq \(view.sequence)"
        case ICMPv4.MessageType.destinationUnreachable where view.code == 4:
            layer.add("next-hop MTU", "\(view.nextHopMTU)", at: ICMPv4.Offset.nextHopMTU, size: 2)
            line += ", fragmentation needed (mtu \(view.nextHopMTU))"
        case ICMPv4.MessageType.redirect:
            layer.add("gateway", view.gateway.description, at: ICMPv4.Offset.gateway, size: 4)
            line += " to \(view.gateway)"
        default:
            layer.add("rest", hex(view.rest, 8), at: ICMPv4.Offset.rest, size: 4)
            if let code { line += ", \(code)" } else if view.code != 0 { line += ", code \(view.code)" }
        }
        layers.append(layer)
        say(line + ", length \(context.size)" + badChecksum(layer))
        let rest = (range.lowerBound + ICMPv4.headerSize)..<range.upperBound
        if ICMPv4.MessageType.isError(view.type), !context.isFragment { quote(frame, rest, type: EtherType.ipv4) } else { data(frame, rest) }
    }

    /// ICMP for IPv4 has no pseudo header, so only the message's own bytes count.
    private func icmpVerdict(_ message: RawSpan, _ value: UInt16, _ context: TransportContext) -> ChecksumVerdict {
        if context.isFragment { return .notCheckable("fragment") }
        if message.byteCount < context.size { return .notCheckable(isQuoting ? "quoted in part" : "truncated") }
        var sum = Checksum.Sum()
        sum.add(message.extracting(0..<ICMPv4.Offset.checksum))
        sum.add(message.extracting(ICMPv4.Offset.rest..<message.byteCount))
        return Checksum.isEquivalent(sum.checksum, value) ? .correct : .incorrect(expected: UInt32(sum.checksum))
    }

    /// The packet that caused an ICMP error, as far as it is quoted.
    private mutating func quote(_ frame: RawSpan, _ range: Range<Int>, type: UInt16) {
        guard !range.isEmpty else { return }
        let wasQuoting = isQuoting
        isQuoting = true
        payload(frame, range, type: type)
        isQuoting = wasQuoting
    }

    mutating func icmpv6(_ frame: RawSpan, _ range: Range<Int>, _ context: TransportContext) {
        let message = frame.extracting(range)
        let view: ICMPv6.View
        do { view = try ICMPv6.View(message) } catch { return failed(.icmpv6, "ICMPv6", error, frame, range) }
        let name = ICMPv6.MessageType.name(view.type)
        var layer = layer(.icmpv6, "ICMPv6", at: range, size: min(range.count, ICMPv6.messageSize))
        layer.add("type", named("\(view.type)", name), at: ICMPv6.Offset.type, size: 1)
        let code = ICMPv6.codeName(type: view.type, code: view.code)
        layer.add("code", named("\(view.code)", code), at: ICMPv6.Offset.code, size: 1)
        layer.addChecksum(
            UInt32(view.checksum),
            verdict(context, protocol: IPProtocol.icmpv6, segment: message, value: view.checksum, at: ICMPv6.Offset.checksum),
            at: ICMPv6.Offset.checksum)
        say("ICMP6, \(name ?? "type \(view.type)")")
        if context.size < ICMPv6.messageSize {
            layer.problems.append("truncated: \(ICMPv6.messageSize) bytes needed, \(range.count) available")
            layer.isTruncated = true
        }
        switch view.type {
        case ICMPv6.MessageType.echoRequest, ICMPv6.MessageType.echoReply:
            if let rest = view.rest {
                layer.add("id", "\(rest >> 16)", at: ICMPv6.Offset.identifier, size: 2)
                layer.add("seq", "\(rest & 0xffff)", at: ICMPv6.Offset.sequence, size: 2)
                say(", id \(rest >> 16), seq \(rest & 0xffff)")
            }
        case ICMPv6.MessageType.packetTooBig:
            if let rest = view.rest {
                layer.add("MTU", "\(rest)", at: ICMPv6.Offset.body, size: 4)
                say(", mtu \(rest)")
            }
        case ICMPv6.MessageType.routerSolicitation...ICMPv6.MessageType.redirect:
            layer.size = neighborDiscovery(frame, range, &layer, context) - range.lowerBound
        default:
            if let rest = view.rest { layer.add("rest", hex(rest, 8), at: ICMPv6.Offset.body, size: 4) }
            if let code { say(", \(code)") }
        }
        layers.append(layer)
        say(", length \(context.size)" + badChecksum(layer))
        let rest = (range.lowerBound + layer.size)..<range.upperBound
        if ICMPv6.MessageType.isError(view.type), !context.isFragment { quote(frame, rest, type: EtherType.ipv6) } else { data(frame, rest) }
    }

    /// Fills in the body and options of one of the five messages; returns where reading ended.
    private mutating func neighborDiscovery(
        _ frame: RawSpan, _ range: Range<Int>, _ layer: inout Dissection.Layer, _ context: TransportContext
    ) -> Int {
        let message = frame.extracting(range)
        let type = message.u8(at: ICMPv6.Offset.type)
        let optionsOffset =
            switch type {
            case ICMPv6.MessageType.routerSolicitation: NeighborDiscovery.Offset.routerSolicitationOptions
            case ICMPv6.MessageType.routerAdvertisement: NeighborDiscovery.Offset.routerAdvertisementOptions
            case ICMPv6.MessageType.redirect: NeighborDiscovery.Offset.redirectOptions
            default: NeighborDiscovery.Offset.options
            }
        guard message.byteCount >= optionsOffset else {
            layer.problems.append("truncated: \(optionsOffset) bytes needed, \(message.byteCount) available")
            layer.isTruncated = true
            return range.lowerBound + min(message.byteCount, ICMPv6.messageSize)
        }
        switch type {
        case ICMPv6.MessageType.routerAdvertisement:
            layer.add("hop limit", "\(message.u8(at: 4))", at: 4, size: 1)
            layer.add("flags", hex(message.u8(at: 5), 2), at: 5, size: 1)
            layer.add("lifetime", "\(message.u16(at: 6)) s", at: 6, size: 2)
        case ICMPv6.MessageType.neighborAdvertisement:
            let reserved = message.u32(at: NeighborDiscovery.Offset.reserved)
            var flags: [String] = []
            if reserved & NeighborDiscovery.Flag.router != 0 { flags.append("router") }
            if reserved & NeighborDiscovery.Flag.solicited != 0 { flags.append("solicited") }
            if reserved & NeighborDiscovery.Flag.override != 0 { flags.append("override") }
            layer.add("flags", flags.isEmpty ? "none" : flags.joined(separator: " "), at: NeighborDiscovery.Offset.reserved, size: 1)
            if reserved & 0x1fff_ffff != 0 { layer.problems.append("reserved bits are set") }
        default:
            if message.u32(at: NeighborDiscovery.Offset.reserved) != 0 { layer.problems.append("reserved bits are set") }
        }
        if optionsOffset >= NeighborDiscovery.headerSize {
            let target = message.ipv6(at: NeighborDiscovery.Offset.target).description
            layer.add("target", target, at: NeighborDiscovery.Offset.target, size: 16)
            say(type == ICMPv6.MessageType.neighborSolicitation ? ", who has \(target)" : ", tgt is \(target)")
        }
        if type == ICMPv6.MessageType.redirect {
            layer.add("destination", message.ipv6(at: 24).description, at: 24, size: 16)
        }
        if message.u8(at: ICMPv6.Offset.code) != 0 { layer.problems.append("code is not 0") }
        return range.lowerBound + options(message, from: optionsOffset, &layer)
    }

    /// Adds a field per option; returns the offset in the message where reading ended.
    private func options(_ message: RawSpan, from first: Int, _ layer: inout Dissection.Layer) -> Int {
        var offset = first
        var number = 0
        while offset < message.byteCount {
            guard number < Dissection.maximumOptions else {
                layer.problems.append("more than \(Dissection.maximumOptions) options")
                return offset
            }
            number += 1
            let option: NeighborDiscovery.Option
            do { option = try NeighborDiscovery.Option(parsing: message.extracting(offset..<message.byteCount)) } catch {
                layer.problems.append("option \(number) \(error.phrase)")
                if case .truncated = error { layer.isTruncated = true }
                return offset
            }
            let name = NeighborDiscovery.OptionType.name(option.type) ?? "option \(option.type)"
            let value =
                if let address = option.linkLayerAddress {
                    address.description
                } else if option.type == NeighborDiscovery.OptionType.mtu, option.content.count == 6 {
                    "\(option.content.span.bytes.u32(at: 2))"
                } else if option.type == NeighborDiscovery.OptionType.prefixInformation, option.content.count == 30 {
                    "\(option.content.span.bytes.ipv6(at: 14))/\(option.content[0])"
                } else {
                    bytesText(option.content.span.bytes)
                }
            layer.add(name, value, at: offset, size: option.size)
            offset += option.size
        }
        return offset
    }
}
