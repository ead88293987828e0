import ArgumentParser
import Flow
import Foundation
import LogicalNetwork
import Translation

/// `weft net`: what a network file says, and what becomes of it.
struct NetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "net", abstract: "Check logical networks and look at what they become.",
        subcommands: [
            NetCheckCommand.self, NetShowCommand.self, NetDumpCommand.self, NetExplainCommand.self, NetDiffCommand.self, NetApplyCommand.self,
            NetGraphCommand.self,
        ])
}

/// `weft net check`
struct NetCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read a network file and tell everything that is wrong with it.",
        discussion: """
            The exit code is 0 when nothing is wrong and 1 otherwise. Each fault is a line FILE:LINE:COLUMN: on standard error.

            Example:
              weft net check Docs/Examples/two-hosts.yaml
            """)

    @Argument(help: ArgumentHelp("Network file in YAML; '-' is standard input.", valueName: "file")) var file: String
    @Flag(help: "Print one JSON object instead of text.") var json = false

    private struct Report: Encodable {
        var hosts: Int
        var tenants: Int
        var switches: Int
        var routers: Int
        var ports: Int
        var rules: Int
        var entries: [String: Int]
    }

    func run() throws {
        let network = try LoadedNetwork(file)
        let d = network.description
        let entries = Dictionary(
            uniqueKeysWithValues: network.translation.hostNames.map { ($0, network.translation.program(host: $0)!.entries.count) })
        let report = Report(
            hosts: d.hosts.count, tenants: d.tenants.count, switches: d.tenants.reduce(0) { $0 + $1.switches.count },
            routers: d.tenants.reduce(0) { $0 + $1.routers.count }, ports: network.ports.count,
            rules: d.tenants.reduce(0) { n, t in
                n + t.switches.reduce(0) { $0 + $1.access.rules.count } + t.routers.reduce(0) { $0 + $1.access.rules.count }
            }, entries: entries)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try OutputFile.print(String(decoding: try encoder.encode(report), as: UTF8.self))
            return
        }
        func of(_ n: Int, _ one: String, _ many: String) -> String { "\(n) \(n == 1 ? one : many)" }
        try OutputFile.print(
            "\(file == "-" ? "The network" : file) is right: \(of(report.tenants, "tenant", "tenants")), \(of(report.switches, "switch", "switches")), "
                + "\(of(report.routers, "router", "routers")), \(of(report.ports, "port", "ports")), \(of(report.rules, "access rule", "access rules")); "
                + "on \(of(report.hosts, "host", "hosts")) \(of(entries.values.reduce(0, +), "flow entry", "flow entries")).")
    }
}

/// `weft net show`
struct NetShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the tenants' switches and routers, and the hosts with what runs there.")

    @Argument(help: ArgumentHelp("Network file in YAML; '-' is standard input.", valueName: "file")) var file: String

    func run() throws {
        let network = try LoadedNetwork(file)
        var lines: [String] = []
        for tenant in network.description.tenants {
            lines.append("tenant \(tenant.name)")
            for s in tenant.switches { lines += Self.text(s, tenant) }
            for r in tenant.routers { lines += Self.text(r) }
        }
        for host in network.description.hosts {
            lines.append("host \(host.name), \(host.address)")
            let rows = network.ports.filter { $0.port.host == host.name }.map { t, s, p in
                let number = network.translation.localPort(tenant: t.name, owner: s.name, port: p.name)?.number ?? 0
                return ["port \(number)", "\(t.name)/\(s.name)/\(p.name)", Self.attachment(p)]
            }
            let elements = network.description.tenants.flatMap { t in
                t.inLineElements.filter { $0.element.host == host.name }.flatMap { router, port, element in
                    InLineElement.Side.allCases.map { side in
                        let name = port.name(of: side)
                        let number = network.translation.localPort(tenant: t.name, owner: router, port: name)?.number ?? 0
                        return ["port \(number)", "\(t.name)/\(router)/\(name)", Self.attachment(element.port(side))]
                    }
                }
            }
            lines += TextColumns.aligned(rows + elements, numeric: [])
            let entries = network.translation.program(host: host.name)!.entries.count
            lines.append("  \(entries) flow entries")
        }
        try OutputFile.print(lines.joined(separator: "\n"))
    }

    static func attachment(_ port: SwitchPort) -> String {
        switch port.attachment {
        case .tap(let name)?: "TAP \(name)"
        case .namespace(let name)?: "namespace \(name)"
        case .device(let name)?: "device \(name)"
        case nil: ""
        }
    }

    private static func text(_ s: LogicalSwitch, _ tenant: Tenant) -> [String] {
        var lines = ["  switch \(s.name): \(s.access.rules.count) access rules, \(s.access.defaultVerdict.rawValue) by default"]
        var rows = s.ports.map { p in
            [
                "  " + p.name, p.isUplink ? "uplink" : p.mac.map { "\($0)" } ?? "", p.addresses.map { "\($0)" }.joined(separator: " "),
                p.host.map { "on \($0)" } ?? "on no host",
            ]
        }
        for router in tenant.routers {
            for port in router.ports where port.peer == .logicalSwitch(s.name) {
                rows.append([
                    "  router \(router.name)", port.mac.map { "\($0)" } ?? "MAC made", port.addresses.map { "\($0)" }.joined(separator: " "), "",
                ])
            }
        }
        lines += TextColumns.aligned(rows, numeric: [])
        return lines
    }

    private static func text(_ r: LogicalRouter) -> [String] {
        var lines = ["  router \(r.name): \(r.access.rules.count) access rules, \(r.access.defaultVerdict.rawValue) by default"]
        for port in r.ports { if let e = port.inLine { lines.append("    in-line element on the wire of \(port.name), on \(e.host)") } }
        for policy in r.policies { lines.append("    policy \(policy.name) \(text(policy.target))") }
        for route in r.routes { lines.append("    to \(route.prefix) \(text(route.target))") }
        return lines
    }

    private static func text(_ target: StaticRoute.Target) -> String {
        switch target {
        case .via(let address): "via \(address)"
        case .drop: "dropped"
        }
    }
}
