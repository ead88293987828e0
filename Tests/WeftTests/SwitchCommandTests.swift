import Foundation
import Glibc
import Testing

/// The daemon and its commands as processes. Those with devices run as root in namespaces of their own and say so when they cannot.
@Suite(.serialized) struct SwitchCommandTests {
    static let obstacle: String? =
        getuid() != 0 ? "not root" : access("/dev/net/tun", R_OK | W_OK) != 0 ? "no /dev/net/tun" : WeftProgram.find("ip") == nil ? "no ip(8)" : nil

    private func isAvailable(_ test: String = #function) -> Bool {
        if let obstacle = Self.obstacle { print("skipped: \(test): \(obstacle)") }
        return Self.obstacle == nil
    }

    @Test func aMistakeInAConfigurationIsToldWithItsPlace() throws {
        let folder = TemporaryFolder()
        let file = folder.file("s.yaml", "workers: 2\nport:\n- {name: a, kind: memory}\n")
        let outcome = try WeftProgram.run(["switch", "--config", file, "--check"], in: folder)
        #expect(outcome.code == 1)
        #expect(outcome.errors == "\(file):2:1: the configuration has no key 'port' (did you mean ports?)\n")
        folder.file("s.yaml", "workers: 2\n")
        #expect(try WeftProgram.run(["switch", "--config", file, "--check"], in: folder).text == "\(file): good\n")
    }

    @Test func commandsWithoutASwitchSayHowToStartOne() throws {
        let folder = TemporaryFolder()
        let socket = folder.name("none.sock")
        for command in [["port", "list"], ["flow", "dump"], ["stats"], ["capture", "a", "-w", folder.name("x")], ["trace", "in_port=1"]] {
            let outcome = try WeftProgram.run(command + ["--socket", socket], in: folder)
            #expect(outcome.code == 1 && outcome.errors == "Error: no switch is listening on \(socket): start one with weft switch\n", "\(command)")
        }
    }

    @Test func theCommandsWorkOnASwitchWithMemoryPorts() throws {
        let bench = try SwitchProcess("ports:\n- {name: a, number: 1, kind: memory}\n- {name: b, number: 2, kind: memory}\n")
        defer { bench.stop() }
        let list = try bench.weft("port", "list")
        #expect(
            list.text.hasPrefix("  port  name  kind    state   mtu  address  as\n     1  a     memory  up     1500           memory\n"),
            "\(list.text)")
        #expect(try bench.weft("port", "add", "c", "--kind", "memory", "--number", "7").text == "port 7 (c) added\n")
        #expect(try bench.weft("port", "stats", "c").text.contains("7  c"))
        #expect(try bench.weft("port", "del", "7").text == "port c deleted\n")
        #expect(try bench.weft("port", "del", "7").errors == "Error: there is no port \"7\"\n")
        #expect(try bench.weft("flow", "add", "priority=7,in_port=1,actions=output:2", "priority=6,arp,actions=drop").text == "2 changes made\n")
        #expect(
            try bench.weft("flow", "dump", "--no-stats").text
                == " priority=7,in_port=1 actions=output:2\n priority=6,arp actions=drop\n priority=0 actions=NORMAL\n")
        #expect(try bench.weft("flow", "del", "--strict", "priority=6,arp").text == "1 entry deleted\n")
        #expect(try bench.weft("flow", "del", "--strict", "priority=6,arp").text == "0 entries deleted\n")
        let bad = try bench.weft("flow", "add", "priority=x,actions=drop")
        #expect(bad.code == 1 && bad.errors.hasPrefix("entries:1:10: error: "))
        let trace = try bench.weft("trace", "in_port=1,udp")
        #expect(trace.text.contains("table 0: priority 7") && trace.text.contains("Verdict: "))
        let json = try bench.weft("trace", "--json", "in_port=1,udp").object()
        #expect(json["verdict"] as? String == "forwarded")
        #expect(try bench.weft("trace", "in_port=9").errors.contains("in_port 9 is no port of the switch"))
        #expect(try bench.weft("stats").text.contains("no drops"))
        let stats = try bench.weft("stats", "--json").object()
        #expect(stats["entryCount"] as? Int == 2)
        let watched = try bench.weft("stats", "--watch", "--interval", "0.1", "--count", "2").text
        #expect(watched.components(separatedBy: "rx pps").count == 3)
    }

    @Test func aSecondSwitchOnTheSameSocketIsRefused() throws {
        let bench = try SwitchProcess("")
        defer { bench.stop() }
        let second = try bench.weft("switch")
        #expect(second.code == 1 && second.errors.contains("a switch is listening on \(bench.socket) already"))
        #expect(try bench.weft("port", "list").text == "no ports; add one with weft port add\n")
    }

    @Test func itStopsCleanlyAndTellsTheServiceManager() throws {
        let folder = TemporaryFolder()
        let notify = folder.name("notify")
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(receiver) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: notify.utf8) }
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        func message() -> String {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let n = recv(receiver, &buffer, buffer.count, 0)
            return String(decoding: buffer.prefix(max(n, 0)), as: UTF8.self)
        }
        let bench = try SwitchProcess("", environment: ["NOTIFY_SOCKET": notify])
        #expect(message().hasPrefix("READY=1\n"))
        kill(bench.process.processIdentifier, SIGTERM)
        #expect(message() == "STOPPING=1\n")
        bench.process.waitUntilExit()
        #expect(bench.process.terminationStatus == 0 && bench.process.terminationReason == .exit)
        #expect(access(bench.socket, F_OK) != 0)
        #expect(bench.log.contains("stopped"))
    }

    @Test func afterAKillItStartsAgainOnTheSameSocketWithItsEntries() throws {
        let bench = try SwitchProcess("ports: [{name: a, kind: memory}]\nflows: [\"priority=3,actions=drop\"]\n")
        kill(bench.process.processIdentifier, SIGKILL)
        bench.process.waitUntilExit()
        #expect(access(bench.socket, F_OK) == 0)
        try bench.start()
        defer { bench.stop() }
        #expect(try bench.weft("flow", "dump", "--no-stats").text == " priority=3 actions=drop\n")
    }

    @Test func aHangUpReadsTheConfigurationAnew() throws {
        let bench = try SwitchProcess("ports: [{name: a, kind: memory}]\n")
        defer { bench.stop() }
        bench.folder.file("s.yaml", "ports: [{name: a, kind: memory}, {name: b, kind: memory}]\nflows: [\"actions=drop\"]\n")
        kill(bench.process.processIdentifier, SIGHUP)
        #expect(bench.waits { $0.contains("configuration read anew") })
        #expect(try bench.weft("port", "list").text.contains("2  b"))
        #expect(try bench.weft("flow", "dump", "--no-stats").text == " actions=drop\n")
        bench.folder.file("s.yaml", "ports: []\nflow: []\n")
        kill(bench.process.processIdentifier, SIGHUP)
        #expect(bench.waits { $0.contains("2:1: the configuration has no key 'flow' (did you mean flows?)") })
        #expect(try bench.weft("port", "list").text.contains("2  b"))
    }

    // MARK: - With devices

    @Test func aPingCrossesTheSwitchAndACaptureTellsIt() throws {
        guard isAvailable() else { return }
        let lab = try WorkloadLab()
        let bench = try SwitchProcess(
            "ports:\n- {name: vm1, number: 1, kind: packet, device: wa}\n- {name: vm2, number: 2, kind: packet, device: wb}\n", namespace: lab.middle)
        defer { bench.stop() }
        let status = try String(contentsOfFile: "/proc/\(bench.pid)/status", encoding: .utf8)
        #expect(status.contains("CapEff:\t0000000000003000") && status.contains("CapBnd:\t0000000000003000") && status.contains("NoNewPrivs:\t1"))
        let file = bench.folder.name("a.pcapng")
        let capture = try bench.begin("capture", "--flow", "icmp", "-w", file, "--count", "4")
        #expect(bench.waits(for: capture.errors) { $0.contains("capturing icmp") })
        #expect(try lab.ping() == 0)
        capture.process.waitUntilExit()
        #expect(capture.process.terminationStatus == 0)
        if WeftProgram.find("tshark") != nil {
            let read = try WeftProgram.runTool(
                "tshark",
                [
                    "-r", file, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "icmp.type", "-e",
                    "frame.comment",
                ],
                in: bench.folder)
            #expect(
                read.text
                    == "vm1\t0x00000001\t8\tto port 2 (vm2)\nvm2\t0x00000001\t0\tto port 1 (vm1)\nvm1\t0x00000001\t8\tto port 2 (vm2)\nvm2\t0x00000001\t0\tto port 1 (vm1)\n",
                "\(read.text) \(read.errors)")
        } else {
            print("skipped: reading with tshark: no tshark")
        }
        _ = try bench.weft("flow", "add", "priority=9,icmp,actions=drop")
        #expect(try lab.ping() != 0)
        #expect(try bench.weft("stats").text.contains("actionDrop"))
    }

    @Test func aDeviceThatIsNotThereYetIsWaitedFor() throws {
        guard isAvailable() else { return }
        let lab = try WorkloadLab()
        let bench = try SwitchProcess("ports:\n- {name: late, number: 5, kind: packet}\n", namespace: lab.middle)
        defer { bench.stop() }
        #expect(try bench.weft("port", "list").text.contains("waiting"))
        try lab.ip("-n", lab.middle, "link", "add", "late", "type", "veth", "peer", "name", "other")
        try lab.ip("-n", lab.middle, "link", "set", "other", "up")
        try lab.ip("-n", lab.middle, "link", "set", "late", "up")
        #expect(bench.waits { $0.contains("port added") })
        #expect(try bench.weft("port", "list").text.contains("packet  up"))
        try lab.ip("-n", lab.middle, "link", "set", "late", "down")
        #expect(bench.waits { $0.contains("state=down") })
        try lab.ip("-n", lab.middle, "link", "del", "late")
        #expect(bench.waits { $0.contains("state=\"no device\"") })
    }

    @Test func persistentTapsOutliveAKill() throws {
        guard isAvailable() else { return }
        let lab = try WorkloadLab()
        let yaml = "ports:\n- {name: t0, kind: tap, persist: true}\n"
        let bench = try SwitchProcess(yaml, namespace: lab.middle)
        kill(pid_t(bench.pid), SIGKILL)
        bench.process.waitUntilExit()
        #expect(try lab.ip("-n", lab.middle, "link", "show", "t0") == 0)
        try bench.start()
        defer { bench.stop() }
        #expect(try bench.weft("port", "list").text.contains("adopted"))
    }
}

/// A `weft switch` with a configuration and a socket of its own.
final class SwitchProcess {
    let folder = TemporaryFolder()
    private(set) var process = Process()
    private let namespace: String?
    private let environment: [String: String]
    var socket: String { folder.name("s.sock") }
    var log: String { String(decoding: folder.bytes("log"), as: UTF8.self) }

    init(_ yaml: String, namespace: String? = nil, environment: [String: String] = [:]) throws {
        self.namespace = namespace
        self.environment = environment
        folder.file("s.yaml", yaml)
        try start()
    }

    deinit { stop() }

    /// The switch's own process: `ip netns exec` becomes it.
    var pid: Int32 { process.processIdentifier }

    func start() throws {
        process = Process()
        let command = [WeftProgram.path, "switch", "--config", folder.name("s.yaml"), "--socket", socket]
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = (namespace.map { ["ip", "netns", "exec", $0] } ?? []) + command
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardError = FileHandle(forWritingAtPath: folder.file("log", [UInt8]()))
        try process.run()
        #expect(waits { $0.contains(" forwarding ") }, "\(log)")
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    /// Waits up to a minute for something in the log.
    func waits(_ condition: (String) -> Bool) -> Bool { waits(for: folder.name("log"), condition) }

    func waits(for file: String, _ condition: (String) -> Bool) -> Bool {
        for _ in 0..<6000 {
            if condition((try? String(contentsOfFile: file, encoding: .utf8)) ?? "") { return true }
            usleep(10_000)
        }
        return false
    }

    /// Runs a command on this switch.
    func weft(_ arguments: String...) throws -> WeftProgram.Outcome { try WeftProgram.run(arguments + ["--socket", socket], in: folder) }

    /// Starts a command on this switch; its standard error is in a file.
    func begin(_ arguments: String...) throws -> (process: Process, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: WeftProgram.path)
        process.arguments = arguments + ["--socket", socket]
        let errors = folder.file("begun.errors", [UInt8]())
        process.standardError = FileHandle(forWritingAtPath: errors)
        try process.run()
        return (process, errors)
    }
}

/// Two workloads with 10.9.0.1 and 10.9.0.2 in namespaces, their veths `wa` and `wb` in a third one; all removed at the end.
final class WorkloadLab {
    private let tag = String(UInt32.random(in: 0...0xffffff), radix: 16)
    private let folder = TemporaryFolder()
    var left: String { "wt\(tag)l" }
    var middle: String { "wt\(tag)m" }
    var right: String { "wt\(tag)r" }

    init() throws {
        for name in [left, middle, right] { try ip("netns", "add", name) }
        for (name, device, number) in [(left, "wa", 1), (right, "wb", 2)] {
            try ip("-n", middle, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name)
            try ip("-n", middle, "link", "set", device, "up")
            try ip("-n", name, "link", "set", "eth0", "up")
            try ip("-n", name, "addr", "add", "10.9.0.\(number)/24", "dev", "eth0")
        }
    }

    deinit { for name in [left, middle, right] { _ = try? ip("netns", "del", name) } }

    @discardableResult func ip(_ arguments: String...) throws -> Int32 { try WeftProgram.runTool("ip", arguments, in: folder).code }

    /// Two pings from left to right; ping's exit code.
    func ping() throws -> Int32 { try ip("netns", "exec", left, "ping", "-c", "2", "-i", "0.2", "-W", "2", "10.9.0.2") }
}
