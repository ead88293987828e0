import Flow
import Translation

/// What a physical controller, or a host in chassis mode, has of the universal plane: the entries of those datapaths that its hosts implement, and their facts.
///
/// Invariant: after every update each host's program is what the logical controller's process would make it (tested on random edits). An update that does not fit
/// throws and leaves the copy as it was; what is missing is then asked for by digests. Used by one thread at a time.
///
/// Cost: an update costs its own size and, for each host that it concerns, the modifications that this host is told.
public final class UniversalCopy: UniversalPlane {
    private struct HostCopy {
        var number: UInt64
        var facts: Set<HostFact>
        /// Those among the facts.
        var datapaths: Set<UInt64> = []

        mutating func findDatapaths() {
            datapaths = []
            for case .datapath(let d) in facts { datapaths.insert(d) }
        }
    }
    private typealias Group = [FlowEntry.Identity: FlowEntry]

    public private(set) var revision: UInt64 = 0
    private var hosts: [String: HostCopy] = [:]
    private var groups: [UniversalGroup: Group] = [:]

    public init() {}

    public var hostNames: [String] { hosts.keys.sorted() }
    public func contains(_ host: String) -> Bool { hosts[host] != nil }
    /// The datapaths of which it has entries.
    public var datapaths: Set<UInt64> { Set(groups.keys.map(\.datapath)) }
    public func universalEntries(_ group: UniversalGroup) -> [FlowEntry] { groups[group].map { Array($0.values) } ?? [] }
    public var digests: [ChannelMessage.GroupDigest] { groups.map { .init(group: $0.key, digest: UniversalDigest($0.value.values)) } }

    /// Everything that a host is to have; nil for one that is not here.
    public func snapshot(host name: String) -> HostSnapshot? {
        guard let host = hosts[name] else { return nil }
        var devices: [HostDevice] = []
        for case .device(let d) in host.facts { devices.append(d) }
        return HostSnapshot(
            host: name, revision: revision, program: HostCustomizer(host: host.number).program(host.facts, self),
            devices: devices.sorted { ($0.number, $0.name) < ($1.number, $1.name) })
    }

    /// Forgets a host, and the entries that only it needed.
    public func forget(_ name: String) {
        guard hosts.removeValue(forKey: name) != nil else { return }
        dropUnneeded()
    }

    /// What changed of a host's entries and devices; nil: it has to be compared, since it is known by another number now.
    public typealias Outcome = (host: String, update: HostUpdate?)

    /// Takes an update over, as a whole or not at all; returns what each host that it concerns is to do.
    public func apply(_ update: UniversalUpdate) throws(ChannelError) -> [Outcome] {
        try check(update)
        var deltas: [String: HostDelta] = [:]
        var gone: [String] = []
        var renumbered: Set<String> = []
        // Hosts of before, and the datapaths that they had.
        var had: [String: Set<UInt64>] = [:]
        for part in update.hosts {
            guard !part.isGone else {
                hosts[part.name] = nil
                gone.append(part.name)
                continue
            }
            var delta = HostDelta()
            if let old = hosts[part.name] {
                if old.number != part.number { renumbered.insert(part.name) }
                had[part.name] = old.datapaths
            } else {
                had[part.name] = []
                hosts[part.name] = HostCopy(number: part.number, facts: [])
            }
            if part.isWhole {
                let (new, old) = (Set(part.added), hosts[part.name]!.facts)
                delta.removed = Array(old.subtracting(new))
                delta.added = Array(new.subtracting(old))
                hosts[part.name]!.facts = new
            } else {
                (delta.removed, delta.added) = (part.removed, part.added)
                hosts[part.name]!.facts.subtract(part.removed)
                hosts[part.name]!.facts.formUnion(part.added)
            }
            hosts[part.name]!.number = part.number
            hosts[part.name]!.findDatapaths()
            deltas[part.name] = delta
        }
        let changes = update.groups.map { key, entries in (key: key, change: Self.change(&groups[key], by: entries)) }
        // Hosts are told of entries of datapaths that they had and have.
        if !changes.isEmpty {
            for (name, host) in hosts {
                let now = host.datapaths
                let kept = had[name]?.intersection(now) ?? now
                for (key, change) in changes where kept.contains(key.datapath) && (key.host == 0 || key.host == host.number) {
                    deltas[name, default: HostDelta()].removedEntries += change.removed
                    deltas[name, default: HostDelta()].addedEntries += change.added
                }
            }
        }
        revision = update.revision
        let outcomes: [Outcome] =
            gone.map { ($0, HostUpdate(host: $0, revision: revision, modifications: [], closed: [], opened: [], isGone: true)) }
            + deltas.map { name, delta in
                if renumbered.contains(name) { return (name, nil) }
                let devices = HostCustomizer.devices(delta.removed, delta.added)
                return (
                    name,
                    HostUpdate(
                        host: name, revision: revision, modifications: HostCustomizer(host: hosts[name]!.number).modifications(delta, self),
                        closed: devices.closed, opened: devices.opened, isGone: false)
                )
            }
        // Only hosts that went or lost a datapath leave something behind.
        let mayLeave = !gone.isEmpty || deltas.values.contains { $0.removed.contains { if case .datapath = $0 { true } else { false } } }
        if mayLeave || !renumbered.isEmpty { dropUnneeded() }
        return outcomes.sorted { $0.host < $1.host }
    }

    /// Throws for an update that does not fit to what is here.
    private func check(_ update: UniversalUpdate) throws(ChannelError) {
        var names: Set<String> = []
        for part in update.hosts {
            guard names.insert(part.name).inserted else { throw ChannelError("host \(part.name) is told twice") }
            if part.isGone { continue }
            let old = hosts[part.name]
            if !part.isWhole {
                if let old, old.number != part.number { throw ChannelError("host \(part.name) has number \(old.number), not \(part.number)") }
                let facts = old?.facts ?? []
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
