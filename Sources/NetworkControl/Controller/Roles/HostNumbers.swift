import Translation

/// The numbers of hosts, which are the same in all sets of datapaths: who takes a network gives them out.
///
/// A name keeps its number when its host leaves the network, so that it means the same host to those who hear of that late; only when there are no others left is it given to
/// another name.
struct HostNumbers {
    private(set) var all: [String: UInt64] = [:]
    private var highest: UInt64 = 0
    private let limit: UInt64

    init(limit: Int, stored: [AssignedNumber] = []) {
        self.limit = UInt64(limit)
        restore(stored)
    }

    mutating func restore(_ stored: [AssignedNumber]) {
        all = Dictionary(stored.compactMap { n in n.number.map { (n.name, $0) } }, uniquingKeysWith: { a, _ in a })
        highest = max(highest, all.values.max() ?? 0)
    }

    /// Gives numbers to the hosts of a network that have none; returns what there is to store, and what they are then. There are not more hosts than numbers.
    func assigning(_ names: [String]) -> (numbers: HostNumbers, changes: [AssignedNumber]) {
        var new = self
        var changes: [AssignedNumber] = []
        for name in names where new.all[name] == nil {
            if new.highest < limit {
                new.highest += 1
                new.all[name] = new.highest
            } else {
                let inUse = Set(names)
                guard let old = new.all.filter({ !inUse.contains($0.key) }).min(by: { $0.value < $1.value }) else {
                    preconditionFailure("more than \(limit) hosts")
                }
                new.all[old.key] = nil
                new.all[name] = old.value
                changes.append(AssignedNumber(.host, old.key, nil))
            }
            changes.append(AssignedNumber(.host, name, new.all[name]))
        }
        return (new, changes)
    }
}
