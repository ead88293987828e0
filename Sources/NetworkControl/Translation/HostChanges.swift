import Flow
import LogicalNetwork

/// What a host's forwarding element is to do after the network changed, in order; one transaction.
public struct HostChange: Sendable {
    public var host: String
    public var address: IPAddress
    /// Logical ports that are on it and tunnels that it watches, with the numbers that entries know them by.
    public var ports: [(port: UInt64, number: UInt32)]
    public var modifications: [FlowModification]
    /// The host is not part of the network any more.
    public var isGone = false
}

extension NetworkTranslation {
    /// The changes of all hosts' entries since the last call (the *exporter*; spec 000-080, B119).
    ///
    /// Only hosts that are concerned are named (000-056). A row that changed costs its hosts its entries and nothing else; a host that needs a datapath for
    /// the first time gets all of it, and one that no longer does drops it by the datapath in the cookies.
    public func takeChanges() -> [HostChange] { hostChanges(takeUniversalChange()) }

    /// A change for each host that it concerns (UPCP to CPCP).
    public func hostChanges(_ change: UniversalChange) -> [HostChange] {
        var changes: [(number: UInt64, change: HostChange)] = change.gone.map { host, name in
            (host, HostChange(host: name, address: IPAddress(family: .ipv4, low: 0), ports: [], modifications: [], isGone: true))
        }
        for (host, delta) in change.deltas() {
            guard let address = hostAddress(host) else { continue }
            let numbers = (ports[host]?.all ?? [:]).sorted { $0.value < $1.value }.map { (port: $0.key, number: $0.value) }
            let modifications = HostCustomizer(host: host).modifications(delta, self)
            changes.append((host, HostChange(host: input.hosts.name(host) ?? "", address: address, ports: numbers, modifications: modifications)))
        }
        return changes.sorted { $0.number < $1.number }.map(\.change)
    }

    /// The logical port behind a port number of a host.
    public func logicalPort(host: String, number: UInt32) -> UInt64? {
        guard let host = input.hosts.existing(host) else { return nil }
        return ports[host]?.port(number).flatMap { HostPorts.isWatch($0) ? nil : $0 }
    }
}
