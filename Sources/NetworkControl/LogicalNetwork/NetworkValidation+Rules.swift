import Wire

extension NetworkValidation {
    mutating func checkAccess(_ list: AccessList, of owner: String, ports: Set<String>, in scope: TenantScope) {
        checkNames("rule", list.rules.map { ($0.name, $0.place) })
        if list.rules.count > NetworkLimits.rules { fault(list.rules[0].place, "\(owner) has more than \(NetworkLimits.rules) rules") }
        if list.defaultVerdict == .reject { fault(list.rules.first?.place ?? .none, "\(owner): the default verdict is allow or drop") }
        for rule in list.rules { checkRule(rule, of: owner, ports: ports, in: scope) }
    }

    private mutating func checkRule(_ rule: AccessRule, of owner: String, ports: Set<String>, in scope: TenantScope) {
        let what = "\(owner): rule \(rule.name)"
        if let port = rule.port, !ports.contains(port) { fault(rule.place, "\(what): there is no port '\(port)'") }
        checkTerms(rule.sources + rule.destinations, what, rule.place, scope)
        let hasPorts = !rule.sourcePorts.isEmpty || !rule.destinationPorts.isEmpty
        if hasPorts, ![6, 17, 132].contains(rule.transport) { fault(rule.place, "\(what): only tcp, udp and sctp have ports") }
        for range in rule.sourcePorts + rule.destinationPorts where range.first > range.last {
            fault(rule.place, "\(what): ports \(range.first)-\(range.last): the last is before the first")
        }
        if rule.icmpType != nil || rule.icmpCode != nil, ![1, 58].contains(rule.transport) {
            fault(rule.place, "\(what): only icmp and icmpv6 have types and codes")
        }
        if rule.icmpCode != nil, rule.icmpType == nil { fault(rule.place, "\(what): a code needs its type") }
        let families = Set((rule.sources + rule.destinations).flatMap { self.families($0, scope) })
        switch rule.network {
        case .arp:
            if rule.transport != nil || !families.isEmpty { fault(rule.place, "\(what): arp has no IP addresses, protocols or ports") }
        case .ip(let family?):
            if let other = families.first(where: { $0 != family }) {
                fault(rule.place, "\(what): is about \(family == .ipv4 ? "IPv4" : "IPv6"), but has \(other == .ipv4 ? "IPv4" : "IPv6") addresses")
            }
        case .any, .ip(nil): break
        }
        if rule.verdict == .reject, rule.network == .arp { fault(rule.place, "\(what): arp cannot be rejected, only dropped") }
        let sources = Set(rule.sources.flatMap { self.families($0, scope) })
        let destinations = Set(rule.destinations.flatMap { self.families($0, scope) })
        if !sources.isEmpty, !destinations.isEmpty, sources.isDisjoint(with: destinations) {
            fault(rule.place, "\(what): no packet goes from one address family to the other")
        }
        let count =
            max(1, size(rule.sources, scope)) * max(1, size(rule.destinations, scope))
            * max(1, rule.sourcePorts.reduce(0) { $0 + $1.blockCount }) * max(1, rule.destinationPorts.reduce(0) { $0 + $1.blockCount })
        if count > NetworkLimits.entriesPerRule {
            fault(rule.place, "\(what) would become \(count) entries; \(NetworkLimits.entriesPerRule) are the most")
        }
    }

    mutating func checkTerms(_ terms: [AddressTerm], _ what: String, _ place: Place, _ scope: TenantScope) {
        for term in terms {
            switch term {
            case .prefix(let prefix):
                if prefix != prefix.subnet { fault(place, "\(what): \(prefix) has bits behind its prefix; the subnet is \(prefix.subnet)") }
            case .set(let name):
                if scope.sets[name] == nil { fault(place, "\(what): there is no address set '\(name)'") }
            }
        }
    }

    private func families(_ term: AddressTerm, _ scope: TenantScope) -> Set<IPAddress.Family> {
        switch term {
        case .prefix(let prefix): [prefix.address.family]
        case .set(let name): Set((scope.sets[name]?.members ?? []).map(\.address.family))
        }
    }

    private func size(_ terms: [AddressTerm], _ scope: TenantScope) -> Int {
        terms.reduce(0) { n, term in
            if case .set(let name) = term { n + (scope.sets[name]?.members.count ?? 0) } else { n + 1 }
        }
    }
}

extension AccessRule.PortRange {
    /// How many blocks the range is; one for a range that is none.
    fileprivate var blockCount: Int { first > last ? 1 : blocks.count }
}
