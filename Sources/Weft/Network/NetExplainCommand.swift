import ArgumentParser
import Datapath
import Flow
import Foundation
import LogicalNetwork
import NetworkSimulation
import Translation
import Wire

/// `weft net explain`
struct NetExplainCommand: ParsableCommand {
    enum Transport: String, ExpressibleByArgument, CaseIterable { case icmp, tcp, udp, sctp }

    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Tell what would happen to a packet from one port to another, stage by stage and host by host.",
        discussion: """
            The packet is what the workload would send: to the other's MAC on the same switch, otherwise to the router's. By default it is an echo request \
            over IPv4.

            Examples:
              weft net explain two-hosts.yaml blue/web/vm1 vm4
              weft net explain two-hosts.yaml blue/web/vm1 vm4 --protocol tcp --to-port 23
              weft net explain two-hosts.yaml blue/web/vm1 172.16.0.1
            """)

    @Argument(help: ArgumentHelp("Network file in YAML; '-' is standard input.", valueName: "file")) var file: String
    @Argument(help: ArgumentHelp("The port that sends: tenant/switch/port, or the end of that.", valueName: "from")) var from: String
    @Argument(help: ArgumentHelp("The port that is meant, or an address.", valueName: "to")) var to: String
    @Option(name: .customLong("protocol"), help: "icmp, tcp, udp or sctp; icmp is ICMPv6 over IPv6.") var transport: Transport = .icmp
    @Option(help: ArgumentHelp("Transport port that is asked for.", valueName: "n")) var toPort: UInt16?
    @Option(help: ArgumentHelp("Transport port that asks.", valueName: "n")) var fromPort: UInt16?
    @Flag(name: .customLong("ipv6"), help: "Take the ports' IPv6 addresses.") var isIPv6 = false

    func validate() throws {
        if transport == .icmp, toPort != nil || fromPort != nil {
            throw ValidationError("--from-port and --to-port need --protocol tcp, udp or sctp")
        }
    }

    func run() throws {
        let network = try LoadedNetwork(file)
        let (tenant, owner, sender) = try network.port(named: from)
        if sender.host == nil { throw ValidationError("\(from) is on no host, so nothing comes from it") }
        guard let mac = sender.mac else { throw ValidationError("\(from) is an uplink: say which of the machines behind it sends, with weft replay") }
        let frame = try compose(network, tenant, owner, sender, mac)
        let simulation = try SimulatedNetwork(network.translation)
        guard let fate = simulation.send(frame, from: PortAddress(tenant: tenant, owner: owner, port: sender.name), explains: true) else { return }
        let out = try OutputFile("-")
        for visit in fate.visits {
            try out.write("host \(visit.host)\n".utf8)
            let rows = visit.steps.map { [$0.stage?.title ?? "", Self.datapath($0, network.translation), Self.text($0)] }
            for line in TextColumns.aligned(rows, numeric: []) { try out.write((line + "\n").utf8) }
        }
        for passage in fate.passages { try out.write("passes the in-line element at \(passage), if that lets it\n".utf8) }
        for end in fate.ends { try out.write((Self.text(end) + "\n").utf8) }
        try out.flush()
    }

    private static func datapath(_ step: PacketFate.Step, _ translation: NetworkTranslation) -> String {
        guard let cookie = step.entry.map({ Cookie(value: $0.cookie) }), cookie.datapath != 0, cookie.kind != .tunnel else { return "" }
        return translation.datapathName(cookie.datapath)
    }

    /// What matched and what it did, without datapath and stage, which have columns.
    private static func text(_ step: PacketFate.Step) -> String {
        guard let text = step.text else { return "no entry matches" }
        guard let colon = text.range(of: ": ") else { return text }
        return String(text[colon.upperBound...])
    }

    private static func text(_ end: PacketFate.End) -> String {
        switch end {
        case .delivered(let host, let port, _): "delivered to \(port) on \(host)"
        case .request(let host, let meaning, let isAnswered):
            "ends on \(host) by \(meaning)\(isAnswered ? ", which is answered:" : ", without an answer")"
        case .dropped(let drop): "dropped on \(drop.host) by \(drop.meaning ?? drop.reason.name)\(drop.stage.map { " (\($0.title))" } ?? "")"
        }
    }

    /// The frame that the workload would send.
    private func compose(_ network: LoadedNetwork, _ tenant: String, _ owner: String, _ sender: SwitchPort, _ mac: MACAddress) throws -> [UInt8] {
        let family: IPAddress.Family
        let destination: IPAddress
        var destinationMAC: MACAddress?
        if let address = IPAddress(to) {
            family = address.family
            destination = address
            let s = network.description.tenants.first { $0.name == tenant }?.switches.first { $0.name == owner }
            destinationMAC = s?.ports.first { $0.addresses.contains(address) }?.mac ?? s?.neighbors.first { $0.address == address }?.mac
        } else {
            family = isIPv6 ? .ipv6 : .ipv4
            let other = try network.port(named: to)
            guard let address = other.port.addresses.first(where: { $0.family == family }) else {
                throw ValidationError("\(to) has no \(isIPv6 ? "IPv6" : "IPv4") address")
            }
            destination = address
            if other.tenant == tenant, other.owner == owner { destinationMAC = other.port.mac }
        }
        guard let source = sender.addresses.first(where: { $0.family == family }) else {
            throw ValidationError("\(from) has no \(family == .ipv6 ? "IPv6" : "IPv4") address")
        }
        guard let to = destinationMAC ?? gateway(network, tenant, owner, source) else {
            throw ValidationError("\(from) knows no way: \(destination) is not on its switch, and no router there has \(source) in its subnet")
        }
        let isSix = family == .ipv6
        let name =
            transport == .icmp
            ? (isSix ? "icmp6,icmp_type=128,icmp_code=0" : "icmp,icmp_type=8,icmp_code=0") : transport.rawValue + (isSix ? "6" : "")
        var text =
            "\(name),dl_src=\(mac),dl_dst=\(to),\(isSix ? "ipv6_src" : "nw_src")=\(source),\(isSix ? "ipv6_dst" : "nw_dst")=\(destination),nw_ttl=64"
        if transport != .icmp {
            text += ",tp_src=\(fromPort ?? 40_000),tp_dst=\(toPort ?? 80)"
            if transport == .tcp { text += ",tcp_flags=+syn" }
        }
        let (key, match) = try FlowText.parseMatch(text)
        return FrameComposer(key, given: match).bytes
    }

    /// The MAC of the router port that a machine would take for its gateway.
    private func gateway(_ network: LoadedNetwork, _ tenant: String, _ owner: String, _ source: IPAddress) -> MACAddress? {
        for router in network.description.tenants.first(where: { $0.name == tenant })?.routers ?? [] {
            for port in router.ports where port.peer == .logicalSwitch(owner) && port.addresses.contains(where: { $0.contains(source) }) {
                return network.translation.routerPortMAC(tenant: tenant, router: router.name, port: port.name).map(MACAddress.init)
            }
        }
        return nil
    }
}
