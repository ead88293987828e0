import Foundation
import Testing

/// Runs `Tests/Peer/run-cases`: the same flows and packets through Weft and through Open vSwitch, where that is installed.
@Suite struct PeerTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    /// A case of each kind that takes a second: tables, fragments, rewriting, tags, labels, groups, learning.
    private static let quickCases = ["resubmit-tables", "match-fragments", "set-ipv4-tos-ttl", "set-transport", "pop-mpls", "groups", "learn-limit"]

    /// The program that the tests were built with.
    private static var weft: URL? {
        let fromEnvironment = ProcessInfo.processInfo.environment["WEFT_PROGRAM"].map { URL(fileURLWithPath: $0) }
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("weft")
        return [fromEnvironment, beside].compactMap { $0 }.first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    /// All cases with `WEFT_PEER_CASES=all`, which takes some minutes; otherwise the quick ones.
    @Test func whatLeavesEachPortIsWhatLeavesOpenVSwitch() throws {
        for program in ["ovs-vswitchd", "ovsdb-server"] where !FileManager.default.isExecutableFile(atPath: "/usr/sbin/\(program)") {
            print("skipped: /usr/sbin/\(program) is not installed (package openvswitch-switch)")
            return
        }
        guard let weft = Self.weft else {
            print("skipped: there is no program weft beside the tests, and WEFT_PROGRAM names none")
            return
        }
        let cases = ProcessInfo.processInfo.environment["WEFT_PEER_CASES"] == "all" ? [] : Self.quickCases
        let process = Process()
        process.executableURL = Self.root.appendingPathComponent("Tests/Peer/run-cases")
        process.arguments = cases + ["--limit", "1", "--weft", weft.path]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
    }
}
