import Dispatch
import Foundation
import LogicalNetwork
import Logging
import PhysicalControl
import Translation

/// A controller: the roles in one process, the store behind them, and what the interface asks of them.
///
/// **A change.** It is judged as a whole, computed, stored, given to the hosts, and acknowledged, in this order; what was acknowledged is in the store. When it
/// cannot be stored, nothing was told to any host and the computation begins anew from the store.
///
/// **Mastership.** Whoever holds the lease of the datapaths computes and writes; a lease for each host says who publishes to it, and its generation is the one
/// that the forwarding element hears (OpenFlow 1.3.5 §6.3.5). Without the lease a controller serves what the store has, follows at forwarding elements, and
/// waits for the lease to end. Physical controllers in other processes, and hosts that customize themselves, are given leases of hosts through `channel`.
///
/// **Concurrency.** Everything runs on `queue`; `run` gets there from tasks.
public final class ControllerCore: @unchecked Sendable {
    public struct Options: Sendable {
        /// What the controller is called in leases: of one name there is one process.
        public var name: String
        /// Where other controllers' clients find it; told to those who ask another one for changes.
        public var leaseSeconds = 5.0
        public init(name: String) { self.name = name }
    }

    /// What became of a change at the hosts.
    public struct Progress: Sendable, Codable {
        public var revision: UInt64
        public var summary: String
        public var changes: [String]
        /// Changes of entries, and the hosts that are told.
        public var modifications: Int
        public var hosts: [String]
        /// Hosts that do not forward by it yet, those that are not connected included.
        public var waiting: [String]
        /// From the acknowledgement until all connected hosts had confirmed; nil until then.
        public var millisecondsToForce: Double?
    }

    public let options: Options
    public let queue = DispatchQueue(label: "controller", qos: .userInitiated)
    let store: any NetworkStore
    let log: Logger
    public let physical: PhysicalController
    /// For physical controllers in other processes.
    public internal(set) var channel: ChannelService!
    public internal(set) var logical: LogicalController?
    var document = NetworkDocument()
    /// What the ports of the network are attached to.
    var attachments = AttachmentIndex()
    var revision: UInt64 = 0
    var mastership: Mastership?
    var hostMasterships: [String: Mastership] = [:]
    var timer: (any DispatchSourceTimer)?
    struct Running {
        var progress: Progress
        var began: UInt64
        var waiting: Set<String>
    }
    var running: [UInt64: Running] = [:]
    /// Those of them that are not in force yet.
    var unsettled: Set<UInt64> = []
    static let progressLimit = 1000
    /// Who waits for a revision to be in force, and who for the next one, by number.
    var waiters: [Int: (revision: UInt64, done: (Progress?) -> Void)] = [:]
    var watchers: [Int: (after: UInt64, done: () -> Void)] = [:]
    var nextWaiter = 0
    final class Roles {
        weak var core: ControllerCore?
    }

    public init(_ options: Options, store: any NetworkStore, log: Logger) {
        self.options = options
        self.store = store
        self.log = log
        let roles = Roles()
        physical = PhysicalController(
            logical: PhysicalController.Logical(
                presence: { roles.core?.logical?.contains(host: $0) == true ? .present : .absent },
                snapshot: { roles.core?.logical?.snapshot(host: $0) },
                answer: { packet, done in roles.core?.logical?.answer(packet).map(done) }), log: log)
        roles.core = self
        channel = ChannelService(self, log: log)
        physical.claim = { [unowned self] in claim($0, for: options.name) }
        physical.report = { [unowned self] in take($0) }
    }

    /// Seeks the lead, and keeps it.
    public func start() {
        queue.sync { seekLead() }
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + options.leaseSeconds / 4, repeating: options.leaseSeconds / 4)
        timer.setEventHandler { [unowned self] in seekLead() }
        timer.resume()
        self.timer = timer
    }

    /// Gives the lead back, so that another need not wait for the lease to end.
    public func stop() {
        queue.sync {
            timer?.cancel()
            guard let mastership else { return }
            try? store.release([mastership] + hostMasterships.values.filter { $0.owner == options.name })
            self.mastership = nil
            // Others go on leading their hosts.
            hostMasterships = [:]
            channel.leave(nil)
        }
    }

    /// Runs something on the queue.
    public func run<T: Sendable>(_ body: @escaping @Sendable (ControllerCore) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in continuation.resume(with: Result { try body(self) }) }
        }
    }
}
