import Datapath
import Flow
import Testing
import Wire

@testable import NetworkSimulation
@testable import Translation

/// The walks of spec 001b §4.3 on the bundled example, and what users expect of routers and switches.
@Suite struct WalkTests {
    static let (vm1, vm2, vm3, vm4) = ("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03", "02:00:00:00:00:04")
    static let (toWeb, toDB) = ("02:01:01:01:01:01", "02:01:01:01:01:02")

    /// From vm1 to another machine.
    static func ping(_ to: String, mac: String, ttl: UInt8 = 64) -> [UInt8] {
        Frames.ethernet(vm1, mac, 0x0800, Frames.ipv4("10.0.1.10", to, protocol: 1, ttl: ttl, Frames.echo()))
    }

    @Test func onOneSwitchAcrossHostsTheFrameIsUnchanged() throws {
        let net = try NetworkUnderTest.example()
        let frame = Self.ping("10.0.1.11", mac: Self.vm2)
        let fate = try net.send(frame, from: "blue/web/vm1")
        #expect(fate.deliveries.map(\.port) == ["blue/web/vm2"] && fate.deliveries.first?.bytes == frame)
        #expect(fate.hosts == ["hostA", "hostB"] && net.network.tunnelCount == 1)
    }

    @Test func routedOnOneHostNothingLeavesIt() throws {
        let net = try NetworkUnderTest.example()
        let frame = try net.delivered(Self.ping("10.0.2.11", mac: Self.toWeb), from: "blue/web/vm1", to: "blue/db/vm3")
        #expect(Frames.source(frame) == Self.toDB && Frames.destination(frame) == Self.vm3)
        #expect(Frames.ttl(frame) == 63 && Frames.hasRightIPv4Checksum(frame) && Frames.hasRightICMPChecksum(frame))
        #expect(net.network.tunnelCount == 0)
    }

    @Test func routedAcrossHostsItTakesOneTunnel() throws {
        let net = try NetworkUnderTest.example()
        let frame = try net.delivered(Self.ping("10.0.2.10", mac: Self.toWeb), from: "blue/web/vm1", to: "blue/db/vm4")
        #expect(Frames.source(frame) == Self.toDB && Frames.destination(frame) == Self.vm4 && Frames.ttl(frame) == 63)
        #expect(net.network.tunnelCount == 1)
        // The last hop only maps (B17).
        #expect(net.network.stagesUsed(host: "hostB") == [.ingressMapping, .arrival, .localDelivery])
        #expect(net.network.stagesUsed(host: "hostA").isSuperset(of: [.switchIngressAccess, .routing, .resolution, .switchEgressAccess]))
    }

    @Test func theAnswerIsRoutedBackFromItsOwnFirstHop() throws {
        let net = try NetworkUnderTest.example()
        let reply = Frames.ethernet(Self.vm4, Self.toDB, 0x0800, Frames.ipv4("10.0.2.10", "10.0.1.10", protocol: 1, Frames.echo(reply: true)))
        let frame = try net.delivered(reply, from: "blue/db/vm4", to: "blue/web/vm1")
        #expect(Frames.source(frame) == Self.toWeb && Frames.ttl(frame) == 63)
    }

    @Test func ipv6IsRoutedToo() throws {
        let net = try NetworkUnderTest.example()
        let (from, to) = ("2001:db8:1::10", "2001:db8:2::10")
        let echo = Frames.icmpv6(from, to, [128, 0, 0, 0, 0x12, 0x34, 0, 1, 1, 2, 3, 4])
        let request = Frames.ethernet(Self.vm1, Self.toWeb, 0x86dd, Frames.ipv6(from, to, protocol: 58, echo))
        let frame = try net.delivered(request, from: "blue/web/vm1", to: "blue/db/vm4")
        #expect(Frames.source(frame) == Self.toDB && Frames.destination(frame) == Self.vm4 && frame[21] == 63)
        #expect(Frames.hasRightICMPv6Checksum(frame))
    }

    @Test func arpForARouterPortIsAnsweredAtTheFirstHopAndSeenByNobodyElse() throws {
        let net = try NetworkUnderTest.example()
        let frame = try net.delivered(Frames.arpRequest(from: Self.vm1, "10.0.1.10", for: "10.0.1.1"), from: "blue/web/vm1", to: "blue/web/vm1")
        #expect(
            frame == Frames.mac(Self.vm1) + Frames.mac(Self.toWeb) + [8, 6, 0, 1, 8, 0, 6, 4, 0, 2] + Frames.mac(Self.toWeb) + [10, 0, 1, 1]
                + Frames.mac(Self.vm1) + [10, 0, 1, 10])
        #expect(net.network.tunnelCount == 0)
    }

    @Test func neighbourSolicitationForARouterPortIsAnswered() throws {
        let net = try NetworkUnderTest.example()
        let frame = try net.delivered(
            Frames.solicitation(from: Self.vm1, "2001:db8:1::10", for: "2001:db8:1::1"), from: "blue/web/vm1", to: "blue/web/vm1")
        #expect(Frames.source(frame) == Self.toWeb && Frames.destination(frame) == Self.vm1)
        #expect(Array(frame[22..<54]) == Frames.v6("2001:db8:1::1") + Frames.v6("2001:db8:1::10"))
        #expect(Array(frame[54..<56]) == [136, 0] && Array(frame[58..<62]) == [0xe0, 0, 0, 0])
        #expect(Array(frame[62..<86]) == Frames.v6("2001:db8:1::1") + [2, 1] + Frames.mac(Self.toWeb))
        #expect(Frames.hasRightICMPv6Checksum(frame))
    }

    @Test(arguments: ["10.0.1.1", "10.0.2.1"]) func bothRouterPortsAnswerPing(address: String) throws {
        let net = try NetworkUnderTest.example()
        let frame = try net.delivered(Self.ping(address, mac: Self.toWeb, ttl: 1), from: "blue/web/vm1", to: "blue/web/vm1")
        #expect(Frames.sourceIPv4(frame) == address && Frames.destinationIPv4(frame) == "10.0.1.10")
        #expect(frame[34] == 0 && Frames.hasRightICMPChecksum(frame) && Frames.hasRightIPv4Checksum(frame))
        #expect(Frames.source(frame) == Self.toWeb && Frames.destination(frame) == Self.vm1)
    }

    @Test func pingFromALinkLocalAddressIsAnsweredOnItsLink() throws {
        let net = try NetworkUnderTest.example()
        try net.edit { $0.tenants[0].routers[0].ports[0].addresses.append(.init("fe80::1/64")!) }
        let from = "fe80::ff:fe00:1"
        for to in ["fe80::1", "2001:db8:1::1"] {
            let echo = Frames.icmpv6(from, to, [128, 0, 0, 0, 0x12, 0x34, 0, 1, 1, 2, 3, 4])
            let request = Frames.ethernet(Self.vm1, Self.toWeb, 0x86dd, Frames.ipv6(from, to, protocol: 58, echo))
            let frame = try net.delivered(request, from: "blue/web/vm1", to: "blue/web/vm1")
            #expect(Frames.source(frame) == Self.toWeb && Frames.destination(frame) == Self.vm1 && frame[21] == 64 && frame[54] == 129)
            #expect(Array(frame[22..<54]) == Frames.v6(to) + Frames.v6(from) && Frames.hasRightICMPv6Checksum(frame))
        }
    }

    @Test func aPacketWhoseTimeIsUpGoesToTheControllerAndNoFurther() throws {
        let net = try NetworkUnderTest.example()
        #expect(try net.ended(Self.ping("10.0.2.10", mac: Self.toWeb, ttl: 1), from: "blue/web/vm1").meaning == "time exceeded at router blue/edge")
    }

    @Test func aRouteThatDropsAndNoRouteAndNobodyAreToldApart() throws {
        let net = try NetworkUnderTest.example()
        #expect(try net.ended(Self.ping("10.66.1.1", mac: Self.toWeb), from: "blue/web/vm1").meaning == "route of blue/edge that drops")
        #expect(try net.ended(Self.ping("172.16.0.1", mac: Self.toWeb), from: "blue/web/vm1").meaning == "no route at blue/edge")
        #expect(try net.ended(Self.ping("10.0.2.99", mac: Self.toWeb), from: "blue/web/vm1").meaning == "unresolved address at blue/edge/to-db")
    }

    @Test func aBroadcastReachesEachPortOfTheSwitchOnceAndEachHostOnce() throws {
        let net = try NetworkUnderTest.example()
        try net.edit { network in
            for (i, host) in ["hostA", "hostB", "hostB"].enumerated() {
                network.tenants[0].switches[0].ports.append(
                    .init(name: "more\(i)", mac: .init(0x0200_0000_0100 + UInt64(i)), host: host, isSecured: false))
            }
        }
        let fate = try net.send(Frames.arpRequest(from: Self.vm1, "10.0.1.10", for: "10.0.1.77"), from: "blue/web/vm1")
        #expect(fate.deliveries.map(\.port).sorted() == ["blue/web/more0", "blue/web/more1", "blue/web/more2", "blue/web/vm2"])
        #expect(net.network.tunnelCount == 1)
    }

    @Test func equalAddressesOfTwoTenantsNeverMeet() throws {
        let net = try NetworkUnderTest.example()
        let frame = Self.ping("10.0.1.11", mac: Self.vm2)
        _ = try net.delivered(frame, from: "green/web/vm1", to: "green/web/vm2")
        _ = try net.delivered(frame, from: "blue/web/vm1", to: "blue/web/vm2")
        let fate = try net.send(Frames.arpRequest(from: Self.vm1, "10.0.1.10", for: "10.0.1.77"), from: "green/web/vm1")
        #expect(fate.deliveries.map(\.port) == ["green/web/vm2"])
        // Green has no router: blue's is not to be had by its MAC.
        #expect(try net.ended(Self.ping("10.0.2.10", mac: Self.toWeb), from: "green/web/vm1").meaning == "unknown address on green/web")
    }

    @Test func accessRulesDecideInTheirOrderAndAreNamed() throws {
        let net = try NetworkUnderTest.example()
        func tcp(_ port: Int, from: String = "10.0.1.10", mac: String = Self.vm1) -> [UInt8] {
            Frames.ethernet(mac, Self.toWeb, 0x0800, Frames.ipv4(from, "10.0.2.10", protocol: 6, Frames.tcp(40_000, port)))
        }
        _ = try net.delivered(tcp(5432), from: "blue/web/vm1", to: "blue/db/vm4")
        _ = try net.delivered(tcp(22), from: "blue/web/vm1", to: "blue/db/vm4")
        let vm2 = try net.ended(tcp(22, from: "10.0.1.11", mac: Self.vm2), from: "blue/web/vm2")
        #expect(vm2.stage == .switchEgressAccess && vm2.meaning == "default of blue/db, out")
        #expect(try net.ended(tcp(23), from: "blue/web/vm1").meaning == "rule blue/db/no-telnet")
        #expect(try net.ended(tcp(80), from: "blue/web/vm1").meaning == "default of blue/db, out")
    }

    /// Spec 001b §4.7 (B81, T32): the packet crosses to the other host, whose rules end it there.
    @Test func egressAccessMayBeAtTheLastHop() throws {
        let net = try NetworkUnderTest.example()
        func tcp(_ port: Int) -> [UInt8] {
            Frames.ethernet(Self.vm1, Self.toWeb, 0x0800, Frames.ipv4("10.0.1.10", "10.0.2.10", protocol: 6, Frames.tcp(40_000, port)))
        }
        #expect(try net.ended(tcp(80), from: "blue/web/vm1").meaning == "default of blue/db, out")
        #expect(net.network.tunnelCount == 0)
        try net.edit { $0.tenants[0].switches[1].egressAccess = .lastHop }
        let fate = try net.send(tcp(80), from: "blue/web/vm1")
        guard case .dropped(let drop)? = fate.ends.first else {
            Issue.record("\(fate)")
            return
        }
        #expect(
            fate.hosts == ["hostA", "hostB"] && drop.host == "hostB" && drop.stage == .switchEgressAccess && drop.meaning == "default of blue/db, out"
        )
        #expect(try Frames.ttl(net.delivered(tcp(5432), from: "blue/web/vm1", to: "blue/db/vm4")) == 63)
        #expect(net.network.tunnelCount == 2)
        #expect(
            net.network.stagesUsed(host: "hostB") == [
                .ingressMapping, .arrival, .switchEgressAccess, .egressMapping, .physicalMapping, .localDelivery,
            ])
        // A workload on the first hop itself, and a flood.
        let local = Frames.ethernet(Self.vm1, Self.toWeb, 0x0800, Frames.ipv4("10.0.1.10", "10.0.2.11", protocol: 6, Frames.tcp(40_000, 80)))
        #expect(try net.ended(local, from: "blue/web/vm1").stage == .switchEgressAccess)
        _ = try net.delivered(Self.ping("10.0.2.11", mac: Self.toWeb), from: "blue/web/vm1", to: "blue/db/vm3")
        let asked = try net.send(Frames.arpRequest(from: Self.vm3, "10.0.2.11", for: "10.0.2.10"), from: "blue/db/vm3")
        #expect(asked.deliveries.map(\.port) == ["blue/db/vm4"])
    }

    @Test func aPortMovesToAnotherHostAndOnlyMappingEntriesChange() throws {
        let net = try NetworkUnderTest.example()
        let before = Set(net.translation.universalEntries())
        try net.edit { $0.tenants[0].switches[1].ports[1].host = "hostA" }
        let after = Set(net.translation.universalEntries())
        let tables = Set(before.symmetricDifference(after).map { Stage(rawValue: $0.table)! })
        #expect(tables == [.egressMapping, .floodMapping])
        let frame = try net.delivered(Self.ping("10.0.2.10", mac: Self.toWeb), from: "blue/web/vm1", to: "blue/db/vm4")
        #expect(Frames.ttl(frame) == 63 && net.network.tunnelCount == 0)
    }

    @Test func unknownAddressesAreDroppedOrFloodedAsTheSwitchSays() throws {
        let net = try NetworkUnderTest.example()
        let frame = Self.ping("10.0.1.77", mac: "02:00:00:00:00:77")
        #expect(try net.ended(frame, from: "blue/web/vm1").meaning == "unknown address on blue/web")
        try net.edit { $0.tenants[0].switches[0].unknown = .flood }
        #expect(try net.delivered(frame, from: "blue/web/vm1", to: "blue/web/vm2") == frame)
        try net.edit { $0.tenants[0].switches[0].broadcast = .drop }
        #expect(try net.ended(Frames.arpRequest(from: Self.vm1, "10.0.1.10", for: "10.0.1.11"), from: "blue/web/vm1").meaning == "flood of blue/web")
    }

    /// Context is taken from tunnels of known hosts, and leads nowhere but to ports of that host.
    @Test func forgedContextLeadsNowhere() throws {
        let net = try NetworkUnderTest.example()
        let vm4 = try #require(net.translation.input.ports.existing("blue/db/vm4"))
        let vm1 = try #require(net.translation.input.ports.existing("blue/web/vm1"))
        func words(from source: String, egress: UInt64, stage: UInt64, check: UInt64? = nil) -> [UInt64] {
            var words = [UInt64](repeating: 0, count: FlowKeyLayout.tunnelWords.count)
            words[FlowKeyLayout.tunnelIPv4 - 16] = UInt64(IPv4Address(source)!.bits) << 32 | UInt64(IPv4Address("192.0.2.2")!.bits)
            words[FlowKeyLayout.tunnelMetadata - 16] = egress | stage << 32
            words[FlowKeyLayout.tunnelID - 16] = check ?? net.translation.checks.ofPort(egress)
            return words
        }
        let frame = Self.ping("10.0.2.10", mac: Self.vm4)
        func departures(_ words: [UInt64]) -> Int? { net.network.arrive(frame, host: "hostB", tunnel: words)?.departures.count }
        let delivered = UInt64(Stage.egressMapping.rawValue)
        #expect(departures(words(from: "192.0.2.1", egress: vm4, stage: delivered)) == 1)
        #expect(departures(words(from: "198.51.100.9", egress: vm4, stage: delivered)) == 0, "a host that is not of the network")
        #expect(departures(words(from: "192.0.2.1", egress: vm1, stage: delivered)) == 0, "a port of another host")
        #expect(departures(words(from: "192.0.2.1", egress: vm4, stage: UInt64(Stage.routing.rawValue))) == 0, "a stage at which nobody goes on")
        #expect(departures(words(from: "192.0.2.1", egress: vm4, stage: delivered, check: 1)) == 0, "a host that means another port by that number")
        #expect(departures(words(from: "192.0.2.1", egress: 0xffff_ffff, stage: delivered)) == 0)
    }
}
