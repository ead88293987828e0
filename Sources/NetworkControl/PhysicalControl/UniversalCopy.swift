import Flow
import Translation

/// What a physical controller, or a host in chassis mode, has of the universal plane: the entries of those datapaths that its hosts implement, and their facts.
///
/// Each set of datapaths may be told by another controller. A host counts as known once all sets have been told of it, so that none is given half of what it needs.
///
/// Invariant: after every update each host's program is what the logical controller's process would make it (tested on random edits). An update that does not fit
/// throws and leaves the copy as it was; what is missing is then asked for by digests. Used by one thread at a time.
///
/// Cost: an update costs its own size and, for each host that it concerns, the modifications that this host is told.
public final class UniversalCopy: UniversalPlane {
    private typealias Group = [FlowEntry.Identity: FlowEntry]

    /// Sets of datapaths that there are.
    public var setCount = 1
    /// Grows with every update; what hosts are told has it in place of a revision, since sets have revisions of their own.
    public private(set) var sequence: UInt64 = 0
    /// By set.
    public private(set) var revisions: [Int: UInt64] = [:]
    private var hosts: [String: HostCopy] = [:]
    private var groups: [UniversalGroup: Group] = [:]

    public init() {}

    public var hostNames: [String] { hosts.keys.sorted() }
    /// Whether all sets have told of the host.
    public func contains(_ host: String) -> Bool { hosts[host].map(isWhole) ?? false }
    private func isWhole(_ host: HostCopy) -> Bool { host.said.count >= setCount }
    /// The datapaths of which it has entries.
    public var datapaths: Set<UInt64> { Set(groups.keys.map(\.datapath)) }
    public func universalEntries(_ group: UniversalGroup) -> [FlowEntry] { groups[group].map { Array($0.values) } ?? [] }
    public func digests(set: Int) -> [ChannelMessage.GroupDigest] {
        groups.filter { setCount == 1 || NumberSpace.set(of: $0.key.datapath) == set }.map {
            .init(group: $0.key, digest: UniversalDigest($0.value.values))
        }
    }

    /// Everything that a host is to have; nil for one that is not here.
    public func snapshot(host name: String) -> HostSnapshot? {
        guard let host = hosts[name], isWhole(host) else { return nil }
        let facts = host.facts
        var devices: [HostDevice] = []
        for case .device(let d) in facts { devices.append(d) }
        return HostSnapshot(
            host: name, revision: sequence, program: HostCustomizer(host: host.number).program(facts, self),
            devices: devices.sorted { ($0.number, $0.name) < ($1.number, $1.name) })
    }

    /// Forgets what a set has told of a host, and the entries that only it needed.
    public func forget(_ name: String, set: Int) {
        guard hosts[name] != nil else { return }
        _ = hosts[name]!.forget(set: set)
        if hosts[name]!.said.isEmpty { hosts[name] = nil }
        dropUnneeded()
    }

    /// What changed of a host's entries and devices; nil: it has to be compared, since it is known by another number now.
    public typealias Outcome = (host: String, update: HostUpdate?)

    /// Takes an update over, as a whole or not at all; returns what each host that it concerns, and that is known, is to do.
    public func apply(_ update: UniversalUpdate) throws(ChannelError) -> [Outcome] {
        try check(update)
        sequence += 1
        var deltas: [String: HostDelta] = [:]
        var gone: [String] = []
        var renumbered: Set<String> = []
        // Hosts of before, and the datapaths that they had.
        var had: [String: Set<UInt64>] = [:]
        var mayLeave = false
        for part in update.hosts {
            guard !part.isGone else {
                if let old = hosts[part.name] {
                    _ = hosts[part.name]!.forget(set: update.set)
                    if hosts[part.name]!.said.isEmpty { hosts[part.name] = nil }
                    if isWhole(old) || hosts[part.name] == nil { gone.append(part.name) }
                } else {
                    gone.append(part.name)
                }
                mayLeave = true
                continue
            }
            var host = hosts.removeValue(forKey: part.name) ?? HostCopy(number: part.number)
            let wasWhole = isWhole(host)
            had[part.name] = wasWhole ? host.datapaths : []
            if host.number != part.number {
                if wasWhole { renumbered.insert(part.name) }
                host.number = part.number
                mayLeave = true
            }
            var (removed, added) = (Set(part.removed), Set(part.added))
            if part.isWhole {
                let old = host.said[update.set] ?? []
                (removed, added) = (old.subtracting(added), added.subtracting(old))
            }
            mayLeave = mayLeave || removed.contains { if case .datapath = $0 { true } else { false } }
            let delta = host.change(set: update.set, removed: removed, added: added)
            hosts[part.name] = host
            guard isWhole(host) else { continue }
            // One that was not known before gets everything.
            var everything = HostDelta()
            if !wasWhole { everything.added = host.facts }
            deltas[part.name] = wasWhole ? delta : everything
        }
        let changes = update.groups.map { key, entries in (key: key, change: Self.change(&groups[key], by: entries)) }
        // Hosts are told of entries of datapaths that they had and have.
        if !changes.isEmpty {
            for (name, host) in hosts where isWhole(host) {
                let now = host.datapaths
                let kept = had[name]?.intersection(now) ?? now
                for (key, change) in changes where kept.contains(key.datapath) && (key.host == 0 || key.host == host.number) {
                    deltas[name, default: HostDelta()].removedEntries += change.removed
                    deltas[name, default: HostDelta()].addedEntries += change.added
                }
            }
        }
        revisions[update.set] = update.revision
        let outcomes: [Outcome] =
            gone.map { ($0, HostUpdate(host: $0, revision: sequence, modifications: [], closed: [], opened: [], isGone: true)) }
            + deltas.map { name, delta in
                if renumbered.contains(name) { return (name, nil) }
                let devices = HostCustomizer.devices(delta.removed, delta.added)
                return (
                    name,
                    HostUpdate(
                        host: name, revision: sequence, modifications: HostCustomizer(host: hosts[name]!.number).modifications(delta, self),
                        closed: devices.closed, opened: devices.opened, isGone: false)
                )
            }
        // Only hosts that went or lost a datapath leave something behind.
        if mayLeave { dropUnneeded() }
        return outcomes.sorted { $0.host < $1.host }
    }

    /// Throws for an update that does not fit to what is here.
    private func check(_ update: UniversalUpdate) throws(ChannelError) {
        var names: Set<String> = []
        for part in update.hosts {
            guard names.insert(part.name).inserted else { throw ChannelError("host \(part.name) is told twice") }
            if part.isGone { continue }
            if !part.isWhole {
                let old = hosts[part.name]
                let facts = old?.said[update.set] ?? []
                if let old, !facts.isEmpty, old.number != part.number {
                    throw ChannelError("host \(part.name) has number \(old.number), not \(part.number)")
                }
                let removed = Set(part.removed)
                for fact in part.removed where !facts.contains(fact) { throw ChannelError("host \(part.name) has no such fact: \(fact)") }
                for fact in part.added where facts.contains(fact) && !removed.contains(fact) {
                    throw ChannelError("host \(part.name) has that fact already: \(fact)")
                }
            }
            for case .datapath(let d) in part.added {
                let group = UniversalGroup(datapath: d)
                if groups[group] == nil, update.groups[group]?.isWhole != true {
                    throw ChannelError("host \(part.name) has a datapath \(d), whose entries are not told")
                }
            }
        }
        for (key, entries) in update.groups where !entries.isWhole {
            guard let group = groups[key] else { throw ChannelError("a change of entries that are not here") }
            for e in entries.removed where group[e.identity] == nil { throw ChannelError("there is no such entry: \(FlowText.text(e))") }
        }
    }

    /// The entries that go and those that come.
    private static func change(_ group: inout Group?, by entries: UniversalUpdate.Entries) -> (removed: [FlowEntry], added: [FlowEntry]) {
        if entries.isWhole {
            let new = Dictionary(entries.added.map { ($0.identity, $0) }) { $1 }
            let old = group ?? [:]
            group = new
            return (old.values.filter { new[$0.identity] == nil }, new.values.filter { old[$0.identity] != $0 })
        }
        for e in entries.removed { group![e.identity] = nil }
        for e in entries.added { group![e.identity] = e }
        return (entries.removed, entries.added)
    }

    private func dropUnneeded() {
        var needed: Set<UniversalGroup> = []
        for host in hosts.values {
            for d in host.datapaths {
                needed.insert(UniversalGroup(datapath: d))
                needed.insert(UniversalGroup(datapath: d, host: host.number))
            }
        }
        groups = groups.filter { needed.contains($0.key) }
    }
}
