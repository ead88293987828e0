import CLinux
import Foundation
import LogicalNetwork
import Translation
import Wire

/// A made-up network of tenants with two switches and a router each: how long everything takes to compute, and one change until its entries are ready for
/// the hosts.
///
/// "Ready" is when the modifications of every host concerned are there as values, which is what would be sent. The full computation ends with the universal entries
/// as rows; entries are written from them when a host is told.
enum NetworkBench {
    static let hosts = 50
    static let rulesPerSwitch = 20
    /// Changes of each kind; the median is told.
    static let changes = 21

    static func run(tenants: Int, portsPerSwitch: Int) throws -> BenchResult {
        let before = ProcessMemory.resident ?? 0
        let network = make(tenants: tenants, portsPerSwitch: portsPerSwitch)
        let described = ProcessMemory.resident ?? 0
        var start = weft_monotonic_ns()
        try network.validate()
        let validation = Double(weft_monotonic_ns() - start) / 1e6
        start = weft_monotonic_ns()
        let translation = NetworkTranslation()
        let summary = translation.apply(network)
        let full = Double(weft_monotonic_ns() - start) / 1e6
        let computed = ProcessMemory.resident ?? 0
        translation.forgetChanges()

        let middle = "t\(tenants / 2)"
        var port: [Double] = []
        var portModifications = 0
        for i in 0..<changes {
            let new = SwitchPort(
                name: "new\(i)", mac: MACAddress(0x0299_0000_0000 + UInt64(i)), addresses: [IPAddress(family: .ipv4, low: 0x0a00_f000 + UInt64(i))],
                host: "h\(i % hosts)", attachment: .tap("new\(i)"))
            start = weft_monotonic_ns()
            translation.change(remove: [], put: [.switchPort(tenant: middle, owner: "s0", new)])
            let told = translation.takeChanges()
            port.append(Double(weft_monotonic_ns() - start) / 1e6)
            portModifications = told.reduce(0) { $0 + $1.modifications.count }
        }
        var rule: [Double] = []
        for i in 0..<changes {
            let new = AccessRule(name: "new\(i)", direction: .in, verdict: .drop, network: .ip(.ipv4), transport: 6)
            start = weft_monotonic_ns()
            translation.change(
                remove: [], put: [.accessRule(tenant: middle, owner: "s0", position: rulesPerSwitch + i, new, isRouter: false)])
            _ = translation.takeChanges()
            rule.append(Double(weft_monotonic_ns() - start) / 1e6)
        }
        let ports = tenants * 2 * portsPerSwitch
        let (onePort, oneRule) = (port.sorted()[changes / 2], rule.sorted()[changes / 2])
        return BenchResult(
            workload: "network",
            description: "\(ports) ports, \(tenants * 2) switches, \(tenants) routers, \(rulesPerSwitch) rules a switch, \(hosts) hosts",
            headline: String(format: "all %.0f ms, one port %.3f ms, one rule %.3f ms", full, onePort, oneRule),
            numbers: [
                ("ports", .integer(UInt64(ports))), ("validationMilliseconds", .decimal(validation)), ("fullMilliseconds", .decimal(full)),
                ("onePortMilliseconds", .decimal(onePort)), ("onePortModifications", .integer(UInt64(portModifications))),
                ("oneRuleMilliseconds", .decimal(oneRule)), ("rows", .integer(UInt64(summary.work.changed))),
                ("bytesOfDescription", .integer(UInt64(max(0, described - before)))),
                ("bytesOfPlanes", .integer(UInt64(max(0, computed - described)))),
            ])
    }

    private static func make(tenants: Int, portsPerSwitch: Int) -> NetworkDescription {
        var network = NetworkDescription(
            hosts: (0..<hosts).map { Host(name: "h\($0)", address: IPAddress(family: .ipv4, low: 0xc000_0201 + UInt64($0))) })
        var count = 0
        for t in 0..<tenants {
            var tenant = Tenant(name: "t\(t)")
            var router = LogicalRouter(name: "r")
            for s in 0..<2 {
                var logical = LogicalSwitch(name: "s\(s)")
                for p in 0..<portsPerSwitch {
                    logical.ports.append(
                        SwitchPort(
                            name: "p\(p)", mac: MACAddress(0x0200_0000_0000 + UInt64(count)),
                            addresses: [IPAddress(family: .ipv4, low: 0x0a00_0000 + UInt64(s) << 16 + UInt64(p) + 10)], host: "h\(count % hosts)",
                            attachment: .tap("tap\(count)")))
                    count += 1
                }
                for a in 0..<rulesPerSwitch {
                    logical.access.rules.append(
                        AccessRule(
                            name: "a\(a)", direction: a % 2 == 0 ? .in : .out, verdict: .allow, network: .ip(nil), transport: 6,
                            sources: [.prefix(AddressPrefix(IPAddress(family: .ipv4, low: 0x0a00_0000 + UInt64(a) << 16), length: 16))],
                            destinationPorts: [.init(UInt16(a + 1), UInt16(a + 1))]))
                }
                tenant.switches.append(logical)
                router.ports.append(
                    RouterPort(
                        name: "p\(s)", addresses: [AddressPrefix(IPAddress(family: .ipv4, low: 0x0a00_0001 + UInt64(s) << 16), length: 16)],
                        peer: .logicalSwitch("s\(s)")))
            }
            tenant.routers = [router]
            network.tenants.append(tenant)
        }
        return network
    }
}
