import LogicalNetwork
import NetworkSimulation
import Testing
import Translation

/// Chains of routers, policies, external networks, and access rules at every point of the way.
@Suite struct RoutingTests {
    /// a — r1 — transit link — r2 — b, with an external network on a gateway host behind r2, and a firewall machine off r1.
    static let chain = """
        hosts: {h1: {address: 192.0.2.1}, h2: {address: 192.0.2.2}, gw: {address: 192.0.2.3}}
        tenants:
          t:
            address-sets: {inside: [10.1.0.0/16, 10.2.0.0/16]}
            switches:
              a: {ports: {a1: {mac: "02:00:00:00:0a:01", addresses: [10.1.0.10], host: h1}, a2: {mac: "02:00:00:00:0a:02", addresses: [10.1.0.11], host: h2}}}
              b: {ports: {b1: {mac: "02:00:00:00:0b:01", addresses: [10.2.0.10], host: h2}}}
              fw: {ports: {fw1: {mac: "02:00:00:00:0f:01", addresses: [10.3.0.10], host: h1, security: false}}}
              out:
                neighbors: [{address: 203.0.113.1, mac: "02:00:00:00:ee:01"}]
                ports: {wan: {uplink: true, host: gw, device: eth1}}
            routers:
              r1:
                ports:
                  a: {switch: a, addresses: 10.1.0.1/16, mac: "02:01:00:00:00:0a"}
                  fw: {switch: fw, addresses: 10.3.0.1/16, mac: "02:01:00:00:00:0f"}
                  up: {router: r2, port: down, addresses: 172.16.0.1/30, mac: "02:01:00:00:01:02"}
                routes: [{to: 0.0.0.0/0, via: 172.16.0.2}, {to: 10.2.128.0/17, drop: true}]
                policies: [{name: through-firewall, in: a, from: 10.1.0.11, not-to: $inside, via: 10.3.0.10}]
              r2:
                ports:
                  down: {router: r1, port: up, addresses: 172.16.0.2/30, mac: "02:01:00:00:02:01"}
                  b: {switch: b, addresses: 10.2.0.1/16, mac: "02:01:00:00:00:0b"}
                  out: {switch: out, addresses: 203.0.113.2/24, mac: "02:01:00:00:00:ee"}
                routes: [{to: 0.0.0.0/0, via: 203.0.113.1}, {to: 10.1.0.0/16, via: 172.16.0.1}]
        """

    static func packet(from mac: String, _ source: String, via router: String, to destination: String, ttl: UInt8 = 64) -> [UInt8] {
        Frames.ethernet(mac, router, 0x0800, Frames.ipv4(source, destination, protocol: 17, ttl: ttl, Frames.udp(1000, 2000)))
    }
    static let a1 = "02:00:00:00:0a:01", b1 = "02:00:00:00:0b:01"

    @Test func twoRoutersOnTheWayTakeTwoHopsOfTimeAndOneTunnel() throws {
        let net = try NetworkUnderTest(Self.chain)
        let frame = try net.delivered(
            Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "10.2.0.10"), from: "t/a/a1", to: "t/b/b1")
        #expect(Frames.ttl(frame) == 62 && Frames.source(frame) == "02:01:00:00:00:0b" && Frames.destination(frame) == Self.b1)
        #expect(Frames.hasRightIPv4Checksum(frame) && net.network.tunnelCount == 1)
        let back = try net.delivered(Self.packet(from: Self.b1, "10.2.0.10", via: "02:01:00:00:00:0b", to: "10.1.0.10"), from: "t/b/b1", to: "t/a/a1")
        #expect(Frames.ttl(back) == 62 && Frames.source(back) == "02:01:00:00:00:0a")
    }

    @Test func tracerouteFindsEachRouterOfTheChain() throws {
        let net = try NetworkUnderTest(Self.chain)
        func meaning(_ ttl: UInt8) throws -> String {
            try net.ended(Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "10.2.0.10", ttl: ttl), from: "t/a/a1").meaning
        }
        #expect(try meaning(1) == "time exceeded at router t/r1" && meaning(2) == "time exceeded at router t/r2")
        let last = try net.delivered(
            Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "10.2.0.10", ttl: 3), from: "t/a/a1", to: "t/b/b1")
        #expect(Frames.ttl(last) == 1)
    }

    @Test func aRouterBehindARouterAnswersPing() throws {
        let net = try NetworkUnderTest(Self.chain)
        for address in ["172.16.0.1", "172.16.0.2", "203.0.113.2"] {
            let ping = Frames.ethernet(Self.a1, "02:01:00:00:00:0a", 0x0800, Frames.ipv4("10.1.0.10", address, protocol: 1, Frames.echo()))
            let frame = try net.delivered(ping, from: "t/a/a1", to: "t/a/a1")
            #expect(Frames.sourceIPv4(frame) == address && frame[34] == 0 && Frames.hasRightICMPChecksum(frame))
        }
    }

    @Test func theLongestPrefixWins() throws {
        let net = try NetworkUnderTest(Self.chain)
        let end = try net.ended(Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "10.2.200.1"), from: "t/a/a1")
        #expect(end.stage == .routing && end.meaning == "route of t/r1 that drops")
    }

    @Test func whatLeavesTheNetworkGoesToTheGatewayHost() throws {
        let net = try NetworkUnderTest(Self.chain)
        let frame = try net.delivered(
            Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "8.8.8.8"), from: "t/a/a1", to: "t/out/wan")
        #expect(Frames.source(frame) == "02:01:00:00:00:ee" && Frames.destination(frame) == "02:00:00:00:ee:01" && Frames.ttl(frame) == 62)
        let arp = try net.delivered(
            Frames.arpRequest(from: "02:00:00:00:ee:01", "203.0.113.1", for: "203.0.113.2"), from: "t/out/wan", to: "t/out/wan")
        #expect(Frames.source(arp) == "02:01:00:00:00:ee")
        let answer = try net.delivered(
            Self.packet(from: "02:00:00:00:ee:01", "8.8.8.8", via: "02:01:00:00:00:ee", to: "10.1.0.10"), from: "t/out/wan", to: "t/a/a1")
        #expect(Frames.ttl(answer) == 62)
    }

    @Test func aPolicyOutranksRoutesAndDoesNotLoop() throws {
        let net = try NetworkUnderTest(Self.chain)
        let a2 = "02:00:00:00:0a:02"
        let toOutside = Self.packet(from: a2, "10.1.0.11", via: "02:01:00:00:00:0a", to: "8.8.8.8")
        let atFirewall = try net.delivered(toOutside, from: "t/a/a2", to: "t/fw/fw1")
        #expect(Frames.destinationIPv4(atFirewall) == "8.8.8.8" && Frames.destination(atFirewall) == "02:00:00:00:0f:01")
        // The firewall gives it back by its own port, for which the policy is not (FW-029).
        let returned = Self.packet(from: "02:00:00:00:0f:01", "10.1.0.11", via: "02:01:00:00:00:0f", to: "8.8.8.8", ttl: 63)
        _ = try net.delivered(returned, from: "t/fw/fw1", to: "t/out/wan")
        // Destinations in the set are excepted (FW-023), other sources too (FW-021).
        _ = try net.delivered(Self.packet(from: a2, "10.1.0.11", via: "02:01:00:00:00:0a", to: "10.2.0.10"), from: "t/a/a2", to: "t/b/b1")
        _ = try net.delivered(Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "8.8.8.8"), from: "t/a/a1", to: "t/out/wan")
        try net.edit { $0.tenants[0].routers[0].policies[0].target = .drop }
        #expect(try net.ended(toOutside, from: "t/a/a2").meaning == "policy t/r1/through-firewall")
        try net.edit { $0.tenants[0].addressSets[0].members = [AddressPrefix("0.0.0.0/0")!] }
        _ = try net.delivered(toOutside, from: "t/a/a2", to: "t/out/wan")
    }

    @Test(
        arguments: [
            ("a", Stage.switchIngressAccess, AccessRule.Direction.in), ("a", .switchEgressAccess, .out), ("r1", .routerIngressAccess, .in),
            ("r1", .routerEgressAccess, .out), ("b", .switchIngressAccess, .in), ("b", .switchEgressAccess, .out),
        ] as [(String, Stage, AccessRule.Direction)])
    func aRuleDropsAtEachPointOfTheWayAndNoLater(owner: String, stage: Stage, direction: AccessRule.Direction) throws {
        let net = try NetworkUnderTest(Self.chain)
        let rule = AccessRule(
            name: "deny", direction: direction, verdict: .drop, network: .ip(.ipv4), transport: 17,
            destinations: [.prefix(AddressPrefix("10.2.0.10")!)],
            destinationPorts: [.init(2000, 2000)])
        try net.edit { n in
            if owner == "r1" {
                n.tenants[0].routers[0].access.rules = [rule]
            } else {
                let s = n.tenants[0].switches.firstIndex { $0.name == owner }!
                n.tenants[0].switches[s].access.rules = [rule]
            }
        }
        let frame = Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "10.2.0.10")
        let end = try net.ended(frame, from: "t/a/a1")
        #expect(end.stage == stage && end.meaning == "rule t/\(owner)/deny")
        #expect(net.network.tunnelCount == 0)
        // Another port is not meant.
        let other = Frames.ethernet(Self.a1, "02:01:00:00:00:0a", 0x0800, Frames.ipv4("10.1.0.10", "10.2.0.10", protocol: 17, Frames.udp(1000, 2001)))
        _ = try net.delivered(other, from: "t/a/a1", to: "t/b/b1")
    }

    @Test func rulesMayNameAPort() throws {
        let net = try NetworkUnderTest(Self.chain)
        try net.edit {
            $0.tenants[0].routers[0].access.rules = [AccessRule(name: "not-up", direction: .out, port: "up", verdict: .drop)]
            $0.tenants[0].switches[0].access.rules = [AccessRule(name: "not-to-a2", direction: .out, port: "a2", verdict: .drop)]
        }
        #expect(
            try net.ended(Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "10.2.0.10"), from: "t/a/a1").meaning
                == "rule t/r1/not-up")
        _ = try net.delivered(Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "10.3.0.10"), from: "t/a/a1", to: "t/fw/fw1")
        #expect(
            try net.ended(Self.packet(from: Self.a1, "10.1.0.10", via: "02:00:00:00:0a:02", to: "10.1.0.11"), from: "t/a/a1").meaning
                == "rule t/a/not-to-a2")
        // A broadcast to that port ends there too, at its own host.
        let fate = try net.send(Frames.arpRequest(from: Self.a1, "10.1.0.10", for: "10.1.0.11"), from: "t/a/a1")
        #expect(fate.deliveries.isEmpty)
    }

    @Test func aRateIsKept() throws {
        let net = try NetworkUnderTest(Self.chain)
        try net.edit { $0.tenants[0].switches[0].ports[0].rateKilobits = 1000 }
        let frame = Self.packet(from: Self.a1, "10.1.0.10", via: "02:00:00:00:0a:02", to: "10.1.0.11") + [UInt8](repeating: 0, count: 1200)
        var delivered = 0
        for i in 0..<400 {
            let fate = try #require(net.network.send(frame, from: PortAddress(tenant: "t", owner: "a", port: "a1"), time: UInt64(i) * 1_000_000))
            delivered += fate.deliveries.count
        }
        // 0.4 s at 1 Mbit/s and a burst of 524 kbit, in frames of about 1,250 bytes.
        let expected = (400_000.0 + 524_000.0) / Double(frame.count * 8)
        #expect(Double(delivered) > expected * 0.95 && Double(delivered) < expected * 1.05, "\(delivered) of \(expected)")
    }

    @Test func routersInACircleAreBounded() throws {
        let net = try NetworkUnderTest(
            """
            hosts: {h1: {address: 192.0.2.1}}
            tenants:
              t:
                switches: {a: {ports: {a1: {mac: "02:00:00:00:0a:01", addresses: [10.1.0.10], host: h1}}}}
                routers:
                  r1:
                    ports:
                      a: {switch: a, addresses: 10.1.0.1/16, mac: "02:01:00:00:00:0a"}
                      up: {router: r2, port: down, addresses: 172.16.0.1/30}
                    routes: [{to: 0.0.0.0/0, via: 172.16.0.2}]
                  r2:
                    ports: {down: {router: r1, port: up, addresses: 172.16.0.2/30}}
                    routes: [{to: 0.0.0.0/0, via: 172.16.0.1}]
            """)
        let short = Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "9.9.9.9", ttl: 10)
        #expect(try net.ended(short, from: "t/a/a1").meaning.hasPrefix("time exceeded at router t/r"))
        let fate = try net.send(Self.packet(from: Self.a1, "10.1.0.10", via: "02:01:00:00:00:0a", to: "9.9.9.9", ttl: 255), from: "t/a/a1")
        guard case .dropped(let drop)? = fate.ends.first else {
            Issue.record("\(fate)")
            return
        }
        #expect(fate.ends.count == 1 && drop.reason == .resubmitDepth)
    }
}
