import Synchronization

/// A port whose frames come from and go to the program itself: a device's twin for tests, and for what the control side sends and receives.
///
/// One lock, any threads. `inject` frames to be received, `takeSent` what was sent.
public final class MemoryPort: LivePort {
    public struct Frame: Equatable, Sendable {
        public var bytes: [UInt8]
        public var offload: Offload
        public init(_ bytes: [UInt8], offload: Offload = .none) {
            self.bytes = bytes
            self.offload = offload
        }
    }

    private struct State {
        var incoming: [Frame] = []
        var sent: [Frame] = []
        var status = PortStatus()
        var changed = false
    }

    public let name: String
    public let number: UInt32
    public let kind = PortKind.memory
    /// Frames that wait in either direction at most.
    public let limit: Int
    private let state = Mutex(State())

    public init(name: String, number: UInt32, limit: Int = 4096) {
        self.name = name
        self.number = number
        self.limit = limit
    }

    /// Has a frame arrive; false when too many wait.
    @discardableResult public func inject(_ frame: Frame) -> Bool {
        state.withLock { state in
            if state.incoming.count >= limit { return false }
            state.incoming.append(frame)
            return true
        }
    }

    /// The frames sent since the last call.
    public func takeSent() -> [Frame] {
        state.withLock { state in
            defer { state.sent = [] }
            return state.sent
        }
    }

    /// Sets what `refresh` finds.
    public func setStatus(_ status: PortStatus) {
        state.withLock { state in
            state.changed = state.changed || state.status != status
            state.status = status
        }
    }

    public var summary: String { "memory" }
    public var address: [UInt8]? { nil }
    public var status: PortStatus { state.withLock { $0.status } }
    public func receiver(worker index: Int) -> (any FrameReceiver)? { index == 0 ? Queue(self) : nil }
    public func transmitter(worker index: Int) -> any FrameTransmitter { Queue(self) }
    public func close() {}

    public func refresh() -> Bool {
        state.withLock { state in
            defer { state.changed = false }
            return state.changed
        }
    }

    private final class Queue: FrameQueue {
        private let port: MemoryPort
        init(_ port: MemoryPort) { self.port = port }

        var receiveDescriptor: Int32 { -1 }
        var hasFrames: Bool { port.state.withLock { !$0.incoming.isEmpty } }

        func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
            port.state.withLock { state in
                var filled = 0
                let taken = min(count, state.incoming.count)
                for frame in state.incoming[..<taken] where frame.bytes.count <= slots[filled].capacity {
                    let slot = slots + filled
                    slot.pointee.data.copyMemory(from: frame.bytes, byteCount: frame.bytes.count)
                    slot.pointee.length = frame.bytes.count
                    slot.pointee.offload = frame.offload
                    slot.pointee.inPort = port.number
                    slot.pointee.isTunneled = false
                    filled += 1
                }
                state.incoming.removeFirst(taken)
                return filled
            }
        }

        func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
            port.state.withLock { state in
                for i in 0..<count {
                    if !state.status.isForwarding {
                        frames[i].refusal = .portDown
                    } else if state.sent.count >= port.limit {
                        frames[i].refusal = .transmitQueueFull
                    } else {
                        state.sent.append(
                            Frame(Array(UnsafeRawBufferPointer(start: frames[i].data, count: frames[i].length)), offload: frames[i].offload))
                    }
                }
            }
        }
    }
}
