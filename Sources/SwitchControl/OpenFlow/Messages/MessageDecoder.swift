import Flow
import Wire

/// Reads messages: bytes to a value, or the error message to send back.
///
/// No bytes make it trap or read beyond them; a message that is wrong in any part gives nothing and one `OpenFlowError` that says which
/// `OFPT_ERROR` answers it. Keeps scratch room from message to message, so a session has one of its own; it is not shared between threads.
/// Cost: linear in the message. A flow-mod allocates its match, its actions and nothing else.
public struct MessageDecoder {
    /// The version that the session negotiated; a message with another one is refused, `hello` and `error` aside.
    public let version: OpenFlowVersion
    private var state: DecodingState

    public init(_ version: OpenFlowVersion) {
        self.version = version
        state = DecodingState(version)
    }

    /// Reads a `hello` of any version; nil when the message is something else. For the time before a version is negotiated.
    public static func hello(_ bytes: [UInt8]) -> Hello? {
        guard let h = MessageHeader(bytes), h.type == MessageType.hello, Int(h.length) == bytes.count else { return nil }
        var r = WireReader(bytes.span.bytes)
        r.skip(MessageHeader.size)
        return Hello(&r, version: h.version)
    }

    public mutating func decode(_ bytes: [UInt8]) throws(OpenFlowError) -> OpenFlowMessage { try decode(bytes.span.bytes) }

    /// Reads one whole message.
    public mutating func decode(_ bytes: RawSpan) throws(OpenFlowError) -> OpenFlowMessage {
        var xid: UInt32 = 0
        do throws(OpenFlowError) {
            var r = WireReader(bytes)
            let number = r.u8()
            let type = r.u8()
            let length = Int(r.u16())
            xid = r.u32()
            if r.isShort || length != bytes.byteCount {
                throw OpenFlowError(.badRequestLength, "The header says \(length) bytes of a message of \(bytes.byteCount).")
            }
            guard number == version.rawValue || type == MessageType.hello || type == MessageType.error else {
                throw OpenFlowError(.badRequestVersion, "The message has version \(number); \(version.text) was negotiated.")
            }
            let body = try decode(type, &r, number, xid)
            if r.isShort { throw OpenFlowError(.badRequestLength, "The message is cut short.") }
            return OpenFlowMessage(version, xid: xid, body)
        } catch {
            var e = error
            e.xid = xid
            if e.data.isEmpty { e.data = bytes.array(0..<min(bytes.byteCount, OpenFlowError.quotedBytes)) }
            throw e
        }
    }

    /// A flow-mod, for who expects one: much cheaper than as a message of any kind. Nil for other messages and for what `decode` refuses.
    public mutating func flowMod(_ bytes: RawSpan) -> FlowMod? {
        var r = WireReader(bytes)
        guard r.u8() == version.rawValue, r.u8() == MessageType.flowMod, Int(r.u16()) == bytes.byteCount else { return nil }
        r.skip(4)
        guard let f = try? FlowMod(&r, &state), !r.isShort else { return nil }
        return f
    }

    private mutating func decode(_ type: UInt8, _ r: inout WireReader, _ number: UInt8, _ xid: UInt32) throws(OpenFlowError) -> Message {
        switch type {
        case MessageType.flowMod: return .flowMod(try FlowMod(&r, &state))
        case MessageType.hello: return .hello(Hello(&r, version: number))
        case MessageType.error: return .error(try ErrorMessage(&r, OpenFlowVersion(rawValue: number) ?? version))
        case MessageType.echoRequest: return .echoRequest(r.rest())
        case MessageType.echoReply: return .echoReply(r.rest())
        case MessageType.experimenter: return try experimenter(&r, xid)
        case MessageType.featuresRequest: return try empty(&r, .featuresRequest)
        case MessageType.featuresReply: return .featuresReply(try SwitchFeatures(&r))
        case MessageType.getConfigRequest: return try empty(&r, .getConfigRequest)
        case MessageType.getConfigReply: return .getConfigReply(try SwitchConfig(&r))
        case MessageType.setConfig: return .setConfig(try SwitchConfig(&r))
        case MessageType.packetIn: return .packetIn(try PacketIn(&r, &state))
        case MessageType.flowRemoved: return .flowRemoved(try FlowRemoved(&r, &state))
        case MessageType.portStatus: return .portStatus(try PortStatus(&r, version))
        case MessageType.packetOut: return .packetOut(try PacketOut(&r, &state))
        case MessageType.groupMod: return .groupMod(try GroupMod(&r, &state))
        case MessageType.portMod: return .portMod(try PortMod(&r, version))
        case MessageType.tableMod: return .tableMod(try TableMod(&r, version))
        case MessageType.multipartRequest: return .multipartRequest(try MultipartRequest(&r, &state))
        case MessageType.multipartReply: return .multipartReply(try MultipartReply(&r, &state))
        case MessageType.barrierRequest: return try empty(&r, .barrierRequest)
        case MessageType.barrierReply: return try empty(&r, .barrierReply)
        case MessageType.queueConfigRequest where version < .v14: return .queueConfigRequest(port: try r.number("A request for queues"))
        case MessageType.queueConfigReply where version < .v14: return .queueConfigReply(try QueueConfig(&r, version))
        case MessageType.roleRequest: return .roleRequest(try RoleMessage(&r, version))
        case MessageType.roleReply: return .roleReply(try RoleMessage(&r, version))
        case MessageType.getAsyncRequest: return try empty(&r, .getAsyncRequest)
        case MessageType.getAsyncReply: return .getAsyncReply(try async(&r))
        case MessageType.setAsync: return .setAsync(try async(&r))
        case MessageType.meterMod: return .meterMod(try MeterMod(&r))
        case MessageType.roleStatus where version >= .v14: return .roleStatus(try RoleStatus(&r))
        case MessageType.tableStatus where version >= .v14: return .tableStatus(try TableStatus(&r))
        case MessageType.requestForward where version >= .v14: return .requestForward(r.rest())
        case MessageType.bundleControl where version >= .v14: return .bundleControl(try BundleControl(&r))
        case MessageType.bundleAdd where version >= .v14: return .bundleAdd(try BundleAdd(&r, version: version, xid: xid))
        default: throw OpenFlowError(.badRequestType, "Messages of type \(type) are not known in \(version.text).")
        }
    }

    private func empty(_ r: inout WireReader, _ m: Message) throws(OpenFlowError) -> Message {
        try r.exactly(0, "This message")
        return m
    }

    private func async(_ r: inout WireReader) throws(OpenFlowError) -> AsyncConfig {
        version >= .v14 ? try AsyncConfig(properties: &r) : try AsyncConfig(masks: &r)
    }

    private mutating func experimenter(_ r: inout WireReader, _ xid: UInt32) throws(OpenFlowError) -> Message {
        try r.atLeast(8, "A message of an experimenter")
        let experimenter = r.u32()
        let type = r.u32()
        if experimenter == Experimenter.onf, version < .v14 {
            switch type {
            case BundleControl.onfType: return .bundleControl(try BundleControl(&r))
            case BundleAdd.onfType: return .bundleAdd(try BundleAdd(&r, version: version, xid: xid))
            case RoleStatus.onfType: return .roleStatus(try RoleStatus(&r))
            default: break
            }
        }
        if let m = try NiciraMessage.read(&r, experimenter: experimenter, type: type, &state) { return .nicira(m) }
        return .experimenter(UnknownExperimenter(experimenter: experimenter, type: type, data: r.rest()))
    }
}
