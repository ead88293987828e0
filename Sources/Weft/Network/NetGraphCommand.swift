import ArgumentParser
import Foundation
import LogicalNetwork

/// `weft net graph`
struct NetGraphCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graph", abstract: "Draw the logical network, and on which hosts it runs, in the DOT language.",
        discussion: """
            Example:
              weft net graph network.yaml | dot -Tsvg > network.svg
            """)

    @Argument(help: ArgumentHelp("Network file in YAML; '-' is standard input.", valueName: "file")) var file: String

    func run() throws { try OutputFile.print(NetworkGraph(try LoadedNetwork(file).description).dot) }
}

/// A network as a graph: tenants around their switches, routers and ports; hosts around nothing, with an edge from each port that runs there.
struct NetworkGraph {
    let network: NetworkDescription
    init(_ network: NetworkDescription) { self.network = network }

    var dot: String {
        var lines = ["graph network {", "  node [fontname=\"Helvetica\", fontsize=10];", "  edge [color=\"#666666\"];"]
        for (i, tenant) in network.tenants.enumerated() {
            lines += ["  subgraph cluster_\(i) {", "    label=\(Self.quoted("tenant " + tenant.name));", "    style=rounded;"]
            for s in tenant.switches {
                lines.append("    \(Self.node(tenant, s.name)) [shape=box, style=filled, fillcolor=\"#dbe9f6\", label=\(Self.quoted(s.name))];")
                for p in s.ports {
                    let label = ([p.name] + p.addresses.map { "\($0)" }).joined(separator: "\n")
                    lines.append("    \(Self.node(tenant, s.name, p.name)) [shape=\(p.isUplink ? "cds" : "ellipse"), label=\(Self.quoted(label))];")
                    lines.append("    \(Self.node(tenant, s.name)) -- \(Self.node(tenant, s.name, p.name));")
                }
            }
            for r in tenant.routers {
                lines.append("    \(Self.node(tenant, r.name)) [shape=diamond, style=filled, fillcolor=\"#f6e6cf\", label=\(Self.quoted(r.name))];")
                for p in r.ports {
                    var texts = p.addresses.map { "\($0)" }
                    if let element = p.inLine { texts.append("in-line element on \(element.host)") }
                    let label = Self.quoted(texts.joined(separator: "\n"))
                    switch p.peer {
                    case .logicalSwitch(let name):
                        lines.append("    \(Self.node(tenant, r.name)) -- \(Self.node(tenant, name)) [label=\(label), fontsize=8];")
                    case .router(let name, let port) where (r.name, p.name) < (name, port):
                        lines.append("    \(Self.node(tenant, r.name)) -- \(Self.node(tenant, name)) [label=\(label), fontsize=8];")
                    case .router: break
                    }
                }
            }
            lines.append("  }")
        }
        for host in network.hosts {
            lines.append("  \(Self.quoted("host " + host.name)) [shape=box3d, label=\(Self.quoted("\(host.name)\n\(host.address)"))];")
        }
        for tenant in network.tenants {
            for s in tenant.switches {
                for p in s.ports {
                    if let host = p.host { lines.append("  \(Self.node(tenant, s.name, p.name)) -- \(Self.quoted("host " + host)) [style=dotted];") }
                }
            }
        }
        return (lines + ["}"]).joined(separator: "\n")
    }

    private static func node(_ tenant: Tenant, _ parts: String...) -> String { quoted(([tenant.name] + parts).joined(separator: "/")) }

    private static func quoted(_ text: String) -> String {
        "\""
            + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"").replacingOccurrences(
                of: "\n", with: "\\n")
            + "\""
    }
}
