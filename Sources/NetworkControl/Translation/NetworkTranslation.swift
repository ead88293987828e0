import Flow
import LogicalNetwork
import TableEngine

/// A network as flow entries: takes what was asked for, keeps all planes up to date by the changes, and writes the entries of any host.
///
/// LCP (`ControlTables`) → LFP (`ForwardingTables`) by `NetworkRules`; LFP → UPCP by `EntryWriter`; UPCP → CPCP by `HostCustomizer`, which
/// chooses the datapaths that a host needs and adds what is the host's own. The universal entries are kept as rows and written when asked for, so that a host costs nothing
/// until something is sent to it.
///
/// Invariant: after every change all tables are those of a full computation (tested on random edits). Used by one thread at a time.
public final class NetworkTranslation {
    public let engine = TableEngine()
    public let numbers: NumberSpace
    let control: ControlTables
    let forwarding: ForwardingTables
    let extras: Interner<AccessExtras>
    let nextHops: Interner<NextHopKey>
    var input: InputTranslation
    let sections: [EntryWriter.Section]
    private var elements: [String: NetworkElement] = [:]
    /// Next hops whose numbers `takeAssignedNumbers` has told.
    var toldNextHops = 0
    /// By host.
    var ports: [UInt64: HostPorts] = [:]

    let portsByHost: RowIndex
    let inLinePortsByHost: RowIndex
    let tunnelsByHost: RowIndex
    let relayedByHost: RowIndex
    let relaysByHost: RowIndex
    let watchedByHost: RowIndex
    let watchesByHost: RowIndex
    let datapathsByHost: RowIndex
    let hostsByDatapath: RowIndex
    let membersByHost: RowIndex
    let floodHostsByDatapath: RowIndex
    let hostsByNumber: RowIndex
    let sectionsByDatapath: [RowIndex]
    let addressesByPort: RowIndex

    /// - Parameters:
    ///   - makeMAC: 46 bits of a router port's MAC from its seed; nil: the usual way.
    ///   - numbers: those that it may give out.
    public convenience init(makeMAC: ((UInt64) -> UInt64)? = nil, numbers: NumberSpace = .whole) {
        self.init(makeMAC: makeMAC, numbers: numbers, numbersOf: nil)
    }

    /// One without elements in which names have the numbers that they have here, to try a change with.
    public func copy() -> NetworkTranslation { NetworkTranslation(numbers: numbers, numbersOf: self) }

    /// - Parameter other: names keep the numbers that they have there.
    init(makeMAC: ((UInt64) -> UInt64)? = nil, numbers: NumberSpace, numbersOf other: NetworkTranslation?) {
        self.numbers = numbers
        extras = other?.extras ?? Interner()
        nextHops = other?.nextHops ?? Interner()
        control = ControlTables(engine)
        forwarding = ForwardingTables(engine)
        NetworkRules(nextHops: nextHops, makeMAC: makeMAC ?? Self.makeMAC).add(to: engine, control, forwarding)
        sections = EntryWriter.sections(control, forwarding)
        inLinePortsByHost = forwarding.inLinePorts.index(on: [0])
        portsByHost = forwarding.localPorts.index(on: [0])
        tunnelsByHost = forwarding.tunnels.index(on: [0])
        relayedByHost = forwarding.relayed.index(on: [0])
        relaysByHost = forwarding.relays.index(on: [0])
        watchedByHost = forwarding.watched.index(on: [0])
        watchesByHost = forwarding.watches.index(on: [0])
        datapathsByHost = forwarding.hostDatapaths.index(on: [0])
        hostsByDatapath = forwarding.hostDatapaths.index(on: [1])
        membersByHost = forwarding.floodMembers.index(on: [0, 1])
        floodHostsByDatapath = forwarding.floodHosts.index(on: [0])
        hostsByNumber = control.hosts.index(on: [0])
        addressesByPort = control.portAddresses.index(on: [0, 1])
        sectionsByDatapath = sections.map { $0.relation.index(on: [0]) }
        input = InputTranslation(tables: control, extras: extras, numbers: numbers)
        if let other {
            input.takeNumbers(from: other.input)
            ports = other.ports
        }
        engine.run()
    }

    /// A locally administered unicast address of 46 bits of a hash (project decision 1; B114).
    static func makeMAC(_ seed: UInt64) -> UInt64 {
        var x = seed
        x = (x ^ x >> 33) &* 0xff51_afd7_ed55_8ccd
        x ^= x >> 33
        return 0x0200_0000_0000 | (x & 0xfc00_0000_0000) | x >> 6 & 0x00ff_ffff_ffff
    }

    // MARK: - Changes

    /// What a change came to.
    public struct Summary: Equatable, Sendable {
        public var added = 0
        public var removed = 0
        public var changed = 0
        public var work = TableEngine.Work()
    }

    /// Makes the network this one; `network` is valid. Only elements that differ cause work in the tables.
    @discardableResult public func apply(_ network: NetworkDescription) -> Summary {
        let difference = difference(to: network)
        return change(remove: difference.remove, put: difference.put)
    }

    /// What leads from the network as it is to another: elements that go, and elements that come; one that changes is in both.
    public func difference(to network: NetworkDescription) -> (remove: [NetworkElement], put: [NetworkElement]) {
        var old = elements
        var removed: [NetworkElement] = []
        var put: [NetworkElement] = []
        network.forEachElement { element in
            if !old.isEmpty, let before = old.removeValue(forKey: element.path) {
                if before == element { return }
                removed.append(before)
            }
            put.append(element)
        }
        removed += old.values
        return (removed, put)
    }

    /// Removes elements that are there and puts others; one that takes another's place is in both lists.
    @discardableResult public func change(remove: [NetworkElement], put: [NetworkElement]) -> Summary {
        var summary = Summary()
        for element in remove {
            precondition(elements.removeValue(forKey: element.path) != nil, "\(element.path) is not there")
            input.change(element, by: -1)
        }
        elements.reserveCapacity(elements.count + put.count)
        for element in put {
            precondition(elements.updateValue(element, forKey: element.path) == nil, "\(element.path) is there already")
            input.change(element, by: 1)
        }
        let replaced = remove.count(where: { elements[$0.path] != nil })
        summary.changed = replaced
        summary.removed = remove.count - replaced
        summary.added = put.count - replaced
        input.settleComponents()
        summary.work = engine.run()
        input.releaseNames()
        return summary
    }

    /// The element under a path, as it was put.
    public func element(_ path: String) -> NetworkElement? { elements[path] }

    /// Forgets what changed so far, when nobody is to be told.
    public func forgetChanges() {
        for relation in engine.relations where relation.isOutput { relation.drainChanges { _, _ in } }
    }

    // MARK: - Universal plane

    /// The universal entries of a datapath, those included that only one of its hosts needs.
    func universalEntries(datapath: UInt64) -> [FlowEntry] {
        var writer = EntryWriter(extras: extras, checks: checks)
        for (section, index) in zip(sections, sectionsByDatapath) {
            section.relation.forEach(index, [datapath]) { row in section.write(&writer, row) }
        }
        if let flood = floodEntry(datapath) { writer.entries.append(flood) }
        return writer.entries
    }

    var checks: NameChecks { NameChecks(ports: input.ports, datapaths: input.datapaths) }

    func floodEntry(_ datapath: UInt64) -> FlowEntry? {
        var hosts: [UInt64] = []
        forwarding.floodHosts.forEach(floodHostsByDatapath, [datapath]) { hosts.append($0[1]) }
        return HostEntryWriter.floodHosts(datapath, hosts: hosts, checks: checks)
    }

    /// Every universal entry: what any host that implements these datapaths has (UPCP).
    public func universalEntries() -> [FlowEntry] {
        datapathNumbers.flatMap { universalEntries(datapath: $0) }
    }

    var datapathNumbers: [UInt64] {
        var all: [UInt64] = []
        control.switches.forEach { all.append($0[0]) }
        control.routers.forEach { all.append($0[0]) }
        return all.sorted()
    }

    // MARK: - Hosts

    public var hostNames: [String] {
        var names: [String] = []
        control.hosts.forEach { names.append(input.hosts.name($0[0])!) }
        return names.sorted()
    }

    /// Lets a host have the number that it has everywhere; before it is put.
    public func adopt(host name: String, number: UInt64) { input.adopt(host: name, number: number) }

    public func hostNumber(_ name: String) -> UInt64? { input.hosts.existing(name) }

    func hostAddress(_ host: UInt64) -> IPAddress? {
        var address: IPAddress?
        control.hosts.forEach(hostsByNumber, [host]) {
            address = IPAddress(family: IPAddress.Family(rawValue: $0[1])!, high: $0[2], low: $0[3])
        }
        return address
    }

    /// The datapaths that a host needs.
    func datapaths(of host: UInt64) -> [UInt64] {
        var all: [UInt64] = []
        forwarding.hostDatapaths.forEach(datapathsByHost, [host]) { all.append($0[1]) }
        return all.sorted()
    }

    /// Everything that a host's forwarding element is to hold (CPCP): the universal entries of its datapaths, and its own.
    public func program(host name: String) -> HostProgram? {
        guard let host = input.hosts.existing(name) else { return nil }
        return HostCustomizer(host: host).program(facts(of: host), self)
    }

    func floodMembers(_ host: UInt64, _ datapath: UInt64) -> [UInt64] {
        var members: [UInt64] = []
        forwarding.floodMembers.forEach(membersByHost, [host, datapath]) { members.append($0[2]) }
        return members.sorted()
    }

    /// The number that a switch port, or a port of an in-line element by its name, has on its host; nil when it is on none.
    public func localPort(tenant: String, owner: String, port: String) -> (host: String, number: UInt32)? {
        let path = Path.of(tenant, owner, port)
        guard let p = input.ports.existing(path) else { return nil }
        let place: String? =
            if case .switchPort(_, _, let description)? = elements["port " + path] {
                description.host
            } else if case .inLinePort(_, _, let description, _)? = elements["in-line port " + path] {
                description.inLine?.host
            } else {
                nil
            }
        guard let name = place, let host = input.hosts.existing(name) else { return nil }
        numberPorts(of: host)
        return (name, ports[host, default: HostPorts(numbers)].number(of: p))
    }

    /// The hosts whose tunnels a host watches, by name, with the number of the port that says whether they answer, and where they are.
    public func watches(host name: String) -> [(remote: String, address: IPAddress, number: UInt32)] {
        guard let host = input.hosts.existing(name) else { return [] }
        numberPorts(of: host)
        var all: [(remote: String, address: IPAddress, number: UInt32)] = []
        forwarding.watches.forEach(watchesByHost, [host]) { row in
            guard let address = hostAddress(row[1]), let number = ports[host]?.all[HostPorts.watch(row[1])] else { return }
            all.append((hostName(row[1]), address, number))
        }
        return all.sorted { $0.remote < $1.remote }
    }

    /// Gives the ports of a host that have no number theirs, in an order that does not depend on how tables lie in memory.
    func numberPorts(of host: UInt64) {
        var unnumbered: [UInt64] = []
        forwarding.localPorts.forEach(portsByHost, [host]) { row in if ports[host]?.all[row[2]] == nil { unnumbered.append(row[2]) } }
        forwarding.inLinePorts.forEach(inLinePortsByHost, [host]) { row in if ports[host]?.all[row[2]] == nil { unnumbered.append(row[2]) } }
        forwarding.watches.forEach(watchesByHost, [host]) { row in
            if ports[host]?.all[HostPorts.watch(row[1])] == nil { unnumbered.append(HostPorts.watch(row[1])) }
        }
        for port in unnumbered.sorted() { _ = ports[host, default: HostPorts(numbers)].number(of: port) }
    }
}
