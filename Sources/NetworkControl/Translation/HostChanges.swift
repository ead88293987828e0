import Flow
import LogicalNetwork
import TableEngine

/// What a host's forwarding element is to do after the network changed, in order; one transaction.
public struct HostChange: Sendable {
    public var host: String
    public var address: IPAddress
    /// Logical ports that are on it and tunnels that it watches, with the numbers that entries know them by.
    public var ports: [(port: UInt64, number: UInt32)]
    public var modifications: [FlowModification]
    /// The host is not part of the network any more.
    public var isGone = false
}

extension NetworkTranslation {
    /// The changes of all hosts' entries since the last call (the *exporter*; spec 000-080, B119).
    ///
    /// Only hosts that are concerned are named (000-056). A row that changed costs its hosts its entries and nothing else; a host that needs a datapath for
    /// the first time gets all of it, and one that no longer does drops it by the datapath in the cookies.
    public func takeChanges() -> [HostChange] {
        var collector = ChangeCollector()
        let f = forwarding
        var addressed: [UInt64: Int] = [:]
        control.hosts.drainChanges { row, isPresent in addressed[row[0], default: 0] += isPresent ? 1 : -1 }
        for (host, sign) in addressed.sorted(by: { $0.key < $1.key }) {
            if sign > 0 { collector.appeared.insert(host) } else if sign < 0 { collector.gone.insert(host) } else { collector.moved.insert(host) }
        }
        f.hostDatapaths.drainChanges { row, isPresent in
            if isPresent {
                collector.gained[row[0], default: []].insert(row[1])
            } else {
                collector.lost[row[0], default: []].insert(row[1])
            }
        }
        collectHostRows(&collector)
        collectUniversalRows(&collector)
        f.portMACs.drainChanges { _, _ in }
        return finish(&collector)
    }

    private struct ChangeCollector {
        var appeared: Set<UInt64> = []
        var gone: Set<UInt64> = []
        /// Hosts with another address.
        var moved: Set<UInt64> = []
        var gained: [UInt64: Set<UInt64>] = [:]
        var lost: [UInt64: Set<UInt64>] = [:]
        var removals: [UInt64: [FlowModification]] = [:]
        var additions: [UInt64: [FlowModification]] = [:]
        var releases: [(host: UInt64, port: UInt64)] = []
        var hosts: Set<UInt64> {
            appeared.union(gone).union(gained.keys).union(lost.keys).union(removals.keys).union(additions.keys).union(moved)
        }

        mutating func add(_ program: HostProgram, to host: UInt64) {
            additions[host, default: []] += program.meters.map { .addMeter($0) } + program.entries.map { .flow(.add, $0) }
        }
        mutating func remove(_ program: HostProgram, from host: UInt64) {
            removals[host, default: []] += program.entries.map { .flow(.deleteStrict, $0) } + program.meters.map { .deleteMeter($0.id) }
        }
    }

    private func collectHostRows(_ c: inout ChangeCollector) {
        let checks = self.checks
        let f = forwarding
        var collector = c
        // A port that is changed in place keeps its number.
        var stays: Set<UInt64> = []
        var rows: [(row: [UInt64], isPresent: Bool, isInLine: Bool)] = []
        f.localPorts.drainChanges { rows.append((Array($0), $1, false)) }
        f.inLinePorts.drainChanges { rows.append((Array($0), $1, true)) }
        rows.sort { ($0.row[0], $0.row[2]) < ($1.row[0], $1.row[2]) }
        for (row, isPresent, _) in rows where isPresent { stays.insert(row[0] << 32 | row[2]) }
        for (row, isPresent, isInLine) in rows {
            let number = ports[row[0], default: HostPorts()].number(of: row[2])
            var writer = HostEntryWriter(host: row[0], checks: checks)
            row.withUnsafeBufferPointer { isInLine ? writer.inLinePort($0, number: number) : writer.localPort($0, number: number) }
            if isPresent {
                collector.add(writer.program, to: row[0])
            } else {
                collector.remove(writer.program, from: row[0])
                if !stays.contains(row[0] << 32 | row[2]) { collector.releases.append((row[0], row[2])) }
            }
        }
        f.tunnels.drainChanges { row, isPresent in
            var writer = HostEntryWriter(host: row[0], checks: checks)
            // Of a host that is gone, the entries are found without its address.
            if isPresent, let address = hostAddress(row[1]) {
                writer.tunnel(to: row[1], address: address)
                collector.add(writer.program, to: row[0])
            } else if !isPresent {
                collector.removals[row[0], default: []].append(Self.deletion(Cookie(.tunnel, datapath: 0, detail: row[1]), mask: .max))
            }
        }
        f.relayed.drainChanges { row, isPresent in
            if isPresent, let address = hostAddress(row[2]) {
                var writer = HostEntryWriter(host: row[0], checks: checks)
                writer.relayed(to: row[1], pool: row[2], address: address)
                collector.add(writer.program, to: row[0])
            } else if !isPresent {
                collector.removals[row[0], default: []].append(Self.deletion(HostEntryWriter.relayedCookie(to: row[1], pool: row[2]), mask: .max))
            }
        }
        f.relays.drainChanges { row, isPresent in
            if isPresent {
                var writer = HostEntryWriter(host: row[0], checks: checks)
                writer.relay(for: row[1])
                collector.add(writer.program, to: row[0])
            } else {
                collector.removals[row[0], default: []].append(Self.deletion(HostEntryWriter.relayCookie(for: row[1]), mask: .max))
            }
        }
        f.watches.drainChanges { row, isPresent in
            let port = HostPorts.watch(row[1])
            // Noted for the host also when no entry of it changes.
            collector.additions[row[0], default: []] += []
            if isPresent { _ = ports[row[0], default: HostPorts()].number(of: port) } else { collector.releases.append((row[0], port)) }
        }
        f.watched.drainChanges { row, isPresent in
            if isPresent {
                collector.add(watchedProgram(row[0], row[1], row[2]), to: row[0])
            } else {
                collector.removals[row[0], default: []].append(Self.deletion(HostEntryWriter.choiceCookie(to: row[1], pool: row[2]), mask: .max))
            }
        }
        if !collector.moved.isEmpty {
            f.watched.forEach { row in
                guard collector.moved.contains(row[1]) || collector.moved.contains(row[2]) else { return }
                collector.removals[row[0], default: []].append(Self.deletion(HostEntryWriter.choiceCookie(to: row[1], pool: row[2]), mask: .max))
                collector.add(watchedProgram(row[0], row[1], row[2]), to: row[0])
            }
        }
        // The tunnels of others to a host whose address changed.
        for remote in collector.moved {
            guard let address = hostAddress(remote) else { continue }
            f.tunnels.forEach { row in
                guard row[1] == remote else { return }
                var writer = HostEntryWriter(host: row[0], checks: checks)
                writer.tunnel(to: remote, address: address)
                collector.removals[row[0], default: []].append(Self.deletion(Cookie(.tunnel, datapath: 0, detail: remote), mask: .max))
                collector.add(writer.program, to: row[0])
            }
        }
        for pool in collector.moved {
            guard let address = hostAddress(pool) else { continue }
            f.relayed.forEach { row in
                guard row[2] == pool else { return }
                var writer = HostEntryWriter(host: row[0], checks: checks)
                writer.relayed(to: row[1], pool: pool, address: address)
                collector.removals[row[0], default: []].append(Self.deletion(HostEntryWriter.relayedCookie(to: row[1], pool: pool), mask: .max))
                collector.add(writer.program, to: row[0])
            }
        }
        var floods: Set<[UInt64]> = []
        f.floodMembers.drainChanges { row, _ in floods.insert([row[0], row[1]]) }
        for key in floods {
            var writer = HostEntryWriter(host: key[0], checks: checks)
            let members = floodMembers(key[0], key[1])
            if members.isEmpty {
                collector.removals[key[0], default: []].append(Self.deletion(Cookie(.localFlood, datapath: key[1]), mask: .max))
            } else {
                writer.localFlood(key[1], ports: members)
                collector.add(writer.program, to: key[0])
            }
        }
        c = collector
    }

    /// The entries of a watched tunnel.
    func watchedProgram(_ host: UInt64, _ remote: UInt64, _ pool: UInt64) -> HostProgram {
        guard let address = hostAddress(remote), let poolAddress = hostAddress(pool) else { return HostProgram() }
        var writer = HostEntryWriter(host: host, checks: checks)
        let numbers = (
            remote: ports[host, default: HostPorts()].number(of: HostPorts.watch(remote)),
            pool: ports[host, default: HostPorts()].number(of: HostPorts.watch(pool))
        )
        writer.watched(to: remote, address: address, pool: pool, poolAddress: poolAddress, numbers: numbers)
        return writer.program
    }

    private static func deletion(_ cookie: Cookie, mask: UInt64) -> FlowModification {
        .flow(.delete, FlowEntry(table: 0, priority: 0, match: .any, cookie: cookie.value), anyTable: true, cookieMask: mask)
    }

    private func collectUniversalRows(_ c: inout ChangeCollector) {
        let checks = self.checks
        var collector = c
        // Hosts that had a datapath before and have it now, by datapath.
        var keepers: [UInt64: [UInt64]] = [:]
        func hosts(of datapath: UInt64) -> [UInt64] {
            if let known = keepers[datapath] { return known }
            var all: [UInt64] = []
            forwarding.hostDatapaths.forEach(hostsByDatapath, [datapath]) { row in
                if collector.gained[row[0]]?.contains(datapath) != true { all.append(row[0]) }
            }
            keepers[datapath] = all
            return all
        }
        for section in sections {
            section.relation.drainChanges { row, isPresent in
                var hosts = hosts(of: row[0])
                if let column = section.hostColumn { hosts = hosts.contains(row[column]) ? [row[column]] : [] }
                if hosts.isEmpty { return }
                var writer = EntryWriter(extras: extras, checks: checks)
                section.write(&writer, row)
                let program = HostProgram(entries: writer.entries)
                for host in hosts { if isPresent { collector.add(program, to: host) } else { collector.remove(program, from: host) } }
            }
        }
        var floods: Set<UInt64> = []
        forwarding.floodHosts.drainChanges { row, _ in floods.insert(row[0]) }
        for datapath in floods.sorted() {
            let entry = floodEntry(datapath)
            for host in hosts(of: datapath) {
                if let entry {
                    collector.additions[host, default: []].append(.flow(.add, entry))
                } else {
                    collector.removals[host, default: []].append(
                        .flow(
                            .delete,
                            FlowEntry(table: Stage.floodMapping.rawValue, priority: 0, match: .any, cookie: Cookie(.flood, datapath: datapath).value),
                            cookieMask: .max))
                }
            }
        }
        for (host, datapaths) in collector.gained {
            for datapath in datapaths.sorted() where collector.lost[host]?.contains(datapath) != true {
                collector.add(HostProgram(entries: universalEntries(datapath: datapath, host: host)), to: host)
            }
        }
        for (host, datapaths) in collector.lost {
            // The entries of its own for that datapath go by themselves, so these are the universal ones: kinds of hosts are told apart.
            for datapath in datapaths.sorted() where collector.gained[host]?.contains(datapath) != true {
                for kind in EntryKind.allCases where kind.isUniversal {
                    collector.removals[host, default: []].append(
                        Self.deletion(Cookie(kind, datapath: datapath), mask: 0xff00_0000_0000_0000 | Cookie.datapathMask))
                }
            }
        }
        c = collector
    }

    private func finish(_ c: inout ChangeCollector) -> [HostChange] {
        var changes: [HostChange] = []
        for host in c.hosts.sorted() {
            let name = input.hosts.name(host) ?? ""
            if c.gone.contains(host) {
                ports[host] = nil
                changes.append(HostChange(host: name, address: IPAddress(family: .ipv4, low: 0), ports: [], modifications: [], isGone: true))
                continue
            }
            guard let address = hostAddress(host) else { continue }
            if c.appeared.contains(host) {
                var writer = HostEntryWriter(host: host, checks: checks)
                writer.base()
                c.add(writer.program, to: host)
            }
            for release in c.releases where release.host == host { ports[host]?.release(release.port) }
            let numbers = (ports[host]?.all ?? [:]).sorted { $0.value < $1.value }.map { (port: $0.key, number: $0.value) }
            changes.append(
                HostChange(
                    host: name, address: address, ports: numbers, modifications: (c.removals[host] ?? []) + (c.additions[host] ?? [])))
        }
        return changes
    }

    /// The logical port behind a port number of a host.
    public func logicalPort(host: String, number: UInt32) -> UInt64? {
        guard let host = input.hosts.existing(host) else { return nil }
        return ports[host]?.port(number).flatMap { HostPorts.isWatch($0) ? nil : $0 }
    }
}

extension EntryKind {
    /// Whether entries of the kind are the same on every host.
    public var isUniversal: Bool {
        switch self {
        case .localPort, .arrival, .tunnel, .localFlood, .tunnelChoice: false
        default: true
        }
    }

    /// Whether only the host needs them where the port's packets come in.
    public var isOfIngressPort: Bool { self == .portSecurity || self == .addressSecurity }
}
