import Flow
import Synchronization

/// The groups, with their buckets compiled. Written by the owner, read by translation under a lock (once per group action of a miss).
final class GroupStore: Sendable {
    final class State: Sendable {
        let group: Group
        let buckets: [Bucket]
        struct Bucket: Sendable {
            let actions: ActionRecord
        }
        /// Packets and bytes of the group, then of each bucket.
        let counters: Mutex<[(packets: UInt64, bytes: UInt64)]>
        init(_ group: Group, compiler: ActionCompiler) {
            self.group = group
            buckets = group.buckets.map { Bucket(actions: ActionRecord(words: compiler.compile(ActionSet.ordered($0.actions)), source: 0)) }
            counters = Mutex(Array(repeating: (0, 0), count: group.buckets.count + 1))
        }
        deinit { for b in buckets { b.actions.deallocate() } }
    }

    private let groups = Mutex<[UInt32: State]>([:])

    subscript(id: UInt32) -> State? { groups.withLock { $0[id] } }

    /// Counts packets that went through a group (0) or one of its buckets (from 1); of a group that is gone, nothing.
    func credit(_ id: UInt32, bucket: Int, packets: UInt64, bytes: UInt64) {
        self[id]?.counters.withLock {
            guard bucket < $0.count else { return }
            $0[bucket].packets += packets
            $0[bucket].bytes += bytes
        }
    }

    /// Every group, by id, with the counters of the group and of its buckets.
    var statistics: [GroupStatistics] {
        groups.withLock { Array($0.values) }.sorted { $0.group.id < $1.group.id }.map { state in
            let c = state.counters.withLock { $0 }
            return GroupStatistics(
                group: state.group, packets: c[0].packets, bytes: c[0].bytes, buckets: c.dropFirst().map { ($0.packets, $0.bytes) })
        }
    }

    func add(_ group: Group, compiler: ActionCompiler) throws(FlowTableError) {
        if self[group.id] != nil { throw .groupExists(group.id) }
        try store(group, compiler: compiler)
    }

    func modify(_ group: Group, compiler: ActionCompiler) throws(FlowTableError) {
        if self[group.id] == nil { throw .noSuchGroup(group.id) }
        try store(group, compiler: compiler)
    }

    /// Deletes one group, or all of them for nil.
    func delete(_ id: UInt32?) {
        groups.withLock {
            if let id { $0[id] = nil } else { $0 = [:] }
        }
    }

    private func store(_ group: Group, compiler: ActionCompiler) throws(FlowTableError) {
        let state = State(group, compiler: compiler)
        let isLoop = groups.withLock { all -> Bool in
            var candidate = all
            candidate[group.id] = state
            if Self.reaches(group.id, from: group.id, candidate) { return true }
            all = candidate
            return false
        }
        if isLoop { throw .groupLoop(group.id) }
    }

    /// Whether following group actions from `start` leads back to `target` (OpenFlow 1.3.5 §6.5 asks to refuse loops). Visits each group once.
    private static func reaches(_ target: UInt32, from start: UInt32, _ all: [UInt32: State]) -> Bool {
        var seen: Set<UInt32> = [start]
        var pending = [start]
        while let id = pending.popLast() {
            for bucket in all[id]?.group.buckets ?? [] {
                for case .group(let next) in bucket.actions {
                    if next == target { return true }
                    if seen.insert(next).inserted { pending.append(next) }
                }
            }
        }
        return false
    }

    /// Whether a bucket can be used: its watched port exists, its watched group has a live bucket (OpenFlow 1.3.5 §5.6.1.1).
    func isLive(_ bucket: Group.Bucket, ports: PortRegistry, depth: Int = 0) -> Bool {
        if bucket.watchPort == ReservedPort.any, bucket.watchGroup == Group.none { return true }
        if bucket.watchPort != ReservedPort.any, ports.isAttached(bucket.watchPort) { return true }
        if bucket.watchGroup != Group.none, depth < 64, let watched = self[bucket.watchGroup] {
            return watched.group.buckets.contains { isLive($0, ports: ports, depth: depth + 1) }
        }
        return false
    }
}

/// A group with what it has counted.
public struct GroupStatistics: Sendable {
    public var group: Group
    public var packets: UInt64
    public var bytes: UInt64
    public var buckets: [(packets: UInt64, bytes: UInt64)]
}
