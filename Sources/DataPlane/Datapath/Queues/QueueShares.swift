import Synchronization

/// What the workers that send by one port share of its queues: the rates.
///
/// Each worker keeps the frames that it has for the port in queues of its own (`PortScheduler`), and takes from the same buckets, so that rates hold for all
/// workers together. Which of its own queues is next a worker decides; between workers it is whoever comes first.
///
/// **The order** is that of hierarchical token buckets (Linux's HTB, one level below its root): of the queues whose maximum rate admits their first
/// frame, one below its minimum rate is first, then the one of lowest priority number, and among equals the one that has had the fewest bytes. When the
/// port's rate does not admit that frame, none leaves: a small frame of another queue must not take the tokens that it waits for.
///
/// One lock, taken for a frame to a port with rates, and once for a burst of waiting frames.
public final class QueueShares: Sendable {
    let configuration: PortQueueing
    /// Queue 0 first.
    let queues: [PortQueueing.Queue]
    /// Whether frames to a queue may ever have to wait.
    let hasRate: [Bool]

    struct Rates {
        var port: TokenBucket?
        var minimum: [TokenBucket?]
        var maximum: [TokenBucket?]
    }
    private let rates: Mutex<Rates>

    /// - Parameter configuration: without a fault.
    public init(_ configuration: PortQueueing) {
        self.configuration = configuration
        queues = configuration.complete
        hasRate = queues.map { $0.maximumRate != nil || configuration.maximumRate != nil }
        func bucket(_ rate: UInt64?, _ burst: Int? = nil) -> TokenBucket? {
            rate.map { TokenBucket(bitsPerSecond: $0, burst: burst.map(Double.init) ?? PortQueueing.burst(of: $0)) }
        }
        rates = Mutex(
            Rates(
                port: bucket(configuration.maximumRate), minimum: queues.map { bucket($0.minimumRate) },
                maximum: queues.map { bucket($0.maximumRate, $0.burst) }))
    }

    func withRates<R>(_ body: (inout Rates) -> R) -> R { rates.withLock { body(&$0) } }

    /// The place of a queue; an unknown one's is that of queue 0.
    func slot(of id: UInt32) -> Int {
        if id == 0 { return 0 }
        for i in 1..<max(queues.count, 1) where queues[i].id == id { return i }
        return 0
    }
}

extension QueueShares.Rates {
    mutating func fill(now: UInt64) {
        port?.fill(now: now)
        for i in maximum.indices {
            maximum[i]?.fill(now: now)
            minimum[i]?.fill(now: now)
        }
    }

    /// Takes a frame out of the buckets that it passes. What goes below the minimum rate is on its account; what goes above is not.
    mutating func take(_ slot: Int, _ length: Int) {
        port?.take(length)
        maximum[slot]?.take(length)
        if minimum[slot]?.admits(length) == true { minimum[slot]!.take(length) }
    }

    /// Whether a frame passes at once, when nothing waits before it; takes it if so.
    mutating func admit(_ slot: Int, _ length: Int, now: UInt64) -> Bool {
        port?.fill(now: now)
        maximum[slot]?.fill(now: now)
        guard port?.admits(length) != false, maximum[slot]?.admits(length) != false else { return false }
        minimum[slot]?.fill(now: now)
        take(slot, length)
        return true
    }
}
