import Dispatch
import Foundation
import LogicalNetwork
import Logging
import PhysicalControl
import Translation

/// A controller: the roles in one process, the store behind them, and what the interface asks of them.
///
/// **A change.** It is judged as a whole, stored, computed, given to the hosts, and acknowledged, in this order; what was acknowledged is in the store. The numbers that the
/// computation comes to are stored before a host hears of them.
///
/// **Mastership.** Tenants belong to sets of datapaths, of which there may be one. Whoever holds the lease of a set computes it, and writes what its tenants ask for;
/// hosts and the network as a whole are written by who leads the first set. What another one has written is taken over from the store (`follow`), by every
/// controller, and computed by those who lead what it concerns. A lease for each host, given out by who leads the first set, says who publishes to it, and its generation is the one
/// that the forwarding element hears (OpenFlow 1.3.5 §6.3.5). A controller that leads nothing serves what the store has, follows at forwarding elements, and
/// waits for leases to end. Physical controllers in other processes, and hosts that customize themselves, are given leases of hosts through `channel`.
///
/// **Concurrency.** Everything runs on `queue`; `run` gets there from tasks.
public final class ControllerCore: @unchecked Sendable {
    public struct Options: Sendable {
        /// What the controller is called in leases: of one name there is one process.
        public var name: String
        /// Where other controllers' clients find it; told to those who ask another one for changes.
        public var leaseSeconds = 5.0
        /// Sets of datapaths, as the store has them. With several the roles are apart: no host is led by this process.
        public var sets = 1
        /// Whether hosts and physical controllers are let in by no names but those of their certificates.
        public var requiresCertificateNames = false
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
    /// The sets that this controller leads.
    var led: [Int: LedSet] = [:]
    /// The whole network, as it was last stored.
    public internal(set) var network = NetworkDescription()
    var tenantSets = TenantSets()
    var hostNumbers: HostNumbers
    var document = NetworkDocument()
    /// What the ports of the network are attached to.
    var attachments = AttachmentIndex()
    /// All revisions up to this one have been taken over; own ones may be beyond it where others write too, until they are followed.
    var revision: UInt64 = 0
    /// By section of the text.
    var sectionRevisions: [String: UInt64] = [:]
    var isLoaded = false
    /// That this controller is there, by which several share sets.
    var presence: Mastership?
    var hostMasterships: [String: Mastership] = [:]
    var timer: (any DispatchSourceTimer)?
    var watch: (any DispatchSourceTimer)?
    /// Milliseconds after which it is looked whether others have written.
    static let watchInterval = 50
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
        hostNumbers = HostNumbers(limit: options.sets > 1 ? NumberSpace.hostLimit : NetworkLimits.hosts)
        let roles = Roles()
        physical = PhysicalController(
            logical: PhysicalController.Logical(
                presence: { host in roles.core?.network.hosts.contains { $0.name == host } == true ? .present : .absent },
                snapshot: { roles.core?.logical?.snapshot(host: $0) },
                answer: { packet, done in roles.core?.logical?.answer(packet).map(done) }), log: log)
        roles.core = self
        channel = ChannelService(self, log: log)
        physical.requiresCertificateNames = options.requiresCertificateNames
        physical.claim = { [unowned self] in claim($0, for: options.name) }
        physical.report = { [unowned self] in take($0) }
    }

    /// Of the first set, when this controller leads it.
    public var logical: LogicalController? { led[1]?.logical }

    /// Of a set that this controller leads.
    public func logical(set: Int) -> LogicalController? { led[set]?.logical }

    /// Who knows the datapath that a packet is in.
    func logical(for packet: HostPacket) -> LogicalController? {
        led[options.sets == 1 ? 1 : NumberSpace.set(of: packet.metadata[RegisterMap.datapath.bits.field] & RegisterMap.identifierMask)]?.logical
    }

    /// Seeks the lead, and keeps it.
    public func start() {
        queue.sync { seekLead() }
        timer = every(milliseconds: Int(options.leaseSeconds * 250)) { $0.seekLead() }
        if options.sets > 1 { watch = every(milliseconds: Self.watchInterval) { $0.lookForChanges() } }
    }

    private func every(milliseconds: Int, _ body: @escaping (ControllerCore) -> Void) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + .milliseconds(milliseconds), repeating: .milliseconds(milliseconds))
        timer.setEventHandler { [unowned self] in body(self) }
        timer.resume()
        return timer
    }

    /// Gives the lead back, so that another need not wait for the lease to end.
    public func stop() {
        queue.sync {
            timer?.cancel()
            watch?.cancel()
            try? store.release(
                led.values.map(\.mastership) + [presence].compactMap(\.self) + hostMasterships.values.filter { $0.owner == options.name })
            led = [:]
            presence = nil
            // Others go on leading their hosts.
            hostMasterships = [:]
            channel.leave()
        }
    }

    /// Runs something on the queue.
    public func run<T: Sendable>(_ body: @escaping @Sendable (ControllerCore) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in continuation.resume(with: Result { try body(self) }) }
        }
    }
}
