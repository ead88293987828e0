import Controller
import Flow
import Foundation
import PhysicalControl
import Testing
import Translation

/// A logical controller, physical ones at the other ends of channels, and their forwarding elements; no sockets.
@Suite struct ChannelTests {
    private func universal(_ entries: [FlowEntry], datapath: UInt64? = nil) -> Set<FlowEntry> {
        Set(
            entries.filter {
                let cookie = Cookie(value: $0.cookie)
                return cookie.kind?.isUniversal == true && cookie.kind?.isOfIngressPort == false && (datapath == nil || cookie.datapath == datapath)
            })
    }

    /// T38: one forwarding element each.
    @Test func twoPhysicalControllersHaveTheSameUniversalEntriesAndEachOnlyWhatItsHostNeeds() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let (p, q) = (PhysicalLab("p", lab.deliveries), PhysicalLab("q", lab.deliveries))
        p.attach(to: lab)
        q.attach(to: lab)
        let (a, b, c) = (try TestHost("A", datapathID: 1), try TestHost("B", datapathID: 2), try TestHost("C", datapathID: 3))
        p.connect(a)
        q.connect(b)
        #expect(p.states["A"]?.state == "steady" && q.states["B"]?.state == "steady")
        let one = try #require(p.entries(of: "A")), other = try #require(q.entries(of: "B"))
        // The universal entries are the same, apart from those that hold a port's workload to its address where it is.
        #expect(universal(one.program.entries) == universal(other.program.entries) && universal(one.program.entries).count > 50)
        // What differs is local: ports, tunnels, copies to ports that are here.
        let local = one.program.entries.filter { Cookie(value: $0.cookie).kind?.isUniversal == false }
        for e in local { #expect([.ingressMapping, .arrival, .physicalMapping, .localDelivery].contains(Stage(rawValue: e.table))) }
        // No controller has anything of the other's host, nor of a tenant that none of its hosts works for.
        #expect(p.entries(of: "B") == nil && q.entries(of: "A") == nil)
        #expect(one.devices.map(\.name).sorted() == ["blue/web/vm1", "tunnels"] && other.devices.map(\.name).contains("blue/web/vm2"))
        let blue = p.queue.sync { p.link.datapaths }
        #expect(blue == q.queue.sync { q.link.datapaths } && blue.count == 3)
        q.connect(c)
        let green = q.queue.sync { q.link.datapaths }.subtracting(blue)
        #expect(green.count == 1 && !c.entries.contains { blue.contains(Cookie(value: $0.cookie).datapath) })
        // Forwarding elements have what the whole controller would give them.
        for h in [a, b, c] { #expect(h.lines == lab.expected(h.name), "\(h.name)") }
        // A change goes to the controller that it concerns, and to no other.
        let before = p.received.count
        try lab.put("tenants/green/switches/web/ports/vm2", #"{"mac": "02:00:00:00:00:02", "addresses": ["10.0.1.11"], "host": "C", "tap": "t9"}"#)
        #expect(p.received.count == before)
        #expect(c.lines == lab.expected("C") && c.ports["green/web/vm2"] != nil)
        #expect(lab.core.queue.sync { lab.core.progress(2) }.map { $0.waiting.isEmpty && $0.millisecondsToForce != nil } == true)
        try lab.put("tenants/blue/switches/web/ports/vm1", #"{"mac": "02:00:00:00:00:01", "addresses": ["10.0.1.10"], "host": "B", "tap": "t1"}"#)
        for h in [a, b, c] { #expect(h.lines == lab.expected(h.name), "\(h.name)") }
        #expect(a.ports.keys.sorted() == ["tunnels"] && b.ports.keys.contains("blue/web/vm1"))
        // Each leads its own, as the store says.
        let leases = try lab.core.queue.sync { try lab.core.masterships() }
        #expect(leases.filter { $0.scope.hasPrefix("mfe/") }.map { "\($0.scope) \($0.owner)" } == ["mfe/A p", "mfe/B q", "mfe/C q"])
        #expect(lab.core.queue.sync { lab.core.hostStates }.map { "\($0.host) \($0.controller ?? "")" } == ["A p", "B q", "C q"])
    }

    @Test func whenAPhysicalControllerEndsAnotherLeadsItsHostAndTellsItNothing() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let (p, q) = (PhysicalLab("p", lab.deliveries), PhysicalLab("q", lab.deliveries))
        p.attach(to: lab)
        q.attach(to: lab)
        let host = try TestHost("A")
        p.connect(host)
        q.connect(host)
        #expect(p.states["A"]?.state == "steady" && p.states["A"]?.generation == 1 && q.states["A"]?.state == "following")
        let before = host.lines
        // It ends: its connections break.
        host.disconnect(0)
        p.detach()
        #expect(q.states["A"]?.state == "steady" && q.states["A"]?.generation == 2 && q.states["A"]?.modifications == 0)
        #expect(host.lines == before)
        try lab.put("tenants/blue/switches/web/ports/vm7", #"{"mac": "02:00:00:00:00:07", "host": "A"}"#)
        #expect(host.lines == lab.expected("A") && q.states["A"]?.inForce == 2)
        // It is back, and waits.
        let again = PhysicalLab("p", lab.deliveries)
        again.attach(to: lab)
        again.connect(host)
        #expect(again.states["A"]?.state == "following" && q.states["A"]?.state == "steady")
    }

    @Test func whenTheLogicalControllerEndsAndBeginsAgainNoHostIsToldAnything() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let p = PhysicalLab("p", lab.deliveries)
        p.attach(to: lab)
        let hosts = [try TestHost("A", datapathID: 1), try TestHost("B", datapathID: 2)]
        for h in hosts { p.connect(h) }
        let before = p.states
        // As after kill -9: nothing is given back.
        p.detach()
        #expect(p.states == before)
        let again = try ControllerLab(folder: lab.folder, network: nil, deliveries: lab.deliveries)
        p.attach(to: again)
        // What it has is what there is, so it is told facts and no entries, and goes on with the generation that it had.
        #expect(p.states == before && p.states["A"]?.generation == 1)
        #expect(p.received.count < 8000, "\(p.received.count)")
        // What changes while the channel is away is told when it is back.
        p.detach()
        try again.put("tenants/blue/switches/web/ports/vm7", #"{"mac": "02:00:00:00:00:07", "host": "A"}"#)
        p.attach(to: again)
        for h in hosts { #expect(h.lines == again.expected(h.name), "\(h.name)") }
        let told = p.states["A"]!.modifications - before["A"]!.modifications
        #expect(told > 0 && told < 20 && p.states["A"]?.reconciliations.count == 1, "\(told)")
        #expect(again.core.queue.sync { again.core.progress(2) }?.waiting == [])
    }

    @Test func aHostThatIsNotInTheNetworkIsSentAwayAndComesInOnceItIs() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let p = PhysicalLab("p", lab.deliveries)
        let host = try TestHost("D")
        // Nobody knows yet.
        p.connect(host)
        #expect(p.states["D"]?.state == "following" && host.link?.closedReason == nil)
        p.attach(to: lab)
        #expect(host.link?.closedReason == "there is no host D in the network")
        try lab.put("hosts/D", #"{"address": "198.18.6.4"}"#)
        p.connect(host)
        #expect(p.states["D"]?.state == "steady" && host.ports.keys.sorted() == ["tunnels"])
        // It goes again.
        try lab.delete("hosts/D")
        #expect(p.states["D"] == nil && host.entries.isEmpty && host.ports.isEmpty)
    }

    @Test func whoSpeaksWronglyIsSentAway() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        func reason(_ messages: [ChannelMessage], _ bytes: [UInt8] = []) -> String? {
            nonisolated(unsafe) var closed: String?
            lab.core.queue.sync {
                let end = lab.core.channel.begin(peer: "x", StreamTransport(send: { _ in }, close: { closed = $0 }))
                end.receive(messages.flatMap(ChannelCodec.encode) + bytes, now: 1)
                end.ended(reason: "")
            }
            return closed
        }
        let hello = ChannelMessage.hello(.init(name: "x"))
        #expect(reason([.subscribe(set: 1, hosts: ["A"])]) == "the first message is not a hello")
        #expect(reason([hello, hello]) == "a second hello")
        #expect(reason([.hello(.init(name: "one"))]) == "it has this controller's own name")
        #expect(reason([.hello(.init(name: ""))]) == "it has no name of 1 to 200 bytes")
        #expect(reason([hello, .granted(host: "A", generation: 3)]) == "something that only a physical controller is told")
        #expect(reason([hello], [0, 0, 0, 3, 0, 1, 1])?.contains("cannot be read") == true)
    }

    @Test func aHostAsksForNothingButItself() throws {
        let lab = try ControllerLab(certificateNames: true)
        defer { lab.remove() }
        func reason(_ name: String, _ names: Set<String>, _ hosts: [String]) -> String? {
            nonisolated(unsafe) var closed: String?
            lab.core.queue.sync {
                var transport = StreamTransport(send: { _ in }, close: { closed = $0 })
                transport.certificateNames = names
                let end = lab.core.channel.begin(peer: "x", transport)
                end.receive([.hello(.init(name: name)), .subscribe(set: 1, hosts: hosts)].flatMap(ChannelCodec.encode), now: 1)
                end.ended(reason: "")
            }
            return closed
        }
        #expect(reason("chassis/A", ["A"], ["A"]) == nil)
        #expect(reason("chassis/A", ["A"], ["A", "B"]) == "a host asks for another one, B")
        #expect(reason("chassis/A", ["B"], ["B"]) == "its certificate does not have the name of chassis/A")
        #expect(reason("chassis/A", [], []) == "its certificate does not have the name of chassis/A")
        #expect(reason("p", ["p"], ["A", "B"]) == nil)
    }

    @Test func oneThatDoesNotLeadIsHeardOnceItDoes() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let two = try ControllerLab(name: "two", folder: lab.folder, network: nil, deliveries: lab.deliveries)
        let p = PhysicalLab("p", lab.deliveries)
        let host = try TestHost("A")
        p.connect(host)
        p.attach(to: two)
        #expect(p.closedReason == nil && p.states["A"]?.state == "following" && p.queue.sync { !p.link.isConnected })
        p.attach(to: lab)
        #expect(p.states["A"]?.state == "steady")
        let before = p.states["A"]?.modifications
        lab.core.stop()
        two.core.seekLeadNow()
        two.settle()
        #expect(p.states["A"]?.state == "steady" && p.states["A"]?.modifications == before && p.queue.sync { p.link.isConnected })
        try two.put("tenants/blue/switches/web/ports/vm7", #"{"mac": "02:00:00:00:00:07", "host": "A"}"#)
        #expect(host.lines == two.expected("A"))
        // The store says that it leads the host with the generation that it had.
        #expect(p.states["A"]?.generation == 1)
    }

    @Test func packetsAreAnsweredFromTheOtherEndOfTheChannel() throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let p = PhysicalLab("p", lab.deliveries)
        p.attach(to: lab)
        // A packet whose time is up at the router's port of switch web.
        var frame: [UInt8] = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 1, 17, 0, 0, 10, 0, 1, 10, 10, 0, 2, 10]
        frame += [0, 7, 0, 7, 0, 8, 0, 0]
        let snapshot = lab.core.queue.sync { lab.core.logical!.snapshot(host: "A")! }
        let ask = try #require(
            snapshot.program.entries.first { e in
                e.actions.contains { if case .controller(let c) = $0 { c.userdata == [ControllerRequest.timeExceeded.rawValue] } else { false } }
            })
        let admission = try #require(
            snapshot.program.entries.first {
                Cookie(value: $0.cookie).kind == .routerAdmission && Cookie(value: $0.cookie).datapath == Cookie(value: ask.cookie).datapath
            })
        var metadata = FlowKey()
        metadata[RegisterMap.datapath.bits.field] = Cookie(value: ask.cookie).datapath
        metadata[RegisterMap.ingressPort.bits.field] = Cookie(value: admission.cookie).detail
        let packet = HostPacket(frame: frame, metadata: metadata, userdata: [ControllerRequest.timeExceeded.rawValue])
        let direct = try #require(lab.core.queue.sync { lab.core.logical!.answer(packet) })
        nonisolated(unsafe) var answer: ControllerAnswer?
        p.queue.sync { p.link.ask(packet) { answer = $0 } }
        lab.settle()
        let told = try #require(answer)
        #expect(told.frame == direct.frame && told.metadata == direct.metadata && told.stage == direct.stage)
        #expect(told.frame.count > 50)
    }
}
