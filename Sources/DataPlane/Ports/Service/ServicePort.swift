import CLinux
import Glibc
import Synchronization

/// A port towards a process on this host, such as a middlebox daemon, by rings in shared memory: a frame is copied once each way, with its offload state
/// and the tunnel words, in which context and marks travel.
///
/// The port listens at a path (a Unix socket, mode 0600). One process at a time is connected; another is turned away. Each connection gets memory of its own, so
/// that a process that is gone can disturb nobody. Without a process the port has no link, and frames for it are dropped as `portDown`.
///
/// The other end is `ServiceLink`. Who follows connections calls `refresh` when one of `descriptors` is readable.
public final class ServicePort: LivePort, ReceiveErrorCounting {
    private struct Connection {
        var descriptor: OwnedDescriptor
        var memory: ServiceMemory
    }

    public let name: String
    public let number: UInt32
    public let kind = PortKind.service
    public let path: String
    private let workers: Int
    private let listener: OwnedDescriptor
    private let state = DeviceState()
    private let connection = Mutex<Connection?>(nil)

    /// - Throws: when the path is too long, cannot be made, or another switch listens there. The socket of a switch that is gone is replaced.
    public init(name: String, number: UInt32, path: String, workers: Int) throws(PortError) {
        self.name = name
        self.number = number
        self.path = path
        self.workers = max(workers, 1)
        var code = weft_service_listen(path)
        if code == -EADDRINUSE {
            // Nobody answers: left behind by a switch that was killed.
            let probe = weft_service_connect(path)
            if probe == -ECONNREFUSED {
                unlink(path)
                code = weft_service_listen(path)
            } else if probe >= 0 {
                Glibc.close(probe)
            }
        }
        guard code >= 0 else { throw PortError("\(name): cannot listen at \(path): \(String(cString: strerror(-code)))") }
        listener = OwnedDescriptor(code)
        state.isForwarding.store(false, ordering: .relaxed)
    }

    public var summary: String { "service at \(path), \(connection.withLock { $0 == nil } ? "nobody connected" : "connected")" }
    public var address: [UInt8]? { nil }

    public var status: PortStatus {
        var status = PortStatus()
        status.mtu = 65_521
        status.hasLink = connection.withLock { $0 != nil }
        return status
    }

    /// Readable when somebody connects or goes.
    public var descriptors: [Int32] { [listener.value] + connection.withLock { $0.map { [$0.descriptor.value] } ?? [] } }

    public func receiver(worker index: Int) -> (any FrameReceiver)? { queue(index) }
    public func transmitter(worker index: Int) -> any FrameTransmitter { queue(index) ?? DownTransmitter() }

    private func queue(_ index: Int) -> ServiceQueue? {
        connection.withLock { connection in
            connection.map { ServiceQueue(memory: $0.memory, worker: index, isSwitch: true, port: number, state: state) }
        }
    }

    public func refresh() -> Bool {
        connection.withLock { connection in
            var hasChanged = false
            if let old = connection, weft_service_has_hung_up(old.descriptor.value) != 0 {
                connection = nil
                hasChanged = true
            }
            while true {
                let code = weft_service_accept(listener.value)
                if code < 0 { break }
                let new = OwnedDescriptor(code)
                // Closed without a greeting: there is one already.
                guard connection == nil, let memory = try? ServiceMemory(workers: workers), memory.send(to: new.value) == 0 else { continue }
                connection = Connection(descriptor: new, memory: memory)
                hasChanged = true
            }
            state.isForwarding.store(connection != nil, ordering: .relaxed)
            return hasChanged
        }
    }

    public func close() {
        unlink(path)
        listener.close()
        connection.withLock { $0 = nil }
    }

    var countedReceiveErrors: ReceiveErrors { state.receiveErrors }
}
