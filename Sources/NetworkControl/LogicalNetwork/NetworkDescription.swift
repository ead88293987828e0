import Wire

/// What the tenants ask for and which hosts there are: the input of the controller (logical control plane, spec 001b §6.1, 000-053).
///
/// Elements know each other by name: a host by its own, everything else within its tenant. Lists keep the order of the file. Values say nothing about whether
/// they make sense together; `validate()` does.
public struct NetworkDescription: Hashable, Sendable {
    public var hosts: [Host]
    public var tenants: [Tenant]
    public init(hosts: [Host] = [], tenants: [Tenant] = []) {
        self.hosts = hosts
        self.tenants = tenants
    }
}

/// A machine with a forwarding element on it.
public struct Host: Hashable, Sendable {
    public var name: String
    /// Where tunnels to it end.
    public var address: IPAddress
    /// Hosts of one zone have tunnels to each other; those of different ones reach each other by way of the pool node (spec B21, B84, B85).
    public var zone: String
    /// Whether it relays between zones, and stands in for tunnels that fail.
    public var isPool: Bool
    /// Of the pool node: how hosts of one zone watch their tunnels, which it stands in for; nil: they do not.
    public var liveness: Liveness?
    /// The queues of its ports, by number; queue 0 is there in any case (spec A-098).
    public var queues: [HostQueue]
    public var place: Place

    /// Bidirectional Forwarding Detection between hosts.
    public struct Liveness: Hashable, Sendable {
        /// Between packets, 10 to 60,000.
        public var milliseconds: Int
        /// Packets that may be missed, 1 to 50.
        public var multiplier: Int
        public init(milliseconds: Int = 300, multiplier: Int = 3) {
            self.milliseconds = milliseconds
            self.multiplier = multiplier
        }
    }

    public init(
        name: String, address: IPAddress, zone: String = "", isPool: Bool = false, liveness: Liveness? = Liveness(), queues: [HostQueue] = [],
        place: Place = .none
    ) {
        self.name = name
        self.address = address
        self.zone = zone
        self.isPool = isPool
        self.liveness = liveness
        self.queues = queues
        self.place = place
    }
}

/// A user of the hosts. Tenants share nothing: names, addresses and MACs of one may be those of another (spec 000-002, B132).
public struct Tenant: Hashable, Sendable {
    public var name: String
    public var addressSets: [AddressSet]
    public var switches: [LogicalSwitch]
    public var routers: [LogicalRouter]
    public var place: Place
    public init(
        name: String, addressSets: [AddressSet] = [], switches: [LogicalSwitch] = [], routers: [LogicalRouter] = [], place: Place = .none
    ) {
        self.name = name
        self.addressSets = addressSets
        self.switches = switches
        self.routers = routers
        self.place = place
    }
}

/// Prefixes under a name, for access rules and policies: `$name`.
public struct AddressSet: Hashable, Sendable {
    public var name: String
    public var members: [AddressPrefix]
    public var place: Place
    public init(name: String, members: [AddressPrefix], place: Place = .none) {
        self.name = name
        self.members = members
        self.place = place
    }
}
