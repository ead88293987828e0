import CLinux
import Datapath
import Ports

/// A queue of a port with what it has counted; sums over the workers.
public struct QueueReport: Sendable, Codable, Equatable {
    public var queue: UInt32
    /// What has left.
    public var packets: UInt64
    public var bytes: UInt64
    /// What found the queue full, or the port refused.
    public var drops: UInt64
    public var waitingPackets: Int
    public var waitingBytes: Int
    /// Since there is such a queue at the port.
    public var seconds: Double
    /// Bits per second, as configured.
    public var minimumRate: UInt64?
    public var maximumRate: UInt64?
    public var priority: UInt8
}

/// Queues of ports.
extension VirtualSwitch {
    /// The queues of one port: what was asked for, and when each came to be.
    struct AttachedQueues {
        var queueing: PortQueueing
        var created: [UInt32: UInt64]
    }

    /// Gives a port queues, others, or none (nil). What waits in its queues leaves at once; queues that stay keep their counters.
    ///
    /// Throws when there is no such port, or when the queues cannot be (`PortQueueing.fault`).
    public func setQueues(_ number: UInt32, _ queueing: PortQueueing?) throws(PortError) {
        if let fault = queueing?.fault { throw PortError(fault) }
        let isKnown = onControl { () -> Bool in
            guard attached[number] != nil else { return false }
            change(number, queueing)
            return true
        }
        if !isKnown { throw PortError("there is no port \(number)") }
    }

    /// On the control queue.
    func change(_ number: UInt32, _ queueing: PortQueueing?) {
        if queues[number]?.queueing == queueing { return }
        let now = weft_monotonic_ns()
        let old = queues[number]?.created ?? [:]
        queues[number] = queueing.map { q in
            var created: [UInt32: UInt64] = [0: old[0] ?? now]
            for queue in q.queues { created[queue.id] = old[queue.id] ?? now }
            return AttachedQueues(queueing: q, created: created)
        }
        let shares = queueing.map { QueueShares($0) }
        for thread in threads { reach(thread) { thread.worker.setQueues(shares, port: number) } }
    }

    /// What a port may send in all, in bits per second; nil: no limit.
    public func maximumRate(_ number: UInt32) -> UInt64? { onControl { queues[number]?.queueing.maximumRate } }

    /// The queues of a port, by number; empty for a port without.
    public func queueReports(_ number: UInt32) -> [QueueReport] {
        onControl {
            guard let own = queues[number], let index = tables.ports.attachedIndex(of: number) else { return [] }
            var sums: [UInt32: QueueCounters] = [:]
            for thread in threads {
                for (id, c) in reach(thread, { thread.worker.queueCounters(at: index) }) { sums[id, default: QueueCounters()] += c }
            }
            let now = weft_monotonic_ns()
            let configured = Dictionary(own.queueing.queues.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
            return own.created.keys.sorted().map { id in
                let c = sums[id] ?? QueueCounters()
                let q = configured[id]
                return QueueReport(
                    queue: id, packets: c.packets, bytes: c.bytes, drops: c.drops, waitingPackets: c.waitingPackets, waitingBytes: c.waitingBytes,
                    seconds: Double(now &- own.created[id]!) / 1e9, minimumRate: q?.minimumRate, maximumRate: q?.maximumRate,
                    priority: q?.priority ?? 0)
            }
        }
    }
}
