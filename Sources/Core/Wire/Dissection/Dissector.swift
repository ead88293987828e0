/// The state of taking one packet apart: the layers found so far and the pieces of the summary.
///
/// Each protocol's step reads a range of the frame through its view, adds one layer, and hands the rest to the next step. A range always
/// lies inside the frame. Steps nest at most `Dissection.maximumLayers` deep, because each adds a layer and `canNest` is asked first.
struct Dissector {
    let frameSize: Int
    /// The capture cut the packet: missing bytes are no fault of the sender.
    let isCut: Bool
    var layers: [Dissection.Layer] = []
    var summary = ""
    /// Inside the packet that an ICMP error quotes: what is missing was left out on purpose.
    var isQuoting = false

    init(frameSize: Int, isCut: Bool) {
        self.frameSize = frameSize
        self.isCut = isCut
    }

    // MARK: Adding

    /// A layer for `size` bytes at `range`'s start, to be filled and given to `append`.
    func layer(_ name: WireProtocol, _ title: String, at range: Range<Int>, size: Int) -> Dissection.Layer {
        Dissection.Layer(name: name.rawValue, title: title, offset: range.lowerBound, size: size, isQuoted: isQuoting)
    }

    /// Adds to the summary, which quoted packets do not enter.
    mutating func say(_ words: String) { if !isQuoting { summary += words } }

    /// The layer that could not be read as `name`: its bytes and why.
    mutating func failed(_ name: WireProtocol, _ title: String, _ error: WireError, _ frame: RawSpan, _ range: Range<Int>) {
        var layer = layer(name, title, at: range, size: range.count)
        if case .truncated = error { layer.isTruncated = true }
        // An ICMP error need not quote a whole header (RFC 792).
        if !(isQuoting && layer.isTruncated) { layer.problems = [error.phrase] }
        if name == .tcp, layer.isTruncated, range.count >= 4 {
            layer.add("source port", "\(frame.u16(at: range.lowerBound))", at: TCP.Offset.sourcePort, size: 2)
            layer.add("destination port", "\(frame.u16(at: range.lowerBound + 2))", at: TCP.Offset.destinationPort, size: 2)
        } else if !range.isEmpty {
            layer.fields = [
                Dissection.Field(
                    name: "bytes", value: bytesText(frame.extracting(range)), offset: range.lowerBound, size: range.count)
            ]
        }
        layers.append(layer)
        if case .truncated = error { say("[|\(name.rawValue)]") } else { say("[\(name.rawValue): \(error.phrase)]") }
    }

    /// What no step understands.
    mutating func data(_ frame: RawSpan, _ range: Range<Int>, name: String = "data", problem: String? = nil) {
        guard !range.isEmpty else { return }
        var layer = Dissection.Layer(
            name: name, title: "\(name), \(count(range.count, "byte"))", offset: range.lowerBound, size: range.count, isQuoted: isQuoting)
        layer.add("bytes", bytesText(frame.extracting(range)), at: 0, size: range.count)
        if let problem { layer.problems = [problem] }
        layers.append(layer)
    }

    /// Whether another header may be read; otherwise the rest becomes data that says so.
    mutating func canNest(_ frame: RawSpan, _ range: Range<Int>) -> Bool {
        if layers.count < Dissection.maximumLayers { return true }
        data(frame, range, problem: "more than \(Dissection.maximumLayers) layers")
        say("[too many layers]")
        return false
    }

    /// Why bytes are missing, for phrases.
    var missingReason: String { isQuoting ? "quoted in part" : isCut ? "cut by the capture" : "the frame ends first" }

    /// Says that the capture cut `missing` bytes, when no layer has noticed: a label stack or unknown data tell no length.
    mutating func noteCut(_ missing: Int) {
        guard missing > 0, !layers.isEmpty, !layers.contains(where: { $0.isTruncated && !$0.isQuoted }) else { return }
        layers[layers.count - 1].isTruncated = true
        layers[layers.count - 1].problems.append("truncated: \(count(missing, "byte")) after this cut by the capture")
    }

    // MARK: Link layer

    mutating func ethernet(_ frame: RawSpan) { ethernet(frame, 0..<frame.byteCount) }

    /// A frame at `range`: the captured one, or one that a tunnel carries.
    mutating func ethernet(_ frame: RawSpan, _ range: Range<Int>) {
        let view: Ethernet.View
        do { view = try Ethernet.View(frame.extracting(range)) } catch { return failed(.ethernet, "Ethernet", error, frame, range) }
        var layer = layer(.ethernet, "Ethernet", at: range, size: Ethernet.headerSize)
        layer.add("destination", view.destination.description, at: Ethernet.Offset.destination, size: 6)
        layer.add("source", view.source.description, at: Ethernet.Offset.source, size: 6)
        let type = view.etherType
        let isLength = type < EtherType.minimum
        layer.add(
            isLength ? "length" : "type", isLength ? "\(type)" : named(hex(type, 4), EtherType.name(type)),
            at: Ethernet.Offset.etherType, size: 2)
        if view.source.isGroup { layer.problems.append("source is a group address") }
        layers.append(layer)
        if isLength {
            // An IEEE 802.3 frame: the length says where padding begins. 1501…1535 are undefined.
            let end = min(range.upperBound, range.lowerBound + Ethernet.headerSize + Int(type))
            if Ethernet.headerSize + Int(type) > range.count {
                layers[layers.count - 1].problems.append("length \(type) exceeds the frame: \(missingReason)")
            }
            say("802.3 \(view.source) > \(view.destination), length \(type)")
            data(frame, (range.lowerBound + Ethernet.headerSize)..<end)
            return data(frame, end..<range.upperBound, name: "padding")
        }
        payload(frame, (range.lowerBound + Ethernet.headerSize)..<range.upperBound, type: type)
    }

    /// The step for an EtherType.
    mutating func payload(_ frame: RawSpan, _ range: Range<Int>, type: UInt16) {
        guard canNest(frame, range) else { return }
        switch type {
        case EtherType.vlan, EtherType.serviceVLAN: vlan(frame, range, type: type)
        case EtherType.mpls, EtherType.mplsMulticast: mpls(frame, range)
        case EtherType.backbone: backbone(frame, range)
        case EtherType.arp, EtherType.rarp: arp(frame, range)
        case EtherType.ipv4: ipv4(frame, range)
        case EtherType.ipv6: ipv6(frame, range)
        default:
            say("ethertype \(named(hex(type, 4), EtherType.name(type))), length \(range.count)")
            data(frame, range)
        }
    }

    mutating func vlan(_ frame: RawSpan, _ range: Range<Int>, type: UInt16) {
        let title = type == EtherType.vlan ? "802.1Q VLAN" : "802.1ad VLAN"
        let view: VLAN.View
        do { view = try VLAN.View(frame.extracting(range)) } catch { return failed(.vlan, title, error, frame, range) }
        var layer = layer(.vlan, title, at: range, size: VLAN.headerSize)
        layer.add("id", "\(view.identifier)", at: VLAN.Offset.tci, size: 2)
        layer.add("priority", "\(view.priority)", at: VLAN.Offset.tci, size: 1)
        if view.dropEligible { layer.add("drop eligible", "1", at: VLAN.Offset.tci, size: 1) }
        layer.add("type", named(hex(view.etherType, 4), EtherType.name(view.etherType)), at: VLAN.Offset.etherType, size: 2)
        if view.identifier == 0xfff { layer.problems.append("VLAN identifier 4095 is reserved") }
        layers.append(layer)
        say("vlan \(view.identifier), p \(view.priority), ")
        let rest = (range.lowerBound + VLAN.headerSize)..<range.upperBound
        if view.etherType < EtherType.minimum {
            say("802.3, length \(view.etherType)")
            return data(frame, rest)
        }
        payload(frame, rest, type: view.etherType)
    }

    /// The I-TAG; the customer's frame behind it is a frame like any other.
    mutating func backbone(_ frame: RawSpan, _ range: Range<Int>) {
        let view: PBB.View
        do { view = try PBB.View(frame.extracting(range)) } catch { return failed(.pbb, "802.1ah I-TAG", error, frame, range) }
        var layer = layer(.pbb, "802.1ah I-TAG", at: range, size: PBB.headerSize)
        layer.add("service", "\(view.service)", at: 1, size: 3)
        layer.add("priority", "\(view.priority)", at: 0, size: 1)
        if view.dropEligible { layer.add("drop eligible", "1", at: 0, size: 1) }
        if view.usesCustomerAddresses { layer.add("use customer addresses", "1", at: 0, size: 1) }
        layers.append(layer)
        say("pbb service \(view.service), ")
        ethernet(frame, (range.lowerBound + PBB.headerSize)..<range.upperBound)
    }

    mutating func mpls(_ frame: RawSpan, _ range: Range<Int>) {
        var start = range.lowerBound
        while true {
            let rest = start..<range.upperBound
            guard canNest(frame, rest) else { return }
            let view: MPLS.View
            do { view = try MPLS.View(frame.extracting(rest)) } catch { return failed(.mpls, "MPLS", error, frame, rest) }
            var layer = layer(.mpls, "MPLS", at: rest, size: MPLS.headerSize)
            layer.add("label", named("\(view.label)", MPLS.Label.name(view.label)), at: 0, size: 3)
            layer.add("traffic class", "\(view.trafficClass)", at: 2, size: 1)
            layer.add("bottom", view.isBottom ? "yes" : "no", at: 2, size: 1)
            layer.add("ttl", "\(view.ttl)", at: MPLS.Offset.ttl, size: 1)
            if MPLS.Label.name(view.label) == "reserved" { layer.problems.append("label \(view.label) is reserved") }
            if view.label == MPLS.Label.implicitNull { layer.problems.append("implicit null must not be on the wire") }
            layers.append(layer)
            say("MPLS (label \(view.label), tc \(view.trafficClass), \(view.isBottom ? "[S], " : "")ttl \(view.ttl)) ")
            start += MPLS.headerSize
            guard view.isBottom else { continue }
            let inner = start..<range.upperBound
            if let type = MPLS.payloadEtherType(frame.extracting(inner)) { return payload(frame, inner, type: type) }
            say("length \(inner.count)")
            return data(frame, inner)
        }
    }
}

extension Dissection.Layer {
    /// Adds a field; `offset` counts from the layer's start.
    mutating func add(_ name: String, _ value: String, at offset: Int, size: Int) {
        fields.append(Dissection.Field(name: name, value: value, offset: self.offset + offset, size: size))
    }

    /// Adds the checksum field with its verdict in words.
    mutating func addChecksum(_ value: UInt32, _ verdict: ChecksumVerdict, digits: Int = 4, at offset: Int) {
        checksum = verdict
        add("checksum", "\(hex(value, digits)) \(verdict.phrase(digits: digits))", at: offset, size: digits / 2)
    }
}
