import Flow

/// An entry with what was counted for it. Times are nanoseconds on the packets' clock.
public struct FlowStatistics: Sendable {
    public var entry: FlowEntry
    public var packets: UInt64
    public var bytes: UInt64
    public var created: UInt64
    /// When it was added, modified or relearned; the hard time-out counts from here.
    public var modified: UInt64
    public var lastUsed: UInt64
}

/// An entry that has gone, and why (OpenFlow 1.5.1 §7.4.2; the numbers are its).
public struct FlowRemoval: Sendable {
    public enum Reason: UInt8, Sendable {
        case idleTimeout = 0
        case hardTimeout = 1
        case delete = 2
        case groupDelete = 3
        case meterDelete = 4
        case eviction = 5
    }
    public var statistics: FlowStatistics
    public var reason: Reason
}

/// Actions outside an entry, compiled; see `FlowTables.compile`.
public struct CompiledActions: @unchecked Sendable {
    let record: ActionRecord
    let sides: [UInt32]
}
