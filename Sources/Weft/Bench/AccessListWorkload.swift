/// An access list of prefixes, protocols and services between an ingress table and an output table, and random traffic between its networks.
///
/// Sources and destinations have four prefix lengths each (sources also any), the networks lie densely as in an addressing plan, and traffic comes from
/// them, so that nearly every packet meets rules that almost match. Priorities follow how much a rule asks.
struct AccessListWorkload {
    struct Pool {
        var bits: Int
        var first: UInt32
        var count: Int

        /// A network of the pool.
        func network(_ n: Int) -> UInt32 { first + UInt32(n % count) << UInt32(32 - bits) }
        /// An address in some network.
        func address(_ random: inout SplitMix) -> UInt32 {
            network(random.next(below: count)) | (bits == 32 ? 0 : UInt32(truncatingIfNeeded: random.next()) >> UInt32(bits))
        }
    }

    let ruleCount: Int
    private let sources: [Pool]
    private let destinations: [Pool]
    private static let seed: UInt64 = 16
    private static let services = (0..<64).map { UInt16(20 + 7 * $0) }

    init(rules: Int) {
        ruleCount = rules
        let scale = rules < 4_000 ? 1 : 4
        sources = [
            Pool(bits: 16, first: 0x0a00_0000, count: 16 * scale), Pool(bits: 20, first: 0x0a40_0000, count: 32 * scale),
            Pool(bits: 24, first: 0x0a80_0000, count: 32 * scale), Pool(bits: 32, first: 0x0ac0_0000, count: 64 * scale),
        ]
        destinations = [
            Pool(bits: 16, first: 0xac10_0000, count: 16 * scale), Pool(bits: 24, first: 0xac40_0000, count: 32 * scale),
            Pool(bits: 28, first: 0xac50_0000, count: 64 * scale), Pool(bits: 32, first: 0xac60_0000, count: 64 * scale),
        ]
    }

    func flows() -> String {
        var random = SplitMix(seed: Self.seed)
        var text = "table=0,priority=100,in_port=1,ip,actions=load:1->NXM_NX_REG0[],resubmit(,1)\n"
        var seen: Set<String> = []
        var n = 0
        while seen.count < ruleCount {
            let destination = destinations[n % 4]
            // The first rules open or close each service for everybody; the rest are random.
            let isGeneral = n < 512
            let source = isGeneral ? nil : Optional(sources[random.next(below: 4)])
            let proto = isGeneral ? ["tcp", "udp"][n / 4 % 2] : ["tcp", "tcp", "udp", "udp", "ip"][random.next(below: 5)]
            let at = random.next(below: Self.services.count + 16)
            let service = isGeneral ? Self.services[n / 8 % 64] : proto != "ip" && at < Self.services.count ? Self.services[at] : nil
            var match = proto
            if let source { match += ",nw_src=\(Self.dotted(source.network(random.next(below: source.count))))/\(source.bits)" }
            match += ",nw_dst=\(Self.dotted(destination.network(isGeneral ? n / 4 : random.next(below: destination.count))))/\(destination.bits)"
            if let service { match += ",tp_dst=\(service)" }
            n += 1
            guard seen.insert(match).inserted else { continue }
            let priority = 1000 + 10 * ((source?.bits ?? 0) + destination.bits) + (service == nil ? 0 : 5) + random.next(below: 4)
            text += "table=1,priority=\(priority),\(match),actions=\(random.next(below: 10) < 3 ? "drop" : "resubmit(,2)")\n"
        }
        text += "table=1,priority=1,ip,actions=resubmit(,2)\n"
        return text + "table=2,priority=100,ip,reg0=1,actions=mod_dl_src:02:00:00:00:00:aa,mod_dl_dst:02:00:00:00:00:bb,dec_ttl,output:2\n"
    }

    /// Random five-tuples from some 2^50, another sequence for each `part`.
    func frames(count: Int, part: UInt64) -> FrameBuffer {
        var random = SplitMix(seed: Self.seed &* 1000 &+ part)
        return FrameBuffer(count: count) { _ in
            let source = sources[random.next(below: 4)].address(&random)
            let destination = destinations[random.next(below: 4)].address(&random)
            let r = random.next()
            return FrameBuffer.FiveTuple(
                source: source, destination: destination, isTCP: r & 1 != 0, sourcePort: UInt16(1024 + (r >> 8 & 0x7fff)),
                destinationPort: Self.services[Int(r >> 32 & 63)])
        }
    }

    private static func dotted(_ a: UInt32) -> String { "\(a >> 24).\(a >> 16 & 255).\(a >> 8 & 255).\(a & 255)" }
}
