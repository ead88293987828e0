import CLinux

/// One worker's two rings, seen from either end: the switch's worker and the service's thread use the same code with the directions exchanged.
///
/// A full ring refuses with `.transmitQueueFull`: a service that does not read holds nobody up. One thread.
public final class ServiceQueue: FrameQueue {
    private let memory: ServiceMemory
    private var incoming: ServiceRing
    private var outgoing: ServiceRing
    private let incomingEvent: Int32
    private let outgoingEvent: Int32
    private let port: UInt32
    private let state: DeviceState

    init(memory: ServiceMemory, worker: Int, isSwitch: Bool, port: UInt32, state: DeviceState) {
        self.memory = memory
        self.port = port
        self.state = state
        incoming = memory.ring(worker: worker, towardsSwitch: isSwitch, isWriter: false)
        outgoing = memory.ring(worker: worker, towardsSwitch: !isSwitch, isWriter: true)
        incomingEvent = memory.event(worker: worker, towardsSwitch: isSwitch)
        outgoingEvent = memory.event(worker: worker, towardsSwitch: !isSwitch)
    }

    public var receiveDescriptor: Int32 { incomingEvent }
    public private(set) var isDrained = false
    /// Whether the other end broke the ring's rules; nothing more is received.
    public private(set) var isBroken = false

    public func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
        isDrained = false
        var filled = 0
        var bad = 0
        loop: while filled < count, bad < 256 {
            switch isBroken ? .none : incoming.next(into: slots + filled) {
            case .frame:
                slots[filled].inPort = port
                filled &+= 1
            case .bad:
                state.count(state.malformed)
                bad &+= 1
            case .none:
                incoming.release()
                weft_event_clear(incomingEvent)
                // The writer may have seen the ring not empty after that.
                if isBroken || incoming.isEmpty {
                    isDrained = true
                    return filled
                }
            case .broken:
                state.count(state.failed)
                isBroken = true
                break loop
            }
        }
        incoming.release()
        return filled
    }

    public func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
        let before = outgoing.mark
        for i in 0..<count where outgoing.append(frames + i) == .full { frames[i].refusal = .transmitQueueFull }
        if outgoing.mark != before, outgoing.publish(since: before) { weft_event_signal(outgoingEvent) }
    }
}
