import Foundation
import GRDB
import LogicalNetwork
import Translation

/// The embedded store: one SQLite file, which several processes of a machine may share.
///
/// Every call is one transaction. `journal_mode` is WAL and `synchronous` FULL, so a change that was committed survives `kill -9` and loss of power; one that
/// was not is gone as a whole. Migrations run when it is opened; a file of a newer version is refused.
public final class SQLiteStore: NetworkStore {
    private let database: DatabaseQueue

    /// Changes that are remembered for watchers.
    static let changeLimit = 10_000

    /// - Parameter path: a file, made when it is missing (0600); `:memory:` is forgotten with the process.
    public init(_ path: String) throws(StoreError) {
        var configuration = Configuration()
        // Another process may be writing.
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            if path == ":memory:" {
                database = try DatabaseQueue(configuration: Configuration())
            } else {
                let mask = umask(0o077)
                defer { umask(mask) }
                database = try DatabaseQueue(path: path, configuration: configuration)
            }
            let migrator = Self.migrator
            if try database.read({ try migrator.hasBeenSuperseded($0) }) { throw StoreError.newerSchema }
            try migrator.migrate(database)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError.failed("\(path): \(error)")
        }
    }

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 network, numbers, mastership") { db in
            try db.create(table: "section") { t in
                t.primaryKey("name", .text)
                t.column("position", .integer).notNull()
                t.column("text", .text).notNull()
            }
            try db.create(table: "number") { t in
                t.column("kind", .text).notNull()
                t.column("name", .text).notNull()
                t.column("value", .integer).notNull()
                t.primaryKey(["kind", "name"])
            }
            try db.create(table: "mastership") { t in
                t.primaryKey("scope", .text)
                t.column("owner", .text).notNull()
                t.column("generation", .integer).notNull()
                t.column("expires", .double).notNull()
            }
            try db.create(table: "change") { t in
                t.primaryKey("revision", .integer)
                t.column("time", .double).notNull()
                t.column("summary", .text).notNull()
                t.column("changes", .text).notNull()
            }
        }
        migrator.registerMigration("2 sets of datapaths") { db in
            try db.alter(table: "section") { t in
                t.add(column: "set", .integer).notNull().defaults(to: 0)
                t.add(column: "revision", .integer).notNull().defaults(to: 0)
            }
            try db.execute(sql: "UPDATE section SET \"set\" = 1 WHERE name LIKE 'tenant/%'")
            try db.rename(table: "number", to: "oldNumber")
            try db.create(table: "number") { t in
                t.column("set", .integer).notNull()
                t.column("kind", .text).notNull()
                t.column("name", .text).notNull()
                t.column("value", .integer).notNull()
                t.primaryKey(["set", "kind", "name"])
            }
            try db.execute(
                sql: """
                    INSERT INTO number SELECT CASE kind WHEN 'host' THEN 0 ELSE 1 END, kind, name, value FROM oldNumber
                    WHERE kind <> 'host' OR name <> ''
                    """)
            try db.drop(table: "oldNumber")
            try db.execute(sql: "UPDATE mastership SET scope = 'datapaths/1' WHERE scope = 'datapaths/all'")
            try db.create(table: "setting") { t in
                t.primaryKey("name", .text)
                t.column("value", .integer).notNull()
            }
            try db.execute(sql: "INSERT INTO setting VALUES ('sets', 1)")
            try db.create(table: "attachment") { t in
                t.primaryKey("key", .text)
                t.column("tenant", .text).notNull()
            }
        }
        return migrator
    }

    private func write<T: Sendable>(_ body: @Sendable (Database) throws -> T) throws(StoreError) -> T {
        do { return try database.write(body) } catch let error as StoreError { throw error } catch { throw StoreError.failed("\(error)") }
    }
    private func read<T: Sendable>(_ body: @Sendable (Database) throws -> T) throws(StoreError) -> T {
        do { return try database.read(body) } catch let error as StoreError { throw error } catch { throw StoreError.failed("\(error)") }
    }

    private static func revision(_ db: Database) throws -> UInt64 {
        UInt64(bitPattern: try Int64.fetchOne(db, sql: "SELECT max(revision) FROM change") ?? 0)
    }

    // MARK: - The network

    private static func sections(_ db: Database, after revision: UInt64?) throws -> [StoredSection] {
        try Row.fetchAll(
            db, sql: "SELECT name, position, text, \"set\", revision FROM section WHERE revision > ? ORDER BY position, name",
            arguments: [revision.map { Int64(clamping: $0) } ?? -1]
        ).map {
            StoredSection(
                name: $0["name"], position: $0["position"], text: $0["text"], set: $0["set"], revision: UInt64(bitPattern: $0["revision"] as Int64))
        }
    }

    private static func numbers(_ db: Database, of set: Int) throws -> [AssignedNumber] {
        try Row.fetchAll(db, sql: "SELECT kind, name, value FROM number WHERE \"set\" = ?", arguments: [set]).compactMap { row -> AssignedNumber? in
            guard let kind = AssignedNumber.Kind(rawValue: row["kind"]) else { return nil }
            return AssignedNumber(kind, row["name"], UInt64(bitPattern: row["value"] as Int64))
        }
    }

    public func load() throws(StoreError) -> StoredNetwork {
        try read { db in
            StoredNetwork(
                revision: try Self.revision(db), sections: try Self.sections(db, after: nil), hostNumbers: try Self.numbers(db, of: 0))
        }
    }

    public func changes(ofSectionsAfter revision: UInt64) throws(StoreError) -> StoredDelta {
        try read { db in
            StoredDelta(
                revision: try Self.revision(db), put: try Self.sections(db, after: revision),
                names: Set(try String.fetchAll(db, sql: "SELECT name FROM section")), hostNumbers: try Self.numbers(db, of: 0))
        }
    }

    public func numbers(of set: Int) throws(StoreError) -> [AssignedNumber] { try read { try Self.numbers($0, of: set) } }

    public func revision() throws(StoreError) -> UInt64 { try read { try Self.revision($0) } }

    public func sets(atLeast count: Int, for owner: String, now: Double) throws(StoreError) -> Int {
        try write { db in
            let present = try Int.fetchOne(db, sql: "SELECT value FROM setting WHERE name = 'sets'") ?? 1
            if count <= present { return present }
            if let other = try String.fetchOne(
                db, sql: "SELECT owner FROM mastership WHERE scope LIKE 'datapaths/%' AND expires > ? AND owner <> ?", arguments: [now, owner])
            {
                throw StoreError.failed("there are \(present) sets of datapaths, and can be \(count) only once controller \(other) has stopped")
            }
            if present == 1, let obstacle = NumberSpace.obstacle(in: try Self.numbers(db, of: 0) + Self.numbers(db, of: 1)) {
                throw StoreError.failed("there cannot be several sets of datapaths: \(obstacle)")
            }
            if present == 1 { try attach(try Self.sections(db, after: nil), db) }
            try db.execute(sql: "UPDATE setting SET value = ? WHERE name = 'sets'", arguments: [count])
            return count
        }
    }

    /// Takes note of what all tenants are attached to.
    private func attach(_ sections: [StoredSection], _ db: Database) throws {
        for tenant in try NetworkDocument(sections: sections).description().tenants {
            for key in AttachmentIndex.keys(of: tenant) {
                try db.execute(sql: "INSERT INTO attachment (key, tenant) VALUES (?, ?)", arguments: [key, tenant.name])
            }
        }
    }

    private static func check(_ m: Mastership, _ db: Database) throws {
        let held = try Int64.fetchOne(
            db, sql: "SELECT generation FROM mastership WHERE scope = ? AND owner = ?", arguments: [m.scope, m.owner])
        guard held == Int64(bitPattern: m.generation) else { throw StoreError.notMaster(m.scope) }
    }

    private static func save(_ numbers: [AssignedNumber], of set: Int, _ db: Database) throws {
        let remove = try db.makeStatement(sql: "DELETE FROM number WHERE \"set\" = ? AND kind = ? AND name = ?")
        let put = try db.makeStatement(sql: "INSERT OR REPLACE INTO number (\"set\", kind, name, value) VALUES (?, ?, ?, ?)")
        for n in numbers {
            if let number = n.number {
                try put.execute(arguments: [set, n.kind.rawValue, n.name, Int64(bitPattern: number)])
            } else {
                try remove.execute(arguments: [set, n.kind.rawValue, n.name])
            }
        }
    }

    public func save(_ numbers: [AssignedNumber], of set: Int, _ mastership: Mastership) throws(StoreError) {
        try write { db in
            try Self.check(mastership, db)
            try Self.save(numbers, of: set, db)
        }
    }

    private static func check(_ basis: StoredChange.Basis, _ revision: UInt64, _ db: Database) throws {
        switch basis {
        case .network(let expected): if expected != revision { throw StoreError.conflict("the network") }
        case .sections(let expected):
            for (name, number) in expected {
                let found = try Int64.fetchOne(db, sql: "SELECT revision FROM section WHERE name = ?", arguments: [name])
                if UInt64(bitPattern: found ?? 0) != number { throw StoreError.conflict(name) }
            }
        }
    }

    public func commit(_ change: StoredChange) throws(StoreError) -> UInt64 {
        try write { db in
            try Self.check(change.mastership, db)
            let found = try Self.revision(db)
            try Self.check(change.basis, found, db)
            let revision = Int64(bitPattern: found + 1)
            for name in change.removed { try db.execute(sql: "DELETE FROM section WHERE name = ?", arguments: [name]) }
            for s in change.put {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO section (name, position, text, \"set\", revision) VALUES (?, ?, ?, ?, ?)",
                    arguments: [s.name, s.position, s.text, s.set, revision])
            }
            for a in change.detached { try db.execute(sql: "DELETE FROM attachment WHERE key = ? AND tenant = ?", arguments: [a.key, a.tenant]) }
            for a in change.attached {
                try db.execute(sql: "INSERT OR IGNORE INTO attachment (key, tenant) VALUES (?, ?)", arguments: [a.key, a.tenant])
                if db.changesCount == 0 { throw StoreError.conflict("what is attached to \(a.key)") }
            }
            try Self.save(change.hostNumbers, of: 0, db)
            let list = String(decoding: try JSONEncoder().encode(change.note.changes), as: UTF8.self)
            try db.execute(
                sql: "INSERT INTO change (revision, time, summary, changes) VALUES (?, ?, ?, ?)",
                arguments: [revision, change.note.time, change.note.summary, list])
            try db.execute(sql: "DELETE FROM change WHERE revision <= ?", arguments: [revision - Int64(Self.changeLimit)])
            return found + 1
        }
    }

    public func changes(after revision: UInt64, limit: Int) throws(StoreError) -> [StoredChange.Note] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT revision, time, summary, changes FROM change WHERE revision > ? ORDER BY revision LIMIT ?",
                arguments: [Int64(clamping: revision), limit]
            ).map { row in
                let list: String = row["changes"]
                return StoredChange.Note(
                    revision: UInt64(bitPattern: row["revision"] as Int64), time: row["time"], summary: row["summary"],
                    changes: (try? JSONDecoder().decode([String].self, from: Data(list.utf8))) ?? [])
            }
        }
    }

    // MARK: - Mastership

    public func acquire(_ scope: String, owner: String, now: Double, seconds: Double) throws(StoreError) -> Mastership? {
        try write { db in
            let row = try Row.fetchOne(db, sql: "SELECT owner, generation, expires FROM mastership WHERE scope = ?", arguments: [scope])
            if let row, row["owner"] as String != owner, row["expires"] as Double > now { return nil }
            let generation = UInt64(bitPattern: row?["generation"] as Int64? ?? 0) + 1
            let m = Mastership(scope: scope, owner: owner, generation: generation, expires: now + seconds)
            try db.execute(
                sql: "INSERT OR REPLACE INTO mastership (scope, owner, generation, expires) VALUES (?, ?, ?, ?)",
                arguments: [m.scope, m.owner, Int64(bitPattern: m.generation), m.expires])
            return m
        }
    }

    public func renew(_ held: [Mastership], now: Double, seconds: Double) throws(StoreError) -> [Mastership] {
        try write { db in
            try held.compactMap { m in
                // Also one that has ended, as long as nobody took it.
                try db.execute(
                    sql: "UPDATE mastership SET expires = ? WHERE scope = ? AND owner = ? AND generation = ?",
                    arguments: [now + seconds, m.scope, m.owner, Int64(bitPattern: m.generation)])
                guard db.changesCount == 1 else { return nil }
                return Mastership(scope: m.scope, owner: m.owner, generation: m.generation, expires: now + seconds)
            }
        }
    }

    public func release(_ held: [Mastership]) throws(StoreError) {
        try write { db in
            for m in held {
                try db.execute(
                    sql: "UPDATE mastership SET expires = 0 WHERE scope = ? AND owner = ? AND generation = ?",
                    arguments: [m.scope, m.owner, Int64(bitPattern: m.generation)])
            }
        }
    }

    public func masterships() throws(StoreError) -> [Mastership] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT scope, owner, generation, expires FROM mastership ORDER BY scope").map {
                Mastership(scope: $0["scope"], owner: $0["owner"], generation: UInt64(bitPattern: $0["generation"] as Int64), expires: $0["expires"])
            }
        }
    }
}
