/// One packet in a worker's buffer while its program runs.
struct PacketState {
    /// First byte of the frame; moves when headers are pushed and popped.
    var data: UnsafeMutableRawPointer
    /// Bytes of the frame.
    var length: Int
    /// The buffer around the frame.
    var bufferStart: UnsafeMutableRawPointer
    var bufferEnd: UnsafeMutableRawPointer
    var layout: FrameLayout
    var inPort: UInt32
    /// Index in the batch.
    var index: Int
    /// Nanoseconds on the packets' clock.
    var time: UInt64
    /// How often this packet or a copy of it has ended.
    var ends = 0

    /// Bytes from the transport header to the end that the IP header tells.
    @inline(__always) var transportLength: Int {
        layout.transport == FrameLayout.none ? 0 : length &- Int(layout.transport) &- Int(layout.padding)
    }
    @inline(__always) var network: UnsafeMutableRawPointer { data + Int(layout.network) }
    @inline(__always) var transport: UnsafeMutableRawPointer { data + Int(layout.transport) }
}
