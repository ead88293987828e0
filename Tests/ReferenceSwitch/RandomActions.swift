import Flow

/// Random actions that an entry with a match of some kind may have.
public struct RandomActions {
    /// What a pipeline may use; some things have no comparable meaning together.
    public struct Features: Sendable {
        /// `write_actions` and `clear_actions`.
        public var actionSet = true
        public var learning = true
        public var meters = true
        public var clones = true
        /// `check_pkt_larger`: what follows is translated for both outcomes, so nothing that lasts may follow.
        public var checksLength = false
        /// More than one choice for select groups, `multipath` and `bundle`; needs the same `HashFunctions` on both sides.
        public var choosesByHash = false
        public init() {}
    }

    let pool: ValuePool
    let features: Features
    let tableCount: Int
    let groups: [UInt32]
    let meters: [UInt32]
    /// Learned entries of one action share a priority that no other has, so that they never overlap others.
    var nextLearnPriority: UInt16 = 1000

    /// The table that only learned entries live in.
    var learnTable: UInt8 { UInt8(tableCount) }

    /// What remains possible while a list is made.
    private struct State {
        var kind: PacketKind
        var table: Int
        var depth = 0
        var changedLayers = false
    }

    mutating func list(_ kind: PacketKind, table: Int, _ random: inout SplitMix64) -> [Action] {
        var state = State(kind: kind, table: table)
        if random.chance(4) { return random.chance(50) ? [.drop] : [] }
        var actions: [Action] = []
        if features.meters && random.chance(8) { actions.append(.meter(random.pick(meters))) }
        for _ in 0..<random.pick([0, 1, 1, 2, 2, 3, 4]) { actions.append(change(&state, &random)) }
        if features.checksLength && table == 0 && random.chance(40) {
            actions.append(.checkPacketLarger(length: random.pick([20, 60, 64, 90, 130]), to: Subfield(.reg0, offset: 0, count: 1)))
        }
        let isLast = table + 1 >= tableCount
        for _ in 0..<random.pick(isLast ? [1, 1, 2] : [0, 0, 0, 1]) { actions.append(end(&state, &random)) }
        if !isLast && random.chance(85) {
            let next = UInt8(random.within(table + 1...min(tableCount - 1, table + 3)))
            if random.chance(60) {
                actions.append(.resubmit(inPort: random.chance(85) ? nil : random.pick(pool.ports), table: next))
                if random.chance(30) { actions.append(change(&state, &random)) }
                if random.chance(40) { actions.append(end(&state, &random)) }
            } else {
                if features.actionSet && random.chance(20) { actions += instructions(&state, &random) }
                actions.append(.gotoTable(next))
                return actions
            }
        }
        if features.actionSet && random.chance(15) { actions += instructions(&state, &random) }
        if actions.isEmpty { actions.append(end(&state, &random)) }
        return actions
    }

    private mutating func instructions(_ state: inout State, _ random: inout SplitMix64) -> [Action] {
        var out: [Action] = []
        if random.chance(25) { out.append(.clearActions) }
        if random.chance(80) { out.append(.writeActions(set(&state, &random))) }
        if random.chance(30) { out.append(.writeMetadata(value: random.pick(pool.wide), mask: random.chance(50) ? .max : 0xff)) }
        return out
    }

    /// Actions for a bucket or an action set.
    mutating func set(_ kind: PacketKind, _ random: inout SplitMix64) -> [Action] {
        var state = State(kind: kind, table: tableCount)
        return set(&state, &random)
    }

    private mutating func set(_ state: inout State, _ random: inout SplitMix64) -> [Action] {
        var out: [Action] = []
        for _ in 0..<random.pick([0, 0, 1, 2]) {
            let field = random.pick(writable(state))
            out.append(.setField(field, pool.value(field, &random), mask: .ones(field.info.bits)))
        }
        if random.chance(15) { out.append(.stripVLAN) }
        if random.chance(15) { out.append(.pushVLAN(etherType: random.pick([0x8100, 0x88a8]))) }
        if random.chance(15) && isIP(state.kind) && !state.changedLayers { out.append(.decTTL()) }
        out.append(.output(port: random.chance(90) ? random.pick(pool.ports) : random.pick([9, ReservedPort.inPort, ReservedPort.flood])))
        return out
    }

    private func isIP(_ kind: PacketKind) -> Bool { ![.any, .vlan, .arp, .mpls].contains(kind) }

    /// Fields that actions may write; the layers above a pushed or popped label are unknown.
    private func writable(_ state: State) -> [Field] {
        let kind = state.changedLayers ? PacketKind.any : state.kind
        let rare: Set<Field> = [.inPort, .vlanTCI, .vlanVID, .dlVLAN, .dlVLANPCP, .tunnelSrc, .tunnelDst, .tunnelIPv6Src, .tunnelIPv6Dst]
        let all = kind.fields.filter { $0.info.isWritable && !rare.contains($0) && ($0 != .arpOp) }
        let own = all.filter { $0.info.prerequisite != .none }
        return own.isEmpty ? all : own + own + own + [.ethSrc, .ethDst, .reg0, .reg1, .reg2, .xreg1, .metadata]
    }

    private mutating func change(_ state: inout State, _ random: inout SplitMix64) -> Action {
        switch random.below(100) {
        case ..<28:
            let field = random.pick(writable(state))
            let value = pool.value(field, &random)
            let mask =
                field.info.isMaskable && random.chance(25)
                ? FieldValue(high: random.next(), low: random.next()) & .ones(field.info.bits) : .ones(field.info.bits)
            return mask.isZero ? .note([1]) : .setField(field, value & mask, mask: mask)
        case ..<40:
            return .load(
                FieldValue(low: random.pick(pool.small)), Subfield(.register(random.below(6)), offset: 0, count: random.pick([3, 8, 16, 32])))
        case ..<52: return move(state, &random)
        case ..<56: return .push(Subfield(random.pick(readable(state))))
        case ..<60: return .pop(Subfield(random.pick([.reg0, .reg3, .ethSrc, .xreg1, .metadata])))
        case ..<65:
            return state.kind == .any || state.kind == .vlan || random.chance(50)
                ? .setVLANID(random.pick(pool.vlans)) : .setVLANPCP(random.pick([0, 5]))
        case ..<70: return .pushVLAN(etherType: random.chance(70) ? 0x8100 : 0x88a8)
        case ..<76: return .stripVLAN
        case ..<84: return label(&state, &random)
        case ..<92: return isIP(state.kind) && !state.changedLayers ? ip(state, &random) : .setEthDst(random.pick(pool.macs))
        case ..<95: return .setQueue(UInt32(random.below(3)))
        case ..<97: return .setTunnelID(random.pick(pool.wide))
        default:
            return .multipath(
                fields: random.pick(HashFields.allCases), basis: 50, algorithm: random.pick(MultipathAlgorithm.allCases),
                links: features.choosesByHash ? 4 : 1, argument: 0,
                to: Subfield(.reg4, offset: 0, count: 16))
        }
    }

    private func label(_ state: inout State, _ random: inout SplitMix64) -> Action {
        if state.kind == .mpls && !state.changedLayers {
            switch random.below(5) {
            case 0: return .setMPLSLabel(random.pick(pool.labels))
            case 1: return .setMPLSTTL(random.pick(pool.ttls))
            case 2: return .decMPLSTTL
            case 3: return .setMPLSTC(random.pick([0, 3, 7]))
            default:
                state.changedLayers = true
                return .popMPLS(etherType: random.pick([0x0800, 0x0800, 0x86dd, 0x8847]))
            }
        }
        if state.changedLayers || random.chance(60) { return .setEthSrc(random.pick(pool.macs)) }
        state.changedLayers = true
        return .pushMPLS(etherType: random.chance(80) ? 0x8847 : 0x8848)
    }

    private func ip(_ state: State, _ random: inout SplitMix64) -> Action {
        let isIPv4 = [.ipv4, .tcp4, .udp4, .sctp4, .icmp].contains(state.kind)
        let hasPorts = [.tcp4, .tcp6, .udp4, .udp6, .sctp4, .sctp6].contains(state.kind)
        switch random.below(9) {
        case 0 where isIPv4: return .setIPv4Src(random.pick(pool.ipv4))
        case 1 where isIPv4: return .setIPv4Dst(random.pick(pool.ipv4))
        case 2: return .setTOS(random.pick(pool.tos) & 0xfc)
        case 3: return .setECN(UInt8(random.below(4)))
        case 4: return .setTTL(random.pick(pool.ttls))
        case 5 where hasPorts: return .setTransportSrc(random.pick(pool.transportPorts))
        case 6 where hasPorts: return .setTransportDst(random.pick(pool.transportPorts))
        default: return .decTTL()
        }
    }

    private func readable(_ state: State) -> [Field] {
        (state.changedLayers ? PacketKind.any : state.kind).fields.filter {
            $0 != .dlVLAN && $0 != .dlVLANPCP && $0 != .arpOp && $0 != .ipTOS && $0.info.bits >= 8
        }
    }

    private func move(_ state: State, _ random: inout SplitMix64) -> Action {
        let from = random.pick(readable(state))
        let targets = (writable(state) + [.reg5, .xreg3, .xxreg3, .reg2]).filter { $0.info.bits >= 8 && $0 != .ipTOS }
        let to = random.pick(targets)
        let count = random.within(1...min(from.info.bits, to.info.bits))
        return .move(
            from: Subfield(from, offset: random.within(0...from.info.bits - count), count: count),
            to: Subfield(to, offset: random.within(0...to.info.bits - count), count: count))
    }

    /// Something that lets the packet go, or splits it.
    private mutating func end(_ state: inout State, _ random: inout SplitMix64) -> Action {
        switch random.below(100) {
        case ..<42: return .output(port: random.pick(pool.ports))
        case ..<45: return .output(port: 9)
        case ..<50: return .output(port: ReservedPort.inPort)
        case ..<54: return .output(port: random.chance(50) ? ReservedPort.flood : ReservedPort.all)
        case ..<60: return .output(port: ReservedPort.normal)
        case ..<64: return .outputSubfield(Subfield(random.pick([.reg0, .reg1, .reg4])))
        case ..<68: return .controller(Action.Controller())
        case ..<72: return .output(port: random.pick(pool.ports), maxLength: UInt32(random.pick([14, 40, 64, 200])))
        case ..<80: return .group(random.chance(95) ? random.pick(groups) : 77)
        case ..<85 where features.clones: return clone(state, &random)
        case ..<91 where features.learning && !state.changedLayers: return learn(state, &random)
        case ..<93 where state.table > 0 && !features.checksLength:
            return random.chance(50)
                ? .output(port: ReservedPort.dispatch) : .resubmit(inPort: random.pick(pool.ports), table: UInt8(random.below(tableCount)))
        case ..<94: return .exit
        case ..<96:
            return .bundle(
                fields: .ethSrc, basis: 0, algorithm: random.chance(50) ? .hrw : .activeBackup,
                members: features.choosesByHash ? [9, 2, 3, 4] : [9, random.pick([2, 3])],
                to: random.chance(50) ? nil : Subfield(.reg1, offset: 0, count: 16))
        case ..<97: return .enqueue(port: random.pick(pool.ports), queue: 1)
        default: return .output(port: random.pick(pool.ports))
        }
    }

    private mutating func clone(_ state: State, _ random: inout SplitMix64) -> Action {
        var inner = state
        var actions: [Action] = []
        for _ in 0..<random.below(3) { actions.append(change(&inner, &random)) }
        if random.chance(40) && state.table + 1 < tableCount {
            actions.append(.resubmit(inPort: nil, table: UInt8(random.within(state.table + 1...tableCount - 1))))
        }
        actions.append(.output(port: random.pick(pool.ports)))
        return .clone(actions)
    }

    private mutating func learn(_ state: State, _ random: inout SplitMix64) -> Action {
        var learn = Learn()
        learn.table = learnTable
        learn.priority = nextLearnPriority
        nextLearnPriority += 1
        learn.cookie = 0x1ea4
        learn.idleTimeout = random.pick([0, 0, 5, 20])
        learn.hardTimeout = random.pick([0, 0, 10, 30])
        if random.chance(15) {
            learn.limit = UInt32(random.within(1...4))
            if random.chance(50) { learn.resultDestination = Subfield(.reg3, offset: 0, count: 1) }
        }
        learn.specs.append(LearnSpec(source: .subfield(Subfield(.ethSrc)), destination: .match(Subfield(.ethDst))))
        if random.chance(50) {
            learn.specs.append(
                LearnSpec(source: .subfield(Subfield(.vlanTCI, offset: 0, count: 12)), destination: .match(Subfield(.vlanTCI, offset: 0, count: 12))))
        }
        if random.chance(50) {
            learn.specs.append(LearnSpec(source: .immediate(FieldValue(low: random.pick(pool.small))), destination: .match(Subfield(.reg0))))
        }
        if random.chance(40) { learn.specs.append(LearnSpec(source: .subfield(Subfield(.metadata)), destination: .load(Subfield(.xreg1)))) }
        if random.chance(40) {
            learn.specs.append(
                LearnSpec(source: .immediate(FieldValue(low: random.pick(pool.small))), destination: .load(Subfield(.reg1, offset: 4, count: 8))))
        }
        learn.specs.append(LearnSpec(source: .subfield(Subfield(random.chance(80) ? .inPort : .reg1, offset: 0, count: 16)), destination: .output))
        return .learn(learn)
    }
}
