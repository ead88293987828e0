import Ports

/// One packet in a worker's buffer while its program runs.
struct PacketState {
    /// First byte of the frame; moves when headers are pushed and popped.
    var data: UnsafeMutableRawPointer
    /// Bytes of the frame; negative when the packet has ended before it had a key.
    var length: Int
    var layout: FrameLayout
    /// Nanoseconds on the packets' clock.
    var time: UInt64
    var inPort: UInt32
    /// Whether the packet's own bytes are those at `bufferStart`: a copy made for a nested program is overwritten soon.
    var isCopy = false
    /// Whether a tunnel port said where it came from.
    var isTunneled = false
    /// What the sender left to the device. Its `checksumStart` counts from `bufferStart`, which pushes and pops do not move.
    var offload = Offload.none
    /// How often this packet or a copy of it has ended.
    var ends: UInt32
    /// The buffer around the frame.
    let bufferStart: UnsafeMutableRawPointer
    /// Index in the batch.
    let index: Int

    init(buffer: UnsafeMutableRawPointer, index: Int) {
        data = buffer
        length = -1
        layout = FrameLayout()
        time = 0
        inPort = 0
        ends = 0
        bufferStart = buffer
        self.index = index
    }

    /// The same packet as a copy of its bytes in another buffer.
    init(copyOf original: PacketState, in buffer: UnsafeMutableRawPointer) {
        self.init(buffer: buffer, index: original.index)
        let offset = original.data - original.bufferStart
        data = buffer + offset
        data.copyMemory(from: original.data, byteCount: original.length)
        length = original.length
        layout = original.layout
        time = original.time
        inPort = original.inPort
        ends = original.ends
        isCopy = true
        isTunneled = original.isTunneled
        offload = original.offload
    }

    /// Whether the transport checksum holds the pseudo header's sum only, for the device to finish: then ports are none of its business, and
    /// addresses count with the other sign.
    @inline(__always) var hasPartialChecksum: Bool {
        offload.needsChecksum && data + Int(layout.transport) == bufferStart + Int(offload.checksumStart)
    }

    /// Bytes from the transport header to the end that the IP header tells.
    @inline(__always) var transportLength: Int {
        layout.transport == FrameLayout.none ? 0 : length &- Int(layout.transport) &- Int(layout.padding)
    }
    @inline(__always) var network: UnsafeMutableRawPointer { data + Int(layout.network) }
    @inline(__always) var transport: UnsafeMutableRawPointer { data + Int(layout.transport) }
}
