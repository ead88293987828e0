@testable import Controller
import Flow
import Foundation
import GRDB
import PhysicalControl
import Testing
import Translation

@Suite struct StoreTests {
    @Test func whoBeginsAgainWithTheStoreKnowsHostsByTheSameNumbers() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let hosts = try ["A", "B", "C"].enumerated().map { try TestHost($0.element, datapathID: UInt64($0.offset + 1)) }
        for h in hosts { lab.connect(h) }
        var random = SystemRandom(seed: 5)
        for _ in 0..<40 { random.edit(lab) }
        for h in hosts { lab.disconnect(h) }
        // Nothing was given back: it is as after kill -9, and the same name takes the lead again at once.
        let again = try ControllerLab(folder: lab.folder, network: nil)
        #expect(again.core.queue.sync { again.core.isMaster })
        #expect(again.core.queue.sync { again.core.logical!.network == lab.core.logical!.network })
        for h in hosts {
            again.connect(h)
            let state = try #require(again.states[h.name])
            #expect(state.modifications == 0, "\(h.name): \(state)")
            #expect(state.reconciliations.last.map { $0.devicesOpened + $0.devicesClosed } == 0)
            #expect(state.generation ?? 0 > 1)
        }
        // And goes on: numbers of names that are gone are not given to others at once.
        for _ in 0..<20 { random.edit(again) }
        for h in hosts { #expect(h.entries.count == again.core.queue.sync { again.core.logical!.snapshot(host: h.name)!.program.entries.count }) }
    }

    @Test func numbersSurviveInAnyOrder() {
        let one = NetworkTranslation()
        one.restore([
            AssignedNumber(.port, "x/y/z", 9), AssignedNumber(.port, "", 12), AssignedNumber(.datapath, "x/y", 3),
            AssignedNumber(.hostPort, "1 9", 4),
            AssignedNumber(.host, "h", 1),
        ])
        #expect(one.hostNumber("h") == 1)
        #expect(one.logicalPort(host: "h", number: 4) == 9)
        // Nothing of this is news.
        #expect(one.takeAssignedNumbers().isEmpty)
    }

    @Test func changesAreStoredWholeOrNotAtAll() throws {
        let folder = NSTemporaryDirectory() + "weft-store-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try SQLiteStore(folder + "/s.sqlite")
        let lead = try #require(try store.acquire("datapaths/1", owner: "one", now: 100, seconds: 5))
        func change(_ revision: UInt64, _ mastership: Mastership) -> StoredChange {
            StoredChange(
                note: .init(revision: revision, time: 1, summary: "s", changes: ["+ port a/b/c"]),
                put: [StoredSection(name: "tenant/a", position: 1, text: "{\"n\":\(revision)}")], removed: [],
                hostNumbers: [AssignedNumber(.host, "h", revision)], mastership: mastership)
        }
        try store.commit(change(1, lead))
        try store.commit(change(2, lead))
        // Out of turn, and of a lead that another has taken.
        #expect(throws: StoreError.self) { try store.commit(change(2, lead)) }
        #expect(throws: StoreError.self) { try store.commit(change(4, lead)) }
        #expect(try store.acquire("datapaths/1", owner: "two", now: 104, seconds: 5) == nil)
        let other = try #require(try store.acquire("datapaths/1", owner: "two", now: 106, seconds: 5))
        #expect(other.generation == lead.generation + 1)
        #expect(throws: StoreError.self) { try store.commit(change(3, lead)) }
        #expect(try store.renew([lead], now: 107, seconds: 5).isEmpty)
        let all = try store.load()
        #expect(all.revision == 2 && all.sections.map(\.text) == ["{\"n\":2}"] && all.hostNumbers == [AssignedNumber(.host, "h", 2)])
        #expect(try store.changes(after: 1, limit: 10).map(\.revision) == [2])
        try store.commit(change(3, other))
        #expect(try store.revision() == 3)
    }

    @Test func aStoreOfANewerVersionIsRefused() throws {
        let folder = NSTemporaryDirectory() + "weft-store-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/s.sqlite"
        _ = try SQLiteStore(path)
        let database = try DatabaseQueue(path: path)
        try database.write { try $0.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('9 of the future')") }
        #expect(throws: StoreError.self) { _ = try SQLiteStore(path) }
    }
}
