import Flow

/// An element of a request to `flow-monitor` (OpenFlow 1.4.0 §7.3.5.17), of the ONF's extension for 1.3, or of Nicira's.
public struct FlowMonitorRequest: Hashable, Sendable {
    public enum Command: UInt8, Hashable, Sendable { case add, modify, delete }
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let initial = Flags(rawValue: 1 << 0)
        public static let add = Flags(rawValue: 1 << 1)
        public static let removed = Flags(rawValue: 1 << 2)
        public static let modify = Flags(rawValue: 1 << 3)
        public static let instructions = Flags(rawValue: 1 << 4)
        /// The controller's own changes in full.
        public static let noAbbreviation = Flags(rawValue: 1 << 5)
        public static let onlyOwn = Flags(rawValue: 1 << 6)
    }

    public var id: UInt32
    public var command: Command
    public var flags: Flags
    public var outPort: UInt32
    public var outGroup: UInt32
    /// 255: all tables.
    public var table: UInt8
    public var match: Match

    public init(
        id: UInt32, command: Command = .add, flags: Flags, outPort: UInt32 = ReservedPort.any, outGroup: UInt32 = Group.none,
        table: UInt8 = OpenFlowNumber.allTables, match: Match = .any
    ) {
        self.id = id
        self.command = command
        self.flags = flags
        self.outPort = outPort
        self.outGroup = outGroup
        self.table = table
        self.match = match
    }

    static let onfType: UInt32 = 1870
    static func isExtension(_ experimenter: UInt32, _ type: UInt32) -> Bool {
        experimenter == Experimenter.onf && type == onfType || experimenter == Experimenter.nicira && type == 2
    }

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        try r.atLeast(24, "A flow monitor")
        self.init(id: r.u32(), flags: [], outPort: r.u32(), outGroup: r.u32())
        flags = try Self.flags(r.u16())
        table = r.u8()
        let n = r.u8()
        guard let c = Command(rawValue: n) else { throw OpenFlowError(.monitorCommand, "\(n) is not a command for a flow monitor.") }
        command = c
        try r.match(&s.draft)
        match = s.draft.finish()
    }

    private static func flags(_ v: UInt16) throws(OpenFlowError) -> Flags {
        if v & ~0x7f != 0 { throw OpenFlowError(.monitorFlags, "The flags 0x\(String(v, radix: 16)) of a flow monitor are not known.") }
        return Flags(rawValue: v)
    }

    init(extension r: inout WireReader, _ s: inout DecodingState, isONF: Bool) throws(OpenFlowError) {
        try r.atLeast(16, "A flow monitor")
        self.init(id: r.u32(), flags: try Self.flags(r.u16()))
        let length: Int
        if isONF {
            length = Int(r.u16())
            outPort = r.u32()
            table = r.u8()
            if !r.zeros(3) { throw OpenFlowError(.mustBeZero, "The bytes that pad a flow monitor are not zero.") }
        } else {
            outPort = Port16.wide(r.u16())
            length = Int(r.u16())
            table = r.u8()
            if !r.zeros(5) { throw OpenFlowError(.mustBeZero, "The bytes that pad a flow monitor are not zero.") }
        }
        if isONF { try r.match(&s.draft) } else { try r.niciraMatch(length, &s.draft) }
        match = s.draft.finish()
    }

    /// In 1.3 the ONF's form.
    func write(_ w: inout WireWriter) {
        w.u32(id)
        if w.version < .v14 {
            w.u16(flags.rawValue)
            let length = w.count
            w.u16(0)
            w.u32(outPort)
            w.u8(table)
            w.zeros(3)
            let start = w.count
            w.match(match)
            w.set16(w.count - start, at: length)
            if command != .add { w.fail("Flow monitors are only added by this message before OpenFlow 1.4.") }
            return
        }
        w.u32(outPort)
        w.u32(outGroup)
        w.u16(flags.rawValue)
        w.u8(table)
        w.u8(command.rawValue)
        w.match(match)
    }
}

/// An element of the reply to `flow-monitor`: what happened to an entry.
public enum FlowUpdate: Hashable, Sendable {
    /// Numbers of OpenFlow 1.4.
    public enum Event: UInt16, Hashable, Sendable { case initial, added, removed, modified }

    /// Actions are empty unless they were asked for.
    case full(Event, reason: UInt8, FlowEntry)
    /// The controller's own message with this xid did it.
    case abbreviated(xid: UInt32)
    /// The switch leaves out updates until `resumed`; from 1.4 on.
    case paused
    case resumed

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < 8 || length - 2 > r.remaining { throw OpenFlowError(.badRequestLength, "A flow update of \(length) bytes does not fit.") }
        let outer = r.enter(length - 2)
        let event = r.u16()
        switch event {
        case 0...3:
            var e = FlowEntry(table: r.u8())
            let reason = r.u8()
            e.idleTimeout = r.u16()
            e.hardTimeout = r.u16()
            e.priority = r.u16()
            r.skip(4)
            e.cookie = r.u64()
            try r.match(&s.draft)
            e.match = s.draft.finish()
            var scope = ActionScope(version: s.version, place: .applied, context: s.draft.context)
            e.actions = try r.instructions(&scope, table: e.table)
            self = .full(Event(rawValue: event)!, reason: reason, e)
        case 4: self = .abbreviated(xid: r.u32())
        case 5: self = .paused
        case 6: self = .resumed
        default: throw OpenFlowError(.nicira(9), "\(event) is not an event of a flow monitor.")
        }
        try r.check(.badRequestLength, "A flow update")
        r.leave(outer)
    }

    /// The form of Nicira's and the ONF's extensions.
    init(extension r: inout WireReader, _ s: inout DecodingState, isONF: Bool) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < 8 || length - 2 > r.remaining { throw OpenFlowError(.badRequestLength, "A flow update of \(length) bytes does not fit.") }
        let outer = r.enter(length - 2)
        let event = r.u16()
        switch event {
        case 0...2:
            let reason = UInt8(truncatingIfNeeded: r.u16())
            var e = FlowEntry(priority: r.u16(), idleTimeout: r.u16(), hardTimeout: r.u16())
            let matchLength = Int(r.u16())
            e.table = r.u8()
            r.skip(1)
            e.cookie = r.u64()
            if isONF { try r.match(&s.draft) } else { try r.niciraMatch(matchLength, &s.draft) }
            e.match = s.draft.finish()
            var scope = ActionScope(version: s.version, place: .applied, context: s.draft.context)
            e.actions = isONF ? try r.instructions(&scope, table: e.table) : try r.actions(r.remaining, &scope)
            self = .full(Event(rawValue: event + 1)!, reason: reason, e)
        case 3: self = .abbreviated(xid: r.u32())
        default: throw OpenFlowError(.nicira(9), "\(event) is not an event of a flow monitor.")
        }
        try r.check(.badRequestLength, "A flow update")
        r.leave(outer)
    }

    func write(_ w: inout WireWriter) {
        let start = w.count
        w.u16(0)
        let isExtension = w.version < .v14
        switch self {
        case .full(let event, let reason, let e):
            if isExtension {
                w.u16(event == .initial ? 0 : event.rawValue - 1)
                w.u16(UInt16(reason))
                w.u16(e.priority)
                w.u16(e.idleTimeout)
                w.u16(e.hardTimeout)
                let length = w.count
                w.u16(0)
                w.u8(e.table)
                w.u8(0)
                w.u64(e.cookie)
                let matchStart = w.count
                w.match(e.match)
                w.set16(w.count - matchStart, at: length)
            } else {
                w.u16(event.rawValue)
                w.u8(e.table)
                w.u8(reason)
                w.u16(e.idleTimeout)
                w.u16(e.hardTimeout)
                w.u16(e.priority)
                w.u32(0)
                w.u64(e.cookie)
                w.match(e.match)
            }
            w.instructions(e.actions, e.match)
        case .abbreviated(let xid):
            w.u16(isExtension ? 3 : 4)
            w.u32(xid)
        case .paused, .resumed:
            if isExtension { w.fail("Pauses of a flow monitor are messages of their own before OpenFlow 1.4.") }
            w.u16(self == .paused ? 5 : 6)
            w.u32(0)
        }
        w.set16(w.count - start, at: start)
    }
}
