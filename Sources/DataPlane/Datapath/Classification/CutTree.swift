import CLinux
import Flow

/// A decision tree over the bits of the key, for tables whose entries have many different masks.
///
/// **Basic design.** An inner node looks at up to eight neighbouring bits of one word and has a child for each of their values; a leaf is a short list
/// of entries in falling priority. A lookup walks to one leaf and compares its entries: its cost depends on the depth and the leaf size, not on how many masks
/// there are (tuple space search pays for each mask).
///
/// **Invariant.** Every entry of the tree stands in each leaf that some packet it accepts can reach. An entry that leaves bits of a cut open
/// therefore stands in several leaves; one that would stand in more than `spreadLimit` is refused and stays in the tuple groups. A leaf may hold
/// more entries than needed, never fewer. So equal subtrees are kept once, and counted: a change through one place of a shared node may show up at
/// its other places, where it does no harm.
///
/// **Optimisations.** A leaf item carries one masked word of its entry, so that most entries that don't match are passed over without touching their
/// memory. The cut at a node is the one that leaves the fewest entries to compare for the entries' own values, weighed against copies.
///
/// **Changes** replace whole leaves, published by one store; the old leaf goes to `retire`. Changes don't re-cut inner nodes; a leaf that outgrows
/// `leafLimit` is cut itself. One writer, readers without locks. Limits: depth 24; `budgetPerEntry` bounds the copies in all.
final class CutTree {
    /// Entries in a leaf before it is cut, when a cut helps.
    static let leafLimit = 4
    /// Leaves that one entry may stand in.
    static let spreadLimit = 256
    static let depthLimit = 24
    /// Leaf items that the tree may hold for each of its entries, on average; where that is used up, leaves stay as long as they are.
    static let budgetPerEntry = 24
    /// Words of a leaf item: entry, word index, mask, value.
    private static let itemWords = 4

    /// Node reference: zero is an empty leaf, bit 0 set marks a leaf.
    private let root: UnsafeMutablePointer<UInt64>
    private(set) var byteCount = 0
    /// What is left of the copies that building, or cutting a leaf, may make.
    private var budget = 0
    /// Entries that found no room in a leaf while building; they are refused.
    private var overflow: [EntryRecord] = []

    /// - Parameter root: the shared word that readers start from; stays the caller's.
    init(root: UnsafeMutablePointer<UInt64>) { self.root = root }

    // A reference holds what a lookup needs before it follows it, so that each level costs one dependent load:
    // inner node: pointer | word << 48 | shift << 54 | width << 60; leaf: pointer | 1 | count << 48.
    // An inner node is [references][child…], a leaf [references][item…].
    private static let pointerMask: UInt64 = 0xffff_ffff_fffe
    @inline(__always) private static func pointer(_ reference: UInt64) -> UnsafeMutablePointer<UInt64> {
        UnsafeMutablePointer(bitPattern: UInt(reference & pointerMask)).unsafelyUnwrapped
    }
    /// Longest leaf.
    private static let leafCapacity = 0xffff

    /// The visible entry of highest priority in the tree that accepts the key.
    @inline(__always)
    static func lookup(_ root: UInt64, _ key: UnsafePointer<UInt64>, version: UInt64) -> EntryRecord? {
        var reference = root
        while reference & 1 == 0 {
            if reference == 0 { return nil }
            let bits = key[Int(truncatingIfNeeded: reference >> 48 & 0x3f)] &>> (reference >> 54 & 0x3f)
            let index = Int(truncatingIfNeeded: bits & ((1 &<< (reference >> 60)) &- 1))
            reference = weft_load_acquire_u64(pointer(reference) + 1 + index)
        }
        let n = Int(truncatingIfNeeded: reference >> 48)
        var item = pointer(reference) + 1
        var i = 0
        while i < n {
            if key[Int(truncatingIfNeeded: item[1])] & item[2] == item[3] {
                let entry = EntryRecord(word: item[0]).unsafelyUnwrapped
                if entry.accepts(key), entry.isVisible(at: version) { return entry }
            }
            item += itemWords
            i &+= 1
        }
        return nil
    }

    // MARK: - Changes

    /// Builds the tree anew from these entries; returns those that it refused.
    func build(_ entries: [EntryRecord], retire: (UnsafeMutableRawPointer) -> Void) -> [EntryRecord] {
        let old = root.pointee
        let sorted = entries.sorted { ($1.priority, $0.ordinal) < ($0.priority, $1.ordinal) }
        // What leaves nearly everything open would stand everywhere.
        var narrow: [EntryRecord] = []
        var refused: [EntryRecord] = []
        for e in sorted { if Self.isNarrow(e) { narrow.append(e) } else { refused.append(e) } }
        byteCount = 0
        overflow = []
        budget = Self.budgetPerEntry * narrow.count + 4096
        let fresh = makeNode(narrow, depth: 0)
        refused += Set(overflow).sorted { $0.ordinal < $1.ordinal }
        overflow = []
        weft_store_release_u64(root, fresh)
        free(old, retire)
        return refused
    }

    /// Whether an entry asks for enough to be worth a place in leaves: more than the kind of packet.
    static func isNarrow(_ e: EntryRecord) -> Bool {
        var bits = 0
        for i in 0..<e.mask.count where e.mask.index(i) != FlowKeyLayout.ethDstType || e.mask.mask(i) != 0xffff {
            let kind: UInt64 = e.mask.index(i) == FlowKeyLayout.transport ? ~0xff00_00ff : .max
            bits += (e.mask.mask(i) & kind).nonzeroBitCount
        }
        return bits >= 8
    }

    /// Adds an entry; false when it would stand in too many leaves, and then nothing is changed.
    func insert(_ entry: EntryRecord, retire: (UnsafeMutableRawPointer) -> Void) -> Bool {
        guard Self.isNarrow(entry) else { return false }
        var slots: [(slot: UnsafeMutablePointer<UInt64>, depth: Int)] = []
        guard collect(root, entry, 0, &slots), slots.allSatisfy({ $0.slot.pointee >> 48 < Self.leafCapacity }) else { return false }
        budget = Self.budgetPerEntry * Self.leafLimit
        for (slot, depth) in slots {
            // Below a shared node a place is met again, and may have been cut meanwhile.
            if slot.pointee != 0, slot.pointee & 1 == 0 { continue }
            var entries = Self.entries(slot.pointee)
            // A shared leaf is reached by several ways.
            if entries.contains(entry) { continue }
            let at = entries.firstIndex { ($0.priority, entry.ordinal) < (entry.priority, $0.ordinal) } ?? entries.count
            entries.insert(entry, at: at)
            replace(slot, by: makeNode(entries, depth: depth), retire)
        }
        return true
    }

    /// Takes an entry out of every leaf that it stands in.
    ///
    /// Cost: the nodes there are, not the ways to them, which may be as many as the product of all cuts on the way.
    func remove(_ entry: EntryRecord, retire: (UnsafeMutableRawPointer) -> Void) { remove(entry, at: root, retire) }

    private func remove(_ entry: EntryRecord, at slot: UnsafeMutablePointer<UInt64>, _ retire: (UnsafeMutableRawPointer) -> Void) {
        let reference = slot.pointee
        if reference == 0 { return }
        if reference & 1 == 1 {
            let entries = Self.entries(reference)
            let kept = entries.filter { $0 != entry }
            if kept.count != entries.count { replace(slot, by: kept.isEmpty ? 0 : makeLeaf(kept), retire) }
            return
        }
        let node = Self.pointer(reference)
        let cut = Cut(reference)
        let (mask, value) = cut.bits(of: entry)
        // All places of a shared child are in one node, so it is enough to remember here what became of it.
        var done: [UInt64: UInt64] = [:]
        for i in 0..<cut.count where (UInt64(i) ^ value) & mask == 0 {
            let place = node + 1 + i
            let child = place.pointee
            if child == 0 { continue }
            if !done.isEmpty, let now = done[child] {
                if now == child { continue }
                if now != 0 { Self.retain(now) }
                replace(place, by: now, retire)
                continue
            }
            let isShared = Self.pointer(child)[0] > 1
            remove(entry, at: place, retire)
            if isShared { done[child] = place.pointee }
        }
    }

    /// Publishes another subtree in a place and gives up the one that was there.
    private func replace(_ slot: UnsafeMutablePointer<UInt64>, by fresh: UInt64, _ retire: (UnsafeMutableRawPointer) -> Void) {
        let old = slot.pointee
        weft_store_release_u64(slot, fresh)
        free(old, retire)
    }

    /// Frees everything at once; no reader may be left.
    func deallocate() {
        free(root.pointee) { $0.deallocate() }
        root.pointee = 0
    }

    /// The places of all leaves that packets of `entry` can reach; false when there are more than `spreadLimit`.
    private func collect(
        _ slot: UnsafeMutablePointer<UInt64>, _ entry: EntryRecord, _ depth: Int, _ out: inout [(slot: UnsafeMutablePointer<UInt64>, depth: Int)]
    ) -> Bool {
        let reference = slot.pointee
        if reference == 0 || reference & 1 == 1 {
            out.append((slot, depth))
            return out.count <= Self.spreadLimit
        }
        let node = Self.pointer(reference)
        let cut = Cut(reference)
        let (mask, value) = cut.bits(of: entry)
        for i in 0..<cut.count where (UInt64(i) ^ value) & mask == 0 {
            if !collect(node + 1 + i, entry, depth + 1, &out) { return false }
        }
        return true
    }

    // MARK: - Nodes

    /// Which bits a node looks at.
    private struct Cut {
        var word: Int
        var shift: Int
        var width: Int
        init(word: Int, shift: Int, width: Int) {
            self.word = word
            self.shift = shift
            self.width = width
        }
        init(_ reference: UInt64) {
            self.init(word: Int(reference >> 48 & 0x3f), shift: Int(reference >> 54 & 0x3f), width: Int(reference >> 60))
        }
        func reference(_ node: UnsafeMutablePointer<UInt64>) -> UInt64 {
            UInt64(UInt(bitPattern: node)) | UInt64(word) << 48 | UInt64(shift) << 54 | UInt64(width) << 60
        }
        var count: Int { 1 << width }

        /// What an entry asks of these bits.
        func bits(of e: EntryRecord) -> (mask: UInt64, value: UInt64) {
            let m = e.mask
            for i in 0..<m.count where m.index(i) == word {
                let all = (UInt64(1) << UInt64(width)) - 1
                return (m.mask(i) >> UInt64(shift) & all, e.values[i] >> UInt64(shift) & all)
            }
            return (0, 0)
        }
    }

    private func makeNode(_ entries: [EntryRecord], depth: Int) -> UInt64 {
        if entries.isEmpty { return 0 }
        guard entries.count > Self.leafLimit, depth < Self.depthLimit, let cut = bestCut(entries) else { return makeLeaf(entries) }
        var children = [[EntryRecord]](repeating: [], count: cut.count)
        for e in entries {
            let (mask, value) = cut.bits(of: e)
            if mask == UInt64(cut.count - 1) {
                children[Int(value)].append(e)
            } else {
                for i in 0..<cut.count where (UInt64(i) ^ value) & mask == 0 { children[i].append(e) }
            }
        }
        // Equal children are made once. What they hold beyond the entries themselves is paid from the budget of the tree.
        var numbers: [[EntryRecord]: Int] = [:]
        var distinct: [[EntryRecord]] = []
        var held = 0
        let number = children.map { list -> Int in
            if list.isEmpty { return -1 }
            if let known = numbers[list] { return known }
            numbers[list] = distinct.count
            distinct.append(list)
            held += list.count
            return distinct.count - 1
        }
        let price = max(0, held - entries.count) + cut.count / Self.itemWords
        guard price <= budget else { return makeLeaf(entries) }
        budget -= price
        let made = distinct.map { makeNode($0, depth: depth + 1) }
        let node = UnsafeMutablePointer<UInt64>.allocate(capacity: 1 + cut.count)
        byteCount += (1 + cut.count) * 8
        node[0] = 1
        var used = [Bool](repeating: false, count: made.count)
        for i in 0..<cut.count {
            let n = number[i]
            node[1 + i] = n < 0 ? 0 : made[n]
            if n >= 0 {
                if used[n], made[n] != 0 { Self.retain(made[n]) }
                used[n] = true
            }
        }
        return cut.reference(node)
    }

    /// The cut with the least expected work, or nil when none separates the entries well enough for the copies it makes.
    private func bestCut(_ entries: [EntryRecord]) -> Cut? {
        // Bits that some entry asks for, by word.
        var asked = [UInt64](repeating: 0, count: FlowKeyLayout.wordCount)
        for e in entries { for i in 0..<e.mask.count { asked[e.mask.index(i)] |= e.mask.mask(i) } }
        let n = Double(entries.count)
        // Large sets are judged by a sample.
        let step = Swift.max(1, entries.count / 2048)
        var best: (cut: Cut, score: Double)?
        let wide = entries.count > 2048 ? 11 : entries.count > 128 ? 8 : entries.count > 24 ? 6 : 4
        for word in 0..<FlowKeyLayout.wordCount where asked[word] != 0 {
            var shift = 63
            while shift >= 0 {
                // A window that begins, from the left, with a bit that is asked for.
                guard asked[word] >> UInt64(shift) & 1 == 1 else {
                    shift -= 1
                    continue
                }
                let width = Swift.min(wide, shift + 1)
                let cut = Cut(word: word, shift: shift + 1 - width, width: width)
                shift -= Swift.max(1, width / 2)
                var counts = [Int](repeating: 0, count: cut.count)
                var open = 0
                var copies = 0
                var i = 0
                var sampled = 0
                while i < entries.count {
                    let (mask, value) = cut.bits(of: entries[i])
                    sampled += 1
                    if mask == 0 {
                        open += 1
                        copies += cut.count
                    } else if mask == UInt64(cut.count - 1) {
                        counts[Int(value)] += 1
                        copies += 1
                    } else {
                        for k in 0..<cut.count where (UInt64(k) ^ value) & mask == 0 {
                            counts[k] += 1
                            copies += 1
                        }
                    }
                    i += step
                }
                // A packet like one of the entries meets, at its child, so many of the others.
                var sum = 0.0
                for c in counts { sum += Double(c) * Double(c + open) }
                let closed = Double(counts.reduce(0, +))
                let met = (closed > 0 ? sum / closed : Double(sampled)) * Double(step)
                let growth = Double(copies) / Double(sampled)
                // Copies cost memory and builds; a node's empty children cost nothing to speak of.
                let score = met / n + growth / 512
                if met < n * 0.9, growth < 96, best == nil || score < best!.score { best = (cut, score) }
            }
        }
        return best?.cut
    }

    private func makeLeaf(_ all: [EntryRecord]) -> UInt64 {
        let entries = all.prefix(Self.leafCapacity)
        overflow += all.dropFirst(Self.leafCapacity)
        let leaf = UnsafeMutablePointer<UInt64>.allocate(capacity: 1 + entries.count * Self.itemWords)
        byteCount += (1 + entries.count * Self.itemWords) * 8
        leaf[0] = 1
        for (k, e) in entries.enumerated() {
            // The word that asks for most, the kind of packet aside, tells most entries apart.
            var chosen = 0
            var most = -1
            for i in 0..<e.mask.count {
                let bits = e.mask.mask(i).nonzeroBitCount - (e.mask.index(i) == FlowKeyLayout.ethDstType ? 16 : 0)
                if bits > most { (chosen, most) = (i, bits) }
            }
            let item = leaf + 1 + k * Self.itemWords
            item[0] = e.word
            item[1] = e.mask.count == 0 ? 0 : UInt64(e.mask.index(chosen))
            item[2] = e.mask.count == 0 ? 0 : e.mask.mask(chosen)
            item[3] = e.mask.count == 0 ? 0 : e.values[chosen]
        }
        return UInt64(UInt(bitPattern: leaf)) | 1 | UInt64(entries.count) << 48
    }

    private static func entries(_ reference: UInt64) -> [EntryRecord] {
        guard reference & 1 == 1 else { return [] }
        let leaf = pointer(reference)
        return (0..<Int(reference >> 48)).map { EntryRecord(word: leaf[1 + $0 * itemWords])! }
    }

    private static func retain(_ reference: UInt64) { pointer(reference)[0] += 1 }

    /// Gives up one reference to a subtree.
    private func free(_ reference: UInt64, _ retire: (UnsafeMutableRawPointer) -> Void) {
        if reference == 0 { return }
        let node = Self.pointer(reference)
        node[0] -= 1
        if node[0] != 0 { return }
        if reference & 1 == 0 {
            let count = Cut(reference).count
            for i in 0..<count { free(node[1 + i], retire) }
        }
        retire(UnsafeMutableRawPointer(node))
    }
}
