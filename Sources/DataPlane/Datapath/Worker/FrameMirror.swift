import Flow
import Synchronization

/// Copies of some packets of a running switch, each with what became of it, on their way to whoever captures.
///
/// Workers put records in (`Worker.addMirror`), the control side takes them out. Nothing here waits: when `byteLimit` bytes are in, further packets are
/// counted as missed.
public final class FrameMirror: @unchecked Sendable {
    /// Bytes of records that wait, their bookkeeping of 64 bytes each included.
    public static let byteLimit = 8 << 20

    public enum Filter: Sendable {
        /// What arrives on a port, and what leaves by it.
        case port(UInt32)
        /// What arrives and is accepted by a match.
        case flow(Match)
    }

    /// One end of a packet or of a copy of it.
    public enum End: Sendable, Equatable {
        case port(UInt32)
        case controller
        case dropped(DropReason)
        /// Sent, but refused by the port.
        case refused(port: UInt32, DropReason)
    }

    public struct Record: Sendable {
        /// Nanoseconds on the monotonic clock.
        public var time: UInt64
        /// The beginning of the frame, at most `snapLength` bytes.
        public var bytes: [UInt8]
        /// Bytes of the whole frame.
        public var length: Int
        public var inPort: UInt32
        /// The port that it left by, when this is a record of its leaving; nil when it is one of its arrival.
        public var outPort: UInt32?
        public var ends: [End]
    }

    public let filter: Filter
    public let snapLength: Int
    private struct State {
        var records: [Record] = []
        var bytes = 0
        var missed: UInt64 = 0
    }
    private let state = Mutex(State())

    public init(filter: Filter, snapLength: Int = 1 << 18) {
        self.filter = filter
        self.snapLength = snapLength
    }

    /// Whether a packet on this port may have to be copied before it is parsed.
    func mayWant(inPort: UInt32) -> Bool {
        switch filter {
        case .port(let port): inPort == port
        case .flow: true
        }
    }

    func wants(inPort: UInt32, key: UnsafePointer<UInt64>, isTunneled: Bool) -> Bool {
        switch filter {
        case .port(let port): return inPort == port
        case .flow(let match):
            for word in match.words {
                // Of what lies behind the packet's words only tunnel fields come with it.
                let isHere =
                    word.index < FlowKeyLayout.packetWordCount || (isTunneled && FlowKeyLayout.tunnelWords.contains(word.index))
                if (isHere ? key[word.index] : 0) & word.mask != word.value { return false }
            }
            return true
        }
    }

    func add(_ records: [Record]) {
        state.withLock { state in
            for record in records {
                let size = record.bytes.count + 64
                if state.bytes + size > Self.byteLimit {
                    state.missed += 1
                } else {
                    state.bytes += size
                    state.records.append(record)
                }
            }
        }
    }

    /// The records since the last call.
    public func take() -> [Record] {
        state.withLock { state in
            defer {
                state.records = []
                state.bytes = 0
            }
            return state.records
        }
    }

    /// Packets that found no room so far.
    public var missed: UInt64 { state.withLock { $0.missed } }
}
