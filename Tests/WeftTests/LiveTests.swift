import Foundation
import Testing

/// Runs `Tests/Live/run-live`: real switches between devices and peers in network namespaces; and twenty seconds of `tools/soak`.
@Suite(.serialized) struct LiveTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    private func run(_ program: String, _ arguments: [String]) throws -> WeftProgram.Outcome? {
        for tool in ["python3", "ip", "ping"] where WeftProgram.find(tool) == nil {
            print("skipped: \(tool) is not installed")
            return nil
        }
        if getuid() != 0 || access("/dev/net/tun", R_OK | W_OK) != 0 {
            print("skipped: network namespaces and TAP devices need root and /dev/net/tun")
            return nil
        }
        let weft = ProcessInfo.processInfo.environment["WEFT_PROGRAM"] ?? WeftProgram.path
        return try WeftProgram.runTool("python3", ["\(Self.root)/\(program)"] + arguments + ["--weft", weft], in: TemporaryFolder())
    }

    /// All cases with `WEFT_LIVE_CASES=all`, which takes some minutes; otherwise those marked quick.
    @Test func realDevicesAndPeersAreServed() throws {
        let isAll = ProcessInfo.processInfo.environment["WEFT_LIVE_CASES"] == "all"
        guard let outcome = try run("Tests/Live/run-live", isAll ? ["--all"] : []) else { return }
        for line in outcome.text.split(separator: "\n") where line.hasPrefix("skipped") { print(line) }
        #expect(outcome.code == 0, "\(outcome.text)\(outcome.errors)")
    }

    @Test func nothingGrowsInTwentySecondsOfMixedTraffic() throws {
        guard WeftProgram.find("iperf3") != nil else {
            print("skipped: iperf3 is not installed")
            return
        }
        guard let outcome = try run("tools/soak", ["0.33"]) else { return }
        #expect(outcome.code == 0, "\(outcome.text)\(outcome.errors)")
    }
}
