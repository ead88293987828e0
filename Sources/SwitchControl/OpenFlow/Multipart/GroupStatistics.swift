import Flow

/// An entry of the reply to `group`.
public struct GroupStatistics: Hashable, Sendable {
    public var group: UInt32
    /// Entries and groups that lead here.
    public var references: UInt32
    public var packets: UInt64
    public var bytes: UInt64
    public var seconds: UInt32
    public var nanoseconds: UInt32
    public var buckets: [PartCounters]

    public init(
        group: UInt32, references: UInt32 = 0, packets: UInt64 = 0, bytes: UInt64 = 0, seconds: UInt32 = 0, nanoseconds: UInt32 = 0,
        buckets: [PartCounters] = []
    ) {
        self.group = group
        self.references = references
        self.packets = packets
        self.bytes = bytes
        self.seconds = seconds
        self.nanoseconds = nanoseconds
        self.buckets = buckets
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < 40 || length - 2 > r.remaining || length % 8 != 0 {
            throw OpenFlowError(.badRequestLength, "Group statistics of \(length) bytes do not fit.")
        }
        let outer = r.enter(length - 2)
        r.skip(2)
        self.init(group: r.u32(), references: r.u32())
        r.skip(4)
        packets = r.u64()
        bytes = r.u64()
        seconds = r.u32()
        nanoseconds = r.u32()
        while r.remaining >= 16 { buckets.append(PartCounters(packets: r.u64(), bytes: r.u64())) }
        if !r.isEmpty { throw OpenFlowError(.badRequestLength, "Group statistics end inside a bucket.") }
        r.leave(outer)
    }

    func write(_ w: inout WireWriter) {
        w.u16(UInt16(clamping: 40 + 16 * buckets.count))
        w.u16(0)
        w.u32(group)
        w.u32(references)
        w.u32(0)
        w.u64(packets)
        w.u64(bytes)
        w.u32(seconds)
        w.u32(nanoseconds)
        for b in buckets {
            w.u64(b.packets)
            w.u64(b.bytes)
        }
    }
}

/// An entry of the reply to `group-desc` is the group itself.
extension Group {
    init(description r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < (version >= .v15 ? 16 : 8) || length - 2 > r.remaining {
            throw OpenFlowError(.badRequestLength, "A group of \(length) bytes does not fit into its list.")
        }
        let outer = r.enter(length - 2)
        let type = Int(r.u8())
        guard type < GroupMod.kinds.count else { throw OpenFlowError(.badGroupType, "\(type) is not a type of group.") }
        r.skip(1)
        self.init(id: r.u32(), kind: GroupMod.kinds[type])
        if version >= .v15 {
            let size = Int(r.u16())
            r.skip(6)
            if size > r.remaining { throw OpenFlowError(.badRequestLength, "The buckets of a group are longer than the group.") }
            let list = r.enter(size)
            buckets = try r.buckets(kind, version)
            r.leave(list)
            try r.groupProperties(&self)
        } else {
            buckets = try r.buckets(kind, version)
        }
        r.leave(outer)
    }

    func writeDescription(_ w: inout WireWriter) {
        let start = w.count
        w.u16(0)
        w.u8(UInt8(GroupMod.kinds.firstIndex(of: kind)!))
        w.u8(0)
        w.u32(id)
        if w.version >= .v15 {
            w.u16(0)
            w.zeros(6)
            w.buckets(self)
            w.set16(w.count - start - 16, at: start + 8)
            w.groupProperties(self)
        } else {
            w.buckets(self)
        }
        w.set16(w.count - start, at: start)
    }
}

/// Reply to `group-features`. Arrays have an element for each of all, select, indirect, fast failover.
public struct GroupFeatures: Hashable, Sendable {
    public enum Capability {
        public static let selectWeight: UInt32 = 1 << 0
        public static let selectLiveness: UInt32 = 1 << 1
        public static let chaining: UInt32 = 1 << 2
        public static let chainingChecks: UInt32 = 1 << 3
    }
    /// Bit n for the n-th type.
    public var types: UInt32
    public var capabilities: UInt32
    public var maximumGroups: [UInt32]
    /// Bitmaps of OpenFlow's action numbers.
    public var actions: [UInt32]

    public init(types: UInt32, capabilities: UInt32, maximumGroups: [UInt32], actions: [UInt32]) {
        self.types = types
        self.capabilities = capabilities
        self.maximumGroups = maximumGroups
        self.actions = actions
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.exactly(40, "Group features")
        types = r.u32()
        capabilities = r.u32()
        maximumGroups = []
        actions = []
        for _ in 0..<4 { maximumGroups.append(r.u32()) }
        for _ in 0..<4 { actions.append(r.u32()) }
    }

    func write(_ w: inout WireWriter) {
        w.u32(types)
        w.u32(capabilities)
        for i in 0..<4 { w.u32(i < maximumGroups.count ? maximumGroups[i] : 0) }
        for i in 0..<4 { w.u32(i < actions.count ? actions[i] : 0) }
    }
}
