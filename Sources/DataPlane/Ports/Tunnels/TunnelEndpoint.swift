import CLinux
import Glibc
import Synchronization

/// Where the packets of one tunnel kind arrive in one network namespace: UDP sockets on one port, or raw GRE sockets, shared by all logical ports.
///
/// Each worker has its own sockets of each address family in use: for UDP the kernel spreads flows over them by the outer addresses and ports
/// (SO_REUSEPORT). Raw sockets all get every packet, so GRE is received by worker 0 alone. Ports are added and removed by the control
/// side, which publishes a new directory; workers look at its version once a batch.
final class TunnelEndpoint: @unchecked Sendable {
    struct Published {
        var directory: TunnelDirectory
        /// Descriptors of each worker.
        var receiving: [[Int32]]
        var sending: [[TunnelSockets.Key: TunnelSockets]]
    }

    static let receiveBuffer = 8 << 20

    let kind: PortKind
    let udpPort: UInt16
    let namespace: TunnelNamespace
    let watch: UnderlayWatch
    let workers: Int
    private let current: Mutex<Published>
    private let versions = Atomic<UInt64>(1)
    /// One per worker that receives; each holds that worker's sockets.
    private let epolls: [Int32]
    // Made once, each used by its worker alone.
    private(set) var receivers: [TunnelReceiver] = []
    private(set) var transmitters: [TunnelTransmitter] = []

    init(kind: PortKind, udpPort: UInt16, namespace: TunnelNamespace, watch: UnderlayWatch, workers: Int) throws {
        self.kind = kind
        self.udpPort = udpPort
        self.namespace = namespace
        self.watch = watch
        self.workers = workers
        current = Mutex(
            Published(
                directory: try TunnelDirectory([]), receiving: Array(repeating: [], count: workers),
                sending: Array(repeating: [:], count: workers)))
        epolls = (0..<(kind == .gre ? 1 : workers)).map { _ in weft_epoll_open() }
        guard epolls.allSatisfy({ $0 >= 0 }) else { throw PortError("epoll: \(String(cString: strerror(-(epolls.min() ?? 0))))") }
        receivers = epolls.indices.map { TunnelReceiver(endpoint: self, worker: $0, epoll: epolls[$0]) }
        transmitters = (0..<workers).map { TunnelTransmitter(endpoint: self, worker: $0) }
    }

    /// Counts up with each publication.
    var version: UInt64 { versions.load(ordering: .acquiring) }
    func published() -> Published { current.withLock { $0 } }

    var isEmpty: Bool { current.withLock { $0.directory.entries.isEmpty } }

    /// Adds a port and opens the sockets it needs.
    func add(_ entry: TunnelDirectory.Entry) throws {
        var next = published()
        next.directory = try TunnelDirectory(next.directory.entries + [entry])
        let families = entry.configuration.families
        try namespace.enter {
            try openReceiving(&next, families)
            for isIPv4 in [true, false] where isIPv4 ? families.ipv4 : families.ipv6 {
                let key = TunnelSockets.Key(entry.configuration, isIPv4: isIPv4)
                for worker in 0..<workers where next.sending[worker][key] == nil {
                    next.sending[worker][key] = try TunnelSockets(key, isGRE: kind == .gre)
                }
            }
        }
        publish(next)
    }

    func remove(number: UInt32) throws {
        var next = published()
        next.directory = try TunnelDirectory(next.directory.entries.filter { $0.configuration.number != number })
        publish(next)
    }

    /// Lays Geneve options over those of all ports.
    func map(_ options: [TunnelOption]) throws {
        var next = published()
        var entries = next.directory.entries
        for i in entries.indices { entries[i].options = TunnelOption.laying(options, over: entries[i].configuration.options) }
        next.directory = try TunnelDirectory(entries)
        publish(next)
    }

    func setMTU(_ mtu: Int, number: UInt32) throws {
        var next = published()
        var entries = next.directory.entries
        for i in entries.indices where entries[i].configuration.number == number { entries[i].mtu = mtu }
        next.directory = try TunnelDirectory(entries)
        publish(next)
    }

    /// Closes the receiving sockets; no worker uses them any more. The sending ones close with their last owner.
    func close() {
        let last = published()
        for sockets in last.receiving { for socket in sockets { Glibc.close(socket) } }
        for epoll in epolls { Glibc.close(epoll) }
        // The receivers and transmitters refer back to this object.
        receivers = []
        transmitters = []
    }

    private func publish(_ next: Published) {
        current.withLock { $0 = next }
        versions.add(1, ordering: .releasing)
    }

    private var openFamilies: Set<Int32> = []

    private func openReceiving(_ next: inout Published, _ families: (ipv4: Bool, ipv6: Bool)) throws {
        for family in [AF_INET, AF_INET6] where family == AF_INET ? families.ipv4 : families.ipv6 {
            guard !openFamilies.contains(family) else { continue }
            var opened: [Int32] = []
            do {
                for worker in epolls.indices {
                    let socket = weft_datagram_open(family, kind == .gre ? 1 : 0)
                    guard socket >= 0 else { throw failure(-socket, family) }
                    opened.append(socket)
                    var error = weft_datagram_prepare_receive(socket, family, kind == .gre ? 1 : 0, Int32(TunnelEndpoint.receiveBuffer))
                    if error == 0, kind != .gre { error = weft_datagram_bind(socket, family, udpPort, workers > 1 ? 1 : 0) }
                    if error == 0 { error = weft_epoll_add(epolls[worker], socket) }
                    guard error == 0 else { throw failure(error, family) }
                }
            } catch {
                for socket in opened { Glibc.close(socket) }
                // A host without IPv6 still serves a port that would take both.
                if family == AF_INET6, families.ipv4 { continue }
                throw error
            }
            openFamilies.insert(family)
            for (worker, socket) in opened.enumerated() { next.receiving[worker].append(socket) }
        }
    }

    private func failure(_ error: Int32, _ family: Int32) -> PortError {
        PortError(
            "\(kind.rawValue)\(kind == .gre ? "" : " UDP port \(udpPort)") over \(family == AF_INET ? "IPv4" : "IPv6"): "
                + String(cString: strerror(error)))
    }
}
