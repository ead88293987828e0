import Flow

/// A random pipeline of tables, groups and meters, and random changes to it; made from the same values as the packets, from a seed.
public struct RandomPipeline {
    public let pool = ValuePool()
    public let features: RandomActions.Features
    public let tableCount: Int
    public private(set) var modifications: [FlowModification] = []
    /// The entries that were added and not yet deleted, as far as one can know from outside.
    public private(set) var entries: [FlowEntry] = []
    var random: SplitMix64
    private var actions: RandomActions

    static let groupIDs: [UInt32] = [1, 2, 3, 4, 5]
    static let meterIDs: [UInt32] = [1, 2, 3]

    /// - Parameter choosesByHash: See `RandomActions.Features`.
    public init(seed: UInt64, choosesByHash: Bool = false) {
        random = SplitMix64(seed: seed)
        var features = RandomActions.Features()
        switch random.below(5) {
        case 0:
            features.checksLength = true
            features.actionSet = false
            features.learning = false
            features.meters = false
        case 1, 2: features.meters = false
        default: features.clones = false
        }
        features.choosesByHash = choosesByHash
        self.features = features
        tableCount = random.within(3...8)
        actions = RandomActions(
            pool: pool, features: features, tableCount: tableCount, groups: RandomPipeline.groupIDs, meters: RandomPipeline.meterIDs)
        addMeters()
        addGroups()
        let count = random.within(max(5, tableCount * 2)...60)
        for table in 0..<tableCount { add(fallback(table)) }
        add(fallback(tableCount))
        for _ in 0..<count { add(entry()) }
        addConjunction()
    }

    private mutating func add(_ entry: FlowEntry) {
        entries.removeAll { $0.table == entry.table && $0.priority == entry.priority && $0.match == entry.match }
        entries.append(entry)
        modifications.append(.flow(.add, entry))
    }

    private mutating func addMeters() {
        if !features.meters { return }
        modifications.append(.addMeter(Meter(id: 1, unit: .pktps, hasBurst: true, bands: [.drop(rate: 2, burst: 3)])))
        modifications.append(.addMeter(Meter(id: 2, unit: .kbps, hasBurst: true, bands: [.drop(rate: 4, burst: 2), .drop(rate: 1, burst: 4)])))
        modifications.append(
            .addMeter(
                Meter(
                    id: 3, unit: .pktps, hasBurst: true,
                    bands: [.dscpRemark(rate: 3, burst: 2, precedence: UInt8(random.within(1...2))), .drop(rate: 50, burst: 40)])))
    }

    private mutating func addGroups() {
        func bucket(_ id: UInt32, weights: [Int] = [1], watch: UInt32 = ReservedPort.any) -> Group.Bucket {
            Group.Bucket(id: id, weight: UInt16(random.pick(weights)), watchPort: watch, actions: actions.set(.any, &random))
        }
        modifications.append(.addGroup(Group(id: 1, kind: .all, buckets: (0..<UInt32(random.within(0...3))).map { bucket($0) })))
        modifications.append(.addGroup(Group(id: 2, kind: .indirect, buckets: [bucket(0)])))
        modifications.append(
            .addGroup(
                Group(
                    id: 3, kind: .select,
                    buckets: (0..<UInt32(features.choosesByHash ? random.within(1...4) : 1)).map { bucket($0, weights: [1, 1, 2, 5]) })))
        modifications.append(
            .addGroup(Group(id: 4, kind: .fastFailover, buckets: [bucket(0, watch: 9), bucket(1, watch: random.chance(60) ? 3 : 10)])))
        modifications.append(
            .addGroup(
                Group(
                    id: 5, kind: .all,
                    buckets: [
                        Group.Bucket(id: 0, actions: [.group(random.pick([2, 3, 4]))]),
                        // A meter in a bucket ends a copy, which the ends of a packet that goes on elsewhere do not tell: there, a table without meters.
                        Group.Bucket(id: 1, actions: [.resubmit(inPort: nil, table: UInt8(features.meters ? tableCount : tableCount - 1))]),
                    ])))
    }

    /// The entry for what no other entry of the table matches; seldom missing.
    private mutating func fallback(_ table: Int) -> FlowEntry {
        if table == tableCount {
            return FlowEntry(table: UInt8(table), priority: 0, actions: [.output(port: ReservedPort.flood)])
        }
        let priority: UInt16 = 0
        if random.chance(15) {
            return FlowEntry(table: UInt8(table), priority: priority, match: pool.match(.ipv4, &random), actions: [.output(port: 1)])
        }
        return FlowEntry(table: UInt8(table), priority: priority, actions: actions.list(.any, table: table, &random))
    }

    /// An entry that overlaps no other of its priority, so that one winner is certain.
    private mutating func entry() -> FlowEntry {
        let table = random.below(tableCount)
        let kind = random.pick(PacketKind.allCases)
        let match = pool.match(kind, &random)
        var priority = UInt16(random.within(1...8)) * 10
        while entries.contains(where: { Int($0.table) == table && $0.priority == priority && $0.match != match && $0.match.overlaps(match) }) {
            priority = UInt16(random.within(1...999))
        }
        var entry = FlowEntry(table: UInt8(table), priority: priority, match: match, actions: actions.list(kind, table: table, &random))
        if random.chance(12) { entry.actions.append(contentsOf: learnedLookup(entry.actions)) }
        if !features.checksLength {
            if random.chance(10) { entry.idleTimeout = UInt16(random.within(1...20)) }
            if random.chance(10) { entry.hardTimeout = UInt16(random.within(1...60)) }
        }
        return entry
    }

    /// Sends some packets through the table of learned entries.
    private func learnedLookup(_ actions: [Action]) -> [Action] {
        let endsWithInstruction = actions.contains {
            switch $0 {
            case .gotoTable, .writeActions, .clearActions, .writeMetadata, .drop: true
            default: false
            }
        }
        return endsWithInstruction || actions.isEmpty ? [] : [.resubmit(inPort: nil, table: UInt8(tableCount))]
    }

    private mutating func addConjunction() {
        guard random.chance(50) else { return }
        let table = UInt8(random.below(tableCount))
        let id = UInt32(random.within(1...50))
        func clause(_ n: Int, _ field: Field, _ value: UInt64) {
            var match = Match()
            match.require(.ethType, 0x0800)
            match.require(field, value)
            add(FlowEntry(table: table, priority: 2000, match: match, actions: [.conjunction(id: id, clause: n, of: 2)]))
        }
        for address in pool.ipv4.prefix(random.within(1...4)) { clause(1, .ipv4Src, UInt64(address)) }
        for address in pool.ipv4.suffix(random.within(1...4)) { clause(2, .ipv4Dst, UInt64(address)) }
        var match = Match()
        match.require(.ethType, 0x0800)
        match.require(.conjunctionID, UInt64(id))
        add(FlowEntry(table: table, priority: 2000, match: match, actions: actions.list(.ipv4, table: Int(table), &random)))
    }

    private static func isClause(_ entry: FlowEntry) -> Bool {
        entry.actions.contains { if case .conjunction = $0 { true } else { false } }
    }

    /// A random change of the tables.
    public mutating func edit() -> FlowModification {
        let command: FlowModification
        switch random.below(100) {
        case ..<45:
            let e = entry()
            add(e)
            return .flow(.add, e)
        case ..<65:
            // The clauses of a conjunction overlap, so they must not become ordinary entries.
            var e = random.pick(entries.filter { !Self.isClause($0) })
            e.actions = [.output(port: random.pick(pool.ports))]
            e.cookie = 0
            command = .flow(.modifyStrict, e)
        case ..<72:
            let kind = random.pick(PacketKind.allCases)
            let table = UInt8(random.below(tableCount))
            command = .flow(
                entries.contains { $0.table == table && Self.isClause($0) } ? .delete : .modify,
                FlowEntry(table: table, match: pool.match(kind, &random), actions: [.output(port: random.pick(pool.ports))])
            )
        case ..<90:
            let e = random.pick(entries)
            entries.removeAll { $0.table == e.table && $0.priority == e.priority && $0.match == e.match }
            command = .flow(.deleteStrict, e)
        case ..<94:
            command = .flow(
                .delete, FlowEntry(table: UInt8(random.within(0...tableCount)), match: pool.match(random.pick(PacketKind.allCases), &random)),
                outPort: random.chance(40) ? random.pick(pool.ports) : nil)
        case ..<97:
            let id = random.pick(RandomPipeline.groupIDs.prefix(3).map { $0 })
            command = .modifyGroup(
                Group(
                    id: id, kind: id == 2 ? .indirect : id == 3 ? .select : .all, buckets: [Group.Bucket(id: 0, actions: actions.set(.any, &random))])
            )
        default:
            let e = random.pick(entries)
            command = .flow(.add, e)
        }
        modifications.append(command)
        return command
    }
}
