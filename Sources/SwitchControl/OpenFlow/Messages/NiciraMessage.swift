import Flow

/// Messages of Nicira's extensions that Open vSwitch's tools and OVN send, and the ONF's flow monitor for 1.3.
public enum NiciraMessage: Hashable, Sendable {
    /// `NXT_SET_FLOW_FORMAT`: 0 OpenFlow 1.0, 2 NXM.
    case setFlowFormat(UInt32)
    /// `NXT_FLOW_MOD_TABLE_ID`.
    case flowModTableID(Bool)
    /// `NXT_SET_PACKET_IN_FORMAT`: 0 the version's own, 1 NXT_PACKET_IN, 2 NXT_PACKET_IN2.
    case setPacketInFormat(UInt32)
    /// `NXT_FLOW_AGE`: asks for the ages of entries in flow statistics.
    case flowAge
    case setControllerID(UInt16)
    /// `NXT_SET_ASYNC_CONFIG`, the form of 1.3.
    case setAsync(AsyncConfig)
    /// `NXT_SET_ASYNC_CONFIG2`, the form of 1.4.
    case setAsync2(AsyncConfig)
    case packetIn2(PacketIn)
    case resume(PacketIn)
    case tunnelOptionMod(TunnelOptionMod)
    case tunnelOptionRequest
    case tunnelOptionReply(TunnelOptionReply)
    /// The ONF's numbers in 1.3.
    case flowMonitorCancel(UInt32)
    case flowMonitorPaused
    case flowMonitorResumed

    /// The body behind experimenter and type; nil for messages that are not known.
    static func read(
        _ r: inout WireReader, experimenter: UInt32, type: UInt32, _ s: inout DecodingState
    ) throws(OpenFlowError) -> NiciraMessage? {
        switch (experimenter, type) {
        case (Experimenter.nicira, 12):
            try r.exactly(4, "NXT_SET_FLOW_FORMAT")
            let f = r.u32()
            guard f == 0 || f == 2 else { throw OpenFlowError(.badRequestPermission, "\(f) is not a flow format.") }
            return .setFlowFormat(f)
        case (Experimenter.nicira, 15):
            try r.exactly(8, "NXT_FLOW_MOD_TABLE_ID")
            return .flowModTableID(r.u8() != 0)
        case (Experimenter.nicira, 16):
            try r.exactly(4, "NXT_SET_PACKET_IN_FORMAT")
            let f = r.u32()
            guard f <= 2 else { throw OpenFlowError(.badRequestPermission, "\(f) is not a packet-in format.") }
            return .setPacketInFormat(f)
        case (Experimenter.nicira, 18):
            try r.exactly(0, "NXT_FLOW_AGE")
            return .flowAge
        case (Experimenter.nicira, 19): return .setAsync(try AsyncConfig(masks: &r))
        case (Experimenter.nicira, 20):
            try r.exactly(8, "NXT_SET_CONTROLLER_ID")
            if !r.zeros(6) { throw OpenFlowError(.mustBeZero, "The bytes before the controller's id are not zero.") }
            return .setControllerID(r.u16())
        case (Experimenter.nicira, 24): return .tunnelOptionMod(try TunnelOptionMod(&r))
        case (Experimenter.nicira, 25):
            try r.exactly(0, "NXT_TLV_TABLE_REQUEST")
            return .tunnelOptionRequest
        case (Experimenter.nicira, 26): return .tunnelOptionReply(try TunnelOptionReply(&r))
        case (Experimenter.nicira, 27): return .setAsync2(try AsyncConfig(properties: &r))
        case (Experimenter.nicira, 28): return .resume(try PacketIn(properties: &r, &s))
        case (Experimenter.nicira, 30): return .packetIn2(try PacketIn(properties: &r, &s))
        case (Experimenter.nicira, 21), (Experimenter.onf, 1870):
            try r.exactly(4, "A flow monitor's cancelling")
            return .flowMonitorCancel(r.u32())
        case (Experimenter.nicira, 22), (Experimenter.onf, 1871): return .flowMonitorPaused
        case (Experimenter.nicira, 23), (Experimenter.onf, 1872): return .flowMonitorResumed
        default: return nil
        }
    }

    func write(_ w: inout WireWriter) {
        func header(_ type: UInt32, _ experimenter: UInt32 = Experimenter.nicira) {
            w.u32(experimenter)
            w.u32(type)
        }
        switch self {
        case .setFlowFormat(let f):
            header(12)
            w.u32(f)
        case .flowModTableID(let on):
            header(15)
            w.u8(on ? 1 : 0)
            w.zeros(7)
        case .setPacketInFormat(let f):
            header(16)
            w.u32(f)
        case .flowAge: header(18)
        case .setAsync(let c):
            header(19)
            c.writeMasks(&w)
        case .setControllerID(let id):
            header(20)
            w.zeros(6)
            w.u16(id)
        case .tunnelOptionMod(let m):
            header(24)
            m.write(&w)
        case .tunnelOptionRequest: header(25)
        case .tunnelOptionReply(let m):
            header(26)
            m.write(&w)
        case .setAsync2(let c):
            header(27)
            c.writeProperties(&w)
        case .resume(let p):
            header(28)
            p.writeProperties(&w)
        case .packetIn2(let p):
            header(30)
            p.writeProperties(&w)
        case .flowMonitorCancel(let id):
            header(1870, Experimenter.onf)
            w.u32(id)
        case .flowMonitorPaused: header(1871, Experimenter.onf)
        case .flowMonitorResumed: header(1872, Experimenter.onf)
        }
    }
}

/// Which Geneve option is which tunnel metadata field.
public struct TunnelOption: Hashable, Sendable {
    public var optionClass: UInt16
    public var type: UInt8
    /// Bytes, a multiple of 4 up to 124.
    public var size: UInt8
    /// The n of `tun_metadata<n>`.
    public var index: UInt16

    public init(optionClass: UInt16, type: UInt8, size: UInt8, index: UInt16) {
        self.optionClass = optionClass
        self.type = type
        self.size = size
        self.index = index
    }

    static func readAll(_ r: inout WireReader) throws(OpenFlowError) -> [TunnelOption] {
        if r.remaining % 8 != 0 { throw OpenFlowError(.badRequestLength, "The list of tunnel options ends inside one.") }
        var all: [TunnelOption] = []
        while !r.isEmpty {
            all.append(TunnelOption(optionClass: r.u16(), type: r.u8(), size: r.u8(), index: r.u16()))
            r.skip(2)
        }
        return all
    }

    func write(_ w: inout WireWriter) {
        w.u16(optionClass)
        w.u8(type)
        w.u8(size)
        w.u16(index)
        w.u16(0)
    }
}

/// `NXT_TLV_TABLE_MOD`.
public struct TunnelOptionMod: Hashable, Sendable {
    public enum Command: UInt16, Hashable, Sendable { case add, delete, clear }
    public var command: Command
    public var options: [TunnelOption]
    public init(_ command: Command, _ options: [TunnelOption]) {
        self.command = command
        self.options = options
    }

    /// NXTTMFC_BAD_COMMAND, NXTTMFC_BAD_OPT_LEN, NXTTMFC_BAD_FIELD_IDX.
    private static let badCommand = ErrorCode.nicira(16)
    private static let badSize = ErrorCode.nicira(17)
    private static let badIndex = ErrorCode.nicira(18)

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.atLeast(8, "NXT_TLV_TABLE_MOD")
        let n = r.u16()
        guard let c = Command(rawValue: n) else { throw OpenFlowError(Self.badCommand, "\(n) is not a command for tunnel options.") }
        command = c
        r.skip(6)
        options = try TunnelOption.readAll(&r)
        for o in options {
            if o.size == 0 || o.size % 4 != 0 || o.size > 124 { throw OpenFlowError(Self.badSize, "A tunnel option cannot have \(o.size) bytes.") }
            if o.index >= 64 { throw OpenFlowError(Self.badIndex, "There is no tun_metadata\(o.index).") }
        }
    }

    func write(_ w: inout WireWriter) {
        w.u16(command.rawValue)
        w.zeros(6)
        for o in options { o.write(&w) }
    }
}

/// `NXT_TLV_TABLE_REPLY`.
public struct TunnelOptionReply: Hashable, Sendable {
    /// Bytes of options that a packet may carry.
    public var maximumSpace: UInt32
    public var maximumFields: UInt16
    public var options: [TunnelOption]
    public init(maximumSpace: UInt32, maximumFields: UInt16, options: [TunnelOption]) {
        self.maximumSpace = maximumSpace
        self.maximumFields = maximumFields
        self.options = options
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.atLeast(16, "NXT_TLV_TABLE_REPLY")
        maximumSpace = r.u32()
        maximumFields = r.u16()
        r.skip(10)
        options = try TunnelOption.readAll(&r)
    }

    func write(_ w: inout WireWriter) {
        w.u32(maximumSpace)
        w.u16(maximumFields)
        w.zeros(10)
        for o in options { o.write(&w) }
    }
}
