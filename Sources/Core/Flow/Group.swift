/// A group: a set of buckets of actions and a rule which of them a packet gets (OpenFlow 1.3.5 §5.6).
public struct Group: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Every bucket, each on its own copy.
        case all
        /// One live bucket by hash and weight; a flow keeps its bucket.
        case select
        /// The single bucket.
        case indirect
        /// The first live bucket.
        case fastFailover = "fast_failover"
    }

    public struct Bucket: Hashable, Sendable {
        public var id: UInt32
        public var weight: UInt16
        /// The port whose liveness decides, or `ReservedPort.any`.
        public var watchPort: UInt32
        /// The group whose liveness decides, or `Group.none`.
        public var watchGroup: UInt32
        public var actions: [Action]
        public init(
            id: UInt32, weight: UInt16 = 1, watchPort: UInt32 = ReservedPort.any, watchGroup: UInt32 = Group.none, actions: [Action] = []
        ) {
            self.id = id
            self.weight = weight
            self.watchPort = watchPort
            self.watchGroup = watchGroup
            self.actions = actions
        }
    }

    /// `OFPG_ANY`.
    public static let none: UInt32 = 0xffff_ffff
    /// `OFPG_MAX`.
    public static let max: UInt32 = 0xffff_ff00

    public var id: UInt32
    public var kind: Kind
    public var buckets: [Bucket]
    /// `selection_method`: `hash` with fields, `dp_hash`, or empty for the default hash.
    public var selectionMethod: String
    public var selectionParameter: UInt64
    public var selectionFields: [Field]

    public init(
        id: UInt32, kind: Kind, buckets: [Bucket] = [], selectionMethod: String = "", selectionParameter: UInt64 = 0,
        selectionFields: [Field] = []
    ) {
        self.id = id
        self.kind = kind
        self.buckets = buckets
        self.selectionMethod = selectionMethod
        self.selectionParameter = selectionParameter
        self.selectionFields = selectionFields
    }
}
