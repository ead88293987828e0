import Foundation
import GRDB
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

    public func load() throws(StoreError) -> StoredNetwork {
        try read { db in
            let sections = try Row.fetchAll(db, sql: "SELECT name, position, text FROM section ORDER BY position, name").map {
                StoredSection(name: $0["name"], position: $0["position"], text: $0["text"])
            }
            let numbers = try Row.fetchAll(db, sql: "SELECT kind, name, value FROM number").compactMap { row -> AssignedNumber? in
                guard let kind = AssignedNumber.Kind(rawValue: row["kind"]) else { return nil }
                return AssignedNumber(kind, row["name"], UInt64(bitPattern: row["value"] as Int64))
            }
            return StoredNetwork(revision: try Self.revision(db), sections: sections, numbers: numbers)
        }
    }

    public func revision() throws(StoreError) -> UInt64 { try read { try Self.revision($0) } }

    public func commit(_ change: StoredChange) throws(StoreError) {
        try write { db in
            let m = change.mastership
            let held = try Int64.fetchOne(
                db, sql: "SELECT generation FROM mastership WHERE scope = ? AND owner = ?", arguments: [m.scope, m.owner])
            guard held == Int64(bitPattern: m.generation) else { throw StoreError.notMaster(m.scope) }
            let found = try Self.revision(db)
            guard found + 1 == change.note.revision else { throw StoreError.conflict(expected: change.note.revision - 1, found: found) }
            for name in change.removed { try db.execute(sql: "DELETE FROM section WHERE name = ?", arguments: [name]) }
            for s in change.put {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO section (name, position, text) VALUES (?, ?, ?)", arguments: [s.name, s.position, s.text])
            }
            let remove = try db.makeStatement(sql: "DELETE FROM number WHERE kind = ? AND name = ?")
            let put = try db.makeStatement(sql: "INSERT OR REPLACE INTO number (kind, name, value) VALUES (?, ?, ?)")
            for n in change.numbers {
                if let number = n.number {
                    try put.execute(arguments: [n.kind.rawValue, n.name, Int64(bitPattern: number)])
                } else {
                    try remove.execute(arguments: [n.kind.rawValue, n.name])
                }
            }
            let list = String(decoding: try JSONEncoder().encode(change.note.changes), as: UTF8.self)
            try db.execute(
                sql: "INSERT INTO change (revision, time, summary, changes) VALUES (?, ?, ?, ?)",
                arguments: [Int64(bitPattern: change.note.revision), change.note.time, change.note.summary, list])
            try db.execute(
                sql: "DELETE FROM change WHERE revision <= ?", arguments: [Int64(bitPattern: change.note.revision) - Int64(Self.changeLimit)])
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
