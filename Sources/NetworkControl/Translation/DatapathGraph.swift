/// Which datapaths packets can get to from each other, kept as links come and go.
///
/// Each component is called by the smallest of its datapaths. A change looks again at the components it touches and at no others.
struct DatapathGraph {
    private var neighbors: [UInt64: [UInt64: Int]] = [:]
    private var nodes: Set<UInt64> = []
    private(set) var component: [UInt64: UInt64] = [:]
    private var touched: Set<UInt64> = []

    mutating func add(_ node: UInt64) {
        nodes.insert(node)
        touched.insert(node)
    }

    mutating func remove(_ node: UInt64) {
        nodes.remove(node)
        touched.insert(node)
    }

    mutating func change(_ a: UInt64, _ b: UInt64, by amount: Int) {
        for (x, y) in [(a, b), (b, a)] {
            let n = (neighbors[x]?[y] ?? 0) + amount
            neighbors[x, default: [:]][y] = n == 0 ? nil : n
            touched.insert(x)
        }
    }

    /// Brings the components up to date.
    ///
    /// - Returns: datapaths whose component changed, with the one before and the one now; nil: not there.
    mutating func settle() -> [(datapath: UInt64, before: UInt64?, now: UInt64?)] {
        if touched.isEmpty { return [] }
        // All that were or are connected to something that was touched.
        let oldLabels = Set(touched.compactMap { component[$0] })
        var affected = touched
        if !oldLabels.isEmpty { for (node, label) in component where oldLabels.contains(label) { affected.insert(node) } }
        var seen: Set<UInt64> = []
        var labels: [UInt64: UInt64] = [:]
        for start in affected.sorted() where nodes.contains(start) && !seen.contains(start) {
            var members = [start]
            seen.insert(start)
            var at = 0
            while at < members.count {
                for next in (neighbors[members[at]] ?? [:]).keys where nodes.contains(next) && seen.insert(next).inserted { members.append(next) }
                at += 1
            }
            let label = members.min()!
            for member in members { labels[member] = label }
        }
        var changes: [(datapath: UInt64, before: UInt64?, now: UInt64?)] = []
        for node in Set(labels.keys).union(affected).sorted() {
            let before = component[node]
            let now = labels[node]
            if before != now { changes.append((node, before, now)) }
            component[node] = now
        }
        touched = []
        return changes
    }
}
