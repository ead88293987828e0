/// A queue's rates; in tenths of a per cent of the port's, above 1000: not set (OpenFlow 1.3.5 §A.3.6).
public struct QueueDescription: Hashable, Sendable {
    public var port: UInt32
    public var queue: UInt32
    public var minimumRate: UInt16?
    public var maximumRate: UInt16?

    public init(port: UInt32, queue: UInt32, minimumRate: UInt16? = nil, maximumRate: UInt16? = nil) {
        self.port = port
        self.queue = queue
        self.minimumRate = minimumRate
        self.maximumRate = maximumRate
    }

    /// An element of `queue-get-config` (1.3: queue before port) or of `queue-desc` (1.4: port before queue).
    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        try r.atLeast(16, "A queue")
        let first = r.u32()
        let second = r.u32()
        self.init(port: version < .v14 ? second : first, queue: version < .v14 ? first : second)
        let length = Int(r.u16())
        r.skip(6)
        if length < 16 || length - 16 > r.remaining { throw OpenFlowError(.badRequestLength, "A queue of \(length) bytes does not fit.") }
        let outer = r.enter(length - 16)
        while !r.isEmpty {
            let (type, property) = try r.enterProperty()
            if version < .v14 { r.skip(4) }
            switch type {
            case 1: minimumRate = r.u16()
            case 2: maximumRate = r.u16()
            default: break
            }
            try r.leaveProperty(property)
        }
        r.leave(outer)
    }

    func write(_ w: inout WireWriter) {
        let start = w.count
        w.u32(w.version < .v14 ? queue : port)
        w.u32(w.version < .v14 ? port : queue)
        w.u16(0)
        w.zeros(6)
        for (type, rate) in [(UInt16(1), minimumRate), (2, maximumRate)] {
            guard let rate else { continue }
            w.property(type) {
                if $0.version < .v14 { $0.u32(0) }
                $0.u16(rate)
                $0.zeros($0.version < .v14 ? 6 : 2)
            }
        }
        w.set16(w.count - start, at: start + 8)
    }
}

/// `OFPT_QUEUE_GET_CONFIG_REPLY`, 1.3 only.
public struct QueueConfig: Hashable, Sendable {
    public var port: UInt32
    public var queues: [QueueDescription]
    public init(port: UInt32, queues: [QueueDescription]) {
        self.port = port
        self.queues = queues
    }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        try r.atLeast(8, "A queue configuration")
        port = r.u32()
        r.skip(4)
        queues = []
        while !r.isEmpty { queues.append(try QueueDescription(&r, version)) }
    }

    func write(_ w: inout WireWriter) {
        w.u32(port)
        w.u32(0)
        for q in queues { q.write(&w) }
    }
}
