import Flow
import Synchronization

/// The last publications of the flow tables: which matches in which tables were added or removed.
///
/// A cached program stays right as long as no change since it was made could accept its packets in a table that it visited. Caches ask that of
/// this log when they meet a program older than the tables (`Publication.View.affects`), so a change costs nothing until an affected or
/// unaffected flow is next used, and then a few comparisons. What is too old or too large to ask is answered with yes.
final class ChangeLog: @unchecked Sendable {
    /// Publications kept; older programs are translated anew.
    static let publicationLimit = 64
    /// Changes kept of one publication; a larger one counts as touching everything in its tables.
    static let changeLimit = 1024

    private let published = Mutex<[Publication]>([])
    private var pending = Publication.Draft()

    /// Records an entry that the next version adds or lacks. Owner only.
    func note(_ entry: EntryRecord) { pending.note(entry) }

    /// Records that some group or meter changes. Owner only.
    func noteGroupChange() { pending.changesGroups = true }

    /// Records that something all programs may rest on changes: the set of ports. Owner only.
    func noteEverything() { pending.noteEverything() }

    /// Ends the publication that becomes `version`. Owner only.
    func close(version: UInt64) {
        let publication = pending.finish(version: version)
        pending = Publication.Draft()
        published.withLock {
            if $0.count == Self.publicationLimit { $0.removeFirst() }
            $0.append(publication)
        }
    }

    /// The publications kept that are newer than `version` and not newer than `last`, oldest first.
    func publications(after version: UInt64, upTo last: UInt64) -> [Publication] {
        published.withLock { all in
            var first = all.count
            while first > 0, all[first - 1].version > version { first -= 1 }
            return all[first...].filter { $0.version <= last }
        }
    }
}

/// The changes of one version, in plain memory that lives as long as the object.
final class Publication: @unchecked Sendable {
    /// What a worker reads of it without holding the object in its hand.
    struct View {
        /// Bit per table.
        var tables: (UInt64, UInt64, UInt64, UInt64)
        var changesGroups: Bool
        /// Whether all programs are affected, even those that visited no table.
        var isEverything: Bool
        /// Whether `changes` is complete.
        var isListed: Bool
        /// `[table][word count][index, mask, value]…` for each change, `count` words in all.
        var changes: UnsafePointer<UInt64>
        var count: Int
    }

    let version: UInt64
    let view: View

    private init(version: UInt64, view: View) {
        self.version = version
        self.view = view
    }

    deinit { view.changes.deallocate() }

    struct Draft {
        private var tables: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var changesGroups = false
        private var isEverything = false
        private var count = 0
        private var changes: [UInt64] = []

        mutating func note(_ e: EntryRecord) {
            let bit = UInt64(1) << UInt64(e.table & 63)
            switch e.table >> 6 {
            case 0: tables.0 |= bit
            case 1: tables.1 |= bit
            case 2: tables.2 |= bit
            default: tables.3 |= bit
            }
            count += 1
            if count > ChangeLog.changeLimit {
                changes = []
                return
            }
            changes.append(UInt64(e.table))
            let mask = e.mask
            changes.append(UInt64(mask.count))
            for i in 0..<mask.count {
                changes.append(UInt64(mask.index(i)))
                changes.append(mask.mask(i))
                changes.append(e.values[i])
            }
        }

        mutating func noteEverything() {
            tables = (.max, .max, .max, .max)
            changesGroups = true
            isEverything = true
            count = ChangeLog.changeLimit + 1
            changes = []
        }

        func finish(version: UInt64) -> Publication {
            let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: max(changes.count, 1))
            memory.initialize(from: changes, count: changes.count)
            return Publication(
                version: version,
                view: View(
                    tables: tables, changesGroups: changesGroups, isEverything: isEverything, isListed: count <= ChangeLog.changeLimit,
                    changes: memory,
                    count: changes.count))
        }
    }
}

extension Publication.View {
    /// Whether a packet that a cache entry stands for might meet one of these changes.
    ///
    /// The entry's key is asked first: it is at hand, and most changes are excluded by it.
    @inline(__always)
    func affects(_ program: Program, _ head: UnsafePointer<CacheSubtable.Head>, _ entry: UnsafeMutablePointer<UInt64>) -> Bool {
        if changesGroups && program.usesGroups { return true }
        if !isListed {
            if isEverything { return true }
            let v = program.tables
            return v[0] & tables.0 | v[1] & tables.1 | v[2] & tables.2 | v[3] & tables.3 != 0
        }
        var at = 0
        while at < count {
            let n = Int(truncatingIfNeeded: changes[at + 1])
            if !isExcluded(at + 2, n, program, head, entry) {
                let table = Int(truncatingIfNeeded: changes[at])
                if program.tables[table >> 6] >> UInt64(table & 63) & 1 != 0 { return true }
            }
            at += 2 + 3 * n
        }
        return false
    }

    /// Whether some word of the change asks for a value that the packets are known not to have. Metadata and words that the program wrote are
    /// unknown at the time of that lookup, and exclude nothing.
    @inline(__always)
    private func isExcluded(
        _ start: Int, _ n: Int, _ program: Program, _ head: UnsafePointer<CacheSubtable.Head>, _ entry: UnsafeMutablePointer<UInt64>
    ) -> Bool {
        var c = changes + start
        let end = c + 3 * n
        while c < end {
            let word = Int(truncatingIfNeeded: c[0])
            if word >= FlowKeyLayout.arrivalWordCount { return false }
            let known = head.pointee.known(entry, word)
            if (known.value ^ c[2]) & c[1] & known.mask != 0, program.writtenWords >> UInt64(word) & 1 == 0 { return true }
            c += 3
        }
        return false
    }
}
