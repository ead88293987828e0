import Datapath
import Flow
import Foundation
import Logging
import Ports
import Testing

@testable import SwitchAgent

/// A daemon with memory ports and a socket in a folder of its own.
final class DaemonBench {
    let folder: String
    let daemon: SwitchDaemon
    var socket: String { folder + "/s.sock" }
    private var file: String { folder + "/s.yaml" }

    init(_ yaml: String) throws {
        folder = NSTemporaryDirectory() + "weft-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try yaml.write(toFile: folder + "/s.yaml", atomically: true, encoding: .utf8)
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        daemon = try SwitchDaemon(SwitchDaemon.load(folder + "/s.yaml"), file: folder + "/s.yaml", socket: folder + "/s.sock", log: log)
        daemon.start()
    }

    deinit {
        daemon.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func client() throws -> ControlClient { try ControlClient(path: socket) }
    func write(_ yaml: String) throws { try yaml.write(toFile: file, atomically: true, encoding: .utf8) }
    func port(_ name: String) throws -> MemoryPort { try #require(daemon.virtualSwitch.port(named: name) as? MemoryPort) }

    /// Sends frames into a port and waits until the switch has received them.
    func send(_ frames: [[UInt8]], to name: String) throws {
        let before = daemon.virtualSwitch.report().received
        for frame in frames { try port(name).inject(MemoryPort.Frame(frame)) }
        Self.wait { daemon.virtualSwitch.report().received >= before + UInt64(frames.count) }
        #expect(daemon.virtualSwitch.report().received == before + UInt64(frames.count))
    }

    /// Waits, at most a minute, until the condition holds.
    static func wait(_ condition: () throws -> Bool) rethrows {
        let end = ContinuousClock.now + .seconds(60)
        while try !condition(), ContinuousClock.now < end { usleep(1000) }
    }

    static func frame(_ last: UInt8 = 0) -> [UInt8] { [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5] + [UInt8](repeating: last, count: 46) }
}

@Suite(.serialized) struct SwitchDaemonTests {
    static let two = "ports:\n- {name: a, number: 1, kind: memory}\n- {name: b, number: 2, kind: memory}\n"

    @Test func withoutFlowsItForwardsAsAnEthernetSwitchDoes() throws {
        let bench = try DaemonBench(Self.two)
        try bench.send([DaemonBench.frame()], to: "a")
        #expect(try bench.port("b").takeSent().map(\.bytes) == [DaemonBench.frame()])
    }

    @Test func aServiceReceivesFramesWithTheirContextAndSendsThemBack() throws {
        let bench = try DaemonBench(
            Self.two + """
                - {name: nat, number: 9, kind: service}
                flows: |
                  priority=9,in_port=1,actions=set_field:7->tun_id,output:9
                  priority=9,in_port=9,tun_id=8,actions=output:2
                """)
        #expect(throws: PortError.self) { try ServiceLink(path: bench.folder + "/other.service") }
        let link = try ServiceLink(path: bench.folder + "/nat.service")
        let queue = link.queues[0]
        DaemonBench.wait { bench.daemon.virtualSwitch.port(named: "nat")?.status.isForwarding == true }
        try bench.send([DaemonBench.frame(5)], to: "a")
        let room = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 64)
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: FlowKeyLayout.tunnelWords.count)
        defer {
            room.deallocate()
            words.deallocate()
        }
        var slot = ReceiveSlot(data: room + 64, capacity: 4000, tunnel: words)
        var n = 0
        for _ in 0..<20_000 where n == 0 {
            n = queue.receive(&slot, count: 1)
            usleep(1000)
        }
        let id = FlowKeyLayout.tunnelID - FlowKeyLayout.tunnelWords.lowerBound
        try #require(n == 1 && slot.isTunneled && slot.length == 60)
        #expect(words[id] == 7)
        // With another context it finds another entry.
        words[id] = 8
        var frame = TransmitFrame(data: slot.data, length: slot.length, tunnel: UnsafePointer(words))
        queue.transmit(&frame, count: 1)
        var sent: [MemoryPort.Frame] = []
        for _ in 0..<20_000 where sent.isEmpty {
            sent = try bench.port("b").takeSent()
            usleep(1000)
        }
        #expect(sent.map(\.bytes) == [DaemonBench.frame(5)])
        link.close()
        DaemonBench.wait { bench.daemon.virtualSwitch.port(named: "nat")?.status.isForwarding == false }
        try bench.send([DaemonBench.frame(6)], to: "a")
        #expect(try bench.client().request("switch.stats", SwitchReport.self).drops["portDown"] == 1)
    }

    @Test func aReloadKeepsEqualPortsAndEntriesWithTheirCounters() throws {
        let bench = try DaemonBench(Self.two + "flows: |\n  priority=1,actions=output:2\n  priority=9,udp,actions=drop\n")
        try bench.send([DaemonBench.frame(), DaemonBench.frame()], to: "a")
        let kept = try bench.port("a")
        let client = try bench.client()
        _ = try client.request("flow.add", ControlValue.FlowChange(flows: "priority=5,arp,actions=drop"), ControlValue.Count.self)
        try bench.write(
            "ports:\n- {name: a, number: 1, kind: memory}\n- {name: c, number: 3, kind: memory}\nflows: |\n  priority=1,actions=output:2\n  priority=8,actions=output:3\n"
        )
        let done = try client.request("switch.reload", ControlValue.Reloaded.self).changes
        #expect(done == ["port b removed", "port c added", "2 changes of entries, groups and meters"])
        #expect(try bench.port("a") === kept)
        let flows = try client.request("flow.dump", ControlValue.Flows.self).flows
        #expect(flows.map(\.priority) == [8, 5, 1])
        #expect(flows.map(\.packets) == [0, 0, 2])
        #expect(try client.request("port.list", ControlValue.Ports.self).ports.map(\.name) == ["a", "c"])
        #expect(try client.request("port.list", ControlValue.Ports.self).ports[0].rxPackets == 2)
    }

    @Test func aFaultyFileIsRefusedWhole() throws {
        let bench = try DaemonBench(Self.two)
        let client = try bench.client()
        for bad in ["ports: []\nworker: 1\n", "ports: []\nflows: |\n  priority=x,actions=drop\n", "ports: []\nflows: {file: none}\n", "ports: ["] {
            try bench.write(bad)
            #expect(throws: ControlError.self) { try client.request("switch.reload", ControlValue.Reloaded.self) }
            #expect(try client.request("port.list", ControlValue.Ports.self).ports.count == 2)
            #expect(try client.request("flow.dump", ControlValue.Flows.self).flows.count == 1)
        }
    }

    @Test func aReloadDoesNotTakeTheNumberOfAnAddedPort() throws {
        let bench = try DaemonBench(Self.two)
        let client = try bench.client()
        _ = try client.request("port.add", ["name": "x", "kind": "memory", "number": "3"], ControlValue.AddedPort.self)
        try bench.write(Self.two + "- {name: c, number: 3, kind: memory}\n")
        let error = #expect(throws: ControlError.self) { try client.request("switch.reload", ControlValue.Reloaded.self) }
        #expect(error?.message.contains("number 3 of port \"c\" is taken by \"x\"") == true)
    }

    @Test func portsAreAddedAndDeletedByCommand() throws {
        let bench = try DaemonBench(Self.two)
        let client = try bench.client()
        let added = try client.request("port.add", ["name": "c", "kind": "memory"], ControlValue.AddedPort.self)
        #expect(added.number == 3)
        for (parameters, code) in [
            (["name": "c", "kind": "memory"], ControlError.Code.refused), (["name": "d", "kind": "memory", "number": "1"], .refused),
            (["name": "d", "kind": "mmory"], .badParameters), (["name": "d"], .badParameters),
            (["name": "d", "kind": "memory", "colour": "red"], .badParameters), (["name": "d", "kind": "packet", "device": "nosuch0"], .failed),
        ] {
            let error = #expect(throws: ControlError.self) { try client.request("port.add", parameters, ControlValue.AddedPort.self) }
            #expect(error?.code == code, "\(parameters) \(error?.message ?? "")")
        }
        #expect(try client.request("port.del", ControlValue.PortName(port: "3"), ControlValue.PortName.self).port == "c")
        let error = #expect(throws: ControlError.self) {
            try client.request("port.del", ControlValue.PortName(port: "c"), ControlValue.PortName.self)
        }
        #expect(error?.code == .notFound)
    }

    @Test func patchPortsCarryFramesAndWaitForEachOther() throws {
        let bench = try DaemonBench(
            Self.two + "- {name: p, number: 4, kind: patch, peer: q}\nflows: [\"in_port=1,actions=output:4\", \"in_port=5,actions=output:2\"]\n")
        let client = try bench.client()
        #expect(try client.request("port.list", ControlValue.Ports.self).waiting.map(\.name) == ["p"])
        _ = try client.request("port.add", ["name": "q", "kind": "patch", "peer": "p", "number": "5"], ControlValue.AddedPort.self)
        try DaemonBench.wait { try client.request("port.list", ControlValue.Ports.self).waiting.isEmpty }
        try bench.port("a").inject(MemoryPort.Frame(DaemonBench.frame(9)))
        var sent: [MemoryPort.Frame] = []
        for _ in 0..<20_000 where sent.isEmpty {
            // Memory wakes no worker; being asked does.
            _ = bench.daemon.virtualSwitch.report()
            sent = try bench.port("b").takeSent()
            usleep(1000)
        }
        #expect(sent.map(\.bytes) == [DaemonBench.frame(9)])
        // The other end waits when one goes.
        _ = try client.request("port.del", ControlValue.PortName(port: "q"), ControlValue.PortName.self)
        #expect(try client.request("port.list", ControlValue.Ports.self).waiting.map(\.name) == ["p"])
    }

    @Test func entriesAreSelectedAsOvsOfctlDoes() throws {
        let bench = try DaemonBench(
            Self.two
                + "flows: |\n  table=0,priority=7,cookie=0x11,ip,actions=output:2\n  table=0,priority=3,cookie=0x21,tcp,actions=output:1\n  table=4,actions=drop\n"
        )
        let client = try bench.client()
        func dump(_ filter: String) throws -> [UInt16] {
            try client.request("flow.dump", ControlValue.FlowSelection(filter: filter), ControlValue.Flows.self).flows.map(\.priority)
        }
        #expect(try dump("") == [7, 3, 32768])
        #expect(try dump("table=0") == [7, 3])
        #expect(try dump("tcp") == [3])
        #expect(try dump("cookie=0x1/0xf") == [7, 3])
        #expect(try dump("cookie=0x21/-1") == [3])
        #expect(try dump("out_port=2") == [7])
        func delete(_ filter: String, strict: Bool = false) throws -> Int {
            try client.request("flow.del", ControlValue.FlowSelection(filter: filter, strict: strict), ControlValue.Count.self).count
        }
        #expect(try delete("table=0,priority=7,tcp", strict: true) == 0)
        #expect(try delete("table=0,priority=3,tcp", strict: true) == 1)
        #expect(throws: ControlError.self) { try delete("nosuch=1") }
        #expect(throws: ControlError.self) { try dump("table=0\ntable=1") }
        #expect(try delete("ip") == 1)
        #expect(try delete("") == 1)
    }

    @Test func refusedEntriesLeaveNothingBehind() throws {
        let bench = try DaemonBench(Self.two)
        let client = try bench.client()
        let error = #expect(throws: ControlError.self) {
            try client.request(
                "flow.add",
                ControlValue.FlowChange(
                    flows: "priority=5,actions=drop\nmodify_group group_id=3,type=all\ngroup group_id=1,type=all\ngroup group_id=1,type=all"),
                ControlValue.Count.self)
        }
        #expect(error != nil)
        #expect(try client.request("flow.dump", ControlValue.Flows.self).flows.count == 1)
    }

    @Test func aThousandPortsAreListedInAMoment() throws {
        var yaml = "workers: 2\nports:\n"
        for i in 1...1000 { yaml += "- {name: p\(i), number: \(i), kind: memory}\n" }
        let bench = try DaemonBench(yaml)
        let client = try bench.client()
        #expect(try client.request("port.list", ControlValue.Ports.self).ports.map(\.number) == Array(1...1000))
        let begun = ContinuousClock.now
        for _ in 0..<5 { _ = try client.request("switch.stats", SwitchReport.self) }
        // One look at each worker, not at each port of each: 5 lists take far less than the 10,000 looks did.
        #expect(ContinuousClock.now - begun < .seconds(60))
        try bench.send([DaemonBench.frame()], to: "p1")
        #expect(try client.request("switch.stats", SwitchReport.self).ports.filter { $0.txPackets == 1 }.count == 999)
    }

    // MARK: - Captures

    private func capture(_ client: ControlClient, until done: (CaptureEvent) -> Bool) throws -> (bytes: Data, last: CaptureEvent) {
        var bytes = Data()
        while let event = try client.nextEvent(CaptureEvent.self) {
            bytes += event.pcapng ?? Data()
            if done(event) { return (bytes, event) }
        }
        throw ControlError(.failed, "ended early")
    }

    @Test func aCaptureSaysWhereEachPacketWent() throws {
        let bench = try DaemonBench(
            Self.two
                + "flows: [\"priority=2,in_port=1,dl_dst=02:00:00:00:00:02,actions=output:2,controller\", \"priority=1,in_port=2,actions=drop\"]\n")
        let client = try bench.client()
        _ = try client.request("capture", ControlValue.Capture(port: "a", match: nil, count: 2, snap: 20), ControlValue.CaptureBegun.self)
        var other = DaemonBench.frame()
        other[5] = 7
        try bench.send([DaemonBench.frame(), other], to: "a")
        let (bytes, last) = try capture(client) { $0.isEnd }
        #expect(last.captured == 2 && last.missed == 0)
        let text = String(decoding: bytes, as: UTF8.self)
        let shown = String(String.UnicodeScalarView(text.unicodeScalars.filter { (0x20..<0x7f).contains($0.value) }))
        #expect(shown.contains("to port 2 (b), to controller"))
        #expect(shown.contains("dropped: noMatch"))
        // Without anyone who captures, forwarding goes on as before.
        try bench.send([DaemonBench.frame()], to: "a")
        #expect(try bench.port("b").takeSent().count == 2)
    }

    @Test func aCaptureOfAMatchHearsAllPorts() throws {
        let bench = try DaemonBench(Self.two)
        let client = try bench.client()
        _ = try client.request(
            "capture", ControlValue.Capture(port: nil, match: "dl_dst=02:00:00:00:00:02", count: 2, snap: nil), ControlValue.CaptureBegun.self)
        var other = DaemonBench.frame()
        other[5] = 7
        try bench.send([DaemonBench.frame(), other], to: "a")
        try bench.send([DaemonBench.frame()], to: "b")
        #expect(try capture(client) { $0.isEnd }.last.captured == 2)
    }

    @Test func whatFindsNoRoomInACaptureIsCounted() throws {
        let s = try VirtualSwitch()
        let mirror = FrameMirror(filter: .port(1))
        let port = MemoryPort(name: "a", number: 1, limit: 40_000)
        try s.addPort(port)
        s.addMirror(mirror)
        let frame = [UInt8](repeating: 1, count: 4000)
        s.start()
        let n = 3000
        for _ in 0..<n { port.inject(MemoryPort.Frame(frame)) }
        DaemonBench.wait { s.report().received >= n }
        let records = mirror.take()
        #expect(mirror.missed > 0)
        #expect(records.count + Int(mirror.missed) == n)
        #expect(records.allSatisfy { $0.ends == [.dropped(.noMatch)] && $0.bytes == frame })
        s.stop()
    }

    @Test func whatAPortRefusesIsToldInACapture() throws {
        let s = try VirtualSwitch()
        let (a, b) = (MemoryPort(name: "a", number: 1), MemoryPort(name: "b", number: 2, limit: 2))
        try s.addPort(a)
        try s.addPort(b)
        try s.apply([.flow(.add, FlowEntry(actions: [.output(port: 2)]))])
        let (arrivals, departures) = (FrameMirror(filter: .port(1)), FrameMirror(filter: .port(2)))
        s.addMirror(arrivals)
        s.addMirror(departures)
        for i in 0..<4 { a.inject(MemoryPort.Frame(DaemonBench.frame(UInt8(i)))) }
        s.start()
        DaemonBench.wait { s.report().received >= 4 }
        let ends: [[FrameMirror.End]] = [[.port(2)], [.port(2)], [.refused(port: 2, .transmitQueueFull)], [.refused(port: 2, .transmitQueueFull)]]
        #expect(arrivals.take().map(\.ends) == ends)
        let left = departures.take()
        #expect(left.map(\.ends) == ends && left.allSatisfy { $0.outPort == 2 && $0.inPort == 1 })
        s.stop()
    }

    @Test func badCapturesAreRefused() throws {
        let bench = try DaemonBench(Self.two)
        for (p, code) in [
            (ControlValue.Capture(port: nil, match: nil, count: nil, snap: nil), ControlError.Code.badParameters),
            (ControlValue.Capture(port: "a", match: "ip", count: nil, snap: nil), .badParameters),
            (ControlValue.Capture(port: "zz", match: nil, count: nil, snap: nil), .notFound),
            (ControlValue.Capture(port: nil, match: "nosuch=1", count: nil, snap: nil), .badParameters),
            (ControlValue.Capture(port: "a", match: nil, count: 0, snap: nil), .badParameters),
            (ControlValue.Capture(port: "a", match: nil, count: nil, snap: 5), .badParameters),
        ] {
            let error = #expect(throws: ControlError.self) { try bench.client().request("capture", p, ControlValue.CaptureBegun.self) }
            #expect(error?.code == code)
        }
    }
}
