import Foundation
import Glibc
import Testing

/// The roles of a controller in processes of their own, and hosts that customize themselves, with real packets between workloads.
@Suite(.serialized) struct ControllerRoleTests {
    private func isAvailable(_ test: String = #function) -> Bool {
        if let obstacle = SwitchCommandTests.obstacle { print("skipped: \(test): \(obstacle)") }
        return SwitchCommandTests.obstacle == nil
    }

    /// Who leads a host, by the store.
    private func leader(_ lab: ControllerLab, _ host: String) -> (owner: String, generation: Int)? {
        guard let all = try? lab.get("/v1/status")["masterships"] as? [[String: Any]],
            let m = all.first(where: { $0["scope"] as? String == "mfe/\(host)" })
        else { return nil }
        return (m["owner"] as? String ?? "", m["generation"] as? Int ?? 0)
    }

    private func isLed(_ lab: ControllerLab, _ host: String, by name: String) -> Bool {
        guard let hosts = try? lab.get("/v1/status")["hosts"] as? [[String: Any]] else { return false }
        return hosts.contains { $0["host"] as? String == host && $0["controller"] as? String == name && $0["state"] as? String == "steady" }
    }

    /// How much a host was told by a controller.
    private func told(_ lab: ControllerLab, _ host: String, by name: String) throws -> Int? {
        let hosts = try lab.get("/v1/status")["hosts"] as? [[String: Any]] ?? []
        return hosts.first { $0["host"] as? String == host && $0["controller"] as? String == name }?["modifications"] as? Int
    }

    @Test func rolesInProcessesOfTheirOwnEndAndBeginAgainWhileTrafficGoesOn() throws {
        guard isAvailable() else { return }
        let lab = try ControllerLab()
        defer { lab.remove() }
        let logical = ["--role", "logical", "--channel", "tcp:198.18.7.1:6654"]
        try lab.startController(logical[0], logical[1], logical[2], logical[3])
        try lab.startPhysical("one", port: 6653)
        // Each host knows both; the first to be there leads.
        let ways = ["--controller", "tcp:198.18.7.1:6653", "--controller", "tcp:198.18.7.1:6663"]
        for host in ["A", "B"] { try lab.startHost(host, ways) }
        #expect(try lab.net("apply", lab.write(), "--yes").code == 0)
        try #require(lab.wait { isLed(lab, "A", by: "one") && isLed(lab, "B", by: "one") }, "\(lab.allLogs)")
        try lab.configureWorkloads()
        #expect(try lab.lateRequest("web1", "10.0.2.10").contains("From 10.0.1.1 icmp_seq=1 Time to live exceeded"), "\(lab.allLogs)")
        try lab.startPhysical("two", port: 6663)
        // A change comes by way of the physical controller, and the interface knows when it is in force.
        let rule = #"[{"direction": "out", "verdict": "drop", "protocol": "icmp"}]"#
        let put = try lab.http("PUT", "/v1/tenants/blue/switches/db/access?wait=30000", rule)
        #expect(put.status == 201 && (put.body["waiting"] as? [String])?.isEmpty == true, "\(put)\n\(lab.allLogs)")
        #expect(!lab.ping("web1", "10.0.2.10") && lab.ping("web1", "10.0.1.11"))
        #expect(try lab.http("DELETE", "/v1/tenants/blue/switches/db/access?wait=30000").status == 200)

        let before = try ["A", "B"].map { try lab.entries($0) }
        #expect(before.allSatisfy { $0.count > 50 })
        let toldBefore = try told(lab, "A", by: "one")
        let result = try lab.pinging("web1", "10.0.2.10", milliseconds: 10) {
            // The one that computes ends: the physical controller goes on with what it has.
            lab.crash("controller")
            usleep(500_000)
            #expect(try ["A", "B"].map { try lab.entries($0) } == before)
            try lab.startController(logical[0], logical[1], logical[2], logical[3])
            try #require(lab.wait { isLed(lab, "A", by: "one") && isLed(lab, "B", by: "one") }, "\(lab.allLogs)")
            #expect(try told(lab, "A", by: "one") == toldBefore)
            // The one that leads the hosts ends: the other takes over.
            let generation = leader(lab, "A")?.generation ?? 0
            lab.crash("one")
            try #require(lab.wait { isLed(lab, "A", by: "two") && isLed(lab, "B", by: "two") }, "\(lab.allLogs)")
            #expect(try told(lab, "A", by: "two") == 0 && told(lab, "B", by: "two") == 0)
            #expect(leader(lab, "A")?.owner == "two" && leader(lab, "A")?.generation == generation + 1)
            // And it begins again, and waits.
            try lab.startPhysical("one", port: 6653)
        }
        #expect(result.sent > 20 && result.lost == 0, "\(result)")
        #expect(try ["A", "B"].map { try lab.entries($0) } == before)
        // The new one leads.
        #expect(try lab.http("PUT", "/v1/tenants/blue/switches/db/access?wait=30000", rule).status == 201)
        #expect(!lab.ping("web1", "10.0.2.10"))
    }

    @Test func aHostThatCustomizesItselfHasTheEntriesThatAControllerWouldGiveIt() throws {
        guard isAvailable() else { return }
        let lab = try ControllerLab()
        defer { lab.remove() }
        try lab.startController("--channel", "tcp:198.18.7.1:6654")
        #expect(try lab.net("apply", lab.write(), "--yes").code == 0)
        // First as a physical controller programs it.
        try lab.startHosts()
        try #require(lab.wait { lab.isSteady("A") && lab.isSteady("B") }, "\(lab.allLogs)")
        let programmed = try lab.entries("B")
        #expect(programmed.count > 50)
        lab.crash("switch-B")
        try #require(lab.wait { !lab.isSteady("B") }, "\(lab.allLogs)")
        // Then itself, beside a host that is programmed.
        try lab.startHost("B", ["--chassis", "tcp:198.18.7.1:6654"])
        try #require(lab.wait { isLed(lab, "B", by: "chassis/B") }, "\(lab.allLogs)")
        #expect(try lab.entries("B") == programmed)
        #expect(leader(lab, "B")?.owner == "chassis/B" && leader(lab, "A")?.owner == "test")
        try lab.configureWorkloads()
        #expect(try lab.lateRequest("db1", "10.0.1.10").contains("From 10.0.2.1 icmp_seq=1 Time to live exceeded"), "\(lab.allLogs)")
        // Changes: a rule, and a port that goes and comes.
        let rule = #"[{"direction": "out", "verdict": "drop", "protocol": "icmp"}]"#
        let put = try lab.http("PUT", "/v1/tenants/blue/switches/db/access?wait=30000", rule)
        #expect(put.status == 201 && (put.body["waiting"] as? [String])?.isEmpty == true, "\(put)\n\(lab.allLogs)")
        #expect(!lab.ping("web1", "10.0.2.10"))
        #expect(try lab.http("DELETE", "/v1/tenants/blue/switches/db/access?wait=30000").status == 200)
        let port = #"{"mac": "02:00:00:00:00:04", "addresses": ["10.0.2.10"], "host": "HOST", "device": "leg"}"#
        for host in ["A", "B"] {
            let moved = try lab.http(
                "PUT", "/v1/tenants/blue/switches/db/ports/db1?wait=30000", port.replacingOccurrences(of: "HOST", with: host))
            #expect(moved.status == 200 && (moved.body["waiting"] as? [String])?.isEmpty == true, "\(moved)")
            #expect(lab.ping("web1", "10.0.2.10"), "\(lab.allLogs)")
            let ports = try WeftProgram.run(["port", "list", "--socket", lab.folder.name("B.sock")], in: lab.folder).text
            #expect(ports.contains("blue/db/db1") == (host == "B"), "\(ports)")
        }
        let before = try lab.entries("B")
        // The controller ends and begins again: no packet is lost, the host is told nothing.
        let modifications = try told(lab, "B", by: "chassis/B")
        let result = try lab.pinging("web1", "10.0.2.10", milliseconds: 10) {
            lab.crash("controller")
            usleep(500_000)
            #expect(try lab.entries("B") == before)
            try lab.startController("--channel", "tcp:198.18.7.1:6654")
            try #require(lab.wait { isLed(lab, "B", by: "chassis/B") && lab.isSteady("A") }, "\(lab.allLogs)")
        }
        #expect(result.sent > 50 && result.lost == 0, "\(result)")
        #expect(try told(lab, "B", by: "chassis/B") == modifications && lab.entries("B") == before)
        // The host itself ends and begins again: it has nothing, and gets everything.
        lab.crash("switch-B")
        try lab.startHost("B", ["--chassis", "tcp:198.18.7.1:6654"])
        try #require(lab.wait { (try? lab.entries("B")) == before }, "\(lab.allLogs)")
        #expect(lab.wait { lab.ping("web1", "10.0.1.11") || lab.ping("web1", "10.0.2.10") })
    }

    @Test func controllersThatShareTheWorkTakeItOverFromEachOtherWhileTrafficGoesOn() throws {
        guard isAvailable() else { return }
        let lab = try ControllerLab()
        defer { lab.remove() }
        try lab.startSharing("one", sets: 2, channel: 6654, api: 8653)
        try lab.startSharing("two", sets: 2, channel: 6655, api: 8654)
        func leaders(_ port: Int) -> [String] {
            ((try? lab.get("/v1/status", port: port)["sets"] as? [[String: Any]]) ?? []).map { $0["leader"] as? String ?? "" }
        }
        try #require(lab.wait { leaders(8653) == ["one", "two"] && leaders(8654) == ["one", "two"] }, "\(lab.allLogs)")
        func hears(_ host: String) -> Bool {
            ((try? lab.get("/v1/status", port: 8654)["hosts"] as? [[String: Any]]) ?? []).contains { $0["host"] as? String == host }
        }
        // One host by way of a physical controller, the other customizes itself: both hear both.
        try lab.startPhysical("p", port: 6653, logical: [6654, 6655])
        try lab.startHost("A", ["--controller", "tcp:198.18.7.1:6653"])
        try lab.startHost("B", ["--chassis", "tcp:198.18.7.1:6654", "--chassis", "tcp:198.18.7.1:6655"])
        #expect(try lab.net("apply", lab.write(), "--yes").code == 0)
        try #require(lab.wait { isLed(lab, "A", by: "p") && isLed(lab, "B", by: "chassis/B") }, "\(lab.allLogs)")
        try lab.configureWorkloads()
        // A tenant of the other one's, with addresses that the first has too; whoever does not compute it says who does.
        let green =
            #"{"switches": {"web": {"ports": {"vm1": {"mac": "02:00:00:00:00:01", "addresses": "10.0.1.10", "host": "A"}, "#
            + #""vm2": {"mac": "02:00:00:00:00:02", "addresses": "10.0.1.11", "host": "B"}}}}}"#
        let blueAlone = try ["A", "B"].map { try lab.entries($0).count }
        let put = try lab.http("PUT", "/v1/tenants/green?wait=5000", green, port: 8654)
        #expect(put.status == 201 && (put.body["waiting"] as? [String])?.isEmpty == true, "\(put)\n\(lab.allLogs)")
        let before = try ["A", "B"].map { try lab.entries($0) }
        #expect(before[0].count > blueAlone[0] && before[1].count > blueAlone[1])
        try #require(lab.wait { (try? lab.get("/v1/tenants/green")) != nil })
        let refused = try lab.http("PUT", "/v1/tenants/green/switches/web/ports/vm3", #"{"mac": "02:00:00:00:00:03", "host": "A"}"#)
        #expect(refused.status == 503 && "\(refused.body)".contains("controller two leads"), "\(refused)")
        #expect(lab.ping("web1", "10.0.1.11") && lab.ping("web1", "10.0.2.10"))

        let result = try lab.pinging("web1", "10.0.2.10", milliseconds: 10) {
            lab.crash("two")
            // Once its lease has ended the first computes both sets.
            try #require(lab.wait { leaders(8653) == ["one", "one"] }, "\(lab.allLogs)")
            #expect(try ["A", "B"].map { try lab.entries($0) } == before)
            let taken = try lab.http(
                "PUT", "/v1/tenants/green/switches/web/ports/vm3?wait=5000", #"{"mac": "02:00:00:00:00:03", "host": "A"}"#)
            #expect(taken.status == 201 && (taken.body["waiting"] as? [String])?.isEmpty == true, "\(taken)\n\(lab.allLogs)")
            // It begins again, has its share, and goes on with the same numbers.
            try lab.startSharing("two", sets: 2, channel: 6655, api: 8654)
            try #require(lab.wait { leaders(8653) == ["one", "two"] && leaders(8654) == ["one", "two"] }, "\(lab.allLogs)")
            try #require(lab.wait { hears("A") && hears("B") }, "\(lab.allLogs)")
            let removed = try lab.http("DELETE", "/v1/tenants/green/switches/web/ports/vm3?wait=5000", port: 8654)
            #expect(removed.status == 200 && (removed.body["waiting"] as? [String])?.isEmpty == true, "\(removed)\n\(lab.allLogs)")
            #expect(try ["A", "B"].map { try lab.entries($0) } == before)
        }
        #expect(result.sent > 100 && result.lost == 0, "\(result)")
        // The one that gives out hosts ends.
        lab.crash("one")
        try #require(lab.wait { leaders(8654) == ["two", "two"] }, "\(lab.allLogs)")
        let rule = #"[{"direction": "out", "verdict": "drop", "protocol": "icmp"}]"#
        let last = try lab.http("PUT", "/v1/tenants/blue/switches/db/access?wait=5000", rule, port: 8654)
        #expect(last.status == 201 && (last.body["waiting"] as? [String])?.isEmpty == true, "\(last)\n\(lab.allLogs)")
        #expect(!lab.ping("web1", "10.0.2.10") && lab.ping("web1", "10.0.1.11"))
    }

    @Test func whatTheCommandLineSaysHoldsWhenTheConfigurationIsReadAnew() throws {
        let folder = TemporaryFolder()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: WeftProgram.path)
        process.arguments = [
            "switch", "--config", folder.file("switch.yaml", "log-level: info\n"), "--host", "A", "--chassis", "tcp:127.0.0.1:1", "--controller",
            "tcp:127.0.0.1:1", "--socket", folder.name("s.sock"),
        ]
        process.standardError = FileHandle(forWritingAtPath: folder.file("log", ""))
        try process.run()
        defer {
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
        }
        var log: String { String(decoding: folder.bytes("log"), as: UTF8.self) }
        func wait(_ words: String) -> Bool {
            for _ in 0..<1200 {
                if log.contains(words) { return true }
                usleep(50_000)
            }
            return false
        }
        try #require(wait("forwarding"), "\(log)")
        kill(process.processIdentifier, SIGHUP)
        #expect(wait("configuration read anew") && log.contains("changes=none"), "\(log)")
        // It has no entry by which everything would be forwarded.
        #expect(try WeftProgram.run(["flow", "dump", "--socket", folder.name("s.sock")], in: folder).text.isEmpty)
    }

    @Test func wrongUseIsExplained() throws {
        let folder = TemporaryFolder()
        func run(_ arguments: String...) throws -> String { try WeftProgram.run(arguments, in: folder).errors }
        #expect(try run("controller", "--role", "physical").contains("--role physical needs the --logical controller"))
        #expect(try run("controller", "--role", "logical").contains("--role logical needs a --channel"))
        #expect(try run("controller", "--logical", "tcp:1").contains("--logical is for --role physical"))
        #expect(try run("controller", "--role", "physical", "--logical", "tcp:1", "--network", "x").contains("--network is for logical controllers"))
        #expect(try run("controller", "--sets", "2").contains("--sets 2 takes --role logical"))
        #expect(try run("controller", "--sets", "17").contains("--sets 17: must be 1 to 16"))
        #expect(try run("controller", "--channel", "tls:127.0.0.1:1").contains("tls: addresses need --tls-key"))
        #expect(try run("switch", "--chassis", "tcp:127.0.0.1:6654").contains("--chassis needs --host"))
        #expect(try run("switch", "--host", "A", "--chassis", "ptcp:1").contains("--chassis ptcp:1: must be like"))
        let file = folder.file("switch.yaml", "chassis: [tcp:192.0.2.1:6654]\n")
        #expect(try run("switch", "--config", file, "--check").contains("'chassis' needs 'host'"))
        #expect(
            try WeftProgram.run(["switch", "--config", folder.file("good.yaml", "host: A\nchassis: [tcp:192.0.2.1:6654]\n"), "--check"], in: folder)
                .code
                == 0)
    }
}
