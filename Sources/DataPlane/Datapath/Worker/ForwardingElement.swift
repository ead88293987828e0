import Flow

/// One forwarding element driven by its caller's thread: tables, ports and a worker, on the packets' own clock.
///
/// What a replay in capture order, a trace and the tests use. Changes are visible at once; entries expire exactly at their time, because a batch never
/// reaches across the next deadline.
public final class ForwardingElement {
    public let tables: FlowTables
    public let worker: Worker
    /// Collects the ends of packets; see `EventRecorder`.
    public let recorder: EventRecorder
    private let staging: UnsafeMutablePointer<ReceivedFrame>

    public init(
        limits: Limits = Limits(), ports: PortRegistry = PortRegistry(), usesCache: Bool = true, maxFrameLength: Int = 262_144,
        recorder: EventRecorder = EventRecorder()
    ) {
        tables = FlowTables(limits: limits, ports: ports)
        let worker = Worker(tables: tables, usesCache: usesCache, maxFrameLength: maxFrameLength)
        self.worker = worker
        self.recorder = recorder
        worker.recorder = recorder
        staging = .allocate(capacity: Worker.batchSize)
        tables.collectStatistics = { [unowned worker] in worker.collectStatistics() }
    }

    deinit { staging.deallocate() }

    /// Applies one change now.
    public func apply(_ modification: FlowModification, now: UInt64) throws(FlowTableError) {
        try tables.apply(modification, now: now)
        tables.publish()
    }

    /// Applies many changes as one.
    public func apply(_ modifications: [FlowModification], now: UInt64) throws(FlowTableError) {
        defer { tables.publish() }
        for m in modifications { try tables.apply(m, now: now) }
    }

    /// Forwards frames in ascending time. `drain` is called with the recorder's events after each piece of the batch, with the index of the piece's first
    /// frame; the events' packet indices count from there.
    public func process(_ frames: [ReceivedFrame], drain: (_ first: Int, _ events: EventRecorder) -> Void) {
        var at = 0
        while at < frames.count {
            if tables.nextDeadline <= frames[at].time { tables.expire(now: frames[at].time) }
            let deadline = tables.nextDeadline
            var n = 0
            while n < Worker.batchSize, at + n < frames.count, n == 0 || frames[at + n].time < deadline {
                staging[n] = frames[at + n]
                n += 1
            }
            recorder.reset()
            worker.process(staging, count: n)
            drain(at, recorder)
            at += n
        }
    }
}
