import Flow
import OpenFlow
import SwitchAgent
import Testing

/// Sessions without sockets: bytes in, messages out.
@Suite struct OpenFlowSessionTests {
    final class Wire: OpenFlowTransport, @unchecked Sendable {
        var bytes: [UInt8] = []
        var closed: String?
        var pretendedBacklog = 0
        func send(_ more: [UInt8]) { bytes += more }
        var backlog: Int { pretendedBacklog }
        func close(reason: String) { closed = reason }
    }

    /// A controller at one end of a session.
    final class Controller {
        let wire = Wire()
        let agent: OpenFlowAgent
        let session: OpenFlowSession
        let version: OpenFlowVersion
        private(set) var xid: UInt32 = 100
        private var framer = MessageFramer()
        private var decoder: MessageDecoder

        init(_ agent: OpenFlowAgent, _ version: OpenFlowVersion = .v13, peer: OpenFlowSession.Peer = .controller) throws {
            self.agent = agent
            self.version = version
            decoder = MessageDecoder(version)
            session = agent.begin(wire, name: "test", peer: peer)
            agent.receive(
                try MessageEncoder(version).encode(
                    .hello(Hello(highest: version.rawValue, bitmap: OpenFlowVersion.bitmap([version]))), xid: 1), for: session)
            _ = take()
        }

        /// Sends a message, in pieces of one byte if asked, and takes what comes back.
        @discardableResult func send(_ body: Message, inBytes: Bool = false) throws -> [Message] {
            xid += 1
            let bytes = try MessageEncoder(version).encode(body, xid: xid)
            if inBytes { for b in bytes { agent.receive([b], for: session) } } else { agent.receive(bytes, for: session) }
            return take()
        }

        func take() -> [Message] {
            framer.append(wire.bytes)
            wire.bytes = []
            var all: [Message] = []
            while case .message(let m) = framer.next() {
                // The switch's hello names its own highest version.
                if let decoded = try? decoder.decode(m) { all.append(decoded.body) }
            }
            return all
        }

        func error(_ body: Message) throws -> ErrorCode? {
            for case .error(let e) in try send(body) { return e.code }
            return nil
        }

        func flows() throws -> [FlowEntry] {
            for case .multipartReply(let r) in try send(.multipartRequest(MultipartRequest(.flow(FlowSelection())))) {
                if case .flow(let list) = r.body { return list.map(\.entry) }
            }
            return []
        }
    }

    static func agent() throws -> OpenFlowAgent {
        var options = OpenFlowAgent.Options()
        options.datapathID = 7
        return OpenFlowAgent(try VirtualSwitch(), options: options)
    }

    static func add(_ text: String) throws -> Message {
        let parsed = FlowText.parse(text)
        try #require(parsed.isValid && parsed.modifications.count == 1)
        return .flowMod(try #require(FlowMod(parsed.modifications[0])))
    }

    @Test(arguments: OpenFlowVersion.allCases) func entriesComeBackAsTheyWereSent(version: OpenFlowVersion) throws {
        let c = try Controller(Self.agent(), version)
        let lines = [
            "table=3,priority=7,cookie=0x5,idle_timeout=9,tcp,nw_src=10.0.0.0/8,tcp_dst=80,actions=set_field:1.2.3.4->nw_dst,output:2",
            "priority=1,in_port=4,actions=resubmit(,3)",
        ]
        for line in lines { #expect(try c.send(Self.add(line), inBytes: true).isEmpty) }
        #expect(try c.send(.barrierRequest) == [.barrierReply])
        #expect(try c.flows().map { FlowText.text($0) } == lines.reversed().map { FlowText.text(try #require(entry($0))) })
    }

    private func entry(_ line: String) -> FlowEntry? {
        if case .flow(_, let e, _, _, _)? = FlowText.parse(line).modifications.first { e } else { nil }
    }

    @Test func refusalsNameTheirReason() throws {
        let c = try Controller(Self.agent())
        #expect(try c.error(Self.add("actions=group:9")) == .badActionOutGroup)
        #expect(try c.error(.groupMod(GroupMod(.modify, Group(id: 1, kind: .all)))) == .unknownGroup)
        #expect(try c.error(.groupMod(GroupMod(.add, Group(id: 1, kind: .all)))) == nil)
        #expect(try c.error(.groupMod(GroupMod(.add, Group(id: 1, kind: .all)))) == .groupExists)
        #expect(try c.error(.meterMod(MeterMod(.modify, Meter(id: 1, unit: .pktps)))) == .unknownMeter)
        #expect(try c.error(Self.add("priority=5,tcp,actions=drop")) == nil)
        #expect(try c.error(Self.add("priority=5,check_overlap,ip,actions=drop")) == .flowModOverlap)
    }

    @Test func aSlaveMayLookButNotTouch() throws {
        let agent = try Self.agent()
        let (a, b) = (try Controller(agent), try Controller(agent, .v14))
        #expect(try a.send(.roleRequest(RoleMessage(.master, generation: 5))) == [.roleReply(RoleMessage(.master, generation: 5))])
        _ = try b.send(.roleRequest(RoleMessage(.master, generation: 6)))
        #expect(try a.error(Self.add("actions=drop")) == .badRequestIsSlave)
        #expect(try a.error(.roleRequest(RoleMessage(.master, generation: 5))) == .roleStale)
        #expect(try b.error(Self.add("actions=drop")) == nil)
        #expect(try a.flows().count == 1)
    }

    @Test(arguments: OpenFlowVersion.allCases) func aBundleIsAppliedWholeOrNotAtAll(version: OpenFlowVersion) throws {
        let c = try Controller(Self.agent(), version)
        func bundle(_ id: UInt32, _ messages: [Message]) throws -> [Message] {
            _ = try c.send(.bundleControl(BundleControl(bundle: id, .openRequest, flags: [.atomic, .ordered])))
            for m in messages {
                let inner = try MessageEncoder(version).encode(m, xid: c.xid + 1)
                _ = try c.send(.bundleAdd(BundleAdd(bundle: id, flags: [.atomic, .ordered], message: inner)))
            }
            return try c.send(.bundleControl(BundleControl(bundle: id, .commitRequest, flags: [.atomic, .ordered])))
        }
        let failed = try bundle(1, [Self.add("priority=1,actions=drop"), Self.add("priority=2,actions=group:3")])
        #expect(failed.contains { if case .error(let e) = $0 { e.code == .bundleMessageFailed } else { false } })
        #expect(try c.flows().isEmpty)
        let done = try bundle(
            2, [.groupMod(GroupMod(.add, Group(id: 3, kind: .all))), Self.add("priority=1,actions=drop"), Self.add("priority=2,actions=group:3")])
        #expect(done == [.bundleControl(BundleControl(bundle: 2, .commitReply, flags: [.atomic, .ordered]))])
        #expect(try c.flows().count == 2)
    }

    @Test func removalsAreToldToThoseThatAsked() throws {
        let agent = try Self.agent()
        let (a, b) = (try Controller(agent), try Controller(agent))
        _ = try b.send(.setAsync(AsyncConfig(slave: [.flowRemoved: 0], master: [.flowRemoved: 0, .packetIn: 0, .portStatus: 0])))
        _ = try a.send(Self.add("send_flow_rem,priority=3,cookie=9,actions=drop"))
        var delete = FlowMod(.delete, FlowEntry())
        delete.entry.table = OpenFlowNumber.allTables
        let told = try a.send(.flowMod(delete))
        guard case .flowRemoved(let r)? = told.first else {
            Issue.record("not told: \(told)")
            return
        }
        #expect(r.cookie == 9 && r.reason == .delete && r.priority == 3)
        #expect(b.take().isEmpty)
    }

    @Test func anotherControllersChangesReachAMonitor() throws {
        let agent = try Self.agent()
        let (a, b) = (try Controller(agent, .v14), try Controller(agent, .v14))
        _ = try a.send(Self.add("priority=1,actions=output:4"))
        let first = try b.send(
            .multipartRequest(MultipartRequest(.flowMonitor([FlowMonitorRequest(id: 1, flags: [.initial, .add, .removed, .modify, .instructions])]))))
        guard case .multipartReply(let r)? = first.first, case .flowMonitor(let updates) = r.body else {
            Issue.record("no reply: \(first)")
            return
        }
        #expect(updates.count == 1)
        _ = try a.send(Self.add("priority=2,in_port=3,actions=output:4"))
        let told = b.take()
        guard case .multipartReply(let u)? = told.first, case .flowMonitor(let list) = u.body, case .full(.added, _, let e)? = list.first else {
            Issue.record("not told: \(told)")
            return
        }
        #expect(e.priority == 2 && e.actions == [.output(port: 4)])
    }

    @Test func nonsenseHarmsNoOtherSession() throws {
        let agent = try Self.agent()
        let (a, b) = (try Controller(agent), try Controller(agent))
        agent.receive([4, 0, 0, 3, 0, 0, 0, 0], for: a.session)
        #expect(a.wire.closed != nil)
        #expect(try b.send(.echoRequest([1, 2])) == [.echoReply([1, 2])])
        let c = Wire()
        let s = agent.begin(c, name: "old")
        agent.receive([1, 0, 0, 8, 0, 0, 0, 1], for: s)
        #expect(c.closed != nil)
    }
}
