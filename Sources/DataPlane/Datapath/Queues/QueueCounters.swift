/// What a queue of a port has counted.
public struct QueueCounters: Sendable, Equatable {
    /// What has left.
    public var packets: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Packets that found the buffer full, or that the port refused.
    public var drops: UInt64 = 0
    public var waitingPackets = 0
    public var waitingBytes = 0
    public init() {}

    public static func += (a: inout QueueCounters, b: QueueCounters) {
        a.packets &+= b.packets
        a.bytes &+= b.bytes
        a.drops &+= b.drops
        a.waitingPackets += b.waitingPackets
        a.waitingBytes += b.waitingBytes
    }
}
