/// One end of a packet or of a copy of it.
///
/// A packet has at least one event. It has exactly one more event than copies were made of it: received + copied = ended.
public struct PacketEvent: Equatable, Sendable {
    public enum End: Equatable, Sendable {
        /// Left on a port with these bytes.
        case transmitted(port: UInt32, bytes: [UInt8])
        /// Handed to the control side with these bytes (`controller` action, an expired TTL does not count as one).
        case controller(bytes: [UInt8])
        case dropped(DropReason)
    }
    /// Index of the packet in its batch.
    public var packet: Int
    public var end: End
    public init(packet: Int, end: End) {
        self.packet = packet
        self.end = end
    }
}
