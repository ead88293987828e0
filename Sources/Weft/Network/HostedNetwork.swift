import ArgumentParser
import Datapath
import Flow
import Foundation
import LogicalNetwork
import Logging
import NetworkFile
import Ports
import SwitchAgent
import Translation

/// A network file and the part of it that one host runs: its ports as the switch knows them, its entries, and what a new version of the file changes.
///
/// Once the switch runs, the thread that takes signals reads new versions and the switch's control queue asks for answers, under a lock.
final class HostedNetwork: @unchecked Sendable {
    let file: String
    let host: String
    private var description: NetworkDescription
    private let translation: NetworkTranslation
    private let lock = NSLock()
    private var entries: [FlowModification]
    /// The ports that the switch has, by name.
    private var ports: [String: SwitchConfiguration.Port] = [:]
    private var tunnels: [String: SwitchConfiguration.Tunnel] = [:]

    init(_ file: String, host: String?) throws {
        let loaded = try LoadedNetwork(file)
        self.file = file
        description = loaded.description
        translation = loaded.translation
        let hosts = description.hosts.map(\.name)
        if let host {
            guard hosts.contains(host) else { throw ValidationError("--host \(host): the network's hosts are \(hosts.joined(separator: ", "))") }
            self.host = host
        } else {
            guard hosts.count == 1 else {
                throw ValidationError(
                    hosts.isEmpty
                        ? "the network has no hosts" : "the network has the hosts \(hosts.joined(separator: ", ")): say which is this one by --host")
            }
            self.host = hosts[0]
        }
        entries = []
        entries = translation.takeChanges().first { $0.host == self.host }?.modifications ?? []
        ports = Self.ports(description, host: self.host, translation)
        tunnels = Self.tunnels(description, host: self.host, translation)
    }

    var entryCount: Int { translation.program(host: host)?.entries.count ?? 0 }

    func takeInitialEntries() -> [FlowModification] {
        defer { entries = [] }
        return entries
    }

    /// What the switch is to be: the ports of this host, and a tunnel port when there are other hosts.
    var configuration: SwitchConfiguration {
        var c = SwitchConfiguration()
        // No entries but those that are computed.
        c.flows = .inline("", line: 1)
        c.failMode = .secure
        c.allowsNamespaces = ports.values.contains { $0.namespace != nil }
        c.ports = ports.values.sorted { $0.number! < $1.number! }
        c.tunnels = tunnels.values.sorted { $0.number! < $1.number! }
        return c
    }

    /// A host's tunnel port when there are other hosts, and those by which it watches tunnels.
    private static func tunnels(_ network: NetworkDescription, host: String, _ translation: NetworkTranslation) -> [String: SwitchConfiguration
        .Tunnel]
    {
        guard network.hosts.count > 1, let own = network.hosts.first(where: { $0.name == host }) else { return [:] }
        var all: [String: SwitchConfiguration.Tunnel] = [:]
        for device in [HostDevice.tunnels(of: own)] + HostDevice.watches(of: own, in: network, translation).values {
            var tunnel = SwitchConfiguration.Tunnel(name: device.name, kind: .geneve, remote: device.remote ?? "flow")
            tunnel.number = device.number
            tunnel.key = device.key
            tunnel.local = device.local
            if device.bfd != nil, let liveness = network.hosts.first(where: \.isPool)?.liveness {
                tunnel.liveness = SwitchConfiguration.Liveness(
                    LivenessConfiguration(interval: UInt64(liveness.milliseconds) * 1_000_000, multiplier: UInt8(liveness.multiplier)))
            }
            all[tunnel.name] = tunnel
        }
        return all
    }

    /// The ports of a host that are attached to something.
    private static func ports(_ network: NetworkDescription, host: String, _ translation: NetworkTranslation) -> [String: SwitchConfiguration.Port] {
        var all: [String: SwitchConfiguration.Port] = [:]
        let queues = network.hosts.first { $0.name == host }?.queues ?? []
        for tenant in network.tenants {
            for (owner, portName, port) in tenant.hostPorts where port.host == host {
                guard let number = translation.localPort(tenant: tenant.name, owner: owner, port: portName)?.number else { continue }
                let name = "\(tenant.name)/\(owner)/\(portName)"
                guard let device = HostDevice(port, name: name, number: number, isTunneled: network.hosts.count > 1) else { continue }
                let mac = device.mac == nil ? nil : port.mac.map { m in (0..<6).map { UInt8(truncatingIfNeeded: m.bits >> UInt64(40 - 8 * $0)) } }
                all[name] = SwitchConfiguration.Port(
                    name: name, number: number, kind: device.kind == "tap" ? .tap : .packet, device: device.device, namespace: device.netns,
                    mtu: device.mtu, address: mac, queueing: queueing(port, queues))
            }
        }
        return all
    }

    private static func queueing(_ port: SwitchPort, _ queues: [HostQueue]) -> PortQueueing? {
        if queues.isEmpty, port.maximumKilobits == nil { return nil }
        func bits(_ kilobits: UInt32?) -> UInt64? { kilobits.map { UInt64($0) * 1000 } }
        return PortQueueing(
            maximumRate: bits(port.maximumKilobits),
            queues: queues.map { q in
                PortQueueing.Queue(
                    id: q.number, minimumRate: bits(q.minimumKilobits), maximumRate: bits(q.maximumKilobits), burst: q.burstBytes,
                    priority: q.priority, buffer: q.bufferBytes)
            })
    }

    /// What is said to a packet that entries handed over.
    func answer(_ packet: PacketIn) -> PacketAnswer? {
        lock.withLock {
            translation.answer(to: packet.frame, metadata: packet.metadata, userdata: packet.userdata)
                .map { PacketAnswer(frame: $0.frame, metadata: $0.metadata, actions: $0.actions) }
        }
    }

    /// Reads the file again and has the switch do what is different; a faulty file changes nothing.
    func reload(_ daemon: SwitchDaemon, _ log: Logger) {
        let new: NetworkDescription
        do {
            let text = String(decoding: try InputFile.read(file), as: UTF8.self)
            new = try NetworkFile.parse(text)
        } catch let error as NetworkFaults {
            for fault in error.faults { log.error("\(file):\(fault)") }
            return log.error("the network is refused and stays as it is", metadata: ["file": "\(file)"])
        } catch {
            return log.error("the network stays as it is", metadata: ["reason": "\(error)"])
        }
        guard new.hosts.contains(where: { $0.name == host }) else {
            return log.error("the network stays as it is: this host is not in it", metadata: ["host": "\(host)"])
        }
        description = new
        let (summary, change) = lock.withLock { (translation.apply(new), translation.takeChanges().first { $0.host == host }) }
        let wanted = Self.ports(new, host: host, translation)
        let wantedTunnels = Self.tunnels(new, host: host, translation)
        // Ports of which only the queues are others stay open.
        let requeued = wanted.values.filter { new in ports[new.name].map { $0 != new && $0.isSameDevice(as: new) } ?? false }
        let stays = Set(requeued.map(\.name))
        let gone =
            ports.filter { wanted[$0.key] != $0.value && !stays.contains($0.key) }.map(\.key).sorted()
            + tunnels.filter { wantedTunnels[$0.key] != $0.value }.map(\.key).sorted()
        let addedTunnels = wantedTunnels.filter { tunnels[$0.key] != $0.value }.map(\.value).sorted { $0.number! < $1.number! }
        let added = wanted.filter { ports[$0.key] != $0.value && !stays.contains($0.key) }.map(\.value).sorted { $0.number! < $1.number! }
        ports = wanted
        tunnels = wantedTunnels
        let modifications = change?.modifications ?? []
        daemon.change(removing: gone, adding: added, requeuing: requeued, tunnels: addedTunnels, entries: modifications) { isTaken in
            guard isTaken else { return }
            log.notice(
                "network read anew",
                metadata: [
                    "elements": "\(summary.added) added, \(summary.removed) removed, \(summary.changed) changed",
                    "modifications": "\(modifications.count)",
                    "ports": "\(added.count + addedTunnels.count) added, \(gone.count) removed, \(stays.count) with other queues",
                ])
        }
    }
}
