import Wire

extension NetworkValidation {
    mutating func checkRouter(_ router: LogicalRouter, in scope: TenantScope) {
        checkNames("port", router.ports.map { ($0.name, $0.place) })
        if let host = router.host, !hostNames.contains(host) { fault(router.place, "router \(router.name): there is no host '\(host)'") }
        for port in router.ports {
            checkPort(port, of: router, scope)
            if let element = port.inLine { checkInLine(element, on: port, of: router, scope) }
        }
        checkSubnets(router)
        checkRoutes(router, scope)
        checkPolicies(router, scope)
        checkAccess(router.access, of: "router \(router.name)", ports: Set(router.ports.map(\.name)), in: scope)
    }

    private mutating func checkPort(_ port: RouterPort, of router: LogicalRouter, _ scope: TenantScope) {
        let what = "port \(port.name) of router \(router.name)"
        if let mac = port.mac, mac.isGroup || mac.bits == 0 { fault(port.place, "\(what): \(mac) is no address of one port") }
        if port.addresses.isEmpty { fault(port.place, "\(what) has no addresses") }
        for prefix in port.addresses {
            let address = prefix.address
            if !address.isOfOneMachine {
                fault(port.place, "\(what): \(address) is no address of one port")
            } else if address == prefix.subnet.address, prefix.length < address.family.bits - 1 {
                fault(port.place, "\(what): \(address) is the address of the subnet \(prefix) itself")
            } else if address.family == .ipv4, prefix.length < 31,
                address == prefix.subnet.last
            {
                fault(port.place, "\(what): \(address) is the broadcast address of \(prefix.subnet)")
            }
        }
        switch port.peer {
        case .logicalSwitch(let name):
            if scope.switches[name] == nil { fault(port.place, "\(what): there is no switch '\(name)'") }
        case .router(let name, let peerName):
            guard let other = scope.routers[name] else {
                fault(port.place, "\(what): there is no router '\(name)'")
                return
            }
            guard let peer = other.ports.first(where: { $0.name == peerName }) else {
                fault(port.place, "\(what): router \(name) has no port '\(peerName)'")
                return
            }
            if peer.peer != .router(router.name, port: port.name) {
                fault(port.place, "\(what): port \(peerName) of router \(name) does not lead back to it")
            }
            if name < router.name || (name == router.name && peerName < port.name),
                !port.addresses.contains(where: { a in peer.addresses.contains { $0.subnet == a.subnet } })
            {
                fault(port.place, "\(what) has no subnet in common with port \(peerName) of router \(name), to which it leads")
            }
            if name == router.name, peerName == port.name { fault(port.place, "\(what) leads to itself") }
            if let mac = port.mac, mac == peer.mac { fault(port.place, "\(what) has the mac of its peer") }
            if let own = port.addresses.first(where: { a in peer.addresses.contains { $0.address == a.address } }) {
                fault(port.place, "\(what) has the address \(own.address) of its peer")
            }
        }
    }

    private mutating func checkInLine(_ element: InLineElement, on port: RouterPort, of router: LogicalRouter, _ scope: TenantScope) {
        let what = "in-line element at port \(port.name) of router \(router.name)"
        if !hostNames.contains(element.host) { fault(element.place, "\(what): there is no host '\(element.host)'") }
        for side in InLineElement.Side.allCases { checkAttachment(element.port(side), "\(what), \(side.rawValue)") }
        switch port.peer {
        case .logicalSwitch(let name):
            // The router would send past the wire, to the machine's host.
            if scope.switches[name]?.placement == .lastHop {
                fault(element.place, "\(what): packets from the router do not pass there, since switch \(name) has 'placement: last-hop'")
            }
        case .router(let name, let peer):
            if scope.routers[name]?.ports.first(where: { $0.name == peer })?.inLine != nil, (name, peer) < (router.name, port.name) {
                fault(element.place, "\(what): port \(peer) of router \(name), at the other end, has one already")
            }
        }
    }

    /// Two ports of a router never claim the same addresses: which one would a packet take? Link-local ones are of each link (RFC 4291 §2.5.6).
    private mutating func checkSubnets(_ router: LogicalRouter) {
        var earlier: [(prefix: AddressPrefix, port: String)] = []
        for port in router.ports {
            for prefix in port.addresses where !prefix.address.isLinkLocal {
                if let other = earlier.first(where: { $0.prefix.overlaps(prefix) }) {
                    fault(
                        port.place,
                        "router \(router.name): subnet \(prefix.subnet) of port \(port.name) overlaps \(other.prefix.subnet) of port \(other.port)")
                }
                earlier.append((prefix, port.name))
            }
        }
    }

    private mutating func checkRoutes(_ router: LogicalRouter, _ scope: TenantScope) {
        var seen: Set<AddressPrefix> = []
        for route in router.routes {
            let what = "router \(router.name): route to \(route.prefix)"
            if route.prefix != route.prefix.subnet { fault(route.place, "\(what) has bits behind its prefix; the subnet is \(route.prefix.subnet)") }
            if !seen.insert(route.prefix.subnet).inserted { fault(route.place, "\(what) is there twice") }
            if case .via(let next) = route.target, next.family != route.prefix.address.family {
                fault(route.place, "\(what): the next hop \(next) is of the other address family")
            }
            if let subnet = router.ports.lazy.flatMap(\.addresses).first(where: { $0.subnet == route.prefix.subnet }) {
                fault(route.place, "\(what): the router is itself in \(subnet.subnet)")
            }
            checkTarget(route.target, what, route.place, router, scope)
        }
    }

    /// A next hop must lie behind a port, and somebody there must have the address.
    private mutating func checkTarget(
        _ target: StaticRoute.Target, _ what: String, _ place: Place, _ router: LogicalRouter, _ scope: TenantScope
    ) {
        guard case .via(let next) = target else { return }
        guard let port = router.ports.first(where: { $0.addresses.contains { $0.contains(next) } }) else {
            fault(place, "\(what): the next hop \(next) is in no subnet of the router")
            return
        }
        if router.ports.contains(where: { $0.addresses.contains { $0.address == next } }) {
            fault(place, "\(what): the next hop \(next) is the router itself")
            return
        }
        switch port.peer {
        case .logicalSwitch(let name):
            guard let s = scope.switches[name] else { return }
            let isKnown =
                s.ports.contains { $0.addresses.contains(next) } || s.neighbors.contains { $0.address == next }
                || (scope.routerPorts[name] ?? []).contains { $0.port.addresses.contains { $0.address == next } }
            if !isKnown { fault(place, "\(what): no port, router or neighbor of switch \(name) has the next hop's address \(next)") }
        case .router(let name, let peerName):
            guard let peer = scope.routers[name]?.ports.first(where: { $0.name == peerName }) else { return }
            if !peer.addresses.contains(where: { $0.address == next }) {
                fault(place, "\(what): port \(peerName) of router \(name) does not have the next hop's address \(next)")
            }
        }
    }

    private mutating func checkPolicies(_ router: LogicalRouter, _ scope: TenantScope) {
        checkNames("policy", router.policies.map { ($0.name, $0.place) })
        if router.policies.count > NetworkLimits.policies {
            fault(router.place, "router \(router.name) has more than \(NetworkLimits.policies) policies")
        }
        for policy in router.policies {
            let what = "router \(router.name): policy \(policy.name)"
            if let port = policy.ingress, !router.ports.contains(where: { $0.name == port }) {
                fault(policy.place, "\(what): the router has no port '\(port)'")
            }
            checkTerms(policy.sources + policy.destinations + policy.notDestinations, what, policy.place, scope)
            if policy.target == .drop, policy.ingress == nil, policy.sources.isEmpty, policy.destinations.isEmpty, policy.notDestinations.isEmpty {
                fault(policy.place, "\(what) drops everything; a router that should forward nothing has no ports")
            }
            checkTarget(policy.target, what, policy.place, router, scope)
        }
    }
}
