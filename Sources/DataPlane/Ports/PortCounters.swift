/// Packets and bytes a port has received and transmitted.
public struct PortCounters: Hashable, Sendable {
    public var rxPackets: UInt64 = 0
    public var rxBytes: UInt64 = 0
    public var txPackets: UInt64 = 0
    public var txBytes: UInt64 = 0
    public init() {}
}
