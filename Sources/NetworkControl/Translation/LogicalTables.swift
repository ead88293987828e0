import TableEngine

/// The input tables: what was asked for, as rows (logical control plane; spec 001b §6.1, 000-071).
///
/// Datapaths, ports, hosts, rules and sets are numbers of `Identifiers`. An address is three columns: family (4 or 6), high and low half.
struct ControlTables {
    let hosts: Relation
    /// How frames to unknown, broadcast and group addresses spread; see `SwitchShape`.
    let switches: Relation
    let routers: Relation
    /// Datapaths that packets can get to from each other: computed outside, for reachability goes in circles (spec B80).
    let components: Relation
    let workloads: Relation
    let uplinks: Relation
    let placements: Relation
    /// Where central routers are.
    let routerHosts: Relation
    let zones: Relation
    let pools: Relation
    /// The pool node, when it stands in for tunnels that fail.
    let standIns: Relation
    let workloadAddresses: Relation
    let neighbors: Relation
    /// `given` is 0 when the MAC is to be made of `seed` (B114).
    let routerPorts: Relation
    /// Table 5530.
    let portAddresses: Relation
    /// Table 5555: both directions.
    let links: Relation
    /// Those of them with nothing on the wire.
    let wires: Relation
    /// By which port of which host packets that leave by a port go through the element on the wire, and where they go on that come from there.
    let detours: Relation
    let returns: Relation
    let staticRoutes: Relation
    let policies: Relation
    let accessRules: Relation
    let setMembers: Relation
    /// Sets within the list of a rule.
    let setIncludes: Relation
    let portBlocks: Relation
    /// Constant: which families of packets a rule's network means.
    let networks: Relation

    init(_ e: TableEngine) {
        hosts = e.relation("hosts", "host", "family", "high", "low", isOutput: true)
        switches = e.relation("switches", "datapath", "shape")
        routers = e.relation("routers", "datapath", "shape")
        components = e.relation("components", "datapath", "component")
        workloads = e.relation("workloads", "datapath", "port", "mac", "security")
        uplinks = e.relation("uplinks", "datapath", "port")
        placements = e.relation("placements", "datapath", "port", "host", "queue", "rate")
        routerHosts = e.relation("routerHosts", "datapath", "host")
        zones = e.relation("zones", "host", "zone")
        pools = e.relation("pools", "host")
        standIns = e.relation("standIns", "host")
        workloadAddresses = e.relation("workloadAddresses", "datapath", "port", "family", "high", "low")
        neighbors = e.relation("neighbors", "datapath", "family", "high", "low", "mac")
        routerPorts = e.relation("routerPorts", "datapath", "port", "given", "seed")
        portAddresses = e.relation("portAddresses", "datapath", "port", "family", "high", "low", "length")
        links = e.relation("links", "datapath", "port", "peerDatapath", "peer")
        wires = e.relation("wires", "datapath", "port", "peerDatapath", "peer")
        detours = e.relation("detours", "datapath", "port", "side", "host", isOutput: true)
        returns = e.relation("returns", "side", "host", "datapath", "port")
        staticRoutes = e.relation(
            "staticRoutes", "datapath", "family", "high", "low", "length", "isDrop", "nextHigh", "nextLow")
        policies = e.relation(
            "policies", "datapath", "policy", "priority", "ingress", "family", "sources", "destinations", "isDrop", "nextHigh", "nextLow")
        accessRules = e.relation(
            "accessRules", "datapath", "rule", "shape", "port", "priority", "network", "sources", "destinations", "sourcePorts",
            "destinationPorts", "extras")
        setMembers = e.relation("setMembers", "set", "family", "high", "low", "length")
        setIncludes = e.relation("setIncludes", "list", "set")
        portBlocks = e.relation("portBlocks", "set", "block")
        networks = e.constants(
            "networks", ["network", "family"],
            rows: [
                [NetworkCode.any.rawValue, 0], [NetworkCode.arp.rawValue, 1], [NetworkCode.ip.rawValue, 4], [NetworkCode.ip.rawValue, 6],
                [NetworkCode.ipv4.rawValue, 4], [NetworkCode.ipv6.rawValue, 6],
            ])
    }
}

/// The networks that access rules speak of.
enum NetworkCode: UInt64 { case any, arp, ip, ipv4, ipv6 }

/// The tables between and at the end of the rules: logical forwarding, and what each host needs (spec 000-079).
///
/// Every row of an output table stands for one or a few flow entries; `EntryWriter` writes them when somebody wants them.
struct ForwardingTables {
    /// Table 5535.
    let portMACs: Relation
    /// What a switch or router is, for the entries that each has.
    let switchBases: Relation
    let routerBases: Relation
    /// With the host where the port's packets come in.
    let portSecurity: Relation
    let addressSecurity: Relation
    let access: Relation
    let responders: Relation
    /// Rows 6101 and 6208, and those of workloads.
    let forwarding: Relation
    let unknownAddresses: Relation
    let egressHosts: Relation
    /// Rows 6102, 6103, 6209, 6210.
    let linkEntries: Relation
    /// Links into a datapath that is elsewhere: a central router, with the host.
    let distantLinks: Relation
    /// Where packets go on that come to a datapath from another host: behind the link by whose near port they left the other datapath.
    let resumptions: Relation
    let floodHosts: Relation
    let routerAdmissions: Relation
    let ownAddresses: Relation
    let policyEntries: Relation
    /// Table 5540.
    let routes: Relation
    /// Table 5550.
    let nextHops: Relation
    let resolutions: Relation
    /// Of addresses on switches that are walked through at the last hop, with the host (B82).
    let distantResolutions: Relation
    /// Rows 6104 and 6211: who asks for an address in a port's subnet.
    let unresolved: Relation

    /// Members of sets and lists.
    let members: Relation

    // Of hosts.
    let localPorts: Relation
    /// Ports of in-line elements with where packets from there go on: in a datapath as if they had come by its port; or, with a distant host, there, by
    /// the port that leads to it and the stage that is complete.
    let inLinePorts: Relation
    let hostComponents: Relation
    let hostDatapaths: Relation
    let tunnels: Relation
    /// What a host's packets may need the pool node for.
    let crossings: Relation
    /// Hosts that have no tunnel to each other, with the pool node.
    let relayed: Relation
    /// The hosts for which the pool node relays.
    let relays: Relation
    /// Tunnels whose packets go to the pool node while the other end does not answer.
    let watched: Relation
    /// The other ends that a host watches.
    let watches: Relation
    let floodMembers: Relation

    init(_ e: TableEngine) {
        portMACs = e.relation("portMACs", "datapath", "port", "mac", isOutput: true)
        switchBases = e.relation("switchBases", "datapath", "shape", isOutput: true)
        routerBases = e.relation("routerBases", "datapath", "shape", isOutput: true)
        portSecurity = e.relation("portSecurity", "datapath", "port", "mac", "security", "host", isOutput: true)
        addressSecurity = e.relation("addressSecurity", "datapath", "port", "mac", "family", "high", "low", "host", isOutput: true)
        access = e.relation(
            "access", "datapath", "rule", "shape", "port", "priority", "lengths", "sourceHigh", "sourceLow", "destinationHigh", "destinationLow",
            "ports", "extras", isOutput: true)
        responders = e.relation("responders", "datapath", "family", "high", "low", "mac", "floods", isOutput: true)
        forwarding = e.relation("forwarding", "datapath", "mac", "port", "isLastHop", isOutput: true)
        unknownAddresses = e.relation("unknownAddresses", "datapath", "port", isOutput: true)
        egressHosts = e.relation("egressHosts", "datapath", "port", "host", isOutput: true)
        linkEntries = e.relation("linkEntries", "datapath", "port", "peerDatapath", "peer", "isRouter", isOutput: true)
        distantLinks = e.relation("distantLinks", "datapath", "port", "host", "stage", isOutput: true)
        resumptions = e.relation("resumptions", "datapath", "peer", "port", "isRouter", "stage", isOutput: true)
        floodHosts = e.relation("floodHosts", "datapath", "host", isOutput: true)
        routerAdmissions = e.relation("routerAdmissions", "datapath", "port", "mac", isOutput: true)
        ownAddresses = e.relation("ownAddresses", "datapath", "family", "high", "low", isOutput: true)
        policyEntries = e.relation(
            "policyEntries", "datapath", "policy", "priority", "ingress", "lengths", "sourceHigh", "sourceLow", "destinationHigh",
            "destinationLow", "nextHop", isOutput: true)
        routes = e.relation("routes", "datapath", "family", "high", "low", "length", "priority", "nextHop", isOutput: true)
        nextHops = e.relation("nextHops", "datapath", "nextHop", "family", "high", "low", "port", "mac", isOutput: true)
        resolutions = e.relation("resolutions", "datapath", "port", "family", "high", "low", "mac", isOutput: true)
        distantResolutions = e.relation("distantResolutions", "datapath", "port", "family", "high", "low", "mac", "host", isOutput: true)
        unresolved = e.relation("unresolved", "datapath", "port", "family", "high", "low", "length", isOutput: true)
        members = e.relation("members", "set", "family", "high", "low", "length")
        localPorts = e.relation("localPorts", "host", "datapath", "port", "queue", "rate", isOutput: true)
        inLinePorts = e.relation(
            "inLinePorts", "host", "datapath", "side", "port", "isRouter", "distantHost", "near", "stage", isOutput: true)
        hostComponents = e.relation("hostComponents", "host", "component", "zone")
        hostDatapaths = e.relation("hostDatapaths", "host", "datapath", isOutput: true)
        tunnels = e.relation("tunnels", "host", "remote", isOutput: true)
        crossings = e.relation("crossings", "host", "component", "zone", "pool")
        relayed = e.relation("relayed", "host", "remote", "pool", isOutput: true)
        relays = e.relation("relays", "host", "remote", isOutput: true)
        watched = e.relation("watched", "host", "remote", "pool", isOutput: true)
        watches = e.relation("watches", "host", "remote", isOutput: true)
        floodMembers = e.relation("floodMembers", "host", "datapath", "port", isOutput: true)
    }
}

/// Small values that share a column.
enum Packed {
    /// Family in bits 16 and up, prefix lengths of source and destination below.
    static func lengths(_ family: UInt64, _ source: UInt64, _ destination: UInt64) -> UInt64 { family << 16 | source << 8 | destination }
    static func lengths(_ v: UInt64) -> (family: UInt64, source: Int, destination: Int) { (v >> 16, Int(v >> 8 & 0xff), Int(v & 0xff)) }

    /// Value and mask of a block of transport ports; 0: any.
    static func block(_ value: UInt16, _ mask: UInt16) -> UInt64 { UInt64(value) << 16 | UInt64(mask) }
    /// Two blocks: of sources and destinations.
    static func ports(_ source: UInt64, _ destination: UInt64) -> UInt64 { source << 32 | destination }
}

/// What an access rule is, apart from addresses and ports.
struct AccessShape {
    var verdict: UInt64
    var isIngress: Bool
    var isRouter: Bool
    var transport: UInt8?

    var packed: UInt64 {
        verdict | (isIngress ? 1 << 8 : 0) | (isRouter ? 1 << 9 : 0) | (transport.map { 1 << 10 | UInt64($0) << 16 } ?? 0)
    }
    init(verdict: UInt64, isIngress: Bool, isRouter: Bool, transport: UInt8?) {
        self.verdict = verdict
        self.isIngress = isIngress
        self.isRouter = isRouter
        self.transport = transport
    }
    init(packed v: UInt64) {
        verdict = v & 0xff
        isIngress = v >> 8 & 1 != 0
        isRouter = v >> 9 & 1 != 0
        transport = v >> 10 & 1 != 0 ? UInt8(v >> 16 & 0xff) : nil
    }
}

/// The rarer fields of an access rule, kept by number.
struct AccessExtras: Hashable {
    var sourceMAC: UInt64?
    var destinationMAC: UInt64?
    var icmpType: UInt8?
    var icmpCode: UInt8?
}

/// How a switch treats frames without an owner, and the default verdict of a switch or router; bits.
struct SwitchShape: OptionSet {
    let rawValue: UInt64
    static let floodsUnknown = SwitchShape(rawValue: 1)
    static let floodsBroadcast = SwitchShape(rawValue: 2)
    static let floodsMulticast = SwitchShape(rawValue: 4)
    static let dropsByDefault = SwitchShape(rawValue: 8)
    /// Egress access rules at the last hop (B81).
    static let lastHopAccess = SwitchShape(rawValue: 16)
    /// Walked through at the last hop by what comes from a router (B82).
    static let atLastHop = SwitchShape(rawValue: 32)
    /// Requests for router ports are copied to all ports besides being answered (B104).
    static let floodsRouterRequests = SwitchShape(rawValue: 64)
    /// A router that is on one host.
    static let isCentral = SwitchShape(rawValue: 128)
    /// Every shape that a router may have.
    static let ofRouters: [SwitchShape] = [[], .dropsByDefault, .isCentral, [.dropsByDefault, .isCentral]]
}

/// What a workload's port is held to.
enum PortSecurityMode: UInt64 {
    case none
    /// Its MAC.
    case mac
    /// Its MAC and addresses.
    case addresses
}
