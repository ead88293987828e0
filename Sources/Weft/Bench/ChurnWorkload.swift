import Flow

/// Entry changes beside the traffic of the pipeline: more specific routes in the table that routes the traffic, of which one in eight is the route of a
/// flow that is running. They do what the route they cover does, so that forwarding stays the same while the tables change.
struct ChurnWorkload {
    static let flowCount = 1_000
    /// Routes that exist at any time.
    static let routeCount = 256
    /// One change in so many is about a running flow's destination.
    static let runningShare = 8

    private let actions: [Action]
    private var next = 0
    private var oldest = 0

    init() {
        let parsed = FlowText.parse("table=2,actions=load:2->NXM_NX_REG2[],resubmit(,3)")
        guard case .flow(_, let entry, _, _, _)? = parsed.modifications.first else { preconditionFailure("a built-in flow entry is not readable") }
        actions = entry.actions
    }

    private func route(_ n: Int) -> FlowEntry {
        let destination =
            n % Self.runningShare == 0
            ? PipelineWorkload.tuple(n / Self.runningShare % Self.flowCount).destination
            : 0x0ac0_0000 + UInt32(n * 40_503 & 0x3f_ffff)
        var match = Match()
        match.require(.ethType, 0x0800)
        match.require(.register(1), 0x10)
        match.require(.ipv4Dst, UInt64(destination))
        return FlowEntry(table: 2, priority: 300, match: match, actions: actions, cookie: UInt64(n))
    }

    /// The routes that are there from the start.
    mutating func initial() -> [FlowModification] {
        defer { next = Self.routeCount }
        return (0..<Self.routeCount).map { .flow(.add, route($0)) }
    }

    /// The next change: the oldest route goes, then a new one comes.
    mutating func change() -> FlowModification {
        if next - oldest >= Self.routeCount {
            oldest += 1
            return .flow(.deleteStrict, route(oldest - 1))
        }
        next += 1
        return .flow(.add, route(next - 1))
    }
}
