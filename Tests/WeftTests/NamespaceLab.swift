import Foundation
import Glibc
import Testing

/// Two hosts, `A` and `B`, with a wire between them, and workloads, all of them network namespaces; and processes in them as users run them.
class NamespaceLab {
    struct Workload {
        var name: String
        var device: String
        /// With prefix lengths.
        var addresses: [String]
        var gateways: [String]
    }

    let folder = TemporaryFolder()
    let prefix: String
    let workloads: [Workload]
    private(set) var processes: [String: Process] = [:]

    /// - Parameters:
    ///   - prefix: what the names of its namespaces begin with; two letters.
    ///   - subnet: `198.18.7`, of the wire, on which A is .1 and B is .2.
    init(prefix: String, subnet: String, workloads: [Workload]) {
        self.prefix = "\(prefix)\(getpid() % 10000)\(UInt8.random(in: 0...255))"
        self.workloads = workloads
        for n in all {
            ip(["netns", "add", name(n)])
            ip(["-n", name(n), "link", "set", "lo", "up"])
        }
        ip(["link", "add", self.prefix + "x", "netns", name("A"), "type", "veth", "peer", "name", self.prefix + "y", "netns", name("B")])
        for (host, device, address) in [("A", "x", "\(subnet).1/24"), ("B", "y", "\(subnet).2/24")] {
            ip(["-n", name(host), "addr", "add", address, "dev", self.prefix + device])
            ip(["-n", name(host), "link", "set", self.prefix + device, "up"])
        }
    }

    private var all: [String] { ["A", "B"] + workloads.map(\.name) }

    func name(_ what: String) -> String { prefix + what }

    func remove() {
        for process in processes.values where process.isRunning {
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
        }
        for n in all { ip(["netns", "del", name(n)]) }
    }

    // MARK: - Processes

    @discardableResult func ip(_ arguments: [String]) -> Int32 { (try? WeftProgram.runTool("ip", arguments, in: folder).code) ?? -1 }

    /// Starts a program in a namespace; what it logs is added to a file of its name.
    func run(_ what: String, _ program: String, in namespace: String, _ arguments: [String]) throws {
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

    func log(_ process: String) -> String { String(decoding: folder.bytes(process + ".log"), as: UTF8.self) }
    var allLogs: String { processes.keys.sorted().map { "── \($0)\n" + log($0) }.joined() }

    /// Ends a process as a crash would.
    func crash(_ what: String) {
        guard let process = processes.removeValue(forKey: what) else { return }
        // `ip netns exec` has become the program itself.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func wait(_ condition: () -> Bool) -> Bool {
        let end = Date().addingTimeInterval(90)
        while Date() < end {
            if condition() { return true }
            usleep(50_000)
        }
        return condition()
    }

    // MARK: - Workloads

    /// Gives workloads their addresses once they have devices.
    func configureDevices() throws {
        for w in workloads {
            try #require(wait { ip(["-n", name(w.name), "link", "show", w.device]) == 0 }, "\(w.name) has no device\n\(allLogs)")
            for address in w.addresses {
                ip(["-n", name(w.name), "addr", "add", address, "dev", w.device] + (address.contains(":") ? ["nodad"] : []))
            }
            ip(["-n", name(w.name), "link", "set", w.device, "up"])
            for gateway in w.gateways { ip(["-n", name(w.name), "route", "add", "default", "via", gateway, "dev", w.device]) }
        }
    }

    /// Whether one of three echo requests is answered.
    func ping(_ from: String, _ address: String, _ options: [String] = []) -> Bool {
        ip(["netns", "exec", name(from), "ping", "-c", "3", "-i", "0.2", "-W", "1", "-q"] + options + [address]) == 0
    }

    /// Echo requests at equal intervals while something happens, and what came of them.
    func pinging(_ from: String, _ address: String, milliseconds: Int, while body: () throws -> Void) throws -> (sent: Int, lost: Int) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: WeftProgram.find("ip")!)
        process.arguments = ["netns", "exec", name(from), "ping", "-i", "\(Double(milliseconds) / 1000)", address]
        process.standardOutput = FileHandle(forWritingAtPath: folder.file("ping.out", ""))
        try process.run()
        usleep(300_000)
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
        try body()
        usleep(500_000)
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        let lines = String(decoding: folder.bytes("ping.out"), as: UTF8.self).split(separator: "\n")
        // `64 bytes from …`; an error is no answer.
        let answers = lines.filter { $0.contains(" bytes from ") }
        let answered = Set(answers.compactMap { $0.split(separator: " ").first { $0.hasPrefix("icmp_seq=") }.flatMap { Int($0.dropFirst(9)) } })
        let total = lines.first { $0.contains("packets transmitted") }.flatMap { Int($0.split(separator: " ")[0]) }
        // The last one may have been on its way still.
        let sent = try #require(total, "\(lines.suffix(5))") - 1
        return (sent, (1...max(sent, 1)).count { !answered.contains($0) })
    }

    /// What `ping` says of one request whose time to live ends at the first router.
    func lateRequest(_ from: String, _ address: String) throws -> String {
        try WeftProgram.runTool("ip", ["netns", "exec", name(from), "ping", "-c", "1", "-t", "1", "-W", "1", address], in: folder).text
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
        var bytes: Int?
        // In JSON it says that nobody listens yet, and ends as if all were well.
        _ = wait {
            let outcome = try? WeftProgram.runTool("ip", ["netns", "exec", name(client), "iperf3", "-c", address, "-t", "1", "-J"], in: folder)
            let end = try? outcome?.object()["end"] as? [String: Any]
            bytes = (end?["sum_received"] as? [String: Any])?["bytes"] as? Int
            return bytes != nil
        }
        return bytes ?? 0
    }
}
