import Flow
import LogicalNetwork

/// Numbers in entries back to the names in which people asked.
extension NetworkTranslation {
    /// `blue/web`, of a switch or router.
    public func datapathName(_ number: UInt64) -> String { input.datapaths.name(number) ?? "datapath \(number)" }

    /// `blue/web/vm1`; the switch's side of a link reads as the router port behind it; `blue/edge/to-web:router-side` of an in-line element; all ports of a switch as its flood.
    public func portName(_ number: UInt64) -> String {
        if number >> 24 == 1 { return "all ports of \(datapathName(number & 0xff_ffff))" }
        guard let name = input.ports.name(number) else { return "port \(number)" }
        guard let colon = name.firstIndex(of: ":"), name[..<colon].last == "/" else { return name }
        return "\(name[..<colon])(router \(name[name.index(after: colon)...]))"
    }

    /// The port of a host's forwarding element by which an in-line element gives back what it took by a port; nil for a port that is not of one.
    public func otherSide(ofInLinePort port: UInt64, host: String) -> UInt32? {
        guard let name = input.ports.name(port), let colon = name.firstIndex(of: ":"), name[..<colon].last != "/",
            let side = InLineElement.Side(rawValue: String(name[name.index(after: colon)...])), let h = input.hosts.existing(host)
        else { return nil }
        return input.ports.existing("\(name[..<colon]):\(side.other.rawValue)").flatMap { ports[h]?.all[$0] }
    }

    /// The MAC of a router port, given or made.
    public func routerPortMAC(tenant: String, router: String, port: String) -> UInt64? {
        guard let d = input.datapaths.existing(Path.of(tenant, router)), let p = input.ports.existing(Path.of(tenant, router, port)) else {
            return nil
        }
        var mac: UInt64?
        forwarding.portMACs.forEach { if $0[0] == d, $0[1] == p { mac = $0[2] } }
        return mac
    }

    public func hostName(_ number: UInt64) -> String { input.hosts.name(number) ?? "host \(number)" }

    /// `rule blue/web/no-ssh`, of an access rule or policy.
    public func symbolName(_ number: UInt64) -> String { input.symbols.name(number) ?? "\(number)" }

    /// What an entry is for, in the words of the network.
    public func meaning(of cookie: Cookie) -> String {
        let d = datapathName(cookie.datapath)
        let port = portName(cookie.detail)
        switch cookie.kind {
        case nil: return "entry \(cookie.value)"
        case .switchBase: return "switch \(d)"
        case .portSecurity, .addressSecurity: return cookie.detail == 0 ? "port security on \(d)" : "port security of \(port)"
        case .access: return symbolName(cookie.detail)
        case .defaultAccess: return "default of \(d), \(cookie.detail == 0 ? "in" : "out")"
        case .responder: return "address responder of \(d)"
        case .forwarding: return "forwarding to \(port)"
        case .flood: return "flood of \(d)"
        case .unknownAddress: return cookie.detail == 0 ? "unknown address on \(d)" : "unknown address behind \(port)"
        case .egressHost: return "host of \(port)"
        case .link: return "link of \(port)"
        case .routerBase: return "router \(d)"
        case .routerAdmission: return "admission at \(port)"
        case .routerOwnAddress: return "router \(d)'s own address"
        case .timeExceeded: return "time exceeded at router \(d)"
        case .policy: return symbolName(cookie.detail)
        case .route: return cookie.detail == 0 ? "route of \(d) that drops" : "route of \(d)"
        case .noRoute: return "no route at \(d)"
        case .nextHop: return "next hop of \(d)"
        case .resolution: return "resolution at \(port)"
        case .unresolved: return "unresolved address at \(port)"
        case .localPort: return "port \(port)"
        case .arrival: return cookie.detail == 0 ? "arrival by tunnel" : "relay to \(hostName(cookie.detail))"
        case .tunnel:
            let way = cookie.datapath == 0 ? "" : " by way of \(hostName(cookie.datapath))"
            return "tunnel with \(hostName(cookie.detail))\(way)"
        case .tunnelChoice: return "tunnel with \(hostName(cookie.detail)), or by way of \(hostName(cookie.datapath))"
        case .localFlood: return "ports of \(d) here"
        }
    }
}
