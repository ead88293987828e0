import Wire

/// An L3 element that joins logical switches and other routers (spec 000-004, A-051).
public struct LogicalRouter: Hashable, Sendable {
    public var name: String
    public var ports: [RouterPort]
    public var routes: [StaticRoute]
    public var policies: [PolicyRoute]
    public var access: AccessList
    /// The host where all packets walk through it (a central router, spec 001b §4.1); nil: each packet's first hop.
    public var host: String?
    public var place: Place
    public init(
        name: String, ports: [RouterPort] = [], routes: [StaticRoute] = [], policies: [PolicyRoute] = [], access: AccessList = AccessList(),
        host: String? = nil, place: Place = .none
    ) {
        self.name = name
        self.host = host
        self.ports = ports
        self.routes = routes
        self.policies = policies
        self.access = access
        self.place = place
    }
}

/// A port of a logical router. Its prefixes say which subnets are behind it (spec A-054).
public struct RouterPort: Hashable, Sendable {
    /// What it is coupled to (spec A-052, B150).
    public enum Peer: Hashable, Sendable {
        case logicalSwitch(String)
        case router(String, port: String)
    }
    public var name: String
    /// nil: made from the names (spec B114).
    public var mac: MACAddress?
    public var addresses: [AddressPrefix]
    public var peer: Peer
    /// On the wire between the two.
    public var inLine: InLineElement?
    public var place: Place
    public init(
        name: String, mac: MACAddress? = nil, addresses: [AddressPrefix], peer: Peer, inLine: InLineElement? = nil, place: Place = .none
    ) {
        self.name = name
        self.mac = mac
        self.addresses = addresses
        self.peer = peer
        self.inLine = inLine
        self.place = place
    }
}

/// Where packets to a prefix go (spec A-032).
public struct StaticRoute: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        case via(IPAddress)
        case drop
    }
    public var prefix: AddressPrefix
    public var target: Target
    public var place: Place
    public init(prefix: AddressPrefix, target: Target, place: Place = .none) {
        self.prefix = prefix
        self.target = target
        self.place = place
    }
}

/// A route by more than the destination; it outranks prefixes, and the first of a router's policies that fits acts (spec FW-020…FW-028).
public struct PolicyRoute: Hashable, Sendable {
    public var name: String
    /// The router port by which the packet came; nil: any (FW-022, FW-029).
    public var ingress: String?
    /// Any of these; empty: any source (FW-021).
    public var sources: [AddressTerm]
    public var destinations: [AddressTerm]
    /// None of these (FW-023).
    public var notDestinations: [AddressTerm]
    public var target: StaticRoute.Target
    public var place: Place
    public init(
        name: String, ingress: String? = nil, sources: [AddressTerm] = [], destinations: [AddressTerm] = [], notDestinations: [AddressTerm] = [],
        target: StaticRoute.Target, place: Place = .none
    ) {
        self.name = name
        self.ingress = ingress
        self.sources = sources
        self.destinations = destinations
        self.notDestinations = notDestinations
        self.target = target
        self.place = place
    }
}

/// A prefix, or the name of a set of them.
public enum AddressTerm: Hashable, Sendable {
    case prefix(AddressPrefix)
    case set(String)
}
