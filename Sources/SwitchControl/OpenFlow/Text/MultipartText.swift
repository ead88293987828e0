import Flow

extension MultipartRequest.Body {
    func name(_ version: OpenFlowVersion) -> String {
        let kind: UInt16 =
            switch self {
            case .desc: MultipartKind.desc
            case .flow: MultipartKind.flow
            case .flowStats: MultipartKind.flowStats
            case .aggregate: MultipartKind.aggregate
            case .table: MultipartKind.table
            case .port: MultipartKind.port
            case .queue: MultipartKind.queue
            case .group: MultipartKind.group
            case .groupDesc: MultipartKind.groupDesc
            case .groupFeatures: MultipartKind.groupFeatures
            case .meter: MultipartKind.meter
            case .meterConfig: MultipartKind.meterConfig
            case .meterFeatures: MultipartKind.meterFeatures
            case .tableFeatures: MultipartKind.tableFeatures
            case .portDesc: MultipartKind.portDesc
            case .tableDesc: MultipartKind.tableDesc
            case .queueDesc: MultipartKind.queueDesc
            case .flowMonitor: MultipartKind.flowMonitor
            case .experimenter: MultipartKind.experimenter
            }
        return kind == MultipartKind.experimenter ? "EXPERIMENTER" : MultipartKind.names[Int(kind)]
    }

    var text: String {
        switch self {
        case .desc, .table, .groupFeatures, .meterFeatures, .tableDesc: ""
        case .flow(let f), .flowStats(let f), .aggregate(let f): f.text
        case .port(let p), .portDesc(let p): "port=\(FlowText.portText(p))"
        case .queue(let p, let q), .queueDesc(let p, let q):
            "port=\(FlowText.portText(p)) queue=\(q == OpenFlowNumber.allQueues ? "ALL" : String(q))"
        case .group(let g), .groupDesc(let g): "group_id=\(g == OpenFlowNumber.allGroups ? "all" : String(g))"
        case .meter(let m), .meterConfig(let m): "meter=\(m == OpenFlowNumber.allMeters ? "all" : String(m))"
        case .tableFeatures(let all): all.map(\.text).joined(separator: "; ")
        case .flowMonitor(let all): all.map(\.text).joined(separator: "; ")
        case .experimenter(let e): MessageText.experimenter(e)
        }
    }
}

extension MultipartReply.Body {
    func name(_ version: OpenFlowVersion) -> String {
        let kind: UInt16 =
            switch self {
            case .experimenter: MultipartKind.experimenter
            case .flowMonitor: MultipartKind.flowMonitor
            default: MultipartReply(self).kind.number
            }
        return kind == MultipartKind.experimenter ? "EXPERIMENTER" : MultipartKind.names[Int(kind)]
    }

    var text: String {
        switch self {
        case .desc(let d):
            "Manufacturer: \(d.manufacturer); Hardware: \(d.hardware); Software: \(d.software); Serial Num: \(d.serialNumber); "
                + "DP Description: \(d.datapath)"
        case .flow(let all), .flowStats(let all): all.map(\.text).joined(separator: "; ")
        case .aggregate(let c): "packet_count=\(c.packets) byte_count=\(c.bytes) flow_count=\(c.flows ?? 0)"
        case .table(let all):
            all.map { "table \($0.table): active=\($0.active), lookup=\($0.lookups), matched=\($0.matches)" }.joined(separator: "; ")
        case .port(let all):
            all.map { p in
                "port \(FlowText.portText(p.port)): rx pkts=\(p.receivedPackets), bytes=\(p.receivedBytes), drop=\(p.receiveDropped), "
                    + "errs=\(p.receiveErrors), tx pkts=\(p.sentPackets), bytes=\(p.sentBytes), drop=\(p.sendDropped), errs=\(p.sendErrors)"
            }.joined(separator: "; ")
        case .queue(let all):
            all.map { "port \(FlowText.portText($0.port)) queue \($0.queue): bytes=\($0.bytes), pkts=\($0.packets), errors=\($0.errors)" }
                .joined(separator: "; ")
        case .group(let all):
            all.map { g in
                "group_id=\(g.group),ref_count=\(g.references),packet_count=\(g.packets),byte_count=\(g.bytes)"
                    + g.buckets.enumerated().map { ",bucket\($0):packet_count=\($1.packets),byte_count=\($1.bytes)" }.joined()
            }.joined(separator: "; ")
        case .groupDesc(let all): all.map { FlowText.text($0) }.joined(separator: "; ")
        case .groupFeatures(let f):
            "types=0x\(String(f.types, radix: 16)) capabilities=0x\(String(f.capabilities, radix: 16)) max_groups=\(f.maximumGroups)"
        case .meter(let all):
            all.map { m in
                "meter:\(m.meter) flow_count:\(m.flows) packet_in_count:\(m.packets) byte_in_count:\(m.bytes)"
                    + m.bands.enumerated().map { " band \($0): packet_count:\($1.packets) byte_count:\($1.bytes)" }.joined()
            }.joined(separator: "; ")
        case .meterConfig(let all): all.map { FlowText.text($0) }.joined(separator: "; ")
        case .meterFeatures(let f):
            "max_meter:\(f.maximumMeters) max_bands:\(f.maximumBands) max_color:\(f.maximumColors) band_types:0x\(String(f.bandTypes, radix: 16)) "
                + "capabilities:0x\(String(f.capabilities, radix: 16))"
        case .tableFeatures(let all): all.map(\.text).joined(separator: "; ")
        case .portDesc(let all): all.map(\.text).joined(separator: "; ")
        case .tableDesc(let all): all.map(\.text).joined(separator: "; ")
        case .queueDesc(let all): all.map(\.text).joined(separator: "; ")
        case .flowMonitor(let all): all.map(\.text).joined(separator: "; ")
        case .experimenter(let e): MessageText.experimenter(e)
        }
    }
}

extension FlowSelection {
    var text: String {
        MessageText.words(
            table == OpenFlowNumber.allTables ? "" : "table=\(table)",
            cookieMask == 0 ? "" : "cookie=0x\(String(cookie, radix: 16))/0x\(String(cookieMask, radix: 16))",
            outPort == ReservedPort.any ? "" : "out_port=\(FlowText.portText(outPort))", outGroup == Group.none ? "" : "out_group=\(outGroup)",
            FlowText.text(match))
    }
}

extension FlowStatistics {
    /// One line of `ovs-ofctl dump-flows`.
    public var text: String {
        var e = entry
        e.cookie = 0
        e.table = 0
        return "cookie=0x\(String(entry.cookie, radix: 16)), \(MessageText.duration(counters)), table=\(entry.table), n_packets=\(counters.packets), "
            + "n_bytes=\(counters.bytes), \(FlowText.text(e))"
    }
}

extension TableFeatures {
    var text: String {
        "table \(table) (\"\(name)\"): metadata: match=0x\(String(metadataMatch, radix: 16)) write=0x\(String(metadataWrite, radix: 16)) "
            + "max_entries=\(maximumEntries) properties=\(properties.map { "\($0.kind)" }.joined(separator: ","))"
    }
}

extension FlowMonitorRequest {
    var text: String {
        MessageText.words(
            "id=\(id)", "\(command)", "flags=0x\(String(flags.rawValue, radix: 16))", table == OpenFlowNumber.allTables ? "" : "table=\(table)",
            outPort == ReservedPort.any ? "" : "out_port=\(FlowText.portText(outPort))", FlowText.text(match))
    }
}

extension FlowUpdate {
    var text: String {
        switch self {
        case .full(let event, let reason, let e):
            "event=\(String(describing: event).uppercased())" + (event == .removed ? " reason=\(reason)" : "") + " \(FlowText.text(e))"
        case .abbreviated(let xid): "event=ABBREV xid=0x\(String(xid, radix: 16))"
        case .paused: "event=PAUSED"
        case .resumed: "event=RESUMED"
        }
    }
}
