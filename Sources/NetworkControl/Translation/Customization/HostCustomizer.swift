import Flow

/// Universal entries that go together: those of a datapath that every host has which implements it (`host` 0), or those that only one of these hosts needs, since
/// they hold its workloads to their addresses.
public struct UniversalGroup: Hashable, Sendable, Codable {
    public var datapath: UInt64
    public var host: UInt64
    public init(datapath: UInt64, host: UInt64 = 0) {
        self.datapath = datapath
        self.host = host
    }
}

/// Who has universal entries: a translation, or the copy that a physical controller or a host has of a part of them.
public protocol UniversalPlane {
    func universalEntries(_ group: UniversalGroup) -> [FlowEntry]
}

/// What changes for one host.
public struct HostDelta: Sendable {
    public var removed: [HostFact] = []
    public var added: [HostFact] = []
    /// Universal entries of datapaths that the host had before and has still; of others it gets or loses all.
    public var removedEntries: [FlowEntry] = []
    public var addedEntries: [FlowEntry] = []
    public init() {}
    public var isEmpty: Bool { removed.isEmpty && added.isEmpty && removedEntries.isEmpty && addedEntries.isEmpty }
}

/// Makes universal entries and a host's facts into what its forwarding element is to hold (UPCP to CPCP; spec 000-059, H8, H9, A-026).
///
/// A function of values: the logical controller's process, a physical controller and a host in chassis mode all use it and come to the same entries. What a change
/// says and what a program says agree: the program after a change is the program before it with the modifications done (tested on random edits).
public struct HostCustomizer: Sendable {
    public let host: UInt64
    public init(host: UInt64) { self.host = host }

    /// Everything that the host is to hold (CPCP).
    public func program(_ facts: some Sequence<HostFact>, _ plane: some UniversalPlane) -> HostProgram {
        var program = own(facts)
        for case .datapath(let d) in facts { program.entries += universal(d, plane) }
        return program
    }

    /// What it does after a change, in order and as one transaction.
    ///
    /// An entry that is in both versions is not touched; one that another takes the place of is not removed before.
    /// - Parameter plane: as it is after the change.
    public func modifications(_ delta: HostDelta, _ plane: some UniversalPlane) -> [FlowModification] {
        let before = own(delta.removed)
        let now = own(delta.added)
        var out: [FlowModification] = []
        let kept = Dictionary(now.entries.map { ($0.identity, $0) }) { $1 }
        var unchanged: Set<FlowEntry.Identity> = []
        for e in before.entries {
            guard let new = kept[e.identity] else {
                out.append(.flow(.deleteStrict, e))
                continue
            }
            if new == e { unchanged.insert(e.identity) }
        }
        out += delta.removedEntries.map { .flow(.deleteStrict, $0) }
        for case .datapath(let d) in delta.removed { out += Self.removal(datapath: d) }
        // A meter that goes takes the entries that use it along, so those that get another one are given it anew.
        let newMeters = Dictionary(now.meters.map { ($0.id, $0) }) { $1 }
        let oldMeters = Dictionary(before.meters.map { ($0.id, $0) }) { $1 }
        out += before.meters.filter { newMeters[$0.id] == nil }.map { .deleteMeter($0.id) }
        for meter in now.meters where oldMeters[meter.id] != meter { out.append(oldMeters[meter.id] == nil ? .addMeter(meter) : .modifyMeter(meter)) }
        out += now.entries.lazy.filter { !unchanged.contains($0.identity) }.map { .flow(.add, $0) }
        out += delta.addedEntries.map { .flow(.add, $0) }
        for case .datapath(let d) in delta.added { out += universal(d, plane).map { .flow(.add, $0) } }
        return out
    }

    /// Universal entries of a datapath that this host has.
    private func universal(_ datapath: UInt64, _ plane: some UniversalPlane) -> [FlowEntry] {
        plane.universalEntries(UniversalGroup(datapath: datapath)) + plane.universalEntries(UniversalGroup(datapath: datapath, host: host))
    }

    /// The host's own part.
    private func own(_ facts: some Sequence<HostFact>) -> HostProgram {
        var writer = HostEntryWriter(host: host)
        for fact in facts {
            switch fact {
            case .member: writer.base()
            case .datapath, .device: break
            case .port(let port): writer.localPort(port)
            case .inLinePort(let port): writer.inLinePort(port)
            case .flood(let d, let ports, let check): writer.localFlood(d, ports: ports, check: check)
            case .tunnel(let remote, let address): writer.tunnel(to: remote, address: address)
            case .relayed(let remote, let pool, let address): writer.relayed(to: remote, pool: pool, address: address)
            case .watched(let way):
                writer.watched(
                    to: way.remote, address: way.address, pool: way.pool, poolAddress: way.poolAddress, numbers: (way.remoteNumber, way.poolNumber))
            case .relay(let remote): writer.relay(for: remote)
            }
        }
        return writer.program
    }

    /// Takes the universal entries of a datapath away, however many there are: by the datapath and the kinds in their cookies.
    private static func removal(datapath: UInt64) -> [FlowModification] {
        EntryKind.allCases.filter(\.isUniversal).map { kind in
            .flow(
                .delete, FlowEntry(table: 0, priority: 0, match: .any, cookie: Cookie(kind, datapath: datapath).value), anyTable: true,
                cookieMask: 0xff00_0000_0000_0000 | Cookie.datapathMask)
        }
    }

    /// The devices that come and those that go; one that becomes another does both, and one that gets other queues only comes.
    public static func devices(_ removed: [HostFact], _ added: [HostFact]) -> (closed: [String], opened: [HostDevice]) {
        var closed: [HostDevice] = []
        var opened: [HostDevice] = []
        for case .device(let d) in removed { closed.append(d) }
        for case .device(let d) in added { opened.append(d) }
        return (
            closed.filter { old in !opened.contains { $0.isSameDevice(as: old) } }.map(\.name).sorted(),
            opened.filter { !closed.contains($0) }.sorted { ($0.number, $0.name) < ($1.number, $1.name) }
        )
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
