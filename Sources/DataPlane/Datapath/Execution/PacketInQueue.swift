import Flow
import Ports
import Synchronization

/// A packet on its way to the controllers (OpenFlow 1.5.1 §7.4.1), with what the tables had made of its metadata.
public struct PacketIn: Sendable {
    /// Why it is sent; the numbers are OpenFlow 1.4's.
    public enum Reason: UInt8, Sendable {
        case noMatch = 0
        case action = 1
        case invalidTTL = 2
        case actionSet = 3
        case group = 4
        case packetOut = 5

        /// From the word that the `controller` action takes.
        init(name: String) {
            switch name {
            case "no_match": self = .noMatch
            case "invalid_ttl": self = .invalidTTL
            case "action_set": self = .actionSet
            case "group": self = .group
            case "packet_out": self = .packetOut
            default: self = .action
            }
        }
    }

    /// How a program says so: reason 8 | table 8 | controller id 16; cookie; bit set of words from `firstWord` on; these words; byte count and bytes
    /// of the userdata.
    enum Context {
        /// The first word beyond the frame's own.
        static let firstWord = FlowKeyLayout.packetWordCount
    }

    public var frame: [UInt8]
    /// Bytes of the whole frame; `frame` may be cut to what was asked for.
    public var totalLength: Int
    public var inPort: UInt32
    public var reason: Reason
    public var table: UInt8
    /// Of the entry that sent it; all ones when there was none.
    public var cookie: UInt64
    public var controllerID: UInt16
    /// Tunnel fields, metadata, registers, marks.
    public var metadata: FlowKey
    public var userdata: [UInt8]
    /// What the frame's sender left undone.
    public var offload: Offload
}

/// Packets that wait for the control side. Filled by workers, which say so once after each batch (`announce`), and emptied there.
///
/// **A packet alone** is delivered by the worker itself where the control side allows it, which spares it the wakeup of a thread; at most once in
/// `deliveryInterval`, so that a stream of packets for controllers does not keep the worker from the others.
///
/// Limits: `limit` packets; one more is refused, which is the drop `controllerQueueFull`.
public final class PacketInQueue: @unchecked Sendable {
    public static let limit = 4096
    private let waiting = Mutex<[PacketIn]>([])
    static let deliveryInterval: UInt64 = 200_000
    private let wake: @Sendable () -> Void
    private let deliverNow: (@Sendable () -> Bool)?

    /// - Parameters:
    ///   - wake: has the control side take what waits, later; called on a worker's thread.
    ///   - deliverNow: takes what waits on the worker's thread, if that is possible without waiting; tells whether it did.
    public init(wake: @escaping @Sendable () -> Void, deliverNow: (@Sendable () -> Bool)? = nil) {
        self.wake = wake
        self.deliverNow = deliverNow
    }

    /// What a worker has put in since it last said so.
    struct Unannounced {
        var count = 0
        /// Whether the queue was empty before, so that nobody else has said so.
        var hasFirst = false
        /// When the worker last delivered a packet itself.
        fileprivate var delivered: UInt64 = 0
    }

    /// Tells the control side that packets wait. On a worker's thread, after a batch.
    func announce(_ new: inout Unannounced, now: UInt64) {
        let (count, hasFirst) = (new.count, new.hasFirst)
        (new.count, new.hasFirst) = (0, false)
        guard hasFirst else { return }
        if count == 1, let deliverNow, now &- new.delivered >= Self.deliveryInterval, deliverNow() {
            new.delivered = now
        } else {
            wake()
        }
    }

    /// Takes all that wait.
    public func takeAll() -> [PacketIn] {
        waiting.withLock { list in
            defer { list = [] }
            return list
        }
    }

    /// Copies a packet; false when the queue is full.
    ///
    /// All of it, whatever length the action asks for: nothing is buffered that could be fetched later (OpenFlow 1.3.5 §6.1.2).
    func append(_ packet: PacketState, _ op: UnsafePointer<UInt64>, _ new: inout Unannounced) -> Bool {
        let head = op[1]
        let set = op[3]
        var metadata = FlowKey()
        var next = op + 4
        for bit in 0..<34 where set >> UInt64(bit) & 1 != 0 {
            metadata.words[PacketIn.Context.firstWord + bit] = next[0]
            next += 1
        }
        var userdata: [UInt8] = []
        let end = op + 1 + Int(op[0] >> 16 & 0xffff)
        if next < end {
            let count = Int(next[0])
            userdata = (0..<count).map { UInt8(truncatingIfNeeded: next[1 + $0 / 8] >> UInt64($0 % 8 * 8)) }
        }
        var offload = packet.offload
        if !offload.isNone { offload.checksumStart &-= UInt16(truncatingIfNeeded: packet.data - packet.bufferStart) }
        let item = PacketIn(
            frame: Array(UnsafeRawBufferPointer(start: packet.data, count: packet.length)), totalLength: packet.length,
            inPort: packet.inPort, reason: PacketIn.Reason(rawValue: UInt8(truncatingIfNeeded: head)) ?? .action,
            table: UInt8(truncatingIfNeeded: head >> 8), cookie: op[2], controllerID: UInt16(truncatingIfNeeded: head >> 16), metadata: metadata,
            userdata: userdata, offload: offload)
        let isFirst: Bool? = waiting.withLock {
            if $0.count >= Self.limit { return nil }
            $0.append(item)
            return $0.count == 1
        }
        guard let isFirst else { return false }
        new.count += 1
        if isFirst { new.hasFirst = true }
        return true
    }
}
