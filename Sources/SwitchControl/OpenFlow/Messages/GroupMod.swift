import Flow

/// `OFPT_GROUP_MOD` (OpenFlow 1.3.5 §A.3.4.2, 1.5.1 §7.3.4.3).
public struct GroupMod: Hashable, Sendable {
    public enum Command: UInt16, Hashable, Sendable {
        case add = 0
        case modify = 1
        case delete = 2
        /// From 1.5 on.
        case insertBuckets = 3
        /// From 1.5 on.
        case removeBuckets = 5
        /// Open vSwitch's addition.
        case addOrModify = 0x8000
    }

    /// Where `insertBuckets` inserts and what `removeBuckets` removes: a bucket's id, or one of these.
    public enum BucketPlace {
        public static let first: UInt32 = 0xffff_fffd
        public static let last: UInt32 = 0xffff_fffe
        public static let all: UInt32 = 0xffff_ffff
        public static let max: UInt32 = 0xffff_ff00
    }

    public var command: Command
    /// For `delete` only the id counts, and `OpenFlowNumber.allGroups` is all groups.
    public var group: Group
    public var commandBucket: UInt32

    public init(_ command: Command, _ group: Group, commandBucket: UInt32 = BucketPlace.all) {
        self.command = command
        self.group = group
        self.commandBucket = commandBucket
    }

    static let kinds: [Group.Kind] = [.all, .select, .indirect, .fastFailover]

    init(_ r: inout WireReader, _ s: inout DecodingState) throws(OpenFlowError) {
        try r.atLeast(s.version >= .v15 ? 16 : 8, "A group-mod")
        let number = r.u16()
        guard let c = Command(rawValue: number), s.version >= .v15 || c.rawValue <= 2 || c == .addOrModify else {
            throw OpenFlowError(.badGroupCommand, "\(number) is not a command of a group-mod.")
        }
        command = c
        let type = Int(r.u8())
        guard type < Self.kinds.count else { throw OpenFlowError(.badGroupType, "\(type) is not a type of group.") }
        let kind = Self.kinds[type]
        r.skip(1)
        let id = r.u32()
        commandBucket = BucketPlace.all
        group = Group(id: id, kind: kind)
        if s.version >= .v15 {
            let size = Int(r.u16())
            r.skip(2)
            commandBucket = r.u32()
            if size > r.remaining { throw OpenFlowError(.badRequestLength, "The buckets of a group-mod are longer than the message.") }
            let outer = r.enter(size)
            group.buckets = try r.buckets(kind, s.version)
            r.leave(outer)
            try r.groupProperties(&group)
        } else {
            group.buckets = try r.buckets(kind, s.version)
        }
        if command == .delete {
            group.buckets = []
            if id > Group.max, id != OpenFlowNumber.allGroups { throw OpenFlowError(.invalidGroup, "\(id) is not the number of a group.") }
            return
        }
        if id > Group.max { throw OpenFlowError(.invalidGroup, "Groups are numbered from 0 to \(Group.max), not \(id).") }
        try checkBuckets()
    }

    /// What may stand in the buckets of each type, as Open vSwitch judges it.
    private func checkBuckets() throws(OpenFlowError) {
        if command == .insertBuckets, commandBucket > BucketPlace.max, commandBucket != BucketPlace.first, commandBucket != BucketPlace.last {
            throw OpenFlowError(.unknownBucket, "Buckets cannot be inserted at 0x\(String(commandBucket, radix: 16)).")
        }
        if command == .removeBuckets { return }
        if group.kind == .indirect, group.buckets.count != 1, command != .insertBuckets {
            throw OpenFlowError(.invalidGroup, "An indirect group has one bucket, not \(group.buckets.count).")
        }
        for b in group.buckets {
            let isWatching = b.watchPort != ReservedPort.any || b.watchGroup != Group.none
            if b.weight != 0, group.kind != .select, command != .insertBuckets {
                throw OpenFlowError(.invalidGroup, "Only buckets of select groups have a weight.")
            }
            switch group.kind {
            case .all, .indirect: if isWatching { throw OpenFlowError(ErrorCode(6, 6), "Buckets of this type watch nothing.") }
            case .fastFailover: if !isWatching { throw OpenFlowError(.invalidGroup, "A bucket of a fast failover group watches a port or group.") }
            case .select: break
            }
        }
    }

    func write(_ w: inout WireWriter) {
        if w.version < .v15, command == .insertBuckets || command == .removeBuckets {
            w.fail("Buckets are inserted and removed from OpenFlow 1.5 on.")
        }
        w.u16(command.rawValue)
        w.u8(UInt8(Self.kinds.firstIndex(of: group.kind)!))
        w.u8(0)
        w.u32(group.id)
        if w.version >= .v15 {
            let size = w.count
            w.u16(0)
            w.u16(0)
            w.u32(commandBucket)
            let start = w.count
            w.buckets(group)
            w.set16(w.count - start, at: size)
            w.groupProperties(group)
        } else {
            w.buckets(group)
        }
    }
}
