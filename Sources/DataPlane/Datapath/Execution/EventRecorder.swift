/// Collects the ends of packets with their bytes, for captures, fates and tests. Not used when measuring.
public final class EventRecorder {
    public enum Kind: UInt8, Sendable { case transmitted, controller, dropped }

    public struct Event: Sendable {
        public var kind: Kind
        /// Index of the packet in its batch.
        public var packet: Int
        /// Dense port index for `transmitted`, the raw drop reason for `dropped`.
        public var port: UInt32
        /// Where the bytes lie in `bytes`.
        public var offset: Int
        public var length: Int
    }

    public private(set) var events: [Event] = []
    /// Bytes of all events, one after the other.
    public private(set) var bytes: [UInt8] = []
    /// Whether bytes are kept; fates need only the events.
    public var keepsBytes: Bool

    public init(keepsBytes: Bool = true) {
        self.keepsBytes = keepsBytes
    }

    /// Forgets the last batch.
    public func reset() {
        events.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
    }

    @inline(never)
    func record(_ kind: Kind, port: UInt32, _ packet: PacketState, length: Int) {
        events.append(Event(kind: kind, packet: packet.index, port: port, offset: bytes.count, length: length))
        // Safe: `length` is at most the frame's length, all of which lies in the packet's buffer.
        if keepsBytes { bytes.append(contentsOf: UnsafeRawBufferPointer(start: packet.data, count: length)) }
    }
}
