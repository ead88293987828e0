import Foundation
import Testing

/// Runs what of `Tests/Conformance` is quick: a switch between controllers that misbehave, and beside Open vSwitch.
///
/// All sessions and other people's controllers, which take some minutes and packages from PyPI, run with `WEFT_CONFORMANCE=all`.
@Suite(.serialized) struct ConformanceTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Conformance"
    private static let isAll = ProcessInfo.processInfo.environment["WEFT_CONFORMANCE"] == "all"
    private static let weft = ProcessInfo.processInfo.environment["WEFT_PROGRAM"] ?? WeftProgram.path
    /// What test drivers take for "nothing was tested".
    private static let skipCode: Int32 = 77

    private func run(_ script: String, _ arguments: [String] = []) throws {
        guard WeftProgram.find("python3") != nil else {
            print("skipped: python3 is not installed")
            return
        }
        let outcome = try WeftProgram.runTool(
            "python3", ["\(Self.folder)/\(script)"] + arguments + ["--weft", Self.weft], in: TemporaryFolder())
        for line in "\(outcome.text)\n\(outcome.errors)".split(separator: "\n") where line.contains("skipped") { print("\(script): \(line)") }
        if outcome.code != Self.skipCode { #expect(outcome.code == 0, "\(outcome.text)\(outcome.errors)") }
    }

    @Test func misbehavingControllersAreBorne() throws { try run("robustness") }

    @Test func sessionsPrintWhatTheyPrintWithOpenVSwitch() throws {
        if Self.isAll {
            try run("ofctl-sessions")
        } else {
            try run("ofctl-sessions", ["--quick", "--protocol", "OpenFlow13"])
            try run("ofctl-sessions", ["--quick", "--protocol", "OpenFlow15", "--only", "flows:", "groups:", "bundles:", "meters:"])
        }
    }

    @Test func hostsReachEachOtherAsOtherPeoplesControllersSay() throws {
        guard Self.isAll else {
            print("skipped: controllers from PyPI are asked for by WEFT_CONFORMANCE=all")
            return
        }
        try run("controllers")
    }
}
