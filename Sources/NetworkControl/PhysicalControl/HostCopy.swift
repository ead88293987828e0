import Translation

/// What is told of one host, by the controllers of several sets of datapaths.
///
/// Most facts are of one set. Some are said by all that need them: that the host is there, the ways to other hosts, the devices of these. They say the same, but for
/// the moments in which one controller has heard of a change of the hosts and another not yet; then what was told last counts, as one: the entries of an old way must not
/// be taken away when those of the new one have taken their places.
struct HostCopy {
    var number: UInt64
    /// By set.
    private(set) var said: [Int: Set<HostFact>] = [:]
    /// What holds of subjects that several sets speak of.
    private var common: [HostFact.Subject: Set<HostFact>] = [:]
    /// Those among the facts.
    private(set) var datapaths: Set<UInt64> = []

    init(number: UInt64) { self.number = number }

    /// What is true of the host.
    var facts: [HostFact] { said.values.flatMap { $0.lazy.filter { $0.subject == nil } } + common.values.flatMap { $0 } }

    /// Takes over what a set says; returns what this changes.
    mutating func change(set: Int, removed: some Sequence<HostFact>, added: some Sequence<HostFact>) -> HostDelta {
        var delta = HostDelta()
        var subjects: Set<HostFact.Subject> = []
        said[set, default: []].subtract(removed)
        said[set, default: []].formUnion(added)
        for fact in removed {
            if let subject = fact.subject { subjects.insert(subject) } else { delta.removed.append(fact) }
            if case .datapath(let d) = fact { datapaths.remove(d) }
        }
        for fact in added {
            if let subject = fact.subject { subjects.insert(subject) } else { delta.added.append(fact) }
            if case .datapath(let d) = fact { datapaths.insert(d) }
        }
        if !subjects.isEmpty { settle(subjects, newest: set, &delta) }
        return delta
    }

    private mutating func settle(_ subjects: Set<HostFact.Subject>, newest: Int, _ delta: inout HostDelta) {
        var now: [Int: [HostFact.Subject: Set<HostFact>]] = [:]
        for (set, facts) in said {
            for fact in facts {
                if let subject = fact.subject, subjects.contains(subject) { now[set, default: [:]][subject, default: []].insert(fact) }
            }
        }
        for subject in subjects {
            let before = common[subject] ?? []
            let versions = now.sorted { $0.key < $1.key }.compactMap { $0.value[subject] }
            let chosen = now[newest]?[subject] ?? (versions.contains(before) ? before : versions.first ?? [])
            if chosen == before { continue }
            common[subject] = chosen.isEmpty ? nil : chosen
            delta.removed += before.subtracting(chosen)
            delta.added += chosen.subtracting(before)
        }
    }

    /// A set says nothing any more.
    mutating func forget(set: Int) -> HostDelta {
        let all = said[set] ?? []
        let delta = change(set: set, removed: all, added: [])
        said[set] = nil
        return delta
    }
}

extension HostFact {
    /// What a fact is about that more than one set speaks of.
    enum Subject: Hashable {
        case member
        case way(remote: UInt64)
        case relay(remote: UInt64)
        case device(String)
    }

    var subject: Subject? {
        switch self {
        case .member: .member
        case .datapath, .port, .inLinePort, .flood: nil
        case .tunnel(let remote, _), .relayed(let remote, _, _): .way(remote: remote)
        case .watched(let way): .way(remote: way.remote)
        case .relay(let remote): .relay(remote: remote)
        case .device(let d): .device(d.name)
        }
    }
}
