import Datapath
import Flow
import OpenFlow
import Ports

/// Multipart requests (OpenFlow 1.3.5 §A.3.5, 1.5.1 §7.3.5).
extension OpenFlowSession {
    func handle(_ r: MultipartRequest, xid: UInt32) throws(OpenFlowError) {
        func reply(_ body: MultipartReply.Body) { send(.multipartReply(MultipartReply(body)), xid: xid) }
        switch r.body {
        case .desc:
            reply(
                .desc(
                    SwitchDescription(
                        manufacturer: "Weft", hardware: "Weft userspace datapath", software: "Weft", serialNumber: "None", datapath: "None")))
        case .flow(let s): try flows(s, xid: xid, isStatsOnly: false)
        case .flowStats(let s): try flows(s, xid: xid, isStatsOnly: true)
        case .aggregate(let s): reply(.aggregate(try aggregate(s)))
        case .table: reply(.table(tableStatistics()))
        case .port(let port): reply(.port(portStatistics(port)))
        case .queue(let port, let queue): reply(.queue(try queueStatistics(port, queue)))
        case .queueDesc(let port, let queue): reply(.queueDesc(try queueDescriptions(port, queue)))
        case .group(let id): reply(.group(groupStatistics(id)))
        case .groupDesc(let id):
            let all = tables.groupStatistics.map(\.group)
            reply(.groupDesc(id == OpenFlowNumber.allGroups || id == OpenFlowNumber.anyGroup ? all : all.filter { $0.id == id }))
        case .groupFeatures: reply(.groupFeatures(Self.groupFeatures))
        case .meter(let id): reply(.meter(try meterStatistics(id)))
        case .meterConfig(let id):
            let all = tables.meterStatistics.map(\.meter)
            let found = id == OpenFlowNumber.allMeters ? all : all.filter { $0.id == id }
            if found.isEmpty, id != OpenFlowNumber.allMeters { throw OpenFlowError(.unknownMeter, "There is no meter \(id).") }
            reply(.meterConfig(found))
        case .meterFeatures:
            // Drop and DSCP remark; kb/s, packets/s, burst, statistics.
            reply(
                .meterFeatures(
                    MeterFeatures(maximumMeters: OpenFlowNumber.maxMeter, bandTypes: 0b110, capabilities: 0b1111, maximumBands: 255)))
        case .tableFeatures(let wanted): try tableFeatures(wanted, more: r.more, xid: xid)
        case .portDesc(let port):
            let all = vswitch.ports().map(agent.port)
            reply(.portDesc(port == ReservedPort.any ? all : all.filter { $0.number == port }))
        case .tableDesc:
            reply(.tableDesc((0..<OpenFlowAgent.tableCount).map { agent.tableConfigs[$0] ?? TableConfig(table: $0) }))
        case .flowMonitor(let list):
            partialMonitors += list
            try limit(partialMonitors.count, Self.partLimit) { partialMonitors = [] }
            if r.more { return }
            let all = partialMonitors
            partialMonitors = []
            try monitor(all, xid: xid)
        case .experimenter(let e):
            throw OpenFlowError(
                e.experimenter == Experimenter.nicira || e.experimenter == Experimenter.onf ? .badRequestExperimenterType : .badRequestExperimenter,
                "Multipart requests of type \(e.type) of the experimenter 0x\(String(e.experimenter, radix: 16)) are not known.")
        }
    }

    /// Elements of a request in parts.
    private static let partLimit = 4096

    private func limit(_ count: Int, _ most: Int, _ forget: () -> Void) throws(OpenFlowError) {
        if count <= most { return }
        forget()
        throw OpenFlowError(.multipartOverflow, "A request has at most \(most) elements in all its parts.")
    }

    // MARK: - Flows

    /// Visits the entries that a request selects, counters up to date, in the order of a dump.
    private func visit(_ s: FlowSelection, _ body: (Datapath.FlowStatistics) -> Void) throws(OpenFlowError) {
        if s.table != OpenFlowNumber.allTables, s.table >= OpenFlowAgent.tableCount {
            throw OpenFlowError(.badRequestTable, "There is no table \(s.table).")
        }
        vswitch.collectCounters()
        let isAnywhere = s.outPort == ReservedPort.any && s.outGroup == OpenFlowNumber.anyGroup
        tables.visitInOrder(table: s.table == OpenFlowNumber.allTables ? nil : s.table) { f in
            if (f.entry.cookie ^ s.cookie) & s.cookieMask == 0, s.match.words.isEmpty || f.entry.match.isWithin(s.match),
                isAnywhere || f.entry.actions.lead(toPort: s.outPort, group: s.outGroup)
            {
                body(f)
            }
        }
    }

    private func flows(_ s: FlowSelection, xid: UInt32, isStatsOnly: Bool) throws(OpenFlowError) {
        var writer = MultipartReplyWriter(isStatsOnly ? .flowStats : .flow, version: version, xid: xid)
        let now = monotonicNow()
        try visit(s) { f in
            writer.append(OpenFlow.FlowStatistics(f.entry, OpenFlowAgent.counters(f, now: now)))
            let complete = writer.takeComplete()
            if !complete.isEmpty { sendBytes(complete) }
        }
        do throws(OpenFlowEncodingError) {
            sendBytes(try writer.finish())
        } catch {
            throw OpenFlowError(.badRequestType, error.description)
        }
    }

    private func aggregate(_ s: FlowSelection) throws(OpenFlowError) -> FlowCounters {
        var c = FlowCounters(flows: 0)
        try visit(s) {
            c.packets &+= $0.packets
            c.bytes &+= $0.bytes
            c.flows! += 1
        }
        return c
    }

    // MARK: - Tables

    private func tableStatistics() -> [TableStatistics] {
        vswitch.collectCounters()
        var lookups = [UInt64](repeating: 0, count: 256)
        var matches = lookups
        for thread in vswitch.threads {
            let counts = vswitch.reach(thread) { (0..<255).map { thread.worker.tableCounters(UInt8($0)) } }
            for (i, c) in counts.enumerated() {
                lookups[i] += c.lookups
                matches[i] += c.matched
            }
        }
        let active = Dictionary(uniqueKeysWithValues: tables.withOwnership { tables.entryCounts }.map { ($0.table, $0.count) })
        return (0..<OpenFlowAgent.tableCount).map {
            TableStatistics(table: $0, active: UInt32(active[$0] ?? 0), lookups: lookups[Int($0)], matches: matches[Int($0)])
        }
    }

    /// All tables are alike, and stay as they are: a request that sets features is answered with what they are (OpenFlow 1.3.5 §A.3.5.5).
    private func tableFeatures(_ wanted: [TableFeatures], more: Bool, xid: UInt32) throws(OpenFlowError) {
        partialTableFeatures += wanted
        try limit(partialTableFeatures.count, Self.partLimit) { partialTableFeatures = [] }
        if more { return }
        let all = partialTableFeatures
        partialTableFeatures = []
        for t in all where t.table >= OpenFlowAgent.tableCount {
            throw OpenFlowError(.tableFeaturesTable, "There is no table \(t.table).")
        }
        typealias Kind = TableFeatures.PropertyKind
        for n in 0..<OpenFlowAgent.tableCount {
            let next = (n + 1..<max(OpenFlowAgent.tableCount, n + 1)).map { UInt32($0) }
            // goto_table; write_metadata, write_, apply_ and clear_actions; meter, which is an action from 1.5 on.
            let instructions: [UInt32] = (next.isEmpty ? [] : [1]) + [2, 3, 4, 5] + (version < .v15 ? [6] : [])
            let features = TableFeatures(
                table: n, name: "", metadataMatch: .max, metadataWrite: .max, capabilities: 0,
                maximumEntries: 1_000_000,
                properties: [.init(Kind.instructions, instructions), .init(Kind.nextTables, next)] + Self.commonProperties)
            send(.multipartReply(MultipartReply(.tableFeatures([features]), more: n + 1 < OpenFlowAgent.tableCount)), xid: xid)
        }
    }

    /// What all tables can do.
    private static let commonProperties: [TableFeatures.Property] = {
        typealias Kind = TableFeatures.PropertyKind
        let fields = Field.allCases
        let writable = fields.filter { $0.info.isWritable || $0.isKindOfPayload }
        // Output, copy, set and decrement TTL, push and pop VLAN, MPLS and PBB, set queue, group, set field.
        let actions: [UInt32] = [0, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]
        return [
            .init(Kind.writeActions, actions), .init(Kind.applyActions, actions), .init(Kind.match, fields: fields, hasMask: true),
            .init(Kind.wildcards, fields: fields), .init(Kind.writeSetField, fields: writable), .init(Kind.applySetField, fields: writable),
        ]
    }()

    // MARK: - Ports

    /// Of a port that is not there, nothing: a controller may ask while a port goes (as in Open vSwitch).
    private func portStatistics(_ port: UInt32) -> [PortStatistics] {
        vswitch.ports().filter { port == ReservedPort.any || $0.number == port }.map { r in
            var s = PortStatistics(port: r.number)
            (s.receivedPackets, s.receivedBytes, s.sentPackets, s.sentBytes) = (r.rxPackets, r.rxBytes, r.txPackets, r.txBytes)
            return s
        }
    }

    // MARK: - Groups and meters

    private static let groupFeatures = GroupFeatures(
        types: 0b1111, capabilities: 0b0111, maximumGroups: Array(repeating: Group.max, count: 4),
        // Output, copy, set and decrement TTL, push and pop, set queue, group, set field.
        actions: Array(repeating: 0x0fff_9801, count: 4))

    private func groupStatistics(_ id: UInt32) -> [OpenFlow.GroupStatistics] {
        vswitch.collectCounters()
        let isAll = id == OpenFlowNumber.allGroups || id == OpenFlowNumber.anyGroup
        let now = monotonicNow()
        let found = tables.groupStatistics.filter { isAll || $0.group.id == id }
        let references = found.isEmpty ? [:] : countReferences { if case .group(let g) = $0 { g } else { nil } }
        return found.map { g in
            let age = now - (agent.groupsCreated[g.group.id] ?? now)
            return OpenFlow.GroupStatistics(
                group: g.group.id, references: references[g.group.id] ?? 0, packets: g.packets, bytes: g.bytes,
                seconds: UInt32(clamping: age / 1_000_000_000), nanoseconds: UInt32(age % 1_000_000_000),
                buckets: g.buckets.map { PartCounters(packets: $0.packets, bytes: $0.bytes) })
        }
    }

    private func meterStatistics(_ id: UInt32) throws(OpenFlowError) -> [OpenFlow.MeterStatistics] {
        let found = tables.meterStatistics.filter { id == OpenFlowNumber.allMeters || $0.meter.id == id }
        if found.isEmpty, id != OpenFlowNumber.allMeters { throw OpenFlowError(.unknownMeter, "There is no meter \(id).") }
        let now = monotonicNow()
        let references = found.isEmpty ? [:] : countReferences { if case .meter(let m) = $0 { m } else { nil } }
        return found.map { m in
            let age = now - (agent.metersCreated[m.meter.id] ?? now)
            return OpenFlow.MeterStatistics(
                meter: m.meter.id, flows: references[m.meter.id] ?? 0, packets: m.packets, bytes: m.bytes,
                seconds: UInt32(clamping: age / 1_000_000_000), nanoseconds: UInt32(age % 1_000_000_000),
                bands: m.bands.map { PartCounters(packets: $0.packets, bytes: $0.bytes) })
        }
    }

    /// How many entries name each group or meter.
    private func countReferences(_ number: (Action) -> UInt32?) -> [UInt32: UInt32] {
        var counts: [UInt32: UInt32] = [:]
        func add(_ actions: [Action]) {
            for a in actions {
                if let n = number(a) { counts[n, default: 0] += 1 }
                if case .writeActions(let list) = a { add(list) }
            }
        }
        tables.withOwnership { tables.forEachEntry(table: nil) { add($0.entry.actions) } }
        return counts
    }
}
