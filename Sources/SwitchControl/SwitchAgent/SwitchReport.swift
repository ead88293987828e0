import Datapath
import Flow
import Ports

/// A port as it is told to people and scripts.
public struct PortReport: Sendable, Codable {
    public var number: UInt32
    public var name: String
    public var kind: PortKind
    public var summary: String
    public var address: String?
    public var status: PortStatus
    /// Of a watched tunnel.
    public var liveness: LivenessMonitor.Report?
    public var rxPackets: UInt64
    public var rxBytes: UInt64
    public var txPackets: UInt64
    public var txBytes: UInt64
    /// Its queues, when it has any.
    public var queues: [QueueReport]?
}

/// What the whole switch has counted; sums over its workers.
public struct SwitchReport: Sendable, Codable {
    public var received: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var copied: UInt64 = 0
    public var ended: UInt64 = 0
    public var toController: UInt64 = 0
    /// By name, without zeros.
    public var drops: [String: UInt64] = [:]
    /// What ports dropped at arrival, by name and without zeros; `received` does not count it.
    public var arrivalDrops: [String: UInt64] = [:]
    /// Packets forwarded by the cache, and those translated.
    public var cacheHits: UInt64 = 0
    public var cacheMisses: UInt64 = 0
    public var cachedFlows = 0
    public var entryCount = 0
    public var workers: [ForwardingThread.Statistics] = []
    public var ports: [PortReport] = []
}

extension VirtualSwitch {
    /// Every port with its counters, by number. Each worker is asked once.
    public func ports() -> [PortReport] { onControl { reports(Array(attached.values)) } }

    func report(_ port: any LivePort) -> PortReport { reports([port])[0] }

    private func reports(_ ports: [any LivePort]) -> [PortReport] {
        let ports = ports.sorted { $0.number < $1.number }
        let indices = ports.map { tables.ports.attachedIndex(of: $0.number) }
        var counters = [PortCounters](repeating: PortCounters(), count: ports.count)
        for thread in threads {
            let counted = reach(thread) { indices.map { $0.map { thread.worker.portCounters(at: $0) } } }
            for (i, c) in counted.enumerated() {
                guard let c else { continue }
                counters[i].rxPackets += c.rxPackets
                counters[i].rxBytes += c.rxBytes
                counters[i].txPackets += c.txPackets
                counters[i].txBytes += c.txBytes
            }
        }
        return zip(ports, counters).map { port, c in
            let address = port.address.map { bytes in bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":") }
            return PortReport(
                number: port.number, name: port.name, kind: port.kind, summary: port.summary, address: address, status: port.status,
                liveness: (port as? TunnelPort)?.liveness,
                rxPackets: c.rxPackets, rxBytes: c.rxBytes, txPackets: c.txPackets, txBytes: c.txBytes,
                queues: queues[port.number] == nil ? nil : queueReports(port.number))
        }
    }

    /// All counters at one moment of each worker.
    public func report() -> SwitchReport {
        onControl {
            var r = SwitchReport()
            for thread in threads {
                let (c, drops, statistics) = reach(thread) {
                    let drops = DropReason.allCases.map { thread.worker.drops($0) }
                    return (thread.worker.counters, drops, thread.statistics)
                }
                r.received += c.received
                r.receivedBytes += c.receivedBytes
                r.copied += c.copied
                r.ended += c.ended
                r.toController += c.toController
                r.cacheHits += c.hits
                r.cacheMisses += c.misses
                r.cachedFlows += c.cachedFlows
                for (reason, n) in zip(DropReason.allCases, drops) where n > 0 { r.drops[reason.name, default: 0] += n }
                r.workers.append(statistics)
            }
            r.arrivalDrops = arrivalDrops()
            r.entryCount = tables.withOwnership { tables.entryCount }
            r.ports = reports(Array(attached.values))
            return r
        }
    }

    /// What devices and tunnels delivered and nothing could be made of. Tunnel ports of one endpoint share its counters.
    private func arrivalDrops() -> [String: UInt64] {
        var drops: [String: UInt64] = [:]
        var seen: Set<ObjectIdentifier> = []
        for port in attached.values {
            let errors = port.receiveErrors
            for (name, n) in [
                ("receiveMalformed", errors.malformed), ("receiveTooLong", errors.tooLong), ("receiveMissed", errors.missed),
                ("receiveFailed", errors.failed),
            ] where n > 0 { drops[name, default: 0] += n }
            guard let tunnel = port as? TunnelPort else { continue }
            for worker in threads.indices {
                guard let counters = tunnel.counters(worker: worker), seen.insert(ObjectIdentifier(counters)).inserted else { continue }
                for reason in TunnelCounters.Reason.allCases where counters[reason] > 0 { drops["\(reason)", default: 0] += counters[reason] }
            }
        }
        return drops
    }
}
