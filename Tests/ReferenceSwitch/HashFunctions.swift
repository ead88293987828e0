import Flow

/// The choices that depend on a hash; the same functions must be given to the reference and to the switch under test.
public struct HashFunctions {
    /// Which of a select group's buckets the packet takes, by position; `live` are the positions that may be chosen.
    public var bucket: (_ group: Group, _ live: [Int], _ key: FlowKey) -> Int?
    /// The link that `multipath` chooses.
    public var link:
        (_ fields: HashFields, _ basis: UInt16, _ algorithm: MultipathAlgorithm, _ links: UInt32, _ argument: UInt32, _ key: FlowKey) -> UInt32
    /// The member that `bundle(…,hrw,…)` chooses, by position; `enabled` are the positions that may be chosen.
    public var member: (_ fields: HashFields, _ basis: UInt16, _ enabled: [Int], _ key: FlowKey) -> Int?

    public init(
        bucket: @escaping (Group, [Int], FlowKey) -> Int?,
        link: @escaping (HashFields, UInt16, MultipathAlgorithm, UInt32, UInt32, FlowKey) -> UInt32,
        member: @escaping (HashFields, UInt16, [Int], FlowKey) -> Int?
    ) {
        self.bucket = bucket
        self.link = link
        self.member = member
    }

    /// The first possible choice every time.
    public static var first: HashFunctions {
        HashFunctions(bucket: { _, live, _ in live.first }, link: { _, _, _, _, _, _ in 0 }, member: { _, _, enabled, _ in enabled.first })
    }
}
