/// What has been retired from the tables and waits until no reader can stand on it any more: first in, first out.
///
/// Versions never fall from one item to the next, so a look at the first one tells whether any can go; taking one out costs the same however many wait.
struct RetirementQueue<Item> {
    private var items: [(version: UInt64, what: Item)] = []
    private var first = 0

    var isEmpty: Bool { first == items.count }

    /// - Parameter version: from which on readers cannot reach it; not below that of the item before.
    mutating func append(_ what: Item, version: UInt64) {
        assert(isEmpty || items[items.count - 1].version <= version)
        items.append((version, what))
    }

    /// The first item, taken out, when all readers have entered a version at or after `reached`'s.
    mutating func take(reached: UInt64) -> Item? {
        guard first < items.count, items[first].version <= reached else { return nil }
        let what = items[first].what
        first += 1
        // In all, each item is moved at most once more.
        if first == items.count {
            items.removeAll(keepingCapacity: first <= 1 << 14)
            first = 0
        } else if first >= 1 << 14, first > items.count / 2 {
            items.removeFirst(first)
            first = 0
        }
        return what
    }
}
