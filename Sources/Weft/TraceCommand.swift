import ArgumentParser
import Datapath
import Flow
import Foundation
import Ports
import SwitchAgent

/// `weft trace`: one packet through flow tables, in words.
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Follow one packet through flow tables and tell each step.",
        discussion: """
            The packet is described in flow text, or taken from a capture. A described packet is built with right lengths and checksums; what \
            the description leaves open is zero, except in_port=\(FrameComposer.Default.inPort), the TTLs \(FrameComposer.Default.ttl), arp_op=\(FrameComposer.Default.arpOperation), \
            mpls_bos=1 and dl_type=0x\(String(FrameComposer.Default.etherType, radix: 16)); the trace says which of these it assumed. Registers, metadata and tunnel \
            fields in the description are what the packet comes with.

            A captured packet meets the tables as the file has them: what packets before it would have taught or used up is not considered.

            Examples:
              weft trace --flows pipeline.flows 'in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_dst=80'
              weft trace --flows pipeline.flows --why-not 'in_port=1,arp,reg0=5'
              weft trace --flows pipeline.flows --capture client.pcap --packet 30 --in-port 1

            Without --flows the packet meets the tables of the running switch as they are at that moment, learned addresses and ports included; \
            nothing of it stays there: it is not sent, teaches nothing, and takes no meter's tokens.

              weft trace 'in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_dst=80'
              weft trace --socket /run/weft/blue.sock --capture client.pcap --packet 30 --in-port 1
            """)

    @Option(help: ArgumentHelp("Flow file in ovs-ofctl syntax; '-' is standard input (default: the running switch).", valueName: "file"))
    var flows: String?
    @Option(help: ArgumentHelp("Ask the switch that listens here; instead of --flows.", valueName: "path")) var socket: String?
    @Option(help: ArgumentHelp("File of groups as `ovs-ofctl add-groups` reads it.", valueName: "file")) var groups: String?
    @Option(help: ArgumentHelp("File of meters, one as for `ovs-ofctl add-meter` on each line.", valueName: "file")) var meters: String?
    @Argument(
        help: ArgumentHelp("The packet in flow text, like 'in_port=1,tcp,nw_src=10.0.0.1' (this or --capture is required).", valueName: "packet"))
    var description: String?
    @Option(help: ArgumentHelp("Take the packet from this capture (pcap or pcapng, Ethernet).", valueName: "file")) var capture: String?
    @Option(help: ArgumentHelp("The packet's number in the capture; the first is 1, as tcpdump -# and tshark number them.", valueName: "n"))
    var packet: Int?
    @Option(
        help: ArgumentHelp("The port on which the captured packet arrives: 1 to 4294967039, or LOCAL (required with --capture).", valueName: "port"),
        transform: PortNumber.init(checking:))
    var inPort: PortNumber?
    @Option(
        name: .customLong("port"), parsing: .singleValue,
        help: ArgumentHelp("A further port that exists, for floods (repeatable). Ports of flow entries exist anyway.", valueName: "port"),
        transform: PortNumber.init(checking:))
    var ports: [PortNumber] = []
    @Flag(help: "For each table, tell of the entries above the matching one which fields did not match.") var whyNot = false
    @Option(help: ArgumentHelp("How many such entries per table.", valueName: "n")) var whyNotLimit: Int = TraceCommand.defaultWhyNotLimit
    @Option(help: ArgumentHelp("VLAN tags that are parsed, 1 or 2 (Open vSwitch's vlan-limit).", valueName: "n")) var vlanLimit: Int = 1
    @Flag(help: "Print one JSON object instead of text.") var json = false

    static let defaultWhyNotLimit = 10

    func validate() throws {
        if description == nil, capture == nil {
            throw ValidationError("no packet: describe it, as in 'in_port=1,tcp,nw_src=10.0.0.1', or give --capture FILE --packet N --in-port PORT")
        }
        if let description, capture != nil { throw ValidationError("two packets: '\(description)' and one of --capture; give one of them") }
        if capture != nil, packet == nil { throw ValidationError("--capture needs --packet N, the packet's number; the first is 1") }
        if let capture, inPort == nil {
            throw ValidationError("--capture \(capture) needs --in-port PORT: a capture does not say where its packets arrive")
        }
        if capture == nil, let packet { throw ValidationError("--packet \(packet) needs --capture FILE") }
        if capture == nil, inPort != nil { throw ValidationError("--in-port is for --capture; write in_port=… into the description") }
        if let packet, packet < 1 { throw ValidationError("--packet \(packet): the first packet is 1") }
        if whyNotLimit < 1 { throw ValidationError("--why-not-limit \(whyNotLimit): must be at least 1") }
        if !(1...2).contains(vlanLimit) { throw ValidationError("--vlan-limit \(vlanLimit): must be 1 or 2") }
        if flows != nil, socket != nil { throw ValidationError("--flows and --socket exclude each other") }
        if flows == nil, groups != nil || meters != nil || !ports.isEmpty {
            throw ValidationError("--groups, --meters and --port are for --flows; the running switch has its own")
        }
        if flows == "-", capture == "-" { throw ValidationError("standard input can be read once only, and '-' is given 2 times") }
    }

    func run() throws {
        let subject = try description.map(TracedPacket.init(description:)) ?? TracedPacket(capture: capture!, number: packet!, inPort: inPort!.number)
        guard let flows else { return try runLive(subject) }
        let program = try FlowProgram(flows: flows, groups: groups, meters: meters)
        var limits = Limits()
        limits.vlanTags = max(vlanLimit, subject.tagCount)
        let registry = PortRegistry()
        registry.attach(ReservedPort.local)
        for p in [subject.inPort] + ports.map(\.number) { registry.attach(p) }
        let tables = FlowTables(limits: limits, ports: registry)
        try program.apply(to: tables, now: subject.time)
        let trace = PacketTracer(tables: tables).trace(
            subject.bytes, inPort: subject.inPort, metadata: subject.metadata, time: subject.time, refusalLimit: whyNot || json ? whyNotLimit : 0)
        try subject.check(trace)
        let report = TraceReport(
            trace, frame: subject.bytes, originalSize: subject.originalSize, inPort: subject.inPort, assumed: subject.assumed, source: subject.source,
            given: subject.match, explainsHigher: whyNot || json)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try OutputFile.print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            try OutputFile.print(report.text(.standardOutput))
        }
    }

    /// Has the running switch follow the packet.
    private func runLive(_ subject: TracedPacket) throws {
        let client = try ControlClient(path: socket ?? ControlSocketPath.standard)
        let answer = try client.request(
            "trace",
            LiveTrace.Request(
                packet: ControlValue.Trace(
                    frame: Data(subject.bytes), inPort: subject.inPort,
                    metadata: subject.metadata.map { key in (0..<FlowKeyLayout.wordCount).map { key.words[$0] } },
                    whyNotLimit: whyNot || json ? whyNotLimit : 0),
                originalSize: subject.originalSize, assumed: subject.assumed, source: subject.source, description: description,
                explainsHigher: whyNot || json, isStyled: !json && TextStyle.standardOutput.isOn),
            LiveTrace.self)
        var arrived = FlowKey()
        for (i, word) in answer.arrived.prefix(FlowKeyLayout.wordCount).enumerated() { arrived.words[i] = word }
        try subject.check(arrived: arrived)
        try OutputFile.print(json ? answer.report : answer.text)
    }
}
