import Flow

extension NiciraMessage {
    var name: String {
        switch self {
        case .setFlowFormat: "NXT_SET_FLOW_FORMAT"
        case .flowModTableID: "NXT_FLOW_MOD_TABLE_ID"
        case .setPacketInFormat: "NXT_SET_PACKET_IN_FORMAT"
        case .flowAge: "NXT_FLOW_AGE"
        case .setControllerID: "NXT_SET_CONTROLLER_ID"
        case .setAsync: "NXT_SET_ASYNC_CONFIG"
        case .setAsync2: "NXT_SET_ASYNC_CONFIG2"
        case .packetIn2: "NXT_PACKET_IN2"
        case .resume: "NXT_RESUME"
        case .tunnelOptionMod: "NXT_TLV_TABLE_MOD"
        case .tunnelOptionRequest: "NXT_TLV_TABLE_REQUEST"
        case .tunnelOptionReply: "NXT_TLV_TABLE_REPLY"
        case .flowMonitorCancel: "ONFT_FLOW_MONITOR_CANCEL"
        case .flowMonitorPaused: "ONFT_FLOW_MONITOR_PAUSED"
        case .flowMonitorResumed: "ONFT_FLOW_MONITOR_RESUMED"
        }
    }

    var text: String {
        switch self {
        case .setFlowFormat(let f): f == 0 ? "format=openflow10" : "format=nxm"
        case .flowModTableID(let on): on ? "enable" : "disable"
        case .setPacketInFormat(let f): "format=" + ["standard", "nxt_packet_in", "nxt_packet_in2"][Int(min(f, 2))]
        case .flowAge, .tunnelOptionRequest, .flowMonitorPaused, .flowMonitorResumed: ""
        case .setControllerID(let id): "id=\(id)"
        case .setAsync(let c), .setAsync2(let c): c.text
        case .packetIn2(let p), .resume(let p): MessageText.packetIn(p)
        case .tunnelOptionMod(let m): "\(String(describing: m.command).uppercased()) \(m.options.map(\.text).joined(separator: ","))"
        case .tunnelOptionReply(let m):
            "max option space=\(m.maximumSpace) max fields=\(m.maximumFields) \(m.options.map(\.text).joined(separator: ","))"
        case .flowMonitorCancel(let id): "id=\(id)"
        }
    }
}

extension TunnelOption {
    /// As `ovs-ofctl add-tlv-map` takes it.
    var text: String { "{class=0x\(String(optionClass, radix: 16)),type=0x\(String(type, radix: 16)),len=\(size)}->tun_metadata\(index)" }
}
