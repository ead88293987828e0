import LogicalNetwork
import Wire
import Yams

/// Reads one logical switch.
struct SwitchReader {
    let name: String
    let place: Place
    let collector: FaultCollector

    func read(_ node: Node) -> LogicalSwitch? {
        guard var r = ElementReader(node, what: "switch \(name)", place: place, collector) else { return nil }
        defer { r.finish() }
        var s = LogicalSwitch(name: name, place: place)
        s.unknown = r.choice("unknown", LogicalSwitch.Spread.self) ?? .drop
        s.broadcast = r.choice("broadcast", LogicalSwitch.Spread.self) ?? .flood
        s.multicast = r.choice("multicast", LogicalSwitch.Spread.self) ?? .flood
        s.egressAccess = r.choice("egress-access", LogicalSwitch.EgressAccess.self) ?? .firstHop
        s.placement = r.choice("placement", LogicalSwitch.Placement.self) ?? .firstHop
        s.routerRequests = r.choice("router-requests", LogicalSwitch.RouterRequests.self) ?? .answer
        s.ports = r.elements("ports").compactMap { port($0.name, $0.node, $0.place) }
        s.neighbors = r.list("neighbors").compactMap(neighbor)
        s.access = AccessReader(owner: "switch \(name)", collector: collector).read(&r)
        return s
    }

    private func port(_ name: String, _ node: Node, _ place: Place) -> SwitchPort? {
        guard var r = ElementReader(node, what: "port \(name)", place: place, collector) else { return nil }
        defer { r.finish() }
        var port = SwitchPort(name: name, mac: r.value("mac", "a MAC address", MACAddress.init), place: place)
        port.isUplink = r.bool("uplink") ?? false
        port.addresses = r.values("addresses", "an IP address", IPAddress.init)
        port.host = r.text("host")
        port.attachment = Self.attachment(&r)
        port.isSecured = r.bool("security") ?? !port.isUplink
        if port.isSecured, port.isUplink { r.fault("is an uplink and cannot be secured: the machines behind it are not known") }
        port.queue = r.integer("queue", 0...0xffff_fffe)
        port.rateKilobits = r.value("rate", "a number of kbit/s, Mbit/s or Gbit/s", Self.rate)
        port.maximumKilobits = r.value("max-rate", HostQueueReader.expectedRate, HostQueueReader.rate)
        return port
    }

    /// `tap`, `namespace` or `device`.
    static func attachment(_ r: inout ElementReader) -> SwitchPort.Attachment? {
        var attachments: [SwitchPort.Attachment] = []
        if let tap = r.text("tap") { attachments.append(.tap(tap)) }
        if let namespace = r.text("namespace") { attachments.append(.namespace(namespace)) }
        if let device = r.text("device") { attachments.append(.device(device)) }
        if attachments.count > 1 { r.fault("is attached more than once: give one of tap, namespace and device") }
        return attachments.first
    }

    /// `500 kbit/s`, `10 Mbit/s`, `2.5 Gbit/s`, from 1 kbit/s.
    static func rate(_ text: String) -> UInt32? {
        let parts = text.split(separator: " ")
        guard parts.count == 2, let number = Double(parts[0]), let unit = ["kbit/s": 1.0, "Mbit/s": 1e3, "Gbit/s": 1e6][String(parts[1])] else {
            return nil
        }
        let kilobits = (number * unit).rounded()
        return kilobits >= 1 && kilobits <= Double(UInt32.max) ? UInt32(kilobits) : nil
    }

    private func neighbor(_ node: Node) -> Neighbor? {
        guard var r = ElementReader(node, what: "a neighbor of switch \(name)", collector) else { return nil }
        defer { r.finish() }
        let address = r.value("address", "an IP address", IPAddress.init)
        let mac = r.value("mac", "a MAC address", MACAddress.init)
        if !r.has("address") { r.missing("address") }
        if !r.has("mac") { r.missing("mac") }
        guard let address, let mac else { return nil }
        return Neighbor(address: address, mac: mac, place: Place(node))
    }
}
