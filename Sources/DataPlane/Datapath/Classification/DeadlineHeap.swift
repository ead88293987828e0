/// A binary heap of time-outs: which entry may expire first.
///
/// A deadline is a lower bound: an entry used meanwhile is judged again when its old deadline comes, and pushed with the new one.
struct DeadlineHeap {
    struct Item {
        var deadline: UInt64
        /// Tells the entry from a later one in the same memory.
        var addedAt: UInt64
        var entry: EntryRecord
    }
    private var items: [Item] = []

    var first: UInt64? { items.first?.deadline }

    mutating func push(_ deadline: UInt64, _ entry: EntryRecord) {
        items.append(Item(deadline: deadline, addedAt: entry.addedAt, entry: entry))
        var i = items.count - 1
        while i > 0, items[(i - 1) / 2].deadline > items[i].deadline {
            items.swapAt(i, (i - 1) / 2)
            i = (i - 1) / 2
        }
    }

    mutating func pop() -> Item {
        items.swapAt(0, items.count - 1)
        let top = items.removeLast()
        var i = 0
        while true {
            let l = 2 * i + 1
            guard l < items.count else { break }
            let c = l + 1 < items.count && items[l + 1].deadline < items[l].deadline ? l + 1 : l
            guard items[c].deadline < items[i].deadline else { break }
            items.swapAt(i, c)
            i = c
        }
        return top
    }
}
