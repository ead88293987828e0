import ArgumentParser
import Datapath
import Flow
import Foundation
import Ports

/// `weft replay`: captures through flow tables.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Replay captures through flow tables and tell what became of the packets.",
        discussion: """
            Each packet of the captures is forwarded once, in the order of the timestamps over all inputs, which also drive time-outs and meters. With \
            --repeat or --duration the packets are loaded first and replayed as fast as possible, to measure.

            Examples:
              weft replay --flows pipeline.flows --in 1=client.pcap --in 2=server.pcap --out 2=to-server.pcap
              weft replay --flows acl.flows --in 1=traffic.pcap --fates fates.jsonl
              weft replay --flows acl.flows --in 1=traffic.pcap --duration 5 --threads 2 --json
            """)

    @Option(help: ArgumentHelp("Flow file in ovs-ofctl syntax (required); '-' is standard input.", valueName: "file"))
    var flows: String

    @Option(help: ArgumentHelp("File of groups as `ovs-ofctl add-groups` reads it.", valueName: "file")) var groups: String?
    @Option(help: ArgumentHelp("File of meters, one as for `ovs-ofctl add-meter` on each line.", valueName: "file")) var meters: String?

    @Option(
        name: .customLong("in"), parsing: .singleValue,
        help: ArgumentHelp("A capture (pcap or pcapng, Ethernet) that arrives on a port (required, repeatable); '-' is standard input.", valueName: "port=capture"))
    var inputs: [PortFile] = []

    @Option(
        name: .customLong("out"), parsing: .singleValue,
        help: ArgumentHelp("Write what leaves a port as pcap, with the input's timestamps (repeatable).", valueName: "port=capture"))
    var outputs: [PortFile] = []

    @Option(
        name: .customLong("port"), parsing: .singleValue,
        help: ArgumentHelp("A further port that exists, for floods (repeatable). Ports of --in, --out and of flow entries exist anyway.", valueName: "port"))
    var ports: [PortNumber] = []

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Measure: replay the loaded packets this many times.", valueName: "n"))
    var repetitions: Int?
    @Option(help: ArgumentHelp("Measure: replay the loaded packets for this long.", valueName: "seconds")) var duration: Double?
    @Option(help: ArgumentHelp("Measure: forwarding threads, each with its share of the flows.", valueName: "n")) var threads: Int = 1
    @Option(help: ArgumentHelp("Write one line of JSON for each input packet.", valueName: "file")) var fates: String?
    @Flag(help: "Translate every packet; use no cache.") var noCache = false
    @Option(help: ArgumentHelp("VLAN tags that are parsed, 1 or 2 (Open vSwitch's vlan-limit).", valueName: "n")) var vlanLimit: Int = 1
    @Flag(help: "Print one JSON object instead of text.") var json = false

    var isMeasuring: Bool { repetitions != nil || duration != nil }

    func validate() throws {
        if inputs.isEmpty { throw ValidationError("no input: give at least one --in PORT=CAPTURE") }
        if let repetitions, repetitions < 1 { throw ValidationError("--repeat \(repetitions): must be at least 1") }
        if let duration, !(duration > 0 && duration <= 86400) { throw ValidationError("--duration \(duration): must be above 0 and at most 86400 seconds") }
        if repetitions != nil, duration != nil { throw ValidationError("--repeat and --duration exclude each other") }
        if !(1...64).contains(threads) { throw ValidationError("--threads \(threads): must be 1 to 64") }
        if threads > 1, !isMeasuring { throw ValidationError("--threads needs --repeat or --duration: packets in capture order are forwarded one after the other") }
        if !(1...2).contains(vlanLimit) { throw ValidationError("--vlan-limit \(vlanLimit): must be 1 or 2") }
        if isMeasuring, !outputs.isEmpty { throw ValidationError("--out cannot be used with --repeat or --duration: measuring only counts") }
        if isMeasuring, fates != nil { throw ValidationError("--fates cannot be used with --repeat or --duration: measuring only counts") }
        let ins = inputs.filter { $0.file == "-" }.count + (flows == "-" ? 1 : 0)
        if ins > 1 { throw ValidationError("standard input can be read once only, and '-' is given \(ins) times") }
        var seen: Set<UInt32> = []
        for o in outputs where !seen.insert(o.port).inserted { throw ValidationError("--out \(o.port)=\(o.file): port \(o.port) has an --out already") }
    }

    func run() throws {
        let modifications = try FlowInput.load(flows: flows, groups: groups, meters: meters)
        var limits = Limits()
        limits.vlanTags = vlanLimit
        let registry = PortRegistry()
        registry.attach(ReservedPort.local)
        for p in inputs.map(\.port) + outputs.map(\.port) + ports.map(\.number) { registry.attach(p) }
        let summary: ReplaySummary
        if isMeasuring {
            summary = try MeasuredReplay(
                modifications: modifications, inputs: inputs, limits: limits, ports: registry, repetitions: repetitions, duration: duration,
                threads: threads, usesCache: !noCache
            ).run()
        } else {
            summary = try CaptureReplay(
                modifications: modifications, inputs: inputs, outputs: outputs, fates: fates, limits: limits, ports: registry, usesCache: !noCache,
                showsProgress: !json
            ).run()
        }
        print(json ? try summary.json() : summary.text())
        if !summary.isBalanced { throw ExitCode(3) }
    }
}

/// `PORT=FILE` on the command line.
struct PortFile: ExpressibleByArgument {
    var port: UInt32
    var file: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), let port = PortNumber(argument: String(argument[..<equals])) else { return nil }
        file = String(argument[argument.index(after: equals)...])
        if file.isEmpty { return nil }
        self.port = port.number
    }
}

/// An OpenFlow port number on the command line: 1 to 0xfffffeff, or LOCAL.
struct PortNumber: ExpressibleByArgument {
    var number: UInt32

    init?(argument: String) {
        if argument.uppercased() == "LOCAL" {
            number = ReservedPort.local
            return
        }
        guard let n = UInt32(argument), n > 0, n < ReservedPort.max else { return nil }
        number = n
    }
}

/// The flow, group and meter files of a command, read and checked.
enum FlowInput {
    static func load(flows: String, groups: String? = nil, meters: String? = nil) throws -> [FlowModification] {
        var all: [FlowModification] = []
        if let meters { all += try read(meters) { FlowText.parseMeters(bytes: $0) } }
        if let groups { all += try read(groups) { FlowText.parseGroups(bytes: $0) } }
        all += try read(flows) { FlowText.parse(bytes: $0) }
        return all
    }

    private static func read(_ file: String, _ parse: ([UInt8]) -> FlowText.Parsed) throws -> [FlowModification] {
        let loaded = try FlowFile.Loaded(reading: file, parse: parse)
        loaded.printDiagnostics(to: FileHandle.standardError)
        if !loaded.parsed.isValid { throw ExitCode(1) }
        return loaded.parsed.modifications
    }
}
