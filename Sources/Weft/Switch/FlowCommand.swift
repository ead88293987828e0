import ArgumentParser
import Flow
import Foundation
import SwitchAgent

/// `weft flow`: the entries of a running switch.
struct FlowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flow", abstract: "Add, delete and list the flow entries of a running switch.",
        discussion: "Entries are written as for ovs-ofctl(8). For flow files without a switch there is `weft flows`.",
        subcommands: [Add.self, Delete.self, Dump.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add entries to a running switch, as one change.",
            discussion: """
                All lines take effect at the same moment. A file may also have groups, meters and commands other than add, as `weft flows check` reads it.

                Examples:
                  weft flow add 'priority=10,in_port=1,actions=output:2'
                  weft flow add --file pipeline.flows
                """)
        @OptionGroup var control: ControlOptions
        @Argument(help: "Entries, one in each argument (these or --file are required).") var entries: [String] = []
        @Option(help: ArgumentHelp("A flow file; '-' is standard input.", valueName: "file")) var file: String?

        func validate() throws {
            if entries.isEmpty == (file == nil) { throw ValidationError("give either entries, as in 'in_port=1,actions=output:2', or --file FILE") }
        }

        func run() throws {
            let bytes = try file.map(InputFile.read) ?? Array(entries.joined(separator: "\n").utf8)
            let name = file ?? "entries"
            let loaded = FlowFile.Loaded(name: name, bytes: bytes, parsed: FlowText.parse(bytes: bytes))
            loaded.printDiagnostics(to: FileHandle.standardError)
            if !loaded.parsed.isValid { throw ExitCode(1) }
            let client = try control.connect()
            let done = try client.request(
                "flow.add", ControlValue.FlowChange(flows: String(decoding: bytes, as: UTF8.self)), ControlValue.Count.self)
            if control.json {
                try control.printJSON(done)
            } else {
                try OutputFile.print("\(done.count) \(done.count == 1 ? "change" : "changes") made")
            }
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "del", abstract: "Delete entries of a running switch.",
            discussion: """
                Deletes every entry whose match is the filter's or more specific; with --strict only one with exactly this match and priority.

                Examples:
                  weft flow del 'table=0,ip,nw_dst=10.0.0.2'
                  weft flow del --strict 'table=0,priority=10,in_port=1'
                  weft flow del 'cookie=0x7/-1'
                  weft flow del --all
                """)
        @OptionGroup var control: ControlOptions
        @Argument(help: "Which entries: a match, perhaps with table=N, cookie=C/MASK, out_port=P (this or --all is required).") var filter: String?
        @Flag(help: "Only the entry with exactly this match and priority.") var strict = false
        @Flag(help: "All entries of all tables.") var all = false

        func validate() throws {
            if (filter == nil) != all { throw ValidationError("give either a filter, as in 'table=0,ip', or --all") }
            if all, strict { throw ValidationError("--all and --strict exclude each other") }
        }

        func run() throws {
            let done = try control.connect().request(
                "flow.del", ControlValue.FlowSelection(filter: filter ?? "", strict: strict), ControlValue.Count.self)
            if control.json {
                try control.printJSON(done)
            } else {
                try OutputFile.print("\(done.count) \(done.count == 1 ? "entry" : "entries") deleted")
            }
        }
    }

    struct Dump: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the entries of a running switch with their counters.",
            discussion: """
                Each line is an entry as it could be added again, after its counters. By table and falling priority.

                Examples:
                  weft flow dump
                  weft flow dump 'table=0,ip'
                  weft flow dump --no-stats > saved.flows
                """)
        @OptionGroup var control: ControlOptions
        @Argument(help: "Which entries: a match, perhaps with table=N, cookie=C/MASK, out_port=P (default: all).") var filter: String?
        @Flag(help: "Without counters: the output can be read as a flow file.") var noStats = false

        func run() throws {
            let flows = try control.connect().request("flow.dump", ControlValue.FlowSelection(filter: filter ?? ""), ControlValue.Flows.self).flows
            if control.json { return try control.printJSON(flows) }
            let out = try OutputFile("-")
            for f in flows {
                let counters = noStats ? "" : "n_packets=\(f.packets), n_bytes=\(f.bytes), idle_age=\(Int(f.idleAge)), "
                try out.write((" \(counters)\(f.text)\n").utf8)
            }
            try out.flush()
        }
    }
}
