import Flow

/// `OFPT_FLOW_MOD` (OpenFlow 1.3.5 §A.3.4.1).
public struct FlowMod: Hashable, Sendable {
    public var command: FlowModification.FlowCommand
    /// `table` 255 is all tables, which only deletes may say.
    public var entry: FlowEntry
    public var cookieMask: UInt64
    public var bufferID: UInt32
    /// Deletes only entries that output there; `ReservedPort.any`: no restriction.
    public var outPort: UInt32
    /// Deletes only entries with this group; `Group.none`: no restriction.
    public var outGroup: UInt32

    public init(
        _ command: FlowModification.FlowCommand, _ entry: FlowEntry, cookieMask: UInt64 = 0, bufferID: UInt32 = OpenFlowNumber.noBuffer,
        outPort: UInt32 = ReservedPort.any, outGroup: UInt32 = Group.none
    ) {
        self.command = command
        self.entry = entry
        self.cookieMask = cookieMask
        self.bufferID = bufferID
        self.outPort = outPort
        self.outGroup = outGroup
    }

    /// The change to the tables, without the buffer and the group to filter by.
    public var modification: FlowModification {
        var e = entry
        let anyTable = e.table == OpenFlowNumber.allTables
        if anyTable { e.table = 0 }
        return .flow(command, e, anyTable: anyTable, cookieMask: cookieMask, outPort: outPort == ReservedPort.any ? nil : outPort)
    }

    /// The message for a flow modification; nil for the other kinds.
    public init?(_ m: FlowModification) {
        guard case .flow(let command, var entry, let anyTable, let cookieMask, let outPort) = m else { return nil }
        if anyTable { entry.table = OpenFlowNumber.allTables }
        self.init(command, entry, cookieMask: cookieMask, outPort: outPort ?? ReservedPort.any)
    }

    static let commands: [FlowModification.FlowCommand] = [.add, .modify, .modifyStrict, .delete, .deleteStrict]

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        try r.atLeast(48, "A flow-mod")
        if r.remaining & 7 != 0 {
            throw OpenFlowError(.badRequestLength, "The parts of a flow-mod are multiples of 8 bytes, \(r.remaining) is none.")
        }
        let cookie = r.u64()
        cookieMask = r.u64()
        let table = r.u8()
        let number = r.u8()
        let idle = r.u16()
        let hard = r.u16()
        let priority = r.u16()
        bufferID = r.u32()
        outPort = r.u32()
        outGroup = r.u32()
        let flags = r.u16()
        let importance = r.u16()
        switch number {
        case 0: command = .add
        case 1: command = .modify
        case 2: command = .modifyStrict
        case 3: command = .delete
        case 4: command = .deleteStrict
        default: throw OpenFlowError(.flowModCommand, "\(number) is not a command of a flow-mod.")
        }
        if flags & ~0x1f != 0 { throw OpenFlowError(.flowModFlags, "The flags 0x\(String(flags, radix: 16)) of a flow-mod are not known.") }
        if table == OpenFlowNumber.allTables, number < 3 { throw OpenFlowError(.flowModTable, "Only deletes may name all tables.") }
        try r.match(&s.draft)
        let actions = try r.instructions(&s, table: table)
        entry = FlowEntry(
            table: table, priority: priority, match: s.draft.finish(), actions: actions, cookie: cookie, idleTimeout: idle, hardTimeout: hard,
            importance: s.version >= .v14 ? importance : 0, flags: FlowEntry.Flags(rawValue: UInt8(truncatingIfNeeded: flags)))
    }

    func write(_ w: inout WireWriter) {
        w.u64(entry.cookie)
        w.u64(cookieMask)
        w.u8(entry.table)
        w.u8(UInt8(Self.commands.firstIndex(of: command)!))
        w.u16(entry.idleTimeout)
        w.u16(entry.hardTimeout)
        w.u16(entry.priority)
        w.u32(bufferID)
        w.u32(outPort)
        w.u32(outGroup)
        w.u16(UInt16(entry.flags.rawValue))
        w.u16(w.version >= .v14 ? entry.importance : 0)
        w.match(entry.match)
        w.instructions(entry.actions, entry.match)
    }
}
