import LogicalNetwork
import NetworkSimulation
import Testing
import Wire

/// Mutated frames from a secured port: whatever gets through, a check that knows nothing of flow entries finds nothing wrong with.
@Suite struct SecurityFuzzTests {
    private static let own = SecurityTests.own
    private static let (v4, v6, linkLocal) = ("10.0.1.10", "2001:db8:1::10", "fe80::ff:fe00:1")

    /// What a workload says that is allowed, and near misses, to be changed.
    private static let seeds: [[UInt8]] = {
        let other = SecurityTests.other
        let to = "2001:db8:1::11"
        func neighbor(_ type: UInt8, _ target: String, _ options: [[UInt8]], hop: [UInt8] = []) -> [UInt8] {
            let message: [UInt8] = [type, 0, 0, 0, 0x60, 0, 0, 0] + Frames.v6(target) + options.flatMap { $0 }
            let body = Frames.icmpv6(v6, to, message)
            if hop.isEmpty { return Frames.ethernet(own, other, 0x86dd, Frames.ipv6(v6, to, protocol: 58, hops: 255, body)) }
            return Frames.ethernet(own, other, 0x86dd, Frames.ipv6(v6, to, protocol: hop[0], hops: 255, Array(hop.dropFirst()) + body))
        }
        let mine: [UInt8] = [2, 1] + Frames.mac(own), others: [UInt8] = [2, 1] + Frames.mac(other)
        let source: [UInt8] = [1, 1] + Frames.mac(own), lie: [UInt8] = [1, 1] + Frames.mac(other)
        // Next header, then the extension header: destination options, hop-by-hop options, a fragment header of a whole and of a first fragment.
        let options: [UInt8] = [60, 58, 0, 1, 4, 0, 0, 0, 0], hopByHop: [UInt8] = [0, 58, 0, 1, 4, 0, 0, 0, 0]
        let atomic: [UInt8] = [44, 58, 0, 0, 0, 0, 0, 0, 1], first: [UInt8] = [44, 58, 0, 0, 1, 0, 0, 0, 1]
        return SecurityTests.attacks.map(\.frame) + [
            Frames.ethernet(own, other, 0x0800, Frames.ipv4(v4, "10.0.1.11", protocol: 17, Frames.udp(1, 2))),
            Frames.ethernet(own, other, 0x0800, Frames.ipv4(v4, "10.0.1.11", protocol: 6, Frames.tcp(1, 2))),
            Frames.ethernet(own, other, 0x86dd, Frames.ipv6(v6, to, protocol: 17, Frames.udp(1, 2))),
            Frames.ethernet(own, other, 0x86dd, Frames.ipv6(linkLocal, to, protocol: 6, Frames.tcp(1, 2))),
            Frames.ethernet(own, "ff:ff:ff:ff:ff:ff", 0x0800, Frames.ipv4("0.0.0.0", "255.255.255.255", protocol: 17, Frames.udp(68, 67))),
            Frames.arpRequest(from: own, v4, for: "10.0.1.11"), Frames.arpRequest(from: own, "0.0.0.0", for: v4),
            Frames.solicitation(from: own, "::", for: v6), Frames.solicitation(from: own, v6, for: to),
            neighbor(136, v6, [mine]), neighbor(136, linkLocal, [mine]), neighbor(136, v6, []), neighbor(136, to, [mine]),
            neighbor(136, v6, [mine, others]), neighbor(136, v6, [others, mine]), neighbor(136, v6, [mine, mine]),
            neighbor(135, to, [source]), neighbor(135, to, [lie]), neighbor(135, to, [source, lie]), neighbor(135, to, [lie, source]),
            neighbor(135, to, [[14, 1, 0, 0, 0, 0, 0, 0], lie]), neighbor(136, v6, [[1, 1, 0, 0, 0, 0, 0, 0], others]),
            neighbor(136, to, [mine], hop: options), neighbor(136, v6, [others], hop: options), neighbor(136, v6, [mine], hop: options),
            neighbor(136, to, [mine], hop: hopByHop), neighbor(134, to, [mine], hop: hopByHop), neighbor(136, to, [mine], hop: atomic),
            neighbor(136, to, [mine], hop: first), neighbor(137, to, [mine], hop: first),
            // IPv4 within LLC and SNAP, with another's address.
            Frames.mac(other) + Frames.mac(own) + [0, 60, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]
                + Frames.ipv4("10.0.1.11", "10.0.1.11", protocol: 17, Frames.udp(1, 2)),
            Frames.mac(other) + Frames.mac(own) + [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]
                + Frames.ipv4(v4, "10.0.1.11", protocol: 17, Frames.udp(1, 2)),
        ]
    }()

    /// Whether the machine with `own` may send the frame; told in words when not.
    static func fault(_ f: [UInt8]) -> String? {
        guard f.count >= 14, Array(f[6..<12]) == Frames.mac(own) else { return "another's MAC" }
        switch Int(f[12]) << 8 | Int(f[13]) {
        case 0x0800:
            // Open vSwitch does not look at the version either; with another one the packet is nobody's.
            guard f.count >= 34 else { return "no IPv4" }
            if Array(f[26..<30]) == Frames.v4(v4) { return nil }
            let at = 14 + Int(f[14] & 15) * 4
            let isDiscovery =
                Array(f[26..<34]) == [0, 0, 0, 0, 255, 255, 255, 255] && f[23] == 17 && f.count >= at + 4
                && Array(f[at..<(at + 4)]) == [0, 68, 0, 67]
            return isDiscovery ? nil : "another's IPv4 address"
        case 0x0806:
            guard f.count >= 42, Array(f[22..<28]) == Frames.mac(own) else { return "another's MAC in ARP" }
            return [Frames.v4(v4), [0, 0, 0, 0]].contains(Array(f[28..<32])) ? nil : "another's address in ARP"
        case 0x86dd:
            guard f.count >= 54 else { return "no IPv6" }
            return faultOfIPv6(f)
        case 0..<0x600 where f.count >= 22 && Array(f[14..<20]) == [0xaa, 0xaa, 3, 0, 0, 0]:
            // IEEE 802.3 with LLC and SNAP: the same inside (RFC 1042).
            return fault(Array(f[..<12]) + Array(f[20...]))
        default: return "neither IP nor ARP"
        }
    }

    private static func faultOfIPv6(_ frame: [UInt8]) -> String? {
        // What is behind the packet in the frame is nothing to its receiver.
        let f = Array(frame.prefix(54 + (Int(frame[18]) << 8 | Int(frame[19]))))
        var (next, at) = (f[20], 54)
        while [0, 43, 60, 44].contains(next), f.count >= at + 8 {
            // Of a later fragment, nobody can say what it is.
            if next == 44, f[at + 2] != 0 || f[at + 3] & 0xf8 != 0 { return sourceFault(f, isEarly: false) }
            let size = next == 44 ? 8 : 8 * (Int(f[at + 1]) + 1)
            (next, at) = (f[at], at + size)
        }
        guard next == 58, f.count >= at + 8 else { return sourceFault(f, isEarly: false) }
        let type = f[at]
        if let fault = sourceFault(f, isEarly: [131, 132, 133, 135, 143].contains(type)) { return fault }
        // With another hop limit nobody takes it for neighbour discovery (RFC 4861 §6.1.2, §7.1).
        if f[21] != 255 { return nil }
        if type == 134 || type == 137 { return "it plays the router" }
        guard type == 135 || type == 136, f.count >= at + 24 else { return nil }
        if type == 136, ![Frames.v6(v6), Frames.v6(linkLocal)].contains(Array(f[(at + 8)..<(at + 24)])) { return "another's address advertised" }
        var option = at + 24
        while option + 8 <= f.count, f[option + 1] != 0 {
            // Of other sizes they are no MACs of Ethernet (RFC 4861 §4.6.1); no MAC at all harms nobody else.
            let isMAC = f[option] == type - 134 && f[option + 1] == 1
            if isMAC, ![Frames.mac(own), [0, 0, 0, 0, 0, 0]].contains(Array(f[(option + 2)..<(option + 8)])) {
                return "another's MAC in neighbour discovery"
            }
            option += 8 * Int(f[option + 1])
        }
        return nil
    }

    private static func sourceFault(_ f: [UInt8], isEarly: Bool) -> String? {
        let source = Array(f[22..<38])
        if source == Frames.v6(v6) || source == Frames.v6(linkLocal) || (isEarly && source == [UInt8](repeating: 0, count: 16)) { return nil }
        return "another's IPv6 address"
    }

    @Test func whatGetsThroughIsTheSendersOwn() throws {
        let net = try NetworkUnderTest.example()
        var random = UInt64(20_261_121)
        func next(_ n: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % n
        }
        var delivered = 0
        for i in 0..<60_000 {
            var frame = Self.seeds[i % Self.seeds.count]
            if i >= Self.seeds.count {
                for _ in 0...next(3) {
                    switch next(8) {
                    case 0: frame[next(frame.count)] = UInt8(next(256))
                    case 1: frame[next(frame.count)] ^= 1 << UInt8(next(8))
                    case 2: frame = Array(frame.prefix(14 + next(frame.count - 13)))
                    case 3:
                        // A piece of another frame at the same place.
                        let donor = Self.seeds[next(Self.seeds.count)]
                        let from = 12 + next(40), count = 1 + next(16)
                        if from + count <= min(donor.count, frame.count) {
                            frame.replaceSubrange(from..<(from + count), with: donor[from..<(from + count)])
                        }
                    case 4: frame += (0..<next(24)).map { _ in UInt8(next(256)) }
                    default: break
                    }
                }
            }
            let fate = try net.send(frame, from: "blue/web/vm1")
            for (port, bytes) in fate.deliveries where port != "blue/web/vm1" {
                delivered += 1
                if bytes.count >= 14, Frames.source(bytes) == WalkTests.toDB { continue }
                if let fault = Self.fault(bytes) {
                    Issue.record("\(fault), to \(port): \(bytes.map(Frames.hex).joined())")
                    return
                }
            }
        }
        #expect(delivered > 5_000)
    }
}
