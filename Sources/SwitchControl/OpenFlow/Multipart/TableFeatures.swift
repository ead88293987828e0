import Flow

/// An element of `table-features`, request and reply (OpenFlow 1.3.5 §A.3.5.5).
public struct TableFeatures: Hashable, Sendable {
    /// Kinds of properties; those for table-miss entries are the next number up.
    public enum PropertyKind {
        public static let instructions: UInt16 = 0
        public static let nextTables: UInt16 = 2
        public static let writeActions: UInt16 = 4
        public static let applyActions: UInt16 = 6
        public static let match: UInt16 = 8
        public static let wildcards: UInt16 = 10
        public static let writeSetField: UInt16 = 12
        public static let applySetField: UInt16 = 14
    }

    public struct Property: Hashable, Sendable {
        public var kind: UInt16
        /// Numbers of instructions, tables or actions; for fields their OXM headers. Those of experimenters are left out.
        public var numbers: [UInt32]
        public init(_ kind: UInt16, _ numbers: [UInt32]) {
            self.kind = kind
            self.numbers = numbers
        }
        /// A list of fields, by their OXM or NXM headers; fields that have none are left out.
        public init(_ kind: UInt16, fields: [Field], hasMask: Bool = false) {
            self.init(
                kind,
                fields.compactMap { f in
                    guard let c = FieldDirectory.codes.first(where: { $0.field == f && $0.experimenter == 0 }) else { return nil }
                    let isMasked = hasMask && c.isMaskable
                    return UInt32(c.oxmClass) << 16 | UInt32(c.number) << 9 | (isMasked ? 0x100 : 0) | UInt32(c.size) * (isMasked ? 2 : 1)
                })
        }
        /// The fields of a list of OXM headers that are known.
        public var fields: [Field] {
            numbers.compactMap { h in
                FieldDirectory.index(oxmClass: UInt16(h >> 16), number: UInt8(truncatingIfNeeded: h >> 9) & 0x7f, experimenter: 0).map {
                    FieldDirectory.codes[$0].field
                }
            }
        }
    }

    public var table: UInt8
    /// From 1.5 on: 0 replace, 1 modify, 2 enable, 3 disable.
    public var command: UInt8
    public var name: String
    public var metadataMatch: UInt64
    public var metadataWrite: UInt64
    public var capabilities: UInt32
    public var maximumEntries: UInt32
    public var properties: [Property]

    public init(
        table: UInt8, command: UInt8 = 0, name: String, metadataMatch: UInt64 = .max, metadataWrite: UInt64 = .max, capabilities: UInt32 = 0,
        maximumEntries: UInt32, properties: [Property] = []
    ) {
        self.table = table
        self.command = command
        self.name = name
        self.metadataMatch = metadataMatch
        self.metadataWrite = metadataWrite
        self.capabilities = capabilities
        self.maximumEntries = maximumEntries
        self.properties = properties
    }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < 64 || length - 2 > r.remaining { throw OpenFlowError(.badRequestLength, "Table features of \(length) bytes do not fit.") }
        let outer = r.enter(length - 2)
        self.init(table: r.u8(), name: "", maximumEntries: 0)
        let command = r.u8()
        if version >= .v15 {
            if command > 3 { throw OpenFlowError(.tableFeaturesCommand, "\(command) is not a command for table features.") }
            self.command = command
        }
        r.skip(4)
        name = r.name(32)
        metadataMatch = r.u64()
        metadataWrite = r.u64()
        capabilities = r.u32()
        maximumEntries = r.u32()
        var seen: UInt32 = 0
        while !r.isEmpty {
            let (type, property) = try r.enterProperty()
            if type < 16 {
                if seen & 1 << UInt32(type) != 0 { throw OpenFlowError(.duplicateProperty, "The table property \(type) stands twice.") }
                seen |= 1 << UInt32(type)
            }
            switch type {
            case 2, 3: properties.append(Property(type, r.rest().map { UInt32($0) }))
            case 0, 1, 4...7:
                var numbers: [UInt32] = []
                while !r.isEmpty, !r.isShort {
                    let number = r.u16()
                    let size = Int(r.u16())
                    if size != 4, number != 0xffff { throw OpenFlowError(.badPropertyLength, "A number in a table property has \(size) bytes.") }
                    if number == 0xffff { r.skip(max(4, size) - 4) } else { numbers.append(UInt32(number)) }
                }
                properties.append(Property(type, numbers))
            case 8, 10, 12...15:
                var numbers: [UInt32] = []
                while !r.isEmpty, !r.isShort {
                    let header = r.u32()
                    if header >> 16 == 0xffff { r.skip(4) } else { numbers.append(header) }
                }
                properties.append(Property(type, numbers))
            case 0xfffe, 0xffff: throw OpenFlowError(.badPropertyExperimenter, "Table properties of experimenters are not supported.")
            default: throw OpenFlowError(.badPropertyType, "A table has no property \(type).")
            }
            try r.leaveProperty(property)
        }
        r.leave(outer)
    }

    func write(_ w: inout WireWriter) {
        let start = w.count
        w.u16(0)
        w.u8(table)
        w.u8(w.version >= .v15 ? command : 0)
        w.u32(0)
        w.name(name, 32)
        w.u64(metadataMatch)
        w.u64(metadataWrite)
        w.u32(capabilities)
        w.u32(maximumEntries)
        for p in properties {
            w.property(p.kind) {
                for n in p.numbers {
                    switch p.kind {
                    case 2, 3: $0.u8(UInt8(truncatingIfNeeded: n))
                    case 8...15: $0.u32(n)
                    default:
                        $0.u16(UInt16(truncatingIfNeeded: n))
                        $0.u16(4)
                    }
                }
            }
        }
        w.set16(w.count - start, at: start)
    }
}
