/// What an OpenFlow message says, without its header. The same value for every version; where a version has fewer fields, the others keep their
/// defaults.
public enum Message: Hashable, Sendable {
    case hello(Hello)
    case error(ErrorMessage)
    case echoRequest([UInt8])
    case echoReply([UInt8])
    /// A message of an experimenter that is not known.
    case experimenter(UnknownExperimenter)
    case featuresRequest
    case featuresReply(SwitchFeatures)
    case getConfigRequest
    case getConfigReply(SwitchConfig)
    case setConfig(SwitchConfig)
    case packetIn(PacketIn)
    case flowRemoved(FlowRemoved)
    case portStatus(PortStatus)
    case packetOut(PacketOut)
    case flowMod(FlowMod)
    case groupMod(GroupMod)
    case portMod(PortMod)
    case tableMod(TableMod)
    case multipartRequest(MultipartRequest)
    case multipartReply(MultipartReply)
    case barrierRequest
    case barrierReply
    case queueConfigRequest(port: UInt32)
    case queueConfigReply(QueueConfig)
    case roleRequest(RoleMessage)
    case roleReply(RoleMessage)
    case getAsyncRequest
    case getAsyncReply(AsyncConfig)
    case setAsync(AsyncConfig)
    case meterMod(MeterMod)
    case roleStatus(RoleStatus)
    case tableStatus(TableStatus)
    /// A group or meter modification of another controller, as it came.
    case requestForward([UInt8])
    case bundleControl(BundleControl)
    case bundleAdd(BundleAdd)
    case nicira(NiciraMessage)
}

/// A message with the part of its header that matters.
public struct OpenFlowMessage: Hashable, Sendable {
    public var version: OpenFlowVersion
    public var xid: UInt32
    public var body: Message
    public init(_ version: OpenFlowVersion, xid: UInt32, _ body: Message) {
        self.version = version
        self.xid = xid
        self.body = body
    }
}

/// A message or multipart body of an experimenter that is not known: passed on whole, so that the receiver can refuse it by name.
public struct UnknownExperimenter: Hashable, Sendable {
    public var experimenter: UInt32
    public var type: UInt32
    public var data: [UInt8]
    public init(experimenter: UInt32, type: UInt32, data: [UInt8]) {
        self.experimenter = experimenter
        self.type = type
        self.data = data
    }
}

/// What decoding one message needs beside its bytes.
struct DecodingState {
    let version: OpenFlowVersion
    var draft = MatchDraft()
    /// The instructions of the last flow-mod that had any: those that come in a row mostly share them, and then share one array.
    var instructions = KnownInstructions()
    init(_ version: OpenFlowVersion) { self.version = version }
}

extension WireReader {
    /// Refuses a body of another size.
    mutating func exactly(_ size: Int, _ what: StaticString) throws(OpenFlowError) {
        if remaining != size { throw OpenFlowError(.badRequestLength, "\(what) has \(remaining) bytes behind its header where \(size) are right.") }
    }
    /// Refuses a body that is shorter.
    mutating func atLeast(_ size: Int, _ what: StaticString) throws(OpenFlowError) {
        if remaining < size { throw OpenFlowError(.badRequestLength, "\(what) has \(remaining) bytes where at least \(size) are right.") }
    }
}
