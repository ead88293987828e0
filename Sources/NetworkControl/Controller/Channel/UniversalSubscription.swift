import Flow
import PhysicalControl
import Translation

/// What one receiver of universal data has been told of one set of datapaths: which hosts it asked for and which datapaths these need, so that it
/// gets those and no others (spec 000-056, H10).
///
/// Invariant: what it has been told together is the facts of its hosts, and the groups of every datapath that one of them implements. Cost of a change: its size,
/// and a look at the receiver's hosts for each datapath that it touches.
public struct UniversalSubscription {
    private struct Member {
        var name: String
        var datapaths: Set<UInt64>
    }
    private var names: Set<String> = []
    /// Those of the hosts that are in the network.
    private var members: [UInt64: Member] = [:]

    public init() {}

    /// Adds hosts; gives everything of them that it does not have.
    ///
    /// - Parameter have: what the receiver has from before: groups that are the same are not told.
    public mutating func subscribe(_ hosts: [String], have: [UniversalGroup: UniversalDigest] = [:], _ logical: LogicalController) -> UniversalUpdate
    {
        var update = UniversalUpdate(revision: logical.revision, set: logical.set)
        func tell(_ group: UniversalGroup) {
            var entries = UniversalUpdate.Entries(isWhole: true)
            entries.added = logical.translation.universalEntries(group)
            if let had = have[group], had == UniversalDigest(entries.added) { return }
            update.groups[group] = entries
        }
        for name in hosts where names.insert(name).inserted {
            guard let number = logical.translation.hostNumber(name), let facts = logical.facts(host: name) else {
                var part = ChannelMessage.HostPart(name: name, number: 0)
                part.isGone = true
                update.hosts.append(part)
                continue
            }
            var part = ChannelMessage.HostPart(name: name, number: number)
            part.isWhole = true
            part.added = facts
            update.hosts.append(part)
            var member = Member(name: name, datapaths: [])
            for case .datapath(let d) in facts {
                member.datapaths.insert(d)
                if !members.values.contains(where: { $0.datapaths.contains(d) }) { tell(UniversalGroup(datapath: d)) }
                tell(UniversalGroup(datapath: d, host: number))
            }
            members[number] = member
        }
        return update
    }

    public func contains(_ host: String) -> Bool { names.contains(host) }
    public var count: Int { names.count }

    public mutating func unsubscribe(_ host: String) {
        guard names.remove(host) != nil else { return }
        members = members.filter { $0.value.name != host }
    }

    /// The part of a change that concerns the receiver; nil when nothing does.
    public mutating func update(_ change: UniversalChange, _ logical: LogicalController) -> UniversalUpdate? {
        var update = UniversalUpdate(revision: logical.revision, set: logical.set)
        let before = members
        var gained: [(host: UInt64, datapath: UInt64)] = []
        for (host, name) in change.gone.sorted(by: { $0.key < $1.key }) where members.removeValue(forKey: host) != nil {
            var part = ChannelMessage.HostPart(name: name, number: host)
            part.isGone = true
            update.hosts.append(part)
        }
        for (host, facts) in change.facts where change.gone[host] == nil {
            if members[host] == nil {
                let name = logical.translation.hostName(host)
                guard names.contains(name) else { continue }
                members[host] = Member(name: name, datapaths: [])
            }
            var part = ChannelMessage.HostPart(name: members[host]!.name, number: host)
            (part.removed, part.added) = (facts.removed, facts.added)
            update.hosts.append(part)
            for case .datapath(let d) in facts.removed { members[host]!.datapaths.remove(d) }
            for case .datapath(let d) in facts.added {
                members[host]!.datapaths.insert(d)
                gained.append((host, d))
            }
        }
        let now = members
        func isKept(_ datapath: UInt64, by host: UInt64) -> Bool {
            before[host]?.datapaths.contains(datapath) == true && now[host]?.datapaths.contains(datapath) == true
        }
        func isKept(_ datapath: UInt64) -> Bool { before.keys.contains { isKept(datapath, by: $0) } }
        for (group, entries) in change.entries where group.host == 0 ? isKept(group.datapath) : isKept(group.datapath, by: group.host) {
            var part = UniversalUpdate.Entries()
            (part.removed, part.added) = (entries.removed, entries.added)
            update.groups[group] = part
        }
        for (host, datapath) in gained {
            for group in [UniversalGroup(datapath: datapath), UniversalGroup(datapath: datapath, host: host)] {
                if update.groups[group] != nil || group.host == 0 && isKept(datapath) { continue }
                var part = UniversalUpdate.Entries(isWhole: true)
                part.added = logical.translation.universalEntries(group)
                update.groups[group] = part
            }
        }
        update.hosts.sort { $0.name < $1.name }
        return update.isEmpty ? nil : update
    }
}
