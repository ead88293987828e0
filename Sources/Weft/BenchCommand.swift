import ArgumentParser
import Foundation

/// `weft bench`: the built-in workloads, made and measured in this process.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure built-in workloads on this machine.",
        discussion: """
            Without a subcommand every workload is measured in turn. Tables and packets are made in the process from fixed seeds, so every run and every machine \
            measures the same; numbers are of one forwarding thread. Nothing else should run meanwhile.

            perf/compare runs the same kinds of workloads side by side with Open vSwitch.
            """,
        subcommands: [Pipeline.self, AccessList.self, Load.self, Churn.self, Network.self])

    struct Options: ParsableArguments {
        @Option(help: ArgumentHelp("How long each forwarding workload is measured.", valueName: "seconds")) var duration: Double = 3
        @Flag(help: "Print one JSON object instead of text.") var json = false

        func validate() throws {
            if !(duration > 0 && duration <= 3600) { throw ValidationError("--duration \(duration): must be above 0 and at most 3600 seconds") }
        }

        func print(_ result: BenchResult) throws {
            if json {
                try OutputFile.print(BenchResult.json(result.object))
            } else {
                BenchCommand.warnOfDebugBuild()
                try OutputFile.print(BenchResult.table([result]))
            }
        }
    }

    @OptionGroup var options: Options

    func run() throws {
        let seconds = options.duration
        let all: [() throws -> BenchResult] = [
            { try LoadBench.run(file: nil, entries: LoadBench.builtInEntries) },
            { try ForwardingBenches.pipeline(flows: 1, seconds: seconds) },
            { try ForwardingBenches.pipeline(flows: 1_000, seconds: seconds) },
            { try ForwardingBenches.pipeline(flows: 100_000, seconds: seconds) },
            { try ForwardingBenches.pipeline(flows: 1_000_000, seconds: seconds) },
            { try ForwardingBenches.accessList(rules: 1_000, isCold: false, seconds: seconds) },
            { try ForwardingBenches.accessList(rules: 1_000, isCold: true, seconds: seconds) },
            { try ForwardingBenches.accessList(rules: 10_000, isCold: false, seconds: seconds) },
            { try ForwardingBenches.accessList(rules: 10_000, isCold: true, seconds: seconds) },
            { try ChurnBench().run(seconds: max(seconds, 2)) },
            { try NetworkBench.run(tenants: 10, portsPerSwitch: 250) },
            { try NetworkBench.run(tenants: 100, portsPerSwitch: 250) },
        ]
        if !options.json { Self.warnOfDebugBuild() }
        var results: [BenchResult] = []
        for (i, bench) in all.enumerated() {
            if isatty(STDERR_FILENO) != 0 { FileHandle.standardError.write(Data("\r\u{1b}[Kmeasuring \(i + 1) of \(all.count) ".utf8)) }
            results.append(try bench())
        }
        if isatty(STDERR_FILENO) != 0 { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
        try OutputFile.print(options.json ? BenchResult.json(["results": results.map(\.object)]) : BenchResult.table(results))
    }

    static func warnOfDebugBuild() {
        if BenchResult.isDebugBuild { print("This is a debug build, whose numbers say nothing about speed; tools/build makes a release build.") }
    }

    struct Pipeline: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "pipe6", abstract: "Six tables with registers, 1 to 1,000,000 flows.")
        @Option(help: ArgumentHelp("Flows, 1 to 4000000; each takes the whole pipeline.", valueName: "n")) var flowsCount: Int = 1_000
        @OptionGroup var options: Options
        func validate() throws {
            if !(1...4_000_000).contains(flowsCount) { throw ValidationError("--flows-count \(flowsCount): must be 1 to 4000000") }
        }
        func run() throws { try options.print(ForwardingBenches.pipeline(flows: flowsCount, seconds: options.duration)) }
    }

    struct AccessList: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "acl", abstract: "An access list between two tables, and traffic of its networks.")
        @Option(help: ArgumentHelp("Rules of the list, 1 to 50000.", valueName: "n")) var rules: Int = 1_000
        @Flag(help: "Every packet is a new flow; otherwise 100,000 flows come again and again.") var cold = false
        @OptionGroup var options: Options
        func validate() throws {
            if !(1...50_000).contains(rules) { throw ValidationError("--rules \(rules): must be 1 to 50000") }
        }
        func run() throws { try options.print(ForwardingBenches.accessList(rules: rules, isCold: cold, seconds: options.duration)) }
    }

    struct Load: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "load", abstract: "Flow text to the first packet forwarded, and memory per entry.",
            discussion: """
                Memory is the growth of the process's resident set from before the text is read until only the tables are left, divided by the entries. \
                --duration has no meaning here.
                """)
        @Option(help: ArgumentHelp("Flow file to load; without it 200,000 five-tuple entries are made. '-' is standard input.", valueName: "file"))
        var flows: String?
        @Option(help: ArgumentHelp("Built-in entries, 1 to 10000000.", valueName: "n")) var entries: Int = LoadBench.builtInEntries
        @OptionGroup var options: Options
        func validate() throws {
            if !(1...10_000_000).contains(entries) { throw ValidationError("--entries \(entries): must be 1 to 10000000") }
        }
        func run() throws { try options.print(LoadBench.run(file: flows, entries: entries)) }
    }

    struct Churn: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "churn", abstract: "10,000 entry changes a second from the tables' owner while a worker forwards 1,000 flows.",
            discussion: "Measured in turns with and without changes, the first two not counted; the owner and the worker need a processor each.")
        @OptionGroup var options: Options
        func run() throws { try options.print(ChurnBench().run(seconds: max(options.duration, 1))) }
    }

    struct Network: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "network", abstract: "Tenants with two switches and a router each: computing all of it, and one change.",
            discussion: "--duration has no meaning here: the whole is computed once, each change 21 times, of which the median is told.")
        @Option(help: ArgumentHelp("Tenants, 1 to 1000.", valueName: "n")) var tenants: Int = 100
        @Option(help: ArgumentHelp("Ports of each switch, 1 to 50000.", valueName: "n")) var ports: Int = 250
        @OptionGroup var options: Options
        func validate() throws {
            if !(1...1000).contains(tenants) { throw ValidationError("--tenants \(tenants): must be 1 to 1000") }
            if !(1...50_000).contains(ports) { throw ValidationError("--ports \(ports): must be 1 to 50000") }
        }
        func run() throws { try options.print(NetworkBench.run(tenants: tenants, portsPerSwitch: ports)) }
    }
}
