import Flow
import OpenFlow

/// Flow monitors: a controller is told of every change of the entries it asked for (OpenFlow 1.4.0 §6.9, ovs-ofctl(8) "monitor").
///
/// Limits: `monitorLimit` monitors in a session. A session that does not read what it is told is told no more once `OpenFlowAgent.backlogLimit` bytes wait,
/// and learns so (`paused`).
extension OpenFlowSession {
    private static let monitorLimit = 1024

    func monitor(_ list: [FlowMonitorRequest], xid: UInt32) throws(OpenFlowError) {
        // First whether all can be had: a request is refused whole.
        for r in list {
            switch r.command {
            case .add:
                if monitors[r.id] != nil { throw OpenFlowError(.monitorExists, "There is a flow monitor \(r.id) already.") }
                if monitors.count >= Self.monitorLimit {
                    throw OpenFlowError(ErrorCode(16, 0), "There are \(Self.monitorLimit) flow monitors already.")
                }
            case .modify, .delete:
                if monitors[r.id] == nil { throw OpenFlowError(.unknownMonitor, "There is no flow monitor \(r.id).") }
            }
        }
        var first: [FlowUpdate] = []
        for r in list {
            switch r.command {
            case .delete: monitors[r.id] = nil
            case .add, .modify:
                monitors[r.id] = r
                guard r.flags.contains(.initial) else { continue }
                tables.withOwnership {
                    tables.forEachEntry(table: nil) { s in
                        if r.selects(s.entry) { first.append(.full(.initial, reason: 0, r.told(s.entry))) }
                    }
                }
            }
        }
        agent.updateMonitoring()
        send(.multipartReply(MultipartReply(.flowMonitor(first))), xid: xid)
    }

    /// Tells of one change what the monitors ask for, each change once.
    func tellMonitors(_ event: FlowUpdate.Event, _ entry: FlowEntry, reason: UInt8) {
        let flag: FlowMonitorRequest.Flags =
            switch event {
            case .added, .initial: .add
            case .removed: .removed
            case .modified: .modify
            }
        let isOwn = agent.acting?.session === self
        var asked: FlowMonitorRequest?
        for m in monitors.values where m.flags.contains(flag) && m.selects(entry) {
            if asked == nil || m.flags.contains(.instructions) { asked = m }
        }
        guard let asked else { return }
        if transport.backlog > OpenFlowAgent.backlogLimit {
            if !isPaused {
                isPaused = true
                if version >= .v14 {
                    send(.multipartReply(MultipartReply(.flowMonitor([.paused]))), xid: 0)
                } else {
                    send(.nicira(.flowMonitorPaused), xid: 0)
                }
            }
            return
        }
        if isPaused {
            isPaused = false
            if version >= .v14 {
                send(.multipartReply(MultipartReply(.flowMonitor([.resumed]))), xid: 0)
            } else {
                send(.nicira(.flowMonitorResumed), xid: 0)
            }
        }
        let update: FlowUpdate =
            isOwn && !asked.flags.contains(.noAbbreviation)
            ? .abbreviated(xid: agent.acting!.xid) : .full(event, reason: reason, asked.told(entry))
        send(.multipartReply(MultipartReply(.flowMonitor([update]))), xid: 0)
    }
}

extension FlowMonitorRequest {
    /// Whether the monitor is about an entry.
    func selects(_ entry: FlowEntry) -> Bool {
        (table == OpenFlowNumber.allTables || table == entry.table) && (match.words.isEmpty || entry.match.isWithin(match))
            && entry.actions.lead(toPort: outPort, group: outGroup)
    }

    /// The entry as the monitor wants it told.
    func told(_ entry: FlowEntry) -> FlowEntry {
        if flags.contains(.instructions) { return entry }
        var e = entry
        e.actions = []
        return e
    }
}
