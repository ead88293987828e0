import Glibc
import Synchronization

/// A logical tunnel port: one (kind, remote, key, local) of a shared endpoint.
///
/// Several ports share receivers and transmitters; a worker tells shared ones by identity and polls each once.
public final class TunnelPort: LivePort, @unchecked Sendable {
    public let configuration: TunnelConfiguration
    let endpoint: TunnelEndpoint
    private let stack: TunnelStack
    private let state = Mutex(PortStatus())
    private let closed = Atomic<Bool>(false)

    init(_ configuration: TunnelConfiguration, endpoint: TunnelEndpoint, stack: TunnelStack) {
        self.configuration = configuration
        self.endpoint = endpoint
        self.stack = stack
        var status = PortStatus()
        status.mtu = innerMTU()
        follow(stack.monitor, &status)
        state.withLock { [status] in $0 = status }
    }

    /// A watched port has a link while its other end answers.
    private func follow(_ monitor: LivenessMonitor, _ status: inout PortStatus) {
        guard configuration.liveness != nil else { return }
        status.reason = monitor.reason(number)
        status.hasLink = status.hasLink && status.reason == nil
    }

    /// How a watched port's other end does.
    public var liveness: LivenessMonitor.Report? { configuration.liveness == nil ? nil : stack.monitor.report(number) }

    public var name: String { configuration.name }
    public var number: UInt32 { configuration.number }
    public var kind: PortKind { configuration.kind }
    public var address: [UInt8]? { nil }
    public var status: PortStatus { state.withLock { $0 } }

    public var summary: String {
        var words = "\(kind.rawValue) to "
        if case .address(let address) = configuration.remote { words += address.description } else { words += "flow" }
        switch configuration.key {
        case .none: break
        case .fixed(let key): words += ", key \(key)"
        case .flow: words += ", key flow"
        }
        if let local = configuration.local { words += ", from \(local)" }
        if let liveness = configuration.liveness { words += ", watched every \(liveness.interval / 1_000_000) ms" }
        return kind == .gre ? words + ", raw socket" : words + ", UDP port \(configuration.destinationPort), kernel segmentation"
    }

    /// Shared by the endpoint's ports; nil for workers that do not receive GRE.
    public func receiver(worker index: Int) -> (any FrameReceiver)? {
        endpoint.receivers.indices.contains(index) ? endpoint.receivers[index] : nil
    }

    public func transmitter(worker index: Int) -> any FrameTransmitter { endpoint.transmitters[index] }

    /// Packets that the endpoint's receiver of this worker dropped; shared by its ports.
    public func counters(worker index: Int) -> TunnelCounters? {
        endpoint.receivers.indices.contains(index) ? endpoint.receivers[index].counters : nil
    }

    /// Follows the route to a fixed remote: a change of its MTU, or that there is none (`hasLink`); and whether a watched remote answers.
    public func refresh() -> Bool {
        guard !closed.load(ordering: .relaxed) else { return false }
        var new = status
        if case .address(let remote) = configuration.remote {
            new.hasLink = endpoint.watch.resolve(remote, from: configuration.local, mark: configuration.egressMark).verdict != .noRoute
        }
        follow(stack.monitor, &new)
        new.mtu = innerMTU()
        let old = state.withLock { state in
            let old = state
            state = new
            return old
        }
        // The directory's ports were accepted before, so making it anew cannot fail.
        if old.mtu != new.mtu { try? endpoint.setMTU(new.mtu, number: number) }
        return old != new
    }

    public func close() {
        guard !closed.exchange(true, ordering: .relaxed) else { return }
        stack.remove(self)
    }

    private func innerMTU() -> Int { TunnelPort.innerMTU(configuration, endpoint.watch) }

    /// Payload bytes of an inner frame: the path's MTU less outer headers and the inner Ethernet header.
    static func innerMTU(_ configuration: TunnelConfiguration, _ watch: UnderlayWatch) -> Int {
        if let mtu = configuration.mtu { return mtu }
        var path = 1500
        var isIPv4 = configuration.families.ipv4
        if case .address(let remote) = configuration.remote {
            isIPv4 = remote.isIPv4
            let answer = watch.resolve(remote, from: configuration.local, mark: configuration.egressMark)
            if answer.mtu > 0 { path = answer.mtu }
        }
        let outer = (isIPv4 ? 20 : 40) + (configuration.kind == .gre ? 0 : 8) + TunnelHeader.size(configuration)
        return max(68, min(path, 65_535) - outer - 14)
    }
}

/// All tunnels of a switch: makes ports, and keeps the endpoints and underlay watches they share.
public final class TunnelStack: Sendable {
    private struct Place: Hashable {
        var kind: PortKind
        var udpPort: UInt16
        var namespace: String?
    }

    private struct State {
        var endpoints: [Place: TunnelEndpoint] = [:]
        var watches: [String?: UnderlayWatch] = [:]
        /// Geneve options laid over those of all ports.
        var mapped: [TunnelOption] = []
    }

    private let workers: Int
    private let state = Mutex(State())
    /// Watches the other ends of ports that ask for it.
    public let monitor = LivenessMonitor()

    /// - Parameter workers: worker threads, numbered from 0.
    public init(workers: Int) { self.workers = workers }

    /// Makes a port in the network namespace given by its file (`/run/netns/blue`), or the process's own.
    /// - Throws: `PortError`: a contradiction, addresses and key taken by another port, sockets refused (a kernel tunnel device has the UDP port;
    ///   CAP_NET_RAW is missing for GRE).
    public func makePort(_ configuration: TunnelConfiguration, namespace: String? = nil) throws -> TunnelPort {
        try configuration.validate()
        return try state.withLock { state in
            if TunnelOption.room(TunnelOption.laying(state.mapped, over: configuration.options)) > TunnelOption.roomForAll {
                throw PortError("tunnel \"\(configuration.name)\": no room for its Geneve options beside those that a controller mapped")
            }
            let place = Place(kind: configuration.kind, udpPort: configuration.destinationPort, namespace: namespace)
            let underlay = TunnelNamespace(path: namespace)
            let watch = try state.watches[namespace] ?? UnderlayWatch(namespace: underlay)
            state.watches[namespace] = watch
            let endpoint =
                try state.endpoints[place]
                ?? TunnelEndpoint(
                    kind: place.kind, udpPort: place.udpPort, namespace: underlay, watch: watch, workers: workers)
            let inbox = configuration.liveness == nil ? nil : monitor.inbox(key: configuration.ownKey)
            do {
                try endpoint.add(
                    TunnelDirectory.Entry(
                        configuration: configuration, mtu: TunnelPort.innerMTU(configuration, watch), mapped: state.mapped, inbox: inbox))
            } catch {
                if endpoint.isEmpty { endpoint.close() }
                throw error
            }
            state.endpoints[place] = endpoint
            if let liveness = configuration.liveness, let inbox, case .address(let remote) = configuration.remote {
                let local = configuration.local.flatMap { $0.isIPv4 ? $0.ipv4 : nil }
                monitor.add(configuration.number, remote: "\(remote)", source: local, liveness, inbox: inbox) { [weak endpoint] frame in
                    endpoint?.sendOwn(frame, by: configuration, to: remote)
                }
            }
            return TunnelPort(configuration, endpoint: endpoint, stack: self)
        }
    }

    /// Says which Geneve options are which fields on all ports, those to come included; where a port's own say otherwise these count, and no others of its
    /// own are lost.
    /// - Throws: `PortError` when some port's header has no room for them; then nothing is changed.
    public func map(_ options: [TunnelOption]) throws {
        try state.withLock { state in
            let geneve = state.endpoints.values.filter { $0.kind == .geneve }
            for entry in geneve.flatMap({ $0.published().directory.entries }) {
                guard TunnelOption.room(TunnelOption.laying(options, over: entry.configuration.options)) <= TunnelOption.roomForAll else {
                    throw PortError("tunnel \"\(entry.configuration.name)\": its header has no room for these options")
                }
            }
            state.mapped = options
            for endpoint in geneve { try endpoint.map(options) }
        }
    }

    /// Takes the port from its endpoint; the last one closes the endpoint, the namespace's last endpoint ends its watch.
    func remove(_ port: TunnelPort) {
        state.withLock { state in
            let endpoint = port.endpoint
            if port.configuration.liveness != nil { monitor.remove(port.number) }
            try? endpoint.remove(number: port.number)
            guard endpoint.isEmpty, let place = state.endpoints.first(where: { $0.value === endpoint })?.key else { return }
            state.endpoints[place] = nil
            endpoint.close()
            if !state.endpoints.keys.contains(where: { $0.namespace == place.namespace }) {
                state.watches.removeValue(forKey: place.namespace)?.close()
            }
        }
    }
}
