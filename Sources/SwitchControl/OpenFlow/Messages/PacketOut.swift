import Flow

/// `OFPT_PACKET_OUT` (OpenFlow 1.3.5 §A.3.7).
public struct PacketOut: Hashable, Sendable {
    public var bufferID: UInt32
    /// The packet's port, or `ReservedPort.any` or `.controller`.
    public var inPort: UInt32
    /// Pipeline fields that the packet begins with, `in_port` aside; 1.5 only.
    public var metadata: Match
    public var actions: [Action]
    public var data: [UInt8]

    public init(bufferID: UInt32 = OpenFlowNumber.noBuffer, inPort: UInt32, metadata: Match = .any, actions: [Action], data: [UInt8]) {
        self.bufferID = bufferID
        self.inPort = inPort
        self.metadata = metadata
        self.actions = actions
        self.data = data
    }

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        try r.atLeast(16, "A packet-out")
        bufferID = r.u32()
        var scope = ActionScope(version: s.version, place: .packetOut, context: .open)
        if s.version >= .v15 {
            let size = Int(r.u16())
            r.skip(2)
            try r.match(&s.draft)
            var rest: [Match.Word] = []
            var port = ReservedPort.any
            for var w in s.draft.finish().words {
                if w.index == FlowKeyLayout.inPortFlags {
                    if w.mask >> 32 != 0 { port = UInt32(truncatingIfNeeded: w.value >> 32) }
                    w = Match.Word(index: w.index, mask: w.mask & 0xffff_ffff, value: w.value)
                    if w.mask == 0 { continue }
                }
                if w.index < FlowKeyLayout.packetWordCount {
                    throw OpenFlowError(.pipelineFieldsOnly, "The match of a packet-out holds a field of the packet itself.")
                }
                rest.append(w)
            }
            inPort = port
            metadata = Match(ascending: rest)
            actions = try r.actions(size, &scope)
        } else {
            inPort = r.u32()
            metadata = .any
            let size = Int(r.u16())
            r.skip(6)
            actions = try r.actions(size, &scope)
        }
        switch inPort {
        case ReservedPort.local, ReservedPort.any, ReservedPort.controller, ReservedPort.dispatch: break
        default:
            if inPort >= ReservedPort.max { throw OpenFlowError(.badRequestPort, "No packet comes from port 0x\(String(inPort, radix: 16)).") }
        }
        data = r.rest()
    }

    func write(_ w: inout WireWriter) {
        w.u32(bufferID)
        if w.version < .v15 { w.u32(inPort) }
        let size = w.count
        w.u16(0)
        if w.version >= .v15 {
            w.zeros(2)
            var m = metadata
            m.require(.inPort, UInt64(inPort))
            w.match(m)
        } else {
            w.zeros(6)
            if metadata != .any { w.fail("A packet-out carries no fields before OpenFlow 1.5.") }
        }
        let start = w.count
        w.actions(actions)
        w.set16(w.count - start, at: size)
        w.put(data)
    }
}
