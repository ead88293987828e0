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
        func change(_ basis: StoredChange.Basis, _ mastership: Mastership, text: String = "{}", tenant: String = "a") -> StoredChange {
            StoredChange(
                note: .init(time: 1, summary: "s", changes: ["+ port a/b/c"]), basis: basis,
                put: [StoredSection(name: "tenant/" + tenant, position: 1, text: text)], removed: [], hostNumbers: [AssignedNumber(.host, "h", 7)],
                mastership: mastership)
        }
        #expect(try store.commit(change(.network(0), lead)) == 1)
        #expect(try store.commit(change(.network(1), lead, text: "{\"n\":2}")) == 2)
        // Out of turn, and of a lease that another has taken.
        #expect(throws: StoreError.self) { _ = try store.commit(change(.network(1), lead)) }
        #expect(throws: StoreError.self) { _ = try store.commit(change(.network(3), lead)) }
        #expect(try store.acquire("datapaths/1", owner: "two", now: 104, seconds: 5) == nil)
        let other = try #require(try store.acquire("datapaths/1", owner: "two", now: 106, seconds: 5))
        #expect(other.generation == lead.generation + 1)
        #expect(throws: StoreError.self) { _ = try store.commit(change(.network(2), lead)) }
        #expect(try store.renew([lead], now: 107, seconds: 5).isEmpty)
        let all = try store.load()
        #expect(all.revision == 2 && all.sections.map(\.text) == ["{\"n\":2}"] && all.hostNumbers == [AssignedNumber(.host, "h", 7)])
        #expect(all.sections.map(\.revision) == [2])
        #expect(try store.changes(after: 1, limit: 10).map(\.revision) == [2])
        #expect(try store.commit(change(.network(2), other)) == 3)
        #expect(try store.revision() == 3)
    }

    @Test func changesOfDifferentTenantsDoNotWaitForEachOther() throws {
        let folder = NSTemporaryDirectory() + "weft-store-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try SQLiteStore(folder + "/s.sqlite")
        let leads = try [1, 2].map { try #require(try store.acquire(Mastership.datapaths($0), owner: "\($0)", now: 100, seconds: 5)) }
        func commit(_ tenant: String, _ lead: Int, _ expected: [String: UInt64], attached: [String] = [], detached: [String] = []) throws -> UInt64 {
            try store.commit(
                StoredChange(
                    note: .init(time: 1, summary: "s", changes: []), basis: .sections(expected),
                    put: [StoredSection(name: "tenant/" + tenant, position: 1, text: "{}", set: lead)], removed: [],
                    attached: attached.map { .init(key: $0, tenant: tenant) }, detached: detached.map { .init(key: $0, tenant: tenant) },
                    mastership: leads[lead - 1]))
        }
        #expect(try commit("a", 1, ["tenant/a": 0, "hosts": 0], attached: ["h tap1"]) == 1)
        // It has not heard of that, and need not.
        #expect(try commit("b", 2, ["tenant/b": 0, "hosts": 0], attached: ["h tap2"]) == 2)
        #expect(try commit("b", 2, ["tenant/b": 2, "hosts": 0]) == 3)
        // A tenant that is not what it was, hosts that are not, and a device that another tenant has.
        #expect(throws: StoreError.self) { _ = try commit("b", 2, ["tenant/b": 2, "hosts": 0]) }
        #expect(throws: StoreError.self) { _ = try commit("b", 2, ["tenant/b": 3, "hosts": 1]) }
        #expect(throws: StoreError.self) { _ = try commit("b", 2, ["tenant/b": 3, "hosts": 0], attached: ["h tap1"]) }
        #expect(try store.revision() == 3)
        #expect(try commit("a", 1, ["tenant/a": 1, "hosts": 0], detached: ["h tap1"]) == 4)
        #expect(try commit("b", 2, ["tenant/b": 3, "hosts": 0], attached: ["h tap1"]) == 5)
        let delta = try store.changes(ofSectionsAfter: 3)
        #expect(
            delta.put.map(\.name) == ["tenant/a", "tenant/b"] && delta.put.map(\.revision) == [4, 5] && delta.names == ["tenant/a", "tenant/b"])
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
