import Flow
import LogicalNetwork
import TableEngine

/// The planes as text for people: rows of input tables, and logical entries in the network's names.
extension NetworkTranslation {
    /// What was asked for: `table column=value …`, in the order of the tables.
    public func controlPlaneText() -> [String] {
        let outputs = Set(engine.rules.map { ObjectIdentifier($0.head.relation) })
        return engine.relations.filter { !outputs.contains(ObjectIdentifier($0)) }.flatMap { relation in
            relation.sortedRows.map { row in
                relation.name + " " + zip(relation.columns, row).map { "\($0)=\(valueText($0, $1))" }.joined(separator: " ")
            }
        }
    }

    private func valueText(_ column: String, _ value: UInt64) -> String {
        switch column {
        case "datapath", "peerDatapath", "component": datapathName(value)
        case "port", "peer": value == 0 ? "any" : portName(value)
        case "ingress": value == 0 ? "any" : portName(value)
        case "host": hostName(value)
        case "rule", "policy", "list": symbolName(value)
        case "set", "sources", "destinations", "sourcePorts", "destinationPorts": value == 0 ? "any" : symbolName(value)
        case "mac", "high", "low", "block", "seed", "given", "nextHigh", "nextLow", "shape": "0x" + String(value, radix: 16)
        default: String(value)
        }
    }

    /// The logical entries: `datapath, stage, priority: match → actions`, by datapath and stage, the first that would match first.
    public func logicalPlaneText() -> [String] {
        datapathNumbers.flatMap { d in
            universalEntries(datapath: d).filter { Cookie(value: $0.cookie).kind != .egressHost && $0.table != Stage.floodMapping.rawValue }
                .map { (entry: $0, text: logicalText($0)) }
                .sorted { ($0.entry.table, $1.entry.priority, $0.text) < ($1.entry.table, $0.entry.priority, $1.text) }.map(\.text)
        }
    }

    /// An entry with names for what its registers hold.
    public func logicalText(_ entry: FlowEntry) -> String {
        let stage = Stage(rawValue: entry.table)?.title ?? "table \(entry.table)"
        let match = matchText(entry.match)
        let actions = entry.actions.compactMap(actionText).joined(separator: ", ")
        return "\(datapathName(Cookie(value: entry.cookie).datapath)), \(stage), \(entry.priority): \(match.isEmpty ? "any" : match) → "
            + (actions.isEmpty ? "drop" : actions)
    }

    private func matchText(_ match: Match) -> String {
        var parts: [String] = []
        var rest = match.words.filter {
            $0.index != FlowKeyLayout.metadata && !(FlowKeyLayout.registers..<FlowKeyLayout.markPriority).contains($0.index)
        }
        func required(_ place: RegisterMap.Place) -> UInt64? {
            let r = match.requirement(on: place.bits.field)
            let mask = FieldValue.ones(place.bits.count) << place.bits.offset
            guard (r.mask & mask) == mask else { return nil }
            return ((r.value & mask) >> place.bits.offset).low
        }
        if let p = required(RegisterMap.ingressPort) { parts.append("in=\(portName(p))") }
        if let p = required(RegisterMap.egressPort) { parts.append("out=\(portName(p))") }
        if let n = required(RegisterMap.nextHop) { parts.append("next_hop=\(n)") }
        if let h = required(RegisterMap.host) { parts.append("host=\(hostName(h))") }
        if let s = required(RegisterMap.stage) { parts.append("done=\(Stage(rawValue: UInt8(s))?.title ?? String(s))") }
        let isIPv6 = match.requirement(on: .ethType).value.low == 0x86dd
        let address = match.requirement(on: isIPv6 ? RegisterMap.nextHopAddress.bits.field : RegisterMap.nextHopIPv4.field)
        if !address.mask.isZero {
            let length = address.mask.high.nonzeroBitCount + address.mask.low.nonzeroBitCount
            let a = IPAddress(family: isIPv6 ? .ipv6 : .ipv4, high: address.value.high, low: address.value.low)
            parts.append("next_hop_address=\(AddressPrefix(a, length: length))")
        }
        rest.sort { $0.index < $1.index }
        let fields = FlowText.text(Match(ascending: rest))
        if !fields.isEmpty { parts.append(fields) }
        return parts.joined(separator: ",")
    }

    private func actionText(_ action: Action) -> String? {
        switch action {
        case .load(let value, RegisterMap.datapath.bits): return "datapath=\(datapathName(value.low))"
        case .load(let value, RegisterMap.ingressPort.bits): return "in=\(portName(value.low))"
        case .load(let value, RegisterMap.egressPort.bits): return "out=\(portName(value.low))"
        case .load(let value, RegisterMap.host.bits): return "host=\(hostName(value.low))"
        case .load(let value, RegisterMap.nextHop.bits): return "next_hop=\(value.low)"
        case .load(_, RegisterMap.stage.bits), .load(_, RegisterMap.check.bits), .load(_, Subfield(.inPort)): return nil
        case .move(let from, RegisterMap.nextHopIPv4), .move(let from, RegisterMap.nextHopAddress.bits):
            return "next_hop_address=\(FlowText.text(from))"
        case .move(RegisterMap.ingressPort.bits, RegisterMap.egressPort.bits): return "out=in"
        case .load(let value, CarriedContext.relay): return value.isZero ? nil : "relay to \(hostName(value.low))"
        case .move(_, CarriedContext.egressPort): return "context to the tunnel"
        case .move(CarriedContext.egressPort, _): return "context of the tunnel"
        case .move(_, let to) where CarriedContext.all.contains(to): return nil
        case .move(let from, _) where CarriedContext.all.contains(from): return nil
        case .resubmit(_, let table?): return "next(\(Stage(rawValue: table)?.title ?? String(table)))"
        case .controller(let c): return "controller(\(c.userdata.first.flatMap(ControllerRequest.init(rawValue:)).map { "\($0)" } ?? ""))"
        default: return FlowText.text(action)
        }
    }
}
