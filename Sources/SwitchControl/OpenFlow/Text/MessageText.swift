import Flow

/// A message as one line, in the spelling of `ovs-ofctl snoop` where that has one: `OFPT_FLOW_MOD (OF1.3) (xid=0x2): ADD priority=5,ip actions=output:1`.
extension OpenFlowMessage: CustomStringConvertible {
    public var description: String {
        let body = body.text(version)
        return "\(self.body.name(version)) (\(version.text)) (xid=0x\(String(xid, radix: 16))):" + (body.isEmpty ? "" : " " + body)
    }
}

extension Message {
    /// `OFPT_FLOW_MOD`, `OFPST_FLOW request`, `NXT_SET_CONTROLLER_ID`.
    public func name(_ version: OpenFlowVersion) -> String {
        switch self {
        case .hello: "OFPT_HELLO"
        case .error: "OFPT_ERROR"
        case .echoRequest: "OFPT_ECHO_REQUEST"
        case .echoReply: "OFPT_ECHO_REPLY"
        case .experimenter: "OFPT_EXPERIMENTER"
        case .featuresRequest: "OFPT_FEATURES_REQUEST"
        case .featuresReply: "OFPT_FEATURES_REPLY"
        case .getConfigRequest: "OFPT_GET_CONFIG_REQUEST"
        case .getConfigReply: "OFPT_GET_CONFIG_REPLY"
        case .setConfig: "OFPT_SET_CONFIG"
        case .packetIn: "OFPT_PACKET_IN"
        case .flowRemoved: "OFPT_FLOW_REMOVED"
        case .portStatus: "OFPT_PORT_STATUS"
        case .packetOut: "OFPT_PACKET_OUT"
        case .flowMod: "OFPT_FLOW_MOD"
        case .groupMod: "OFPT_GROUP_MOD"
        case .portMod: "OFPT_PORT_MOD"
        case .tableMod: "OFPT_TABLE_MOD"
        case .multipartRequest(let m): "OFPST_\(m.body.name(version)) request"
        case .multipartReply(let m): "OFPST_\(m.body.name(version)) reply"
        case .barrierRequest: "OFPT_BARRIER_REQUEST"
        case .barrierReply: "OFPT_BARRIER_REPLY"
        case .queueConfigRequest: "OFPT_QUEUE_GET_CONFIG_REQUEST"
        case .queueConfigReply: "OFPT_QUEUE_GET_CONFIG_REPLY"
        case .roleRequest: "OFPT_ROLE_REQUEST"
        case .roleReply: "OFPT_ROLE_REPLY"
        case .getAsyncRequest: "OFPT_GET_ASYNC_REQUEST"
        case .getAsyncReply: "OFPT_GET_ASYNC_REPLY"
        case .setAsync: "OFPT_SET_ASYNC"
        case .meterMod: "OFPT_METER_MOD"
        case .roleStatus: "OFPT_ROLE_STATUS"
        case .tableStatus: "OFPT_TABLE_STATUS"
        case .requestForward: "OFPT_REQUESTFORWARD"
        case .bundleControl: "OFPT_BUNDLE_CONTROL"
        case .bundleAdd: "OFPT_BUNDLE_ADD_MESSAGE"
        case .nicira(let m): m.name
        }
    }

    /// What stands behind the colon.
    func text(_ version: OpenFlowVersion) -> String {
        switch self {
        case .hello(let h):
            "highest version 0x\(String(h.highest, radix: 16))" + (h.bitmap.map { ", version bitmap: \(MessageText.versions($0))" } ?? "")
        case .error(let e): "\(e.code.name)" + (e.data.isEmpty ? "" : " \(MessageText.hex(e.data))")
        case .echoRequest(let d), .echoReply(let d): "\(d.count) bytes of payload"
        case .experimenter(let e): MessageText.experimenter(e)
        case .featuresRequest, .getConfigRequest, .barrierRequest, .barrierReply, .getAsyncRequest: ""
        case .featuresReply(let f):
            "dpid:\(MessageText.hex16(f.datapathID)) n_tables:\(f.tableCount) n_buffers:\(f.bufferCount) auxiliary_id:\(f.auxiliaryID) "
                + "capabilities:0x\(String(f.capabilities.rawValue, radix: 16))"
        case .getConfigReply(let c), .setConfig(let c): "frags=\(c.fragments) miss_send_len=\(c.missSendLength)"
        case .packetIn(let p): MessageText.packetIn(p)
        case .flowRemoved(let f):
            MessageText.words(
                FlowText.text(f.match, priority: f.priority), "reason=\(f.reason.text)", "table_id=\(f.table)",
                "cookie:0x\(String(f.cookie, radix: 16))", MessageText.duration(f.counters), "idle\(f.idleTimeout) hard\(f.hardTimeout)",
                "pkts\(f.counters.packets) bytes\(f.counters.bytes)")
        case .portStatus(let p): "\(String(describing: p.reason).uppercased()): \(p.port.text)"
        case .packetOut(let p):
            MessageText.words(
                "in_port=\(FlowText.portText(p.inPort))", FlowText.text(p.metadata), "actions=\(FlowText.text(p.actions))",
                p.bufferID == OpenFlowNumber.noBuffer ? "data_len=\(p.data.count)" : "buffer=0x\(String(p.bufferID, radix: 16))")
        case .flowMod(let f): f.text
        case .groupMod(let g): g.text
        case .portMod(let p):
            "port: \(FlowText.portText(p.number)): addr:\(FlowText.valueText(.ethSrc, FieldValue(low: p.address))) "
                + "config: 0x\(String(p.config, radix: 16)) mask: 0x\(String(p.mask, radix: 16)) advertise: 0x\(String(p.advertise, radix: 16))"
        case .tableMod(let t): t.config.text
        case .multipartRequest(let m): MessageText.words(m.body.text, m.more ? "more" : "")
        case .multipartReply(let m): MessageText.words(m.body.text, m.more ? "more" : "")
        case .queueConfigRequest(let port): "port=\(FlowText.portText(port))"
        case .queueConfigReply(let q): "port=\(FlowText.portText(q.port)) \(q.queues.map(\.text).joined(separator: "; "))"
        case .roleRequest(let r), .roleReply(let r): "role=\(r.role.text)" + (r.generation == .max ? "" : " generation_id=\(r.generation)")
        case .getAsyncReply(let c), .setAsync(let c): c.text
        case .meterMod(let m):
            "\(String(describing: m.command).uppercased()) " + (m.command == .delete ? "meter=\(m.meter.id)" : FlowText.text(m.meter))
        case .roleStatus(let r): "role=\(r.role.text) reason=\(r.reason) generation_id=\(r.generation)"
        case .tableStatus(let t): "reason=\(t.reason) \(t.config.text)"
        case .requestForward(let d): MessageText.inner(d, version)
        case .bundleControl(let b): "bundle_id=0x\(String(b.bundle, radix: 16)) type=\(b.kind.text) flags=\(b.flags.text)"
        case .bundleAdd(let b): "bundle_id=0x\(String(b.bundle, radix: 16)) flags=\(b.flags.text) \(MessageText.inner(b.message, version))"
        case .nicira(let m): m.text
        }
    }
}

/// Pieces of message text.
enum MessageText {
    static func words(_ parts: String...) -> String { parts.filter { !$0.isEmpty }.joined(separator: " ") }

    static func hex(_ data: [UInt8]) -> String {
        let shown = data.prefix(64).map { b in (b < 16 ? "0" : "") + String(b, radix: 16) }.joined()
        return data.count > 64 ? "\(shown)… (\(data.count) bytes)" : shown
    }

    static func hex16(_ v: UInt64) -> String {
        let s = String(v, radix: 16)
        return String(repeating: "0", count: 16 - s.count) + s
    }

    static func versions(_ bitmap: UInt32) -> String {
        (0..<UInt32(32)).filter { bitmap >> $0 & 1 != 0 }.map { "0x0\(String($0, radix: 16))" }.joined(separator: ", ")
    }

    static func duration(_ c: FlowCounters) -> String {
        let ms = String(c.nanoseconds / 1_000_000)
        return "duration=\(c.seconds).\(String(repeating: "0", count: max(0, 3 - ms.count)))\(ms)s"
    }

    static func experimenter(_ e: UnknownExperimenter) -> String {
        words("experimenter=0x\(String(e.experimenter, radix: 16))", "type=\(e.type)", hex(e.data))
    }

    static func packetIn(_ p: PacketIn) -> String {
        words(
            p.table == 0 ? "" : "table_id=\(p.table)", p.cookie == .max ? "" : "cookie=0x\(String(p.cookie, radix: 16))",
            "total_len=\(p.totalLength)", FlowText.text(p.metadata), "(via \(p.reason.text))", "data_len=\(p.data.count)",
            p.bufferID == OpenFlowNumber.noBuffer ? "(unbuffered)" : "buffer=0x\(String(p.bufferID, radix: 16))",
            p.userdata.isEmpty ? "" : "userdata=\(hex(p.userdata))", p.continuation.isEmpty ? "" : "continuation=\(hex(p.continuation))")
    }

    /// A message inside a message.
    static func inner(_ data: [UInt8], _ version: OpenFlowVersion) -> String {
        var decoder = MessageDecoder(version)
        do throws(OpenFlowError) {
            return try decoder.decode(data).description
        } catch {
            return "(\(error)) \(hex(data))"
        }
    }

    static func flags(_ v: UInt32, _ names: [(UInt32, String)]) -> String {
        var left = v
        var parts: [String] = []
        for (bit, name) in names where v & bit != 0 {
            parts.append(name)
            left &= ~bit
        }
        if left != 0 { parts.append("0x\(String(left, radix: 16))") }
        return parts.isEmpty ? "0" : parts.joined(separator: " ")
    }
}

extension FlowMod {
    private static let names = ["ADD", "MOD", "MOD_STRICT", "DEL", "DEL_STRICT"]
    /// As `ovs-ofctl` prints it, but for the table and the cookie's mask, which always have the same place.
    var text: String {
        var parts = [Self.names[Self.commands.firstIndex(of: command)!]]
        if entry.table != 0 { parts.append("table:\(entry.table)") }
        let match = FlowText.text(entry.match, priority: entry.priority)
        if !match.isEmpty { parts.append(match) }
        if cookieMask != 0 {
            parts.append("cookie:0x\(String(entry.cookie, radix: 16))/0x\(String(cookieMask, radix: 16))")
        } else if entry.cookie != 0 {
            parts.append("cookie:0x\(String(entry.cookie, radix: 16))")
        }
        if entry.idleTimeout != 0 { parts.append("idle:\(entry.idleTimeout)") }
        if entry.hardTimeout != 0 { parts.append("hard:\(entry.hardTimeout)") }
        if entry.importance != 0 { parts.append("importance:\(entry.importance)") }
        if bufferID != OpenFlowNumber.noBuffer { parts.append("buf:0x\(String(bufferID, radix: 16))") }
        if outPort != ReservedPort.any { parts.append("out_port:\(FlowText.portText(outPort))") }
        if outGroup != Group.none { parts.append("out_group:\(outGroup)") }
        for (flag, name) in [
            (FlowEntry.Flags.sendFlowRemoved, "send_flow_rem"), (.checkOverlap, "check_overlap"), (.resetCounts, "reset_counts"),
            (.noPacketCounts, "no_packet_counts"), (.noByteCounts, "no_byte_counts"),
        ] where entry.flags.contains(flag) { parts.append(name) }
        parts.append("actions=\(FlowText.text(entry.actions))")
        return parts.joined(separator: " ")
    }
}

extension GroupMod {
    var text: String {
        let name =
            switch command {
            case .add: "ADD"
            case .modify: "MOD"
            case .delete: "DEL"
            case .insertBuckets: "INSERT_BUCKET"
            case .removeBuckets: "REMOVE_BUCKET"
            case .addOrModify: "ADD_OR_MOD"
            }
        let place = command == .insertBuckets || command == .removeBuckets ? " command_bucket_id:\(Self.place(commandBucket))" : ""
        return "\(name)\(place) \(FlowText.text(group))"
    }
    private static func place(_ b: UInt32) -> String {
        switch b {
        case BucketPlace.first: "first"
        case BucketPlace.last: "last"
        case BucketPlace.all: "all"
        default: "\(b)"
        }
    }
}

extension SwitchPort {
    var text: String {
        "\(FlowText.portText(number))(\(name)): addr:\(FlowText.valueText(.ethSrc, FieldValue(low: address))) "
            + "config: \(MessageText.flags(config, Config.names)) state: \(MessageText.flags(state, State.names)) "
            + "speed: \(currentSpeed / 1000) Mbps now, \(maximumSpeed / 1000) Mbps max"
    }
}

extension TableConfig {
    var text: String {
        MessageText.words(
            "table_id=\(table == OpenFlowNumber.allTables ? "ALL" : String(table))", "config=0x\(String(config, radix: 16))",
            eviction.map { "eviction=0x\(String($0, radix: 16))" } ?? "", vacancy.map { "vacancy=\($0.down)%..\($0.up)% now \($0.current)%" } ?? "")
    }
}

extension QueueDescription {
    var text: String {
        MessageText.words(
            "port=\(FlowText.portText(port))", "queue=\(queue)", minimumRate.map { "min_rate=\($0)" } ?? "",
            maximumRate.map { "max_rate=\($0)" } ?? "")
    }
}

extension AsyncConfig {
    var text: String {
        [("master", master), ("slave", slave)].map { name, masks in
            "\(name): "
                + (Kind.allCases.compactMap { k in masks[k].map { "\(k)=0x\(String($0, radix: 16))" } }.joined(separator: " "))
        }.joined(separator: "; ")
    }
}

extension BundleControl.Flags {
    var text: String {
        let parts = [contains(.atomic) ? "atomic" : "", contains(.ordered) ? "ordered" : ""].filter { !$0.isEmpty }
        return parts.isEmpty ? "0" : parts.joined(separator: " ")
    }
}
