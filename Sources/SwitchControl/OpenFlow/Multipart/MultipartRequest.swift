import Flow

/// Numbers of multipart kinds (OpenFlow 1.5.1 §7.3.5).
enum MultipartKind {
    static let desc: UInt16 = 0
    /// `flow` before 1.5, `flow-desc` from 1.5 on.
    static let flow: UInt16 = 1
    static let aggregate: UInt16 = 2
    static let table: UInt16 = 3
    static let port: UInt16 = 4
    static let queue: UInt16 = 5
    static let group: UInt16 = 6
    static let groupDesc: UInt16 = 7
    static let groupFeatures: UInt16 = 8
    static let meter: UInt16 = 9
    static let meterConfig: UInt16 = 10
    static let meterFeatures: UInt16 = 11
    static let tableFeatures: UInt16 = 12
    static let portDesc: UInt16 = 13
    static let tableDesc: UInt16 = 14
    static let queueDesc: UInt16 = 15
    static let flowMonitor: UInt16 = 16
    /// From 1.5 on.
    static let flowStats: UInt16 = 17
    static let experimenter: UInt16 = 0xffff

    static let names = [
        "DESC", "FLOW", "AGGREGATE", "TABLE", "PORT", "QUEUE", "GROUP", "GROUP_DESC", "GROUP_FEATURES", "METER", "METER_CONFIG", "METER_FEATURES",
        "TABLE_FEATURES", "PORT_DESC", "TABLE_DESC", "QUEUE_DESC", "FLOW_MONITOR", "FLOW_STATS",
    ]
}

/// `OFPT_MULTIPART_REQUEST`: one part of a request (OpenFlow 1.3.5 §A.3.5). Only `tableFeatures` and `flowMonitor` have more than one part.
public struct MultipartRequest: Hashable, Sendable {
    public enum Body: Hashable, Sendable {
        case desc
        /// `OFPMP_FLOW`, and from 1.5 on `OFPMP_FLOW_DESC`.
        case flow(FlowSelection)
        /// `OFPMP_FLOW_STATS`, from 1.5 on.
        case flowStats(FlowSelection)
        case aggregate(FlowSelection)
        case table
        case port(UInt32)
        case queue(port: UInt32, queue: UInt32)
        case group(UInt32)
        /// Before 1.5 always all groups.
        case groupDesc(UInt32)
        case groupFeatures
        case meter(UInt32)
        case meterConfig(UInt32)
        case meterFeatures
        /// Empty: asks for the features; otherwise sets them.
        case tableFeatures([TableFeatures])
        /// Before 1.5 always all ports.
        case portDesc(UInt32)
        case tableDesc
        case queueDesc(port: UInt32, queue: UInt32)
        case flowMonitor([FlowMonitorRequest])
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
        try r.atLeast(8, "A multipart request")
        let kind = r.u16()
        let flags = r.u16()
        r.skip(4)
        more = flags & 1 != 0
        let v = s.version
        switch kind {
        case MultipartKind.desc:
            try r.exactly(0, "A request for the description")
            body = .desc
        case MultipartKind.flow: body = .flow(try FlowSelection(&r, &s))
        case MultipartKind.flowStats where v >= .v15: body = .flowStats(try FlowSelection(&r, &s))
        case MultipartKind.aggregate: body = .aggregate(try FlowSelection(&r, &s))
        case MultipartKind.table:
            try r.exactly(0, "A request for tables")
            body = .table
        case MultipartKind.port: body = .port(try r.number("A request for ports"))
        case MultipartKind.queue:
            try r.exactly(8, "A request for queues")
            body = .queue(port: r.u32(), queue: r.u32())
        case MultipartKind.group: body = .group(try r.number("A request for groups"))
        case MultipartKind.groupDesc:
            if v < .v15 { try r.exactly(0, "A request for groups") }
            body = .groupDesc(v < .v15 ? OpenFlowNumber.allGroups : try r.number("A request for groups"))
        case MultipartKind.groupFeatures:
            try r.exactly(0, "A request for group features")
            body = .groupFeatures
        case MultipartKind.meter: body = .meter(try r.number("A request for meters"))
        case MultipartKind.meterConfig: body = .meterConfig(try r.number("A request for meters"))
        case MultipartKind.meterFeatures:
            try r.exactly(0, "A request for meter features")
            body = .meterFeatures
        case MultipartKind.tableFeatures:
            var all: [TableFeatures] = []
            while !r.isEmpty { all.append(try TableFeatures(&r, v)) }
            body = .tableFeatures(all)
        case MultipartKind.portDesc:
            if v < .v15 { try r.exactly(0, "A request for port descriptions") }
            body = .portDesc(v < .v15 ? ReservedPort.any : try r.number("A request for port descriptions"))
        case MultipartKind.tableDesc where v >= .v14:
            try r.exactly(0, "A request for table descriptions")
            body = .tableDesc
        case MultipartKind.queueDesc where v >= .v14:
            try r.exactly(8, "A request for queue descriptions")
            body = .queueDesc(port: r.u32(), queue: r.u32())
        case MultipartKind.flowMonitor where v >= .v14:
            var all: [FlowMonitorRequest] = []
            while !r.isEmpty { all.append(try FlowMonitorRequest(&r, &s)) }
            body = .flowMonitor(all)
        case MultipartKind.experimenter:
            try r.atLeast(8, "A multipart request of an experimenter")
            let experimenter = r.u32()
            let type = r.u32()
            if FlowMonitorRequest.isExtension(experimenter, type) {
                var all: [FlowMonitorRequest] = []
                while !r.isEmpty { all.append(try FlowMonitorRequest(extension: &r, &s, isONF: experimenter == Experimenter.onf)) }
                body = .flowMonitor(all)
            } else {
                body = .experimenter(UnknownExperimenter(experimenter: experimenter, type: type, data: r.rest()))
            }
        default: throw OpenFlowError(.badRequestMultipart, "Multipart requests of kind \(kind) are not known in \(v.text).")
        }
        // The parts of the other kinds are whole requests.
        if more {
            switch body {
            case .tableFeatures, .flowMonitor, .experimenter: break
            default: throw OpenFlowError(.multipartOverflow, "This multipart request has one part only.")
            }
        }
    }

    func write(_ w: inout WireWriter) {
        func header(_ w: inout WireWriter, _ kind: UInt16) {
            w.u16(kind)
            w.u16(more ? 1 : 0)
            w.u32(0)
        }
        func number(_ w: inout WireWriter, _ kind: UInt16, _ n: UInt32) {
            header(&w, kind)
            w.u32(n)
            w.u32(0)
        }
        func pair(_ w: inout WireWriter, _ kind: UInt16, _ a: UInt32, _ b: UInt32) {
            header(&w, kind)
            w.u32(a)
            w.u32(b)
        }
        switch body {
        case .desc: header(&w, MultipartKind.desc)
        case .flow(let f):
            header(&w, MultipartKind.flow)
            f.write(&w)
        case .flowStats(let f):
            if w.version < .v15 { w.fail("Flow statistics of their own exist from OpenFlow 1.5 on.") }
            header(&w, MultipartKind.flowStats)
            f.write(&w)
        case .aggregate(let f):
            header(&w, MultipartKind.aggregate)
            f.write(&w)
        case .table: header(&w, MultipartKind.table)
        case .port(let p): number(&w, MultipartKind.port, p)
        case .queue(let p, let q): pair(&w, MultipartKind.queue, p, q)
        case .group(let g): number(&w, MultipartKind.group, g)
        case .groupDesc(let g): if w.version >= .v15 { number(&w, MultipartKind.groupDesc, g) } else { header(&w, MultipartKind.groupDesc) }
        case .groupFeatures: header(&w, MultipartKind.groupFeatures)
        case .meter(let m): number(&w, MultipartKind.meter, m)
        case .meterConfig(let m): number(&w, MultipartKind.meterConfig, m)
        case .meterFeatures: header(&w, MultipartKind.meterFeatures)
        case .tableFeatures(let all):
            header(&w, MultipartKind.tableFeatures)
            for f in all { f.write(&w) }
        case .portDesc(let p): if w.version >= .v15 { number(&w, MultipartKind.portDesc, p) } else { header(&w, MultipartKind.portDesc) }
        case .tableDesc:
            if w.version < .v14 { w.fail("Table descriptions exist from OpenFlow 1.4 on.") }
            header(&w, MultipartKind.tableDesc)
        case .queueDesc(let p, let q):
            if w.version < .v14 { w.fail("Queue descriptions exist from OpenFlow 1.4 on.") }
            pair(&w, MultipartKind.queueDesc, p, q)
        case .flowMonitor(let all):
            header(&w, w.version < .v14 ? MultipartKind.experimenter : MultipartKind.flowMonitor)
            if w.version < .v14 {
                w.u32(Experimenter.onf)
                w.u32(FlowMonitorRequest.onfType)
            }
            for m in all { m.write(&w) }
        case .experimenter(let e):
            header(&w, MultipartKind.experimenter)
            w.u32(e.experimenter)
            w.u32(e.type)
            w.put(e.data)
        }
    }
}

extension WireReader {
    /// The body of many requests: a number and padding.
    mutating func number(_ what: StaticString) throws(OpenFlowError) -> UInt32 {
        try exactly(8, what)
        let n = u32()
        skip(4)
        return n
    }
}

/// Which entries a request is about.
public struct FlowSelection: Hashable, Sendable {
    /// 255: all tables.
    public var table: UInt8
    public var outPort: UInt32
    public var outGroup: UInt32
    public var cookie: UInt64
    public var cookieMask: UInt64
    public var match: Match

    public init(
        table: UInt8 = OpenFlowNumber.allTables, outPort: UInt32 = ReservedPort.any, outGroup: UInt32 = Group.none, cookie: UInt64 = 0,
        cookieMask: UInt64 = 0, match: Match = .any
    ) {
        self.table = table
        self.outPort = outPort
        self.outGroup = outGroup
        self.cookie = cookie
        self.cookieMask = cookieMask
        self.match = match
    }

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        try r.atLeast(40, "A request for flows")
        table = r.u8()
        r.skip(3)
        outPort = r.u32()
        outGroup = r.u32()
        r.skip(4)
        cookie = r.u64()
        cookieMask = r.u64()
        try r.match(&s.draft)
        match = s.draft.finish()
        if !r.isEmpty { throw OpenFlowError(.badRequestLength, "There are bytes behind the match of a request for flows.") }
    }

    func write(_ w: inout WireWriter) {
        w.u8(table)
        w.zeros(3)
        w.u32(outPort)
        w.u32(outGroup)
        w.u32(0)
        w.u64(cookie)
        w.u64(cookieMask)
        w.match(match)
    }
}
