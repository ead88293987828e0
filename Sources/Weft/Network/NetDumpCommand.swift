import ArgumentParser
import Flow
import Foundation
import LogicalNetwork
import Translation

/// `weft net dump`
struct NetDumpCommand: ParsableCommand {
    enum Plane: String, ExpressibleByArgument, CaseIterable { case lcp, lfp, upcp, cpcp }

    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Write one of a network's planes.",
        discussion: """
            lcp   what was asked for, as rows of the input tables
            lfp   the logical entries of switches and routers, in the network's names
            upcp  the universal entries, the same for every host
            cpcp  the entries of one host (--host), with its ports and tunnels: a flow file for `weft replay` and `weft switch`

            Examples:
              weft net dump network.yaml --plane lfp
              weft net dump network.yaml --plane cpcp --host hostA
            """)

    @Argument(help: ArgumentHelp("Network file in YAML; '-' is standard input.", valueName: "file")) var file: String
    @Option(help: "lcp, lfp, upcp or cpcp (required).") var plane: Plane
    @Option(help: ArgumentHelp("The host, for cpcp (required there).", valueName: "name")) var host: String?
    @Flag(help: "With cpcp: the host's meters instead of its entries.") var meters = false

    func validate() throws {
        if plane == .cpcp, host == nil { throw ValidationError("--plane cpcp needs --host: each host has its own") }
        if plane != .cpcp, host != nil { throw ValidationError("--host is for --plane cpcp: the other planes are the same for all hosts") }
        if plane != .cpcp, meters { throw ValidationError("--meters is for --plane cpcp") }
    }

    func run() throws {
        let network = try LoadedNetwork(file)
        let out = try OutputFile("-")
        switch plane {
        case .lcp: for line in network.translation.controlPlaneText() { try out.write((line + "\n").utf8) }
        case .lfp:
            for line in network.translation.logicalPlaneText() { try out.write((line + "\n").utf8) }
        case .upcp: try write(network.translation.universalEntries(), to: out)
        case .cpcp:
            guard let program = network.translation.program(host: host!) else { throw CommandError("the network has no host '\(host!)'") }
            if meters {
                for meter in program.meters { try out.write((FlowText.text(meter) + "\n").utf8) }
            } else {
                try write(program.entries, to: out)
            }
        }
        try out.flush()
    }

    /// By table, the first that would match first.
    private func write(_ entries: [FlowEntry], to out: OutputFile) throws {
        let lines = entries.map { (entry: $0, text: FlowText.text($0)) }
        for line in lines.sorted(by: { ($0.entry.table, $1.entry.priority, $0.text) < ($1.entry.table, $0.entry.priority, $1.text) }) {
            try out.write((line.text + "\n").utf8)
        }
    }
}
