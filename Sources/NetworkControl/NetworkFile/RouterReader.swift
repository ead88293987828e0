import LogicalNetwork
import Wire
import Yams

/// Reads one logical router.
struct RouterReader {
    let name: String
    let place: Place
    let collector: FaultCollector

    func read(_ node: Node) -> LogicalRouter? {
        guard var r = ElementReader(node, what: "router \(name)", place: place, collector) else { return nil }
        defer { r.finish() }
        var router = LogicalRouter(name: name, place: place)
        router.host = r.text("host")
        router.ports = r.elements("ports").compactMap { port($0.name, $0.node, $0.place) }
        router.routes = r.list("routes").compactMap(route)
        router.policies = r.list("policies").enumerated().compactMap { policy($0.element, number: $0.offset + 1) }
        router.access = AccessReader(owner: "router \(name)", collector: collector).read(&r)
        return router
    }

    private func port(_ name: String, _ node: Node, _ place: Place) -> RouterPort? {
        guard var r = ElementReader(node, what: "port \(name) of router \(self.name)", place: place, collector) else { return nil }
        defer { r.finish() }
        let mac = r.value("mac", "a MAC address", MACAddress.init)
        let addresses = r.values("addresses", "an address with its prefix, as 10.0.0.1/24") { text in
            text.contains("/") ? AddressPrefix(text) : nil
        }
        let peers = (r.text("switch"), r.text("router"))
        let peerPort = r.text("port")
        let element = r.node("in-line").flatMap { inLine(name, $0) }
        switch peers {
        case (let s?, nil):
            if peerPort != nil { r.fault("only with 'router' it has a 'port', that of the other router") }
            return RouterPort(name: name, mac: mac, addresses: addresses, peer: .logicalSwitch(s), inLine: element, place: place)
        case (nil, let router?):
            guard let peerPort else {
                r.missing("port: which one of router \(router) it leads to")
                return nil
            }
            return RouterPort(
                name: name, mac: mac, addresses: addresses, peer: .router(router, port: peerPort), inLine: element, place: place)
        default:
            r.fault("leads to a switch or to a router: give one of the two")
            return nil
        }
    }

    private func inLine(_ port: String, _ node: Node) -> InLineElement? {
        let what = "in-line element at port \(port) of router \(name)"
        guard var r = ElementReader(node, what: what, collector) else { return nil }
        defer { r.finish() }
        func attachment(_ side: InLineElement.Side) -> SwitchPort.Attachment? {
            guard let node = r.node(side.rawValue), var s = ElementReader(node, what: "\(what), \(side.rawValue)", collector) else { return nil }
            defer { s.finish() }
            return SwitchReader.attachment(&s)
        }
        let sides = (attachment(.router), attachment(.peer))
        guard let host = r.text("host") else {
            r.missing("host: where it is")
            return nil
        }
        return InLineElement(host: host, routerSide: sides.0, peerSide: sides.1, place: Place(node))
    }

    /// `via: ADDRESS` or `drop: true`.
    private func target(_ r: inout ElementReader) -> StaticRoute.Target? {
        let via = r.value("via", "an IP address", IPAddress.init)
        let drops = r.bool("drop") ?? false
        if r.has("via") == drops {
            r.fault("has a next hop 'via', or 'drop: true'")
            return nil
        }
        return drops ? .drop : via.map { .via($0) }
    }

    private func route(_ node: Node) -> StaticRoute? {
        guard var r = ElementReader(node, what: "a route of router \(name)", collector) else { return nil }
        defer { r.finish() }
        let prefix = r.value("to", "a prefix, as 10.0.0.0/24", AddressPrefix.init)
        if !r.has("to") { r.missing("to: the prefix it is for") }
        guard let target = target(&r), let prefix else { return nil }
        return StaticRoute(prefix: prefix, target: target, place: Place(node))
    }

    private func policy(_ node: Node, number: Int) -> PolicyRoute? {
        guard var r = ElementReader(node, what: "policy \(number) of router \(name)", collector) else { return nil }
        defer { r.finish() }
        let policyName = r.text("name") ?? "policy-\(number)"
        let ingress = r.text("in")
        let expected = "a prefix or $NAME of an address set"
        let sources = r.values("from", expected, addressTerm)
        let destinations = r.values("to", expected, addressTerm)
        let notDestinations = r.values("not-to", expected, addressTerm)
        guard let target = target(&r) else { return nil }
        return PolicyRoute(
            name: policyName, ingress: ingress, sources: sources, destinations: destinations, notDestinations: notDestinations, target: target,
            place: Place(node))
    }
}
