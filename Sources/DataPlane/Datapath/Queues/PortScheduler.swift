import Ports

/// What a worker has for one port with queues: the frames that wait, and what left by each queue.
///
/// A frame that its queue's rates admit, with nothing before it, passes at once and uncopied (`admits`). Any other is copied into its queue's buffer
/// (`store`), or dropped when that is full, and leaves when it is its turn (`takeDue`). So a queue keeps its order, and a port whose queues have no
/// rates pays for counting only.
///
/// Waiting frames are asked for at `due`, and at most every `pace`: a burst covers the time between.
///
/// Used by one worker's thread; `QueueShares` is what it shares with others.
final class PortScheduler {
    /// Nanoseconds between two looks at frames that wait: about what a sleeping thread is late by anyhow.
    static let pace: UInt64 = 50_000

    private struct Queue {
        let id: UInt32
        let priority: UInt8
        let hasRate: Bool
        var frames: FrameFIFO
        var counters = QueueCounters()
        /// Bytes had beside its equals, for who is next among them.
        var share: UInt64 = 0
    }

    let shares: QueueShares
    private var queues: [Queue]
    private(set) var waiting = 0
    /// When the first of the waiting frames may leave; `.max` when none waits.
    private(set) var due = UInt64.max
    /// The share of the queue that was served last.
    private var served: UInt64 = 0

    /// - Parameter counts: what queues counted before, by id; they go on from there.
    init(_ shares: QueueShares, counts: [UInt32: QueueCounters] = [:]) {
        self.shares = shares
        queues = zip(shares.queues, shares.hasRate).map { q, hasRate in
            var queue = Queue(
                id: q.id, priority: q.priority, hasRate: hasRate, frames: FrameFIFO(capacity: shares.configuration.bufferSize(q)))
            if let old = counts[q.id] {
                (queue.counters.packets, queue.counters.bytes, queue.counters.drops) = (old.packets, old.bytes, old.drops)
            }
            return queue
        }
    }

    deinit { for i in queues.indices { queues[i].frames.deallocate() } }

    func slot(of id: UInt32) -> Int { id == 0 ? 0 : shares.slot(of: id) }

    /// By id.
    var counters: [UInt32: QueueCounters] {
        Dictionary(
            uniqueKeysWithValues: queues.map { q in
                var c = q.counters
                (c.waitingPackets, c.waitingBytes) = (q.frames.count, q.frames.bytes)
                return (q.id, c)
            })
    }
    var waitingBytes: Int { queues.reduce(0) { $0 + $1.frames.bytes } }

    /// Whether a frame may leave at once; if so it counts as having left.
    func admits(_ slot: Int, length: Int, now: UInt64) -> Bool {
        if queues[slot].hasRate {
            // With a rate of the port what waits in another queue may have the better claim.
            let isBehind = shares.configuration.maximumRate == nil ? !queues[slot].frames.isEmpty : waiting > 0
            if isBehind || !shares.withRates({ $0.admit(slot, length, now: now) }) { return false }
        }
        queues[slot].counters.packets &+= 1
        queues[slot].counters.bytes &+= UInt64(truncatingIfNeeded: length)
        return true
    }

    /// Keeps a copy of a frame until it is its turn; false when there is no room.
    func store(_ frame: TransmitFrame, _ slot: Int, now: UInt64) -> Bool {
        let wasEmpty = queues[slot].frames.isEmpty
        guard queues[slot].frames.append(frame) else {
            queues[slot].counters.drops &+= 1
            return false
        }
        // What it did not use while it had nothing to send is gone.
        if wasEmpty { queues[slot].share = max(queues[slot].share, served) }
        waiting += 1
        due = min(due, now)
        return true
    }

    /// Takes back a frame that counted as having left, which the port refused.
    func refused(_ slot: Int, length: Int) {
        queues[slot].counters.packets &-= 1
        queues[slot].counters.bytes &-= UInt64(truncatingIfNeeded: length)
        queues[slot].counters.drops &+= 1
    }

    /// Takes out what may leave by now, in order, and sets `due` for the rest.
    ///
    /// The frames stay where they are until the next `store`.
    ///
    /// - Parameter limit: frames at most; when there are so many, more may be due.
    func takeDue(now: UInt64, limit: Int, _ body: (_ frame: TransmitFrame, _ slot: Int) -> Void) -> Int {
        var taken = 0
        shares.withRates { rates in
            rates.fill(now: now)
            while taken < limit {
                guard let (slot, wait) = next(rates) else {
                    due = .max
                    return
                }
                if wait > 0 {
                    due = now &+ max(wait, Self.pace)
                    return
                }
                let length = queues[slot].frames.firstLength
                rates.take(slot, length)
                take(slot, length, body)
                taken += 1
            }
            due = waiting == 0 ? .max : now
        }
        return taken
    }

    /// Takes out all that waits, whatever the rates say: when the queues are changed.
    func takeAll(limit: Int, _ body: (_ frame: TransmitFrame, _ slot: Int) -> Void) -> Int {
        var taken = 0
        for slot in queues.indices {
            while taken < limit, !queues[slot].frames.isEmpty {
                take(slot, queues[slot].frames.firstLength, body)
                taken += 1
            }
        }
        if waiting == 0 { due = .max }
        return taken
    }

    private func take(_ slot: Int, _ length: Int, _ body: (_ frame: TransmitFrame, _ slot: Int) -> Void) {
        served = queues[slot].share
        queues[slot].share &+= UInt64(truncatingIfNeeded: length)
        queues[slot].counters.packets &+= 1
        queues[slot].counters.bytes &+= UInt64(truncatingIfNeeded: length)
        waiting -= 1
        body(queues[slot].frames.takeFirst(), slot)
    }

    /// The queue whose frame is next and how long until it may leave; nil when nothing waits.
    private func next(_ rates: QueueShares.Rates) -> (slot: Int, wait: UInt64)? {
        var best: (slot: Int, rank: Int)?
        var soonest: (slot: Int, wait: UInt64)?
        for slot in queues.indices where !queues[slot].frames.isEmpty {
            let length = queues[slot].frames.firstLength
            if let wait = rates.maximum[slot]?.wait(length), wait > 0 {
                if soonest == nil || wait < soonest!.wait { soonest = (slot, wait) }
                continue
            }
            let isGuaranteed = rates.minimum[slot]?.admits(length) == true
            let rank = isGuaranteed ? -1 : Int(queues[slot].priority)
            if let b = best, (b.rank, queues[b.slot].share) <= (rank, queues[slot].share) { continue }
            best = (slot, rank)
        }
        guard let best else { return soonest }
        return (best.slot, rates.port?.wait(queues[best.slot].frames.firstLength) ?? 0)
    }
}
