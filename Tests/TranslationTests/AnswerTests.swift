import NetworkSimulation
import Testing
import Translation

/// Errors and resets in the name of routers and access rules: from the right address, to the right machine, with the right bytes.
@Suite struct AnswerTests {
    private static let a1 = RoutingTests.a1, router = "02:01:00:00:00:0a"

    private func answer(_ net: NetworkUnderTest, _ frame: [UInt8], from port: String = "t/a/a1", sourceLocation: SourceLocation = #_sourceLocation)
        throws -> [UInt8]
    {
        let fate = try net.send(frame, from: port)
        #expect(fate.deliveries.map(\.port) == [port] && fate.isAnswered, "\(fate)", sourceLocation: sourceLocation)
        return try #require(fate.deliveries.first, "\(fate)", sourceLocation: sourceLocation).bytes
    }

    @Test func eachRouterOfAChainSaysThatTimeIsExceededFromTheAddressTowardsTheSender() throws {
        let net = try NetworkUnderTest(RoutingTests.chain)
        for (ttl, address, left) in [(1, "10.1.0.1", 64), (2, "172.16.0.2", 63)] as [(UInt8, String, UInt8)] {
            let request = RoutingTests.packet(from: Self.a1, "10.1.0.10", via: Self.router, to: "10.2.0.10", ttl: ttl)
            let frame = try answer(net, request)
            #expect(Frames.source(frame) == Self.router && Frames.destination(frame) == Self.a1)
            #expect(Frames.sourceIPv4(frame) == address && Frames.destinationIPv4(frame) == "10.1.0.10" && Frames.ttl(frame) == left)
            #expect(frame[34...35] == [11, 0] && Frames.hasRightIPv4Checksum(frame) && Frames.hasRightICMPChecksum(frame))
            // It quotes the packet as the router got it (RFC 792).
            #expect(Array(frame[42...].dropFirst(12).prefix(8)) == Array(request[26..<34]) && frame[42 + 8] == 1)
        }
        #expect(net.network.tunnelCount == 0)
    }

    @Test func withoutARouteTheNetworkIsUnreachable() throws {
        let net = try NetworkUnderTest.example()
        let frame = try answer(net, WalkTests.ping("172.16.0.1", mac: WalkTests.toWeb), from: "blue/web/vm1")
        #expect(frame[34...35] == [3, 0] && Frames.sourceIPv4(frame) == "10.0.1.1" && Frames.hasRightICMPChecksum(frame))
        let echo = Frames.icmpv6("2001:db8:1::10", "2001:db8:9::1", [128, 0, 0, 0, 0, 1, 0, 1])
        let v6 = try answer(
            net, Frames.ethernet(WalkTests.vm1, WalkTests.toWeb, 0x86dd, Frames.ipv6("2001:db8:1::10", "2001:db8:9::1", protocol: 58, echo)),
            from: "blue/web/vm1")
        #expect(v6[54...55] == [1, 0] && Array(v6[22..<38]) == Frames.v6("2001:db8:1::1") && Frames.hasRightICMPv6Checksum(v6) && v6[21] == 64)
        #expect(Array(v6[62...]) == Frames.ipv6("2001:db8:1::10", "2001:db8:9::1", protocol: 58, echo))
    }

    @Test func ipv6TimeIsExceededToo() throws {
        let net = try NetworkUnderTest.example()
        let packet = Frames.ipv6("2001:db8:1::10", "2001:db8:2::10", protocol: 17, hops: 1, Frames.udp(1, 2))
        let frame = try answer(net, Frames.ethernet(WalkTests.vm1, WalkTests.toWeb, 0x86dd, packet), from: "blue/web/vm1")
        #expect(frame[54...55] == [3, 0] && Array(frame[22..<54]) == Frames.v6("2001:db8:1::1") + Frames.v6("2001:db8:1::10"))
        #expect(Frames.hasRightICMPv6Checksum(frame))
    }

    /// A TCP segment from vm1 to vm4 with these flags; its numbers are 0x01020304 and 0x05060708.
    private func segment(flags: UInt8, payload: [UInt8] = []) -> [UInt8] {
        let tcp: [UInt8] = Frames.be(40_000) + Frames.be(23) + [1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags, 0x20, 0, 0, 0, 0, 0] + payload
        return Frames.ethernet(WalkTests.vm1, WalkTests.toWeb, 0x0800, Frames.ipv4("10.0.1.10", "10.0.2.10", protocol: 6, tcp))
    }

    @Test(
        arguments: [
            (0x02, [], [0, 0, 0, 0, 1, 2, 3, 5, 0x50, 0x14]), (0x10, [9, 9], [5, 6, 7, 8, 0, 0, 0, 0, 0x50, 0x04]),
            (0x03, [9], [0, 0, 0, 0, 1, 2, 3, 7, 0x50, 0x14]),
        ] as [(UInt8, [UInt8], [UInt8])])
    func aRejectedSegmentIsReset(flags: UInt8, payload: [UInt8], expected: [UInt8]) throws {
        let net = try NetworkUnderTest.example()
        let frame = try answer(net, segment(flags: flags, payload: payload), from: "blue/web/vm1")
        #expect(Frames.sourceIPv4(frame) == "10.0.2.10" && Frames.destinationIPv4(frame) == "10.0.1.10" && Frames.source(frame) == WalkTests.toWeb)
        #expect(Array(frame[34..<38]) == Frames.be(23) + Frames.be(40_000) && Array(frame[38..<48]) == expected)
        #expect(Frames.sum(Array(frame[26..<34]) + [0, 6, 0, 20] + Array(frame[34..<54])) == [0, 0] && frame.count == 54)
    }

    @Test func aRejectedDatagramIsAdministrativelyProhibited() throws {
        let net = try NetworkUnderTest(RoutingTests.chain)
        try net.edit {
            $0.tenants[0].switches[0].access.rules = [.init(name: "no", direction: .in, verdict: .reject, network: .ip(.ipv4), transport: 17)]
        }
        let frame = try answer(net, RoutingTests.packet(from: Self.a1, "10.1.0.10", via: Self.router, to: "10.2.0.10"))
        #expect(
            frame[34...35] == [3, 13] && Frames.sourceIPv4(frame) == "10.2.0.10" && Frames.ttl(frame) == 64 && Frames.hasRightICMPChecksum(frame))
        // By a router's rule, behind the way out.
        try net.edit {
            $0.tenants[0].switches[0].access.rules = []
            $0.tenants[0].routers[0].access.rules = [
                .init(
                    name: "no", direction: .out, verdict: .reject, network: .ip(.ipv4), transport: 17, destinations: [.prefix(.init("10.2.0.0/16")!)])
            ]
        }
        let routed = try answer(net, RoutingTests.packet(from: Self.a1, "10.1.0.10", via: Self.router, to: "10.2.0.10"))
        #expect(routed[34...35] == [3, 13] && Frames.ttl(routed) == 64 && Frames.destination(routed) == Self.a1)
    }

    @Test func errorsResetsGroupsAndLaterFragmentsAreNotAnswered() throws {
        let net = try NetworkUnderTest.example()
        func ip(_ payload: [UInt8], proto: UInt8, ttl: UInt8 = 1) -> [UInt8] {
            Frames.ethernet(WalkTests.vm1, WalkTests.toWeb, 0x0800, Frames.ipv4("10.0.1.10", "10.0.2.10", protocol: proto, ttl: ttl, payload))
        }
        var fragment = ip(Frames.udp(1, 2), proto: 17)
        fragment[21] = 5
        fragment.replaceSubrange(24..<26, with: [0, 0])
        fragment.replaceSubrange(24..<26, with: Frames.sum(Array(fragment[14..<34])))
        let silent = [ip([3, 1, 0, 0, 0, 0, 0, 0], proto: 1), ip([11, 0, 0, 0, 0, 0, 0, 0], proto: 1), fragment, segment(flags: 0x04)]
        for frame in silent {
            let fate = try net.send(frame, from: "blue/web/vm1")
            #expect(fate.deliveries.isEmpty && !fate.isAnswered, "\(fate)")
        }
    }

    @Test func longPacketsAreQuotedInPart() throws {
        let net = try NetworkUnderTest.example()
        let v4 = Frames.ipv4("10.0.1.10", "172.16.0.1", protocol: 17, Frames.udp(1, 2) + [UInt8](repeating: 7, count: 1400))
        #expect(try answer(net, Frames.ethernet(WalkTests.vm1, WalkTests.toWeb, 0x0800, v4), from: "blue/web/vm1").count == 14 + 576)
        let v6 = Frames.ipv6("2001:db8:1::10", "2001:db8:9::1", protocol: 17, Frames.udp(1, 2) + [UInt8](repeating: 7, count: 1400))
        #expect(try answer(net, Frames.ethernet(WalkTests.vm1, WalkTests.toWeb, 0x86dd, v6), from: "blue/web/vm1").count == 14 + 1280)
    }

    /// No bytes of a workload make the answering side trap.
    @Test func cutAndMangledPacketsAreAnsweredOrNot() throws {
        let net = try NetworkUnderTest.example()
        let sound = [
            segment(flags: 2), WalkTests.ping("172.16.0.1", mac: WalkTests.toWeb),
            Frames.ethernet(
                WalkTests.vm1, WalkTests.toWeb, 0x86dd,
                Frames.ipv6("2001:db8:1::10", "2001:db8:9::1", protocol: 44, [17, 0, 0, 0, 0, 0, 0, 1] + Frames.udp(1, 2))),
        ]
        var key = SplitMix(state: 5)
        for frame in sound {
            for count in 0...frame.count {
                for reason in ControllerRequest.allCases {
                    _ = net.translation.answer(to: Array(frame.prefix(count)), metadata: .init(), userdata: [reason.rawValue])
                }
            }
            for _ in 0..<500 {
                var bytes = frame
                for _ in 0..<4 { bytes[Int(key.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: key.next()) }
                _ = try net.send(bytes, from: "blue/web/vm1")
                for reason in ControllerRequest.allCases { _ = net.translation.answer(to: bytes, metadata: .init(), userdata: [reason.rawValue]) }
            }
        }
        let isAnswered = net.translation.answer(to: sound[1], metadata: .init(), userdata: []) != nil
        #expect(!isAnswered)
    }
}

/// Steele, Lea and Flood's generator.
struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
