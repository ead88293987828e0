import Foundation
import Testing

@Suite struct TraceCommandTests {
    private let folder = TemporaryFolder()
    private let flows = """
        group group_id=1,type=all,bucket=output:2,bucket=mod_dl_dst:02:00:00:00:00:09,output:3
        table=0,priority=20,arp,actions=drop
        table=0,cookie=0x5,priority=10,ip,nw_dst=10.0.0.2,actions=load:0x10->NXM_NX_REG1[],resubmit(,1)
        table=0,priority=10,ip,nw_dst=10.0.0.3,actions=group:1
        table=0,priority=10,ip,nw_dst=10.0.0.4,actions=resubmit(,0)
        table=0,priority=10,ip,nw_dst=10.0.0.5,actions=learn(table=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),output:1
        table=0,priority=10,mpls,actions=pop_mpls:0x0800,resubmit(,3)
        table=1,priority=50,reg1=0x11,actions=drop
        table=1,priority=40,ip,reg1=0x10,actions=dec_ttl,push_vlan:0x8100,set_field:4196->vlan_vid,output:2
        table=3,priority=1,ip,actions=output:4

        """

    private func trace(_ arguments: [String], flows text: String? = nil) throws -> WeftProgram.Outcome {
        try WeftProgram.run(["trace", "--flows", folder.file("flows", text ?? flows)] + arguments, in: folder)
    }

    @Test func theWalkNamesEntriesActionsAndChangedFields() throws {
        let run = try trace(["in_port=1,udp,nw_dst=10.0.0.2,tp_dst=53"])
        #expect(run.code == 0)
        for line in [
            "table 0: priority 10, cookie 0x5: ip,nw_dst=10.0.0.2", "reg1: 0 → 0x10", "table 1: priority 40, cookie 0x0: ip,reg1=0x10",
            "nw_ttl: 64 → 63",
            "vlan: none → 0", "vlan: 0 → 100", "→ port 2", "push VLAN tag 100", "send on port 2", "Verdict: sent on port 2", "IPv4: ttl 64 → 63",
            "802.1Q VLAN: added", "assumed: nw_ttl=64",
        ] { #expect(run.text.contains(line), "\(line)") }
        #expect(!run.text.contains("\u{1b}"), "colour is for terminals")
    }

    @Test func whyNotNamesTheFieldAndBothValues() throws {
        let run = try trace(["--why-not", "in_port=1,udp,nw_dst=10.0.0.2"])
        #expect(run.text.contains("not priority 50: reg1=0x11"))
        #expect(run.text.contains("reg1=0x11 is asked, reg1 is 0x10"))
        #expect(run.text.contains("eth_type=0x806 is asked, eth_type is 0x800"))
        #expect(!(try trace(["in_port=1,udp,nw_dst=10.0.0.2"])).text.contains("is asked"))
    }

    @Test func whyNotStopsAtItsLimitAndSaysHowManyAreLeft() throws {
        let text = (0..<30).map { "priority=\(100 + $0),udp,tp_dst=\(1000 + $0),actions=drop\n" }.joined() + "priority=1,actions=output:2\n"
        #expect(try trace(["--why-not", "in_port=1,udp,tp_dst=5"], flows: text).text.contains("and 20 more that do not match"))
        #expect(
            try trace(["--why-not", "--why-not-limit", "29", "in_port=1,udp,tp_dst=5"], flows: text).text.contains("and 1 more that do not match"))
    }

    @Test func groupsLimitsAndRecirculationAreToldWhereTheyHappen() throws {
        let group = try trace(["in_port=1,ip,nw_dst=10.0.0.3"]).text
        #expect(group.contains("group 1 (all): bucket 1"))
        #expect(group.contains("Verdict: sent on ports 2, 3"))
        let loop = try trace(["in_port=1,ip,nw_dst=10.0.0.4"]).text
        #expect(loop.contains("limit reached: resubmitDepth"))
        #expect(loop.contains("Verdict: dropped: resubmitDepth"))
        let learn = try trace(["in_port=1,ip,dl_src=02:00:00:00:00:77,nw_dst=10.0.0.5"]).text
        #expect(learn.contains("learns table 9, priority 32768: dl_dst=02:00:00:00:00:77 actions=output:1"))
        #expect(learn.contains("not sent: outputToIngress"))
        let mpls = try trace(["in_port=1,mpls,mpls_label=99"]).text
        #expect(mpls.contains("parsed anew"))
        #expect(mpls.contains("table 3: priority 1, cookie 0x0: ip"))
        #expect(mpls.contains("Verdict: sent on port 4"))
    }

    @Test func metadataOfTheDescriptionComesWithThePacket() throws {
        let text = "priority=10,reg0=5,tun_id=0x77,metadata=0x9,actions=output:2\npriority=1,actions=drop\n"
        #expect(try trace(["in_port=1,ip,reg0=5,tun_id=0x77,metadata=9"], flows: text).text.contains("Verdict: sent on port 2"))
        #expect(try trace(["in_port=1,ip,reg0=5,tun_id=0x78,metadata=9"], flows: text).text.contains("Verdict: dropped"))
    }

    @Test func jsonIsOneObjectWithTheWalkAndTheOutputs() throws {
        let object = try trace(["--json", "in_port=1,udp,nw_dst=10.0.0.2"]).object()
        for key in ["packet", "steps", "programs", "dependencies", "verdict", "outputs", "drops"] { #expect(object[key] != nil, "\(key)") }
        #expect(object["verdict"] as? String == "forwarded")
        let steps = try #require(object["steps"] as? [[String: Any]])
        #expect(steps.filter { $0["kind"] as? String == "table" }.compactMap { $0["table"] as? Int } == [0, 1])
        let output = try #require((object["outputs"] as? [[String: Any]])?.first)
        #expect(output["port"] as? String == "2")
        #expect((output["bytes"] as? String)?.hasPrefix("00000000000000000000000081000064") == true)
    }

    @Test func aCapturedPacketIsTheOneThatReplayForwards() throws {
        let capture = folder.file("c.pcap", PcapBytes.encode([PcapBytes.udp(host: 9), PcapBytes.udp(host: 2)]))
        let object = try trace(["--capture", capture, "--packet", "2", "--in-port", "1", "--json"]).object()
        let traced = try #require((object["outputs"] as? [[String: Any]])?.first?["bytes"] as? String)
        _ = try WeftProgram.run(["replay", "--flows", folder.name("flows"), "--in", "1=\(capture)", "--out", "2=\(folder.name("o"))"], in: folder)
        let replayed = PcapBytes.decode(folder.bytes("o")).map { $0.packet.map { String(format: "%02x", $0) }.joined() }
        #expect(replayed == [traced])
    }

    @Test func traceAndReplayAgreeOnTheQuickstartNetwork() throws {
        _ = try WeftProgram.run(
            ["replay", "--flows", Quickstart.flows, "--in", "1=\(Quickstart.folder)/port-1.pcap", "--fates", folder.name("fates"), "--no-cache"],
            in: folder)
        let fates = String(decoding: folder.bytes("fates"), as: UTF8.self).split(separator: "\n")
        // Every 97th packet: each trace is a process.
        for number in stride(from: 1, through: fates.count, by: 97) {
            let fate = try #require(JSONSerialization.jsonObject(with: Data(fates[number - 1].utf8)) as? [String: Any])
            let run = try WeftProgram.run(
                [
                    "trace", "--flows", Quickstart.flows, "--capture", "\(Quickstart.folder)/port-1.pcap", "--packet", "\(number)", "--in-port", "1",
                    "--json",
                ], in: folder)
            let object = try run.object()
            #expect(object["verdict"] as? String == fate["verdict"] as? String, "packet \(number)")
            let last = (object["steps"] as? [[String: Any]])?.last { $0["kind"] as? String == "table" }?["entry"] as? [String: Any]
            #expect(last?["table"] as? Int == (fate["lastMatch"] as? [String: Any])?["table"] as? Int, "packet \(number)")
        }
    }

    @Test(arguments: [
        ([], "no packet"), (["in_port=1,ip,nw_srx=3"], "nw_srx"), (["--capture", "c.pcap", "--in-port", "1"], "--packet"),
        (["--capture", "c.pcap", "--packet", "1"], "--in-port"), (["--capture", "c.pcap", "--packet", "0", "--in-port", "1"], "--packet 0"),
        (["--why-not-limit", "0", "ip"], "--why-not-limit 0"), (["--in-port", "70000000000", "--capture", "c", "--packet", "1"], "'70000000000'"),
    ])
    func aBadRequestIsNamedInTheMessage(_ arguments: [String], _ word: String) throws {
        let run = try trace(arguments)
        #expect(run.code != 0)
        #expect(run.errors.contains(word), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test func aPacketBeyondTheCaptureSaysHowManyThereAre() throws {
        let capture = folder.file("c.pcap", PcapBytes.encode([PcapBytes.udp()]))
        let run = try trace(["--capture", capture, "--packet", "2", "--in-port", "1"])
        #expect(run.code == 1)
        #expect(run.errors.contains("has 1 packets"))
    }
}
