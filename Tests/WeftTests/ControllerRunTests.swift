import Foundation
import Glibc
import Testing

/// A controller and two hosts in namespaces, with real packets between their workloads.
@Suite(.serialized) struct ControllerRunTests {
    private func isAvailable(_ test: String = #function) -> Bool {
        if let obstacle = SwitchCommandTests.obstacle { print("skipped: \(test): \(obstacle)") }
        return SwitchCommandTests.obstacle == nil
    }

    @Test func aNetworkThatIsAppliedIsInForceOnTwoHostsAndOutlivesItsController() throws {
        guard isAvailable() else { return }
        let lab = try ControllerLab()
        defer { lab.remove() }
        try lab.startController()
        try lab.startHosts()
        // The plan first; nothing happens without a yes.
        let plan = try lab.net("apply", lab.write())
        #expect(plan.code == 3 && plan.text.contains("3 ports added"), "\(plan.text)\(plan.errors)")
        #expect(try lab.get("/v1/status")["revision"] as? Int == 0)
        let applied = try lab.net("apply", lab.write(), "--yes")
        #expect(applied.code == 0 && applied.text.contains("applied as revision 1"), "\(applied.text)\(applied.errors)")
        try #require(lab.wait { lab.isSteady("A") && lab.isSteady("B") }, "\(lab.allLogs)")
        try lab.configureWorkloads()
        let same = try lab.net("diff", lab.write())
        #expect(same.code == 0, "\(same.text)\(same.errors)")
        // ICMP errors come from the controller, by way of the host that asked.
        #expect(try lab.lateRequest("web1", "10.0.2.10").contains("From 10.0.1.1 icmp_seq=1 Time to live exceeded"))

        // Killed and started again: no packet is lost, and no host is told anything.
        let before = try #require(try lab.state("B")?["inForce"] as? Int)
        let result = try lab.pinging("web1", "10.0.2.10", milliseconds: 10) {
            lab.crash("controller")
            usleep(1_000_000)
            try lab.startController()
            try #require(lab.wait { lab.isSteady("A") && lab.isSteady("B") }, "\(lab.allLogs)")
        }
        #expect(result.sent > 20 && result.lost == 0, "\(result)")
        for host in ["A", "B"] {
            let state = try #require(try lab.state(host))
            #expect(state["modifications"] as? Int == 0 && state["inForce"] as? Int == before, "\(state)")
            let r = try #require((state["reconciliations"] as? [[String: Any]])?.last)
            #expect((r["present"] as? Int ?? 0) > 50 && r["devicesOpened"] as? Int == 0 && r["devicesClosed"] as? Int == 0, "\(r)")
        }
        if WeftProgram.find("iperf3") != nil { #expect(try lab.transfer(from: "web1", to: "db1", "10.0.2.10") > 10_000) }

        // A rule comes by the interface, and goes.
        let rule = #"[{"direction": "out", "verdict": "drop", "protocol": "icmp"}]"#
        let put = try lab.http("PUT", "/v1/tenants/blue/switches/db/access?wait=30000", rule)
        #expect(put.status == 201 && (put.body["waiting"] as? [String])?.isEmpty == true, "\(put)")
        #expect(!lab.ping("web1", "10.0.2.10") && lab.ping("web1", "10.0.1.11"))
        let removed = try lab.http("DELETE", "/v1/tenants/blue/switches/db/access?wait=30000")
        #expect(removed.status == 200, "\(removed)")
        #expect(lab.ping("web1", "10.0.2.10"))
        // What would be wrong is refused with all its faults, and changes nothing.
        let wrong = try lab.http(
            "PUT", "/v1/tenants/blue/switches/db/ports/x", #"{"mac": "02:00:00:00:00:04", "addresses": ["10.0.2.10"], "host": "nowhere"}"#)
        let faults = ((wrong.body["error"] as? [String: Any])?["faults"] as? [[String: Any]] ?? []).compactMap { $0["message"] as? String }
        #expect(wrong.status == 422 && faults.count == 3, "\(faults)")
        #expect(lab.ping("web1", "10.0.2.10"))
    }

    @Test func aMachineThatMovesToAnotherHostIsReachableThere() throws {
        guard isAvailable() else { return }
        let lab = try ControllerLab()
        defer { lab.remove() }
        try lab.startController()
        try lab.startHosts()
        #expect(try lab.net("apply", lab.write(), "--yes").code == 0)
        try lab.configureWorkloads()
        let port = #"{"mac": "02:00:00:00:00:04", "addresses": ["10.0.2.10"], "host": "HOST", "device": "leg"}"#
        for host in ["A", "B"] {
            var change: [String: Any] = [:]
            let interval = 2
            let result = try lab.pinging("web1", "10.0.2.10", milliseconds: interval) {
                let answer = try lab.http(
                    "PUT", "/v1/tenants/blue/switches/db/ports/db1?wait=30000", port.replacingOccurrences(of: "HOST", with: host))
                try #require(answer.status == 200, "\(answer)")
                change = answer.body
            }
            print(
                "port moved to host \(host): \(result.lost) of \(result.sent) echo requests lost, \(result.lost * interval) ms; "
                    + "\(change["modifications"] ?? "?") changes of entries")
            #expect(result.lost * interval < 10_000, "\(result)\n\(lab.allLogs)")
            #expect((change["waiting"] as? [String])?.isEmpty == true)
            #expect(lab.ping("web1", "10.0.2.10") && lab.ping("web2", "10.0.2.10"))
            // Where it is now, and nowhere else.
            for other in ["A", "B"] {
                let ports = try WeftProgram.run(["port", "list", "--socket", lab.folder.name(other + ".sock")], in: lab.folder).text
                #expect(ports.contains("blue/db/db1") == (other == host), "\(ports)")
            }
        }
    }

    @Test func whatWasAcknowledgedSurvivesKilling() throws {
        guard isAvailable() else { return }
        let lab = try ControllerLab()
        defer { lab.remove() }
        try lab.startController()
        #expect(
            try lab.http("PUT", "/v1/network", #"{"hosts": {"A": {"address": "198.18.7.1"}}, "tenants": {"t": {"switches": {"s": {}}}}}"#).status
                == 200)
        for round in 0..<3 {
            var acknowledged: [String] = []
            let controller = try #require(lab.processes["controller"])
            for i in 0..<200 {
                // Killed while changes are being made, each time at another moment of one.
                if i == 5 {
                    Thread.detachNewThread {
                        usleep(UInt32(20_000 + round * 37_000))
                        kill(controller.processIdentifier, SIGKILL)
                    }
                }
                let name = "r\(round)-\(i)"
                let body = #"{"mac": "02:00:00:0\#(round):\#(String(format: "%02x:%02x", i / 256, i % 256))"}"#
                guard let answer = try? lab.http("PUT", "/v1/tenants/t/switches/s/ports/\(name)", body) else { break }
                #expect(answer.status == 201)
                acknowledged.append(name)
            }
            lab.crash("controller")
            #expect(acknowledged.count >= 5 && acknowledged.count < 200)
            try lab.startController()
            let ports = try lab.get("/v1/tenants/t/switches/s/ports")
            for name in acknowledged { #expect(ports[name] != nil, "\(name) was acknowledged and is gone") }
            // At most the one that was being made is there besides.
            #expect(ports.keys.filter { $0.hasPrefix("r\(round)-") }.count <= acknowledged.count + 1)
        }
    }

    @Test func withoutTheOtherProgramTheCommandSaysWhatIsMissing() throws {
        let folder = TemporaryFolder()
        let alone = folder.name("weft")
        try FileManager.default.copyItem(atPath: WeftProgram.path, toPath: alone)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: alone)
        process.arguments = ["controller"]
        process.standardError = FileHandle(forWritingAtPath: folder.file("stderr", ""))
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus != 0)
        #expect(String(decoding: folder.bytes("stderr"), as: UTF8.self).contains("weft-controller is missing"))
    }
}
