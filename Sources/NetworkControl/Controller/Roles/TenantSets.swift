import LogicalNetwork
import Translation

/// Which tenant is of which set of datapaths. A tenant stays in its set; a new one comes into the set that has the fewest.
struct TenantSets: Equatable {
    private(set) var all: [String: Int] = [:]

    subscript(_ tenant: String) -> Int? { all[tenant] }
    func count(of set: Int) -> Int { all.values.count { $0 == set } }
    mutating func put(_ tenant: String, _ set: Int) { all[tenant] = set }

    /// Keeps these tenants, and gives each that is new a set out of some.
    mutating func settle(_ tenants: [String], among sets: [Int]) {
        let names = Set(tenants)
        all = all.filter { names.contains($0.key) }
        var counts = Dictionary(grouping: all.values, by: { $0 }).mapValues(\.count)
        for name in tenants where all[name] == nil {
            let set = sets.min { (counts[$0] ?? 0, $0) < (counts[$1] ?? 0, $1) }!
            all[name] = set
            counts[set, default: 0] += 1
        }
    }

    /// The part of a network that a set has: all hosts, and its tenants.
    func part(_ set: Int, of network: NetworkDescription) -> NetworkDescription {
        NetworkDescription(hosts: network.hosts, tenants: network.tenants.filter { all[$0.name] == set })
    }
}

extension NetworkElement {
    /// nil: hosts are of no tenant.
    var tenant: String? {
        switch self {
        case .host: nil
        case .addressSet(let tenant, _), .logicalSwitch(let tenant, _, _), .switchPort(let tenant, _, _), .neighbor(let tenant, _, _),
            .router(let tenant, _, _, _), .routerPort(let tenant, _, _, _), .inLinePort(let tenant, _, _, _), .route(let tenant, _, _),
            .policy(let tenant, _, _, _, _), .accessRule(let tenant, _, _, _, _):
            tenant
        }
    }

    /// Whether it may bring a port to a host.
    var isPortOfHost: Bool {
        switch self {
        case .switchPort, .inLinePort: true
        default: false
        }
    }
}
