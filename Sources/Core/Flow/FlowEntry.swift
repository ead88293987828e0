/// One row of a flow table: which packets, at which priority, get which actions, and how long the row lives (spec 000-013).
public struct FlowEntry: Hashable, Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let sendFlowRemoved = Flags(rawValue: 1)
        public static let checkOverlap = Flags(rawValue: 2)
        public static let resetCounts = Flags(rawValue: 4)
        public static let noPacketCounts = Flags(rawValue: 8)
        public static let noByteCounts = Flags(rawValue: 16)
    }

    public static let defaultPriority: UInt16 = 32768

    public var table: UInt8
    public var priority: UInt16
    public var match: Match
    public var actions: [Action]
    public var cookie: UInt64
    /// Seconds without a packet after which the entry goes; 0 is never.
    public var idleTimeout: UInt16
    /// Seconds after which the entry goes; 0 is never.
    public var hardTimeout: UInt16
    public var importance: UInt16
    public var flags: Flags

    public init(
        table: UInt8 = 0, priority: UInt16 = FlowEntry.defaultPriority, match: Match = .any, actions: [Action] = [], cookie: UInt64 = 0,
        idleTimeout: UInt16 = 0, hardTimeout: UInt16 = 0, importance: UInt16 = 0, flags: Flags = []
    ) {
        self.table = table
        self.priority = priority
        self.match = match
        self.actions = actions
        self.cookie = cookie
        self.idleTimeout = idleTimeout
        self.hardTimeout = hardTimeout
        self.importance = importance
        self.flags = flags
    }
}

extension FlowEntry {
    /// What tells entries apart: one that is added with the same table, priority and match takes the other's place (OpenFlow 1.3.5 §6.4).
    public struct Identity: Hashable, Sendable {
        public let table: UInt8
        public let priority: UInt16
        public let match: Match
    }

    public var identity: Identity { Identity(table: table, priority: priority, match: match) }
}
