import Dispatch
import Foundation
import LogicalNetwork
import NetworkFile
import Translation

/// Changes: judged, stored, computed, given out.
extension ControllerCore {
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

    /// What an edit is about, and nothing else changes.
    enum Scope {
        case network
        case hosts
        case tenant(old: Tenant?, new: Tenant?)
    }

    /// What an edit makes of the network.
    struct Edited {
        var document: NetworkDocument
        var network: NetworkDescription
        /// From the network as it is.
        var difference: NetworkDifference
        var scope: Scope
        var isNew: Bool
    }

    func edited(_ edit: Edit, _ precondition: Precondition) throws -> Edited {
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
            if path.count >= 2, path[0] == "tenants" { return try edited(new, tenant: path[1], isNew: present == nil) }
            var edited = Edited(
                document: new, network: network, difference: NetworkDifference(remove: [], put: []), scope: .network, isNew: present == nil)
            if path.first == "hosts" {
                edited.network.hosts = try new.hosts()
                try edited.network.validate()
                edited.scope = .hosts
                edited.difference = NetworkDifference(
                    from: NetworkDescription(hosts: network.hosts), to: NetworkDescription(hosts: edited.network.hosts))
            } else {
                edited.network = try new.description()
                edited.difference = NetworkDifference(from: network, to: edited.network)
            }
            let count = edited.network.hosts.count
            if options.sets > 1, count > NumberSpace.hostLimit {
                throw NetworkFaults([NetworkFault(.none, "\(count) hosts, with several sets of datapaths at most \(NumberSpace.hostLimit)")])
            }
            return edited
        } catch let faults as NetworkFaults {
            throw InterfaceError.invalid(faults.faults)
        }
    }

    /// Judges one tenant of a document whose others are those of a network that is right.
    func edited(_ document: NetworkDocument, tenant name: String, isNew: Bool) throws(NetworkFaults) -> Edited {
        var network = self.network
        let place = network.tenants.firstIndex { $0.name == name }
        let old = place.map { network.tenants[$0] }
        guard let node = document.node(at: ["tenants", name]) else {
            if let place { network.tenants.remove(at: place) }
            return Edited(
                document: document, network: network, difference: NetworkDifference(from: old, to: nil), scope: .tenant(old: old, new: nil),
                isNew: isNew)
        }
        let read = NetworkFile.readTenant(name, node)
        var faults = read.faults
        if let tenant = read.tenant {
            do throws(NetworkFaults) { try network.validate(tenant, others: attachments) } catch { faults += error.faults }
        }
        guard faults.isEmpty, let tenant = read.tenant else { throw NetworkFaults(faults) }
        if let place { network.tenants[place] = tenant } else { network.tenants.append(tenant) }
        return Edited(
            document: document, network: network, difference: NetworkDifference(from: old, to: tenant), scope: .tenant(old: old, new: tenant),
            isNew: isNew)
    }

    public struct ChangeResult: Sendable {
        public var progress: Progress
        public var tag: String?
        /// The element was not there before.
        public var isNew: Bool
    }

    /// Times that a change is judged again when others' changes come first.
    private static let attemptLimit = 100

    /// Makes a change and acknowledges it; for the queue.
    public func change(_ edit: Edit, _ precondition: Precondition = Precondition()) throws -> ChangeResult {
        for _ in 0..<Self.attemptLimit {
            if let result = try changed(edit, precondition) { return result }
            do throws(StoreError) { try follow() } catch { throw InterfaceError.store("\(error)") }
        }
        throw InterfaceError.store("others' changes came first \(Self.attemptLimit) times")
    }

    /// The set under whose lease an edit is written: that of its tenant, or the first; a new tenant is put into one that this controller leads.
    private func set(for edit: Edit) throws(InterfaceError) -> (set: Int, sets: [Int]) {
        let path = edit.path
        if path.count >= 2, path[0] == "tenants", options.sets > 1 {
            if let set = tenantSets[path[1]] {
                guard led[set] != nil else { throw .notMaster(otherMaster(of: set)) }
                return (set, [set])
            }
            var counted = tenantSets
            counted.settle(network.tenants.map(\.name) + [path[1]], among: ledSets.isEmpty ? [1] : ledSets)
            guard let set = counted[path[1]], led[set] != nil else { throw .notMaster(otherMaster()) }
            return (set, [set])
        }
        guard led[1] != nil else { throw .notMaster(otherMaster()) }
        return (1, Array(1...options.sets))
    }

    /// nil: the store has gone on meanwhile.
    private func changed(_ edit: Edit, _ precondition: Precondition) throws -> ChangeResult? {
        let (writing, choice) = try set(for: edit)
        let edited = try edited(edit, precondition)
        let difference = edited.difference
        var sets = tenantSets
        sets.settle(edited.network.tenants.map(\.name), among: choice)
        if options.sets > 1 { try checkPorts(edited, sets) }
        var (put, removed) = sections(from: document, to: edited.document, edit)
        for i in put.indices { put[i].set = put[i].tenant.flatMap { sets[$0] } ?? 0 }
        if put.isEmpty, removed.isEmpty, difference.isEmpty {
            return ChangeResult(
                progress: Progress(revision: revision, summary: "nothing changes", changes: [], modifications: 0, hosts: [], waiting: []),
                tag: try? read(edit.path).tag, isNew: edited.isNew)
        }
        let (numbers, numberChanges) = hostNumbers.assigning(edited.network.hosts.map(\.name))
        let note = StoredChange.Note(
            time: Date().timeIntervalSince1970, summary: difference.summary,
            changes: Array(difference.lines.prefix(StoredChange.Note.changeLimit)))
        var change = StoredChange(
            note: note, basis: basis(of: edited, put, removed), put: put, removed: removed, hostNumbers: numberChanges,
            mastership: led[writing]!.mastership)
        if options.sets > 1 { (change.detached, change.attached) = attachments(changedBy: edited) }
        let new: UInt64
        do throws(StoreError) { new = try store.commit(change) } catch {
            switch error {
            case .conflict where options.sets > 1: return nil
            case .failed, .newerSchema: break
            case .notMaster, .conflict: loseLead(writing, "the change is not stored: \(error)")
            }
            throw InterfaceError.store("\(error)")
        }
        let before = tenantSets
        (document, network, tenantSets, hostNumbers) = (edited.document, edited.network, sets, numbers)
        for section in put { sectionRevisions[section.name] = new }
        for name in removed { sectionRevisions[name] = nil }
        // What others have written since the last look is followed later.
        if new == revision + 1 { revision = new }
        switch edited.scope {
        case .network: attachments = AttachmentIndex(network)
        case .hosts: break
        case .tenant(let old, let new): attachments.replace(old, with: new)
        }
        let outcomes: [LogicalController.Outcome]
        do throws(StoreError) { outcomes = try compute(difference.remove, difference.put, from: before, new) } catch {
            throw InterfaceError.store("\(error)")
        }
        let progress = begin(outcomes, difference, new)
        publish(outcomes)
        tellWatchers()
        return ChangeResult(progress: progress, tag: try? read(edit.path).tag, isNew: edited.isNew)
    }

    /// A tenant's change is right as long as it and the hosts are what they were, and its attachments are nobody else's.
    private func basis(of edited: Edited, _ put: [StoredSection], _ removed: [String]) -> StoredChange.Basis {
        guard options.sets > 1, case .tenant = edited.scope else { return .network(revision) }
        return .sections(
            Dictionary((put.map(\.name) + removed + ["hosts"]).map { ($0, sectionRevisions[$0] ?? 0) }, uniquingKeysWith: { a, _ in a }))
    }

    private func attachments(changedBy edited: Edited) -> (detached: [StoredChange.Attachment], attached: [StoredChange.Attachment]) {
        func all(_ tenants: [Tenant]) -> Set<StoredChange.Attachment> {
            Set(tenants.flatMap { t in AttachmentIndex.keys(of: t).map { StoredChange.Attachment(key: $0, tenant: t.name) } })
        }
        let (before, now) =
            switch edited.scope {
            case .network: (all(network.tenants), all(edited.network.tenants))
            case .hosts: (all([]), all([]))
            case .tenant(let old, let new): (all([old].compactMap(\.self)), all([new].compactMap(\.self)))
            }
        return (Array(before.subtracting(now)), Array(now.subtracting(before)))
    }

    /// Refuses more ports of a set on one host than there are numbers, whoever leads the set.
    private func checkPorts(_ edited: Edited, _ sets: TenantSets) throws(InterfaceError) {
        struct Place: Hashable {
            var set: Int
            var host: String
        }
        let concerned = Set(edited.difference.put.compactMap { $0.isPortOfHost ? $0.tenant.flatMap { sets[$0] } : nil })
        var counts: [Place: Int] = [:]
        for tenant in edited.network.tenants {
            guard let set = sets[tenant.name], concerned.contains(set) else { continue }
            for (_, _, port) in tenant.hostPorts { if let host = port.host { counts[Place(set: set, host: host), default: 0] += 1 } }
        }
        let faults = counts.filter { $0.value > NumberSpace.portsPerHost }.map { place, count in
            NetworkFault(
                .none, "host \(place.host) would have \(count) ports of one set of datapaths, and can have \(NumberSpace.portsPerHost)")
        }
        if !faults.isEmpty { throw .invalid(faults) }
    }

    /// Begins to watch how far a change comes.
    private func begin(_ outcomes: [LogicalController.Outcome], _ difference: NetworkDifference, _ revision: UInt64) -> Progress {
        let updates = outcomes.flatMap(\.updates)
        let told = Set(updates.map(\.host)).sorted()
        let connected = Set(physical.connectedHosts).union(channel.ledHosts)
        var progress = Progress(
            revision: revision, summary: difference.summary.isEmpty ? "nothing changes" : difference.summary,
            changes: Array(difference.lines.prefix(StoredChange.Note.changeLimit)),
            modifications: updates.reduce(0) { $0 + $1.modifications.count }, hosts: told, waiting: told)
        let waiting = Set(told).intersection(connected)
        if waiting.isEmpty { progress.millisecondsToForce = 0 } else { unsettled.insert(revision) }
        running[revision] = Running(progress: progress, began: DispatchTime.now().uptimeNanoseconds, waiting: waiting)
        running[revision &- UInt64(Self.progressLimit)] = nil
        unsettled.remove(revision &- UInt64(Self.progressLimit))
        return progress
    }

    /// What of the text is to be stored; for an element only its tenant, or the hosts, are looked at.
    func sections(from old: NetworkDocument, to new: NetworkDocument, _ edit: Edit) -> (put: [StoredSection], removed: [String]) {
        let path = edit.path
        if path.count >= 2, path[0] == "tenants", let now = new.section("tenant/" + path[1]) {
            // An element keeps its tenant's place, and a new tenant is the last.
            return (old.section(now.name) == now ? [] : [now], [])
        }
        if path.first == "hosts", let now = new.section("hosts") { return (old.section("hosts") == now ? [] : [now], []) }
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
        let choice = try set(for: edit).sets
        let edited = try edited(edit, precondition)
        let difference = edited.difference
        var sets = tenantSets
        sets.settle(edited.network.tenants.map(\.name), among: choice)
        var modifications: [String: Int] = [:]
        var gone: Set<String> = []
        for set in difference.isEmpty ? [] : Array(led.values) {
            for update in set.logical.plan(options.sets == 1 ? edited.network : sets.part(set.number, of: edited.network)) {
                modifications[update.host, default: 0] += update.modifications.count
                if update.isGone { gone.insert(update.host) }
            }
        }
        return Plan(
            revision: revision, summary: difference.isEmpty ? "nothing changes" : difference.summary, changes: difference.lines,
            modifications: modifications.values.reduce(0, +),
            hosts: modifications.filter { $0.value > 0 || gone.contains($0.key) }.sorted { $0.key < $1.key }.map {
                Plan.Host(host: $0.key, modifications: $0.value, isGone: gone.contains($0.key))
            })
    }
}
