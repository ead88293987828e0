import Flow

@testable import OpenFlow

/// One or more values of every message, for the versions that have it.
enum MessageSamples {
    static func entry(_ line: String) -> FlowEntry {
        guard case .flow(_, let e, _, _, _)? = FlowText.parse(line).modifications.first else { fatalError(line) }
        return e
    }
    static func group(_ line: String) -> Group {
        guard case .addGroup(let g)? = FlowText.parseGroups(line).modifications.first else { fatalError(line) }
        return g
    }
    static func match(_ text: String) -> Match { try! FlowText.parseMatch(text).match }

    static let counters = FlowCounters(packets: 5, bytes: 600, seconds: 7, nanoseconds: 8_000_000)

    static var port: SwitchPort {
        var p = SwitchPort(number: 3, address: 0x0011_2233_4455, name: "veth3")
        p.config = SwitchPort.Config.noForward
        p.state = SwitchPort.State.live
        p.current = 0x840
        p.currentSpeed = 10_000_000
        p.maximumSpeed = 10_000_000
        return p
    }

    static var packetIn: PacketIn {
        PacketIn(
            totalLength: 100, reason: .action, table: 2, cookie: 9, metadata: match("in_port=3,reg1=5,metadata=0x7,tun_id=9"), data: [1, 2, 3, 4])
    }

    static func all(_ v: OpenFlowVersion) -> [Message] {
        var list: [Message] = [
            .hello(Hello(highest: v.rawValue)), .hello(Hello(highest: v.rawValue, bitmap: 0x70)),
            .error(ErrorMessage(code: .badMatchField, data: [1, 2, 3])), .error(ErrorMessage(code: .duplicateInstruction, data: [])),
            .error(ErrorMessage(code: .badPropertyType, data: [])), .error(ErrorMessage(code: .bundleExists, data: [])),
            .error(ErrorMessage(code: .badConjunction, data: [9])), .echoRequest([1, 2]), .echoReply([]), .featuresRequest, .getConfigRequest,
            .barrierRequest, .barrierReply, .getAsyncRequest,
            .experimenter(UnknownExperimenter(experimenter: 0x1234, type: 5, data: [1])),
            .featuresReply(SwitchFeatures(datapathID: 0x1234, tableCount: 254, capabilities: [.flowStats, .portStats])),
            .getConfigReply(SwitchConfig()), .setConfig(SwitchConfig(fragments: .drop, missSendLength: 0xffff)), .packetIn(packetIn),
            .portStatus(PortStatus(.add, port)), .portStatus(PortStatus(.delete, port)),
            .packetOut(PacketOut(inPort: ReservedPort.controller, actions: entry("actions=output:1").actions, data: [1, 2, 3])),
            .packetOut(PacketOut(inPort: 3, actions: [.outputHint(port: 2, maxLength: 0xffe5)], data: [1])),
            .packetOut(PacketOut(bufferID: 7, inPort: 3, actions: entry("actions=output:1,resubmit(,2)").actions, data: [])),
            .flowMod(FlowMod(.add, entry("table=1,priority=5,tcp,tp_dst=80,actions=output:1"))),
            .flowMod(FlowMod(.modifyStrict, entry("cookie=5,ip,actions=drop"), cookieMask: 0xff)),
            .flowMod(FlowMod(.modify, entry("actions=drop"), bufferID: 77)),
            .flowMod(FlowMod(.delete, FlowEntry(table: 255), outPort: 5, outGroup: 6)), .flowMod(FlowMod(.deleteStrict, entry("ip,actions=drop"))),
            .groupMod(GroupMod(.add, group("group_id=1,type=all,bucket=actions=output:1,bucket=actions=output:2"))),
            .groupMod(GroupMod(.modify, group("group_id=2,type=select,bucket=weight:5,actions=output:1,bucket=weight:6,actions=output:2"))),
            .groupMod(GroupMod(.add, group("group_id=3,type=ff,bucket=watch_port:1,actions=output:1,bucket=watch_group:2,actions=group:2"))),
            .groupMod(GroupMod(.add, group("group_id=4,type=indirect,bucket=actions=set_field:1->reg0,output:1"))),
            .groupMod(GroupMod(.delete, Group(id: OpenFlowNumber.allGroups, kind: .all))),
            .portMod(PortMod(number: 3, address: 0x0011_2233_4455, config: 1, mask: 1, advertise: 0x40)),
            .tableMod(TableMod(TableConfig(table: 3))),
            .meterMod(
                MeterMod(
                    .add, Meter(id: 3, unit: .pktps, hasBurst: true, collectsStatistics: true, bands: [.drop(rate: 10, burst: 20)]))),
            .meterMod(MeterMod(.modify, Meter(id: 3, unit: .kbps, bands: [.dscpRemark(rate: 10, burst: 0, precedence: 1)]))),
            .meterMod(MeterMod(.delete, Meter(id: OpenFlowNumber.allMeters, unit: .kbps))),
            .roleRequest(RoleMessage(.master, generation: 5)), .roleReply(RoleMessage(.equal)),
            .roleStatus(RoleStatus(role: .slave, reason: .masterRequest, generation: 6)),
            .setAsync(AsyncConfig(slave: [.packetIn: 1, .portStatus: 2, .flowRemoved: 3], master: [.packetIn: 4, .portStatus: 5, .flowRemoved: 6])),
            .getAsyncReply(
                AsyncConfig(slave: [.packetIn: 0, .portStatus: 7, .flowRemoved: 0], master: [.packetIn: 7, .portStatus: 7, .flowRemoved: 15])),
            .bundleControl(BundleControl(bundle: 5, .openRequest, flags: [.atomic, .ordered])),
            .bundleControl(BundleControl(bundle: 5, .commitReply)),
            .bundleAdd(
                BundleAdd(bundle: 5, flags: [.atomic], message: try! MessageEncoder(v).encode(.flowMod(FlowMod(.add, entry("actions=1"))), xid: 0x2a))
            ),
            .flowRemoved(
                FlowRemoved(
                    reason: .idleTimeout, table: 1, priority: 5, cookie: 6, idleTimeout: 7, hardTimeout: 8, match: match("tcp,tp_dst=80"),
                    counters: counters)),
        ]
        list += nicira() + requests(v).map { .multipartRequest(MultipartRequest($0)) } + replies(v).map { .multipartReply(MultipartReply($0)) }
        list.append(.multipartReply(MultipartReply(.port([PortStatistics(port: 1)]), more: true)))
        if v < .v14 {
            list += [
                .queueConfigRequest(port: 5),
                .queueConfigReply(QueueConfig(port: 5, queues: [QueueDescription(port: 5, queue: 1, minimumRate: 100, maximumRate: 900)])),
            ]
        } else {
            list += [
                .tableStatus(TableStatus(.vacancyDown, TableConfig(table: 4, config: 8, vacancy: .init(down: 10, up: 20, current: 9)))),
                .tableMod(TableMod(TableConfig(table: 3, config: 4, eviction: 2, vacancy: .init(down: 10, up: 20)))),
                .flowMod(FlowMod(.add, entry("importance=9,actions=output:1"))),
                .requestForward(try! MessageEncoder(v).encode(.groupMod(GroupMod(.delete, Group(id: 1, kind: .all))), xid: 5)),
                .setAsync(AsyncConfig(slave: [.roleStatus: 1], master: [.tableStatus: 24, .requestForward: 3])),
            ]
        }
        if v >= .v15 {
            list += [
                .groupMod(GroupMod(.insertBuckets, group("group_id=1,type=select,bucket=bucket_id:7,weight:2,actions=output:1"), commandBucket: 3)),
                .groupMod(GroupMod(.removeBuckets, Group(id: 1, kind: .all), commandBucket: GroupMod.BucketPlace.last)),
                .groupMod(
                    GroupMod(
                        .add, group("group_id=1,type=select,selection_method=hash,fields(ip_src,tcp_dst),bucket=bucket_id:0,actions=output:1"))),
                .groupMod(
                    GroupMod(
                        .add,
                        group("group_id=1,type=select,selection_method=dp_hash,selection_method_param=7,bucket=bucket_id:0,actions=output:1"))),
                .packetOut(PacketOut(inPort: 3, metadata: match("reg0=5,metadata=0x9"), actions: entry("actions=1").actions, data: [5])),
                .roleRequest(RoleMessage(.master, generation: 5, shortID: 9)),
            ]
        }
        return list
    }

    static func nicira() -> [Message] {
        var resumed = packetIn
        resumed.userdata = [1, 2, 3]
        resumed.continuation = [0, 7, 0, 4]
        let option = TunnelOption(optionClass: 0x102, type: 0x80, size: 4, index: 0)
        let all: [NiciraMessage] = [
            .setFlowFormat(2), .flowModTableID(true), .setPacketInFormat(2), .flowAge, .setControllerID(5),
            .setAsync(AsyncConfig(slave: [.packetIn: 1, .portStatus: 2, .flowRemoved: 3], master: [.packetIn: 4, .portStatus: 5, .flowRemoved: 6])),
            .setAsync2(AsyncConfig(slave: [.packetIn: 1], master: [.packetIn: 3])), .packetIn2(packetIn), .resume(resumed),
            .tunnelOptionMod(TunnelOptionMod(.add, [option])), .tunnelOptionMod(TunnelOptionMod(.clear, [])), .tunnelOptionRequest,
            .tunnelOptionReply(TunnelOptionReply(maximumSpace: 256, maximumFields: 64, options: [option])), .flowMonitorCancel(5), .flowMonitorPaused,
            .flowMonitorResumed,
        ]
        return all.map { .nicira($0) }
    }

    static func requests(_ v: OpenFlowVersion) -> [MultipartRequest.Body] {
        let selection = FlowSelection(table: 3, outPort: 5, cookie: 1, cookieMask: 0xff, match: match("ip,nw_src=10.0.0.0/8"))
        var list: [MultipartRequest.Body] = [
            .desc, .flow(selection), .flow(FlowSelection()), .aggregate(FlowSelection()), .table, .port(ReservedPort.any), .port(4),
            .queue(port: ReservedPort.any, queue: OpenFlowNumber.allQueues), .group(OpenFlowNumber.allGroups), .group(5),
            .groupDesc(OpenFlowNumber.allGroups), .groupFeatures, .meter(OpenFlowNumber.allMeters), .meterConfig(3), .meterFeatures,
            .tableFeatures([]),
            .tableFeatures([features]), .portDesc(ReservedPort.any),
            .flowMonitor([FlowMonitorRequest(id: 5, flags: [.initial, .add, .removed, .modify, .instructions], match: match("tcp"))]),
            .experimenter(UnknownExperimenter(experimenter: 0x1234, type: 1, data: [1, 2])),
        ]
        if v >= .v14 { list += [.tableDesc, .queueDesc(port: 1, queue: 2)] }
        if v >= .v15 { list += [.flowStats(selection), .groupDesc(7), .portDesc(3)] }
        return list
    }

    static let features = TableFeatures(
        table: 5, name: "table5", maximumEntries: 1_000_000,
        properties: [
            .init(TableFeatures.PropertyKind.instructions, [1, 2, 3, 4, 5]), .init(TableFeatures.PropertyKind.nextTables, [6, 7, 8]),
            .init(TableFeatures.PropertyKind.writeActions, [0, 21, 22, 25]), .init(TableFeatures.PropertyKind.applyActions, [0, 21, 22, 25]),
            .init(TableFeatures.PropertyKind.match, fields: [.inPort, .ethSrc, .ipv4Src], hasMask: true),
            .init(TableFeatures.PropertyKind.wildcards, fields: [.inPort, .ethSrc, .ipv4Src]),
            .init(TableFeatures.PropertyKind.writeSetField, fields: [.ethSrc]),
            .init(TableFeatures.PropertyKind.applySetField, fields: [.ethSrc, .ethDst]),
        ])

    static func replies(_ v: OpenFlowVersion) -> [MultipartReply.Body] {
        var portStatistics = PortStatistics(port: 3)
        portStatistics.receivedPackets = 1
        portStatistics.sentBytes = 2
        portStatistics.collisions = 3
        portStatistics.seconds = 4
        let buckets = [PartCounters(packets: 1, bytes: 2), PartCounters(packets: 3, bytes: 4)]
        var list: [MultipartReply.Body] = [
            .desc(SwitchDescription(manufacturer: "Weft", hardware: "x86", software: "1", serialNumber: "None", datapath: "br0")),
            .flow([
                FlowStatistics(
                    entry("table=1,priority=5,cookie=0x9,idle_timeout=7,send_flow_rem,tcp,tp_dst=80,actions=output:1,goto_table:5"), counters),
                FlowStatistics(entry("actions=drop"), counters),
            ]), .flow([]), .aggregate(FlowCounters(packets: 1, bytes: 2, flows: 3)),
            .table([TableStatistics(table: 0, active: 1, lookups: 2, matches: 3), TableStatistics(table: 1, active: 0, lookups: 2, matches: 0)]),
            .port([portStatistics, PortStatistics(port: ReservedPort.local)]), .queue([QueueStatistics(port: 1, queue: 2, bytes: 3, packets: 4)]),
            .group([GroupStatistics(group: 1, references: 2, packets: 3, bytes: 4, seconds: 5, buckets: buckets)]),
            .groupDesc([
                group("group_id=1,type=all,bucket=actions=output:1,bucket=actions=output:2"),
                group("group_id=3,type=ff,bucket=watch_port:1,actions=output:1"),
            ]), .groupFeatures(GroupFeatures(types: 15, capabilities: 7, maximumGroups: [1, 2, 3, 4], actions: [5, 6, 7, 8])),
            .meter([MeterStatistics(meter: 1, flows: 2, packets: 3, bytes: 4, seconds: 5, bands: buckets)]),
            .meterConfig([
                Meter(id: 3, unit: .kbps, hasBurst: true, bands: [.drop(rate: 10, burst: 20), .dscpRemark(rate: 5, burst: 6, precedence: 1)])
            ]),
            .meterFeatures(MeterFeatures(maximumMeters: 100, bandTypes: 6, capabilities: 15, maximumBands: 8)), .tableFeatures([features]),
            .portDesc([port, port]),
            .flowMonitor([
                .full(v < .v14 ? .added : .initial, reason: 0, entry("table=2,cookie=0x5,tcp,actions=output:1")),
                .full(.removed, reason: 2, entry("table=2,cookie=0x5,tcp,actions=drop")), .abbreviated(xid: 9),
            ]), .experimenter(UnknownExperimenter(experimenter: 0x1234, type: 1, data: [1, 2])),
        ]
        if v >= .v14 {
            list += [
                .tableDesc([TableConfig(table: 1, config: 4, eviction: 2), TableConfig(table: 2)]),
                .queueDesc([QueueDescription(port: 1, queue: 2, minimumRate: 3, maximumRate: 4)]), .flowMonitor([.paused, .resumed]),
            ]
        }
        if v >= .v15 { list.append(.flowStats([FlowStatistics(FlowEntry(table: 1, priority: 5, match: match("tcp")), counters)])) }
        return list
    }
}
