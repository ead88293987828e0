/// A port as `port-status` and the reply to `port-desc` describe it (OpenFlow 1.3.5 §A.2.1, 1.5.1 §7.2.1).
public struct SwitchPort: Hashable, Sendable {
    public enum Config {
        public static let portDown: UInt32 = 1 << 0
        public static let noReceive: UInt32 = 1 << 2
        public static let noForward: UInt32 = 1 << 5
        public static let noPacketIn: UInt32 = 1 << 6
        static let names: [(UInt32, String)] = [(portDown, "PORT_DOWN"), (noReceive, "NO_RECV"), (noForward, "NO_FWD"), (noPacketIn, "NO_PACKET_IN")]
    }
    public enum State {
        public static let linkDown: UInt32 = 1 << 0
        public static let blocked: UInt32 = 1 << 1
        public static let live: UInt32 = 1 << 2
        static let names: [(UInt32, String)] = [(linkDown, "LINK_DOWN"), (blocked, "BLOCKED"), (live, "LIVE")]
    }

    public var number: UInt32
    /// 48 bits.
    public var address: UInt64
    /// At most 15 bytes.
    public var name: String
    public var config: UInt32 = 0
    public var state: UInt32 = 0
    /// Bitmaps of `OFPPF_…`.
    public var current: UInt32 = 0
    public var advertised: UInt32 = 0
    public var supported: UInt32 = 0
    public var peer: UInt32 = 0
    /// Kilobits per second.
    public var currentSpeed: UInt32 = 0
    public var maximumSpeed: UInt32 = 0

    public init(number: UInt32, address: UInt64, name: String) {
        self.number = number
        self.address = address
        self.name = name
    }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        try r.atLeast(version >= .v14 ? 40 : 64, "A port")
        number = r.u32()
        let length = Int(r.u16())
        r.skip(2)
        var outer = 0
        if version >= .v14 {
            if length < 40 || length - 8 > r.remaining { throw OpenFlowError(.badRequestLength, "A port of \(length) bytes does not fit.") }
            outer = r.enter(length - 8)
        }
        address = r.mac()
        r.skip(2)
        name = r.name(16)
        config = r.u32()
        state = r.u32()
        if version >= .v14 {
            while !r.isEmpty {
                let (type, property) = try r.enterProperty()
                if type == 0 {
                    r.skip(4)
                    readFeatures(&r)
                }
                try r.leaveProperty(property)
            }
            r.leave(outer)
        } else {
            readFeatures(&r)
        }
        try r.check(.badRequestLength, "A port")
    }

    private mutating func readFeatures(_ r: inout WireReader) {
        current = r.u32()
        advertised = r.u32()
        supported = r.u32()
        peer = r.u32()
        currentSpeed = r.u32()
        maximumSpeed = r.u32()
    }

    private func writeFeatures(_ w: inout WireWriter) { for v in [current, advertised, supported, peer, currentSpeed, maximumSpeed] { w.u32(v) } }

    func write(_ w: inout WireWriter) {
        let start = w.count
        w.u32(number)
        w.u32(0)
        w.mac(address)
        w.zeros(2)
        w.name(name, 16)
        w.u32(config)
        w.u32(state)
        if w.version >= .v14 {
            w.property(0) {
                $0.u32(0)
                writeFeatures(&$0)
            }
            w.set16(w.count - start, at: start + 4)
        } else {
            writeFeatures(&w)
        }
    }
}

/// `OFPT_PORT_STATUS` (OpenFlow 1.3.5 §A.4.3).
public struct PortStatus: Hashable, Sendable {
    public enum Reason: UInt8, Hashable, Sendable { case add, delete, modify }
    public var reason: Reason
    public var port: SwitchPort

    public init(_ reason: Reason, _ port: SwitchPort) {
        self.reason = reason
        self.port = port
    }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        let n = r.u8()
        guard let reason = Reason(rawValue: n) else { throw OpenFlowError(.nicira(5), "\(n) is not a reason for a port status.") }
        self.reason = reason
        r.skip(7)
        port = try SwitchPort(&r, version)
        if !r.isEmpty { throw OpenFlowError(.badRequestLength, "There are bytes behind the port of a port status.") }
    }

    func write(_ w: inout WireWriter) {
        w.u8(reason.rawValue)
        w.zeros(7)
        port.write(&w)
    }
}

/// `OFPT_PORT_MOD` (OpenFlow 1.3.5 §A.3.4.3).
public struct PortMod: Hashable, Sendable {
    public var number: UInt32
    /// The port's own address, as a check.
    public var address: UInt64
    public var config: UInt32
    /// Which bits of `config` to change.
    public var mask: UInt32
    /// Features to advertise; 0: no change.
    public var advertise: UInt32

    public init(number: UInt32, address: UInt64, config: UInt32, mask: UInt32, advertise: UInt32 = 0) {
        self.number = number
        self.address = address
        self.config = config
        self.mask = mask
        self.advertise = advertise
    }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        if version < .v14 { try r.exactly(32, "A port-mod") } else { try r.atLeast(24, "A port-mod") }
        number = r.u32()
        r.skip(4)
        address = r.mac()
        r.skip(2)
        config = r.u32()
        mask = r.u32()
        advertise = 0
        if version < .v14 {
            advertise = r.u32()
            r.skip(4)
            return
        }
        while !r.isEmpty {
            let (type, property) = try r.enterProperty()
            switch type {
            case 0: advertise = r.u32()
            case 0xffff: throw OpenFlowError(.badPropertyExperimenter, "Port properties of experimenters are not supported.")
            default: throw OpenFlowError(.badPropertyType, "A port-mod of this switch has no property \(type).")
            }
            try r.leaveProperty(property)
        }
    }

    func write(_ w: inout WireWriter) {
        w.u32(number)
        w.u32(0)
        w.mac(address)
        w.zeros(2)
        w.u32(config)
        w.u32(mask)
        if w.version < .v14 {
            w.u32(advertise)
            w.u32(0)
        } else if advertise != 0 {
            w.property(0) { $0.u32(advertise) }
        }
    }
}
