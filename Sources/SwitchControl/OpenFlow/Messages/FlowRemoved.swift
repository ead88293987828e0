import Flow

/// `OFPT_FLOW_REMOVED` (OpenFlow 1.3.5 §A.4.2, 1.5.1 §7.4.2).
public struct FlowRemoved: Hashable, Sendable {
    /// Numbers of OpenFlow 1.5.1; 1.3 knows the first four.
    public enum Reason: UInt8, Hashable, Sendable {
        case idleTimeout, hardTimeout, delete, groupDelete, meterDelete, eviction
        public var text: String {
            switch self {
            case .idleTimeout: "idle"
            case .hardTimeout: "hard"
            case .delete: "delete"
            case .groupDelete: "group_delete"
            case .meterDelete: "meter_delete"
            case .eviction: "eviction"
            }
        }
    }

    public var reason: Reason
    public var table: UInt8
    public var priority: UInt16
    public var cookie: UInt64
    public var idleTimeout: UInt16
    public var hardTimeout: UInt16
    public var match: Match
    public var counters: FlowCounters

    public init(
        reason: Reason, table: UInt8, priority: UInt16, cookie: UInt64, idleTimeout: UInt16, hardTimeout: UInt16, match: Match,
        counters: FlowCounters
    ) {
        self.reason = reason
        self.table = table
        self.priority = priority
        self.cookie = cookie
        self.idleTimeout = idleTimeout
        self.hardTimeout = hardTimeout
        self.match = match
        self.counters = counters
    }

    private static func reason(_ n: UInt8) throws(OpenFlowError) -> Reason {
        guard let r = Reason(rawValue: n) else { throw OpenFlowError(.badRequestLength, "\(n) is not a reason for a removed flow.") }
        return r
    }

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        if s.version >= .v15 {
            try r.atLeast(24, "A flow-removed")
            table = r.u8()
            reason = try Self.reason(r.u8())
            priority = r.u16()
            idleTimeout = r.u16()
            hardTimeout = r.u16()
            cookie = r.u64()
            try r.match(&s.draft)
            match = s.draft.finish()
            counters = try FlowCounters(oxs: &r)
        } else {
            try r.atLeast(48, "A flow-removed")
            cookie = r.u64()
            priority = r.u16()
            reason = try Self.reason(r.u8())
            table = r.u8()
            let seconds = r.u32()
            let nanoseconds = r.u32()
            idleTimeout = r.u16()
            hardTimeout = r.u16()
            let packets = r.u64()
            counters = FlowCounters(packets: packets, bytes: r.u64(), seconds: seconds, nanoseconds: nanoseconds)
            try r.match(&s.draft)
            match = s.draft.finish()
        }
        if !r.isEmpty { throw OpenFlowError(.badRequestLength, "There are bytes behind the match of a flow-removed.") }
    }

    func write(_ w: inout WireWriter) {
        let number = w.version < .v14 && reason.rawValue > 3 ? Reason.delete.rawValue : reason.rawValue
        if w.version >= .v15 {
            w.u8(table)
            w.u8(number)
            w.u16(priority)
            w.u16(idleTimeout)
            w.u16(hardTimeout)
            w.u64(cookie)
            w.match(match)
            counters.writeOXS(&w)
        } else {
            w.u64(cookie)
            w.u16(priority)
            w.u8(number)
            w.u8(table)
            w.u32(counters.seconds)
            w.u32(counters.nanoseconds)
            w.u16(idleTimeout)
            w.u16(hardTimeout)
            w.u64(counters.packets)
            w.u64(counters.bytes)
            w.match(match)
        }
    }
}

/// An entry's counters, as numbers of the older messages or OXS elements of 1.5 (OpenFlow 1.5.1 §7.2.4).
public struct FlowCounters: Hashable, Sendable {
    public var packets: UInt64
    public var bytes: UInt64
    /// Time in the table: seconds, and nanoseconds beyond them.
    public var seconds: UInt32
    public var nanoseconds: UInt32
    /// Seconds since a packet matched, where it is told: in OXS elements only.
    public var idleSeconds: UInt32?
    /// Entries, in the reply to `aggregate` only.
    public var flows: UInt32?

    public init(
        packets: UInt64 = 0, bytes: UInt64 = 0, seconds: UInt32 = 0, nanoseconds: UInt32 = 0, idleSeconds: UInt32? = nil, flows: UInt32? = nil
    ) {
        self.packets = packets
        self.bytes = bytes
        self.seconds = seconds
        self.nanoseconds = nanoseconds
        self.idleSeconds = idleSeconds
        self.flows = flows
    }

    private static let oxsClass: UInt16 = 0x8002

    /// Reads an `ofp_stats` with its padding. Elements that are not known are skipped.
    init(oxs r: inout WireReader) throws(OpenFlowError) {
        self.init()
        r.skip(2)
        let length = Int(r.u16())
        let padded = (length + 7) & ~7
        if r.isShort || length < 4 || padded - 4 > r.remaining {
            throw OpenFlowError(.badRequestLength, "The length \(length) of flow statistics does not fit into the message.")
        }
        let outer = r.enter(length - 4)
        while !r.isEmpty {
            let oxsClass = r.u16()
            let number = r.u8() >> 1
            let size = Int(r.u8())
            if r.isShort || size > r.remaining { throw OpenFlowError(.badRequestLength, "A statistics field is cut short.") }
            let inner = r.enter(size)
            switch (oxsClass, number) {
            case (Self.oxsClass, 0):
                seconds = r.u32()
                nanoseconds = r.u32()
            case (Self.oxsClass, 1):
                idleSeconds = r.u32()
                r.skip(4)
            case (Self.oxsClass, 3): flows = r.u32()
            case (Self.oxsClass, 4): packets = r.u64()
            case (Self.oxsClass, 5): bytes = r.u64()
            default: break
            }
            try r.check(.badRequestLength, "A statistics field")
            r.leave(inner)
        }
        r.leave(outer)
        r.skip(padded - length)
    }

    func writeOXS(_ w: inout WireWriter) {
        let start = w.count
        w.u16(0)
        w.u16(0)
        func header(_ w: inout WireWriter, _ n: UInt8, _ size: UInt8) {
            w.u16(Self.oxsClass)
            w.u8(n << 1)
            w.u8(size)
        }
        if let flows {
            header(&w, 3, 4)
            w.u32(flows)
        } else {
            header(&w, 0, 8)
            w.u32(seconds)
            w.u32(nanoseconds)
        }
        if let idleSeconds {
            header(&w, 1, 8)
            w.u32(idleSeconds)
            w.u32(0)
        }
        header(&w, 4, 8)
        w.u64(packets)
        header(&w, 5, 8)
        w.u64(bytes)
        w.set16(w.count - start, at: start + 2)
        w.pad(from: start)
    }
}
