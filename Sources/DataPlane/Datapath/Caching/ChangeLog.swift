import Flow
import Synchronization

/// The last publications of the flow tables: which matches in which tables were added or removed.
///
/// A cached program stays right as long as no change since it was made could accept its packets in a table that it visited. Caches ask that of
/// this log when they meet a program older than the tables (`Publication.affects`), so a change costs nothing until an affected or
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

    /// Ends the publication that becomes `version`. Owner only.
    func close(version: UInt64) {
        let publication = pending.finish(version: version)
        pending = Publication.Draft()
        published.withLock {
            if $0.count == Self.publicationLimit { $0.removeFirst() }
            $0.append(publication)
        }
    }

    /// The publications kept, oldest first.
    var recent: [Publication] { published.withLock { $0 } }
}

/// The changes of one version.
final class Publication: Sendable {
    let version: UInt64
    /// Bit per table.
    let tables: (UInt64, UInt64, UInt64, UInt64)
    let changesGroups: Bool
    /// Whether `changes` is complete.
    let isListed: Bool
    /// `[table][word count][index, mask, value]…` for each change.
    private let changes: [UInt64]

    private init(
        version: UInt64, tables: (UInt64, UInt64, UInt64, UInt64), changesGroups: Bool, isListed: Bool, changes: [UInt64]
    ) {
        self.version = version
        self.tables = tables
        self.changesGroups = changesGroups
        self.isListed = isListed
        self.changes = changes
    }

    struct Draft {
        private var tables: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var changesGroups = false
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

        func finish(version: UInt64) -> Publication {
            Publication(
                version: version, tables: tables, changesGroups: changesGroups, isListed: count <= ChangeLog.changeLimit, changes: changes)
        }
    }

    /// Whether a packet that a cache entry stands for might meet one of these changes.
    ///
    /// - Parameters:
    ///   - program: what the cache entry runs.
    ///   - known: for each of the 16 packet words, which bits the packets are known to have (mask) and how (value).
    func affects(_ program: Program, known: UnsafePointer<(mask: UInt64, value: UInt64)>) -> Bool {
        if changesGroups && program.usesGroups { return true }
        let visited = program.tables
        if visited[0] & tables.0 | visited[1] & tables.1 | visited[2] & tables.2 | visited[3] & tables.3 == 0 { return false }
        if !isListed { return true }
        let written = program.writtenWords
        return changes.withUnsafeBufferPointer { c in
            var at = 0
            while at < c.count {
                let table = Int(c[at])
                let n = Int(c[at + 1])
                at += 2
                defer { at += 3 * n }
                if visited[table >> 6] >> UInt64(table & 63) & 1 == 0 { continue }
                if !isExcluded(c, at, n, written: written, known) { return true }
            }
            return false
        }
    }

    /// Whether some word of the change asks for a value that the packets are known not to have. Metadata and words that the program wrote are
    /// unknown at the time of that lookup, and exclude nothing.
    @inline(__always)
    private func isExcluded(
        _ c: UnsafeBufferPointer<UInt64>, _ start: Int, _ n: Int, written: UInt64, _ known: UnsafePointer<(mask: UInt64, value: UInt64)>
    ) -> Bool {
        for i in 0..<n {
            let word = Int(truncatingIfNeeded: c[start + 3 * i])
            if word >= FlowKeyLayout.packetWordCount { return false }
            if written >> UInt64(word) & 1 != 0 { continue }
            if (known[word].value ^ c[start + 3 * i + 2]) & c[start + 3 * i + 1] & known[word].mask != 0 { return true }
        }
        return false
    }
}
