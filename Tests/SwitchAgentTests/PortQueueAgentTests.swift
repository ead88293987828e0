import Datapath
import Flow
import Foundation
import OpenFlow
import Ports
import Glibc
import Testing

@testable import SwitchAgent

/// Queues of ports as users, scripts and controllers see them.
@Suite(.serialized) struct PortQueueAgentTests {
    static let yaml = """
        ports:
        - {name: a, number: 1, kind: memory}
        - name: b
          number: 2
          kind: memory
          max-rate: 100 Mbit/s
          queues:
            1: {max-rate: 1 kbit/s, burst: 1500}
            7: {min-rate: 20 Mbit/s, max-rate: 2.5 Gbit/s, burst: 64 KiB, priority: 3, buffer: 1 MiB}
        tunnels:
        - {name: g, number: 10, kind: geneve, remote: 192.0.2.2, queues: {0: {max-rate: 1 Gbit/s}}}
        flows: |
          priority=1,in_port=1,actions=set_queue:1,output:2
        """

    @Test func aConfigurationHasThem() throws {
        let c = try SwitchConfiguration(yaml: Self.yaml, file: "s.yaml")
        #expect(c.ports[0].queueing == nil)
        #expect(
            c.ports[1].queueing
                == PortQueueing(
                    maximumRate: 100_000_000,
                    queues: [
                        .init(id: 1, maximumRate: 1_000, burst: 1500),
                        .init(
                            id: 7, minimumRate: 20_000_000, maximumRate: 2_500_000_000, burst: 65536, priority: 3, buffer: 1 << 20),
                    ]))
        #expect(c.tunnels[0].queueing == PortQueueing(queues: [.init(id: 0, maximumRate: 1_000_000_000)]))
    }

    @Test(arguments: [
        ("max-rate: 5", "s.yaml:1:54: max-rate must be a rate from 1 kbit/s to 1000 Gbit/s, like 500 kbit/s or 2.5 Gbit/s, not '5'"),
        ("max-rate: 0.5 kbit/s", "max-rate must be a rate from 1 kbit/s"), ("max-rate: -1 kbit/s", "max-rate must be a rate"),
        ("queues: [1]", "queues must be a mapping of numbers to queues"), ("queues: {x: {}}", "a queue is a number from 0 to 4294967294"),
        ("queues: {4294967295: {}}", "a queue is a number from 0"), ("queues: {1: 5}", "queue 1 must be a mapping"),
        ("queues: {1: {rate: 1 Mbit/s}}", "queue 1 of port 1 has no key 'rate'"),
        ("queues: {1: {burst: 12}}", "burst must be bytes from 1500 to 67108864, like 100000, 64 KiB or 1 MiB, not '12'"),
        ("queues: {1: {priority: 256}}", "priority must be a number from 0 to 255"),
        ("queues: {1: {min-rate: 2 Mbit/s, max-rate: 1 Mbit/s}}", "port 1: queue 1 has a min-rate above its max-rate"),
        ("max-rate: 1 Mbit/s, queues: {1: {min-rate: 600 kbit/s}, 2: {min-rate: 600 kbit/s}}", "come to more than the port's max-rate"),
    ]) func aFaultIsToldWithItsLine(keys: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try SwitchConfiguration(yaml: "ports: [{name: a, kind: memory, number: 1, \(keys)}]", file: "s.yaml")
        }
        #expect(error!.lines.contains { $0.contains(message) && $0.hasPrefix("s.yaml:1:") }, "\(error!.lines)")
    }

    private func queues(_ client: ControlClient, _ port: String = "b") throws -> [QueueReport]? {
        try client.request("port.list", ControlValue.Ports.self).ports.first { $0.name == port }!.queues
    }

    /// AT-31 of 001a: a packet that the physical mapping puts into queue 1 shows in that queue's counters.
    @Test func whatEntriesPutIntoAQueueShowsInItsCounters() throws {
        let bench = try DaemonBench(Self.yaml)
        let client = try bench.client()
        #expect(try queues(client, "a") == nil)
        try bench.send((0..<40).map { DaemonBench.frame($0) }, to: "a")
        let found = try queues(client)!
        #expect(found.map(\.queue) == [0, 1, 7])
        #expect(found[1].packets + UInt64(found[1].waitingPackets) == 40 && found[1].packets >= 25 && found[1].packets < 40)
        #expect(found[0].packets == 0 && found[2].packets == 0 && found[1].maximumRate == 1_000 && found[2].priority == 3)
        // 900 bytes at 125 a second would take their time; a rate that is changed lets them go.
        _ = try client.request("port.queues", Change(port: "b", queues: ["1": Change.Queue(rate: "5 Mbit/s")]), ControlValue.PortName.self)
        #expect(try queues(client)!.map(\.queue) == [0, 1] && queues(client)![1].packets == 40)
        #expect(try bench.port("b").takeSent().map { $0.bytes[14] } == (0..<40).map { UInt8($0) })
    }

    @Test func aReloadChangesQueuesOfPortsThatStayOpen() throws {
        let bench = try DaemonBench(Self.yaml)
        let client = try bench.client()
        try bench.send([DaemonBench.frame(1)], to: "a")
        let kept = try bench.port("b")
        try bench.write(Self.yaml.replacing("1 kbit/s", with: "9 kbit/s").replacing("    7: ", with: "    8: "))
        #expect(try client.request("switch.reload", ControlValue.Reloaded.self).changes == ["queues of port b changed"])
        #expect(try bench.port("b") === kept)
        let found = try queues(client)!
        #expect(found.map(\.queue) == [0, 1, 8] && found[1].packets == 1 && found[1].maximumRate == 9_000)
    }

    struct Change: Encodable {
        struct Queue: Encodable {
            var rate: String?
            enum CodingKeys: String, CodingKey { case rate = "max-rate" }
        }
        var port: String
        var queues: [String: Queue]?
    }

    @Test func aCommandChangesThem() throws {
        let bench = try DaemonBench(Self.yaml)
        let client = try bench.client()
        let change = Change(port: "1", queues: ["3": Change.Queue(rate: "5 Mbit/s")])
        #expect(try client.request("port.queues", change, ControlValue.PortName.self).port == "a")
        #expect(try queues(client, "a")!.map(\.queue) == [0, 3])
        _ = try client.request("port.queues", Change(port: "a"), ControlValue.PortName.self)
        #expect(try queues(client, "a") == nil)
        for (bad, code) in [(Change(port: "z"), ControlError.Code.notFound), (Change(port: "a", queues: ["x": .init()]), .badParameters)] {
            let error = #expect(throws: ControlError.self) { try client.request("port.queues", bad, ControlValue.PortName.self) }
            #expect(error?.code == code)
        }
    }

    struct Reply: Decodable {
        struct Result: Decodable {
            var opened: Int
            var closed: Int
            var requeued: Int
            var refused: [String: String]
        }
        var result: Result
    }

    @Test func theConfigurationChannelChangesThemWithoutOpeningThePortAnew() async throws {
        let bench = try DaemonBench("ports: []\n")
        func request(_ params: String) async -> [UInt8] {
            await withCheckedContinuation { continuation in
                bench.daemon.answer(Array(#"{"method":"host.ports","params":\#(params)}"#.utf8), mayChange: true) {
                    continuation.resume(returning: $0)
                }
            }
        }
        func ask(_ params: String) async throws -> Reply.Result {
            let reply = await request(params)
            return try JSONDecoder().decode(Reply.self, from: Data(reply)).result
        }
        let plain = #"{"name":"t/s/p","number":5,"kind":"memory"}"#
        let queued = #"{"name":"t/s/p","number":5,"kind":"memory","max-rate":"8000 kbit/s","queues":{"1":{"priority":3,"max-rate":"5000 kbit/s"}}}"#
        #expect(try await ask(#"{"ports":[\#(plain)]}"#).opened == 1)
        let kept = bench.daemon.virtualSwitch.port(named: "t/s/p")
        let changed = try await ask(#"{"ports":[\#(queued)]}"#)
        #expect(changed.requeued == 1 && changed.opened == 0 && changed.closed == 0 && changed.refused.isEmpty)
        #expect(bench.daemon.virtualSwitch.queueReports(5).map(\.queue) == [0, 1] && bench.daemon.virtualSwitch.maximumRate(5) == 8_000_000)
        #expect(bench.daemon.virtualSwitch.port(named: "t/s/p") === kept && kept != nil)
        #expect(try await ask(#"{"all":true,"ports":[\#(queued)]}"#).requeued == 0)
        #expect(try await ask(#"{"all":true,"ports":[\#(plain)]}"#).requeued == 1 && bench.daemon.virtualSwitch.queueReports(5).isEmpty)
    }

    // MARK: - Controllers

    private static func agent() throws -> OpenFlowAgent {
        let agent = try OpenFlowSessionTests.agent()
        for n: UInt32 in [1, 2] { try agent.vswitch.addPort(MemoryPort(name: "p\(n)", number: n)) }
        try agent.vswitch.setQueues(
            2,
            PortQueueing(
                maximumRate: 10_000_000, queues: [.init(id: 1, minimumRate: 1_000_000, maximumRate: 5_000_000), .init(id: 9, priority: 2)]))
        return agent
    }

    @Test(arguments: OpenFlowVersion.allCases) func controllersGetTheirStatistics(version: OpenFlowVersion) throws {
        let agent = try Self.agent()
        let c = try OpenFlowSessionTests.Controller(agent, version)
        func ask(_ port: UInt32, _ queue: UInt32) throws -> (found: [[UInt32]], error: ErrorCode?) {
            for m in try c.send(.multipartRequest(MultipartRequest(.queue(port: port, queue: queue)))) {
                if case .error(let e) = m { return ([], e.code) }
                if case .multipartReply(let r) = m, case .queue(let list) = r.body {
                    #expect(list.allSatisfy { $0.seconds < 60 && $0.nanoseconds > 0 })
                    return (list.map { [$0.port, $0.queue] }, nil)
                }
            }
            return ([], nil)
        }
        let (any, all) = (ReservedPort.any, OpenFlowNumber.allQueues)
        #expect(try ask(any, all).found == [[2, 0], [2, 1], [2, 9]] && ask(2, all).found.count == 3)
        #expect(try ask(2, 9).found == [[2, 9]] && ask(any, 1).found == [[2, 1]])
        #expect(try ask(1, all).found == [] && ask(1, all).error == nil)
        #expect(try ask(2, 5).error == .queueUnknown && ask(1, 0).error == .queueUnknown && ask(any, 5).error == .queueUnknown)
        #expect(try ask(7, all).error == .queuePort && ask(7, 1).error == .queuePort)
    }

    @Test(arguments: OpenFlowVersion.allCases) func controllersGetTheirRates(version: OpenFlowVersion) throws {
        let c = try OpenFlowSessionTests.Controller(try Self.agent(), version)
        let all = OpenFlowNumber.allQueues
        func ask(_ port: UInt32) throws -> (found: [QueueDescription], error: ErrorCode?) {
            let request: Message =
                version == .v13 ? .queueConfigRequest(port: port) : .multipartRequest(MultipartRequest(.queueDesc(port: port, queue: all)))
            for m in try c.send(request) {
                switch m {
                case .error(let e): return ([], e.code)
                case .queueConfigReply(let r): return (r.queues, nil)
                case .multipartReply(let r): if case .queueDesc(let list) = r.body { return (list, nil) }
                default: break
                }
            }
            return ([], nil)
        }
        // Tenths of a per cent of the port's 10 Mbit/s.
        #expect(
            try ask(2).found == [
                QueueDescription(port: 2, queue: 0), QueueDescription(port: 2, queue: 1, minimumRate: 100, maximumRate: 500),
                QueueDescription(port: 2, queue: 9),
            ])
        #expect(try ask(ReservedPort.any).found.count == 3 && ask(1).found.isEmpty && ask(1).error == nil)
        #expect(try ask(7).error == .queuePort)
    }

    @Test(arguments: OpenFlowVersion.allCases) func allQueuesAreNoQueueToSet(version: OpenFlowVersion) throws {
        let c = try OpenFlowSessionTests.Controller(try Self.agent(), version)
        #expect(try c.error(OpenFlowSessionTests.add("actions=set_queue:4294967295,output:2")) == .badActionQueue)
        // Which ports a packet goes to, and what queues they have then, shows when it is sent.
        #expect(try c.error(OpenFlowSessionTests.add("actions=set_queue:77,output:2")) == nil)
    }
}
