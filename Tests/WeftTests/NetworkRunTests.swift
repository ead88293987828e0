import Foundation
import Glibc
import Testing

/// `weft run` on two hosts that are network namespaces, with workloads in further ones: real packets through TAP devices and Geneve tunnels.
@Suite(.serialized) struct NetworkRunTests {
    private func isAvailable(_ test: String = #function) -> Bool {
        if let obstacle = SwitchCommandTests.obstacle { print("skipped: \(test): \(obstacle)") }
        return SwitchCommandTests.obstacle == nil
    }

    @Test func workloadsOfTwoHostsTalkAsTheNetworkSaysAndNotOtherwise() throws {
        guard isAvailable() else { return }
        let lab = try NetworkRunLab()
        defer { lab.remove() }
        try lab.start()
        // One switch, two hosts; routed; the router itself; both families; and without fragments up to the device's MTU.
        for address in ["10.0.1.11", "10.0.2.10", "10.0.1.1", "10.0.2.1", "2001:db8:1::11", "2001:db8:2::10", "2001:db8:1::1"] {
            #expect(lab.ping(from: "blue1", address), "\(address)\n\(lab.logs)")
        }
        #expect(lab.ping(from: "blue1", "10.0.2.10", ["-M", "do", "-s", "1372"]))
        #expect(lab.ping(from: "blue4", "10.0.1.10"))
        // The router says that time is up, and that there is no route, from its address there.
        #expect(
            try lab.output(["netns", "exec", lab.name("blue1"), "ping", "-c", "1", "-t", "1", "-W", "1", "10.0.2.10"]).contains(
                "From 10.0.1.1 icmp_seq=1 Time to live exceeded"))
        #expect(
            try lab.output(["netns", "exec", lab.name("blue1"), "ping", "-c", "1", "-W", "1", "172.16.0.1"]).contains(
                "From 10.0.1.1 icmp_seq=1 Destination Net Unreachable"))
        #expect(
            try lab.output(["netns", "exec", lab.name("blue1"), "ping", "-c", "1", "-t", "1", "-W", "1", "2001:db8:2::10"]).contains(
                "From 2001:db8:1::1 icmp_seq=1 Time exceeded: Hop limit"))
        // Green has blue's addresses and MACs, its machine on the other host, and no router.
        #expect(lab.ping(from: "green1", "10.0.1.11"))
        #expect(!lab.ping(from: "green1", "10.0.2.10"))
        let green = try lab.weft("A", "stats", "--json").object()
        #expect((green["entryCount"] as? Int ?? 0) > 100)
        if WeftProgram.find("iperf3") != nil {
            let sent = try lab.transfer(from: "blue1", to: "blue4", "10.0.2.10")
            #expect(sent > 1_000_000, "TCP moved \(sent) bytes\n\(lab.logs)")
        }
        // Spoofed: green1 takes an address that it was not given.
        lab.ip(["-n", lab.name("green1"), "addr", "add", "10.0.1.99/24", "dev", "vm1"])
        #expect(!lab.ping(from: "green1", "10.0.1.11", ["-I", "10.0.1.99"]))
    }

    @Test func aNewVersionOfTheFileChangesWhatIsDifferentWhileTrafficGoesOn() throws {
        guard isAvailable() else { return }
        let lab = try NetworkRunLab()
        defer { lab.remove() }
        try lab.start()
        #expect(lab.ping(from: "blue1", "10.0.2.10") && lab.ping(from: "blue1", "10.0.1.11"))
        try lab.reload(NetworkRunLab.text(access: "access: [{name: no-ping, direction: out, verdict: drop, protocol: icmp}]"))
        #expect(!lab.ping(from: "blue1", "10.0.2.10"), "\(lab.logs)")
        #expect(lab.ping(from: "blue1", "10.0.1.11") && lab.ping(from: "blue1", "2001:db8:2::10"))
        // A faulty file changes nothing.
        try lab.reload("hosts: {A: {address: nowhere}}\n", expecting: "stays as it is")
        #expect(!lab.ping(from: "blue1", "10.0.2.10") && lab.ping(from: "blue1", "10.0.1.11"))
        #expect(lab.logs.contains("address must be an IP address, not 'nowhere'"))
        try lab.reload(NetworkRunLab.text(access: ""))
        #expect(lab.ping(from: "blue1", "10.0.2.10"), "\(lab.logs)")
        // A port that is gone takes its device along.
        try lab.reload(NetworkRunLab.text(access: "").split(separator: "\n").filter { !$0.contains("green1") }.joined(separator: "\n") + "\n")
        #expect(lab.ip(["-n", lab.name("green1"), "link", "show", "vm1"]) != 0)
        #expect(lab.ping(from: "blue1", "10.0.2.10"))
    }

    @Test func wrongUseIsExplained() throws {
        let folder = TemporaryFolder()
        let two = folder.file("two.yaml", "hosts: {a: {address: 10.0.0.1}, b: {address: 10.0.0.2}}\n")
        #expect(try WeftProgram.run(["run", two], in: folder).errors.contains("the network has the hosts a, b: say which is this one by --host"))
        #expect(try WeftProgram.run(["run", two, "--host", "c"], in: folder).errors.contains("the network's hosts are a, b"))
        #expect(try WeftProgram.run(["run", "-"], in: folder).errors.contains("must be a file"))
        #expect(
            try WeftProgram.run(["run", folder.file("bad.yaml", "hosts: 3\n")], in: folder).errors.contains(
                ":1:8: the network: hosts must be a mapping"))
    }
}

/// Two hosts and five workloads in namespaces, and what tests do with them.
private final class NetworkRunLab {
    static let workloads: [(name: String, host: String, device: String, addresses: [String], gateways: [String])] = [
        ("blue1", "A", "vm1", ["10.0.1.10/24", "2001:db8:1::10/64"], ["10.0.1.1", "2001:db8:1::1"]),
        ("blue2", "B", "vm2", ["10.0.1.11/24", "2001:db8:1::11/64"], ["10.0.1.1", "2001:db8:1::1"]),
        ("blue4", "B", "vm4", ["10.0.2.10/24", "2001:db8:2::10/64"], ["10.0.2.1", "2001:db8:2::1"]),
        ("green1", "A", "vm1", ["10.0.1.10/24"], ["10.0.1.1"]),
        ("green2", "B", "vm2", ["10.0.1.11/24"], []),
    ]

    /// `PREFIX` stands for what namespaces begin with.
    static func text(access: String) -> String {
        """
        hosts: {A: {address: 198.18.6.1}, B: {address: 198.18.6.2}}
        tenants:
          blue:
            switches:
              web:
                ports:
                  vm1: {mac: "02:00:00:00:00:01", addresses: [10.0.1.10, "2001:db8:1::10"], host: A, namespace: PREFIXblue1}
                  vm2: {mac: "02:00:00:00:00:02", addresses: [10.0.1.11, "2001:db8:1::11"], host: B, namespace: PREFIXblue2}
              db:
                \(access)
                ports:
                  vm4: {mac: "02:00:00:00:00:04", addresses: [10.0.2.10, "2001:db8:2::10"], host: B, namespace: PREFIXblue4}
            routers:
              edge:
                ports:
                  web: {switch: web, addresses: [10.0.1.1/24, "2001:db8:1::1/64"]}
                  db: {switch: db, addresses: [10.0.2.1/24, "2001:db8:2::1/64"]}
          green:
            switches:
              web:
                ports:
                  vm1: {mac: "02:00:00:00:00:01", addresses: [10.0.1.10], host: A, namespace: PREFIXgreen1}
                  vm2: {mac: "02:00:00:00:00:02", addresses: [10.0.1.11], host: B, namespace: PREFIXgreen2}

        """
    }

    private let folder = TemporaryFolder()
    private let prefix = "wn\(getpid() % 10000)\(UInt8.random(in: 0...255))"
    private var processes: [String: Process] = [:]
    private var file: String { folder.name("net.yaml") }

    func name(_ what: String) -> String { prefix + what }
    private var all: [String] { ["A", "B"] + Self.workloads.map(\.name) }

    @discardableResult func ip(_ arguments: [String]) -> Int32 { (try? WeftProgram.runTool("ip", arguments, in: folder).code) ?? -1 }

    func output(_ arguments: [String]) throws -> String { try WeftProgram.runTool("ip", arguments, in: folder).text }

    init() throws {
        for n in all {
            ip(["netns", "add", name(n)])
            ip(["-n", name(n), "link", "set", "lo", "up"])
        }
        ip(["link", "add", prefix + "x", "netns", name("A"), "type", "veth", "peer", "name", prefix + "y", "netns", name("B")])
        for (host, device, address) in [("A", "x", "198.18.6.1/24"), ("B", "y", "198.18.6.2/24")] {
            ip(["-n", name(host), "addr", "add", address, "dev", prefix + device])
            ip(["-n", name(host), "link", "set", prefix + device, "up"])
        }
    }

    func remove() {
        for process in processes.values where process.isRunning {
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
        }
        for n in all { ip(["netns", "del", name(n)]) }
    }

    private func socket(_ host: String) -> String { folder.name(host + ".sock") }
    private func log(_ host: String) -> String { String(decoding: folder.bytes(host + ".log"), as: UTF8.self) }
    var logs: String { log("A") + log("B") }

    /// Runs the network on both hosts and configures the workloads once their devices are there.
    func start() throws {
        folder.file("net.yaml", Self.text(access: "").replacingOccurrences(of: "PREFIX", with: prefix))
        for host in ["A", "B"] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: WeftProgram.find("ip")!)
            process.arguments = ["netns", "exec", name(host), WeftProgram.path, "run", file, "--host", host, "--socket", socket(host)]
            process.standardError = FileHandle(forWritingAtPath: folder.file(host + ".log", ""))
            try process.run()
            processes[host] = process
        }
        for w in Self.workloads {
            try #require(wait { ip(["-n", name(w.name), "link", "show", w.device]) == 0 }, "\(w.name) has no device\n\(logs)")
            for address in w.addresses {
                ip(["-n", name(w.name), "addr", "add", address, "dev", w.device] + (address.contains(":") ? ["nodad"] : []))
            }
            ip(["-n", name(w.name), "link", "set", w.device, "up"])
            for gateway in w.gateways { ip(["-n", name(w.name), "route", "add", "default", "via", gateway, "dev", w.device]) }
        }
        // Until the link is up for IPv6 too.
        try #require(wait { ping(from: "blue1", "2001:db8:1::11") && ping(from: "blue4", "2001:db8:2::1") }, "\(logs)")
    }

    private func wait(_ condition: () -> Bool) -> Bool {
        let end = Date().addingTimeInterval(30)
        while Date() < end {
            if condition() { return true }
            usleep(100_000)
        }
        return condition()
    }

    /// Whether the second of three echo requests, or an earlier one, is answered.
    func ping(from workload: String, _ address: String, _ options: [String] = []) -> Bool {
        ip(["netns", "exec", name(workload), "ping", "-c", "3", "-i", "0.2", "-W", "1", "-q"] + options + [address]) == 0
    }

    /// Bytes that iperf3 says to have arrived in a second of TCP.
    func transfer(from client: String, to server: String, _ address: String) throws -> Int {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: WeftProgram.find("ip")!)
        process.arguments = ["netns", "exec", name(server), "iperf3", "-s"]
        process.standardOutput = FileHandle(forWritingAtPath: folder.file("server", ""))
        try process.run()
        // Asked to end it would go on: SIGTERM is blocked in what the test starts.
        defer {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
        }
        var outcome: WeftProgram.Outcome?
        _ = wait {
            outcome = try? WeftProgram.runTool("ip", ["netns", "exec", name(client), "iperf3", "-c", address, "-t", "1", "-J"], in: folder)
            return outcome?.code == 0
        }
        let sums = (try outcome?.object()["end"] as? [String: Any])?["sum_received"] as? [String: Any]
        return sums?["bytes"] as? Int ?? 0
    }

    func weft(_ host: String, _ arguments: String...) throws -> WeftProgram.Outcome {
        try WeftProgram.run(arguments + ["--socket", socket(host)], in: folder)
    }

    /// Has both hosts read a new version, and waits until they say what they made of it.
    func reload(_ text: String, expecting words: String = "network read anew") throws {
        folder.file("net.yaml", text.replacingOccurrences(of: "PREFIX", with: prefix))
        func count(_ host: String) -> Int { log(host).components(separatedBy: words).count }
        let before = [count("A"), count("B")]
        for process in processes.values { kill(process.processIdentifier, SIGHUP) }
        try #require(wait { count("A") > before[0] && count("B") > before[1] }, "\(logs)")
    }
}
