import Flow
import LogicalNetwork
import TableEngine

/// What a change of the network came to before anything of it is customized: universal entries, and facts by host (spec 000-080, B119).
///
/// It is the same whoever asks; a receiver takes the part that its hosts are concerned by (000-056, H10).
public struct UniversalChange: Sendable {
    public struct Facts: Sendable {
        public var removed: [HostFact] = []
        public var added: [HostFact] = []
        public init() {}
    }
    public struct Entries: Sendable {
        public var removed: [FlowEntry] = []
        public var added: [FlowEntry] = []
    }
    /// By host.
    public var facts: [UInt64: Facts] = [:]
    /// Of datapaths that some host had before and has still: of others whoever gets them gets all.
    public var entries: [UniversalGroup: Entries] = [:]
    /// Hosts that had a datapath before and have it still.
    public var keepers: [UInt64: [UInt64]] = [:]
    /// Hosts that left the network, with their names.
    public var gone: [UInt64: String] = [:]

    /// The hosts that are concerned and still there.
    public var concerned: Set<UInt64> {
        var all = Set(facts.keys)
        for group in entries.keys { if group.host == 0 { all.formUnion(keepers[group.datapath] ?? []) } else { all.insert(group.host) } }
        return all.subtracting(gone.keys)
    }

    /// What changes for each host.
    public func deltas() -> [UInt64: HostDelta] {
        var all: [UInt64: HostDelta] = [:]
        for (host, change) in facts where gone[host] == nil {
            all[host, default: HostDelta()].removed = change.removed
            all[host, default: HostDelta()].added = change.added
        }
        for (group, change) in entries {
            for host in group.host == 0 ? keepers[group.datapath] ?? [] : [group.host] where gone[host] == nil {
                all[host, default: HostDelta()].removedEntries += change.removed
                all[host, default: HostDelta()].addedEntries += change.added
            }
        }
        return all
    }
}

extension NetworkTranslation: UniversalPlane {
    /// What changed since the last call, for all hosts.
    ///
    /// A row that changed costs its entries, written once, and nothing else.
    public func takeUniversalChange() -> UniversalChange {
        var change = UniversalChange()
        var addresses = HostAddresses()
        control.hosts.drainChanges { row, isPresent in
            let address = IPAddress(family: IPAddress.Family(rawValue: row[1])!, high: row[2], low: row[3])
            if isPresent { addresses.now[row[0]] = address } else { addresses.before[row[0]] = address }
        }
        for host in addresses.now.keys where addresses.before[host] == nil { change.add(.member, to: host) }
        for host in addresses.before.keys where addresses.now[host] == nil { change.gone[host] = input.hosts.name(host) ?? "" }
        var gained: Set<HostDatapath> = []
        forwarding.hostDatapaths.drainChanges { row, isPresent in
            if isPresent {
                change.add(.datapath(row[1]), to: row[0])
                gained.insert(HostDatapath(host: row[0], datapath: row[1]))
            } else {
                change.remove(.datapath(row[1]), from: row[0])
            }
        }
        collectPorts(&change)
        let unwatched = collectWatches(&change)
        collectTunnels(&change, addresses)
        for watch in unwatched { ports[watch.host]?.release(watch.port) }
        collectLocalFloods(&change)
        collectEntries(&change, gained)
        forwarding.portMACs.drainChanges { _, _ in }
        return change
    }

    /// Everything that is true of a host, devices excepted.
    public func facts(of host: UInt64) -> [HostFact] {
        var all: [HostFact] = [.member]
        numberPorts(of: host)
        let datapaths = datapaths(of: host)
        all += datapaths.map { .datapath($0) }
        forwarding.localPorts.forEach(portsByHost, [host]) { row in all.append(.port(localPort(row))) }
        forwarding.inLinePorts.forEach(inLinePortsByHost, [host]) { row in all.append(.inLinePort(inLinePort(row))) }
        forwarding.tunnels.forEach(tunnelsByHost, [host]) { row in
            if let address = hostAddress(row[1]) { all.append(.tunnel(remote: row[1], address: address)) }
        }
        forwarding.relayed.forEach(relayedByHost, [host]) { row in
            if let address = hostAddress(row[2]) { all.append(.relayed(remote: row[1], pool: row[2], address: address)) }
        }
        forwarding.relays.forEach(relaysByHost, [host]) { all.append(.relay(remote: $0[1])) }
        forwarding.watched.forEach(watchedByHost, [host]) { row in
            if let tunnel = watchedTunnel(row, hostAddress) { all.append(.watched(tunnel)) }
        }
        for d in datapaths {
            let members = floodMembers(host, d)
            if !members.isEmpty { all.append(.flood(datapath: d, ports: members, check: checks.ofFlood(d))) }
        }
        return all
    }

    public func universalEntries(_ group: UniversalGroup) -> [FlowEntry] {
        var writer = EntryWriter(extras: extras, checks: checks)
        for (section, index) in zip(sections, sectionsByDatapath) where (section.hostColumn == nil) == (group.host == 0) {
            section.relation.forEach(index, [group.datapath]) { row in
                if let column = section.hostColumn, row[column] != group.host { return }
                section.write(&writer, row)
            }
        }
        if group.host == 0, let flood = floodEntry(group.datapath) { writer.entries.append(flood) }
        return writer.entries
    }

    // MARK: - Collecting

    private struct HostDatapath: Hashable {
        var host: UInt64
        var datapath: UInt64
    }

    /// Underlay addresses that changed.
    private struct HostAddresses {
        var before: [UInt64: IPAddress] = [:]
        var now: [UInt64: IPAddress] = [:]
        /// Hosts that have another one.
        var moved: [UInt64] { before.keys.filter { now[$0] != nil }.sorted() }
    }

    func localPort(_ row: UnsafeBufferPointer<UInt64>) -> LocalPort {
        LocalPort(
            datapath: row[1], port: row[2], number: ports[row[0], default: HostPorts(numbers)].number(of: row[2]), check: checks.ofPort(row[2]),
            queue: row[3], rate: row[4])
    }

    func inLinePort(_ row: UnsafeBufferPointer<UInt64>) -> InLinePort {
        InLinePort(
            datapath: row[1], side: row[2], number: ports[row[0], default: HostPorts(numbers)].number(of: row[2]), check: checks.ofPort(row[2]),
            port: row[3],
            isRouter: row[4] == 1, distantHost: row[5], near: row[6], nearCheck: row[5] == 0 ? 0 : checks.ofPort(row[6]), stage: row[7])
    }

    private func collectPorts(_ change: inout UniversalChange) {
        // Numbers are given out in an order that does not depend on how tables lie in memory.
        var rows: [(row: [UInt64], isPresent: Bool, isInLine: Bool)] = []
        forwarding.localPorts.drainChanges { rows.append((Array($0), $1, false)) }
        forwarding.inLinePorts.drainChanges { rows.append((Array($0), $1, true)) }
        rows.sort { ($0.row[0], $0.row[2]) < ($1.row[0], $1.row[2]) }
        // A port that is changed in place keeps its number.
        var stays: Set<UInt64> = []
        for (row, isPresent, _) in rows where isPresent { stays.insert(row[0] << 32 | row[2]) }
        for (row, isPresent, isInLine) in rows {
            let fact = row.withUnsafeBufferPointer { isInLine ? HostFact.inLinePort(inLinePort($0)) : .port(localPort($0)) }
            if isPresent { change.add(fact, to: row[0]) } else { change.remove(fact, from: row[0]) }
        }
        for (row, isPresent, _) in rows where !isPresent && !stays.contains(row[0] << 32 | row[2]) { ports[row[0]]?.release(row[2]) }
        for host in change.gone.keys { ports[host] = nil }
    }

    /// - Parameter address: of a host, now or before a change.
    private func watchedTunnel(_ row: UnsafeBufferPointer<UInt64>, _ address: (UInt64) -> IPAddress?) -> WatchedTunnel? {
        guard let remote = address(row[1]), let pool = address(row[2]) else { return nil }
        func number(_ remote: UInt64) -> UInt32 { ports[row[0], default: HostPorts(numbers)].number(of: HostPorts.watch(remote)) }
        return WatchedTunnel(
            remote: row[1], address: remote, pool: row[2], poolAddress: pool, remoteNumber: number(row[1]), poolNumber: number(row[2]))
    }

    /// Gives the watches of hosts numbers; returns those that are no more, for their numbers to be given back after what names them.
    private func collectWatches(_ change: inout UniversalChange) -> [(host: UInt64, port: UInt64)] {
        var rows: [(host: UInt64, port: UInt64, isPresent: Bool)] = []
        forwarding.watches.drainChanges { row, isPresent in rows.append((row[0], HostPorts.watch(row[1]), isPresent)) }
        rows.sort { ($0.host, $0.port) < ($1.host, $1.port) }
        for row in rows where change.gone[row.host] == nil {
            // The host is concerned also when no entry of it changes.
            change.facts[row.host, default: .init()].added += []
            if row.isPresent { _ = ports[row.host, default: HostPorts(numbers)].number(of: row.port) }
        }
        return rows.filter { !$0.isPresent }.map { ($0.host, $0.port) }
    }

    private func collectTunnels(_ change: inout UniversalChange, _ addresses: HostAddresses) {
        func before(_ host: UInt64) -> IPAddress? { addresses.before[host] ?? hostAddress(host) }
        // Rows that came, of all three; those of tunnels are shorter, and a host is watched or relayed.
        var new: Set<[UInt64]> = []
        var result = change
        forwarding.tunnels.drainChanges { row, isPresent in
            if isPresent, let address = hostAddress(row[1]) {
                new.insert(Array(row))
                result.add(.tunnel(remote: row[1], address: address), to: row[0])
            } else if !isPresent, let address = before(row[1]) {
                result.remove(.tunnel(remote: row[1], address: address), from: row[0])
            }
        }
        forwarding.relayed.drainChanges { row, isPresent in
            if isPresent, let address = hostAddress(row[2]) {
                new.insert(Array(row))
                result.add(.relayed(remote: row[1], pool: row[2], address: address), to: row[0])
            } else if !isPresent, let address = before(row[2]) {
                result.remove(.relayed(remote: row[1], pool: row[2], address: address), from: row[0])
            }
        }
        forwarding.relays.drainChanges { row, isPresent in
            if isPresent { result.add(.relay(remote: row[1]), to: row[0]) } else { result.remove(.relay(remote: row[1]), from: row[0]) }
        }
        forwarding.watched.drainChanges { row, isPresent in
            if isPresent, let tunnel = watchedTunnel(row, hostAddress) {
                new.insert(Array(row))
                result.add(.watched(tunnel), to: row[0])
            } else if !isPresent, result.gone[row[0]] == nil, let tunnel = watchedTunnel(row, before) {
                result.remove(.watched(tunnel), from: row[0])
            }
        }
        if !addresses.moved.isEmpty {
            let moved = Set(addresses.moved)
            forwarding.watched.forEach { row in
                guard moved.contains(row[1]) || moved.contains(row[2]), !new.contains(Array(row)), let old = watchedTunnel(row, before),
                    let now = watchedTunnel(row, hostAddress)
                else { return }
                result.remove(.watched(old), from: row[0])
                result.add(.watched(now), to: row[0])
            }
        }
        // The tunnels of others to a host whose address changed.
        for host in addresses.moved {
            let (old, now) = (addresses.before[host]!, addresses.now[host]!)
            forwarding.tunnels.forEach { row in
                guard row[1] == host, !new.contains(Array(row)) else { return }
                result.remove(.tunnel(remote: host, address: old), from: row[0])
                result.add(.tunnel(remote: host, address: now), to: row[0])
            }
            forwarding.relayed.forEach { row in
                guard row[2] == host, !new.contains(Array(row)) else { return }
                result.remove(.relayed(remote: row[1], pool: host, address: old), from: row[0])
                result.add(.relayed(remote: row[1], pool: host, address: now), to: row[0])
            }
        }
        change = result
    }

    private func collectLocalFloods(_ change: inout UniversalChange) {
        var moves: [HostDatapath: (came: Set<UInt64>, went: Set<UInt64>)] = [:]
        forwarding.floodMembers.drainChanges { row, isPresent in
            let key = HostDatapath(host: row[0], datapath: row[1])
            if isPresent { moves[key, default: ([], [])].came.insert(row[2]) } else { moves[key, default: ([], [])].went.insert(row[2]) }
        }
        for (key, ports) in moves {
            let now = floodMembers(key.host, key.datapath)
            let before = Set(now).subtracting(ports.came).union(ports.went).sorted()
            let check = checks.ofFlood(key.datapath)
            if !before.isEmpty { change.remove(.flood(datapath: key.datapath, ports: before, check: check), from: key.host) }
            if !now.isEmpty { change.add(.flood(datapath: key.datapath, ports: now, check: check), to: key.host) }
        }
    }

    private func collectEntries(_ change: inout UniversalChange, _ gained: Set<HostDatapath>) {
        let checks = self.checks
        var result = change
        func keepers(_ datapath: UInt64) -> [UInt64] {
            if let known = result.keepers[datapath] { return known }
            var all: [UInt64] = []
            forwarding.hostDatapaths.forEach(hostsByDatapath, [datapath]) { row in
                if !gained.contains(HostDatapath(host: row[0], datapath: datapath)) { all.append(row[0]) }
            }
            result.keepers[datapath] = all
            return all
        }
        for section in sections {
            section.relation.drainChanges { row, isPresent in
                let hosts = keepers(row[0])
                var group = UniversalGroup(datapath: row[0])
                if let column = section.hostColumn {
                    guard hosts.contains(row[column]) else { return }
                    group.host = row[column]
                } else if hosts.isEmpty {
                    return
                }
                var writer = EntryWriter(extras: extras, checks: checks)
                section.write(&writer, row)
                if isPresent {
                    result.entries[group, default: .init()].added += writer.entries
                } else {
                    result.entries[group, default: .init()].removed += writer.entries
                }
            }
        }
        var floods: Set<UInt64> = []
        forwarding.floodHosts.drainChanges { row, _ in floods.insert(row[0]) }
        for datapath in floods.sorted() where !keepers(datapath).isEmpty {
            let group = UniversalGroup(datapath: datapath)
            if let entry = floodEntry(datapath) {
                result.entries[group, default: .init()].added.append(entry)
            } else if let entry = HostEntryWriter.floodHosts(datapath, hosts: [0], checks: checks) {
                // What it did does not matter when it goes.
                result.entries[group, default: .init()].removed.append(entry)
            }
        }
        change = result
    }
}

extension UniversalChange {
    fileprivate mutating func add(_ fact: HostFact, to host: UInt64) { facts[host, default: Facts()].added.append(fact) }
    fileprivate mutating func remove(_ fact: HostFact, from host: UInt64) { facts[host, default: Facts()].removed.append(fact) }
}
