import Flow

/// `OFPT_PACKET_IN` (OpenFlow 1.3.5 §A.4.1), `NXT_PACKET_IN2` and `NXT_RESUME`: a packet for the controller.
public struct PacketIn: Hashable, Sendable {
    /// Numbers of OpenFlow 1.5.1 §7.4.1; 1.3 knows the first three.
    public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        case tableMiss, action, invalidTTL, actionSet, group, packetOut
        /// As `ovs-ofctl` writes it.
        public var text: String { NiciraAction.reasons[Int(rawValue)] }
        /// Before 1.4 action sets, groups and packet-outs are actions.
        func number(in version: OpenFlowVersion) -> UInt8 { version < .v14 && rawValue > 2 ? Reason.action.rawValue : rawValue }
    }

    public var bufferID: UInt32
    /// Bytes of the packet, of which `data` may hold fewer.
    public var totalLength: Int
    public var reason: Reason
    public var table: UInt8
    public var cookie: UInt64
    /// The packet's port, metadata, registers and tunnel fields.
    public var metadata: Match
    public var data: [UInt8]
    /// From `controller(userdata=…)`; `NXT_PACKET_IN2` only.
    public var userdata: [UInt8] = []
    /// What the switch needs to go on with a packet that `controller(pause)` held; `NXT_PACKET_IN2` and `NXT_RESUME` only.
    public var continuation: [UInt8] = []

    public init(
        bufferID: UInt32 = OpenFlowNumber.noBuffer, totalLength: Int? = nil, reason: Reason, table: UInt8, cookie: UInt64, metadata: Match,
        data: [UInt8]
    ) {
        self.bufferID = bufferID
        self.totalLength = totalLength ?? data.count
        self.reason = reason
        self.table = table
        self.cookie = cookie
        self.metadata = metadata
        self.data = data
    }

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        try r.atLeast(26, "A packet-in")
        bufferID = r.u32()
        totalLength = Int(r.u16())
        reason = try Self.reason(r.u8())
        table = r.u8()
        cookie = r.u64()
        try r.match(&s.draft)
        metadata = s.draft.finish()
        r.skip(2)
        try r.check(.badRequestLength, "A packet-in")
        data = r.rest()
    }

    private static func reason(_ n: UInt8) throws(OpenFlowError) -> Reason {
        guard let r = Reason(rawValue: n) else { throw OpenFlowError(.badRequestLength, "\(n) is not a reason for a packet-in.") }
        return r
    }

    func write(_ w: inout WireWriter) {
        w.u32(bufferID)
        w.u16(UInt16(clamping: totalLength))
        w.u8(reason.number(in: w.version))
        w.u8(table)
        w.u64(cookie)
        w.match(metadata)
        w.zeros(2)
        w.put(data)
    }

    /// The properties of `NXT_PACKET_IN2` and `NXT_RESUME`. Properties that are not known are skipped below 0x8000.
    init(properties r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        self.init(reason: .tableMiss, table: 0, cookie: .max, metadata: .any, data: [])
        var total: Int?
        while !r.isEmpty {
            let (type, outer) = try r.enterProperty()
            switch type {
            case 0: data = r.rest()
            case 1: total = Int(r.u32())
            case 2: bufferID = r.u32()
            case 3: table = r.u8()
            case 4:
                r.skip(4)
                cookie = r.u64()
            case 5: reason = try Self.reason(r.u8())
            case 6:
                s.draft.reset()
                try r.matchFields(&s.draft)
                metadata = s.draft.finish()
            case 7: userdata = r.rest()
            case 8: continuation = r.rest()
            default: if type >= 0x8000 { throw OpenFlowError(.badPropertyType, "A packet-in has no property \(type).") }
            }
            try r.leaveProperty(outer)
        }
        totalLength = total ?? data.count
    }

    func writeProperties(_ w: inout WireWriter) {
        if !data.isEmpty { w.property(0) { $0.put(data) } }
        if totalLength != data.count { w.property(1) { $0.u32(UInt32(totalLength)) } }
        if bufferID != OpenFlowNumber.noBuffer { w.property(2) { $0.u32(bufferID) } }
        if table != 0 {
            w.property(3) {
                $0.u8(table)
                $0.zeros(3)
            }
        }
        if cookie != .max {
            w.property(4) {
                $0.u32(0)
                $0.u64(cookie)
            }
        }
        w.property(5) {
            $0.u8(reason.number(in: $0.version))
            $0.zeros(3)
        }
        w.property(6) { $0.matchFields(metadata) }
        if !userdata.isEmpty { w.property(7) { $0.put(userdata) } }
        if !continuation.isEmpty { w.property(8) { $0.put(continuation) } }
    }
}
