/// A queue that each port of a host has, with what it gets of the port (spec A-098).
public struct HostQueue: Hashable, Sendable {
    /// 0 to 4294967294.
    public var number: UInt32
    /// kbit/s that it gets before any queue gets more than that; nil: nothing.
    public var minimumKilobits: UInt32?
    /// kbit/s that it gets at most; nil: no limit of its own.
    public var maximumKilobits: UInt32?
    /// Lower numbers are served first.
    public var priority: UInt8
    /// Bytes that may leave at once, and that wait at most; nil: what the forwarding element takes.
    public var burstBytes: Int?
    public var bufferBytes: Int?
    public var place: Place

    public init(
        number: UInt32, minimumKilobits: UInt32? = nil, maximumKilobits: UInt32? = nil, priority: UInt8 = 0, burstBytes: Int? = nil,
        bufferBytes: Int? = nil, place: Place = .none
    ) {
        self.number = number
        self.minimumKilobits = minimumKilobits
        self.maximumKilobits = maximumKilobits
        self.priority = priority
        self.burstBytes = burstBytes
        self.bufferBytes = bufferBytes
        self.place = place
    }
}

extension NetworkValidation {
    mutating func checkQueues(_ host: Host) {
        var seen: Set<UInt32> = []
        for queue in host.queues {
            if !seen.insert(queue.number).inserted { fault(queue.place, "host \(host.name): queue \(queue.number) is there twice") }
            if let minimum = queue.minimumKilobits, let maximum = queue.maximumKilobits, minimum > maximum {
                fault(queue.place, "host \(host.name): queue \(queue.number) has a min-rate above its max-rate")
            }
        }
        if seen.union([0]).count > NetworkLimits.queues {
            fault(host.place, "host \(host.name) has more than \(NetworkLimits.queues) queues, queue 0 included")
        }
    }

    /// What a port says about queues must go with those of its host.
    mutating func checkQueue(_ port: SwitchPort) {
        guard let name = port.host, hostNames.contains(name) else { return }
        let own = queues[name] ?? []
        if let queue = port.queue, queue != 0, !own.contains(where: { $0.number == queue }) {
            fault(port.place, "port \(port.name): host \(name) has no queue \(queue)")
        }
        guard let whole = port.maximumKilobits else { return }
        let guaranteed = own.reduce(0) { $0 + UInt64($1.minimumKilobits ?? 0) }
        if guaranteed > UInt64(whole) {
            fault(port.place, "port \(port.name): the min-rates of host \(name)'s queues come to \(guaranteed) kbit/s, more than its max-rate")
        }
    }
}
