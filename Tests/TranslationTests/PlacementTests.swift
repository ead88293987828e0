import LogicalNetwork
import RandomNetworks
import Testing
import Wire

@testable import NetworkSimulation
@testable import Translation

/// Where stages run is configuration (spec 001b §4.1, §4.7, §4.8; B21, B81–B84, B104): the packets that arrive are the same, the ways differ.
@Suite struct PlacementTests {
    typealias W = WalkTests

    private static func tcp(_ port: Int, to: String = "10.0.2.10") -> [UInt8] {
        Frames.ethernet(W.vm1, W.toWeb, 0x0800, Frames.ipv4("10.0.1.10", to, protocol: 6, Frames.tcp(40_000, port)))
    }

    /// F46, F47: the first hop stops behind the router and knows only where the machine is.
    @Test func theDestinationSwitchMayBeWalkedThroughAtTheLastHop() throws {
        let net = try NetworkUnderTest.example()
        let usual = try net.delivered(Self.tcp(5432), from: "blue/web/vm1", to: "blue/db/vm4")
        try net.edit { $0.tenants[0].switches[1].placement = .lastHop }
        let before = (net.network.stagesUsed(host: "hostB"), net.network.tunnelCount)
        #expect(before.0.isDisjoint(with: [.switchIngressAccess, .forwarding]))
        #expect(try net.delivered(Self.tcp(5432), from: "blue/web/vm1", to: "blue/db/vm4") == usual)
        #expect(net.network.tunnelCount == before.1 + 1)
        #expect(
            net.network.stagesUsed(host: "hostB") == [
                .ingressMapping, .arrival, .switchIngressAccess, .responder, .forwarding, .switchEgressAccess, .egressMapping, .physicalMapping,
                .localDelivery,
            ])
        // A packet that a rule forbids crosses, and ends there (T32).
        let fate = try net.send(Self.tcp(80), from: "blue/web/vm1")
        guard case .dropped(let drop)? = fate.ends.first else {
            Issue.record("\(fate)")
            return
        }
        #expect(fate.hosts == ["hostA", "hostB"] && drop.host == "hostB" && drop.meaning == "default of blue/db, out")
        // A machine on the first hop itself: nothing leaves the host.
        let crossed = net.network.tunnelCount
        let local = try net.delivered(W.ping("10.0.2.11", mac: W.toWeb), from: "blue/web/vm1", to: "blue/db/vm3")
        #expect(Frames.source(local) == W.toDB && Frames.ttl(local) == 63 && net.network.tunnelCount == crossed)
        // Refused there, answered from there.
        #expect(try net.ended(Self.tcp(23), from: "blue/web/vm1").meaning == "rule blue/db/no-telnet")
    }

    /// (B83) The price and the gain: hosts without a port of the switch have none of its entries.
    @Test func hostsWithoutAPortOfALastHopSwitchHaveNothingOfIt() throws {
        let net = try NetworkUnderTest.example()
        func entries(_ host: String, of name: String) throws -> Int {
            let d = try #require(net.translation.input.datapaths.existing(name))
            return try #require(net.translation.program(host: host)).entries.count { Cookie(value: $0.cookie).datapath == d }
        }
        try net.edit { $0.tenants[0].switches[1].ports.removeFirst() }
        #expect(try entries("hostA", of: "blue/db") > 10)
        try net.edit { $0.tenants[0].switches[1].placement = .lastHop }
        #expect(try entries("hostA", of: "blue/db") == 0 && entries("hostB", of: "blue/db") > 10)
        #expect(try entries("hostA", of: "blue/web") > 10 && entries("hostA", of: "blue/edge") > 10)
        _ = try net.delivered(Self.tcp(5432), from: "blue/web/vm1", to: "blue/db/vm4")
        // What nobody has is refused by the router.
        #expect(try net.ended(Self.tcp(5432, to: "10.0.2.11"), from: "blue/web/vm1").meaning == "unresolved address at blue/edge/to-db")
        try net.edit { $0.tenants[0].switches[1].placement = .firstHop }
        #expect(try entries("hostA", of: "blue/db") > 10)
        _ = try net.delivered(Self.tcp(5432), from: "blue/web/vm1", to: "blue/db/vm4")
    }

    static let threeHosts = """
        hosts: {hostA: {address: 192.0.2.1}, hostB: {address: 192.0.2.2}, hostC: {address: 192.0.2.3}}
        tenants:
          t:
            switches:
              web:
                ports:
                  vm1: {mac: "02:00:00:00:00:01", addresses: [10.0.1.10, "2001:db8:1::10"], host: hostA}
                  vm2: {mac: "02:00:00:00:00:02", addresses: 10.0.1.11, host: hostB}
              db:
                ports:
                  vm3: {mac: "02:00:00:00:00:03", addresses: 10.0.2.11, host: hostA}
                  vm4: {mac: "02:00:00:00:00:04", addresses: [10.0.2.10, "2001:db8:2::10"], host: hostB}
            routers:
              edge:
                ports:
                  to-web: {switch: web, addresses: [10.0.1.1/24, "2001:db8:1::1/64"], mac: "02:01:01:01:01:01"}
                  to-db: {switch: db, addresses: [10.0.2.1/24, "2001:db8:2::1/64"], mac: "02:01:01:01:01:02"}
        """

    /// (§4.1) A router on a gateway host: the packet goes there after the source switch, and from there to the machine.
    @Test func aCentralRouterIsWalkedThroughOnItsHost() throws {
        let net = try NetworkUnderTest(Self.threeHosts)
        let usual = try net.delivered(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1", to: "t/db/vm4")
        #expect(net.network.stagesUsed(host: "hostC").isEmpty)
        try net.edit { $0.tenants[0].routers[0].host = "hostC" }
        #expect(try net.delivered(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1", to: "t/db/vm4") == usual)
        #expect(net.network.tunnelCount == 3)
        #expect(net.network.stagesUsed(host: "hostC").isSuperset(of: [.arrival, .routerAdmission, .routing, .resolution, .switchEgressAccess]))
        // Also for two machines of one host, and for what the router says itself.
        let fate = try net.send(W.ping("10.0.2.11", mac: W.toWeb), from: "t/web/vm1")
        #expect(fate.hosts == ["hostA", "hostC", "hostA"] && fate.deliveries.map(\.port) == ["t/db/vm3"])
        let reply = try net.delivered(W.ping("10.0.1.1", mac: W.toWeb), from: "t/web/vm1", to: "t/web/vm1")
        #expect(Frames.sourceIPv4(reply) == "10.0.1.1")
        let late = try net.send(W.ping("10.0.2.10", mac: W.toWeb, ttl: 1), from: "t/web/vm1")
        #expect(late.isAnswered && late.deliveries.map(\.port) == ["t/web/vm1"] && Frames.sourceIPv4(late.deliveries[0].bytes) == "10.0.1.1")
        // Its entries are on its host and on no other.
        let d = try #require(net.translation.input.datapaths.existing("t/edge"))
        for host in ["hostA", "hostB"] {
            #expect(try #require(net.translation.program(host: host)).entries.allSatisfy { Cookie(value: $0.cookie).datapath != d })
        }
        // On a host with workloads of the network the way is shorter.
        try net.edit { $0.tenants[0].routers[0].host = "hostA" }
        let crossed = net.network.tunnelCount
        #expect(try net.delivered(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1", to: "t/db/vm4") == usual)
        #expect(net.network.tunnelCount == crossed + 1)
        try net.edit { $0.tenants[0].routers[0].host = nil }
        #expect(try net.delivered(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1", to: "t/db/vm4") == usual)
    }

    /// T33: no tunnel between the machines' hosts, the pool node relays, the result is the same (B21, B84).
    @Test func hostsWithoutATunnelToEachOtherReachEachOtherByThePoolNode() throws {
        let net = try NetworkUnderTest(Self.threeHosts)
        let usual = try net.delivered(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1", to: "t/db/vm4")
        try net.edit { network in
            network.hosts[0].zone = "east"
            network.hosts[2].isPool = true
        }
        let fate = try net.send(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1")
        #expect(fate.hosts == ["hostA", "hostC", "hostB"] && fate.deliveries.map(\.port) == ["t/db/vm4"] && fate.deliveries[0].bytes == usual)
        // The pool node looks at no logical table, and has none.
        #expect(net.network.stagesUsed(host: "hostC") == [.ingressMapping, .arrival, .physicalMapping])
        #expect(try #require(net.translation.program(host: "hostC")).entries.allSatisfy { Cookie(value: $0.cookie).kind?.isUniversal == false })
        // A broadcast crosses to the other zone once.
        let crossed = net.network.tunnelCount
        let asked = try net.send(Frames.arpRequest(from: W.vm1, "10.0.1.10", for: "10.0.1.77"), from: "t/web/vm1")
        #expect(asked.deliveries.map(\.port) == ["t/web/vm2"] && net.network.tunnelCount == crossed + 2)
        // No entry of either host names the other's address.
        let texts = try #require(net.translation.program(host: "hostA")).entries.map { net.translation.logicalText($0) }
        #expect(!texts.contains { $0.contains("192.0.2.2") || $0.contains("tun_dst=192.0.2.2") })
        try net.edit { $0.hosts[0].zone = "" }
        #expect(try net.send(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1").hosts == ["hostA", "hostB"])
    }

    /// T33, B84, FW-013: the tunnel between the machines' hosts is cut. Packets are lost until that is noticed, then they go by the pool node with the same
    /// result, without a word of a controller; and straight again afterwards.
    @Test func aTunnelThatFailsIsGoneAroundByThePoolNode() throws {
        let net = try NetworkUnderTest(Self.threeHosts)
        let ping = W.ping("10.0.2.10", mac: W.toWeb)
        let usual = try net.delivered(ping, from: "t/web/vm1", to: "t/db/vm4")
        try net.edit { $0.hosts[2].isPool = true }
        func fate(of frame: [UInt8], from port: String = "t/web/vm1") throws -> PacketFate { try net.send(frame, from: port) }
        #expect(try fate(of: ping).hosts == ["hostA", "hostB"])
        net.network.cut("hostA", "hostB")
        guard case .dropped? = try fate(of: ping).ends.first else {
            Issue.record("a packet crossed a cut")
            return
        }
        net.network.noticeCuts()
        for _ in 0..<2 {
            let detour = try fate(of: ping)
            #expect(
                detour.hosts == ["hostA", "hostC", "hostB"] && detour.deliveries.map(\.port) == ["t/db/vm4"] && detour.deliveries[0].bytes == usual)
        }
        // The pool node looks at no logical table, and has none.
        #expect(net.network.stagesUsed(host: "hostC") == [.ingressMapping, .arrival, .physicalMapping])
        // A broadcast reaches each port once.
        let asked = try fate(of: Frames.arpRequest(from: W.vm1, "10.0.1.10", for: "10.0.1.77"))
        #expect(asked.deliveries.map(\.port) == ["t/web/vm2"] && asked.hosts == ["hostA", "hostC", "hostB"])
        // Neither way answers: straight is no worse.
        net.network.cut("hostA", "hostC")
        net.network.noticeCuts()
        #expect(try fate(of: ping).hosts == ["hostA"])
        net.network.mend("hostA", "hostB")
        #expect(try fate(of: ping).deliveries.map(\.bytes) == [usual])
        net.network.noticeCuts()
        #expect(try fate(of: ping).hosts == ["hostA", "hostB"])
        // Only the way to the pool node is cut, which nobody needs.
        #expect(try fate(of: ping).deliveries.map(\.bytes) == [usual])
    }

    /// Nobody watches where nobody would stand in, and what was set up for it goes.
    @Test func tunnelsAreWatchedWhereAPoolNodeStandsIn() throws {
        let net = try NetworkUnderTest(Self.threeHosts)
        func watched(_ host: String) -> [String] { net.translation.watches(host: host).map(\.remote) }
        let before = try #require(net.translation.program(host: "hostA")).entries
        #expect(watched("hostA") == [])
        try net.edit { $0.hosts[2].isPool = true }
        #expect(watched("hostA") == ["hostB", "hostC"] && watched("hostB") == ["hostA", "hostC"] && watched("hostC") == ["hostA", "hostB"])
        let numbers = net.translation.watches(host: "hostA").map(\.number)
        // Numbers stay over changes, restarts included.
        let numbersKept = net.translation.takeAssignedNumbers().filter { $0.kind == .hostPort && $0.name.hasPrefix("1 ") }
        #expect(Set(numbers.map(UInt64.init)).isSubset(of: Set(numbersKept.compactMap(\.number))))
        try net.edit { $0.hosts[2].liveness = nil }
        #expect(watched("hostA") == [] && watched("hostC") == [])
        #expect(Set(try #require(net.translation.program(host: "hostA")).entries) == Set(before))
        try net.edit {
            $0.hosts[2].liveness = .init(milliseconds: 100, multiplier: 5)
            $0.hosts[0].zone = "east"
        }
        // In different zones they reach each other by the pool node anyway.
        #expect(watched("hostA") == [])
    }

    /// Random networks with a pool node, all other tunnels cut and the cuts noticed: everybody gets what he gets without the cuts.
    @Test(arguments: [41, 43] as [UInt64]) func cutsChangeNothingWhereThePoolNodeIsReached(seed: UInt64) throws {
        var random = RandomNetwork(seed: seed)
        var detours = 0
        for _ in 0..<4 {
            for _ in 0..<25 { random.edit() }
            var network = random.network
            for h in network.hosts.indices { (network.hosts[h].zone, network.hosts[h].isPool) = ("", false) }
            guard let family = network.hosts.first?.address.family else { continue }
            network.hosts.append(Host(name: "relay", address: IPAddress(family: family, low: 0xc633_6401), isPool: true))
            for t in network.tenants.indices {
                for s in network.tenants[t].switches.indices {
                    for p in network.tenants[t].switches[s].ports.indices { network.tenants[t].switches[s].ports[p].rateKilobits = nil }
                }
            }
            let (a, b) = (try Self.simulate(network), try Self.simulate(network))
            for one in network.hosts.dropLast() { for other in network.hosts.dropLast() where other != one { b.cut(one.name, other.name) } }
            b.noticeCuts()
            for _ in 0..<150 {
                guard let p = random.packet(network), let frame = Self.frame(p, network, a.translation) else { continue }
                let from = PortAddress(tenant: "t\(p.tenant)", owner: "s\(p.owner)", port: p.port.name)
                guard let expected = a.send(frame, from: from), let got = b.send(frame, from: from) else { continue }
                #expect(Self.sorted(expected) == Self.sorted(got), "seed \(seed): \(from), \(expected.hosts) and \(got.hosts)")
                if got.hosts.count > expected.hosts.count { detours += 1 }
            }
        }
        #expect(detours > 10, "\(detours)")
    }

    @Test func aPoolNodeMayHaveWorkloadsItself() throws {
        let net = try NetworkUnderTest(Self.threeHosts)
        try net.edit { network in
            network.hosts[0].zone = "east"
            network.hosts[1].isPool = true
        }
        let fate = try net.send(W.ping("10.0.2.10", mac: W.toWeb), from: "t/web/vm1")
        #expect(fate.hosts == ["hostA", "hostB"] && fate.deliveries.map(\.port) == ["t/db/vm4"])
    }

    /// T16, B104: the request goes to every port of the switch, and exactly one reply comes back, with the router port's MAC.
    @Test func requestsForARouterPortMayBeCopiedToTheOtherPorts() throws {
        let net = try NetworkUnderTest.example()
        try net.edit { $0.tenants[0].switches[0].routerRequests = .flood }
        let request = Frames.arpRequest(from: W.vm1, "10.0.1.10", for: "10.0.1.1")
        let fate = try net.send(request, from: "blue/web/vm1")
        #expect(fate.deliveries.map(\.port).sorted() == ["blue/web/vm1", "blue/web/vm2"])
        for (port, bytes) in fate.deliveries {
            if port == "blue/web/vm2" {
                #expect(bytes == request)
            } else {
                #expect(Frames.source(bytes) == W.toWeb && Array(bytes[20..<22]) == [0, 2])
            }
        }
        let solicitation = Frames.solicitation(from: W.vm1, "2001:db8:1::10", for: "2001:db8:1::1")
        let answered = try net.send(solicitation, from: "blue/web/vm1")
        #expect(answered.deliveries.map(\.port).sorted() == ["blue/web/vm1", "blue/web/vm2"])
        for (port, bytes) in answered.deliveries {
            if port == "blue/web/vm2" { #expect(bytes == solicitation) } else { #expect(bytes[54] == 136 && Frames.hasRightICMPv6Checksum(bytes)) }
        }
    }

    /// Random networks, everything placed at random: what each port gets from each packet is what it gets when all runs at the first hop.
    @Test(arguments: [31, 32, 33, 34] as [UInt64])
    func wherePacketsAreProcessedChangesNothingForThem(seed: UInt64) throws {
        var random = RandomNetwork(seed: seed)
        var delivered = 0
        for _ in 0..<HistoryLength.steps(100) / 25 {
            for _ in 0..<25 { random.edit() }
            var plain = random.network
            for h in plain.hosts.indices { (plain.hosts[h].zone, plain.hosts[h].isPool) = ("", false) }
            for t in plain.tenants.indices {
                for s in plain.tenants[t].switches.indices {
                    (plain.tenants[t].switches[s].placement, plain.tenants[t].switches[s].egressAccess) = (.firstHop, .firstHop)
                    for p in plain.tenants[t].switches[s].ports.indices { plain.tenants[t].switches[s].ports[p].rateKilobits = nil }
                }
                for r in plain.tenants[t].routers.indices {
                    plain.tenants[t].routers[r].host = nil
                    for p in plain.tenants[t].routers[r].ports.indices { plain.tenants[t].routers[r].ports[p].inLine = nil }
                }
            }
            let other = random.placedAnew(plain)
            let (a, b) = (try Self.simulate(plain), try Self.simulate(other))
            for _ in 0..<150 {
                guard let p = random.packet(plain), let frame = Self.frame(p, plain, a.translation) else { continue }
                let from = PortAddress(tenant: "t\(p.tenant)", owner: "s\(p.owner)", port: p.port.name)
                guard let expected = a.send(frame, from: from), let got = b.send(frame, from: from) else { continue }
                let (x, y) = (Self.sorted(expected), Self.sorted(got))
                delivered += x.count
                if x != y {
                    let places = other.tenants[p.tenant]
                    Issue.record(
                        """
                        seed \(seed): from \(from) on \(p.port.host ?? "-"), \(frame)
                        only plain: \(Set(x).subtracting(y)), only placed: \(Set(y).subtracting(x))
                        plain by \(expected.hosts), placed by \(got.hosts): \(got.ends.compactMap { if case .dropped(let d) = $0 { "\(d)" } else { nil } })
                        \(places.switches.map { ($0.name, $0.placement, $0.egressAccess, $0.routerRequests) }), \(places.routers.map { ($0.name, $0.host) }), \(other.hosts)
                        """)
                    return
                }
            }
        }
        #expect(delivered > 50)
    }

    private static func simulate(_ network: NetworkDescription) throws -> SimulatedNetwork {
        let translation = NetworkTranslation()
        translation.apply(network)
        return try SimulatedNetwork(translation)
    }

    private static func sorted(_ fate: PacketFate) -> [String] { fate.deliveries.map { "\($0.port) \($0.bytes)" }.sorted() }

    /// A frame of a random packet: by way of a router of the sender's switch, or straight; ARP sometimes.
    private static func frame(
        _ p: (tenant: Int, owner: Int, port: SwitchPort, to: SwitchPort, toOwner: Int, kind: Int), _ n: NetworkDescription,
        _ translation: NetworkTranslation
    ) -> [UInt8]? {
        guard let mac = p.port.mac, let from = p.port.addresses.first, let to = p.to.addresses.first else { return nil }
        if p.kind == 5 { return Frames.arpRequest(from: "\(mac)", "\(from)", for: "10.0.\(p.owner).1") }
        var target = "\(p.to.mac!)"
        if p.owner != p.toOwner {
            let routers = n.tenants[p.tenant].routers.filter { r in r.ports.contains { $0.peer == .logicalSwitch("s\(p.owner)") } }
            guard let router = routers.first,
                let bits = translation.routerPortMAC(tenant: "t\(p.tenant)", router: router.name, port: "to-s\(p.owner)")
            else { return nil }
            target = "\(MACAddress(bits))"
        }
        let payload = p.kind < 2 ? Frames.tcp(40_000, p.kind == 0 ? 80 : 9000) : Frames.echo()
        return Frames.ethernet(
            "\(mac)", target, 0x0800,
            Frames.ipv4("\(from)", "\(to)", protocol: p.kind < 2 ? 6 : 1, ttl: p.kind == 4 ? 1 : 64, payload))
    }
}
