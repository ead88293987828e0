import Datapath
import Flow
import OpenFlow
import Ports

/// Packets to and from controllers.
extension OpenFlowSession {
    /// Words of the flow key that a packet-in tells: tunnel fields, metadata, registers, marks.
    private static let toldWords = FlowKeyLayout.tunnelWords.lowerBound..<FlowKeyLayout.conjunctionActset

    /// - Parameter isAlone: whether no other waits to be sent after it.
    func send(_ p: Datapath.PacketIn, isAlone: Bool) {
        var metadata = Match()
        metadata.require(.inPort, UInt64(p.inPort))
        for w in Self.toldWords where p.metadata.words[w] != 0 {
            // Half words are fields of their own: registers, addresses.
            let v = p.metadata.words[w]
            let isHalved = w >= FlowKeyLayout.registers || w == FlowKeyLayout.tunnelIPv4
            let mask: UInt64 = isHalved ? (v >> 32 != 0 ? ~0xffff_ffff : 0) | (v & 0xffff_ffff != 0 ? 0xffff_ffff : 0) : .max
            if w == FlowKeyLayout.markPriority {
                metadata.require(word: w, mask: mask & ~0xffff_ffff, value: v)
            } else if w != FlowKeyLayout.tunnelMisc {
                metadata.require(word: w, mask: mask, value: v)
            }
        }
        // A message has at most 65,535 bytes, headers and metadata included.
        let data = Array(finished(p).prefix(64_000))
        var reason = OpenFlow.PacketIn.Reason(rawValue: p.reason.rawValue) ?? .action
        if version < .v14, reason.rawValue > 2 { reason = .action }
        var m = OpenFlow.PacketIn(
            totalLength: p.totalLength, reason: reason, table: p.table, cookie: p.cookie, metadata: metadata, data: data)
        if usesPacketIn2 {
            m.reason = OpenFlow.PacketIn.Reason(rawValue: p.reason.rawValue) ?? .action
            m.userdata = p.userdata
            send(.nicira(.packetIn2(m)), xid: 0, atOnce: isAlone)
        } else {
            send(.packetIn(m), xid: 0, atOnce: isAlone)
        }
    }

    /// The frame with the checksum that its sender left to the device.
    private func finished(_ p: Datapath.PacketIn) -> [UInt8] {
        guard p.offload.needsChecksum, p.frame.count == p.totalLength else { return p.frame }
        var frame = p.frame
        frame.withUnsafeMutableBytes { bytes in
            p.offload.finish(bytes)
        }
        return frame
    }

    func handle(_ p: PacketOut) throws(OpenFlowError) {
        if p.bufferID != OpenFlowNumber.noBuffer {
            throw OpenFlowError(.badRequestBufferUnknown, "There is no buffer \(p.bufferID): packets are not buffered.")
        }
        guard p.data.count >= 14 else { throw OpenFlowError(.badRequestPacket, "A packet of \(p.data.count) bytes has no Ethernet header.") }
        let groups = GroupView(tables)
        for case .group(let id) in p.actions where !groups.contains(id) { throw OpenFlowError(.badActionOutGroup, "There is no group \(id).") }
        var metadata: FlowKey?
        if p.metadata != .any {
            var key = FlowKey()
            for w in p.metadata.words { key.words[w.index] = w.value }
            metadata = key
        }
        guard vswitch.packetOut(p.data, inPort: p.inPort, metadata: metadata, actions: p.actions) else {
            throw OpenFlowError(.badRequestPacket, "A packet of \(p.data.count) bytes is longer than the switch takes.")
        }
    }
}

extension VirtualSwitch {
    /// Has a worker forward a packet by actions that are not an entry's; false when it is too long.
    func packetOut(_ frame: [UInt8], inPort: UInt32, metadata: FlowKey?, actions: [Action]) -> Bool {
        let compiled = tables.withOwnership { tables.compile(actions) }
        defer { tables.withOwnership { tables.release(compiled) } }
        // A port's packets are one worker's business, so that they stay in order.
        let thread = threads[Int(inPort) % threads.count]
        return reach(thread) { thread.worker.inject(frame, inPort: inPort, metadata: metadata, actions: compiled, now: monotonicNow()) }
    }
}
