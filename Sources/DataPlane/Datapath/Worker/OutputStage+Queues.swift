import Ports

/// A port's queues in a worker's output stage.
final class ScheduledPort {
    let scheduler: PortScheduler
    /// Of each frame on the port's list: its queue's place, and its ordinal among what left by the port while that is written down.
    let slots: UnsafeMutablePointer<(slot: UInt8, ordinal: Int)>

    init(_ scheduler: PortScheduler) {
        self.scheduler = scheduler
        slots = .allocate(capacity: OutputStage.queueLimit)
    }

    deinit { slots.deallocate() }
}

/// Ports with queues. Frames that wait count as sent by the worker, so that received + copied = ended; when the port refuses one later it is counted over.
extension OutputStage {
    /// Gives a port queues, others, or none. What waits there leaves at once.
    func setQueues(_ shares: QueueShares?, at index: Int) {
        flush()
        let old = scheduled[index]
        if let old {
            // Without a transmitter it has nowhere to go.
            while old.scheduler.waiting > 0 { send(index, old) { $0.takeAll(limit: Self.queueLimit, $1) } }
        }
        scheduled[index] = shares.map { ScheduledPort(PortScheduler($0, counts: old?.scheduler.counters ?? [:])) }
        queues[index].isScheduled = shares != nil
        scheduledPorts = scheduledPorts.filter { $0 != index } + (shares == nil ? [] : [index])
        findNextDeparture()
    }

    /// Sends what waits and may leave by now.
    func sendDue(now: UInt64) {
        flush()
        for index in scheduledPorts where transmitters[index] != nil {
            let port = scheduled[index]!
            while port.scheduler.due <= now { send(index, port) { $0.takeDue(now: now, limit: Self.queueLimit, $1) } }
        }
        findNextDeparture()
    }

    /// Of ports without a transmitter nothing leaves.
    private func findNextDeparture() {
        nextDeparture = scheduledPorts.reduce(.max) { transmitters[$1] == nil ? $0 : min($0, scheduled[$1]!.scheduler.due) }
    }

    /// Hands the port the frames that `take` finds.
    private func send(_ index: Int, _ port: ScheduledPort, _ take: (PortScheduler, (TransmitFrame, Int) -> Void) -> Int) {
        withUnsafeTemporaryAllocation(of: TransmitFrame.self, capacity: Self.queueLimit) { frames in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: Self.queueLimit) { lengths in
                var n = 0
                let taken = take(port.scheduler) { frame, slot in
                    frames.initializeElement(at: n, to: frame)
                    lengths[n] = Int32(truncatingIfNeeded: frame.length)
                    port.slots[n] = (UInt8(truncatingIfNeeded: slot), -1)
                    n += 1
                }
                if taken == 0 { return }
                if let transmitter = transmitters[index] {
                    transmitter.transmit(frames.baseAddress!, count: n)
                } else {
                    for i in 0..<n { frames[i].refusal = .portDown }
                }
                countRefused(port, index, frames.baseAddress!, lengths, n)
            }
        }
    }

    /// What a frame's queue has for it.
    struct Place {
        /// The queue's place at its port; negative for a port without queues.
        var slot: Int
        /// Whether the frame leaves with this batch.
        var isAdmitted: Bool
        var isScheduled: Bool { slot >= 0 }
        static let unscheduled = Place(slot: -1, isAdmitted: true)
    }

    /// Finds a frame's queue, and whether it leaves with this batch.
    @inline(never) func schedule(_ port: Int, queue: UInt32, length: Int, now: UInt64) -> Place {
        let scheduler = scheduled[port]!.scheduler
        let slot = scheduler.slot(of: queue)
        return Place(slot: slot, isAdmitted: scheduler.admits(slot, length: length, now: now))
    }

    /// Has a frame wait that does not leave with this batch; false when it is not for the port's list.
    @inline(never) func settle(_ frame: TransmitFrame, _ port: Int, _ place: Place, now: UInt64) -> Bool {
        let found = scheduled[port]!
        let ordinal = refusals == nil ? -1 : nextOrdinal(port, 1)
        if place.isAdmitted {
            found.slots[Int(queues[port].count)] = (UInt8(truncatingIfNeeded: place.slot), ordinal)
            return true
        }
        if found.scheduler.store(frame, place.slot, now: now) {
            nextDeparture = min(nextDeparture, now)
        } else {
            executor.unsend(port, frame.length, .queueFull)
            if refusals != nil { refusals!.append((Sent(port: port, ordinal: ordinal), .queueFull)) }
        }
        return false
    }

    /// Counts over what a port with queues refused of its list.
    func countRefused(_ port: Int, _ frames: UnsafeMutablePointer<TransmitFrame>, _ lengths: UnsafeMutableBufferPointer<Int32>, _ count: Int) {
        countRefused(scheduled[port]!, port, frames, lengths, count)
    }

    private func countRefused(
        _ port: ScheduledPort, _ index: Int, _ frames: UnsafeMutablePointer<TransmitFrame>, _ lengths: UnsafeMutableBufferPointer<Int32>,
        _ count: Int
    ) {
        for i in 0..<count where frames[i].refusal != .none {
            let (slot, ordinal) = port.slots[i]
            port.scheduler.refused(Int(slot), length: Int(lengths[i]))
            executor.unsend(index, Int(lengths[i]), DropReason(frames[i].refusal))
            // What waited belongs to no batch any more.
            if refusals != nil, ordinal >= 0 { refusals!.append((Sent(port: index, ordinal: ordinal), DropReason(frames[i].refusal))) }
        }
    }
}
