import Translation

/// What a controller keeps: the network as it was last acknowledged, the numbers that its names have, and who leads what.
///
/// The embedded store is SQLite (`SQLiteStore`). The protocol asks for no more than a distributed one such as etcd has too: a transaction that is refused when
/// the lease that it names is not held any more or the revision has moved on, leases that end by themselves, and a number by which others see that
/// something changed. Calls block; they may come from any thread.
///
/// The network is one, with one sequence of revisions; its tenants belong to sets of datapaths, each computed by who holds the set's lease. What is asked for is
/// stored first, under the lease of one of the sets that are concerned, and then the numbers that the computation of each set comes to.
public protocol NetworkStore: Sendable {
    func load() throws(StoreError) -> StoredNetwork
    /// Sections that were written after a revision, and the names of all that there are.
    func changes(ofSectionsAfter revision: UInt64) throws(StoreError) -> StoredDelta
    /// The numbers of a set; 0: of hosts, which belong to none.
    func numbers(of set: Int) throws(StoreError) -> [AssignedNumber]
    /// Stores what the computation of a set came to, under its lease.
    func save(_ numbers: [AssignedNumber], of set: Int, _ mastership: Mastership) throws(StoreError)
    /// How many sets there are, after making them at least so many; refused while another one leads.
    func sets(atLeast count: Int, for owner: String, now: Double) throws(StoreError) -> Int
    /// The revision alone: what a watcher asks for.
    func revision() throws(StoreError) -> UInt64
    /// All of it or none, as the next revision, which is returned; then it survives the end of process and machine.
    func commit(_ change: StoredChange) throws(StoreError) -> UInt64
    /// The changes after a revision, oldest first, at most `limit`.
    func changes(after revision: UInt64, limit: Int) throws(StoreError) -> [StoredChange.Note]
    /// Takes a lease that nobody holds, or that has ended, or that the owner held before; the generation is one more than ever before. nil: another holds it.
    func acquire(_ scope: String, owner: String, now: Double, seconds: Double) throws(StoreError) -> Mastership?
    /// Makes leases last longer, all of an owner that still hold their generation; returns those that do.
    func renew(_ held: [Mastership], now: Double, seconds: Double) throws(StoreError) -> [Mastership]
    func release(_ held: [Mastership]) throws(StoreError)
    func masterships() throws(StoreError) -> [Mastership]
}

/// Who leads a set of datapaths or a forwarding element (spec 000 §4, B128).
public struct Mastership: Hashable, Sendable, Codable {
    /// `datapaths/N` for a set of datapaths, `mfe/HOST` for a host, `controller/NAME` for a logical controller that is there.
    public var scope: String
    public var owner: String
    /// Grows with each new holder, or new start of the same one: who comes with a smaller one is refused everywhere.
    public var generation: UInt64
    /// Seconds since 1970.
    public var expires: Double

    public static func datapaths(_ set: Int) -> String { "datapaths/\(set)" }
    public static func controller(_ name: String) -> String { "controller/" + name }
    public static func host(_ name: String) -> String { "mfe/" + name }
}

/// A part of the network's text: the hosts, or one tenant.
public struct StoredSection: Hashable, Sendable {
    /// `hosts`, or `tenant/NAME`.
    public var name: String
    public var position: Int
    /// JSON.
    public var text: String
    /// The set of datapaths that a tenant is of; 0: hosts.
    public var set = 0
    /// The one that wrote it; of a section that is to be written the one that it takes the place of, 0 for a new one.
    public var revision: UInt64 = 0
}

public struct StoredNetwork: Sendable {
    public var revision: UInt64
    /// In their order.
    public var sections: [StoredSection]
    /// Of hosts.
    public var hostNumbers: [AssignedNumber]
}

/// What was written after a revision.
public struct StoredDelta: Sendable {
    public var revision: UInt64
    public var put: [StoredSection]
    /// Of all sections that there are.
    public var names: Set<String>
    public var hostNumbers: [AssignedNumber]
}

/// A change of the network, as it is stored.
public struct StoredChange: Sendable {
    /// What is told of a change afterwards.
    public struct Note: Hashable, Sendable, Codable {
        /// Given by the store.
        public var revision: UInt64 = 0
        /// Seconds since 1970.
        public var time: Double
        /// `3 ports added, 1 rule changed`
        public var summary: String
        /// `+ port blue/web/vm1`; the first thousand.
        public var changes: [String]
        public static let changeLimit = 1000
    }
    public var note: Note
    public var basis: Basis
    public var put: [StoredSection]
    public var removed: [String]
    /// Of hosts that are new.
    public var hostNumbers: [AssignedNumber] = []
    /// Attachments of tenants that come and go (`AttachmentIndex.keys`), where there are several sets: two tenants cannot have the same.
    public var attached: [Attachment] = []
    public var detached: [Attachment] = []

    /// What it was judged by, and what must not have changed since.
    public enum Basis: Sendable {
        /// Everything.
        case network(UInt64)
        /// The sections that are put and removed, by their revisions, and the hosts'.
        case sections([String: UInt64])
    }
    public struct Attachment: Hashable, Sendable {
        public var key: String
        public var tenant: String
    }
    /// Who writes: refused when it does not hold this any more.
    public var mastership: Mastership
}

public enum StoreError: Error, Sendable, CustomStringConvertible {
    /// Somebody else leads now.
    case notMaster(String)
    /// Another change of the same came first.
    case conflict(String)
    case newerSchema
    case failed(String)

    public var description: String {
        switch self {
        case .notMaster(let scope): "the lease of \(scope) is not held any more"
        case .conflict(let what): "\(what) has changed meanwhile"
        case .newerSchema: "the store was written by a newer version"
        case .failed(let reason): reason
        }
    }
}
