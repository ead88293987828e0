/// The queues that packets to a port wait in, and what the port may send in all: quality of service, as it was asked for.
///
/// A packet takes the queue that `set_queue` named, else queue 0; so does one that names a queue which the port lacks. Queue 0 is always there.
/// Rates are bits of whole frames per second, without preamble and check sequence, as meters and counters have them; a large segment counts as it is
/// counted by its port.
public struct PortQueueing: Sendable, Equatable, Codable {
    /// Queues of a port.
    public static let limit = 64
    /// Rates, in bits per second.
    public static let rates: ClosedRange<UInt64> = 1000...1_000_000_000_000
    /// Bytes of a burst and of a buffer.
    public static let bursts: ClosedRange<Int> = 1500...(64 << 20)
    public static let buffers: ClosedRange<Int> = (128 << 10)...(64 << 20)

    public struct Queue: Sendable, Equatable, Codable {
        /// 0 to 0xfffffffe.
        public var id: UInt32
        /// What it gets before any queue gets more than that; nil: nothing.
        public var minimumRate: UInt64?
        /// What it gets at most; nil: no limit of its own.
        public var maximumRate: UInt64?
        /// Bytes that may leave at once after a pause; nil: what `maximumRate` lets through in 10 ms, at least 3,100.
        public var burst: Int?
        /// Of what is left above the minimum rates, lower numbers get all they can use before higher ones get any; equal ones share alike.
        public var priority: UInt8
        /// Bytes that wait at most, in each worker, 128 for each frame included; nil: 100 ms of the rate, at least 256 KiB and at most 4 MiB.
        public var buffer: Int?

        public init(
            id: UInt32, minimumRate: UInt64? = nil, maximumRate: UInt64? = nil, burst: Int? = nil, priority: UInt8 = 0, buffer: Int? = nil
        ) {
            self.id = id
            self.minimumRate = minimumRate
            self.maximumRate = maximumRate
            self.burst = burst
            self.priority = priority
            self.buffer = buffer
        }
    }

    /// What the port sends at most; nil: no limit. Without one nothing is scarce, and minimum rates and priorities decide nothing.
    public var maximumRate: UInt64?
    public var queues: [Queue]

    public init(maximumRate: UInt64? = nil, queues: [Queue] = []) {
        self.maximumRate = maximumRate
        self.queues = queues
    }

    /// What cannot be, in words; nil: nothing.
    public var fault: String? {
        var seen: Set<UInt32> = []
        for q in queues {
            if !seen.insert(q.id).inserted { return "queue \(q.id) is given twice" }
            if let minimum = q.minimumRate, let maximum = q.maximumRate ?? maximumRate, minimum > maximum {
                return "queue \(q.id) has a min-rate above \(q.maximumRate == nil ? "the port's max-rate" : "its max-rate")"
            }
        }
        if queues.count > Self.limit - (seen.contains(0) ? 0 : 1) { return "a port has at most \(Self.limit) queues, queue 0 included" }
        let guaranteed = queues.reduce(UInt64(0)) { $0 + ($1.minimumRate ?? 0) }
        if let maximumRate, guaranteed > maximumRate { return "the min-rates of its queues come to more than the port's max-rate" }
        return nil
    }

    /// The queues with the default one, which comes first.
    var complete: [Queue] {
        let rest = queues.filter { $0.id != 0 }
        return [queues.first { $0.id == 0 } ?? Queue(id: 0)] + rest
    }

    /// Bytes of a burst of a rate.
    static func burst(of rate: UInt64) -> Double { max(Double(rate) / 800, 3100) }

    /// Bytes of a queue's buffer in each worker.
    func bufferSize(_ q: Queue) -> Int {
        if let buffer = q.buffer { return buffer }
        let rate = q.maximumRate ?? maximumRate ?? 0
        return min(max(Int(clamping: rate / 80), 256 << 10), 4 << 20)
    }
}
