import Foundation
import Glibc
import Testing

/// Two hosts and their workloads in namespaces, and a controller on the first host: all of them processes as users run them.
///
/// `db1` is behind a bridge with a leg to either host, so that it can move from one to the other as a machine that migrates does.
final class ControllerLab: NamespaceLab {
    static let apiPort = 8653
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

    init() throws {
        super.init(
            prefix: "wc", subnet: "198.18.7",
            workloads: [
                Workload(name: "web1", device: "vm1", addresses: ["10.0.1.10/24", "2001:db8:1::10/64"], gateways: ["10.0.1.1"]),
                Workload(name: "web2", device: "vm2", addresses: ["10.0.1.11/24", "2001:db8:1::11/64"], gateways: ["10.0.1.1"]),
                Workload(name: "db1", device: "nic", addresses: ["10.0.2.10/24"], gateways: ["10.0.2.1"]),
            ])
        ip(["-n", name("db1"), "link", "add", "nic", "address", "02:00:00:00:00:04", "mtu", "1400", "type", "bridge"])
        for host in ["A", "B"] {
            ip(["link", "add", "leg", "netns", name(host), "type", "veth", "peer", "name", "to\(host)", "netns", name("db1")])
            ip(["-n", name(host), "link", "set", "leg", "up"])
            ip(["-n", name("db1"), "link", "set", "to\(host)", "master", "nic", "up"])
        }
        write()
    }

    /// Writes the network file and returns its path.
    @discardableResult func write(_ text: String = ControllerLab.text()) -> String {
        folder.file("net.yaml", text.replacingOccurrences(of: "PREFIX", with: prefix))
    }

    /// The controller that computes, and answers at the interface.
    func startController(_ options: String...) throws {
        var arguments = ["controller", "--store", folder.name("store.sqlite"), "--api", "tcp:127.0.0.1:\(Self.apiPort)", "--name", "test"]
        if !options.contains("logical") { arguments += ["--listen", "tcp:198.18.7.1:6653"] }
        try run("controller", WeftProgram.path, in: "A", arguments + options)
        try #require(wait { (try? get("/v1/status")) != nil }, "\(allLogs)")
    }

    /// One of several that share the work, which answers at an interface of its own.
    func startSharing(_ name: String, sets: Int, channel: Int, api: Int) throws {
        try run(
            name, WeftProgram.path, in: "A",
            [
                "controller", "--role", "logical", "--name", name, "--sets", "\(sets)", "--lease", "1", "--store", folder.name("store.sqlite"),
                "--channel", "tcp:198.18.7.1:\(channel)", "--api", "tcp:127.0.0.1:\(api)",
            ])
        try #require(wait { (try? get("/v1/status", port: api)) != nil }, "\(allLogs)")
    }

    /// A controller that leads hosts and is told by others; beside those.
    func startPhysical(_ name: String, port: Int, logical: [Int] = [6654]) throws {
        try run(
            name, WeftProgram.path, in: "A",
            ["controller", "--role", "physical", "--name", name, "--listen", "tcp:198.18.7.1:\(port)"]
                + logical.flatMap { ["--logical", "tcp:198.18.7.1:\($0)"] })
    }

    func startHosts() throws { for host in ["A", "B"] { try startHost(host) } }

    /// - Parameter ways: to controllers.
    func startHost(_ host: String, _ ways: [String] = ["--controller", "tcp:198.18.7.1:6653"]) throws {
        try run(
            "switch-\(host)", WeftProgram.path, in: host,
            ["switch", "--host", host, "--namespaces", "--socket", folder.name(host + ".sock")] + ways)
    }

    func configureWorkloads() throws {
        try configureDevices()
        try #require(wait { ping("web1", "10.0.1.11") && ping("web1", "10.0.2.10") && ping("web1", "2001:db8:1::11") }, "\(allLogs)")
    }

    /// The entries of a host, as it tells them, without counters.
    func entries(_ host: String) throws -> [String] {
        let outcome = try WeftProgram.run(["flow", "dump", "--no-stats", "--socket", folder.name(host + ".sock")], in: folder)
        guard outcome.code == 0 else { throw Unanswered(errors: outcome.errors) }
        return outcome.text.split(separator: "\n").map(String.init).sorted()
    }

    // MARK: - The interface

    var token: String { String(decoding: folder.bytes("store.sqlite.token"), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) }

    struct Unanswered: Error { var errors: String }

    /// Asks over HTTP, from the controller's namespace.
    func http(_ method: String, _ path: String, _ body: String? = nil, port: Int = ControllerLab.apiPort) throws -> (status: Int, body: [String: Any])
    {
        let script = """
            import sys, urllib.request, urllib.error
            r = urllib.request.Request(sys.argv[2], method=sys.argv[1], data=sys.argv[4].encode() if len(sys.argv) > 4 else None,
                headers={'Authorization': 'Bearer ' + sys.argv[3], 'Content-Type': 'application/json'})
            try:
                a = urllib.request.urlopen(r, timeout=60)
            except urllib.error.HTTPError as e:
                a = e
            print(a.status)
            print(a.read().decode())
            """
        let outcome = try WeftProgram.runTool(
            "ip",
            ["netns", "exec", name("A"), "python3", "-c", script, method, "http://127.0.0.1:\(port)\(path)", token]
                + (body.map { [$0] } ?? []),
            in: folder)
        let lines = outcome.text.split(separator: "\n", maxSplits: 1)
        guard let status = lines.first.flatMap({ Int($0) }) else { throw Unanswered(errors: outcome.errors) }
        let object = lines.count > 1 ? try JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any] : nil
        return (status, object ?? [:])
    }

    func get(_ path: String, port: Int = ControllerLab.apiPort) throws -> [String: Any] {
        let (status, body) = try http("GET", path, port: port)
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
