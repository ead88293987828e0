@testable import Controller
import Flow
import Foundation
import GRDB
import LogicalNetwork
import PhysicalControl
import RandomNetworks
import Testing
import Translation

/// Several logical controllers that compute at the same time, each for sets of datapaths of its own (spec B128, 002 H11, 000-052).
@Suite struct DatapathSetTests {
    /// Controllers with one store that share sets, and a physical controller that hears them.
    private final class Cluster {
        private(set) var labs: [ControllerLab]
        let physical: PhysicalLab
        private let sets: Int

        init(_ names: [String], sets: Int, network: String? = ControllerLab.network) throws {
            self.sets = sets
            labs = [try ControllerLab(name: names[0], network: nil, sets: sets)]
            physical = PhysicalLab("p", labs[0].deliveries)
            for name in names.dropFirst() { try add(name) }
            physical.attach(to: labs[0])
            for lab in labs.dropFirst() { physical.attach(to: lab) }
            if let network { try leader(1).replace(network) }
            follow()
        }

        @discardableResult func add(_ name: String) throws -> ControllerLab {
            let lab = try ControllerLab(name: name, folder: labs[0].folder, network: nil, sets: sets, deliveries: labs[0].deliveries)
            labs.append(lab)
            share()
            return lab
        }

        /// As after a while: each has its share.
        func share() {
            for _ in 0..<3 { for lab in labs { lab.core.seekLeadNow() } }
            labs[0].settle()
        }

        func follow() {
            for lab in labs { lab.core.lookForChangesNow() }
            labs[0].settle()
        }

        func drop(_ lab: ControllerLab) { labs.removeAll { $0 === lab } }
        func sets(of lab: ControllerLab) -> [Int] { lab.core.queue.sync { lab.core.ledSets } }
        func leader(_ set: Int) -> ControllerLab { labs.first { sets(of: $0).contains(set) }! }
        func set(of tenant: String) -> Int { labs[0].core.queue.sync { labs[0].core.tenantSets[tenant]! } }
        func leader(of tenant: String) -> ControllerLab { leader(set(of: tenant)) }

        /// What all sets together give a host.
        func expected(_ host: String) -> [String] {
            var all: Set<String> = []
            for set in 1...sets {
                let lab = leader(set)
                let program = lab.core.queue.sync { lab.core.logical(set: set)!.snapshot(host: host)!.program }
                all.formUnion(program.entries.map { FlowText.text(ControllerLab.asTold($0)) })
            }
            return all.sorted()
        }

        /// Entries of a host, counted, when one controller has the whole network.
        func whole(_ host: String) -> Int {
            let network = labs[0].core.queue.sync { labs[0].core.network }
            let logical = LogicalController()
            _ = logical.apply(network, revision: 1)
            return logical.snapshot(host: host)!.program.entries.count
        }

        func check(_ hosts: [TestHost], _ comment: Comment? = nil) {
            for h in hosts { #expect(h.lines == expected(h.name) && h.lines.count == whole(h.name), comment) }
        }
    }

    private func hosts() throws -> [TestHost] { try ["A", "B", "C"].enumerated().map { try TestHost($1, datapathID: UInt64($0 + 1)) } }

    @Test func controllersShareSetsAndHostsGetWhatAllOfThemCompute() throws {
        let cluster = try Cluster(["one", "two"], sets: 3)
        defer { cluster.labs[0].remove() }
        let (one, two) = (cluster.labs[0], cluster.labs[1])
        #expect(cluster.sets(of: one).count == 2 && cluster.sets(of: two).count == 1)
        // Each tenant has come into a set of its own.
        #expect(cluster.set(of: "blue") == 1 && cluster.set(of: "green") == 2)
        let hosts = try hosts()
        for h in hosts { cluster.physical.connect(h) }
        cluster.check(hosts)
        #expect(hosts.allSatisfy { cluster.physical.states[$0.name]?.state == "steady" } && hosts[2].entries.count > 20)
        // Numbers say whose they are.
        let datapaths = cluster.physical.queue.sync { cluster.physical.link.datapaths }
        #expect(Set(datapaths.map(NumberSpace.set)) == [1, 2])
        // A change is made where its tenant is computed, and nowhere else; the other one knows of it afterwards.
        let green = cluster.leader(of: "green")
        let other = green === one ? two : one
        let port = #"{"mac": "02:00:00:00:00:02", "addresses": ["10.0.1.11"], "host": "A", "tap": "t9"}"#
        do {
            try other.put("tenants/green/switches/web/ports/vm2", port)
            Issue.record("it does not lead green")
        } catch InterfaceError.notMaster(let leader) { #expect(leader == green.core.options.name) }
        let result = try green.put("tenants/green/switches/web/ports/vm2", port)
        #expect(green.core.queue.sync { green.core.progress(result.progress.revision)?.millisecondsToForce } != nil)
        cluster.follow()
        #expect(other.core.queue.sync { other.core.network == green.core.network && other.core.revision == green.core.revision })
        cluster.check(hosts)
        #expect(hosts[0].ports["green/web/vm2"] != nil && hosts[0].ports["blue/web/vm1"] != nil)
        // A device can be taken by one port only, also where another controller computes.
        #expect(throws: InterfaceError.self) {
            try cluster.leader(of: "blue").put("tenants/blue/switches/web/ports/vm9", #"{"mac": "02:00:00:00:00:09", "host": "A", "tap": "t9"}"#)
        }
        // Nor where it has not heard of that yet; and what concerns nobody else waits for nobody.
        let blue = cluster.leader(of: "blue")
        try green.put("tenants/green/switches/web/ports/vm4", #"{"mac": "02:00:00:00:00:04", "host": "A", "tap": "t8"}"#)
        do {
            try blue.put("tenants/blue/switches/web/ports/vm9", #"{"mac": "02:00:00:00:00:09", "host": "A", "tap": "t8"}"#)
            Issue.record("a device of green's is taken")
        } catch InterfaceError.invalid(let faults) { #expect("\(faults)".contains("green/web/vm4")) }
        try green.put("tenants/green/switches/web/ports/vm5", #"{"mac": "02:00:00:00:00:05", "host": "A"}"#)
        try blue.put("tenants/blue/switches/web/ports/vm9", #"{"mac": "02:00:00:00:00:09", "host": "A", "tap": "t7"}"#)
        try green.put("tenants/green/switches/web/ports/vm5", #"{"mac": "02:00:00:00:00:06", "host": "A"}"#)
        try blue.delete("tenants/blue/switches/web/ports/vm9")
        cluster.follow()
        #expect(other.core.queue.sync { other.core.network == green.core.network && other.core.revision == green.core.revision })
        cluster.check(hosts)
        // A new tenant is put into a set of the controller that is asked.
        try two.put("tenants/red", #"{"switches": {"s": {}}}"#)
        #expect(throws: Never.self) { try two.put("tenants/red/switches/s/ports/vm1", #"{"mac": "02:00:00:00:00:01", "host": "C", "tap": "t2"}"#) }
        cluster.follow()
        #expect(cluster.sets(of: two).contains(cluster.set(of: "red")))
        cluster.check(hosts)
        // A host comes by who leads the first set, and all sets tell of it.
        try cluster.leader(1).put("hosts/D", #"{"address": "198.18.6.4"}"#)
        cluster.follow()
        let d = try TestHost("D", datapathID: 4)
        cluster.physical.connect(d)
        #expect(cluster.physical.states["D"]?.state == "steady" && d.ports.keys.sorted() == ["tunnels"])
        for tenant in ["blue", "green"] {
            try cluster.leader(of: tenant).put("tenants/\(tenant)/switches/web/ports/vm8", #"{"mac": "02:00:00:00:00:08", "host": "D"}"#)
        }
        cluster.follow()
        cluster.check(hosts + [d])
        // And goes.
        for tenant in ["blue", "green"] { try cluster.leader(of: tenant).delete("tenants/\(tenant)/switches/web/ports/vm8") }
        cluster.follow()
        try cluster.leader(1).delete("hosts/D")
        cluster.follow()
        #expect(cluster.physical.states["D"] == nil && d.entries.isEmpty && d.ports.isEmpty)
        cluster.check(hosts)
        // Tenants go too.
        try cluster.leader(of: "green").delete("tenants/green")
        cluster.follow()
        cluster.check(hosts)
        #expect(!hosts[0].lines.contains { $0.contains("green") } && hosts[0].ports["green/web/vm2"] == nil)
    }

    /// 000 §7 39.
    @Test func whatAnotherComputesIsKnownAndNotComputed() throws {
        let cluster = try Cluster(["one", "two"], sets: 2)
        defer { cluster.labs[0].remove() }
        let host = try TestHost("A")
        cluster.physical.connect(host)
        let (writer, other) = (cluster.leader(of: "green"), cluster.leader(of: "blue"))
        #expect(writer !== other)
        let computed = other.core.queue.sync { other.core.logical(set: 1)!.revision }
        let told = host.lines
        try writer.put("tenants/green/switches/web/ports/vm2", #"{"mac": "02:00:00:00:00:02", "addresses": ["10.0.1.11"], "host": "A"}"#)
        cluster.follow()
        #expect(host.lines != told)
        other.core.queue.sync {
            #expect(
                other.core.revision == writer.core.revision
                    && other.core.network.tenants.contains { $0.switches[0].ports.count == 2 && $0.name == "green" })
            #expect(other.core.logical(set: 1)!.revision == computed && other.core.logical(set: 1)!.network.tenants.map(\.name) == ["blue"])
            #expect(other.core.logical(set: 2) == nil)
        }
    }

    @Test func whoIsLeftTakesTheSetsOfOneThatEndsAndNoHostIsToldAnything() throws {
        let cluster = try Cluster(["one", "two"], sets: 4)
        defer { cluster.labs[0].remove() }
        let (one, two) = (cluster.labs[0], cluster.labs[1])
        let hosts = try hosts()
        for h in hosts { cluster.physical.connect(h) }
        #expect(cluster.sets(of: one).count == 2 && cluster.sets(of: two).count == 2)
        let before = cluster.physical.states.mapValues(\.modifications)
        let lines = hosts.map(\.lines)
        // It ends, and with it the channel.
        let ended = cluster.leader(1)
        let rest = ended === one ? two : one
        ended.core.stop()
        cluster.physical.detach(from: ended)
        cluster.drop(ended)
        cluster.share()
        #expect(cluster.sets(of: rest) == [1, 2, 3, 4])
        #expect(cluster.physical.states.mapValues(\.modifications) == before && hosts.map(\.lines) == lines)
        #expect(cluster.physical.states.values.allSatisfy { $0.state == "steady" && $0.generation == 1 })
        for tenant in ["blue", "green"] {
            try rest.put("tenants/\(tenant)/switches/web/ports/vm8", #"{"mac": "02:00:00:00:00:08", "host": "B"}"#)
        }
        cluster.check(hosts)
        // Another comes and has its share.
        let three = try cluster.add("three")
        cluster.physical.attach(to: three)
        #expect(cluster.sets(of: rest).count == 2 && cluster.sets(of: three).count == 2)
        #expect(cluster.physical.queue.sync { cluster.physical.link.isConnected })
        for tenant in ["blue", "green"] {
            try cluster.leader(of: tenant).delete("tenants/\(tenant)/switches/web/ports/vm8")
            cluster.follow()
        }
        cluster.check(hosts)
        #expect(cluster.physical.states.values.allSatisfy { $0.reconciliations.count == 1 })
    }

    @Test func noHostIsToldBeforeAllSetsHaveToldOfIt() throws {
        let cluster = try Cluster(["one", "two"], sets: 2)
        defer { cluster.labs[0].remove() }
        let (first, second) = (cluster.leader(1), cluster.leader(2))
        let p = PhysicalLab("q", first.deliveries)
        let host = try TestHost("A")
        p.connect(host)
        p.attach(to: first)
        // It knows the host's part of one set, and that there are two.
        #expect(p.states["A"]?.state == "following" && host.entries.isEmpty)
        #expect(p.queue.sync { !p.link.isConnected } && p.entries(of: "A") == nil)
        p.attach(to: second)
        #expect(p.states["A"]?.state == "steady")
        cluster.check([host])
        // What one set has is kept while its controller is away, and the other's changes are made.
        p.detach(from: second)
        try cluster.leader(of: "blue").put("tenants/blue/switches/web/ports/vm8", #"{"mac": "02:00:00:00:00:08", "host": "A"}"#)
        cluster.check([host])
        #expect(p.states["A"]?.state == "steady")
    }

    @Test(arguments: [1] as [UInt64]) func afterRandomChangesHostsHaveWhatAllSetsCompute(seed: UInt64) throws {
        let cluster = try Cluster(["one", "two", "three"], sets: 3)
        defer { cluster.labs[0].remove() }
        let hosts = try hosts()
        for h in hosts { cluster.physical.connect(h) }
        var random = SystemRandom(seed: seed)
        var made = 0
        for step in 0..<60 {
            // Most of those that are asked do not lead the tenant, or have not heard of the last change yet.
            let lab = cluster.labs[random.next(3)]
            let before = lab.core.queue.sync { lab.core.revision }
            if random.next(8) == 0 {
                let name = "x\(random.next(3))"
                let isPut = random.next(2) == 0
                _ = try? isPut ? lab.put("tenants/\(name)", #"{"switches": {"web": {}}}"#) : lab.delete("tenants/\(name)")
            } else {
                random.edit(lab)
            }
            let after = lab.core.queue.sync { lab.core.revision }
            if after > before { made += 1 }
            if random.next(3) == 0 {
                cluster.follow()
                cluster.check(hosts, "seed \(seed), step \(step)")
            }
        }
        cluster.follow()
        cluster.check(hosts)
        #expect(made > 10, "\(made)")
    }

    /// Sets that hear of changes at different times, with hosts that come, go, change zones and watch tunnels.
    @Test(arguments: [5, 6] as [UInt64]) func copiesAreRightOnceAllSetsHaveToldOfAChange(seed: UInt64) throws {
        var random = RandomNetwork(seed: seed)
        var order = SystemRandom(seed: seed)
        let logical = [LogicalController(set: 1, of: 2), LogicalController(set: 2, of: 2)]
        var numbers = HostNumbers(limit: NumberSpace.hostLimit)
        var subscriptions = [UniversalSubscription(), UniversalSubscription()]
        let copy = UniversalCopy()
        copy.setCount = 2
        var held: [String: NaiveHost] = [:]
        let names = ["h0", "h1", "h2"]
        func part(_ i: Int, _ network: NetworkDescription) -> NetworkDescription {
            NetworkDescription(hosts: network.hosts, tenants: network.tenants.filter { $0.name == "t\(i)" })
        }
        func take(_ update: UniversalUpdate) throws {
            for (name, change) in try copy.apply(update) {
                guard let change else {
                    // It would be compared.
                    held[name] = NaiveHost()
                    for e in copy.snapshot(host: name)!.program.entries { held[name]!.apply(.flow(.add, e)) }
                    for m in copy.snapshot(host: name)!.program.meters { held[name]!.apply(.addMeter(m)) }
                    continue
                }
                if change.isGone { held[name] = nil } else { for m in change.modifications { held[name, default: NaiveHost()].apply(m) } }
            }
        }
        for i in 0..<2 { try take(subscriptions[i].subscribe(names, logical[i])) }
        var late = 0
        for step in 0..<90 {
            for _ in 0..<(step % 3 + 1) { random.edit() }
            var network = random.network
            if step % 4 == 1 { network.hosts[order.next(network.hosts.count)].zone = "z\(order.next(2))" }
            if let pool = network.hosts.firstIndex(where: \.isPool), step % 5 == 2 { network.hosts[pool].liveness = .init() }
            if (try? network.validate()) == nil { network = random.network }
            let assigned = numbers.assigning(network.hosts.map(\.name))
            numbers = assigned.numbers
            let first = order.next(2)
            for i in [first, 1 - first] {
                // The second one sometimes hears of this change with the next one.
                if i != first, order.next(3) == 0, step != 89 {
                    late += 1
                    continue
                }
                let outcome = logical[i].apply(part(i, network), revision: UInt64(step + 1), hosts: numbers.all)
                if let update = subscriptions[i].update(outcome.change, logical[i]) { try take(update) }
            }
            // A full computation takes its time.
            guard logical[0].revision == logical[1].revision, step % 3 == 2 || step > 80 else { continue }
            let whole = LogicalController()
            _ = whole.apply(network, revision: 1)
            for name in names {
                let at: Comment = "\(name), seed \(seed), step \(step)"
                guard let wanted = whole.snapshot(host: name) else {
                    #expect(copy.snapshot(host: name) == nil && held[name] == nil, at)
                    continue
                }
                let both = logical.map { $0.snapshot(host: name)! }
                let entries = Set(both.flatMap(\.program.entries).map(ControllerLab.asTold))
                let have = try #require(copy.snapshot(host: name))
                #expect(Set(have.program.entries.map(ControllerLab.asTold)) == entries, at)
                #expect(have.program.entries.count == wanted.program.entries.count && have.devices.count == wanted.devices.count, at)
                #expect(Set((held[name] ?? NaiveHost()).entries.values.map(ControllerLab.asTold)) == entries, at)
                #expect(Set(have.devices.map(\.number)).count == have.devices.count, at)
            }
        }
        #expect(late > 10)
    }

    @Test func aStoreOfOneSetIsTakenOverAndMayHaveMore() throws {
        let folder = NSTemporaryDirectory() + "weft-controller-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/store.sqlite"
        // As the first version left it.
        let document = try NetworkDocument(.yaml(ControllerLab.network))
        let before = LogicalController()
        let numbers = before.apply(try document.description(), revision: 4)
        let translation = NetworkTranslation()
        translation.apply(try document.description())
        _ = translation.takeChanges()
        let old = translation.takeAssignedNumbers()
        let database = try DatabaseQueue(path: path)
        try SQLiteStore.migrator.migrate(database, upTo: "1 network, numbers, mastership")
        try database.write { db in
            for s in document.sections.values {
                try db.execute(sql: "INSERT INTO section VALUES (?, ?, ?)", arguments: [s.name, s.position, s.text])
            }
            for n in old {
                try db.execute(sql: "INSERT INTO number VALUES (?, ?, ?)", arguments: [n.kind.rawValue, n.name, Int64(bitPattern: n.number!)])
            }
            try db.execute(sql: "INSERT INTO change VALUES (4, 1, 's', '[]')")
            try db.execute(sql: "INSERT INTO mastership VALUES ('datapaths/all', 'one', 3, 0)")
        }
        try database.close()
        let hosts = try hosts()
        do {
            let one = try ControllerLab(name: "one", folder: folder, network: nil)
            #expect(one.core.queue.sync { one.core.revision } == 4)
            for h in hosts {
                one.connect(h)
                // Numbers are those of before, so entries are.
                #expect(h.lines == before.snapshot(host: h.name)!.program.entries.map { FlowText.text(ControllerLab.asTold($0)) }.sorted())
            }
            #expect(try one.core.queue.sync { try one.core.masterships() }.first { $0.scope == "datapaths/1" }?.generation == 4)
            // While it leads no other can make more sets.
            let store = try SQLiteStore(path)
            #expect(throws: StoreError.self) { _ = try store.sets(atLeast: 2, for: "two", now: Date().timeIntervalSince1970) }
            for h in hosts { one.disconnect(h) }
            one.core.stop()
        }
        _ = numbers
        let cluster = try ControllerLab(name: "two", folder: folder, network: nil, sets: 2)
        let p = PhysicalLab("p", cluster.deliveries)
        p.attach(to: cluster)
        let told = hosts.map(\.lines)
        for h in hosts { p.connect(h) }
        // Tenants stay in the set that they were in, and keep their numbers.
        #expect(hosts.map(\.lines) == told && p.states.values.allSatisfy { $0.state == "steady" && $0.modifications == 0 })
        try cluster.put(
            "tenants/red", #"{"switches": {"s": {"ports": {"vm1": {"mac": "02:00:00:00:00:01", "host": "C", "tap": "t2"}}}}}"#)
        #expect(cluster.core.queue.sync { cluster.core.tenantSets["red"] } == 2)
        #expect(hosts[2].ports["red/s/vm1"] != nil)
    }

    @Test func whoWaitedWhileThereBecameMoreSetsLeadsNothing() throws {
        let one = try ControllerLab(name: "one")
        defer { one.remove() }
        let two = try ControllerLab(name: "two", folder: one.folder, network: nil)
        one.core.stop()
        let store = try SQLiteStore(one.folder + "/store.sqlite")
        #expect(try store.sets(atLeast: 2, for: "three", now: Date().timeIntervalSince1970) == 2)
        two.core.seekLeadNow()
        #expect(two.core.queue.sync { two.core.ledSets } == [])
        #expect(try store.sets(atLeast: 1, for: "three", now: Date().timeIntervalSince1970) == 2)
    }

    @Test func whatGoesBeyondTheNumbersOfASetIsRefused() throws {
        let cluster = try Cluster(["one", "two"], sets: 2)
        defer { cluster.labs[0].remove() }
        // Host C has a port of green, which is in the second set.
        let (first, second) = (cluster.leader(1), cluster.leader(2))
        #expect(first !== second && cluster.set(of: "green") == 2)
        func ports(_ count: Int) -> String {
            func byte(_ n: Int) -> String { String(String(256 + n, radix: 16).suffix(2)) }
            let all = (0..<count).map { #""p\#($0)": {"mac": "02:00:00:00:\#(byte($0 / 256)):\#(byte($0 % 256))", "host": "C"}"# }
            return #"{"ports": {"# + all.joined(separator: ", ") + "}}"
        }
        let limit = Int(NumberSpace.portsPerHost)
        #expect(throws: InterfaceError.self) { try second.put("tenants/green/switches/big", ports(limit)) }
        try second.put("tenants/green/switches/big", ports(limit - 1))
        let more = #"{"mac": "02:00:00:01:00:00", "host": "C"}"#
        #expect(throws: InterfaceError.self) { try second.put("tenants/green/switches/big/ports/more", more) }
        // Nor as a part of a network that the other one is given.
        cluster.follow()
        let json = try first.core.queue.sync { try first.core.read([]).json }
        #expect(json.contains(#""p0":"#))
        let larger = json.replacingOccurrences(of: #""p0":"#, with: #""more":\#(more),"p0":"#)
        #expect(throws: InterfaceError.self) { try first.change(.replace(.json(Array(larger.utf8)))) }
        // Those of the other set are others.
        try first.put("tenants/blue/switches/web/ports/more", more)
    }

    @Test func numbersOfHostsAreKeptAndGivenAnewAsLateAsPossible() {
        var numbers = HostNumbers(limit: 3)
        func assign(_ names: [String]) -> [String] {
            let result = numbers.assigning(names)
            numbers = result.numbers
            return result.changes.map { "\($0.name) \($0.number.map(String.init) ?? "-")" }
        }
        #expect(assign(["a", "b"]) == ["a 1", "b 2"])
        #expect(assign(["b", "c"]) == ["c 3"] && assign(["a", "b"]) == [])
        #expect(assign(["b", "d"]) == ["a -", "d 1"])
        #expect(numbers.all == ["b": 2, "c": 3, "d": 1])
    }
}
