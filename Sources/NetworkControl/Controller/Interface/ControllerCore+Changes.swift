import Dispatch
import Foundation
import LogicalNetwork
import NetworkFile
import Translation

/// Changes: judged, computed, stored, given out.
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

    /// What an edit makes of the network.
    struct Edited {
        var document: NetworkDocument
        var network: NetworkDescription
        /// From the network as it is.
        var difference: NetworkDifference
        /// The tenant that the edit is about; nil when it may be about all of them.
        var tenant: (old: Tenant?, new: Tenant?)?
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
            if let logical, path.count >= 2, path[0] == "tenants" { return try edited(new, tenant: path[1], logical.network, isNew: present == nil) }
            let network = try new.description()
            return Edited(document: new, network: network, difference: NetworkDifference(from: self.network, to: network), isNew: present == nil)
        } catch let faults as NetworkFaults {
            throw InterfaceError.invalid(faults.faults)
        }
    }

    /// Judges one tenant of a document whose others are those of a network that is right.
    func edited(
        _ document: NetworkDocument, tenant name: String, _ current: NetworkDescription, isNew: Bool
    ) throws(NetworkFaults) -> Edited {
        var network = current
        let place = network.tenants.firstIndex { $0.name == name }
        let old = place.map { network.tenants[$0] }
        guard let node = document.node(at: ["tenants", name]) else {
            if let place { network.tenants.remove(at: place) }
            return Edited(
                document: document, network: network, difference: NetworkDifference(from: old, to: nil), tenant: (old, nil), isNew: isNew)
        }
        let read = NetworkFile.readTenant(name, node)
        var faults = read.faults
        if let tenant = read.tenant {
            do throws(NetworkFaults) { try network.validate(tenant, others: attachments) } catch { faults += error.faults }
        }
        guard faults.isEmpty, let tenant = read.tenant else { throw NetworkFaults(faults) }
        if let place { network.tenants[place] = tenant } else { network.tenants.append(tenant) }
        return Edited(
            document: document, network: network, difference: NetworkDifference(from: old, to: tenant), tenant: (old, tenant), isNew: isNew)
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
        let difference = edited.difference
        let (put, removed) = sections(from: document, to: new, edit)
        if put.isEmpty, removed.isEmpty, difference.isEmpty {
            return ChangeResult(
                progress: Progress(revision: revision, summary: "nothing changes", changes: [], modifications: 0, hosts: [], waiting: []),
                tag: try? read(edit.path).tag, isNew: isNew)
        }
        let outcome = logical.apply(network, revision: revision + 1, difference: difference)
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

    func save(_ difference: NetworkDifference, put: [StoredSection], removed: [String], numbers: [AssignedNumber]) throws {
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
    func sections(from old: NetworkDocument, to new: NetworkDocument, _ edit: Edit) -> (put: [StoredSection], removed: [String]) {
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
        let difference = edited.difference
        let updates = difference.isEmpty ? [] : logical.plan(edited.network)
        return Plan(
            revision: revision, summary: difference.isEmpty ? "nothing changes" : difference.summary, changes: difference.lines,
            modifications: updates.reduce(0) { $0 + $1.modifications.count },
            hosts: updates.filter { !$0.modifications.isEmpty || $0.isGone }.map {
                Plan.Host(host: $0.host, modifications: $0.modifications.count, isGone: $0.isGone)
            })
    }
}
