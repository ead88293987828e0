import Foundation
import Glibc
import Testing

/// Two hosts and their workloads in namespaces, and a controller on the first host: all of them processes as users run them.
///
/// `db1` is behind a bridge with a leg to either host, so that it can move from one to the other as a machine that migrates does.
final class ControllerLab {
    static let apiPort = 8653
    static let workloads: [(name: String, host: String, device: String, addresses: [String], gateway: String)] = [
        ("web1", "A", "vm1", ["10.0.1.10/24", "2001:db8:1::10/64"], "10.0.1.1"),
        ("web2", "B", "vm2", ["10.0.1.11/24", "2001:db8:1::11/64"], "10.0.1.1"),
        ("db1", "B", "nic", ["10.0.2.10/24"], "10.0.2.1"),
    ]

    /// - Parameter host: of the workload that moves.
    static func text(host: String = "B", access: String = "") -> String {
        """
        hosts: {A: {address: 198.18.7.1}, B: {address: 198.18.7.2}}
        tenants:
          blue:
            switches:
              web:
                ports:
                  vm1: {mac: "02:00:00:00:00:01", addresses: [10.0.1.10, "2001:db8:1::10"], host: A, namespace: PREFIXweb1}
                  vm2: {mac: "02:00:00:00:00:02", addresses: [10.0.1.11, "2001:db8:1::11"], host: B, namespace: PREFIXweb2}
              db:
                \(access)
                ports:
                  db1: {mac: "02:00:00:00:00:04", addresses: [10.0.2.10], host: \(host), device: leg}
            routers:
              edge:
                ports:
                  web: {switch: web, addresses: [10.0.1.1/24, "2001:db8:1::1/64"]}
                  db: {switch: db, addresses: [10.0.2.1/24]}

        """
    }

    let folder = TemporaryFolder()
    private let prefix = "wc\(getpid() % 10000)\(UInt8.random(in: 0...255))"
    private(set) var processes: [String: Process] = [:]
    private var logs: [String] = []

    func name(_ what: String) -> String { prefix + what }
    private var all: [String] { ["A", "B"] + Self.workloads.map(\.name) }

    @discardableResult func ip(_ arguments: [String]) -> Int32 { (try? WeftProgram.runTool("ip", arguments, in: folder).code) ?? -1 }

    init() throws {
        for n in all {
            ip(["netns", "add", name(n)])
            ip(["-n", name(n), "link", "set", "lo", "up"])
        }
        ip(["link", "add", prefix + "x", "netns", name("A"), "type", "veth", "peer", "name", prefix + "y", "netns", name("B")])
        for (host, device, address) in [("A", "x", "198.18.7.1/24"), ("B", "y", "198.18.7.2/24")] {
            ip(["-n", name(host), "addr", "add", address, "dev", prefix + device])
            ip(["-n", name(host), "link", "set", prefix + device, "up"])
        }
        ip(["-n", name("db1"), "link", "add", "nic", "address", "02:00:00:00:00:04", "mtu", "1400", "type", "bridge"])
        for host in ["A", "B"] {
            ip(["link", "add", "leg", "netns", name(host), "type", "veth", "peer", "name", "to\(host)", "netns", name("db1")])
            ip(["-n", name(host), "link", "set", "leg", "up"])
            ip(["-n", name("db1"), "link", "set", "to\(host)", "master", "nic", "up"])
        }
        write()
    }

    func remove() {
        for process in processes.values where process.isRunning {
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
        }
        for n in all { ip(["netns", "del", name(n)]) }
    }

    /// Writes the network file and returns its path.
    @discardableResult func write(_ text: String = ControllerLab.text()) -> String {
        folder.file("net.yaml", text.replacingOccurrences(of: "PREFIX", with: prefix))
    }

    func log(_ process: String) -> String { String(decoding: folder.bytes(process + ".log"), as: UTF8.self) }
    var allLogs: String { processes.keys.sorted().map { "── \($0)\n" + log($0) }.joined() }

    private func run(_ what: String, _ program: String, in namespace: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: WeftProgram.find("ip")!)
        process.arguments = ["netns", "exec", name(namespace), program] + arguments
        let file = folder.name(what + ".log")
        if !FileManager.default.fileExists(atPath: file) { folder.file(what + ".log", "") }
        let handle = FileHandle(forWritingAtPath: file)
        handle?.seekToEndOfFile()
        process.standardError = handle
        try process.run()
        processes[what] = process
    }

    func startController() throws {
        try run(
            "controller", WeftProgram.path, in: "A",
            [
                "controller", "--store", folder.name("store.sqlite"), "--listen", "tcp:198.18.7.1:6653", "--api", "tcp:127.0.0.1:\(Self.apiPort)",
                "--name", "test",
            ])
        try #require(wait { (try? get("/v1/status")) != nil }, "\(allLogs)")
    }

    func startHosts() throws {
        for host in ["A", "B"] {
            try run(
                "switch-\(host)", WeftProgram.path, in: host,
                ["switch", "--host", host, "--namespaces", "--controller", "tcp:198.18.7.1:6653", "--socket", folder.name(host + ".sock")])
        }
    }

    /// Ends a process as a crash would.
    func crash(_ what: String) {
        guard let process = processes.removeValue(forKey: what) else { return }
        // `ip netns exec` has become the program itself.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Gives workloads their addresses once they have devices.
    func configureWorkloads() throws {
        for w in Self.workloads {
            try #require(wait { ip(["-n", name(w.name), "link", "show", w.device]) == 0 }, "\(w.name) has no device\n\(allLogs)")
            for address in w.addresses {
                ip(["-n", name(w.name), "addr", "add", address, "dev", w.device] + (address.contains(":") ? ["nodad"] : []))
            }
            ip(["-n", name(w.name), "link", "set", w.device, "up"])
            ip(["-n", name(w.name), "route", "add", "default", "via", w.gateway, "dev", w.device])
        }
        try #require(wait { ping("web1", "10.0.1.11") && ping("web1", "10.0.2.10") && ping("web1", "2001:db8:1::11") }, "\(allLogs)")
    }

    func wait(_ condition: () -> Bool) -> Bool {
        let end = Date().addingTimeInterval(30)
        while Date() < end {
            if condition() { return true }
            usleep(50_000)
        }
        return condition()
    }

    func ping(_ from: String, _ address: String, _ options: [String] = []) -> Bool {
        ip(["netns", "exec", name(from), "ping", "-c", "3", "-i", "0.2", "-W", "1", "-q"] + options + [address]) == 0
    }

    /// Echo requests at equal intervals while something happens, and what came of them.
    func pinging(_ from: String, _ address: String, milliseconds: Int, while body: () throws -> Void) throws -> (sent: Int, lost: Int) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: WeftProgram.find("ip")!)
        process.arguments = ["netns", "exec", name(from), "ping", "-i", "\(Double(milliseconds) / 1000)", "-q", address]
        process.standardOutput = FileHandle(forWritingAtPath: folder.file("ping.out", ""))
        try process.run()
        usleep(300_000)
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
        try body()
        usleep(500_000)
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        let text = String(decoding: folder.bytes("ping.out"), as: UTF8.self)
        let numbers = text.split(separator: "\n").first { $0.contains("packets transmitted") }?.split(separator: ",").compactMap {
            Int($0.split(separator: " ").first ?? "")
        }
        let counts = try #require(numbers.flatMap { $0.count >= 2 ? $0 : nil }, "\(text)")
        return (counts[0], counts[0] - counts[1])
    }

    // MARK: - The interface

    var token: String { String(decoding: folder.bytes("store.sqlite.token"), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) }

    struct Unanswered: Error { var errors: String }

    /// Asks over HTTP, from the controller's namespace.
    func http(_ method: String, _ path: String, _ body: String? = nil) throws -> (status: Int, body: [String: Any]) {
        let script = """
            import sys, urllib.request, urllib.error
            r = urllib.request.Request(sys.argv[2], method=sys.argv[1], data=sys.argv[4].encode() if len(sys.argv) > 4 else None,
                headers={'Authorization': 'Bearer ' + sys.argv[3], 'Content-Type': 'application/json'})
            try:
                a = urllib.request.urlopen(r, timeout=20)
            except urllib.error.HTTPError as e:
                a = e
            print(a.status)
            print(a.read().decode())
            """
        let outcome = try WeftProgram.runTool(
            "ip",
            ["netns", "exec", name("A"), "python3", "-c", script, method, "http://127.0.0.1:\(Self.apiPort)\(path)", token]
                + (body.map { [$0] } ?? []),
            in: folder)
        let lines = outcome.text.split(separator: "\n", maxSplits: 1)
        guard let status = lines.first.flatMap({ Int($0) }) else { throw Unanswered(errors: outcome.errors) }
        let object = lines.count > 1 ? try JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any] : nil
        return (status, object ?? [:])
    }

    func get(_ path: String) throws -> [String: Any] {
        let (status, body) = try http("GET", path)
        guard status == 200 else { throw Unanswered(errors: "\(status) \(body)") }
        return body
    }

    /// What the controller knows of a host; nil when it is not connected.
    func state(_ host: String) throws -> [String: Any]? {
        (try get("/v1/status")["hosts"] as? [[String: Any]])?.first { $0["host"] as? String == host }
    }

    func isSteady(_ host: String) -> Bool { (try? state(host))??["state"] as? String == "steady" }

    /// `weft net …` beside the controller.
    func net(_ arguments: String...) throws -> WeftProgram.Outcome {
        folder.file("token", token)
        return try WeftProgram.runTool(
            "ip",
            ["netns", "exec", name("A"), WeftProgram.path, "net"] + arguments
                + ["--controller", "http://127.0.0.1:\(Self.apiPort)", "--token-file", folder.name("token")], in: folder)
    }
}
