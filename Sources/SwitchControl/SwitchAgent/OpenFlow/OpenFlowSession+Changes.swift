import CLinux
import Datapath
import Flow
import OpenFlow
import Ports

func monotonicNow() -> UInt64 { weft_monotonic_ns() }

/// Flow, group, meter, port and table modifications.
extension OpenFlowSession {
    // MARK: - Flows

    func handle(_ f: FlowMod) throws(OpenFlowError) {
        if f.bufferID != OpenFlowNumber.noBuffer, f.command == .add || f.command == .modify || f.command == .modifyStrict {
            throw OpenFlowError(.badRequestBufferUnknown, "There is no buffer \(f.bufferID): packets are not buffered.")
        }
        let m = try modifications(f, groups: GroupView(tables))
        if let error = change(m) { throw Self.refusal(error) }
    }

    /// What a flow-mod means for the tables; refuses what refers to things that do not exist.
    func modifications(_ f: FlowMod, groups: GroupView) throws(OpenFlowError) -> [FlowModification] {
        if f.entry.table != OpenFlowNumber.allTables, f.entry.table >= OpenFlowAgent.tableCount {
            // Nothing is in it that a delete could find (as in Open vSwitch, which keeps it for itself).
            if f.command == .delete || f.command == .deleteStrict { return [] }
            throw OpenFlowError(.badRequestPermission, "Tables are 0 to \(OpenFlowAgent.tableCount - 1); \(f.entry.table) is not for controllers.")
        }
        switch f.command {
        case .add, .modify, .modifyStrict:
            try check(f.entry.actions, groups)
            // Filters are for deletes.
            var plain = f
            (plain.outPort, plain.outGroup) = (ReservedPort.any, OpenFlowNumber.anyGroup)
            return [plain.modification]
        case .delete, .deleteStrict:
            if f.outPort == ReservedPort.any, f.outGroup == OpenFlowNumber.anyGroup { return [f.modification] }
            var found: [FlowModification] = []
            let isStrict = f.command == .deleteStrict
            tables.withOwnership {
                tables.forEachEntry(table: f.entry.table == OpenFlowNumber.allTables ? nil : f.entry.table) { s in
                    let e = s.entry
                    guard (e.cookie ^ f.entry.cookie) & f.cookieMask == 0,
                        isStrict ? e.priority == f.entry.priority && e.match == f.entry.match : e.match.isWithin(f.entry.match),
                        e.actions.lead(toPort: f.outPort, group: f.outGroup)
                    else { return }
                    found.append(.flow(.deleteStrict, e))
                }
            }
            return found
        }
    }

    private func check(_ actions: [Action], _ groups: GroupView) throws(OpenFlowError) {
        for action in actions {
            switch action {
            case .group(let id):
                if !groups.contains(id) { throw OpenFlowError(.badActionOutGroup, "There is no group \(id).") }
            case .meter(let id):
                if !groups.containsMeter(id) { throw OpenFlowError(.invalidMeter, "There is no meter \(id).") }
            case .writeActions(let list), .clone(let list): try check(list, groups)
            default: break
            }
        }
    }

    static func refusal(_ error: FlowTableError) -> OpenFlowError {
        let code: ErrorCode =
            switch error {
            case .tableOutOfRange: .flowModTable
            case .overlap: .flowModOverlap
            case .groupExists: .groupExists
            case .noSuchGroup: .unknownGroup
            case .groupLoop: .groupLoop
            case .meterExists: .meterExists
            case .noSuchMeter: .unknownMeter
            }
        return OpenFlowError(code, error.description)
    }

    // MARK: - Groups and meters

    func handle(_ g: GroupMod) throws(OpenFlowError) {
        let m = try modifications(g, groups: GroupView(tables))
        if let error = change(m) { throw Self.refusal(error) }
        for case .addGroup(let group) in m { agent.groupsCreated[group.id] = monotonicNow() }
        // What a group does is visible at once to the next packet, as entries are.
        flush()
    }

    /// What a group-mod means for the tables (OpenFlow 1.5.1 §7.3.4.3).
    func modifications(_ g: GroupMod, groups: GroupView) throws(OpenFlowError) -> [FlowModification] {
        let id = g.group.id
        switch g.command {
        case .add, .modify, .addOrModify, .insertBuckets, .removeBuckets:
            if id > Group.max { throw OpenFlowError(.invalidGroup, "\(id) is not a group's number.") }
            for bucket in g.group.buckets { try check(bucket.actions, groups.with(id)) }
        case .delete: break
        }
        switch g.command {
        case .add:
            if groups.contains(id) { throw OpenFlowError(.groupExists, "There is a group \(id) already.") }
            return [.addGroup(g.group)]
        case .modify:
            if !groups.contains(id) { throw OpenFlowError(.unknownGroup, "There is no group \(id).") }
            return [.modifyGroup(g.group)]
        case .addOrModify: return [groups.contains(id) ? .modifyGroup(g.group) : .addGroup(g.group)]
        case .delete: return [.deleteGroup(id == OpenFlowNumber.allGroups ? nil : id)]
        case .insertBuckets, .removeBuckets:
            guard var group = groups.group(id) else { throw OpenFlowError(.unknownGroup, "There is no group \(id).") }
            if g.command == .insertBuckets { try insert(g, into: &group) } else { try remove(g, from: &group) }
            return [.modifyGroup(group)]
        }
    }

    private func insert(_ g: GroupMod, into group: inout Group) throws(OpenFlowError) {
        for bucket in g.group.buckets where group.buckets.contains(where: { $0.id == bucket.id }) {
            throw OpenFlowError(.bucketExists, "There is a bucket \(bucket.id) in group \(group.id) already.")
        }
        if group.kind == .indirect, group.buckets.count + g.group.buckets.count > 1 {
            throw OpenFlowError(.invalidGroup, "An indirect group has one bucket.")
        }
        let at: Int
        switch g.commandBucket {
        case GroupMod.BucketPlace.first: at = 0
        case GroupMod.BucketPlace.last, GroupMod.BucketPlace.all: at = group.buckets.count
        default:
            guard let i = group.buckets.firstIndex(where: { $0.id == g.commandBucket }) else {
                throw OpenFlowError(.unknownBucket, "There is no bucket \(g.commandBucket) in group \(group.id).")
            }
            at = i + 1
        }
        group.buckets.insert(contentsOf: g.group.buckets, at: at)
    }

    private func remove(_ g: GroupMod, from group: inout Group) throws(OpenFlowError) {
        switch g.commandBucket {
        case GroupMod.BucketPlace.all: group.buckets = []
        case GroupMod.BucketPlace.first: if !group.buckets.isEmpty { group.buckets.removeFirst() }
        case GroupMod.BucketPlace.last: if !group.buckets.isEmpty { group.buckets.removeLast() }
        default:
            guard let i = group.buckets.firstIndex(where: { $0.id == g.commandBucket }) else {
                throw OpenFlowError(.unknownBucket, "There is no bucket \(g.commandBucket) in group \(group.id).")
            }
            group.buckets.remove(at: i)
        }
    }

    func handle(_ m: MeterMod) throws(OpenFlowError) {
        let list = try modifications(m, groups: GroupView(tables))
        if let error = change(list) { throw Self.refusal(error) }
        if m.command == .add { agent.metersCreated[m.meter.id] = monotonicNow() }
        flush()
    }

    func modifications(_ m: MeterMod, groups: GroupView) throws(OpenFlowError) -> [FlowModification] {
        let id = m.meter.id
        switch m.command {
        case .add:
            if groups.containsMeter(id) { throw OpenFlowError(.meterExists, "There is a meter \(id) already.") }
            return [.addMeter(m.meter)]
        case .modify:
            if !groups.containsMeter(id) { throw OpenFlowError(.unknownMeter, "There is no meter \(id).") }
            return [.modifyMeter(m.meter)]
        case .delete: return [.deleteMeter(id == OpenFlowNumber.allMeters ? nil : id)]
        }
    }

    // MARK: - Ports and tables

    func handle(_ p: PortMod) throws(OpenFlowError) {
        guard let report = vswitch.ports().first(where: { $0.number == p.number }) else {
            throw OpenFlowError(.portModPort, "There is no port \(p.number).")
        }
        guard agent.port(report).address == p.address else {
            throw OpenFlowError(.portModAddress, "The address is not that of port \(p.number).")
        }
        let known = SwitchPort.Config.portDown | SwitchPort.Config.noReceive | SwitchPort.Config.noForward | SwitchPort.Config.noPacketIn
        if p.mask & ~known != 0 {
            throw OpenFlowError(.portModConfig, "The port configuration 0x\(String(p.mask & ~known, radix: 16)) is not known.")
        }
        let config = (agent.portConfigs[p.number] ?? 0) & ~p.mask | p.config & p.mask
        agent.portConfigs[p.number] = config
        var flags: PortFlags = []
        if config & SwitchPort.Config.portDown != 0 { flags.formUnion([.noReceive, .noForward]) }
        if config & SwitchPort.Config.noReceive != 0 { flags.insert(.noReceive) }
        if config & SwitchPort.Config.noForward != 0 { flags.formUnion([.noForward, .noFlood]) }
        if config & SwitchPort.Config.noPacketIn != 0 { flags.insert(.noPacketIn) }
        tables.withOwnership {
            tables.ports.restrict(p.number, to: flags)
            tables.portsChanged()
            tables.publish()
        }
        agent.tellPort(.modify, report)
    }

    func handle(_ t: TableMod) throws(OpenFlowError) {
        let id = t.config.table
        if id != OpenFlowNumber.allTables, id >= OpenFlowAgent.tableCount {
            throw OpenFlowError(.tableModPermission, "Tables are 0 to \(OpenFlowAgent.tableCount - 1); \(id) is not for controllers.")
        }
        // Tables grow; what would say that one is full, or make room in it, is not offered.
        if t.config.config & ~3 != 0 {
            throw OpenFlowError(.tableModConfig, "The table configuration 0x\(String(t.config.config, radix: 16)) is not supported.")
        }
        for n in id == OpenFlowNumber.allTables ? 0..<OpenFlowAgent.tableCount : id..<(id + 1) {
            var c = t.config
            c.table = n
            agent.tableConfigs[n] = c
        }
    }
}

/// Which groups and meters there are, also while a bundle is worked through of which nothing is applied yet.
struct GroupView {
    private let tables: FlowTables
    private var groups: [UInt32: Group?] = [:]
    private var meters: [UInt32: Bool] = [:]
    private var hasNoOthers = (groups: false, meters: false)

    init(_ tables: FlowTables) { self.tables = tables }

    func contains(_ id: UInt32) -> Bool {
        if let known = groups[id] { return known != nil }
        return !hasNoOthers.groups && tables.hasGroup(id)
    }

    func group(_ id: UInt32) -> Group? {
        if let known = groups[id] { return known }
        return hasNoOthers.groups ? nil : tables.groupStatistics.first { $0.group.id == id }?.group
    }

    func containsMeter(_ id: UInt32) -> Bool { meters[id] ?? (!hasNoOthers.meters && tables.hasMeter(id)) }

    /// The same and a group that is about to be.
    func with(_ id: UInt32) -> GroupView {
        var v = self
        if !v.contains(id) { v.groups[id] = .some(Group(id: id, kind: .all)) }
        return v
    }

    /// Takes note of what will be done.
    mutating func note(_ m: FlowModification) {
        switch m {
        case .addGroup(let g), .modifyGroup(let g): groups[g.id] = .some(g)
        case .deleteGroup(let id?): groups[id] = .some(nil)
        case .deleteGroup(nil):
            groups = [:]
            hasNoOthers.groups = true
        case .addMeter(let m), .modifyMeter(let m): meters[m.id] = true
        case .deleteMeter(let id?): meters[id] = false
        case .deleteMeter(nil):
            meters = [:]
            hasNoOthers.meters = true
        case .flow: break
        }
    }
}

extension [Action] {
    /// Whether some output goes to a port and some `group` to a group; those for any are not asked.
    func lead(toPort port: UInt32, group: UInt32) -> Bool {
        (port == ReservedPort.any || contains { $0.leads(toPort: port) })
            && (group == OpenFlowNumber.anyGroup || contains { $0.leads(toGroup: group) })
    }
}

extension Action {
    fileprivate func leads(toPort port: UInt32) -> Bool {
        switch self {
        case .output(let p, _), .outputHint(let p, _), .enqueue(let p, _): p == port
        case .controller: port == ReservedPort.controller
        case .writeActions(let list), .clone(let list): list.contains { $0.leads(toPort: port) }
        default: false
        }
    }

    fileprivate func leads(toGroup group: UInt32) -> Bool {
        switch self {
        case .group(let g): g == group
        case .writeActions(let list), .clone(let list): list.contains { $0.leads(toGroup: group) }
        default: false
        }
    }

    /// Whether it names no group or meter, which would have to exist, and holds no other actions.
    var refersToNothing: Bool {
        switch self {
        case .group, .meter, .writeActions, .clone: false
        default: true
        }
    }
}
