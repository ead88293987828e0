import Datapath
import Flow
import Testing

/// One logical network, its context carried in a register or in a header field, its stages in one table or in several: what becomes of packets is the same
/// (spec 001a; AT-35, AT-36).
///
/// Two switches with two machines each, and a router between them. Every record stores its progress in the context, a value of its own for each logical port
/// and direction, and sends the packet on by the dispatch port, so that all records may be in one table. What arrives is told from what was sent on by the
/// port: a machine's packet that brings a context of its own is dropped.
@Suite struct ContextVariantTests {
    enum Carrier: String, CaseIterable { case register, vlan }
    /// Which table each group of records is in: ingress mapping and source L2, L3, destination L2.
    enum Layout: String, CaseIterable {
        case one, three, five
        var tables: (arrival: Int, source: Int, routing: Int, resolution: Int, destination: Int) {
            switch self {
            case .one: (0, 0, 0, 0, 0)
            case .three: (0, 0, 1, 1, 2)
            case .five: (0, 1, 2, 3, 4)
            }
        }
    }

    struct Machine {
        var port: UInt32
        /// 1 or 2.
        var network: Int
        var mac: String { "02:00:00:00:0\(network):\(10 + port)" }
        var address: String { "10.0.\(network).\(10 + port)" }
    }
    static let machines = [
        Machine(port: 1, network: 1), Machine(port: 2, network: 1), Machine(port: 3, network: 2), Machine(port: 4, network: 2),
    ]
    static func routerMAC(_ network: Int) -> String { "02:00:00:00:0\(network):01" }

    /// Writes records for one way to carry the context.
    struct Records {
        let carrier: Carrier
        let layout: Layout
        private(set) var lines: [String] = []

        // Values of the context, all below 4,096: where the packet is in the logical network.
        static func from(_ m: Machine) -> Int { 0x100 + Int(m.port) }
        static func to(_ m: Machine) -> Int { 0x200 + Int(m.port) }
        static func intoRouter(_ network: Int) -> Int { 0x300 + network }
        static func outOfRouter(_ network: Int) -> Int { 0x400 + network }
        static func fromRouter(_ network: Int) -> Int { 0x500 + network }

        private let dispatched = "in_port=DISPATCH,"

        /// How a packet goes on: to the dispatch port, which is table 0, or to another table as if it came from there.
        private func go(_ table: Int) -> String { layout == .one ? "output:DISPATCH" : "resubmit(DISPATCH,\(table))" }

        private func begin(_ context: Int) -> String {
            switch carrier {
            case .register: "load:\(context)->NXM_NX_REG0[]"
            case .vlan: "push_vlan:0x8100,set_field:\(0x1000 | context)->vlan_vid"
            }
        }
        private func change(_ context: Int) -> String {
            switch carrier {
            case .register: "load:\(context)->NXM_NX_REG0[]"
            case .vlan: "set_field:\(0x1000 | context)->vlan_vid"
            }
        }
        private func match(_ context: Int) -> String {
            switch carrier {
            case .register: "reg0=\(context)"
            case .vlan: "dl_vlan=\(context)"
            }
        }
        /// Leaves the packet as it was.
        private var strip: String {
            switch carrier {
            case .register: "load:0->NXM_NX_REG0[]"
            case .vlan: "strip_vlan"
            }
        }

        private mutating func add(_ table: Int, _ priority: Int, _ match: String, _ actions: String) {
            lines.append("table=\(table),priority=\(priority),\(match),actions=\(actions)")
        }

        init(carrier: Carrier, layout: Layout) {
            self.carrier = carrier
            self.layout = layout
            let t = layout.tables
            let all = ContextVariantTests.machines
            for m in all {
                // Ingress context mapping; a tag from outside is no context.
                add(t.arrival, 900, "in_port=\(m.port),vlan_tci=0/0x1000,dl_src=\(m.mac)", "\(begin(Records.from(m))),\(go(t.source))")
                // Source L2.
                l2(t.source, context: Records.from(m), of: m.network, except: m.port, routerGoesTo: t.routing)
                // Physical output, wherever the egress port was decided.
                for table in Set([t.source, t.destination]) {
                    add(table, 500, "\(dispatched)\(match(Records.to(m)))", "\(strip),output:\(m.port)")
                }
            }
            // Nothing leads from one machine of network 2 to the other by TCP port 23: an access rule of the switch.
            for table in Set([t.source, t.destination]) {
                add(table, 600, "\(dispatched)tcp,\(match(Records.to(all[3]))),tp_dst=23", "drop")
            }
            for network in [1, 2] {
                for target in [1, 2] {
                    add(
                        t.routing, 400, "\(dispatched)ip,\(match(Records.intoRouter(network))),nw_dst=10.0.\(target).0/24",
                        "dec_ttl,mod_dl_src:\(ContextVariantTests.routerMAC(target)),\(change(Records.outOfRouter(target))),\(go(t.resolution))")
                }
                l2(t.destination, context: Records.fromRouter(network), of: network, except: nil, routerGoesTo: nil)
            }
            for m in all {
                add(
                    t.resolution, 400, "\(dispatched)ip,\(match(Records.outOfRouter(m.network))),nw_dst=\(m.address)",
                    "mod_dl_dst:\(m.mac),\(change(Records.fromRouter(m.network))),\(go(t.destination))")
            }
        }

        /// L2 forwarding of a logical switch for what is at one of its ports.
        private mutating func l2(_ table: Int, context: Int, of network: Int, except own: UInt32?, routerGoesTo routing: Int?) {
            let others = ContextVariantTests.machines.filter { $0.network == network && $0.port != own }
            for m in others {
                add(table, 400, "\(dispatched)\(match(context)),dl_dst=\(m.mac)", "\(change(Records.to(m))),\(go(table))")
            }
            if let routing {
                add(
                    table, 400, "\(dispatched)\(match(context)),dl_dst=\(ContextVariantTests.routerMAC(network))",
                    "\(change(Records.intoRouter(network))),\(go(routing))")
            }
            let copies = others.map { "clone(\(change(Records.to($0))),\(go(table)))" }
            add(table, 300, "\(dispatched)\(match(context)),dl_dst=ff:ff:ff:ff:ff:ff", copies.joined(separator: ","))
        }
    }

    /// What leaves, by port: from the description of the network, without tables.
    static func expected(_ f: [UInt8], from port: UInt32) -> [[UInt8]: [UInt32]] {
        func mac(_ text: String) -> [UInt8] { text.split(separator: ":").map { UInt8($0, radix: 16)! } }
        guard let sender = machines.first(where: { $0.port == port }), Array(f[6..<12]) == mac(sender.mac), f[12] != 0x81 else { return [:] }
        func mayReach(_ m: Machine, _ f: [UInt8]) -> Bool {
            !(m.port == 4 && f[12...13] == [8, 0] && f[23] == 6 && f[36...37] == [0, 23])
        }
        let destination = Array(f[0..<6])
        if destination == mac("ff:ff:ff:ff:ff:ff") {
            let ports = machines.filter { $0.network == sender.network && $0.port != port && mayReach($0, f) }.map(\.port)
            return ports.isEmpty ? [:] : [f: ports]
        }
        if destination == mac(routerMAC(sender.network)) {
            guard f[12...13] == [8, 0], f[22] > 1 else { return [:] }
            let text = f[30..<34].map(String.init).joined(separator: ".")
            // No packet leaves by the port that it came from.
            guard let m = machines.first(where: { $0.address == text && $0.port != port }) else { return [:] }
            var out = mac(m.mac) + mac(routerMAC(m.network)) + f[12...]
            out[22] -= 1
            var sum = UInt32(out[24]) << 8 | UInt32(out[25])
            // RFC 1141: the sum grows by what the time to live lost.
            sum += 0x100
            sum = sum & 0xffff + sum >> 16
            (out[24], out[25]) = (UInt8(sum >> 8), UInt8(sum & 0xff))
            return mayReach(m, out) ? [out: [m.port]] : [:]
        }
        guard let m = machines.first(where: { $0.network == sender.network && $0.port != port && mac($0.mac) == destination }), mayReach(m, f) else {
            return [:]
        }
        return [f: [m.port]]
    }

    static func packets() throws -> [(port: UInt32, frame: [UInt8])] {
        var all: [(UInt32, [UInt8])] = []
        func add(_ port: UInt32, _ text: String) throws { all.append((port, try LiveForwardingTests.frame(text))) }
        for m in machines {
            for other in machines {
                let gateway = routerMAC(m.network)
                for (destination, ttl) in [(other.mac, 64), (gateway, 64), (gateway, 1), (gateway, 2), ("02:00:00:00:09:09", 64)] {
                    for proto in ["tcp,tcp_src=1000,tcp_dst=80", "tcp,tcp_src=1000,tcp_dst=23", "udp,udp_src=1000,udp_dst=53", "icmp,icmp_type=8"] {
                        let parts = proto.split(separator: ",", maxSplits: 1)
                        try add(
                            m.port,
                            "\(parts[0]),dl_src=\(m.mac),dl_dst=\(destination),nw_src=\(m.address),nw_dst=\(other.address),nw_ttl=\(ttl),\(parts[1])")
                    }
                }
            }
            try add(m.port, "arp,dl_src=\(m.mac),dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=\(m.address),arp_tpa=10.0.1.1")
            try add(m.port, "icmp,dl_src=\(m.mac),dl_dst=\(routerMAC(m.network)),nw_src=\(m.address),nw_dst=10.0.9.9,icmp_type=8")
            // Another's address, and the router of the other network.
            try add(m.port, "icmp,dl_src=02:00:00:00:09:09,dl_dst=\(machines[0].mac),nw_src=\(m.address),nw_dst=10.0.1.11,icmp_type=8")
            try add(m.port, "icmp,dl_src=\(m.mac),dl_dst=\(routerMAC(3 - m.network)),nw_src=\(m.address),nw_dst=10.0.1.11,icmp_type=8")
            // Contexts that a machine forges: to each machine, into and out of the router.
            for context in machines.flatMap({ [Records.from($0), Records.to($0)] })
                + [1, 2].flatMap({ [Records.intoRouter($0), Records.outOfRouter($0), Records.fromRouter($0)] })
            {
                try add(
                    m.port,
                    "udp,dl_vlan=\(context),dl_src=\(m.mac),dl_dst=\(machines[2].mac),nw_src=\(m.address),nw_dst=10.0.2.13,udp_src=1,udp_dst=2")
            }
        }
        return all
    }

    @Test(arguments: Carrier.allCases, Layout.allCases) func packetsEndTheSameWay(carrier: Carrier, layout: Layout) throws {
        let records = Records(carrier: carrier, layout: layout)
        let parsed = FlowText.parse(records.lines.joined(separator: "\n") + "\n")
        try #require(parsed.errors.isEmpty, "\(parsed.errors)")
        #expect(
            Set(parsed.modifications.compactMap { if case .flow(_, let e, _, _, _) = $0 { e.table } else { nil } }).count
                == [.one: 1, .three: 3, .five: 5][layout])
        var sent = 0
        for usesCache in [true, false] {
            let element = ForwardingElement(ports: PortRegistry(), usesCache: usesCache)
            for m in parsed.modifications { try element.apply(m, now: 0) }
            for (port, frame) in try Self.packets() {
                var found: [[UInt8]: [UInt32]] = [:]
                let slack = frame + Array(repeating: 0, count: 64)
                slack.withUnsafeBytes { bytes in
                    let received = ReceivedFrame(bytes: bytes.baseAddress!, length: frame.count, inPort: port, time: 0)
                    // Twice, so that the second is the cache's.
                    for _ in 0..<2 {
                        found = [:]
                        element.process([received]) { _, events in
                            for e in events.events where e.kind == .transmitted {
                                found[Array(events.bytes[e.offset..<e.offset + e.length]), default: []].append(
                                    element.tables.ports.number(at: Int(e.port)))
                            }
                        }
                    }
                }
                let wanted = Self.expected(frame, from: port)
                #expect(found.mapValues { $0.sorted() } == wanted, "port \(port), \(frame)")
                sent += wanted.count
            }
            let c = element.worker.counters
            #expect(c.received + c.copied == c.ended && c.toController == 0)
        }
        // That there is something to see.
        #expect(sent > 100)
    }
}
