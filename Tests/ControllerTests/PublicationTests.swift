import Controller
import Flow
import Foundation
import OpenFlow
import PhysicalControl
import RandomNetworks
import Testing
import Translation

/// What a controller has forwarding elements do, over real OpenFlow sessions without sockets.
@Suite struct PublicationTests {
    /// What is too much (+) and what is missing (-).
    private func difference(_ lab: ControllerLab, _ host: TestHost, except: (String) -> Bool = { _ in false }) -> [String] {
        let (have, want) = (Set(host.lines.filter { !except($0) }), Set(lab.expected(host.name)))
        return have.subtracting(want).map { "+ " + $0 } + want.subtracting(have).map { "- " + $0 }
    }

    @Test func aHostGetsItsEntriesAndPortsInOneBundle() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let host = try TestHost("A")
        lab.connect(host)
        #expect(difference(lab, host).isEmpty)
        #expect(host.entries.count > 50 && host.entries.count == lab.expected("A").count)
        let state = try #require(lab.states["A"])
        #expect(state.bundles == 1 && state.state == "steady" && state.inForce == 1)
        #expect(host.ports.keys.sorted() == ["blue/web/vm1", "tunnels"])
        #expect(host.ports["blue/web/vm1"]?["device"] as? String == "t1")
        #expect(host.ports["blue/web/vm1"]?["number"] as? Int == 1)
        #expect(host.ports["tunnels"]?["local"] as? String == "198.18.6.1")
        // A host gets only what its workloads need: nothing of the other tenant.
        let green = try TestHost("C")
        lab.connect(green)
        #expect(difference(lab, green).isEmpty)
        #expect(green.ports.keys.sorted() == ["green/web/vm1", "tunnels"])
        let blue = lab.core.queue.sync { lab.core.logical!.snapshot(host: "A")!.program.entries.map { Cookie(value: $0.cookie).datapath } }
        #expect(!green.entries.contains { blue.contains(Cookie(value: $0.cookie).datapath) && Cookie(value: $0.cookie).datapath != 0 })
    }

    @Test func onlyHostsThatAreConcernedAreTold() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let hosts = try ["A", "B", "C"].map { try TestHost($0) }
        for h in hosts { lab.connect(h) }
        let before = lab.states
        let result = try lab.put(
            "tenants/green/switches/web/ports/vm2", #"{"mac": "02:00:00:00:00:02", "addresses": ["10.0.1.11"], "host": "C", "tap": "t9"}"#)
        #expect(result.progress.hosts == ["C"] && result.isNew)
        let after = lab.states
        for name in ["A", "B"] { #expect(after[name]?.modifications == before[name]?.modifications && after[name]?.bundles == before[name]?.bundles) }
        #expect(after["C"]!.bundles == before["C"]!.bundles + 1)
        #expect(after["C"]!.inForce == 2 && lab.core.queue.sync { lab.core.progress(2) }?.millisecondsToForce != nil)
        for h in hosts { #expect(difference(lab, h).isEmpty) }
        #expect(hosts[2].ports.keys.sorted() == ["green/web/vm1", "green/web/vm2", "tunnels"])
        try lab.delete("tenants/green/switches/web/ports/vm2")
        for h in hosts { #expect(difference(lab, h).isEmpty) }
        #expect(hosts[2].ports.keys.sorted() == ["green/web/vm1", "tunnels"])
    }

    @Test func whoComesBackUnchangedIsToldNothing() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let host = try TestHost("B")
        lab.connect(host)
        #expect(lab.states["B"]!.modifications > 100)
        lab.disconnect(host)
        #expect(lab.states["B"] == nil)
        lab.connect(host)
        let state = try #require(lab.states["B"])
        #expect(state.modifications == 0 && state.bundles == 0 && state.inForce == 1)
        #expect(state.reconciliations.last?.present == host.entries.count && state.reconciliations.last?.devicesOpened == 0)
    }

    @Test func whoComesBackIsToldWhatChangedMeanwhileAndNoMore() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let host = try TestHost("B")
        lab.connect(host)
        lab.disconnect(host)
        let change = try lab.put(
            "tenants/blue/switches/db/access", #"[{"name": "no-telnet", "direction": "out", "verdict": "drop", "protocol": "tcp", "to-ports": 23}]"#)
        #expect(change.progress.waiting.contains("B"))
        lab.connect(host)
        #expect(difference(lab, host).isEmpty)
        let r = try #require(lab.states["B"]?.reconciliations.last)
        #expect(r.added + r.changed + r.removed > 0 && r.added + r.changed + r.removed < 10, "\(r)")
        #expect(lab.core.queue.sync { lab.core.progress(2)?.waiting } == ["A"])
    }

    @Test func entriesOfOthersStayAndMissingOnesComeBack() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let host = try TestHost("A")
        lab.connect(host)
        lab.disconnect(host)
        let own = try #require(FlowText.parse("table=200,priority=7,ip,actions=drop").modifications.first)
        try host.vswitch.apply([own, .flow(.delete, FlowEntry(table: 25, priority: 0))])
        #expect(!difference(lab, host).isEmpty)
        lab.connect(host)
        let r = try #require(lab.states["A"]?.reconciliations.last)
        #expect(r.foreign == 1 && r.added > 0 && r.removed == 0 && r.changed == 0)
        #expect(difference(lab, host, except: { $0.contains("table=200,") }).isEmpty)
        #expect(host.lines.contains { $0.contains("table=200,") })
    }

    @Test func theQueuesOfAHostAreThoseOfItsPorts() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let host = try TestHost("B")
        lab.connect(host)
        #expect(host.ports["blue/web/vm2"]?["queues"] == nil)
        try lab.put("hosts/B", #"{"address": "198.18.6.2", "queues": {"1": {"max-rate": "5 Mbit/s", "priority": 3}}}"#)
        let before = host.portRequests
        let queues = try #require(host.ports["blue/web/vm2"]?["queues"] as? [String: [String: Any]])
        #expect(queues["1"]?["max-rate"] as? String == "5000 kbit/s" && queues["1"]?["priority"] as? Int == 3 && queues.count == 1)
        #expect(host.ports["tunnels"]?["queues"] == nil && host.ports["tunnels"] != nil)
        // The switch reads what it is sent as it reads its configuration.
        try lab.put(
            "tenants/blue/switches/web/ports/vm2", #"{"mac": "02:00:00:00:00:02", "host": "B", "tap": "t2", "queue": 1, "max-rate": "8 Mbit/s"}"#)
        #expect(host.ports["blue/web/vm2"]?["max-rate"] as? String == "8000 kbit/s" && host.portRequests == before + 1)
        #expect(host.lines.contains { $0.contains("set_queue:1") })
        #expect(throws: (any Error).self) { try lab.put("hosts/B", #"{"address": "198.18.6.2"}"#) }
        #expect(difference(lab, host).isEmpty)
        // A port that comes together with other queues.
        try lab.replace(
            ControllerLab.network.replacing("B: {address: 198.18.6.2}", with: "B: {address: 198.18.6.2, queues: {2: {priority: 1}}}")
                .replacing(
                    "vm1: {mac: \"02:00:00:00:00:01\", addresses: [10.0.1.10], host: A",
                    with: "vm1: {mac: \"02:00:00:00:00:01\", addresses: [10.0.1.10], host: B"))
        #expect(["vm1", "vm2"].allSatisfy { (host.ports["blue/web/\($0)"]?["queues"] as? [String: Any])?.keys.sorted() == ["2"] })
    }

    @Test func aRefusedChangeIsHealedByComparing() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let host = try TestHost("A")
        lab.connect(host)
        // The meter that the next port will need is in the way, so the bundle is refused as a whole.
        try host.vswitch.apply([.addMeter(Meter(id: 2, unit: .pktps, bands: [.drop(rate: 5, burst: 0)]))])
        try lab.put("tenants/blue/switches/web/ports/vm9", #"{"mac": "02:00:00:00:00:09", "host": "A", "rate": "1 Mbit/s"}"#)
        #expect(difference(lab, host).isEmpty)
        #expect(lab.states["A"]?.reconciliations.count == 2)
        #expect(lab.states["A"]?.inForce == 2)
    }

    @Test func aPortThatMovesLeavesOneHostAndComesToTheOther() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let (a, b) = (try TestHost("A"), try TestHost("B", datapathID: 8))
        lab.connect(a)
        lab.connect(b)
        try lab.put("tenants/blue/switches/web/ports/vm1", #"{"mac": "02:00:00:00:00:01", "addresses": ["10.0.1.10"], "host": "B", "tap": "t1"}"#)
        #expect(a.ports.keys.sorted() == ["tunnels"])
        #expect(b.ports.keys.sorted() == ["blue/web/vm1", "blue/web/vm2", "tunnels"])
        for h in [a, b] { #expect(difference(lab, h).isEmpty) }
    }

    /// B84: a network that gets a pool node has its hosts watch their tunnels.
    @Test func hostsWatchTheirTunnelsOnceThereIsAPoolNode() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let (a, c) = (try TestHost("A"), try TestHost("C", datapathID: 9))
        lab.connect(a)
        lab.connect(c)
        try lab.put("hosts/C", #"{"address": "198.18.6.3", "pool": true}"#)
        for h in [a, c] { #expect(difference(lab, h).isEmpty) }
        #expect(a.ports.keys.sorted() == ["blue/web/vm1", "tunnels", "tunnels/B", "tunnels/C"])
        #expect(c.ports.keys.sorted() == ["green/web/vm1", "tunnels", "tunnels/A", "tunnels/B"])
        let watch = try #require(a.ports["tunnels/B"])
        #expect(watch["remote"] as? String == "198.18.6.2" && watch["local"] as? String == "198.18.6.1" && watch["key"] == nil)
        #expect((watch["bfd"] as? [String: Any])?["interval"] as? String == "300ms")
        // Other intervals are other ports with the same numbers.
        try lab.put("hosts/C", #"{"address": "198.18.6.3", "pool": true, "bfd": {"interval": "100 ms", "multiplier": 5}}"#)
        let changed = try #require(a.ports["tunnels/B"])
        #expect((changed["bfd"] as? [String: Any])?["interval"] as? String == "100ms" && changed["number"] as? Int == watch["number"] as? Int)
        // A host that moves is watched where it is.
        try lab.put("hosts/B", #"{"address": "198.18.6.7"}"#)
        #expect(a.ports["tunnels/B"]?["remote"] as? String == "198.18.6.7")
        for h in [a, c] { #expect(difference(lab, h).isEmpty) }
        try lab.put("hosts/C", #"{"address": "198.18.6.3"}"#)
        #expect(a.ports.keys.sorted() == ["blue/web/vm1", "tunnels"] && c.ports.keys.sorted() == ["green/web/vm1", "tunnels"])
        for h in [a, c] { #expect(difference(lab, h).isEmpty) }
    }

    @Test func aHostThatIsNotInTheNetworkIsSentAway() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let stranger = try TestHost("Z")
        lab.connect(stranger)
        #expect(stranger.entries.isEmpty && lab.states["Z"] == nil)
        // Two machines that say to be one host: the first stays.
        let (first, second) = (try TestHost("A", datapathID: 1), try TestHost("A", datapathID: 2))
        lab.connect(first)
        lab.connect(second)
        #expect(second.entries.isEmpty && lab.states["A"]?.datapath == "0x1")
        // The same machine again, whose old connection nobody has missed yet.
        let again = first
        lab.connect(again)
        #expect(lab.states["A"]?.state == "steady" && lab.states["A"]?.modifications == 0)
    }

    @Test func aHostThatLeavesTheNetworkKeepsNothingOfIt() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let host = try TestHost("C")
        lab.connect(host)
        try host.vswitch.apply(FlowText.parse("table=200,priority=7,ip,actions=drop").modifications)
        try lab.delete("tenants/green")
        let change = try lab.delete("hosts/C")
        #expect(change.progress.hosts.contains("C"))
        #expect(host.lines.count == 1 && host.ports.isEmpty && lab.states["C"] == nil, "\(host.lines)")
        #expect(lab.core.queue.sync { lab.core.progress(change.progress.revision) }.map { $0.waiting.contains("C") } == false)
        // Who was away when it left is not let in, and left alone.
        let away = try TestHost("B")
        lab.connect(away)
        lab.disconnect(away)
        let before = away.lines
        try lab.replace("hosts: {A: {address: 198.18.6.1}}\n")
        lab.connect(away)
        #expect(away.lines == before && lab.states["B"] == nil)
    }

    @Test func afterRandomChangesHostsHaveWhatAFullComputationGives() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let hosts = try ["A", "B", "C"].enumerated().map { try TestHost($0.element, datapathID: UInt64($0.offset + 1)) }
        for h in hosts { lab.connect(h) }
        var random = SystemRandom(seed: 71)
        let steps = HistoryLength.steps(30)
        for step in 0..<steps {
            let away = step % 7 == 3 ? hosts[random.next(3)] : nil
            if let away { lab.disconnect(away) }
            for _ in 0..<2 { random.edit(lab) }
            if let away { lab.connect(away) }
            for h in hosts { #expect(difference(lab, h).isEmpty, "seed 71, step \(step), host \(h.name)") }
        }
        #expect(hosts.map { lab.states[$0.name]!.inForce }.max()! > steps / 2)
    }
}

/// Random changes through the interface, most of them good.
struct SystemRandom {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next(_ n: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(n))
    }

    mutating func edit(_ lab: ControllerLab) {
        let tenant = ["blue", "green"][next(2)]
        let number = next(8) + 10
        let path = "tenants/\(tenant)/switches/web/ports/r\(number)"
        switch next(6) {
        case 0...2:
            let rate = next(3) == 0 ? #", "rate": "2 Mbit/s""# : ""
            let tap = next(2) == 0 ? #", "tap": "r\#(number)""# : ""
            _ = try? lab.put(
                path,
                #"{"mac": "02:00:00:00:01:\#(number)", "addresses": ["10.0.1.\#(number + 40)"], "host": "\#(["A", "B", "C"][next(3)])"\#(rate)\#(tap)}"#
            )
        case 3: _ = try? lab.delete(path)
        case 4:
            _ = try? lab.put(
                "tenants/\(tenant)/switches/web/access",
                #"[{"direction": "in", "verdict": "drop", "protocol": "tcp", "to-ports": \#(next(100) + 1)}]"#)
        default: _ = try? lab.put("tenants/\(tenant)/switches/s\(next(3))", #"{"unknown": "flood"}"#)
        }
    }
}
