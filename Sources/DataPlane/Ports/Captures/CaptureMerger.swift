/// Gives the records of several captures, each with the port it arrives on, in one order of time.
///
/// The order is that of the timestamps; at equal times that of the inputs as given, and within an input always the file's own. A capture
/// whose timestamps run backwards therefore keeps its order: such a record counts as arriving at the latest time its file has shown so far
/// (`Arrival.time`, which never decreases), while the record itself keeps its timestamp. `backwardCount` says how often that was needed.
///
/// One record per input is looked ahead; a binary heap picks the next in a time that grows with the logarithm of the number of inputs.
/// Not for concurrent use.
public final class CaptureMerger {
    /// One capture and the port on which its packets arrive.
    public struct Input {
        public var port: UInt32
        public var reader: CaptureReader
        public init(port: UInt32, reader: CaptureReader) {
            self.port = port
            self.reader = reader
        }
    }

    /// A record at its place in the merged order. Its bytes are valid until the merger is asked for the next one.
    public struct Arrival {
        public var record: CaptureRecord
        /// The port the packet arrives on.
        public var port: UInt32
        /// The index of its input.
        public var input: Int
        /// Nanoseconds since 1970: the record's time, or the latest before it in its file when that is later. Never decreases.
        public var time: UInt64
    }

    public let inputs: [Input]
    /// Records whose timestamp was earlier than one before it in the same file.
    public private(set) var backwardCount = 0
    /// Records delivered of which only the beginning was captured.
    public private(set) var cutRecordCount = 0

    private var heap: [Arrival] = []
    /// Inputs whose next record is not in the heap yet, last first.
    private var waiting: [Int]
    private var latest: [UInt64]

    public init(_ inputs: [Input]) {
        self.inputs = inputs
        waiting = Array(inputs.indices.reversed())
        latest = Array(repeating: 0, count: inputs.count)
        heap.reserveCapacity(inputs.count)
    }

    /// Whether an output needs nanoseconds to lose nothing of any input's timestamps.
    public var precision: CapturePrecision { inputs.contains { $0.reader.precision == .nanoseconds } ? .nanoseconds : .microseconds }

    /// The next record in the merged order, or nil when every input has ended.
    ///
    /// - Throws: what a reader threw. The caller may call again: an input that cannot go on has ended, the others continue.
    public func next() throws(CaptureError) -> Arrival? {
        while let input = waiting.last {
            let record: CaptureRecord?
            do throws(CaptureError) {
                record = try inputs[input].reader.next()
            } catch {
                if error.endsReading { waiting.removeLast() }
                throw error
            }
            waiting.removeLast()
            guard let record else { continue }
            if record.time < latest[input] { backwardCount += 1 }
            latest[input] = max(latest[input], record.time)
            push(Arrival(record: record, port: inputs[input].port, input: input, time: latest[input]))
        }
        guard let arrival = popFirst() else { return nil }
        // The input is advanced only by the next call, so that the bytes stay valid until then.
        waiting.append(arrival.input)
        if arrival.record.isCut { cutRecordCount += 1 }
        return arrival
    }

    // MARK: Heap

    private func precedes(_ a: Arrival, _ b: Arrival) -> Bool { a.time != b.time ? a.time < b.time : a.input < b.input }

    private func push(_ arrival: Arrival) {
        heap.append(arrival)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !precedes(heap[child], heap[parent]) { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private func popFirst() -> Arrival? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if heap.isEmpty { return first }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= heap.count { return first }
            if child + 1 < heap.count, precedes(heap[child + 1], heap[child]) { child += 1 }
            if !precedes(heap[child], heap[parent]) { return first }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
