/// A table's configuration: what `table-mod` sets and `table-desc` and `table-status` tell (OpenFlow 1.5.1 §7.3.4.1).
public struct TableConfig: Hashable, Sendable {
    public enum Flag {
        public static let eviction: UInt32 = 1 << 2
        public static let vacancyEvents: UInt32 = 1 << 3
    }
    public struct Vacancy: Hashable, Sendable {
        /// Per cent of free space.
        public var down: UInt8
        public var up: UInt8
        public var current: UInt8
        public init(down: UInt8, up: UInt8, current: UInt8 = 0) {
            self.down = down
            self.up = up
            self.current = current
        }
    }

    public var table: UInt8
    public var config: UInt32
    /// Bitmap of `OFPTMPEF_…`; nil without the property.
    public var eviction: UInt32?
    public var vacancy: Vacancy?

    public init(table: UInt8, config: UInt32 = 0, eviction: UInt32? = nil, vacancy: Vacancy? = nil) {
        self.table = table
        self.config = config
        self.eviction = eviction
        self.vacancy = vacancy
    }

    fileprivate mutating func readProperties(_ r: inout WireReader) throws(OpenFlowError) {
        while !r.isEmpty {
            let (type, property) = try r.enterProperty()
            switch type {
            case 2: eviction = r.u32()
            case 3:
                let down = r.u8()
                let up = r.u8()
                vacancy = Vacancy(down: down, up: up, current: r.u8())
                if down > up || up > 100 { throw OpenFlowError(.badPropertyValue, "The vacancy thresholds \(down) and \(up) are not in order.") }
            case 0xffff: throw OpenFlowError(.badPropertyExperimenter, "Table properties of experimenters are not supported.")
            default: throw OpenFlowError(.badPropertyType, "A table has no property \(type).")
            }
            try r.leaveProperty(property)
        }
    }

    fileprivate func writeProperties(_ w: inout WireWriter) {
        if let eviction { w.property(2) { $0.u32(eviction) } }
        if let v = vacancy {
            w.property(3) {
                $0.u8(v.down)
                $0.u8(v.up)
                $0.u8(v.current)
                $0.u8(0)
            }
        }
    }

    /// An element of the reply to `table-desc`.
    init(element r: inout WireReader) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < 8 || length - 2 > r.remaining { throw OpenFlowError(.badRequestLength, "A table description of \(length) bytes does not fit.") }
        let outer = r.enter(length - 2)
        self.init(table: r.u8())
        r.skip(1)
        config = r.u32()
        try readProperties(&r)
        r.leave(outer)
    }

    func writeElement(_ w: inout WireWriter) {
        let start = w.count
        w.u16(0)
        w.u8(table)
        w.u8(0)
        w.u32(config)
        writeProperties(&w)
        w.set16(w.count - start, at: start)
    }
}

/// `OFPT_TABLE_MOD`.
public struct TableMod: Hashable, Sendable {
    /// Table 255 is all tables.
    public var config: TableConfig
    public init(_ config: TableConfig) { self.config = config }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        if version < .v14 { try r.exactly(8, "A table-mod") } else { try r.atLeast(8, "A table-mod") }
        config = TableConfig(table: r.u8())
        r.skip(3)
        config.config = r.u32()
        if version >= .v14 {
            // The lowest two bits are deprecated and say nothing (OFPTC_DEPRECATED_MASK).
            if config.config & ~(TableConfig.Flag.eviction | TableConfig.Flag.vacancyEvents | 3) != 0 {
                throw OpenFlowError(.tableModConfig, "The flags 0x\(String(config.config, radix: 16)) of a table are not known.")
            }
            try config.readProperties(&r)
        } else if config.config & ~3 != 0 {
            throw OpenFlowError(.tableModConfig, "The flags 0x\(String(config.config, radix: 16)) of a table are not known.")
        }
    }

    func write(_ w: inout WireWriter) {
        w.u8(config.table)
        w.zeros(3)
        w.u32(config.config)
        if w.version >= .v14 { config.writeProperties(&w) }
    }
}

/// `OFPT_TABLE_STATUS`, from 1.4 on.
public struct TableStatus: Hashable, Sendable {
    public enum Reason: UInt8, Hashable, Sendable { case vacancyDown = 3, vacancyUp = 4 }
    public var reason: Reason
    public var config: TableConfig
    public init(_ reason: Reason, _ config: TableConfig) {
        self.reason = reason
        self.config = config
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        let n = r.u8()
        guard let reason = Reason(rawValue: n) else { throw OpenFlowError(.badRequestLength, "\(n) is not a reason for a table status.") }
        self.reason = reason
        r.skip(7)
        config = try TableConfig(element: &r)
        if !r.isEmpty { throw OpenFlowError(.badRequestLength, "There are bytes behind a table status.") }
    }

    func write(_ w: inout WireWriter) {
        w.u8(reason.rawValue)
        w.zeros(7)
        config.writeElement(&w)
    }
}
