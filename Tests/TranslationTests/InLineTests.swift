import LogicalNetwork
import Testing
import Wire

@testable import NetworkSimulation
@testable import Translation

/// Machines on the wire between a router and what it is coupled to (spec FW-005…FW-009, FW-030).
@Suite struct InLineTests {
    typealias W = WalkTests

    private static func tcp(_ port: Int, from: String = "10.0.1.10", to: String = "10.0.2.10") -> [UInt8] {
        Frames.ethernet(W.vm1, W.toWeb, 0x0800, Frames.ipv4(from, to, protocol: 6, Frames.tcp(40_000, port)))
    }
    private static let answer = Frames.ethernet(
        W.vm4, W.toDB, 0x0800, Frames.ipv4("10.0.2.10", "10.0.1.10", protocol: 1, Frames.echo(reply: true)))

    /// Three hosts, the third with nothing but what tests put there.
    private static func network(_ edit: (inout NetworkDescription) -> Void = { _ in }) throws -> NetworkUnderTest {
        let net = try NetworkUnderTest(PlacementTests.threeHosts)
        try net.edit(edit)
        return net
    }

    private static func element(_ host: String) -> InLineElement {
        InLineElement(host: host, routerSide: .tap("fw0"), peerSide: .tap("fw1"))
    }

    /// FW-005, FW-008: all of the wire goes through, both ways, and arrives as if nothing were there.
    @Test(arguments: ["hostA", "hostB", "hostC"])
    func everyPacketOfTheWireGoesThroughTheElementAndArrivesUnchanged(host: String) throws {
        let net = try Self.network()
        let there = try net.delivered(Self.tcp(80), from: "t/web/vm1", to: "t/db/vm4")
        let back = try net.delivered(Self.answer, from: "t/db/vm4", to: "t/web/vm1")
        try net.edit { $0.tenants[0].routers[0].ports[0].inLine = Self.element(host) }
        let fate = try net.send(Self.tcp(80), from: "t/web/vm1")
        #expect(fate.passages == ["t/edge/to-web:peer-side"])
        #expect(fate.deliveries.map(\.port) == ["t/db/vm4"] && fate.deliveries.first?.bytes == there)
        #expect(fate.hosts.contains(host))
        let answered = try net.send(Self.answer, from: "t/db/vm4")
        #expect(answered.passages == ["t/edge/to-web:router-side"])
        #expect(answered.deliveries.map(\.port) == ["t/web/vm1"] && answered.deliveries.first?.bytes == back)
        // The same switch, and the router's other wire, go straight (FW-025).
        #expect(try net.send(W.ping("10.0.1.11", mac: W.vm2), from: "t/web/vm1").passages.isEmpty)
        // What the router says itself passes too, and so does what is said to it.
        let echo = try net.send(W.ping("10.0.1.1", mac: W.toWeb), from: "t/web/vm1")
        #expect(echo.passages == ["t/edge/to-web:peer-side", "t/edge/to-web:router-side"] && echo.deliveries.map(\.port) == ["t/web/vm1"])
        let late = try net.send(W.ping("10.0.2.10", mac: W.toWeb, ttl: 1), from: "t/web/vm1")
        #expect(late.isAnswered && late.deliveries.map(\.port) == ["t/web/vm1"])
        try net.edit { $0.tenants[0].routers[0].ports[0].inLine = nil }
        let straight = try net.send(Self.tcp(80), from: "t/web/vm1")
        #expect(straight.passages.isEmpty && straight.deliveries.first?.bytes == there)
    }

    /// FW-009: what the element keeps, nobody gets; it sees the frames as neighbours send them.
    @Test func whatTheElementKeepsIsNotDelivered() throws {
        let net = try Self.network { $0.tenants[0].routers[0].ports[1].inLine = Self.element("hostC") }
        var seen: [(port: String, frame: [UInt8])] = []
        net.network.inLine = { port, frame in
            seen.append((port, frame))
            let isTelnet = frame.count > 37 && frame[23] == 6 && frame[36] == 0 && frame[37] == 23
            return isTelnet ? nil : frame
        }
        let refused = try net.send(Self.tcp(23), from: "t/web/vm1")
        #expect(refused.deliveries.map(\.port) == ["t/edge/to-db:router-side"] && refused.passages.isEmpty)
        // Behind the router: its MAC, one hop less, the machine's MAC.
        let frame = try #require(seen.first).frame
        #expect(Frames.source(frame) == W.toDB && Frames.destination(frame) == W.vm4 && Frames.ttl(frame) == 63)
        #expect(try net.send(Self.tcp(80), from: "t/web/vm1").deliveries.map(\.port) == ["t/db/vm4"])
        #expect(seen.map(\.port) == ["t/edge/to-db:router-side", "t/edge/to-db:router-side"])
    }

    /// Two elements on the way, and one that changes packets, as a translator does.
    @Test func elementsOnBothWiresOfARouterAreMetInOrder() throws {
        let net = try Self.network { n in
            for p in 0..<2 { n.tenants[0].routers[0].ports[p].inLine = Self.element(["hostC", "hostA"][p]) }
            n.tenants[0].routers[0].ports[1].inLine?.routerSide = .tap("fw2")
            n.tenants[0].routers[0].ports[1].inLine?.peerSide = .tap("fw3")
        }
        let fate = try net.send(Self.tcp(80), from: "t/web/vm1")
        #expect(fate.passages == ["t/edge/to-web:peer-side", "t/edge/to-db:router-side"] && fate.deliveries.map(\.port) == ["t/db/vm4"])
        #expect(try net.send(Self.answer, from: "t/db/vm4").passages == ["t/edge/to-db:peer-side", "t/edge/to-web:router-side"])
    }

    @Test func aCentralRouterIsReachedBehindTheElement() throws {
        let net = try Self.network()
        let usual = try net.delivered(Self.tcp(80), from: "t/web/vm1", to: "t/db/vm4")
        try net.edit { n in
            n.tenants[0].routers[0].host = "hostB"
            n.tenants[0].routers[0].ports[0].inLine = Self.element("hostC")
        }
        let fate = try net.send(Self.tcp(80), from: "t/web/vm1")
        #expect(fate.hosts == ["hostA", "hostC", "hostC", "hostB"] && fate.passages == ["t/edge/to-web:peer-side"])
        #expect(fate.deliveries.map(\.port) == ["t/db/vm4"] && fate.deliveries.first?.bytes == usual)
        #expect(try net.send(Self.answer, from: "t/db/vm4").deliveries.map(\.port) == ["t/web/vm1"])
    }

    /// FW-007: between two routers, said at either end.
    @Test(arguments: [0, 1]) func betweenRoutersToo(end: Int) throws {
        let net = try Self.network { n in
            n.tenants[0].routers.append(
                LogicalRouter(
                    name: "inner",
                    ports: [
                        RouterPort(name: "to-db", addresses: [AddressPrefix("10.0.2.1/24")!], peer: .logicalSwitch("db")),
                        RouterPort(name: "up", addresses: [AddressPrefix("10.0.9.2/30")!], peer: .router("edge", port: "down")),
                    ], routes: [StaticRoute(prefix: AddressPrefix("10.0.1.0/24")!, target: .via(IPAddress("10.0.9.1")!))]))
            n.tenants[0].routers[0].ports.removeLast()
            n.tenants[0].routers[0].ports.append(
                RouterPort(name: "down", addresses: [AddressPrefix("10.0.9.1/30")!], peer: .router("inner", port: "up")))
            n.tenants[0].routers[0].routes = [StaticRoute(prefix: AddressPrefix("10.0.2.0/24")!, target: .via(IPAddress("10.0.9.2")!))]
            if end == 0 {
                n.tenants[0].routers[0].ports[1].inLine = Self.element("hostC")
            } else {
                n.tenants[0].routers[1].ports[1].inLine = Self.element("hostC")
            }
        }
        let fate = try net.send(Self.tcp(80), from: "t/web/vm1")
        #expect(fate.passages == [end == 0 ? "t/edge/down:router-side" : "t/inner/up:peer-side"], "\(fate)")
        let frame = try #require(fate.deliveries.first, "\(fate)")
        #expect(frame.port == "t/db/vm4" && Frames.ttl(frame.bytes) == 62)
    }

    /// Neither end needs to know it, and no other tenant's packets come there: only these entries change.
    @Test func onlyTheWireAndTheElementsHostGetOtherEntries() throws {
        let net = try Self.network()
        let before = try ["hostA", "hostB"].map { Set(try #require(net.translation.program(host: $0)).entries) }
        try net.edit { $0.tenants[0].routers[0].ports[0].inLine = Self.element("hostC") }
        for (host, old) in zip(["hostA", "hostB"], before) {
            let new = Set(try #require(net.translation.program(host: host)).entries)
            let kinds = new.symmetricDifference(old).map { Cookie(value: $0.cookie).kind }
            // Two ends of the wire; tunnels with the element's host in both directions.
            #expect(Set(kinds) == [.link, .tunnel] && kinds.count { $0 == .link } == 4)
        }
    }
}
