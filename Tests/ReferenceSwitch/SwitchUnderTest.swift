import Datapath
import Flow

/// A frame as it arrives.
public struct ReceivedPacket: Sendable {
    public var bytes: [UInt8]
    public var inPort: UInt32
    /// Nanoseconds.
    public var time: UInt64
    public init(bytes: [UInt8], inPort: UInt32, time: UInt64) {
        self.bytes = bytes
        self.inPort = inPort
        self.time = time
    }
}

/// What the property test asks of a switch: tables that change, and packets with all their ends.
public protocol SwitchUnderTest {
    mutating func apply(_ modification: FlowModification, time: UInt64)
    /// The ends of each packet, in the order in which they came about.
    mutating func process(_ packets: [ReceivedPacket]) -> [[PacketEvent.End]]
}
