import Flow
import Ports

/// What a worker's packets leave by: collects frames per port while a batch is forwarded, and hands each port its frames at the end.
///
/// A frame that its program is done with is sent from the worker's buffer; one that is still changed afterwards (an output that is not the last, a copy) is
/// copied first, into an arena that lives as long as the batch. A frame that its port refuses was counted as sent and is counted over to the refusal's drop
/// reason, so that received + copied = ended holds after every flush.
///
/// Frames to a port with queues pass its scheduler: those that their queue's rate admits join the others, the rest waits there and leaves by `sendDue`
/// (`OutputStage+Queues`).
///
/// Limits: `queueLimit` frames per port and `arenaSize` bytes of copies; what is more is flushed early, which changes nothing but the size of a burst.
///
/// Used by one worker's thread.
final class OutputStage {
    struct Queue {
        var frames: UnsafeMutablePointer<TransmitFrame>?
        var count: Int32 = 0
        /// Whether the port has a scheduler.
        var isScheduled = false
    }

    /// The n-th frame that left by a port, at its dense index, since `refusals` was emptied.
    struct Sent: Hashable {
        var port: Int
        var ordinal: Int
    }

    /// While not nil, the frames that ports refused are written down here.
    var refusals: [(Sent, DropReason)]? {
        didSet { if refusals?.isEmpty != false { ordinals = [:] } }
    }
    private var ordinals: [Int: Int] = [:]

    static let queueLimit = 64
    private static let arenaSize = 4 << 20
    /// Room before a copied frame, as ports are promised.
    private static let headroom = 64

    let queues: UnsafeMutablePointer<Queue>
    var transmitters: [(any FrameTransmitter)?]
    /// Ports with queues, and when the first frame that waits at one of them is due.
    var scheduled: [ScheduledPort?]
    var scheduledPorts: [Int] = []
    var nextDeparture = UInt64.max
    private var waiting: [Int] = []
    private let arena: UnsafeMutableRawPointer
    private var arenaUsed = 0
    unowned(unsafe) let executor: ProgramExecutor
    private let ports: PortRegistry
    /// Port numbers by dense index, for transmitters that serve several.
    private var numbers: [UInt32]
    /// The tunnel words that the next outputs to tunnel ports leave with, in the arena.
    private var tunnel: UnsafePointer<UInt64>?
    private static let tunnelWordCount = FlowKeyLayout.tunnelWords.count

    init(executor: ProgramExecutor, ports: PortRegistry) {
        self.executor = executor
        self.ports = ports
        queues = .allocate(capacity: PortRegistry.limit)
        queues.initialize(repeating: Queue(), count: PortRegistry.limit)
        transmitters = Array(repeating: nil, count: PortRegistry.limit)
        scheduled = Array(repeating: nil, count: PortRegistry.limit)
        numbers = Array(repeating: 0, count: PortRegistry.limit)
        arena = .allocate(byteCount: Self.arenaSize, alignment: 64)
    }

    deinit {
        for i in 0..<PortRegistry.limit { queues[i].frames?.deallocate() }
        queues.deallocate()
        arena.deallocate()
    }

    /// Says how frames for the port at a dense index leave; nil: they no longer do.
    func setTransmitter(_ transmitter: (any FrameTransmitter)?, at index: Int) {
        flush()
        transmitters[index] = transmitter
        numbers[index] = ports.number(at: index)
        // What waits at the port waited for the transmitter too.
        if transmitter != nil, queues[index].isScheduled { nextDeparture = 0 }
        if transmitter != nil, queues[index].frames == nil {
            queues[index].frames = .allocate(capacity: Self.queueLimit)
        } else if transmitter == nil {
            queues[index].frames?.deallocate()
            queues[index].frames = nil
        }
    }

    /// Takes over tunnel words: those whose bit is set, in order; the others are zero.
    func setTunnel(_ set: UInt32, _ words: UnsafePointer<UInt64>) {
        let record = allocate(Self.tunnelWordCount * 8).assumingMemoryBound(to: UInt64.self)
        var next = words
        for i in 0..<Self.tunnelWordCount {
            if set >> UInt32(i) & 1 != 0 {
                record[i] = next[0]
                next += 1
            } else {
                record[i] = 0
            }
        }
        tunnel = UnsafePointer(record)
    }

    /// Puts a frame on its port's list.
    ///
    /// - Parameter queue: the queue that entries set, by its id; 0 if none did.
    func add(_ packet: PacketState, _ port: Int, queue: UInt32, length: Int, isLast: Bool) {
        if queues[port].count == Self.queueLimit { flush() }
        guard let frames = queues[port].frames else {
            executor.unsend(port, length, .noSuchPort)
            if refusals != nil { refusals!.append((Sent(port: port, ordinal: nextOrdinal(port, 1)), .noSuchPort)) }
            return
        }
        // Before the frame is written down: it may flush.
        let isTunnel = ports.isTunnel(port)
        var data = packet.data
        let place = queues[port].isScheduled ? schedule(port, queue: queue, length: length, now: packet.time) : .unscheduled
        if !isLast || packet.isCopy, place.isAdmitted {
            let copy = allocate(length + Self.headroom) + Self.headroom
            copy.copyMemory(from: data, byteCount: length)
            data = copy
        }
        var frame = TransmitFrame(
            data: data, length: length, network: packet.layout.network, transport: packet.layout.transport, port: numbers[port],
            tunnel: isTunnel ? tunnel : nil)
        // A frame that was cut short has nothing left to finish.
        if !packet.offload.isNone, length == packet.length {
            frame.offload = packet.offload
            frame.offload.checksumStart = packet.offload.checksumStart &- UInt16(truncatingIfNeeded: packet.data - packet.bufferStart)
        }
        if place.isScheduled, !settle(frame, port, place, now: packet.time) { return }
        let n = queues[port].count
        if n == 0 { waiting.append(port) }
        (frames + Int(n)).initialize(to: frame)
        queues[port].count = n + 1
    }

    /// Memory until the next flush; flushes when there is none left.
    private func allocate(_ size: Int) -> UnsafeMutableRawPointer {
        let rounded = (size + 63) & ~63
        if arenaUsed + rounded > Self.arenaSize {
            // The words that outputs still refer to must outlive the flush.
            let kept = tunnel.map { w in (0..<Self.tunnelWordCount).map { w[$0] } }
            flush()
            if let kept {
                let record = allocate(Self.tunnelWordCount * 8).assumingMemoryBound(to: UInt64.self)
                record.update(from: kept, count: kept.count)
                tunnel = UnsafePointer(record)
            }
        }
        defer { arenaUsed += rounded }
        return arena + arenaUsed
    }

    func nextOrdinal(_ port: Int, _ count: Int) -> Int {
        defer { ordinals[port, default: 0] += count }
        return ordinals[port, default: 0]
    }

    /// Hands all frames to their ports.
    func flush() {
        if waiting.isEmpty {
            arenaUsed = 0
            tunnel = nil
            return
        }
        for port in waiting {
            let n = Int(queues[port].count)
            let frames = queues[port].frames!
            queues[port].count = 0
            // Ports may shorten or lengthen a frame's record; what was counted was its length before.
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: n) { lengths in
                for i in 0..<n { lengths[i] = Int32(truncatingIfNeeded: frames[i].length) }
                transmitters[port]!.transmit(frames, count: n)
                if queues[port].isScheduled {
                    countRefused(port, frames, lengths, n)
                    return
                }
                let first = refusals == nil ? 0 : nextOrdinal(port, n)
                for i in 0..<n where frames[i].refusal != .none {
                    executor.unsend(port, Int(lengths[i]), DropReason(frames[i].refusal))
                    if refusals != nil { refusals!.append((Sent(port: port, ordinal: first + i), DropReason(frames[i].refusal))) }
                }
            }
        }
        waiting.removeAll(keepingCapacity: true)
        arenaUsed = 0
        tunnel = nil
    }
}
