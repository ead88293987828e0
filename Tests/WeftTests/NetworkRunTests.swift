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
            #expect(lab.ping("blue1", address), "\(address)\n\(lab.logs)")
        }
        #expect(lab.ping("blue1", "10.0.2.10", ["-M", "do", "-s", "1372"]))
        #expect(lab.ping("blue4", "10.0.1.10"))
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
        #expect(lab.ping("green1", "10.0.1.11"))
        #expect(!lab.ping("green1", "10.0.2.10"))
        let green = try lab.weft("A", "stats", "--json").object()
        #expect((green["entryCount"] as? Int ?? 0) > 100)
        if WeftProgram.find("iperf3") != nil {
            let sent = try lab.transfer(from: "blue1", to: "blue4", "10.0.2.10")
            #expect(sent > 1_000_000, "TCP moved \(sent) bytes\n\(lab.logs)")
        }
        // Spoofed: green1 takes an address that it was not given.
        lab.ip(["-n", lab.name("green1"), "addr", "add", "10.0.1.99/24", "dev", "vm1"])
        #expect(!lab.ping("green1", "10.0.1.11", ["-I", "10.0.1.99"]))
    }

    @Test func aNewVersionOfTheFileChangesWhatIsDifferentWhileTrafficGoesOn() throws {
        guard isAvailable() else { return }
        let lab = try NetworkRunLab()
        defer { lab.remove() }
        try lab.start()
        #expect(lab.ping("blue1", "10.0.2.10") && lab.ping("blue1", "10.0.1.11"))
        try lab.reload(NetworkRunLab.text(access: "access: [{name: no-ping, direction: out, verdict: drop, protocol: icmp}]"))
        #expect(!lab.ping("blue1", "10.0.2.10"), "\(lab.logs)")
        #expect(lab.ping("blue1", "10.0.1.11") && lab.ping("blue1", "2001:db8:2::10"))
        // A faulty file changes nothing.
        try lab.reload("hosts: {A: {address: nowhere}}\n", expecting: "stays as it is")
        #expect(!lab.ping("blue1", "10.0.2.10") && lab.ping("blue1", "10.0.1.11"))
        #expect(lab.logs.contains("address must be an IP address, not 'nowhere'"))
        try lab.reload(NetworkRunLab.text(access: ""))
        #expect(lab.ping("blue1", "10.0.2.10"), "\(lab.logs)")
        // A port that is gone takes its device along.
        try lab.reload(NetworkRunLab.text(access: "").split(separator: "\n").filter { !$0.contains("green1") }.joined(separator: "\n") + "\n")
        #expect(lab.ip(["-n", lab.name("green1"), "link", "show", "vm1"]) != 0)
        #expect(lab.ping("blue1", "10.0.2.10"))
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
private final class NetworkRunLab: NamespaceLab {
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

    private var file: String { folder.name("net.yaml") }

    init() throws {
        super.init(
            prefix: "wn", subnet: "198.18.6",
            workloads: [
                Workload(name: "blue1", device: "vm1", addresses: ["10.0.1.10/24", "2001:db8:1::10/64"], gateways: ["10.0.1.1", "2001:db8:1::1"]),
                Workload(name: "blue2", device: "vm2", addresses: ["10.0.1.11/24", "2001:db8:1::11/64"], gateways: ["10.0.1.1", "2001:db8:1::1"]),
                Workload(name: "blue4", device: "vm4", addresses: ["10.0.2.10/24", "2001:db8:2::10/64"], gateways: ["10.0.2.1", "2001:db8:2::1"]),
                Workload(name: "green1", device: "vm1", addresses: ["10.0.1.10/24"], gateways: ["10.0.1.1"]),
                Workload(name: "green2", device: "vm2", addresses: ["10.0.1.11/24"], gateways: []),
            ])
    }

    func output(_ arguments: [String]) throws -> String { try WeftProgram.runTool("ip", arguments, in: folder).text }

    private func socket(_ host: String) -> String { folder.name(host + ".sock") }
    var logs: String { allLogs }

    /// Runs the network on both hosts and configures the workloads once their devices are there.
    func start() throws {
        folder.file("net.yaml", Self.text(access: "").replacingOccurrences(of: "PREFIX", with: prefix))
        for host in ["A", "B"] { try run(host, WeftProgram.path, in: host, ["run", file, "--host", host, "--socket", socket(host)]) }
        try configureDevices()
        // Until the link is up for IPv6 too.
        try #require(wait { ping("blue1", "2001:db8:1::11") && ping("blue4", "2001:db8:2::1") }, "\(logs)")
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
