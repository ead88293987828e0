import CLinux
import Glibc

/// The service's end of a service port: connects to a switch and has one queue for each of its workers.
///
/// Frames received from a worker's queue should be sent back by the same one: order within a flow is kept by that. The link is over when `isOver` says
/// so; a service then connects anew.
public final class ServiceLink: @unchecked Sendable {
    private let connection: OwnedDescriptor
    private let memory: ServiceMemory
    private let state = DeviceState()
    /// One for each worker of the switch; each to be used by one thread.
    public let queues: [ServiceQueue]

    /// - Parameter path: where the switch listens for this service.
    /// - Throws: when nobody listens there, another service is connected, or the switch is of another version.
    public init(path: String) throws(PortError) {
        let code = weft_service_connect(path)
        guard code >= 0 else { throw PortError("cannot reach a switch at \(path): \(String(cString: strerror(-code)))") }
        connection = OwnedDescriptor(code)
        memory = try ServiceMemory(connection: code)
        let (memory, state) = (memory, state)
        queues = (0..<memory.workers).map { ServiceQueue(memory: memory, worker: $0, isSwitch: false, port: 0, state: state) }
    }

    /// Whether the switch has gone.
    public var isOver: Bool { weft_service_has_hung_up(connection.value) != 0 }

    /// Frames that were not delivered, since the link was made.
    public var receiveErrors: ReceiveErrors { state.receiveErrors }

    public func close() { connection.close() }
}
