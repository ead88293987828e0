import Datapath
import Flow
import OpenFlow
import Ports

/// What controllers ask about queues (OpenFlow 1.3.5 §A.3.5.8 and §A.3.6, 1.5.1 §7.3.5.8 and §7.3.5.15).
///
/// A port has queues when its configuration says so (`PortQueueing`), queue 0 always among them.
extension OpenFlowSession {
    /// What a request for queues is about: a queue that the port lacks is refused; of all ports, unless one of them has it (as in Open vSwitch).
    private func selectQueues(_ port: UInt32, _ queue: UInt32) throws(OpenFlowError) -> [(port: UInt32, queues: [QueueReport])] {
        let ports: [UInt32]
        if port == ReservedPort.any {
            ports = vswitch.portNumbers
        } else if vswitch.hasPort(port) {
            ports = [port]
        } else {
            throw OpenFlowError(.queuePort, "There is no port \(port).")
        }
        let isAll = queue == OpenFlowNumber.allQueues
        let found = ports.map { p in (p, vswitch.queueReports(p).filter { isAll || $0.queue == queue }) }.filter { !$0.1.isEmpty }
        if found.isEmpty, !isAll {
            throw OpenFlowError(.queueUnknown, port == ReservedPort.any ? "No port has a queue \(queue)." : "Port \(port) has no queue \(queue).")
        }
        return found
    }

    func queueStatistics(_ port: UInt32, _ queue: UInt32) throws(OpenFlowError) -> [QueueStatistics] {
        try selectQueues(port, queue).flatMap { port, queues in
            queues.map { q in
                let nanoseconds = UInt64(q.seconds * 1e9)
                return QueueStatistics(
                    port: port, queue: q.queue, bytes: q.bytes, packets: q.packets, errors: q.drops,
                    seconds: UInt32(clamping: nanoseconds / 1_000_000_000), nanoseconds: UInt32(nanoseconds % 1_000_000_000))
            }
        }
    }

    /// Rates in tenths of a per cent of what the port sends at most; of a port that has no such rate they cannot be told (as in Open vSwitch).
    func queueDescriptions(_ port: UInt32, _ queue: UInt32) throws(OpenFlowError) -> [QueueDescription] {
        try selectQueues(port, queue).flatMap { port, queues in
            let whole = vswitch.maximumRate(port)
            func share(_ rate: UInt64?) -> UInt16? {
                guard let rate, let whole else { return nil }
                return UInt16(min((Double(rate) * 1000 / Double(whole)).rounded(), 1000))
            }
            return queues.map {
                QueueDescription(port: port, queue: $0.queue, minimumRate: share($0.minimumRate), maximumRate: share($0.maximumRate))
            }
        }
    }

    func queueConfig(_ port: UInt32, xid: UInt32) throws(OpenFlowError) {
        send(.queueConfigReply(QueueConfig(port: port, queues: try queueDescriptions(port, OpenFlowNumber.allQueues))), xid: xid)
    }
}
