import Foundation
import Testing

@Suite struct NetCommandTests {
    static var example: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Docs/Examples/two-hosts.yaml").path
    }
    private let folder = TemporaryFolder()
    private func net(_ arguments: String..., input: [UInt8] = []) throws -> WeftProgram.Outcome {
        try WeftProgram.run(["net"] + arguments, input: input, in: folder)
    }

    @Test func checkCountsARightNetwork() throws {
        let run = try net("check", Self.example)
        #expect(run.code == 0 && run.errors == "")
        #expect(run.text.contains("is right: 2 tenants, 3 switches, 1 router, 6 ports, 6 access rules; on 2 hosts "))
        let object = try net("check", Self.example, "--json").object()
        #expect(object["ports"] as? Int == 6 && (object["entries"] as? [String: Int])?.keys.sorted() == ["hostA", "hostB"])
    }

    @Test func checkTellsEveryFaultWithFileAndLineAndFails() throws {
        let file = folder.file("net.yaml", "hosts:\n  a: {address: 10.0.0.1}\n  b: {address: 10.0.0.1}\ntenants:\n  t: {colour: red}\n")
        let run = try net("check", file)
        #expect(run.code == 1 && run.text == "")
        #expect(
            run.errors == "\(file):3:3: host b has the address 10.0.0.1 of host a\n"
                + "\(file):5:7: tenant t has no key 'colour'; it has address-sets, routers, switches\n")
    }

    @Test(arguments: [
        (["check", "/nowhere/net.yaml"], "No such file"), (["dump", "x", "--plane", "cpcp"], "--plane cpcp needs --host"),
        (["dump", "x", "--plane", "lfp", "--host", "a"], "--host is for"), (["dump", "x"], "--plane"), (["dump", "x", "--plane", "other"], "other"),
    ])
    func wrongUseIsExplained(arguments: [String], expected: String) throws {
        let run = try WeftProgram.run(["net"] + arguments, in: folder)
        #expect(run.code != 0 && run.errors.contains(expected), "\(run.errors)")
    }

    @Test func theDumpOfAHostIsAFlowFileThatReadsBackWithoutErrors() throws {
        for host in ["hostA", "hostB"] {
            let dump = try net("dump", Self.example, "--plane", "cpcp", "--host", host)
            #expect(dump.code == 0)
            let check = try WeftProgram.run(["flows", "check", folder.file("\(host).flows", dump.output)], in: folder)
            #expect(check.code == 0, "\(check.errors)\(check.text)")
        }
        let run = try net("dump", Self.example, "--plane", "cpcp", "--host", "hostC")
        #expect(run.code == 1 && run.errors.contains("no host 'hostC'"))
    }

    @Test func theUniversalPlaneIsInTheDumpOfEveryHostThatNeedsIt() throws {
        func lines(_ arguments: String...) throws -> Set<Substring> {
            Set(try WeftProgram.run(["net", "dump", Self.example] + arguments, in: folder).text.split(separator: "\n"))
        }
        let universal = try lines("--plane", "upcp")
        let a = try lines("--plane", "cpcp", "--host", "hostA"), b = try lines("--plane", "cpcp", "--host", "hostB")
        // Port security is on the port's host only.
        let security = universal.filter { line in ["table=8,", "table=9,", "table=10,"].contains { line.contains($0) } && line.contains("reg0=") }
        #expect(universal.count > 100 && universal.isSubset(of: a.union(b)) && !security.isEmpty)
        #expect(universal.subtracting(security).isSubset(of: a) && universal.subtracting(security).isSubset(of: b))
        #expect(security.intersection(a).isDisjoint(with: b))
        // What differs are ports and tunnels.
        for line in a.symmetricDifference(b).subtracting(security) {
            #expect(
                ["table=0,", "table=0 ", "table=1,", "table=42,", "table=43,"].contains { line.contains($0) } || line.contains("in_port="), "\(line)")
        }
    }

    @Test func theLogicalPlaneSpeaksInTheNetworksNames() throws {
        let text = try net("dump", Self.example, "--plane", "lfp").text
        #expect(text.contains("blue/web, L2 forwarding, 50: dl_dst=02:00:00:00:00:02 → out=blue/web/vm2, next(switch egress access)\n"))
        #expect(text.contains("blue/edge, routing, 124: ip,nw_dst=10.0.2.0/24 → next_hop="))
        #expect(text.contains("blue/db, switch egress access, 16096: tcp,tp_dst=23 → controller(reject)\n"))
        #expect(
            text.contains(
                "blue/edge, address resolution, 51: out=blue/edge/to-db,next_hop_address=10.0.2.10/32,ip → load:0x20000000004->NXM_OF_ETH_DST[], next(egress mapping)\n"
            ))
    }

    @Test func explainTellsEachStageOfAPacketsWay() throws {
        let run = try net("explain", Self.example, "blue/web/vm1", "vm4", "--protocol", "tcp", "--to-port", "22")
        #expect(run.code == 0, "\(run.errors)")
        let lines = run.text.split(separator: "\n").map(String.init)
        #expect(lines.first == "host hostA" && lines.last == "delivered to blue/db/vm4 on hostB")
        #expect(lines.contains { $0.hasPrefix("  routing ") && $0.contains("blue/edge  ip,nw_dst=10.0.2.0/24 → next_hop=") })
        #expect(lines.contains { $0.contains("tcp,nw_src=10.0.1.10,tp_dst=22 → next(egress mapping)") })
        #expect(lines.contains { $0.contains("done=egress mapping → next(local delivery)") })
        let order = [
            "port security", "L2 forwarding", "router admission", "routing", "address resolution", "physical mapping", "arrival by tunnel",
            "local delivery",
        ]
        let places = order.map { title in lines.firstIndex { $0.hasPrefix("  \(title) ") } ?? -1 }
        #expect(places == places.sorted() && places[0] > 0)
        let refused = try net("explain", Self.example, "blue/web/vm1", "vm4", "--protocol", "tcp", "--to-port", "23").text
        #expect(refused.hasSuffix("ends on hostA by rule blue/db/no-telnet, which is answered:\ndelivered to blue/web/vm1 on hostA\n"))
        let nowhere = try net("explain", Self.example, "blue/web/vm1", "10.66.0.1").text
        #expect(nowhere.hasSuffix("dropped on hostA by route of blue/edge that drops (routing)\n"))
        #expect(try net("explain", Self.example, "blue/web/vm1", "2001:db8:2::10").text.hasSuffix("delivered to blue/db/vm4 on hostB\n"))
        #expect(try net("explain", Self.example, "green/web/vm1", "10.0.2.10").errors.contains("knows no way"))
    }

    @Test func diffTellsElementsAndEntriesThatChange() throws {
        let text = try String(contentsOfFile: Self.example, encoding: .utf8)
        let same = try net("diff", Self.example, Self.example)
        #expect(same.code == 0 && same.text == "nothing changes\n")
        var changed = text.replacingOccurrences(of: "to-ports: 5432", with: "to-ports: 5433")
        changed = changed.replacingOccurrences(
            of: "host: hostB, tap: green-vm2}",
            with: "host: hostB, tap: green-vm2}\n          vm3: {mac: \"02:00:00:00:00:09\", addresses: [10.0.1.12], host: hostB}")
        let run = try net("diff", Self.example, folder.file("new.yaml", changed), "--entries")
        #expect(run.code == 3)
        let lines = run.text.split(separator: "\n").map(String.init)
        #expect(Array(lines.prefix(2)) == ["+ port green/web/vm3", "~ rule blue/db/postgres"])
        #expect(lines[2].hasPrefix("1 port added, 1 rule changed; ") && lines[2].hasSuffix(" changes of entries on 2 hosts"))
        // The rule is one entry, and goes before it comes.
        #expect(run.text.contains("tp_dst=5432") && run.text.contains("tp_dst=5433"))
        let hostA = lines.drop { $0 != lines[3] }.dropFirst().prefix { $0.hasPrefix("    ") }
        #expect(lines[3] == "  hostA: \(hostA.count)")
        // Nothing of green's switch but the new port's entries and the flood: no entry of another port is touched.
        #expect(!run.text.contains("02:00:00:00:00:02"))
    }

    @Test func showAndGraphNameWhatThereIs() throws {
        let text = try net("show", Self.example).text
        #expect(text.contains("tenant green\n  switch web") && text.contains("host hostB, 192.0.2.2\n") && text.contains("TAP blue-vm4"))
        let graph = try net("graph", Self.example).text
        #expect(graph.hasPrefix("graph network {") && graph.hasSuffix("}\n"))
        #expect(graph.contains("\"blue/edge\" -- \"blue/db\"") && graph.contains("\"green/web/vm1\" -- \"host hostA\""))
        #expect(graph.count(where: { $0 == "{" }) == graph.count(where: { $0 == "}" }))
    }
}

@Suite struct NetworkReplayTests {
    private let folder = TemporaryFolder()

    /// IPv4 from vm1 (02:…:01, 10.0.1.10) by UDP.
    private func udp(to mac: [UInt8], _ address: [UInt8], ttl: UInt8 = 64) -> [UInt8] {
        var ip: [UInt8] = [0x45, 0, 0, 46, 0, 0, 0, 0, ttl, 17, 0, 0, 10, 0, 1, 10] + address
        var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) { $0 + UInt32(ip[$1]) << 8 + UInt32(ip[$1 + 1]) }
        sum = (sum & 0xffff) + sum >> 16
        ip[10] = UInt8(~sum >> 8 & 0xff)
        ip[11] = UInt8(~sum & 0xff)
        return mac + [2, 0, 0, 0, 0, 1, 8, 0] + ip + [3, 232, 0, 80, 0, 26, 0, 0] + [UInt8](repeating: 7, count: 18)
    }

    @Test func packetsOfTwoTenantsGoTheirWaysAndTheirFatesAreTold() throws {
        let (vm2, router): ([UInt8], [UInt8]) = ([2, 0, 0, 0, 0, 2], [2, 1, 1, 1, 1, 1])
        let blue = folder.file(
            "blue.pcap", PcapBytes.encode([udp(to: vm2, [10, 0, 1, 11]), udp(to: router, [10, 0, 2, 10]), udp(to: router, [9, 9, 9, 9])]))
        let green = folder.file("green.pcap", PcapBytes.encode([udp(to: vm2, [10, 0, 1, 11]), udp(to: router, [10, 0, 2, 10])]))
        let run = try WeftProgram.run(
            [
                "replay", "--network", NetCommandTests.example, "--in", "blue/web/vm1=\(blue)", "--in", "green/web/vm1=\(green)", "--out",
                "blue/web/vm2=\(folder.name("b.pcap"))", "--out", "green/web/vm2=\(folder.name("g.pcap"))", "--out", "vm4=\(folder.name("v4.pcap"))",
                "--fates", folder.name("fates"), "--json",
            ], in: folder)
        #expect(run.code == 0, "\(run.errors)")
        let object = try run.object()
        #expect(
            object["packets"] as? Int == 5 && object["delivered"] as? Int == 3 && object["answered"] as? Int == 1 && object["tunneled"] as? Int == 2)
        #expect(
            object["drops"] as? [String: Int] == [
                "switch egress access: default of blue/db, out": 1, "L2 forwarding: unknown address on green/web": 1,
            ])
        #expect(object["controllerPackets"] as? [String: Int] == ["no route at blue/edge": 1])
        for file in ["b.pcap", "g.pcap"] {
            #expect(PcapBytes.decode(folder.bytes(file)).map(\.packet) == [udp(to: vm2, [10, 0, 1, 11])])
        }
        #expect(PcapBytes.decode(folder.bytes("v4.pcap")).isEmpty)
        let fates = String(decoding: folder.bytes("fates"), as: UTF8.self).split(separator: "\n")
        #expect(fates.count == 5)
        #expect(fates[0].contains(#""from":"blue/web/vm1","hosts":["hostA","hostB"],"packet":1"#) && fates[0].contains(#""to":["blue/web/vm2"]"#))
        #expect(
            fates.contains { $0.contains(#""by":"default of blue/db, out","host":"hostA","reason":"actionDrop","stage":"switch egress access""#) })
    }

    @Test(arguments: [
        (["--in", "vm1=x.pcap"], "may be blue/web/vm1, green/web/vm1"), (["--in", "vm9=x.pcap"], "no port 'vm9'"),
        (["--in", "vm3=x.pcap", "--repeat", "3"], "--repeat is for --flows"),
        (["--in", "vm3=x.pcap", "--flows", "f"], "give --flows FILE, or --network FILE"),
        ([], "no input"), (["--in", "vm3=x", "--out", "vm4=a", "--out", "db/vm4=b"], "has an --out already"),
    ])
    func wrongUseIsExplained(arguments: [String], expected: String) throws {
        folder.file("x", PcapBytes.encode([]))
        let arguments = arguments.map {
            $0.replacingOccurrences(of: "=x", with: "=\(folder.name("x"))").replacingOccurrences(of: "x.pcap", with: "x")
        }
        let run = try WeftProgram.run(
            ["replay", "--network", NetCommandTests.example]
                + arguments.map {
                    $0.replacingOccurrences(of: "=a", with: "=\(folder.name("a"))").replacingOccurrences(of: "=b", with: "=\(folder.name("b"))")
                }, in: folder)
        #expect(run.code != 0 && run.errors.contains(expected), "\(run.errors)")
    }
}
