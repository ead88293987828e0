import NetworkSimulation
import Testing
import Translation

/// What a malicious workload tries on a secured port (issue: "gets nothing through that its port security forbids").
@Suite struct SecurityTests {
    static let (own, other) = ("02:00:00:00:00:01", "02:00:00:00:00:02")

    static let attacks: [(name: String, frame: [UInt8])] = [
        ("another's MAC", Frames.ethernet(other, own, 0x0800, Frames.ipv4("10.0.1.10", "10.0.1.11", protocol: 17, Frames.udp(1, 2)))),
        ("another's IPv4 address", Frames.ethernet(own, other, 0x0800, Frames.ipv4("10.0.1.11", "10.0.1.11", protocol: 17, Frames.udp(1, 2)))),
        ("the router's address", Frames.ethernet(own, other, 0x0800, Frames.ipv4("10.0.1.1", "10.0.1.11", protocol: 17, Frames.udp(1, 2)))),
        (
            "another's IPv6 address",
            Frames.ethernet(own, other, 0x86dd, Frames.ipv6("2001:db8:1::11", "2001:db8:1::11", protocol: 17, Frames.udp(1, 2)))
        ),
        ("ARP for another's address", Frames.arpRequest(from: own, "10.0.1.11", for: "10.0.1.11")),
        ("ARP with another's MAC inside", Frames.arpRequest(from: other, "10.0.1.10", for: "10.0.1.11", ethSource: own)),
        ("ARP as the router", Frames.arpRequest(from: own, "10.0.1.1", for: "10.0.1.11")),
        (
            "a VLAN tag",
            Frames.mac(other) + Frames.mac(own) + [0x81, 0, 0, 5, 8, 0] + Frames.ipv4("10.0.1.10", "10.0.1.11", protocol: 17, Frames.udp(1, 2))
        ),
        (
            "a priority tag",
            Frames.mac(other) + Frames.mac(own) + [0x81, 0, 0, 0, 8, 0] + Frames.ipv4("10.0.1.10", "10.0.1.11", protocol: 17, Frames.udp(1, 2))
        ),
        ("a protocol without addresses", Frames.ethernet(own, other, 0x8863, [UInt8](repeating: 0, count: 46))),
        ("a solicitation with another's MAC", solicitation(option: other)),
        ("an advertisement for another's address", advertisement(target: "2001:db8:1::11", option: own)),
        ("an advertisement with another's MAC", advertisement(target: "2001:db8:1::10", option: other)),
        (
            "a router advertisement",
            Frames.ethernet(
                own, "33:33:00:00:00:01", 0x86dd,
                Frames.ipv6(
                    "2001:db8:1::10", "ff02::1", protocol: 58, hops: 255,
                    Frames.icmpv6("2001:db8:1::10", "ff02::1", [134, 0, 0, 0] + [UInt8](repeating: 0, count: 12))))
        ),
        (
            "two tags",
            Frames.mac(other) + Frames.mac(own) + [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]
                + Frames.ipv4("10.0.1.10", "10.0.1.11", protocol: 17, Frames.udp(1, 2))
        ),
        ("MPLS", Frames.ethernet(own, other, 0x8847, [0, 1, 1, 64] + Frames.ipv4("10.0.1.10", "10.0.1.11", protocol: 17, Frames.udp(1, 2)))),
        ("reverse ARP", Frames.ethernet(own, other, 0x8035, Array(Frames.arpRequest(from: own, "10.0.1.10", for: "10.0.1.11").dropFirst(14)))),
        (
            "another's address within SNAP",
            Frames.mac(other) + Frames.mac(own) + [0, 40, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]
                + Frames.ipv4("10.0.1.11", "10.0.1.11", protocol: 17, Frames.udp(1, 2))
        ),
        ("a solicitation with its own MAC and another's", solicitation(options: [own, other])),
        ("a solicitation with another's MAC and its own", solicitation(options: [other, own])),
        ("a solicitation with another's MAC twice", solicitation(options: [other, other])),
        ("a fragmented advertisement", fragmentedAdvertisement(of: "2001:db8:1::11")),
        (
            "a redirect",
            Frames.ethernet(
                own, other, 0x86dd,
                Frames.ipv6(
                    "2001:db8:1::10", "2001:db8:1::11", protocol: 58, hops: 255,
                    Frames.icmpv6(
                        "2001:db8:1::10", "2001:db8:1::11",
                        [137, 0, 0, 0, 0, 0, 0, 0] + Frames.v6("2001:db8:1::10") + Frames.v6("2001:db8:2::1"))))
        ),
        (
            "DHCP with another's MAC",
            Frames.ethernet(other, "ff:ff:ff:ff:ff:ff", 0x0800, Frames.ipv4("0.0.0.0", "255.255.255.255", protocol: 17, Frames.udp(68, 67)))
        ),
        (
            "DHCP as a server",
            Frames.ethernet(own, "ff:ff:ff:ff:ff:ff", 0x0800, Frames.ipv4("0.0.0.0", "255.255.255.255", protocol: 17, Frames.udp(67, 68)))
        ),
    ]

    static func solicitation(option: String) -> [UInt8] { solicitation(options: [option]) }

    static func solicitation(options: [String]) -> [UInt8] {
        let (from, to) = ("2001:db8:1::10", "2001:db8:1::11")
        return Frames.ethernet(
            own, other, 0x86dd,
            Frames.ipv6(
                from, to, protocol: 58, hops: 255,
                Frames.icmpv6(from, to, [135, 0, 0, 0, 0, 0, 0, 0] + Frames.v6(to) + options.flatMap { [1, 1] + Frames.mac($0) })))
    }

    /// The first fragment of an advertisement; the type of the message is not seen in fragments.
    static func fragmentedAdvertisement(of target: String) -> [UInt8] {
        let (from, to) = ("2001:db8:1::10", "2001:db8:1::11")
        let body = Frames.icmpv6(from, to, [136, 0, 0, 0, 0x60, 0, 0, 0] + Frames.v6(target) + [2, 1] + Frames.mac(own))
        return Frames.ethernet(own, other, 0x86dd, Frames.ipv6(from, to, protocol: 44, hops: 255, [58, 0, 0, 1, 0, 0, 0, 1] + body))
    }

    static func advertisement(target: String, option: String) -> [UInt8] {
        let (from, to) = ("2001:db8:1::10", "2001:db8:1::11")
        return Frames.ethernet(
            own, other, 0x86dd,
            Frames.ipv6(
                from, to, protocol: 58, hops: 255,
                Frames.icmpv6(from, to, [136, 0, 0, 0, 0x60, 0, 0, 0] + Frames.v6(target) + [2, 1] + Frames.mac(option))))
    }

    @Test(arguments: attacks.indices) func portSecurityStops(attack: Int) throws {
        let net = try NetworkUnderTest.example()
        let fate = try net.send(Self.attacks[attack].frame, from: "blue/web/vm1")
        #expect(fate.deliveries.isEmpty && net.network.tunnelCount == 0, "\(Self.attacks[attack].name): \(fate)")
        guard case .dropped(let drop)? = fate.ends.first else {
            Issue.record("\(Self.attacks[attack].name) was not dropped: \(fate)")
            return
        }
        #expect([.ingressMapping, .portSecurity, .addressSecurity, .neighborSecurity].contains(drop.stage), "\(Self.attacks[attack].name): \(drop)")
    }

    @Test func whatIsItsOwnPasses() throws {
        let net = try NetworkUnderTest.example()
        let (from, to) = ("2001:db8:1::10", "2001:db8:1::11")
        let linkLocal = "fe80::ff:fe00:1"
        let frames = [
            Frames.ethernet(Self.own, Self.other, 0x0800, Frames.ipv4("10.0.1.10", "10.0.1.11", protocol: 17, Frames.udp(1, 2))),
            Frames.ethernet(Self.own, Self.other, 0x86dd, Frames.ipv6(from, to, protocol: 17, Frames.udp(1, 2))),
            Frames.ethernet(Self.own, Self.other, 0x86dd, Frames.ipv6(linkLocal, to, protocol: 17, Frames.udp(1, 2))),
            Frames.arpRequest(from: Self.own, "10.0.1.10", for: "10.0.1.11"),
            Frames.arpRequest(from: Self.own, "0.0.0.0", for: "10.0.1.10"),
            Self.solicitation(option: Self.own),
            Self.advertisement(target: from, option: Self.own),
            Self.advertisement(target: linkLocal, option: Self.own),
            Frames.ethernet(Self.own, "ff:ff:ff:ff:ff:ff", 0x0800, Frames.ipv4("0.0.0.0", "255.255.255.255", protocol: 17, Frames.udp(68, 67))),
            Frames.solicitation(from: Self.own, "::", for: from),
        ]
        for frame in frames { #expect(try net.delivered(frame, from: "blue/web/vm1", to: "blue/web/vm2") == frame) }
    }

    @Test func anUnsecuredPortMaySendAnything() throws {
        let net = try NetworkUnderTest.example()
        try net.edit { $0.tenants[0].switches[0].ports[0].isSecured = false }
        let frame = Frames.ethernet("02:99:00:00:00:01", Self.other, 0x0800, Frames.ipv4("1.2.3.4", "10.0.1.11", protocol: 17, Frames.udp(1, 2)))
        #expect(try net.delivered(frame, from: "blue/web/vm1", to: "blue/web/vm2") == frame)
    }
}
