import LogicalNetwork

/// A part of a network that is put and removed as one: what an API call is about, and the unit of comparison between two versions of a network.
///
/// The rows of an element depend on nothing but the element and the numbers of the names in it, so that one change costs one element.
/// Indirect, since networks hold many and dictionaries move them.
public indirect enum NetworkElement: Hashable, Sendable {
    case host(Host)
    case addressSet(tenant: String, AddressSet)
    case logicalSwitch(tenant: String, name: String, SwitchTraits)
    case switchPort(tenant: String, owner: String, SwitchPort)
    case neighbor(tenant: String, owner: String, Neighbor)
    case router(tenant: String, name: String, defaultVerdict: AccessRule.Verdict, host: String? = nil)
    /// `isDirect`: nothing is on the wire, whichever end it was said at.
    case routerPort(tenant: String, owner: String, RouterPort, isDirect: Bool = true)
    case inLinePort(tenant: String, owner: String, RouterPort, InLineElement.Side)
    case route(tenant: String, owner: String, StaticRoute)
    case policy(tenant: String, owner: String, position: Int, PolicyRoute, exceptions: [AddressPrefix])
    case accessRule(tenant: String, owner: String, position: Int, AccessRule, isRouter: Bool)

    /// A switch without its ports, neighbours and rules.
    public struct SwitchTraits: Hashable, Sendable {
        public var unknown: LogicalSwitch.Spread
        public var broadcast: LogicalSwitch.Spread
        public var multicast: LogicalSwitch.Spread
        public var defaultVerdict: AccessRule.Verdict
        public var egressAccess = LogicalSwitch.EgressAccess.firstHop
        public var placement = LogicalSwitch.Placement.firstHop
        public var routerRequests = LogicalSwitch.RouterRequests.answer
    }

    /// The name under which there is only one.
    public var path: String {
        switch self {
        case .host(let host): "host " + host.name
        case .addressSet(let tenant, let set): "set " + Path.of(tenant, set.name)
        case .logicalSwitch(let tenant, let name, _): "switch " + Path.of(tenant, name)
        case .switchPort(let tenant, let owner, let port): "port " + Path.of(tenant, owner, port.name)
        case .neighbor(let tenant, let owner, let neighbor): "neighbor " + Path.of(tenant, owner, "\(neighbor.address)")
        case .router(let tenant, let name, _, _): "router " + Path.of(tenant, name)
        case .routerPort(let tenant, let owner, let port, _): "router port " + Path.of(tenant, owner, port.name)
        case .inLinePort(let tenant, let owner, let port, let side): "in-line port " + Path.of(tenant, owner, port.name(of: side))
        case .route(let tenant, let owner, let route): "route " + Path.of(tenant, owner, "\(route.prefix)")
        case .policy(let tenant, let owner, _, let policy, _): "policy " + Path.of(tenant, owner, policy.name)
        case .accessRule(let tenant, let owner, _, let rule, _): "rule " + Path.of(tenant, owner, rule.name)
        }
    }
}

/// Names of things within things.
enum Path {
    static func of(_ tenant: String, _ name: String) -> String { tenant + "/" + name }
    static func of(_ tenant: String, _ owner: String, _ name: String) -> String { tenant + "/" + owner + "/" + name }
    /// The switch's side of a link to a router port. No name has a colon, so nobody else's is the same.
    static func patch(_ tenant: String, _ logicalSwitch: String, router: String, port: String) -> String {
        of(tenant, logicalSwitch, ":" + router + "/" + port)
    }
}

extension NetworkDescription {
    /// Every element, in the order of the file.
    public func forEachElement(_ body: (NetworkElement) -> Void) {
        for host in hosts { body(.host(host)) }
        for tenant in tenants {
            let t = tenant.name
            for set in tenant.addressSets { body(.addressSet(tenant: t, set)) }
            for s in tenant.switches {
                let traits = NetworkElement.SwitchTraits(
                    unknown: s.unknown, broadcast: s.broadcast, multicast: s.multicast, defaultVerdict: s.access.defaultVerdict,
                    egressAccess: s.egressAccess, placement: s.placement, routerRequests: s.routerRequests)
                body(.logicalSwitch(tenant: t, name: s.name, traits))
                for port in s.ports { body(.switchPort(tenant: t, owner: s.name, port)) }
                for neighbor in s.neighbors { body(.neighbor(tenant: t, owner: s.name, neighbor)) }
                for (i, rule) in s.access.rules.enumerated() {
                    body(.accessRule(tenant: t, owner: s.name, position: i, rule, isRouter: false))
                }
            }
            let elements = Set(tenant.inLineElements.map { Path.of($0.router, $0.port.name) })
            for r in tenant.routers {
                body(.router(tenant: t, name: r.name, defaultVerdict: r.access.defaultVerdict, host: r.host))
                for port in r.ports {
                    var isDirect = port.inLine == nil
                    if isDirect, !elements.isEmpty, case .router(let other, let peer) = port.peer {
                        isDirect = !elements.contains(Path.of(other, peer))
                    }
                    body(.routerPort(tenant: t, owner: r.name, port, isDirect: isDirect))
                    guard port.inLine != nil else { continue }
                    for side in InLineElement.Side.allCases { body(.inLinePort(tenant: t, owner: r.name, port, side)) }
                }
                for route in r.routes { body(.route(tenant: t, owner: r.name, route)) }
                for (i, policy) in r.policies.enumerated() {
                    let exceptions = policy.notDestinations.flatMap { term -> [AddressPrefix] in
                        switch term {
                        case .prefix(let prefix): [prefix]
                        case .set(let name): tenant.addressSets.first { $0.name == name }?.members ?? []
                        }
                    }
                    let destinations = policy.destinations.flatMap { term -> [AddressTerm] in
                        guard !exceptions.isEmpty, case .set(let name) = term else { return [term] }
                        return (tenant.addressSets.first { $0.name == name }?.members ?? []).map(AddressTerm.prefix)
                    }
                    var resolved = policy
                    resolved.destinations = destinations
                    body(.policy(tenant: t, owner: r.name, position: i, resolved, exceptions: exceptions))
                }
                for (i, rule) in r.access.rules.enumerated() {
                    body(.accessRule(tenant: t, owner: r.name, position: i, rule, isRouter: true))
                }
            }
        }
    }
}
