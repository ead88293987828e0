/// One of two ports joined in the switch: what leaves by one arrives at the other.
///
/// A frame stays with its worker: each has a ring of its own in each direction, written and read by that worker alone, so there is nothing to
/// synchronise. The frame is copied once, with its offload state. A full ring refuses with `.transmitQueueFull`.
public final class PatchPort: LivePort {
    /// Frames and bytes waiting for one worker in one direction at most.
    public static let ringFrames = 256
    public static let ringBytes = 1 << 20

    public let name: String
    public let number: UInt32
    public let kind = PortKind.patch
    private let peerName: String
    private let incoming: [FrameRing]
    private let outgoing: [FrameRing]

    private init(_ name: String, _ number: UInt32, peer: String, incoming: [FrameRing], outgoing: [FrameRing]) {
        self.name = name
        self.number = number
        peerName = peer
        self.incoming = incoming
        self.outgoing = outgoing
    }

    /// Two ports that are each other's peers.
    public static func pair(_ first: (name: String, number: UInt32), _ second: (name: String, number: UInt32), workers: Int = 1) -> (
        PatchPort, PatchPort
    ) {
        let rings = (0..<2).map { _ in (0..<max(workers, 1)).map { _ in FrameRing(frames: ringFrames, bytes: ringBytes) } }
        return (
            PatchPort(first.name, first.number, peer: second.name, incoming: rings[0], outgoing: rings[1]),
            PatchPort(second.name, second.number, peer: first.name, incoming: rings[1], outgoing: rings[0])
        )
    }

    public var summary: String { "patch to port \"\(peerName)\"" }
    public var address: [UInt8]? { nil }
    public var status: PortStatus {
        var status = PortStatus()
        status.mtu = 65_521
        return status
    }
    public func receiver(worker index: Int) -> (any FrameReceiver)? { RingReceiver(ring: incoming[index], port: number) }
    public func transmitter(worker index: Int) -> any FrameTransmitter { RingTransmitter(ring: outgoing[index]) }
    public func refresh() -> Bool { false }
    public func close() {}
}

/// Frames in order of arrival, in one block of memory used round and round; one thread.
final class FrameRing: @unchecked Sendable {
    private struct Entry {
        var offset: Int
        var length: Int
        var offload: Offload
    }

    private let memory: UnsafeMutableRawPointer
    private let size: Int
    private let limit: Int
    private let entries: UnsafeMutablePointer<Entry>
    private var first = 0
    private var count = 0
    /// Where the next frame's bytes go.
    private var end = 0

    init(frames: Int, bytes: Int) {
        limit = frames
        size = bytes
        memory = .allocate(byteCount: bytes, alignment: 64)
        entries = .allocate(capacity: frames)
    }

    deinit {
        memory.deallocate()
        entries.deallocate()
    }

    var isEmpty: Bool { count == 0 }

    /// Copies a frame in; false when there is no room.
    func append(_ data: UnsafeRawPointer, _ length: Int, _ offload: Offload) -> Bool {
        if count == limit { return false }
        var start = end
        if count > 0 {
            let oldest = entries[first].offset
            if start > oldest {
                // Free: from `end` to the block's end, and before the oldest.
                if start &+ length > size {
                    if length >= oldest { return false }
                    start = 0
                }
            } else if start &+ length >= oldest {
                return false
            }
        } else {
            start = 0
            if length > size { return false }
        }
        (memory + start).copyMemory(from: data, byteCount: length)
        entries[(first &+ count) % limit] = Entry(offset: start, length: length, offload: offload)
        end = start &+ length
        count &+= 1
        return true
    }

    /// Copies the oldest frame out and forgets it; false, and the frame is lost, when it does not fit.
    func removeFirst(into slot: UnsafeMutablePointer<ReceiveSlot>) -> Bool {
        let entry = entries[first]
        first = (first &+ 1) % limit
        count &-= 1
        if entry.length > slot.pointee.capacity { return false }
        slot.pointee.data.copyMemory(from: memory + entry.offset, byteCount: entry.length)
        slot.pointee.length = entry.length
        slot.pointee.offload = entry.offload
        return true
    }
}

private final class RingReceiver: FrameReceiver {
    private let ring: FrameRing
    private let port: UInt32

    init(ring: FrameRing, port: UInt32) {
        self.ring = ring
        self.port = port
    }

    var receiveDescriptor: Int32 { -1 }
    var hasFrames: Bool { !ring.isEmpty }

    func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
        var filled = 0
        while filled < count, !ring.isEmpty {
            let slot = slots + filled
            if !ring.removeFirst(into: slot) { continue }
            slot.pointee.inPort = port
            slot.pointee.isTunneled = false
            filled &+= 1
        }
        return filled
    }
}

private final class RingTransmitter: FrameTransmitter {
    private let ring: FrameRing
    init(ring: FrameRing) { self.ring = ring }

    func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
        for i in 0..<count where !ring.append(frames[i].data, frames[i].length, frames[i].offload) { frames[i].refusal = .transmitQueueFull }
    }
}
