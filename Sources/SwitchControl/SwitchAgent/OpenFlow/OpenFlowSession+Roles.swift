import Datapath
import Flow
import OpenFlow

/// Roles and filters of asynchronous messages, and Nicira's messages.
extension OpenFlowSession {
    /// OpenFlow 1.3.5 §6.3.5, §A.3.10: what a controller gets before it asks for something else.
    static func defaultAsync(_ version: OpenFlowVersion) -> AsyncConfig {
        AsyncConfig(
            slave: [.packetIn: 0, .portStatus: 7, .flowRemoved: 0, .roleStatus: 0, .tableStatus: 0, .requestForward: 0],
            // 1.3 knows four reasons for the end of an entry.
            master: [
                .packetIn: 0b111011, .portStatus: 7, .flowRemoved: version >= .v14 ? 0x3f : 0xf, .roleStatus: 0, .tableStatus: 0, .requestForward: 0,
            ])
    }

    func wants(_ kind: AsyncConfig.Kind, reason: UInt32) -> Bool {
        if peer != .controller, config.missSendLength == 0 { return false }
        let masks = role == .slave ? async.slave : async.master
        return (masks[kind] ?? 0) >> reason & 1 != 0
    }

    func wants(_ p: Datapath.PacketIn) -> Bool {
        // A packet for one controller goes to no other; 0 is every controller that did not take a number.
        guard p.controllerID == controllerID else { return false }
        // Versions before 1.4 know fewer reasons: what is sent by an action counts as such.
        let reason = version < .v14 && p.reason.rawValue > 2 ? Datapath.PacketIn.Reason.action : p.reason
        return wants(.packetIn, reason: UInt32(reason.rawValue))
    }

    func merge(_ a: AsyncConfig) {
        async.slave.merge(a.slave) { $1 }
        async.master.merge(a.master) { $1 }
    }

    func handle(_ r: RoleMessage, xid: UInt32) throws(OpenFlowError) {
        switch r.role {
        case .noChange: break
        case .equal: role = .equal
        case .master, .slave:
            if let newest = agent.generation, Int64(bitPattern: r.generation &- newest) < 0 {
                throw OpenFlowError(.roleStale, "The generation \(r.generation) is older than \(newest).")
            }
            agent.generation = r.generation
            if r.role == .master {
                for other in agent.sessions where other !== self && other.role == .master {
                    other.role = .slave
                    let status = RoleStatus(role: .slave, reason: .masterRequest, generation: r.generation)
                    if other.version >= .v14 || other.wants(.roleStatus, reason: 0) { other.send(.roleStatus(status), xid: agent.makeXID()) }
                }
            }
            role = r.role
        }
        flush()
        send(.roleReply(RoleMessage(role, generation: agent.generation ?? .max, shortID: r.shortID)), xid: xid)
    }

    func handle(_ n: NiciraMessage, xid: UInt32) throws(OpenFlowError) {
        switch n {
        case .setFlowFormat, .flowModTableID, .flowAge: break
        case .setPacketInFormat(let format): usesPacketIn2 = format == 2
        case .setControllerID(let id): controllerID = id
        case .setAsync(let a), .setAsync2(let a): merge(a)
        case .tunnelOptionMod(let m): try handle(m)
        case .tunnelOptionRequest:
            let reply = TunnelOptionReply(
                maximumSpace: Self.tunnelOptionSpace, maximumFields: Self.tunnelOptionCount, options: agent.tunnelOptions)
            send(.nicira(.tunnelOptionReply(reply)), xid: xid)
        case .flowMonitorCancel(let id):
            guard monitors.removeValue(forKey: id) != nil else {
                throw OpenFlowError(.unknownMonitor, "There is no flow monitor \(id).")
            }
            agent.updateMonitoring()
        case .resume: throw OpenFlowError(.badRequestExperimenterType, "Packets are not held for a controller, so none can be resumed.")
        case .packetIn2, .tunnelOptionReply, .flowMonitorPaused, .flowMonitorResumed:
            throw OpenFlowError(.badRequestExperimenterType, "This message goes from switches to controllers only.")
        }
    }
}
