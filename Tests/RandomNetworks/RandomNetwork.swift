import LogicalNetwork
import Wire

/// Random networks and random edits of them; an edit that would make the network invalid is not made.
public struct RandomNetwork {
    private var state: UInt64
    public private(set) var network = NetworkDescription()
    private var counter = 0

    public init(seed: UInt64) {
        state = seed
        for i in 0..<3 { network.hosts.append(Host(name: "h\(i)", address: IPAddress("192.0.2.\(i + 1)")!, queues: [HostQueue(number: 1)])) }
        for t in 0..<2 {
            var tenant = Tenant(name: "t\(t)")
            tenant.addressSets = [AddressSet(name: "set", members: [AddressPrefix("10.0.1.0/28")!, AddressPrefix("2001:db8::/64")!])]
            tenant.switches = (0..<3).map { LogicalSwitch(name: "s\($0)") }
            tenant.routers = (0..<2).map { LogicalRouter(name: "r\($0)") }
            network.tenants.append(tenant)
        }
    }

    private mutating func next(_ n: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ z >> 31) % UInt64(n))
    }

    private mutating func pick<T>(_ items: [T]) -> T { items[next(items.count)] }

    /// Makes one valid edit.
    public mutating func edit() {
        while true {
            var changed = network
            change(&changed)
            if (try? changed.validate()) != nil {
                network = changed
                return
            }
        }
    }

    /// Puts a switch or router elsewhere, or hosts into other zones.
    private mutating func place(_ n: inout NetworkDescription, _ t: Int, _ s: Int, _ r: Int) {
        switch next(6) {
        case 4, 5: if !n.tenants[t].routers[r].ports.isEmpty { toggleInLine(&n, t, r, next(n.tenants[t].routers[r].ports.count)) }
        case 0: n.tenants[t].switches[s].placement = pick([.firstHop, .lastHop])
        case 1: n.tenants[t].routers[r].host = next(2) == 0 ? nil : "h\(next(3))"
        case 2: n.tenants[t].switches[s].routerRequests = pick([.answer, .flood])
        default:
            let pool = next(4)
            for h in 0..<3 {
                n.hosts[h].isPool = h == pool
                n.hosts[h].zone = pool < 3 ? pick(["", "east"]) : ""
            }
        }
    }

    /// Puts an element on a router port's wire, or takes it away.
    private mutating func toggleInLine(_ n: inout NetworkDescription, _ t: Int, _ r: Int, _ p: Int) {
        let isThere = n.tenants[t].routers[r].ports[p].inLine != nil
        n.tenants[t].routers[r].ports[p].inLine = isThere ? nil : InLineElement(host: "h\(next(3))", routerSide: nil, peerSide: nil)
    }

    /// The same network with everything placed anew, as valid as before.
    public mutating func placedAnew(_ network: NetworkDescription) -> NetworkDescription {
        while true {
            var other = network
            for t in other.tenants.indices {
                for s in other.tenants[t].switches.indices { other.tenants[t].switches[s].placement = pick([.firstHop, .lastHop, .lastHop]) }
                for s in other.tenants[t].switches.indices { other.tenants[t].switches[s].egressAccess = pick([.firstHop, .lastHop]) }
                for r in other.tenants[t].routers.indices { other.tenants[t].routers[r].host = pick([nil, "h0", "h1", "h2"]) }
                for r in other.tenants[t].routers.indices {
                    for (p, port) in other.tenants[t].routers[r].ports.enumerated() where next(4) == 0 {
                        let mayHaveOne =
                            switch port.peer {
                            case .logicalSwitch(let name): other.tenants[t].switches.contains { $0.name == name && $0.placement == .firstHop }
                            case .router: r == 0
                            }
                        if mayHaveOne { toggleInLine(&other, t, r, p) }
                    }
                }
            }
            let pool = next(4)
            for h in 0..<3 {
                other.hosts[h].isPool = h == pool
                other.hosts[h].zone = pool < 3 ? pick(["", "east", "west"]) : ""
            }
            if (try? other.validate()) != nil { return other }
        }
    }

    /// A packet that some port may send: its port, and whom it is for.
    public mutating func packet(_ n: NetworkDescription) -> (tenant: Int, owner: Int, port: SwitchPort, to: SwitchPort, toOwner: Int, kind: Int)? {
        let t = next(2), s = next(3), other = next(3)
        guard !n.tenants[t].switches[s].ports.isEmpty, !n.tenants[t].switches[other].ports.isEmpty else { return nil }
        return (t, s, pick(n.tenants[t].switches[s].ports), pick(n.tenants[t].switches[other].ports), other, next(6))
    }

    private mutating func change(_ n: inout NetworkDescription) {
        counter += 1
        let t = next(n.tenants.count)
        let s = next(3)
        let r = next(2)
        switch next(21) {
        case 0...4:
            let number = next(12)
            let host = next(5) == 0 ? nil : "h\(next(3))"
            n.tenants[t].switches[s].ports.append(
                SwitchPort(
                    name: "p\(number)", mac: MACAddress(0x0200_0000_0000 + UInt64(number)),
                    addresses: next(4) == 0 ? [] : [IPAddress("10.0.\(s).\(10 + number)")!, IPAddress("2001:db8:0:\(s)::\(number + 10)")!],
                    host: host,
                    isSecured: next(3) != 0, queue: next(3) == 0 ? 1 : nil, rateKilobits: next(3) == 0 ? 1000 : nil))
        case 5, 6:
            if !n.tenants[t].switches[s].ports.isEmpty { n.tenants[t].switches[s].ports.remove(at: next(n.tenants[t].switches[s].ports.count)) }
        case 7:
            guard !n.tenants[t].switches[s].ports.isEmpty else { return }
            let p = next(n.tenants[t].switches[s].ports.count)
            n.tenants[t].switches[s].ports[p].host = next(4) == 0 ? nil : "h\(next(3))"
            n.tenants[t].switches[s].ports[p].isSecured.toggle()
        case 8, 9:
            n.tenants[t].routers[r].ports.append(
                RouterPort(
                    name: "to-s\(s)", mac: next(2) == 0 ? nil : MACAddress(0x0201_0000_0000 + UInt64(r * 16 + s)),
                    addresses: [AddressPrefix("10.0.\(s).\(1 + r)/24")!, AddressPrefix("2001:db8:0:\(s)::\(1 + r)/64")!],
                    peer: .logicalSwitch("s\(s)")))
        case 10:
            if !n.tenants[t].routers[r].ports.isEmpty { n.tenants[t].routers[r].ports.remove(at: next(n.tenants[t].routers[r].ports.count)) }
        case 11:
            n.tenants[t].routers[r].routes.append(
                StaticRoute(
                    prefix: AddressPrefix("10.\(100 + next(4)).0.0/16")!,
                    target: next(3) == 0 ? .drop : .via(IPAddress("10.0.\(s).\(pick([1, 2, 10, 11, 12]))")!)))
        case 12:
            if !n.tenants[t].routers[r].routes.isEmpty { n.tenants[t].routers[r].routes.removeLast() }
        case 13:
            n.tenants[t].routers[r].policies.insert(
                PolicyRoute(
                    name: "y\(next(4))", ingress: next(2) == 0 ? nil : "to-s\(s)", sources: next(2) == 0 ? [.set("set")] : [],
                    destinations: next(2) == 0 ? [.prefix(AddressPrefix("10.0.0.0/8")!)] : [],
                    notDestinations: next(2) == 0 ? [.prefix(AddressPrefix("10.0.2.0/24")!)] : [],
                    target: next(2) == 0 ? .drop : .via(IPAddress("10.0.\(s).\(pick([10, 11, 12]))")!)), at: 0)
        case 14: if !n.tenants[t].routers[r].policies.isEmpty { n.tenants[t].routers[r].policies.removeFirst() }
        case 15, 16:
            let rule = AccessRule(
                name: "a\(next(6))", direction: next(2) == 0 ? .in : .out,
                port: next(2) == 0 ? nil : n.tenants[t].switches[s].ports.first?.name, verdict: pick([.allow, .drop, .reject]),
                network: .ip(nil), transport: 6, sources: next(2) == 0 ? [.set("set"), .prefix(AddressPrefix("10.9.0.0/16")!)] : [],
                destinations: next(3) == 0 ? [.set("set")] : [], destinationPorts: next(2) == 0 ? [.init(80, 443)] : [])
            let list = n.tenants[t].switches[s].access.rules
            n.tenants[t].switches[s].access.rules.insert(rule, at: next(list.count + 1))
        case 17: if !n.tenants[t].switches[s].access.rules.isEmpty { n.tenants[t].switches[s].access.rules.removeFirst() }
        case 18:
            if next(2) == 0 {
                n.tenants[t].addressSets[0].members = [AddressPrefix("10.0.\(next(3)).0/\(24 + next(8))")!.subnet]
            } else {
                n.tenants[t].switches[s].access.defaultVerdict = pick([.allow, .drop])
                n.tenants[t].switches[s].broadcast = pick([.flood, .drop])
                n.tenants[t].switches[s].egressAccess = pick([.firstHop, .lastHop])
            }
        case 19: place(&n, t, s, r)
        default:
            if next(2) == 0 {
                n.hosts[next(3)].address = IPAddress("192.0.2.\(1 + next(200))")!
            } else if let peer = n.tenants[t].routers[1 - r].ports.first(where: { $0.name == "peer" }) {
                _ = peer
                n.tenants[t].routers[0].ports.removeAll { $0.name == "peer" }
                n.tenants[t].routers[1].ports.removeAll { $0.name == "peer" }
            } else {
                n.tenants[t].routers[0].ports.append(
                    RouterPort(name: "peer", addresses: [AddressPrefix("172.16.0.1/30")!], peer: .router("r1", port: "peer")))
                n.tenants[t].routers[1].ports.append(
                    RouterPort(name: "peer", addresses: [AddressPrefix("172.16.0.2/30")!], peer: .router("r0", port: "peer")))
            }
        }
    }
}
