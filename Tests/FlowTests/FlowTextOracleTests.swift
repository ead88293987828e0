import Foundation
import Testing

@testable import Flow

/// Compares the reader and the writer with Open vSwitch's own, where `ovs-ofctl` is installed.
@Suite struct FlowTextOracleTests {
    private static let program = "/usr/bin/ovs-ofctl"

    /// What `ovs-ofctl parse-flow` says of a line sent in this protocol: nil when it refuses it, otherwise the part behind `ADD`.
    private func oracle(_ line: String, _ options: [String]) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = options + ["parse-flow", line]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0, !text.contains("decode error"), let add = text.range(of: ": ADD ") else { return nil }
        return String(text[add.upperBound...].prefix { $0 != "\n" })
    }

    /// The entry as OVS prints a flow modification.
    private func printed(_ e: FlowEntry) -> String {
        var s = e.table != 0 ? "table:\(e.table) " : ""
        let match = FlowText.text(e.match, priority: e.priority)
        s += match.isEmpty ? "" : match + " "
        if e.cookie != 0, e.cookie != .max { s += "cookie:0x\(String(e.cookie, radix: 16)) " }
        if e.idleTimeout != 0 { s += "idle:\(e.idleTimeout) " }
        if e.hardTimeout != 0 { s += "hard:\(e.hardTimeout) " }
        if e.importance != 0 { s += "importance:\(e.importance) " }
        for (flag, name) in [
            (FlowEntry.Flags.sendFlowRemoved, "send_flow_rem"), (.checkOverlap, "check_overlap"), (.resetCounts, "reset_counts"),
            (.noPacketCounts, "no_packet_counts"), (.noByteCounts, "no_byte_counts"),
        ] where e.flags.contains(flag) { s += name + " " }
        return s + "actions=" + FlowText.text(e.actions)
    }

    @Test func openVSwitchJudgesAndPrintsEveryLineAlike() throws {
        guard FileManager.default.isExecutableFile(atPath: Self.program) else {
            print("skipped: \(Self.program) is not installed (package openvswitch-common)")
            return
        }
        var used: Set<String> = []
        for line in FlowTextCorpus.lines {
            // OpenFlow 1.0 with Nicira's extensions has no instructions and writes set_field as load; OpenFlow 1.5 has no mod_… actions.
            let theirs = [try oracle(line, []), try oracle(line, ["-O", "OpenFlow15"])]
            let parsed = FlowText.parse(line)
            var ours: String?
            if parsed.isValid, case .flow(_, let e, _, _, _)? = parsed.modifications.first { ours = printed(e) }
            if ours == nil ? theirs == [nil, nil] : theirs.contains(ours) { continue }
            if FlowTextCorpus.differences[line] != nil {
                used.insert(line)
                continue
            }
            Issue.record(
                "\(line)\n  OVS:  \(theirs.map { $0 ?? "refused" })\n  Weft: \(ours ?? "refused: \(parsed.errors.first?.description ?? "")")")
        }
        #expect(Set(FlowTextCorpus.differences.keys).subtracting(used).isEmpty, "listed differences that are none")
    }
}

@Suite struct FlowSyntaxLedgerTests {
    private let ledger: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        ledger = try String(contentsOf: root.appendingPathComponent("Docs/Ledgers/FlowSyntax.md"), encoding: .utf8)
    }

    @Test func everyFieldAndActionHasARow() {
        for f in Field.allCases {
            for name in f.info.names + [f.info.nxm, f.info.oxm] where !name.isEmpty { #expect(ledger.contains("`\(name)`"), "\(name)") }
        }
        for name in ActionDirectory.names.names where name != "apply_actions" && name != "unroll_xlate" {
            #expect(ledger.range(of: "`\(name)[`:(]", options: .regularExpression) != nil, "\(name)")
        }
    }

    @Test func everyDifferenceIsExplained() {
        for reason in FlowTextCorpus.differences.values { #expect(ledger.contains("**\(reason)**"), "\(reason)") }
    }
}
