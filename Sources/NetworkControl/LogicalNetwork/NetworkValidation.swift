import Wire

extension NetworkDescription {
    /// Checks everything that the elements demand of each other. All faults are told, not the first one.
    public func validate() throws(NetworkFaults) {
        var validation = NetworkValidation(network: self)
        validation.checkHosts()
        validation.checkTenants()
        if !validation.faults.isEmpty { throw NetworkFaults(validation.faults) }
    }

    /// Checks one tenant of a network that is right but for it; costs in proportion to the tenant.
    ///
    /// - Parameter others: what is attached to hosts; what the index has of the tenant itself does not count.
    public func validate(_ tenant: Tenant, others: AttachmentIndex) throws(NetworkFaults) {
        var validation = NetworkValidation(network: self, others: others)
        validation.checkNames("tenant", [(tenant.name, tenant.place)])
        validation.checkTenant(tenant)
        if !validation.faults.isEmpty { throw NetworkFaults(validation.faults) }
    }
}

/// Collects what is wrong with a network. The checks of switches, routers and rules are in the files beside.
struct NetworkValidation {
    let network: NetworkDescription
    var faults: [NetworkFault] = []
    private(set) var hostNames: Set<String> = []
    private var attachments = AttachmentIndex()
    /// What other tenants have, when only one is judged.
    private let others: AttachmentIndex?
    /// Of hosts that have any.
    private(set) var queues: [String: [HostQueue]]

    init(network: NetworkDescription, others: AttachmentIndex? = nil) {
        self.network = network
        self.others = others
        if others != nil { hostNames = Set(network.hosts.map(\.name)) }
        queues = Dictionary(network.hosts.lazy.filter { !$0.queues.isEmpty }.map { ($0.name, $0.queues) }, uniquingKeysWith: { a, _ in a })
    }

    mutating func fault(_ place: Place, _ message: String) { faults.append(NetworkFault(place, message)) }

    /// Names differ, and are of letters, digits, `-`, `_` and `.`.
    mutating func checkNames(_ what: String, _ names: [(name: String, place: Place)]) {
        var seen: Set<String> = []
        for (name, place) in names {
            if name.isEmpty || name.utf8.count > NetworkLimits.nameLength || !name.utf8.allSatisfy(Self.isNameByte) {
                fault(place, "\(what) '\(name)': a name has 1 to \(NetworkLimits.nameLength) letters, digits, '-', '_' and '.'")
            }
            if !seen.insert(name).inserted { fault(place, "\(what) '\(name)' is there twice") }
        }
    }

    private static func isNameByte(_ b: UInt8) -> Bool {
        switch b {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
        default: false
        }
    }

    mutating func checkHosts() {
        checkNames("host", network.hosts.map { ($0.name, $0.place) })
        if network.hosts.count > NetworkLimits.hosts { fault(network.hosts[0].place, "there are more than \(NetworkLimits.hosts) hosts") }
        hostNames = Set(network.hosts.map(\.name))
        checkZones()
        var owners: [IPAddress: String] = [:]
        for host in network.hosts {
            checkQueues(host)
            if host.address.isMulticast || host.address.isUnspecified || host.address.isReserved {
                fault(host.place, "host \(host.name): \(host.address) is no address of one machine")
            }
            if let other = owners.updateValue(host.name, forKey: host.address) {
                fault(host.place, "host \(host.name) has the address \(host.address) of host \(other)")
            }
            if let first = network.hosts.first, host.address.family != first.address.family {
                fault(host.place, "host \(host.name): \(host.address) is of another address family than that of host \(first.name)")
            }
        }
    }

    /// Zones are joined by one pool node.
    private mutating func checkZones() {
        let pools = network.hosts.filter(\.isPool)
        for host in pools.dropFirst() { fault(host.place, "host \(host.name) is a pool node, and so is host \(pools[0].name): there is one") }
        if let pool = pools.first, pool.liveness != nil, network.hosts.count > NetworkLimits.watchedHosts {
            fault(
                pool.place,
                "host \(pool.name) can stand in for failed tunnels of \(NetworkLimits.watchedHosts) hosts, and there are \(network.hosts.count): say 'bfd: false'"
            )
        }
        guard pools.isEmpty, let first = network.hosts.first, let other = network.hosts.first(where: { $0.zone != first.zone }) else { return }
        fault(
            other.place,
            "host \(other.name) is in another zone than host \(first.name), and no host is a pool node, by which they would reach each other")
    }

    mutating func checkTenants() {
        checkNames("tenant", network.tenants.map { ($0.name, $0.place) })
        for tenant in network.tenants { checkTenant(tenant) }
    }

    /// Everything about one tenant; tenants share nothing but what is attached to hosts.
    mutating func checkTenant(_ tenant: Tenant) {
        checkNames("address set", tenant.addressSets.map { ($0.name, $0.place) })
        for set in tenant.addressSets { checkMembers(set) }
        // A datapath is a switch or a router, and both are asked for by name.
        checkNames("switch or router", tenant.switches.map { ($0.name, $0.place) } + tenant.routers.map { ($0.name, $0.place) })
        let scope = TenantScope(tenant)
        for s in tenant.switches {
            checkSwitch(s, in: scope)
            for port in s.ports { checkQueue(port) }
        }
        for r in tenant.routers { checkRouter(r, in: scope) }
        for attached in AttachmentIndex.attachments(of: tenant) {
            guard let other = attachments.claim(attached, tenant: tenant.name) ?? others?.owner(of: attached.key, besides: tenant.name) else {
                continue
            }
            fault(attached.place, "\(attached.what): \(attached.name) of host \(attached.host) is already port \(other)")
        }
    }

    private mutating func checkMembers(_ set: AddressSet) {
        for prefix in set.members where prefix != prefix.subnet {
            fault(set.place, "address set \(set.name): \(prefix) has bits behind its prefix; the subnet is \(prefix.subnet)")
        }
    }
}

/// A tenant's elements by name.
struct TenantScope {
    let tenant: Tenant
    let switches: [String: LogicalSwitch]
    let routers: [String: LogicalRouter]
    let sets: [String: AddressSet]
    /// Router ports by the switch that they are on.
    private(set) var routerPorts: [String: [(router: LogicalRouter, port: RouterPort)]] = [:]

    init(_ tenant: Tenant) {
        self.tenant = tenant
        switches = Dictionary(tenant.switches.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
        routers = Dictionary(tenant.routers.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
        sets = Dictionary(tenant.addressSets.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
        for router in tenant.routers {
            for port in router.ports {
                if case .logicalSwitch(let name) = port.peer { routerPorts[name, default: []].append((router, port)) }
            }
        }
    }
}
