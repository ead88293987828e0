import Synchronization

/// Where a tunnel's receiver leaves the control packets of one port, for the control side.
///
/// In the steady state each packet is the one before: then only its time is noted and nobody is woken, so that a watched tunnel costs the receiving worker
/// one short lock for a packet. What differs, or asks for an answer, waits here and wakes the control side.
///
/// *Limits.* `limit` packets wait; what comes then is counted as `overflow` and lost, as on the way.
final class LivenessInbox: Sendable {
    struct Packet: Sendable {
        var bytes: [UInt8]
        var ttl: UInt8
        var time: UInt64
    }

    struct Contents: Sendable {
        var packets: [Packet] = []
        /// How often the packet before `packets` came again, and when last.
        var repeats: UInt64 = 0
        var lastRepeat: UInt64 = 0
    }

    private struct State {
        var contents = Contents()
        var last: [UInt8] = []
        /// Whether `last` was accepted, so that its repetitions are as good.
        var isAccepted = false
        var overflow: UInt64 = 0
    }

    static let limit = 16
    /// Key of control packets: the port's own, 0 when entries set it.
    let key: UInt32
    private let state = Mutex(State())
    private let wake: @Sendable () -> Void

    init(key: UInt32, wake: @escaping @Sendable () -> Void) {
        self.key = key
        self.wake = wake
    }

    /// Packets lost because too many waited.
    var overflow: UInt64 { state.withLock { $0.overflow } }

    /// Called by workers.
    func put(_ packet: UnsafeRawBufferPointer, ttl: UInt8, time: UInt64) {
        let wakes = state.withLock { s -> Bool in
            if s.isAccepted, s.contents.packets.isEmpty, ttl == 255, s.last.count == packet.count, s.last.elementsEqual(packet) {
                s.contents.repeats += 1
                s.contents.lastRepeat = time
                return false
            }
            guard s.contents.packets.count < Self.limit else {
                s.overflow += 1
                return false
            }
            s.contents.packets.append(Packet(bytes: Array(packet), ttl: ttl, time: time))
            return true
        }
        if wakes { wake() }
    }

    /// Takes what waits. Afterwards `settle` says whether repetitions of the last packet may be shortened.
    func take() -> Contents {
        state.withLock { s in
            defer { s.contents = Contents() }
            return s.contents
        }
    }

    /// - Parameter packet: the last one taken, when it was accepted and asked for nothing.
    func settle(_ packet: [UInt8]?) {
        state.withLock { s in
            s.last = packet ?? []
            s.isAccepted = packet != nil
        }
    }
}
