import Flow

/// `OFPT_MULTIPART_REPLY`: one part of a reply (OpenFlow 1.3.5 §A.3.5).
///
/// Encoding cuts a body that is longer than a message into as many parts as needed, every one but the last with the flag that more follow;
/// `MultipartReplyWriter` does the same for entries that come one by one.
public struct MultipartReply: Hashable, Sendable {
    public enum Body: Hashable, Sendable {
        case desc(SwitchDescription)
        case flow([FlowStatistics])
        /// `OFPMP_FLOW_STATS`, from 1.5 on: counters without actions.
        case flowStats([FlowStatistics])
        case aggregate(FlowCounters)
        case table([TableStatistics])
        case port([PortStatistics])
        case queue([QueueStatistics])
        case group([GroupStatistics])
        case groupDesc([Group])
        case groupFeatures(GroupFeatures)
        case meter([MeterStatistics])
        case meterConfig([Meter])
        case meterFeatures(MeterFeatures)
        case tableFeatures([TableFeatures])
        case portDesc([SwitchPort])
        case tableDesc([TableConfig])
        case queueDesc([QueueDescription])
        case flowMonitor([FlowUpdate])
        case experimenter(UnknownExperimenter)
    }
    public var body: Body
    /// Whether more parts follow.
    public var more: Bool

    public init(_ body: Body, more: Bool = false) {
        self.body = body
        self.more = more
    }

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        try r.atLeast(8, "A multipart reply")
        let kind = r.u16()
        more = r.u16() & 1 != 0
        r.skip(4)
        let v = s.version
        switch kind {
        case MultipartKind.desc: body = .desc(try SwitchDescription(&r))
        case MultipartKind.flow:
            var all: [FlowStatistics] = []
            while !r.isEmpty { all.append(try FlowStatistics(&r, &s)) }
            body = .flow(all)
        case MultipartKind.flowStats where v >= .v15:
            var all: [FlowStatistics] = []
            while !r.isEmpty { all.append(try FlowStatistics(statsOnly: &r, &s)) }
            body = .flowStats(all)
        case MultipartKind.aggregate:
            if v >= .v15 {
                body = .aggregate(try FlowCounters(oxs: &r))
            } else {
                try r.exactly(24, "Aggregate statistics")
                body = .aggregate(FlowCounters(packets: r.u64(), bytes: r.u64(), flows: r.u32()))
            }
        case MultipartKind.table: body = .table(try r.all { (r) throws(OpenFlowError) in try TableStatistics(&r) })
        case MultipartKind.port: body = .port(try r.all { (r) throws(OpenFlowError) in try PortStatistics(&r, v) })
        case MultipartKind.queue: body = .queue(try r.all { (r) throws(OpenFlowError) in try QueueStatistics(&r, v) })
        case MultipartKind.group: body = .group(try r.all { (r) throws(OpenFlowError) in try GroupStatistics(&r) })
        case MultipartKind.groupDesc: body = .groupDesc(try r.all { (r) throws(OpenFlowError) in try Group(description: &r, v) })
        case MultipartKind.groupFeatures: body = .groupFeatures(try GroupFeatures(&r))
        case MultipartKind.meter: body = .meter(try r.all { (r) throws(OpenFlowError) in try MeterStatistics(&r) })
        case MultipartKind.meterConfig: body = .meterConfig(try r.all { (r) throws(OpenFlowError) in try Meter(configuration: &r) })
        case MultipartKind.meterFeatures: body = .meterFeatures(try MeterFeatures(&r))
        case MultipartKind.tableFeatures: body = .tableFeatures(try r.all { (r) throws(OpenFlowError) in try TableFeatures(&r, v) })
        case MultipartKind.portDesc: body = .portDesc(try r.all { (r) throws(OpenFlowError) in try SwitchPort(&r, v) })
        case MultipartKind.tableDesc where v >= .v14: body = .tableDesc(try r.all { (r) throws(OpenFlowError) in try TableConfig(element: &r) })
        case MultipartKind.queueDesc where v >= .v14: body = .queueDesc(try r.all { (r) throws(OpenFlowError) in try QueueDescription(&r, v) })
        case MultipartKind.flowMonitor where v >= .v14:
            var all: [FlowUpdate] = []
            while !r.isEmpty { all.append(try FlowUpdate(&r, &s)) }
            body = .flowMonitor(all)
        case MultipartKind.experimenter:
            try r.atLeast(8, "A multipart reply of an experimenter")
            let experimenter = r.u32()
            let type = r.u32()
            if FlowMonitorRequest.isExtension(experimenter, type) {
                var all: [FlowUpdate] = []
                while !r.isEmpty { all.append(try FlowUpdate(extension: &r, &s, isONF: experimenter == Experimenter.onf)) }
                body = .flowMonitor(all)
            } else {
                body = .experimenter(UnknownExperimenter(experimenter: experimenter, type: type, data: r.rest()))
            }
        default: throw OpenFlowError(.badRequestMultipart, "Multipart replies of kind \(kind) are not known in \(v.text).")
        }
    }

    /// Appends all entries to a writer.
    func write(_ w: inout MultipartReplyWriter) {
        switch body {
        case .desc(let d): w.entry { d.write(&$0) }
        case .flow(let all): for f in all { w.append(f) }
        case .flowStats(let all): for f in all { w.append(f) }
        case .aggregate(let c):
            w.entry {
                if $0.version >= .v15 { return c.writeOXS(&$0) }
                $0.u64(c.packets)
                $0.u64(c.bytes)
                $0.u32(c.flows ?? 0)
                $0.u32(0)
            }
        case .table(let all): for t in all { w.entry { t.write(&$0) } }
        case .port(let all): for p in all { w.entry { p.write(&$0) } }
        case .queue(let all): for q in all { w.entry { q.write(&$0) } }
        case .group(let all): for g in all { w.entry { g.write(&$0) } }
        case .groupDesc(let all): for g in all { w.entry { g.writeDescription(&$0) } }
        case .groupFeatures(let f): w.entry { f.write(&$0) }
        case .meter(let all): for m in all { w.entry { m.write(&$0) } }
        case .meterConfig(let all): for m in all { w.entry { m.writeConfiguration(&$0) } }
        case .meterFeatures(let f): w.entry { f.write(&$0) }
        case .tableFeatures(let all): for t in all { w.entry { t.write(&$0) } }
        case .portDesc(let all): for p in all { w.entry { p.write(&$0) } }
        case .tableDesc(let all): for t in all { w.entry { t.writeElement(&$0) } }
        case .queueDesc(let all): for q in all { w.entry { q.write(&$0) } }
        case .flowMonitor(let all): for u in all { w.entry { u.write(&$0) } }
        case .experimenter(let e): w.entry { $0.put(e.data) }
        }
    }

    var kind: MultipartReplyWriter.Kind {
        switch body {
        case .desc: .init(MultipartKind.desc)
        case .flow: .flow
        case .flowStats: .flowStats
        case .aggregate: .init(MultipartKind.aggregate)
        case .table: .init(MultipartKind.table)
        case .port: .init(MultipartKind.port)
        case .queue: .init(MultipartKind.queue)
        case .group: .init(MultipartKind.group)
        case .groupDesc: .init(MultipartKind.groupDesc)
        case .groupFeatures: .init(MultipartKind.groupFeatures)
        case .meter: .init(MultipartKind.meter)
        case .meterConfig: .init(MultipartKind.meterConfig)
        case .meterFeatures: .init(MultipartKind.meterFeatures)
        case .tableFeatures: .init(MultipartKind.tableFeatures)
        case .portDesc: .init(MultipartKind.portDesc)
        case .tableDesc: .init(MultipartKind.tableDesc)
        case .queueDesc: .init(MultipartKind.queueDesc)
        case .flowMonitor: .flowMonitor
        case .experimenter(let e): .init(MultipartKind.experimenter, experimenter: e.experimenter, type: e.type)
        }
    }
}

extension WireReader {
    /// Reads elements up to the reader's end. An element takes at least a byte or throws, so this ends.
    mutating func all<T>(_ element: (inout WireReader) throws(OpenFlowError) -> T) throws(OpenFlowError) -> [T] {
        var list: [T] = []
        while !isEmpty {
            list.append(try element(&self))
            if isShort { throw OpenFlowError(.badRequestLength, "The last element of a multipart reply is cut short.") }
        }
        return list
    }
}
