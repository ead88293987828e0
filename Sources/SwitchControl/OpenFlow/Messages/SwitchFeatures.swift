/// `OFPT_FEATURES_REPLY` (OpenFlow 1.3.5 §A.3.1).
public struct SwitchFeatures: Hashable, Sendable {
    public struct Capabilities: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let flowStats = Self(rawValue: 1 << 0)
        public static let tableStats = Self(rawValue: 1 << 1)
        public static let portStats = Self(rawValue: 1 << 2)
        public static let groupStats = Self(rawValue: 1 << 3)
        public static let fragmentReassembly = Self(rawValue: 1 << 5)
        public static let queueStats = Self(rawValue: 1 << 6)
        public static let portBlocked = Self(rawValue: 1 << 8)
        /// From 1.4 on.
        public static let bundles = Self(rawValue: 1 << 9)
        /// From 1.4 on.
        public static let flowMonitoring = Self(rawValue: 1 << 10)
    }

    public var datapathID: UInt64
    public var bufferCount: UInt32
    public var tableCount: UInt8
    public var auxiliaryID: UInt8
    public var capabilities: Capabilities

    public init(datapathID: UInt64, bufferCount: UInt32 = 0, tableCount: UInt8, auxiliaryID: UInt8 = 0, capabilities: Capabilities = []) {
        self.datapathID = datapathID
        self.bufferCount = bufferCount
        self.tableCount = tableCount
        self.auxiliaryID = auxiliaryID
        self.capabilities = capabilities
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.exactly(24, "A features reply")
        datapathID = r.u64()
        bufferCount = r.u32()
        tableCount = r.u8()
        auxiliaryID = r.u8()
        r.skip(2)
        capabilities = Capabilities(rawValue: r.u32())
    }

    func write(_ w: inout WireWriter) {
        w.u64(datapathID)
        w.u32(bufferCount)
        w.u8(tableCount)
        w.u8(auxiliaryID)
        w.zeros(2)
        w.u32(capabilities.rawValue)
        w.u32(0)
    }
}

/// `OFPT_SET_CONFIG` and `OFPT_GET_CONFIG_REPLY` (OpenFlow 1.3.5 §A.3.2).
public struct SwitchConfig: Hashable, Sendable {
    public enum Fragments: UInt16, Hashable, Sendable { case normal, drop, reassemble }
    public var fragments: Fragments
    /// Bytes of a packet that a table miss sends to the controller; 0xffff: all.
    public var missSendLength: UInt16

    public init(fragments: Fragments = .normal, missSendLength: UInt16 = 128) {
        self.fragments = fragments
        self.missSendLength = missSendLength
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.exactly(4, "A switch configuration")
        let flags = r.u16()
        guard let f = Fragments(rawValue: flags) else {
            throw OpenFlowError(.switchConfigFlags, "The configuration's flags 0x\(String(flags, radix: 16)) are not known.")
        }
        fragments = f
        missSendLength = r.u16()
    }

    func write(_ w: inout WireWriter) {
        w.u16(fragments.rawValue)
        w.u16(missSendLength)
    }
}
