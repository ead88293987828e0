import Controller
import Flow
import Foundation
import Testing

/// Two controllers with one store.
@Suite struct MastershipTests {
    @Test func oneLeadsAndTheOtherTakesOverWithoutTouchingHosts() throws {
        let one = try ControllerLab(name: "one")
        defer { one.remove() }
        let two = try ControllerLab(name: "two", folder: one.folder, network: nil)
        #expect(one.core.queue.sync { one.core.isMaster } && two.core.queue.sync { !two.core.isMaster })
        // The other serves what is stored, and says who leads.
        #expect(two.core.queue.sync { two.core.network.tenants.count } == 2)
        #expect(throws: InterfaceError.self) { try two.delete("tenants/green") }
        #expect(two.core.queue.sync { two.core.otherMaster() } == "one")
        let host = try TestHost("A")
        one.connect(host)
        let second = try TestHost("B", datapathID: 9)
        two.connect(second)
        #expect(second.entries.isEmpty && two.states["B"]?.state == "following")
        try one.put("tenants/blue/switches/web/ports/vm7", #"{"mac": "02:00:00:00:00:07", "host": "B"}"#)
        // The lead is given back, and the other takes it.
        one.core.stop()
        two.core.seekLeadNow()
        two.settle()
        #expect(two.core.queue.sync { two.core.isMaster })
        #expect(!second.entries.isEmpty && two.states["B"]?.state == "steady")
        #expect(second.lines.contains { $0.contains("output:") })
        // Its host comes over and has nothing to learn; it heard a newer generation than before.
        one.disconnect(host)
        two.connect(host)
        #expect(two.states["A"]?.modifications == 0)
        #expect((two.states["A"]?.generation ?? 0) == 2)
        let leases = try two.core.queue.sync { try two.core.masterships() }
        #expect(leases.filter { $0.owner == "two" }.map(\.scope).sorted() == ["datapaths/1", "mfe/A", "mfe/B"])
    }

    @Test func whoLostTheLeadWithoutKnowingChangesNothing() throws {
        let one = try ControllerLab(name: "one", lease: 60)
        defer { one.remove() }
        let host = try TestHost("A")
        one.connect(host)
        let before = host.lines
        // As if its lease had ended while it slept.
        let store = try SQLiteStore(one.folder + "/store.sqlite")
        _ = try store.acquire("datapaths/1", owner: "two", now: Date().timeIntervalSince1970 + 1000, seconds: 60)
        #expect(throws: InterfaceError.self) { try one.delete("tenants/green") }
        #expect(throws: InterfaceError.self) { try one.put("tenants/blue/switches/web/ports/vm7", #"{"mac": "02:00:00:00:00:07", "host": "A"}"#) }
        #expect(host.lines == before)
        #expect(one.core.queue.sync { !one.core.isMaster })
        #expect(try store.load().revision == 1)
    }

    @Test func aForwardingElementRefusesAMasterOfThePast() throws {
        let (one, two) = (try ControllerLab(name: "one"), try ControllerLab(name: "two"))
        defer {
            one.remove()
            two.remove()
        }
        let host = try TestHost("A")
        // Two stores know nothing of each other, so their generations are equal; the second has begun once more and is ahead.
        let ahead = try ControllerLab(name: "two", folder: two.folder, network: nil)
        ahead.connect(host)
        let before = host.lines
        #expect(ahead.states["A"]?.generation == 1)
        let later = try ControllerLab(name: "two", folder: two.folder, network: nil)
        ahead.disconnect(host)
        later.connect(host)
        #expect(later.states["A"]?.generation == 2 && later.states["A"]?.state == "steady")
        let link = host.link
        one.connect(host)
        // The connection to the first is open, and it follows.
        #expect(one.states["A"]?.state == "following")
        try one.delete("tenants/green")
        #expect(host.lines == before)
        _ = link
    }
}
