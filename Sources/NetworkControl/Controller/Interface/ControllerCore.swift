import Dispatch
import Flow
import Foundation
import LogicalNetwork
import Logging
import NetworkFile
import PhysicalControl
import Translation
import Yams

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
    public private(set) var channel: ChannelService!
    public private(set) var logical: LogicalController?
    private var document = NetworkDocument()
    /// What the ports of the network are attached to.
    private var attachments = AttachmentIndex()
    private(set) var revision: UInt64 = 0
    private var mastership: Mastership?
    private var hostMasterships: [String: Mastership] = [:]
    private var timer: (any DispatchSourceTimer)?
    private struct Running {
        var progress: Progress
        var began: UInt64
        var waiting: Set<String>
    }
    private var running: [UInt64: Running] = [:]
    /// Those of them that are not in force yet.
    private var unsettled: Set<UInt64> = []
    private static let progressLimit = 1000
    /// Who waits for a revision to be in force, and who for the next one, by number.
    private var waiters: [Int: (revision: UInt64, done: (Progress?) -> Void)] = [:]
    private var watchers: [Int: (after: UInt64, done: () -> Void)] = [:]
    private var nextWaiter = 0
    private final class Roles {
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

    // MARK: - Mastership

    public var isMaster: Bool { mastership != nil }

    /// Seeks it at once, as it otherwise does four times in a lease.
    public func seekLeadNow() { queue.sync { seekLead() } }

    private func seekLead() {
        let now = Date().timeIntervalSince1970
        do throws(StoreError) {
            if let held = mastership {
                let kept = try store.renew([held] + hostMasterships.values, now: now, seconds: options.leaseSeconds)
                if !kept.contains(where: { $0.scope == held.scope }) { return loseLead("another controller took it") }
                mastership = kept.first { $0.scope == held.scope }
                let scopes = Set(kept.map(\.scope))
                for (host, lost) in hostMasterships where !scopes.contains(lost.scope) {
                    hostMasterships[host] = nil
                    if lost.owner == options.name { physical.follow(host) } else { channel.revoke(host, owner: lost.owner) }
                }
                seekHosts()
                return
            }
            let before = try store.masterships()
            if let taken = try store.acquire(Mastership.allDatapaths, owner: options.name, now: now, seconds: options.leaseSeconds) {
                // Hosts that the one before led itself are led by nobody now.
                let leader = before.first { $0.scope == Mastership.allDatapaths }?.owner
                try store.release(before.filter { $0.owner == leader && $0.scope != Mastership.allDatapaths })
                try takeLead(taken)
            } else {
                try follow()
            }
        } catch {
            if let held = mastership, held.expires < now {
                loseLead("the store: \(error)")
            } else {
                log.error("the store", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func takeLead(_ taken: Mastership) throws(StoreError) {
        let stored = try store.load()
        do throws(NetworkFaults) {
            document = try NetworkDocument(sections: stored.sections)
            let network = try document.description()
            let logical = LogicalController(network, revision: stored.revision, numbers: stored.numbers)
            self.logical = logical
            attachments = AttachmentIndex(network)
            revision = stored.revision
            mastership = taken
            if !logical.unstored.isEmpty { try? save(NetworkDifference(remove: [], put: []), put: [], removed: [], numbers: logical.unstored) }
            log.notice(
                "leads", metadata: ["generation": "\(taken.generation)", "revision": "\(revision)", "hosts": "\(network.hosts.count)"])
            physical.lead()
        } catch {
            throw .failed("the network that is stored is not taken by this version: \(error)")
        }
    }

    private func loseLead(_ reason: String) {
        log.error("leads no longer", metadata: ["reason": "\(reason)"])
        mastership = nil
        hostMasterships = [:]
        physical.follow()
        channel.leave(otherMaster())
    }

    /// Keeps up with what another controller writes, for those who ask this one.
    private func follow() throws(StoreError) {
        let newest = try store.revision()
        guard newest != revision || logical == nil else { return }
        let stored = try store.load()
        do throws(NetworkFaults) {
            document = try NetworkDocument(sections: stored.sections)
            let network = try document.description()
            logical = LogicalController(network, revision: stored.revision, numbers: stored.numbers)
            attachments = AttachmentIndex(network)
        } catch {
            throw .failed("\(error)")
        }
        revision = stored.revision
        tellWatchers()
    }

    /// Mastership of one host for whoever asks for it; nil when another one has it, or this controller leads nothing.
    ///
    /// - Parameter held: the generation that was granted before, by a controller that has ended perhaps; it goes on as long as nobody else came between.
    func claim(_ host: String, for owner: String, held: UInt64? = nil) -> UInt64? {
        guard mastership != nil, logical?.contains(host: host) == true else { return nil }
        if let now = hostMasterships[host] { return now.owner == owner ? now.generation : nil }
        let scope = Mastership.host(host)
        let now = Date().timeIntervalSince1970
        do throws(StoreError) {
            var taken: Mastership?
            if let held {
                taken = try store.renew(
                    [Mastership(scope: scope, owner: owner, generation: held, expires: now)], now: now, seconds: options.leaseSeconds
                ).first
            }
            if taken == nil { taken = try store.acquire(scope, owner: owner, now: now, seconds: options.leaseSeconds) }
            hostMasterships[host] = taken
            return taken?.generation
        } catch {
            log.error("the store", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    /// Gives mastership of a host back, if it is that owner's.
    func release(_ host: String, of owner: String) {
        guard let held = hostMasterships[host], held.owner == owner else { return }
        try? store.release([held])
        hostMasterships[host] = nil
        seekHosts()
    }

    /// Gives back all that an owner leads.
    func releaseHosts(of owner: String) {
        let held = hostMasterships.filter { $0.value.owner == owner }
        if held.isEmpty { return }
        try? store.release(Array(held.values))
        for host in held.keys { hostMasterships[host] = nil }
        seekHosts()
    }

    /// Lets those lead hosts who wait for it, where nobody does.
    private func seekHosts() {
        physical.lead()
        channel.grantWaiting()
    }

    public func masterships() throws -> [Mastership] { try store.masterships() }

    /// The name of who leads, when it is another one.
    public func otherMaster() -> String? {
        let now = Date().timeIntervalSince1970
        return (try? store.masterships())?.first { $0.scope == Mastership.allDatapaths && $0.expires > now && $0.owner != options.name }?.owner
    }

    // MARK: - Reading

    /// The value at a path in JSON, and its tag, which changes with it.
    public func read(_ path: NetworkDocument.Path) throws -> (json: String, tag: String) {
        guard let node = document.node(at: path) else {
            // A collection that is empty is there, as long as its owner is.
            if Self.isCollection(path), document.hasPlace(for: path) { return (Self.emptyCollection(path), Self.tag(Self.emptyCollection(path))) }
            throw InterfaceError.notFound(path)
        }
        // What stands there without a value is empty.
        let isEmpty = node.mapping == nil && node.sequence == nil && (node.scalar?.string).map { ["", "null", "~"].contains($0) } == true
        let json = isEmpty ? Self.isCollection(path) ? Self.emptyCollection(path) : "{}" : NetworkDocument.json(node)
        return (json, path.isEmpty ? "\"r\(revision)\"" : Self.tag(json))
    }

    public var yaml: String { document.yaml }
    public var network: NetworkDescription { logical?.network ?? NetworkDescription() }

    private static let lists: Set<String> = ["access", "routes", "policies", "neighbors"]
    private static func isCollection(_ path: NetworkDocument.Path) -> Bool { path.count % 2 == 1 }
    private static func emptyCollection(_ path: NetworkDocument.Path) -> String { lists.contains(path.last ?? "") ? "[]" : "{}" }

    static func tag(_ text: String) -> String {
        // 128 bits of two hashes (FNV-1a); whoever makes collisions has the token to change the network anyway.
        var a: UInt64 = 0xcbf2_9ce4_8422_2325
        var b: UInt64 = 0x6c62_272e_07bb_0142
        for byte in text.utf8 {
            a = (a ^ UInt64(byte)) &* 0x100_0000_01b3
            b = (b &+ UInt64(byte)) &* 0x9e37_79b9_7f4a_7c15 ^ b >> 29
        }
        return "\"" + String(a, radix: 16) + String(b, radix: 16) + "\""
    }

    // MARK: - Changing

    public enum Edit: Sendable {
        /// The whole network.
        case replace(NetworkText)
        case put(NetworkDocument.Path, NetworkText)
        case remove(NetworkDocument.Path)

        var path: NetworkDocument.Path {
            switch self {
            case .replace: []
            case .put(let path, _), .remove(let path): path
            }
        }
    }

    /// Tags that what is changed must have, or must not have (RFC 9110 §13.1).
    public struct Precondition: Sendable {
        public var match: [String]?
        public var noneMatch: [String]?
        public init(match: [String]? = nil, noneMatch: [String]? = nil) {
            self.match = match
            self.noneMatch = noneMatch
        }
    }

    /// What an edit makes of the network.
    private struct Edited {
        var document: NetworkDocument
        var network: NetworkDescription
        /// The tenant that the edit is about; nil when it may be about all of them.
        var tenant: (old: Tenant?, new: Tenant?)?
        var isNew: Bool

        func difference(from old: NetworkDescription) -> NetworkDifference {
            guard let tenant else { return NetworkDifference(from: old, to: network) }
            let elements = NetworkDifference.elements(from: tenant.old, to: tenant.new)
            return NetworkDifference(remove: elements.remove, put: elements.put)
        }
    }

    private func edited(_ edit: Edit, _ precondition: Precondition) throws -> Edited {
        let path = edit.path
        let present = document.node(at: path)
        if precondition.match != nil || precondition.noneMatch != nil {
            let tag = try? read(path).tag
            if let match = precondition.match, tag.map({ t in match.contains("*") || match.contains(t) }) != true {
                throw InterfaceError.changed(tag)
            }
            if let none = precondition.noneMatch, let tag, none.contains("*") || none.contains(tag) { throw InterfaceError.changed(tag) }
        }
        var new = document
        do {
            switch edit {
            case .replace(let text): new = try NetworkDocument(text)
            case .put(let path, let text):
                guard document.hasPlace(for: path) else { throw InterfaceError.notFound(path.dropLast(path.count % 2 == 0 ? 2 : 1)) }
                let value = try NetworkDocument.element(text)
                if Self.isCollection(path) ? value.sequence == nil : value.mapping == nil {
                    throw NetworkFaults([NetworkFault(.none, Self.isCollection(path) ? "the body must be a list" : "the body must be a mapping")])
                }
                new.put(value, at: path)
            case .remove(let path):
                guard present != nil else { throw InterfaceError.notFound(path) }
                new.remove(at: path)
            }
            if let logical, path.count >= 2, path[0] == "tenants" { return try edited(new, tenant: path[1], logical.network, isNew: present == nil) }
            return Edited(document: new, network: try new.description(), isNew: present == nil)
        } catch let faults as NetworkFaults {
            throw InterfaceError.invalid(faults.faults)
        }
    }

    /// Judges one tenant of a document whose others are those of a network that is right.
    private func edited(
        _ document: NetworkDocument, tenant name: String, _ current: NetworkDescription, isNew: Bool
    ) throws(NetworkFaults) -> Edited {
        var network = current
        let place = network.tenants.firstIndex { $0.name == name }
        let old = place.map { network.tenants[$0] }
        guard let node = document.node(at: ["tenants", name]) else {
            if let place { network.tenants.remove(at: place) }
            return Edited(document: document, network: network, tenant: (old, nil), isNew: isNew)
        }
        let read = NetworkFile.readTenant(name, node)
        var faults = read.faults
        if let tenant = read.tenant {
            do throws(NetworkFaults) { try network.validate(tenant, others: attachments) } catch { faults += error.faults }
        }
        guard faults.isEmpty, let tenant = read.tenant else { throw NetworkFaults(faults) }
        if let place { network.tenants[place] = tenant } else { network.tenants.append(tenant) }
        return Edited(document: document, network: network, tenant: (old, tenant), isNew: isNew)
    }

    public struct ChangeResult: Sendable {
        public var progress: Progress
        public var tag: String?
        /// The element was not there before.
        public var isNew: Bool
    }

    /// Makes a change and acknowledges it; for the queue.
    public func change(_ edit: Edit, _ precondition: Precondition = Precondition()) throws -> ChangeResult {
        guard mastership != nil, let logical else { throw InterfaceError.notMaster(otherMaster()) }
        let edited = try edited(edit, precondition)
        let (new, network, isNew) = (edited.document, edited.network, edited.isNew)
        let difference = edited.difference(from: logical.network)
        let (put, removed) = sections(from: document, to: new, edit)
        if put.isEmpty, removed.isEmpty, difference.isEmpty {
            return ChangeResult(
                progress: Progress(revision: revision, summary: "nothing changes", changes: [], modifications: 0, hosts: [], waiting: []),
                tag: try? read(edit.path).tag, isNew: isNew)
        }
        let elements = edited.tenant.map { NetworkDifference.elements(from: $0.old, to: $0.new) }
        let outcome = logical.apply(network, revision: revision + 1, elements: elements)
        try save(difference, put: put, removed: removed, numbers: outcome.numbers)
        document = new
        if let tenant = edited.tenant { attachments.replace(tenant.old, with: tenant.new) } else { attachments = AttachmentIndex(network) }
        let began = DispatchTime.now().uptimeNanoseconds
        let told = outcome.updates.map(\.host)
        let connected = Set(physical.connectedHosts).union(channel.ledHosts)
        var progress = Progress(
            revision: revision, summary: difference.summary.isEmpty ? "nothing changes" : difference.summary,
            changes: Array(difference.lines.prefix(StoredChange.Note.changeLimit)),
            modifications: outcome.updates.reduce(0) { $0 + $1.modifications.count }, hosts: told, waiting: told)
        let waiting = Set(told).intersection(connected)
        if waiting.isEmpty { progress.millisecondsToForce = 0 } else { unsettled.insert(revision) }
        running[revision] = Running(progress: progress, began: began, waiting: waiting)
        running[revision &- UInt64(Self.progressLimit)] = nil
        unsettled.remove(revision &- UInt64(Self.progressLimit))
        physical.publish(outcome.updates)
        channel.publish(outcome.change, logical)
        tellWatchers()
        return ChangeResult(progress: progress, tag: try? read(edit.path).tag, isNew: isNew)
    }

    private func save(_ difference: NetworkDifference, put: [StoredSection], removed: [String], numbers: [AssignedNumber]) throws {
        let note = StoredChange.Note(
            revision: revision + 1, time: Date().timeIntervalSince1970, summary: difference.summary,
            changes: Array(difference.lines.prefix(StoredChange.Note.changeLimit)))
        do throws(StoreError) {
            try store.commit(StoredChange(note: note, put: put, removed: removed, numbers: numbers, mastership: mastership!))
            revision += 1
        } catch {
            // What was computed is ahead of the store: begin anew from there.
            logical = nil
            loseLead("the change is not stored: \(error)")
            throw InterfaceError.store("\(error)")
        }
    }

    /// What of the text is to be stored; for an element only its tenant is looked at.
    private func sections(from old: NetworkDocument, to new: NetworkDocument, _ edit: Edit) -> (put: [StoredSection], removed: [String]) {
        let path = edit.path
        if path.count >= 2, path[0] == "tenants", let now = new.section("tenant/" + path[1]) {
            // An element keeps its tenant's place, and a new tenant is the last.
            return (old.section(now.name) == now ? [] : [now], [])
        }
        let before = old.sections
        let now = new.sections
        return (now.values.filter { before[$0.name] != $0 }.sorted { $0.position < $1.position }, before.keys.filter { now[$0] == nil }.sorted())
    }

    /// What a change would come to, without making it.
    public struct Plan: Sendable, Codable {
        public struct Host: Sendable, Codable {
            public var host: String
            public var modifications: Int
            public var isGone: Bool
        }
        public var revision: UInt64
        public var summary: String
        public var changes: [String]
        public var modifications: Int
        public var hosts: [Host]
    }

    public func plan(_ edit: Edit, _ precondition: Precondition = Precondition()) throws -> Plan {
        guard let logical else { throw InterfaceError.notMaster(otherMaster()) }
        let edited = try edited(edit, precondition)
        let difference = edited.difference(from: logical.network)
        let updates = difference.isEmpty ? [] : logical.plan(edited.network)
        return Plan(
            revision: revision, summary: difference.isEmpty ? "nothing changes" : difference.summary, changes: difference.lines,
            modifications: updates.reduce(0) { $0 + $1.modifications.count },
            hosts: updates.filter { !$0.modifications.isEmpty || $0.isGone }.map {
                Plan.Host(host: $0.host, modifications: $0.modifications.count, isGone: $0.isGone)
            })
    }

    // MARK: - In force

    private func take(_ report: PhysicalReport) {
        switch report {
        case .inForce(let host, let revision): isInForce(host, revision)
        case .disconnected(let host, _), .superseded(let host):
            release(host, of: options.name)
            settle { r, _ in r.waiting.remove(host) }
        case .connected: break
        }
    }

    /// A host forwards by a revision.
    func isInForce(_ host: String, _ revision: UInt64) { settle { r, number in if number <= revision { r.waiting.remove(host) } } }

    /// A host is not connected to a physical controller any more.
    func leftBy(_ controller: String, _ host: String) { settle { r, _ in r.waiting.remove(host) } }

    private func settle(_ body: (inout Running, UInt64) -> Void) {
        let now = DispatchTime.now().uptimeNanoseconds
        for number in unsettled.sorted() {
            body(&running[number]!, number)
            guard running[number]!.waiting.isEmpty else { continue }
            running[number]!.progress.millisecondsToForce = Double(now - running[number]!.began) / 1e6
            unsettled.remove(number)
        }
        for (number, w) in waiters where running[w.revision]?.progress.millisecondsToForce != nil {
            waiters[number] = nil
            w.done(progress(w.revision))
        }
    }

    /// How far a change has come; nil when it is not remembered by this process.
    public func progress(_ revision: UInt64) -> Progress? {
        guard var p = running[revision]?.progress else { return nil }
        let known = Set(network.hosts.map(\.name))
        p.waiting = p.hosts.filter { known.contains($0) && (inForce($0) ?? 0) < revision }
        return p
    }

    /// The revision by which a host forwards; nil when nobody leads it.
    private func inForce(_ host: String) -> UInt64? { physical.inForce(host) ?? channel.inForce(host) }

    /// Every host that is connected, here or at another controller.
    public var hostStates: [PhysicalController.HostState] { (physical.states + channel.states).sorted { $0.host < $1.host } }

    /// Calls back once connected hosts forward by a revision, or the time is up.
    func whenInForce(_ revision: UInt64, milliseconds: Int, _ done: @escaping (Progress?) -> Void) {
        guard unsettled.contains(revision) else { return done(progress(revision)) }
        nextWaiter += 1
        let number = nextWaiter
        waiters[number] = (revision, done)
        queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [self] in
            if let w = waiters.removeValue(forKey: number) { w.done(progress(w.revision)) }
        }
    }

    private func tellWatchers() {
        for (number, w) in watchers where revision > w.after {
            watchers[number] = nil
            w.done()
        }
    }

    /// Returns once there is a revision after this one, or the time is up.
    func nextChange(after: UInt64, milliseconds: Int) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            queue.async { [self] in
                if revision > after { return continuation.resume() }
                nextWaiter += 1
                let number = nextWaiter
                watchers[number] = (after, { continuation.resume() })
                queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [self] in watchers.removeValue(forKey: number)?.done() }
            }
        }
    }

    public func changes(after revision: UInt64, limit: Int) throws -> [StoredChange.Note] { try store.changes(after: revision, limit: limit) }
}

/// Why the interface refuses.
public enum InterfaceError: Error, Sendable {
    case malformed(String)
    case notFound([String])
    /// A precondition does not hold; the tag as it is.
    case changed(String?)
    case invalid([NetworkFault])
    /// Who leads, when it is known.
    case notMaster(String?)
    case store(String)
    case mediaType(String)
    case tooLarge(Int)
}
