import ArgumentParser
import Datapath
import Flow
import Foundation
import Ports

/// `weft replay`: captures through flow tables.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Replay captures through flow tables, or through a network, and tell what became of the packets.",
        discussion: """
            Each packet of the captures is forwarded once, in the order of the timestamps over all inputs, which also drive time-outs and meters. With \
            --repeat or --duration the packets are loaded first and replayed as fast as possible, to measure.

            Examples:
              weft replay --flows pipeline.flows --in 1=client.pcap --in 2=server.pcap --out 2=to-server.pcap
              weft replay --flows acl.flows --in 1=traffic.pcap --fates fates.jsonl
              weft replay --flows acl.flows --in 1=traffic.pcap --duration 5 --threads 2 --json

            With --network the packets go through a whole logical network, all its hosts in this process. Ports are those of the network: \
            tenant/switch/port, or the end of that.

            Example:
              weft replay --network two-hosts.yaml --in blue/web/vm1=client.pcap --out vm4=to-vm4.pcap --fates fates.jsonl
            """)

    @Option(help: ArgumentHelp("Flow file in ovs-ofctl syntax (this or --network is required); '-' is standard input.", valueName: "file"))
    var flows: String?

    @Option(help: ArgumentHelp("Network file in YAML (this or --flows is required); '-' is standard input.", valueName: "file"))
    var network: String?

    @Option(help: ArgumentHelp("File of groups as `ovs-ofctl add-groups` reads it.", valueName: "file")) var groups: String?
    @Option(help: ArgumentHelp("File of meters, one as for `ovs-ofctl add-meter` on each line.", valueName: "file")) var meters: String?

    @Option(
        name: .customLong("in"), parsing: .singleValue,
        help: ArgumentHelp(
            "A capture (pcap or pcapng, Ethernet) that arrives on a port (required, repeatable); '-' is standard input.", valueName: "port=capture"),
        transform: NamedFile.init(argument:))
    var inputs: [NamedFile] = []

    @Option(
        name: .customLong("out"), parsing: .singleValue,
        help: ArgumentHelp(
            "Write what leaves a port as pcap, with the input's timestamps (repeatable); '-' is standard output.", valueName: "port=capture"),
        transform: NamedFile.init(argument:))
    var outputs: [NamedFile] = []

    @Option(
        name: .customLong("port"), parsing: .singleValue,
        help: ArgumentHelp(
            "A further port that exists, for floods (repeatable). Ports of --in, --out and of flow entries exist anyway.", valueName: "port"),
        transform: PortNumber.init(checking:))
    var ports: [PortNumber] = []

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Measure: replay the loaded packets this many times.", valueName: "n"))
    var repetitions: Int?
    @Option(help: ArgumentHelp("Measure: replay the loaded packets for this long.", valueName: "seconds")) var duration: Double?
    @Option(help: ArgumentHelp("Measure: forwarding threads, each with its share of the flows.", valueName: "n")) var threads: Int = 1
    @Option(help: ArgumentHelp("Write one line of JSON for each input packet; '-' is standard output.", valueName: "file")) var fates: String?
    @Flag(help: "Translate every packet; use no cache.") var noCache = false
    @Option(help: ArgumentHelp("VLAN tags that are parsed, 1 or 2 (Open vSwitch's vlan-limit).", valueName: "n")) var vlanLimit: Int = 1
    @Flag(help: "Print one JSON object instead of text.") var json = false

    var isMeasuring: Bool { repetitions != nil || duration != nil }

    func validate() throws {
        if (flows == nil) == (network == nil) { throw ValidationError("give --flows FILE, or --network FILE: what shall the packets go through?") }
        if network != nil {
            let others: [(isGiven: Bool, name: String)] = [
                (groups != nil, "--groups"), (meters != nil, "--meters"), (!ports.isEmpty, "--port"), (repetitions != nil, "--repeat"),
                (duration != nil, "--duration"), (threads != 1, "--threads"), (vlanLimit != 1, "--vlan-limit"),
            ]
            if let other = others.first(where: \.isGiven) { throw ValidationError("\(other.name) is for --flows, not for --network") }
        } else {
            for end in inputs + outputs { _ = try PortFile(end) }
        }
        if inputs.isEmpty { throw ValidationError("no input: give at least one --in PORT=CAPTURE") }
        if let repetitions, repetitions < 1 { throw ValidationError("--repeat \(repetitions): must be at least 1") }
        if let duration, !(duration > 0 && duration <= 86400) {
            throw ValidationError("--duration \(duration): must be above 0 and at most 86400 seconds")
        }
        if repetitions != nil, duration != nil { throw ValidationError("--repeat and --duration exclude each other") }
        if !(1...64).contains(threads) { throw ValidationError("--threads \(threads): must be 1 to 64") }
        if threads > 1, !isMeasuring {
            throw ValidationError("--threads needs --repeat or --duration: packets in capture order are forwarded one after the other")
        }
        if !(1...2).contains(vlanLimit) { throw ValidationError("--vlan-limit \(vlanLimit): must be 1 or 2") }
        if isMeasuring, !outputs.isEmpty { throw ValidationError("--out cannot be used with --repeat or --duration: measuring only counts") }
        if isMeasuring, fates != nil { throw ValidationError("--fates cannot be used with --repeat or --duration: measuring only counts") }
        let ins = ([flows, network, groups, meters].compactMap { $0 } + inputs.map(\.file)).count { $0 == "-" }
        if ins > 1 { throw ValidationError("standard input can be read once only, and '-' is given \(ins) times") }
        var seen: Set<String> = []
        for o in outputs where !seen.insert(network == nil ? FlowText.portText(try PortFile(o).port) : o.name).inserted {
            throw ValidationError("--out \(o.name)=\(o.file): port \(o.name) has an --out already")
        }
        var files: Set<String> = []
        for file in outputs.map(\.file) + (fates.map { [$0] } ?? []) where !files.insert(file).inserted {
            throw ValidationError("\(file == "-" ? "standard output" : file) would be written twice; give each output a file of its own")
        }
    }

    func run() throws {
        if let network { try replayThroughNetwork(network) } else if let flows { try replay(flows) }
    }

    /// Ends with what the user wants on standard output, or beside it when that is taken.
    private func tell(_ text: String) throws {
        if outputs.contains(where: { $0.file == "-" }) || fates == "-" {
            FileHandle.standardError.write(Data((text + "\n").utf8))
        } else {
            try OutputFile.print(text)
        }
    }

    private func replayThroughNetwork(_ file: String) throws {
        let summary = try NetworkReplay(
            network: try LoadedNetwork(file), inputs: inputs, outputs: outputs, fates: fates, usesCache: !noCache, showsProgress: !json
        ).run()
        try tell(json ? try summary.json() : summary.text())
    }

    private func replay(_ flows: String) throws {
        let inputs = try inputs.map(PortFile.init)
        let outputs = try outputs.map(PortFile.init)
        let program = try FlowProgram(flows: flows, groups: groups, meters: meters)
        var limits = Limits()
        limits.vlanTags = vlanLimit
        let registry = PortRegistry()
        registry.attach(ReservedPort.local)
        for p in inputs.map(\.port) + outputs.map(\.port) + ports.map(\.number) { registry.attach(p) }
        var summary: ReplaySummary
        if isMeasuring {
            summary = try MeasuredReplay(
                program: program, inputs: inputs, limits: limits, ports: registry, repetitions: repetitions, duration: duration,
                threads: threads, usesCache: !noCache, showsProgress: !json
            ).run()
        } else {
            summary = try CaptureReplay(
                program: program, inputs: inputs, outputs: outputs, fates: fates, limits: limits, ports: registry, usesCache: !noCache,
                showsProgress: !json
            ).run()
        }
        for (i, input) in inputs.enumerated()
        where input.file != "-" && inputs[..<i].contains(where: { $0.port == input.port && $0.file == input.file }) {
            summary.warnings.append("--in \(input.port)=\(input.file) is given twice: each of its packets arrived twice")
        }
        try tell(json ? try summary.json() : summary.text())
        if !summary.isBalanced { throw ExitCode(3) }
    }
}

/// `PORT=FILE` on the command line; the port is a number, or a name in a network.
struct NamedFile {
    var name: String
    var file: String

    init(argument: String) throws {
        guard let equals = argument.firstIndex(of: "=") else {
            throw ValidationError("give a port before the file, as in 1=\(argument)")
        }
        name = String(argument[..<equals])
        file = String(argument[argument.index(after: equals)...])
        if name.isEmpty { throw ValidationError("the port before '=' is missing") }
        if file.isEmpty { throw ValidationError("the file after '=' is missing") }
    }
}

/// A port by its number, with a file.
struct PortFile {
    var port: UInt32
    var file: String

    init(_ end: NamedFile) throws {
        port = try PortNumber(checking: end.name).number
        file = end.file
    }
}

/// An OpenFlow port number on the command line: 1 to 4294967039 (0xfffffeff), or LOCAL.
struct PortNumber {
    var number: UInt32

    init(checking argument: String) throws {
        if argument.uppercased() == "LOCAL" {
            number = ReservedPort.local
            return
        }
        guard let n = UInt32(argument), n > 0, n < ReservedPort.max else {
            throw ValidationError("port '\(argument)' is not a port number: 1 to \(ReservedPort.max - 1), or LOCAL")
        }
        number = n
    }
}
