import Testing

@testable import Flow

@Suite struct FlowTextErrorTests {
    @Test(arguments: [
        ("ip,nwsrc=1.2.3.4 actions=drop", 1, 4, "nwsrc", "nw_src"), ("\n\nip,nw_src=1.2.3 actions=drop", 3, 11, "1.2.3", nil),
        ("actions=outptu:1", 1, 9, "outptu", "output"), ("prioriy=5,actions=1", 1, 1, "prioriy", "priority"),
        ("flow add actions=load:1->NXM_NX_RG0[]", 1, 26, "NXM_NX_RG0", "NXM_NX_REG0"),
        ("tcp,tcp_flags=+sny actions=1", 1, 16, "sny", "syn"), ("zzzzzzzzzz=1 actions=1", 1, 1, "zzzzzzzzzz", nil),
    ])
    func anErrorNamesPlaceTokenAndTheNearestName(_ text: String, _ line: Int, _ column: Int, _ token: String, _ suggestion: String?) throws {
        let e = try #require(firstError(text))
        #expect(e.line == line)
        #expect(e.column == column)
        #expect(e.token == token)
        #expect(e.suggestion == suggestion)
        #expect(e.message.hasSuffix("."))
    }

    @Test func everyBadLineIsReportedAndGoodOnesAreKept() {
        let parsed = FlowText.parse("foo=1 actions=1\nactions=1\nbar\n# x\ntcp actions=2\nip,nw_src=x actions=3")
        #expect(parsed.errors.map(\.line) == [1, 3, 6])
        #expect(parsed.lines == [2, 5])
    }

    @Test func errorsAreCountedPastTheLimit() {
        let n = FlowTextLimits.diagnostics + 50
        let parsed = FlowText.parse(String(repeating: "x=1 actions=1\n", count: n))
        #expect(parsed.errors.count == FlowTextLimits.diagnostics)
        #expect(parsed.errorCount == n)
    }

    @Test(arguments: [
        "ct_state=+trk", "ct_zone=1", "nsh_spi=1", "packet_type=(0,0)", "recirc_id=1", "tun_metadata16=1", "dp_hash=1", "tun_gtpu_flags=1",
    ])
    func whatIsNotSupportedIsNamedSo(_ field: String) {
        #expect(firstError("\(field) actions=drop")?.message.contains("not supported yet") == true)
    }

    @Test func aLineAboveTheLimitIsOneErrorAndTheNextIsRead() {
        let parsed = FlowText.parse(String(repeating: "a", count: FlowTextLimits.lineBytes + 1) + "\nactions=1\n")
        #expect(parsed.errorCount == 1)
        #expect(parsed.errors.first?.message.contains("1048577 bytes") == true)
        #expect(parsed.lines == [2])
    }

    @Test func nestingIsBounded() {
        func nested(_ n: Int) -> String { "actions=" + String(repeating: "clone(", count: n) + "1" + String(repeating: ")", count: n) }
        #expect(FlowText.parse(nested(FlowTextLimits.nesting - 1)).isValid)
        #expect(firstError(nested(FlowTextLimits.nesting))?.message.contains("nested deeper") == true)
        #expect(firstError(nested(100_000))?.message.contains("nested deeper") == true)
        #expect(firstError("actions=" + String(repeating: "clone(", count: 100_000))?.message.contains("never closed") == true)
    }

    @Test func nulBytesAndInvalidUTF8AreErrors() {
        let nul = FlowText.parse(bytes: Array("actions=1\nactions=2".utf8) + [0] + Array("\nactions=3".utf8))
        #expect(nul.errors.map(\.line) == [2])
        #expect(nul.lines == [1, 3])
        let bad = FlowText.parse(bytes: [0xff, 0xfe, 0x3d, 0x31, 0x20] + Array("actions=1".utf8))
        #expect(bad.errors.first?.column == 1)
        #expect(bad.errors.first?.token == "\u{fffd}\u{fffd}")
        #expect(FlowText.parse(bytes: Array("actions=1 # ".utf8) + [0xff, 0]).isValid)
        #expect(FlowText.parse(bytes: []).modifications.isEmpty)
    }

    /// Neither traps nor keeps what it should not: mutations of good lines, seeds printed.
    @Test(arguments: [11, 12, 13] as [UInt64]) func mutatedLinesNeverTrap(_ seed: UInt64) {
        var g = SeededGenerator(state: seed)
        let lines = FlowTextCorpus.lines.map { Array($0.utf8) }
        let alphabet = Array("()[]=:,/.->0123456789abcdefx*+|\"# \t\r\u{0}\u{ff}".utf8)
        for i in 0..<3000 {
            var bytes = lines.randomElement(using: &g)!
            for _ in 0..<Int.random(in: 1...4, using: &g) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &g)
                switch Int.random(in: 0..<4, using: &g) {
                case 0: bytes[at] = alphabet.randomElement(using: &g)!
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(alphabet.randomElement(using: &g)!, at: at)
                default: bytes.insert(contentsOf: lines.randomElement(using: &g)!, at: at)
                }
            }
            let parsed = FlowText.parse(bytes: bytes)
            _ = FlowText.parseGroups(bytes: bytes)
            _ = FlowText.parseMeters(bytes: bytes)
            for m in parsed.modifications {
                guard case .flow(.add, let e, _, _, _) = m else { continue }
                let text = FlowText.text(e)
                let again = FlowText.parse(text)
                #expect(again.errors.map(\.description) == [], "seed \(seed), line \(i): \(String(decoding: bytes, as: UTF8.self)) → \(text)")
                #expect(again.modifications == [m], "seed \(seed), line \(i): \(text)")
            }
        }
    }

    @Test(arguments: [
        ("group_id=1,type=select,bucket=weight:5,output:1,bucket=actions=output:2,3", true), ("group_id=1,type=all,bucket=weight:5,output:1", false),
        ("group_id=1,type=indirect,bucket=1,bucket=2", false), ("type=all,bucket=1", false), ("group_id=1,bucket=1", false),
        ("group_id=1,type=ff,bucket=output:1", false), ("group_id=1,type=ff,bucket=watch_port:1,output:1", true), ("group_id=1,type=foo", false),
        ("group_id=4294967041,type=all", false), ("group_id=1,type=select,fields(ip_src)", false), ("group_id=1,type=all,bucket=weight:0", false),
        ("group_id=1,type=select,selection_method=hash,fields(ip_src,tcp_dst),bucket=1", true),
        ("group_id=1,type=select,selection_method=foo", false),
        ("group_id=1,type=all,bucket=bucket_id:3,1,bucket=bucket_id:3,2", false), ("group_id=1,type=all,bucket=goto_table:1", false),
    ])
    func groupsAreJudged(_ text: String, _ isGood: Bool) {
        #expect(FlowText.parseGroups(text).isValid == isGood, "\(FlowText.parseGroups(text).errors)")
        #expect(FlowText.parse("group add \(text)").isValid == isGood)
    }

    @Test(arguments: [
        ("meter=1 kbps band=type=drop rate=5", true), ("meter=1,pktps,burst,stats,bands=type=drop,rate=5,burst_size=6", true),
        ("meter=1 kbps bands=type=dscp_remark rate=5 prec_level=1 type=drop rate=7", true), ("meter=1 kbps", false),
        ("kbps band=type=drop rate=5", false),
        ("meter=1 band=type=drop rate=5", false), ("meter=1 kbps band=type=drop", false), ("meter=1 kbps band=rate=5", false),
        ("meter=1 kbps band=type=drop rate=5 burst_size=7", false), ("meter=1 kbps burst band=type=drop rate=5", false),
        ("meter=1 kbps band=type=dscp_remark rate=5", false), ("meter=0 kbps band=type=drop rate=5", false),
        ("meter=1 kbps pktps band=type=drop rate=5", false),
    ])
    func metersAreJudged(_ text: String, _ isGood: Bool) {
        #expect(FlowText.parseMeters(text).isValid == isGood, "\(FlowText.parseMeters(text).errors)")
        #expect(FlowText.parse("meter add \(text)").isValid == isGood)
    }
}
