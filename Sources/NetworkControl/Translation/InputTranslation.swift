import LogicalNetwork
import TableEngine
import Wire

/// Elements to rows of the input tables (spec B112, H4).
///
/// Names become numbers; lists of prefixes and ports become sets with a number, of which 0 is "any". The rows of an element are computed again when it goes,
/// from the same names, which keep their numbers until `releaseNames`. Within one change elements go before others come.
struct InputTranslation {
    private let tables: ControlTables
    private let extras: Interner<AccessExtras>
    /// Datapaths and ports.
    private(set) var ports: Identifiers
    private(set) var datapaths: Identifiers
    private(set) var hosts = Identifiers(limit: UInt64(NetworkLimits.hosts))
    /// Sets of addresses and ports, rules, policies: never on the wire.
    private(set) var symbols = Identifiers(limit: 0xffff_fffe)
    private(set) var graph = DatapathGraph()
    /// Names of elements that went in this change, and of those that came after them.
    private var released: [(keyPath: WritableKeyPath<InputTranslation, Identifiers>, name: String)] = []
    private var claimed: Set<String> = []

    init(tables: ControlTables, extras: Interner<AccessExtras>, numbers: NumberSpace) {
        ports = Identifiers(base: numbers.base, limit: numbers.identifiers)
        datapaths = Identifiers(base: numbers.base, limit: numbers.identifiers)
        self.tables = tables
        self.extras = extras
        tables.setMembers.insert([0, 0, 0, 0, 0])
        tables.portBlocks.insert([0, 0])
    }

    /// Lets names keep the numbers that they have elsewhere.
    mutating func takeNumbers(from other: InputTranslation) {
        ports = other.ports
        datapaths = other.datapaths
        hosts = other.hosts
        symbols = other.symbols
    }

    /// Lets a host have the number that it has everywhere.
    mutating func adopt(host name: String, number: UInt64) { hosts.adopt(name, UInt32(truncatingIfNeeded: number)) }

    /// What is kept over restarts.
    static var identifiers: [(kind: AssignedNumber.Kind, path: WritableKeyPath<InputTranslation, Identifiers>)] {
        [(.port, \.ports), (.datapath, \.datapaths), (.host, \.hosts), (.symbol, \.symbols)]
    }

    /// Numbers that were given out or back since the last call.
    mutating func takeNumberChanges(_ keyPath: WritableKeyPath<InputTranslation, Identifiers>) -> (
        names: [(name: String, number: UInt32?)], highest: Int
    ) {
        self[keyPath: keyPath].takeChanges()
    }

    /// Begins with numbers that were given out before.
    mutating func restore(_ keyPath: WritableKeyPath<InputTranslation, Identifiers>, _ all: [(name: String, number: UInt32)], highest: Int) {
        self[keyPath: keyPath].restore(all, highest: highest)
    }

    /// Puts (`amount` 1) or takes away (-1) the rows of an element.
    mutating func change(_ element: NetworkElement, by amount: Int32) {
        switch element {
        case .host(let host):
            let h = number(\.hosts, host.name, amount)
            tables.hosts.change([h, host.address.family.rawValue, host.address.high, host.address.low], by: amount)
            tables.zones.change([h, symbols.number(of: "zone " + host.zone)], by: amount)
            if host.isPool { tables.pools.change([h], by: amount) }
            if host.isPool, host.liveness != nil { tables.standIns.change([h], by: amount) }
        case .addressSet(let tenant, let set):
            let id = number(\.symbols, "set " + Path.of(tenant, set.name), amount)
            for prefix in Set(set.members) { changeMember(id, prefix, amount) }
        case .logicalSwitch(let tenant, let name, let traits):
            let d = number(\.datapaths, Path.of(tenant, name), amount)
            var shape: SwitchShape = []
            if traits.unknown == .flood { shape.insert(.floodsUnknown) }
            if traits.broadcast == .flood { shape.insert(.floodsBroadcast) }
            if traits.multicast == .flood { shape.insert(.floodsMulticast) }
            if traits.egressAccess == .lastHop { shape.insert(.lastHopAccess) }
            if traits.placement == .lastHop { shape.insert(.atLastHop) }
            if traits.routerRequests == .flood { shape.insert(.floodsRouterRequests) }
            if traits.defaultVerdict != .allow { shape.insert(.dropsByDefault) }
            tables.switches.change([d, shape.rawValue], by: amount)
            changeNode(d, amount)
        case .router(let tenant, let name, let verdict, let host):
            let d = number(\.datapaths, Path.of(tenant, name), amount)
            var shape: SwitchShape = verdict == .allow ? [] : .dropsByDefault
            if let host {
                shape.insert(.isCentral)
                tables.routerHosts.change([d, hosts.number(of: host)], by: amount)
            }
            tables.routers.change([d, shape.rawValue], by: amount)
            changeNode(d, amount)
        case .switchPort(let tenant, let owner, let port): changePort(port, Path.of(tenant, owner), amount)
        case .neighbor(let tenant, let owner, let neighbor):
            let d = datapaths.number(of: Path.of(tenant, owner))
            let a = neighbor.address
            tables.neighbors.change([d, a.family.rawValue, a.high, a.low, neighbor.mac.bits], by: amount)
        case .routerPort(let tenant, let owner, let port, let isDirect): changeRouterPort(port, tenant, owner, isDirect, amount)
        case .inLinePort(let tenant, let owner, let port, let side): changeInLinePort(port, side, tenant, owner, amount)
        case .route(let tenant, let owner, let route):
            let d = datapaths.number(of: Path.of(tenant, owner))
            let p = route.prefix.address
            let next = Self.nextHop(route.target)
            tables.staticRoutes.change(
                [d, p.family.rawValue, p.high, p.low, UInt64(route.prefix.length), next.isDrop, next.high, next.low], by: amount)
        case .policy(let tenant, let owner, let position, let policy, let exceptions):
            changePolicy(policy, element.path, tenant, owner, position, exceptions, amount)
        case .accessRule(let tenant, let owner, let position, let rule, let isRouter):
            changeRule(rule, element.path, tenant, owner, position, isRouter, amount)
        }
    }

    /// Brings the components of datapaths up to date; before the engine runs.
    mutating func settleComponents() {
        for change in graph.settle() {
            if let before = change.before { tables.components.remove([change.datapath, before]) }
            if let now = change.now { tables.components.insert([change.datapath, now]) }
        }
    }

    /// Gives back the numbers of elements that are gone; after the engine ran.
    mutating func releaseNames() {
        for (keyPath, name) in released where !claimed.contains(name) { self[keyPath: keyPath].release(name) }
        released = []
        claimed = []
    }

    /// The number of a name that the element brings into being.
    private mutating func number(_ keyPath: WritableKeyPath<InputTranslation, Identifiers>, _ name: String, _ amount: Int32) -> UInt64 {
        if amount < 0 { released.append((keyPath, name)) } else if !released.isEmpty { claimed.insert(name) }
        return self[keyPath: keyPath].number(of: name)
    }

    private mutating func changeNode(_ datapath: UInt64, _ amount: Int32) {
        if amount > 0 { graph.add(datapath) } else { graph.remove(datapath) }
    }

    private func changeMember(_ set: UInt64, _ prefix: AddressPrefix, _ amount: Int32) {
        let a = prefix.subnet.address
        tables.setMembers.change([set, a.family.rawValue, a.high, a.low, UInt64(prefix.length)], by: amount)
    }

    private mutating func changePort(_ port: SwitchPort, _ owner: String, _ amount: Int32) {
        let d = datapaths.number(of: owner)
        let p = number(\.ports, owner + "/" + port.name, amount)
        if port.isUplink {
            tables.uplinks.change([d, p], by: amount)
        } else if let mac = port.mac {
            let mode: PortSecurityMode = !port.isSecured ? .none : port.addresses.isEmpty ? .mac : .addresses
            tables.workloads.change([d, p, mac.bits, mode.rawValue], by: amount)
            for a in port.addresses { tables.workloadAddresses.change([d, p, a.family.rawValue, a.high, a.low], by: amount) }
        }
        if let host = port.host {
            // Queue 0 is a queue.
            let queue = port.queue.map { UInt64($0) + 1 } ?? 0
            tables.placements.change([d, p, hosts.number(of: host), queue, UInt64(port.rateKilobits ?? 0)], by: amount)
        }
    }

    private mutating func changeRouterPort(_ port: RouterPort, _ tenant: String, _ router: String, _ isDirect: Bool, _ amount: Int32) {
        let d = datapaths.number(of: Path.of(tenant, router))
        let name = Path.of(tenant, router, port.name)
        let p = number(\.ports, name, amount)
        tables.routerPorts.change([d, p, port.mac?.bits ?? 0, Self.seed(name)], by: amount)
        for prefix in port.addresses {
            let a = prefix.address
            tables.portAddresses.change([d, p, a.family.rawValue, a.high, a.low, UInt64(prefix.length)], by: amount)
        }
        switch port.peer {
        case .logicalSwitch(let s):
            let peerDatapath = datapaths.number(of: Path.of(tenant, s))
            let peer = number(\.ports, Path.patch(tenant, s, router: router, port: port.name), amount)
            tables.links.change([d, p, peerDatapath, peer], by: amount)
            tables.links.change([peerDatapath, peer, d, p], by: amount)
            if isDirect {
                tables.wires.change([d, p, peerDatapath, peer], by: amount)
                tables.wires.change([peerDatapath, peer, d, p], by: amount)
            }
            graph.change(d, peerDatapath, by: Int(amount))
        case .router(let other, let peerName):
            // The other side writes the row of its own direction.
            let peerDatapath = datapaths.number(of: Path.of(tenant, other))
            let peer = ports.number(of: Path.of(tenant, other, peerName))
            tables.links.change([d, p, peerDatapath, peer], by: amount)
            if isDirect { tables.wires.change([d, p, peerDatapath, peer], by: amount) }
            graph.change(d, peerDatapath, by: Int(amount))
        }
    }

    /// What goes to the element on a side leaves the datapath there by the end of the wire, and comes back into the one on the other side.
    private mutating func changeInLinePort(
        _ port: RouterPort, _ side: InLineElement.Side, _ tenant: String, _ router: String, _ amount: Int32
    ) {
        guard let element = port.inLine else { return }
        let s = number(\.ports, Path.of(tenant, router, port.name(of: side)), amount)
        let host = hosts.number(of: element.host)
        let end: (datapath: String, port: String) =
            switch (side, port.peer) {
            case (.router, _): (Path.of(tenant, router), Path.of(tenant, router, port.name))
            case (.peer, .logicalSwitch(let name)): (Path.of(tenant, name), Path.patch(tenant, name, router: router, port: port.name))
            case (.peer, .router(let name, let peer)): (Path.of(tenant, name), Path.of(tenant, name, peer))
            }
        let (d, p) = (datapaths.number(of: end.datapath), ports.number(of: end.port))
        tables.detours.change([d, p, s, host], by: amount)
        tables.returns.change([s, host, d, p], by: amount)
    }

    private static func nextHop(_ target: StaticRoute.Target) -> (isDrop: UInt64, high: UInt64, low: UInt64) {
        switch target {
        case .drop: (1, 0, 0)
        case .via(let address): (0, address.high, address.low)
        }
    }

    /// 64 bits of a name (FNV-1a), of which its MAC is made.
    static func seed(_ name: String) -> UInt64 {
        name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    private mutating func changePolicy(
        _ policy: PolicyRoute, _ path: String, _ tenant: String, _ owner: String, _ position: Int, _ exceptions: [AddressPrefix], _ amount: Int32
    ) {
        let d = datapaths.number(of: Path.of(tenant, owner))
        let id = number(\.symbols, path, amount)
        let ingress = policy.ingress.map { ports.number(of: Path.of(tenant, owner, $0)) } ?? 0
        let sources = changeTerms(policy.sources, path + " from", tenant, amount)
        var destinationTerms = policy.destinations
        if !exceptions.isEmpty {
            let wholes: [AddressPrefix] =
                destinationTerms.isEmpty
                ? [AddressPrefix("0.0.0.0/0")!, AddressPrefix("::/0")!]
                : destinationTerms.compactMap { if case .prefix(let prefix) = $0 { prefix } else { nil } }
            destinationTerms = wholes.flatMap { PrefixSubtraction.subtract(exceptions, from: $0) }.map(AddressTerm.prefix)
            // Everything is excepted.
            if destinationTerms.isEmpty { return }
        }
        let destinations = changeTerms(destinationTerms, path + " to", tenant, amount)
        let next = Self.nextHop(policy.target)
        let families: [IPAddress.Family] = if case .via(let address) = policy.target { [address.family] } else { [.ipv4, .ipv6] }
        for family in families {
            tables.policies.change(
                [
                    d, id, UInt64(NetworkLimits.policies - position), ingress, family.rawValue, sources, destinations, next.isDrop, next.high,
                    next.low,
                ], by: amount)
        }
    }

    /// The set of some terms: 0 for none, which is any; a named one for a single name; else one of its own.
    private mutating func changeTerms(_ terms: [AddressTerm], _ name: String, _ tenant: String, _ amount: Int32) -> UInt64 {
        if terms.isEmpty { return 0 }
        if terms.count == 1, case .set(let set) = terms[0] { return symbols.number(of: "set " + Path.of(tenant, set)) }
        let id = number(\.symbols, name, amount)
        for term in terms {
            switch term {
            case .prefix(let prefix): changeMember(id, prefix, amount)
            case .set(let set): tables.setIncludes.change([id, symbols.number(of: "set " + Path.of(tenant, set))], by: amount)
            }
        }
        return id
    }

    private mutating func changeRule(
        _ rule: AccessRule, _ path: String, _ tenant: String, _ owner: String, _ position: Int, _ isRouter: Bool, _ amount: Int32
    ) {
        let d = datapaths.number(of: Path.of(tenant, owner))
        let id = number(\.symbols, path, amount)
        let port = rule.port.map { ports.number(of: Path.of(tenant, owner, $0)) } ?? 0
        let verdict: UInt64 =
            switch rule.verdict {
            case .allow: 0
            case .drop: 1
            case .reject: 2
            }
        let shape = AccessShape(verdict: verdict, isIngress: rule.direction == .in, isRouter: isRouter, transport: rule.transport)
        let hasAddresses = !rule.sources.isEmpty || !rule.destinations.isEmpty
        let network: NetworkCode =
            switch rule.network {
            case .any: hasAddresses ? .ip : .any
            case .arp: .arp
            case .ip(.ipv4?): .ipv4
            case .ip(.ipv6?): .ipv6
            case .ip(nil): .ip
            }
        var extra: UInt64 = 0
        if rule.sourceMAC != nil || rule.destinationMAC != nil || rule.icmpType != nil || rule.icmpCode != nil {
            extra = extras.number(
                of: AccessExtras(
                    sourceMAC: rule.sourceMAC?.bits, destinationMAC: rule.destinationMAC?.bits, icmpType: rule.icmpType, icmpCode: rule.icmpCode))
        }
        tables.accessRules.change(
            [
                d, id, shape.packed, port, UInt64(EntryPriority.firstRule - position), network.rawValue,
                changeTerms(rule.sources, path + " from", tenant, amount), changeTerms(rule.destinations, path + " to", tenant, amount),
                changeBlocks(rule.sourcePorts, path + " from-ports", amount), changeBlocks(rule.destinationPorts, path + " to-ports", amount), extra,
            ], by: amount)
    }

    private mutating func changeBlocks(_ ranges: [AccessRule.PortRange], _ name: String, _ amount: Int32) -> UInt64 {
        if ranges.isEmpty { return 0 }
        let id = number(\.symbols, name, amount)
        for range in ranges {
            for block in range.blocks { tables.portBlocks.change([id, Packed.block(block.value, block.mask)], by: amount) }
        }
        return id
    }
}

/// The priorities of entries, where tables hold more than one kind.
enum EntryPriority {
    static let fallback = 0
    /// What is said of all packets of a datapath.
    static let base = 10
    static let normal = 50
    static let raised = 60
    static let high = 70
    static let highest = 80
    /// The first access rule; each following one is one lower. The default is at `fallback`, ARP and neighbour discovery pass at `base`.
    static let firstRule = 100 + NetworkLimits.rules
}
