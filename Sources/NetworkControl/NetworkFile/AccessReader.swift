import LogicalNetwork
import Wire
import Yams

/// Reads the access rules of a switch or router: its keys `access` and `default`.
struct AccessReader {
    let owner: String
    let collector: FaultCollector

    func read(_ r: inout ElementReader) -> AccessList {
        var list = AccessList()
        if let verdict = r.choice("default", AccessRule.Verdict.self) {
            if verdict == .reject { r.fault("default must be allow or drop") } else { list.defaultVerdict = verdict }
        }
        list.rules = r.list("access").enumerated().compactMap { rule($0.element, number: $0.offset + 1) }
        return list
    }

    private func rule(_ node: Node, number: Int) -> AccessRule? {
        guard var r = ElementReader(node, what: "rule \(number) of \(owner)", collector) else { return nil }
        defer { r.finish() }
        let verdict = r.choice("verdict", AccessRule.Verdict.self)
        let direction = r.choice("direction", AccessRule.Direction.self)
        if !r.has("verdict") { r.missing("verdict") }
        if !r.has("direction") { r.missing("direction") }
        var rule = AccessRule(name: r.text("name") ?? "rule-\(number)", direction: direction ?? .in, verdict: verdict ?? .drop, place: Place(node))
        rule.port = r.text("port")
        if let text = r.text("protocol") { readProtocol(text, &rule, r) }
        let expected = "a prefix or $NAME of an address set"
        rule.sources = r.values("from", expected, addressTerm)
        rule.destinations = r.values("to", expected, addressTerm)
        rule.sourceMAC = r.value("from-mac", "a MAC address", MACAddress.init)
        rule.destinationMAC = r.value("to-mac", "a MAC address", MACAddress.init)
        rule.sourcePorts = r.values("from-ports", "a port or a range, as 80 or 8000-8999", Self.range)
        rule.destinationPorts = r.values("to-ports", "a port or a range, as 80 or 8000-8999", Self.range)
        rule.icmpType = r.integer("icmp-type", 0...255)
        rule.icmpCode = r.integer("icmp-code", 0...255)
        return verdict == nil || direction == nil ? nil : rule
    }

    private func readProtocol(_ text: String, _ rule: inout AccessRule, _ r: ElementReader) {
        switch text {
        // By number too they are of one family.
        case "1": (rule.network, rule.transport) = (.ip(.ipv4), 1)
        case "58": (rule.network, rule.transport) = (.ip(.ipv6), 58)
        case "any": break
        case "arp": rule.network = .arp
        case "ipv4": rule.network = .ip(.ipv4)
        case "ipv6": rule.network = .ip(.ipv6)
        case "ip": rule.network = .ip(nil)
        case "icmp": (rule.network, rule.transport) = (.ip(.ipv4), 1)
        case "icmpv6": (rule.network, rule.transport) = (.ip(.ipv6), 58)
        case "tcp": (rule.network, rule.transport) = (.ip(nil), 6)
        case "udp": (rule.network, rule.transport) = (.ip(nil), 17)
        case "sctp": (rule.network, rule.transport) = (.ip(nil), 132)
        default:
            if let number = UInt8(text) {
                (rule.network, rule.transport) = (.ip(nil), number)
            } else {
                r.fault("protocol must be any, arp, ip, ipv4, ipv6, icmp, icmpv6, tcp, udp, sctp or a number to 255, not '\(text)'")
            }
        }
    }

    /// `80` or `8000-8999`.
    static func range(_ text: String) -> AccessRule.PortRange? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        switch parts.count {
        case 1: return parts[0].map { AccessRule.PortRange($0, $0) }
        case 2:
            guard let first = parts[0], let last = parts[1] else { return nil }
            return AccessRule.PortRange(first, last)
        default: return nil
        }
    }
}
