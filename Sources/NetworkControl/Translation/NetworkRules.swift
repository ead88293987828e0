import LogicalNetwork
import TableEngine

/// The rules by which everything follows from what was asked for: LCP to LFP (spec B111–B118, 000-054), and the part of it that each host needs
/// (000-056, H10).
///
/// Tables are joined by the logical datapath first. Adding a rule here and a way to write its rows in `EntryWriter` is all that a new kind of entry takes.
struct NetworkRules {
    /// Added to a prefix length to give a route's priority (B115).
    static let basePriority: UInt64 = 100

    let nextHopNumber: FunctionTable
    private let madeMAC: FunctionTable

    /// - Parameters:
    ///   - nextHops: gives a next hop its number.
    ///   - makeMAC: a router port's MAC from its seed.
    init(nextHops: Interner<NextHopKey>, makeMAC: @escaping (UInt64) -> UInt64) {
        nextHopNumber = FunctionTable("next hop number", arguments: 4, results: 1) { arguments, results in
            results[0] = nextHops.number(of: NextHopKey(family: arguments[0], port: arguments[1], high: arguments[2], low: arguments[3]))
            return true
        }
        madeMAC = FunctionTable("made MAC", arguments: 2, results: 1) { arguments, results in
            results[0] = arguments[0] != 0 ? arguments[0] : makeMAC(arguments[1])
            return true
        }
    }

    func add(to e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        addPorts(e, c, f)
        addSwitching(e, c, f)
        addRouting(e, c, f)
        addResolution(e, c, f)
        addAccess(e, c, f)
        addPlacement(e, c, f)
        addInLine(e, c, f)
        addHosts(e, c, f)
    }

    /// MACs of ports (B114, B117).
    private func addPorts(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        e.rule("a workload's MAC", f.portMACs("d", "p", "m"), if: c.workloads("d", "p", "m", "s"))
        e.rule("a router port's MAC", f.portMACs("d", "p", "m"), if: c.routerPorts("d", "p", "g", "s"), madeMAC(["g", "s"], gives: ["m"]))
        e.rule(
            "a switch port inherits the MAC of its router port", f.portMACs("d", "p", "m"), if: c.switches("d", "k"), c.links("d", "p", "r", "q"),
            c.routerPorts("r", "q", "g", "s"), madeMAC(["g", "s"], gives: ["m"]))
        e.rule("switch", f.switchBases("d", "k"), if: c.switches("d", "k"))
        e.rule("router", f.routerBases("d", "k"), if: c.routers("d", "k"))
    }

    private func addSwitching(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        e.rule(
            "port security", f.portSecurity("d", "p", "m", "s", "g"), if: c.workloads("d", "p", "m", "s"), c.placements("d", "p", "g", "q", "t"))
        e.rule(
            "an uplink's frames come in", f.portSecurity("d", "p", 0, 0, "g"), if: c.uplinks("d", "p"), c.placements("d", "p", "g", "q", "t"))
        let mode = PortSecurityMode.addresses.rawValue
        e.rule(
            "address security", f.addressSecurity("d", "p", "m", "v", "h", "l", "g"), if: c.workloads("d", "p", "m", .constant(mode)),
            c.workloadAddresses("d", "p", "v", "h", "l"), c.placements("d", "p", "g", "q", "t"))
        // Where its egress access rules are; those towards a router are always here.
        let place = FunctionTable("place of egress access", arguments: 1, results: 1) { a, results in
            results[0] = SwitchShape(rawValue: a[0]).contains(.lastHopAccess) ? 1 : 0
            return true
        }
        let copies = FunctionTable("copies of requests", arguments: 1, results: 1) { a, results in
            results[0] = SwitchShape(rawValue: a[0]).contains(.floodsRouterRequests) ? 1 : 0
            return true
        }
        e.rule(
            "forwarding to a workload", f.forwarding("d", "m", "p", "a"), if: c.workloads("d", "p", "m", "s"), c.switches("d", "k"),
            place(["k"], gives: ["a"]))
        e.rule(
            "forwarding to a router", f.forwarding("d", "m", "p", 0), if: c.links("d", "p", "r", "q"), c.switches("d", "k"), f.portMACs("d", "p", "m")
        )
        e.rule("neighbours are behind the uplink", f.forwarding("d", "m", "p", 0), if: c.neighbors("d", "v", "h", "l", "m"), c.uplinks("d", "p"))
        e.rule("unknown addresses are behind the uplink", f.unknownAddresses("d", "p"), if: c.uplinks("d", "p"))
        e.rule(
            "responder", f.responders("d", "v", "h", "l", "m", "a"), if: c.switches("d", "k"), c.links("d", "p", "r", "q"),
            c.portAddresses("r", "q", "v", "h", "l", "n"), f.portMACs("r", "q", "m"), copies(["k"], gives: ["a"]))
        e.rule(
            "a link's end at a router", f.linkEntries("d", "p", "e", "q", 1), if: c.wires("d", "p", "e", "q"), c.routers("e", "k"))
        e.rule(
            "a link's end at a switch", f.linkEntries("d", "p", "e", "q", 0), if: c.wires("d", "p", "e", "q"), c.switches("e", "k"))
    }

    private func addRouting(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        let subnet = FunctionTable("subnet", arguments: 4, results: 3) { a, results in
            let address = IPAddress(family: IPAddress.Family(rawValue: a[0])!, high: a[1], low: a[2])
            let net = address.masked(Int(a[3]))
            results[0] = net.high
            results[1] = net.low
            results[2] = a[3] + Self.basePriority
            // Link-local addresses are not routed (RFC 4291 §2.5.6).
            return !address.isLinkLocal
        }
        let priority = FunctionTable("priority", arguments: 1, results: 1) { a, results in
            results[0] = a[0] + Self.basePriority
            return true
        }
        let contains = FunctionTable.condition("contains", arguments: 6) { a in
            let family = IPAddress.Family(rawValue: a[0])!
            return AddressPrefix(IPAddress(family: family, high: a[1], low: a[2]), length: Int(a[3]))
                .contains(IPAddress(family: family, high: a[4], low: a[5]))
        }
        e.rule(
            "router admission", f.routerAdmissions("d", "p", "m"), if: c.routerPorts("d", "p", "g", "s"), madeMAC(["g", "s"], gives: ["m"]))
        e.rule("a router's own address", f.ownAddresses("d", "v", "h", "l"), if: c.portAddresses("d", "p", "v", "h", "l", "n"))
        e.rule(
            "connected route", f.routes("d", "v", "sh", "sl", "n", "i", "x"), if: c.portAddresses("d", "p", "v", "h", "l", "n"),
            subnet(["v", "h", "l", "n"], gives: ["sh", "sl", "i"]), nextHopNumber(["v", "p", 0, 0], gives: ["x"]))
        e.rule(
            "connected next hop", f.nextHops("d", "x", "v", 0, 0, "p", "m"), if: c.portAddresses("d", "p", "v", "h", "l", "n"),
            f.portMACs("d", "p", "m"), nextHopNumber(["v", "p", 0, 0], gives: ["x"]))
        e.rule(
            "static route", f.routes("d", "v", "h", "l", "n", "i", "x"), if: c.staticRoutes("d", "v", "h", "l", "n", 0, "nh", "nl"),
            c.portAddresses("d", "p", "v", "ph", "pl", "pn"), contains(["v", "ph", "pl", "pn", "nh", "nl"]), priority(["n"], gives: ["i"]),
            nextHopNumber(["v", "p", "nh", "nl"], gives: ["x"]))
        e.rule(
            "static next hop", f.nextHops("d", "x", "v", "nh", "nl", "p", "m"), if: c.staticRoutes("d", "v", "h", "l", "n", 0, "nh", "nl"),
            c.portAddresses("d", "p", "v", "ph", "pl", "pn"), contains(["v", "ph", "pl", "pn", "nh", "nl"]), f.portMACs("d", "p", "m"),
            nextHopNumber(["v", "p", "nh", "nl"], gives: ["x"]))
        e.rule(
            "route that drops", f.routes("d", "v", "h", "l", "n", "i", 0), if: c.staticRoutes("d", "v", "h", "l", "n", 1, "nh", "nl"),
            priority(["n"], gives: ["i"]))
        e.rule(
            "policy", f.policyEntries("d", "y", "i", "in", "z", "ah", "al", "bh", "bl", "x"),
            if: c.policies("d", "y", "i", "in", "v", "src", "dst", 0, "nh", "nl"), c.portAddresses("d", "p", "v", "ph", "pl", "pn"),
            contains(["v", "ph", "pl", "pn", "nh", "nl"]), nextHopNumber(["v", "p", "nh", "nl"], gives: ["x"]),
            f.members("src", "af", "ah", "al", "an"), f.members("dst", "bf", "bh", "bl", "bn"),
            lengths(["v", "af", "bf", "an", "bn"], gives: ["z"]))
        e.rule(
            "policy's next hop", f.nextHops("d", "x", "v", "nh", "nl", "p", "m"),
            if: c.policies("d", "y", "i", "in", "v", "src", "dst", 0, "nh", "nl"), c.portAddresses("d", "p", "v", "ph", "pl", "pn"),
            contains(["v", "ph", "pl", "pn", "nh", "nl"]), f.portMACs("d", "p", "m"), nextHopNumber(["v", "p", "nh", "nl"], gives: ["x"]))
        e.rule(
            "policy that drops", f.policyEntries("d", "y", "i", "in", "z", "ah", "al", "bh", "bl", 0),
            if: c.policies("d", "y", "i", "in", "v", "src", "dst", 1, "nh", "nl"), f.members("src", "af", "ah", "al", "an"),
            f.members("dst", "bf", "bh", "bl", "bn"), lengths(["v", "af", "bf", "an", "bn"], gives: ["z"]))
    }

    /// Families of a rule and of its two addresses agree, 0 being any.
    private let lengths = FunctionTable("lengths", arguments: 5, results: 1) { a, results in
        results[0] = Packed.lengths(a[0], a[3], a[4])
        return (a[1] == 0 || a[1] == a[0]) && (a[2] == 0 || a[2] == a[0])
    }

    /// Addresses to MACs, known from what was asked for (B96, A-067).
    private func addResolution(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        let differ = FunctionTable.condition("differ", arguments: 2) { $0[0] != $0[1] }
        let isHere = isEverywhere
        e.rule("ask for an address", f.unresolved("d", "p", "v", "h", "l", "n"), if: c.portAddresses("d", "p", "v", "h", "l", "n"))
        e.rule(
            "a workload's address", f.resolutions("r", "q", "v", "h", "l", "m"), if: c.links("d", "s", "r", "q"), c.switches("d", "k"),
            isHere(["k"]), c.workloadAddresses("d", "p", "v", "h", "l"), c.workloads("d", "p", "m", "z"))
        e.rule(
            "a neighbour's address", f.resolutions("r", "q", "v", "h", "l", "m"), if: c.links("d", "s", "r", "q"), c.switches("d", "k"),
            isHere(["k"]), c.neighbors("d", "v", "h", "l", "m"))
        e.rule(
            "a workload's address, its switch at its host", f.distantResolutions("r", "q", "v", "h", "l", "m", "g"), if: c.links("d", "s", "r", "q"),
            c.switches("d", "k"), isAtLastHop(["k"]), c.workloadAddresses("d", "p", "v", "h", "l"), c.workloads("d", "p", "m", "z"),
            c.placements("d", "p", "g", "u", "t"))
        e.rule(
            "a neighbour's address, its switch at the uplink's host", f.distantResolutions("r", "q", "v", "h", "l", "m", "g"),
            if: c.links("d", "s", "r", "q"), c.switches("d", "k"), isAtLastHop(["k"]), c.neighbors("d", "v", "h", "l", "m"), c.uplinks("d", "p"),
            c.placements("d", "p", "g", "u", "t"))
        e.rule(
            "another router on the switch", f.resolutions("r", "q", "v", "h", "l", "m"), if: c.links("d", "s", "r", "q"), c.switches("d", "k"),
            c.links("d", "t", "o", "u"), differ(["s", "t"]), c.portAddresses("o", "u", "v", "h", "l", "n"), f.portMACs("o", "u", "m"))
        e.rule(
            "the router at the other end", f.resolutions("r", "q", "v", "h", "l", "m"), if: c.links("r", "q", "o", "u"), c.routers("r", "k"),
            c.routers("o", "j"), c.portAddresses("o", "u", "v", "h", "l", "n"), f.portMACs("o", "u", "m"))
    }

    /// Whether what comes from a router walks through a switch, or through a router, at the first hop.
    private let isEverywhere = FunctionTable.condition("is everywhere", arguments: 1) {
        SwitchShape(rawValue: $0[0]).isDisjoint(with: [.atLastHop, .isCentral])
    }
    private let isAtLastHop = FunctionTable.condition("is at the last hop", arguments: 1) { SwitchShape(rawValue: $0[0]).contains(.atLastHop) }

    /// Datapaths that are walked through elsewhere than at the first hop (001b §4.1, B82): how packets get to them from others.
    private func addPlacement(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        let fromSwitch = UInt64(Stage.switchEgressAccess.rawValue)
        let fromRouter = UInt64(Stage.resolution.rawValue)
        e.rule(
            "a switch's link to a central router", f.distantLinks("d", "p", "g", .constant(fromSwitch)), if: c.routerHosts("e", "g"),
            c.wires("d", "p", "e", "q"), c.switches("d", "k"))
        e.rule(
            "a router's link to a central one", f.distantLinks("d", "p", "g", .constant(fromRouter)), if: c.routerHosts("e", "g"),
            c.wires("d", "p", "e", "q"), c.routers("d", "k"))
        e.rule(
            "from a switch into a central router", f.resumptions("e", "q", "p", 1, .constant(fromSwitch)), if: c.routerHosts("e", "g"),
            c.links("d", "p", "e", "q"), c.switches("d", "k"))
        e.rule(
            "from a router into a central one", f.resumptions("e", "q", "p", 1, .constant(fromRouter)), if: c.routerHosts("e", "g"),
            c.links("d", "p", "e", "q"), c.routers("d", "k"))
        e.rule(
            "from a router into a switch at the last hop", f.resumptions("e", "q", "p", 0, .constant(fromRouter)), if: c.switches("e", "k"),
            isAtLastHop(["k"]), c.links("d", "p", "e", "q"))
    }

    /// Elements on wires (FW-030): how packets go on that come from there. That they go there, the detours say themselves.
    private func addInLine(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        let fromSwitch = UInt64(Stage.switchEgressAccess.rawValue)
        let fromRouter = UInt64(Stage.resolution.rawValue)
        e.rule(
            "from an in-line element into a switch", f.inLinePorts("h", "d", "s", "p", 0, 0, 0, 0), if: c.returns("s", "h", "d", "p"),
            c.switches("d", "k"))
        e.rule(
            "from an in-line element into a router", f.inLinePorts("h", "d", "s", "p", 1, 0, 0, 0), if: c.returns("s", "h", "d", "p"),
            c.routers("d", "k"), isEverywhere(["k"]))
        e.rule(
            "from an in-line element into a central router, of a switch's link",
            f.inLinePorts("h", "d", "s", "p", 1, "g", "q", .constant(fromSwitch)),
            if: c.returns("s", "h", "d", "p"), c.routerHosts("d", "g"), c.links("d", "p", "e", "q"), c.switches("e", "k"))
        e.rule(
            "from an in-line element into a central router, of a router's link",
            f.inLinePorts("h", "d", "s", "p", 1, "g", "q", .constant(fromRouter)),
            if: c.returns("s", "h", "d", "p"), c.routerHosts("d", "g"), c.links("d", "p", "e", "q"), c.routers("e", "k"))
        e.rule(
            "networks of an in-line element's host", f.hostComponents("h", "x", "z"), if: c.returns("s", "h", "d", "p"), c.components("d", "x"),
            c.zones("h", "z"))
    }

    private func addAccess(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        let ports = FunctionTable("ports", arguments: 2, results: 1) { a, results in
            results[0] = Packed.ports(a[0], a[1])
            return true
        }
        e.rule("member", f.members("s", "v", "h", "l", "n"), if: c.setMembers("s", "v", "h", "l", "n"))
        e.rule("member of a set in a list", f.members("s", "v", "h", "l", "n"), if: c.setIncludes("s", "t"), c.setMembers("t", "v", "h", "l", "n"))
        e.rule(
            "access", f.access("d", "y", "k", "p", "i", "z", "ah", "al", "bh", "bl", "b", "x"),
            if: c.accessRules("d", "y", "k", "p", "i", "w", "src", "dst", "sp", "dp", "x"), c.networks("w", "v"),
            f.members("src", "af", "ah", "al", "an"), f.members("dst", "bf", "bh", "bl", "bn"),
            lengths(["v", "af", "bf", "an", "bn"], gives: ["z"]), c.portBlocks("sp", "sb"), c.portBlocks("dp", "db"),
            ports(["sb", "db"], gives: ["b"]))
    }

    /// Who needs what: a host has every datapath that packets of its workloads can get to (B80), and tunnels to the hosts that share one.
    private func addHosts(_ e: TableEngine, _ c: ControlTables, _ f: ForwardingTables) {
        let differ = FunctionTable.condition("differ", arguments: 2) { $0[0] != $0[1] }
        e.rule("where a port is", f.egressHosts("d", "p", "h"), if: c.placements("d", "p", "h", "q", "t"))
        e.rule("local port", f.localPorts("h", "d", "p", "q", "t"), if: c.placements("d", "p", "h", "q", "t"))
        e.rule("member of a flood", f.floodMembers("h", "d", "p"), if: c.placements("d", "p", "h", "q", "t"))
        e.rule("hosts of a flood", f.floodHosts("d", "h"), if: f.floodMembers("h", "d", "p"))
        e.rule("a host's networks", f.hostComponents("h", "x", "z"), if: f.floodHosts("d", "h"), c.components("d", "x"), c.zones("h", "z"))
        e.rule(
            "networks of a central router's host", f.hostComponents("h", "x", "z"), if: c.routerHosts("d", "h"), c.components("d", "x"),
            c.zones("h", "z"))
        e.rule(
            "a host's switches", f.hostDatapaths("h", "d"), if: f.hostComponents("h", "x", "z"), c.components("d", "x"), c.switches("d", "k"),
            isEverywhere(["k"]))
        e.rule(
            "a host's routers", f.hostDatapaths("h", "d"), if: f.hostComponents("h", "x", "z"), c.components("d", "x"), c.routers("d", "k"),
            isEverywhere(["k"]))
        // Others only where they are walked through.
        e.rule("switches of a host's ports", f.hostDatapaths("h", "d"), if: f.floodHosts("d", "h"))
        e.rule("a host's central routers", f.hostDatapaths("h", "d"), if: c.routerHosts("d", "h"))
        e.rule("tunnel", f.tunnels("g", "h"), if: f.hostComponents("g", "x", "z"), f.hostComponents("h", "x", "z"), differ(["g", "h"]))
        // What is in different zones goes by way of the pool node (B21, B84).
        e.rule("crossing", f.crossings("g", "x", "z", "r"), if: f.hostComponents("g", "x", "z"), c.pools("r"))
        e.rule(
            "relayed", f.relayed("g", "h", "r"), if: f.crossings("g", "x", "z", "r"), f.crossings("h", "x", "w", "r"), differ(["z", "w"]),
            differ(["g", "r"]), differ(["h", "r"]))
        e.rule("relay", f.relays("r", "h"), if: f.relayed("g", "h", "r"))
        e.rule("tunnel to the pool node", f.tunnels("g", "r"), if: f.relayed("g", "h", "r"))
        e.rule("tunnel of the pool node", f.tunnels("r", "g"), if: f.relayed("g", "h", "r"))
        // A tunnel that fails is noticed by both ends, and the pool node stands in (B84).
        e.rule(
            "watched tunnel", f.watched("g", "h", "r"), if: f.hostComponents("g", "x", "z"), f.hostComponents("h", "x", "z"), c.standIns("r"),
            differ(["g", "h"]), differ(["g", "r"]), differ(["h", "r"]))
        e.rule("relay for a watched tunnel", f.relays("r", "h"), if: f.watched("g", "h", "r"))
        e.rule("tunnel to the node that stands in", f.tunnels("g", "r"), if: f.watched("g", "h", "r"))
        e.rule("tunnel of the node that stands in", f.tunnels("r", "g"), if: f.watched("g", "h", "r"))
        e.rule("watch of a tunnel", f.watches("g", "h"), if: f.watched("g", "h", "r"))
        e.rule("watch of the node that stands in", f.watches("g", "r"), if: f.watched("g", "h", "r"))
        e.rule("watch by the node that stands in", f.watches("r", "g"), if: f.watched("g", "h", "r"))
        e.rule(
            "tunnel to a pool node with ports", f.tunnels("g", "r"), if: f.crossings("g", "x", "z", "r"), f.hostComponents("r", "x", "w"),
            differ(["g", "r"]))
        e.rule(
            "tunnel of a pool node with ports", f.tunnels("r", "g"), if: f.crossings("g", "x", "z", "r"), f.hostComponents("r", "x", "w"),
            differ(["g", "r"]))
    }
}

/// What makes next hops different.
struct NextHopKey: Hashable {
    var family: UInt64
    var port: UInt64
    /// Zero: the packet's own destination (B116).
    var high: UInt64
    var low: UInt64
}
