import Foundation
import Testing

/// The examples of README.md, run as they stand there: each command block, and the output blocks that follow it.
@Suite struct DocumentExampleTests {
    struct Example: CustomTestStringConvertible, Sendable {
        var command: String
        /// Runs of lines that follow each other in the output, in this order.
        var outputs: [[String]]
        var testDescription: String { command }
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Examples that take seconds or build something are not run here.
    static let examples: [Example] = {
        var found: [Example] = []
        var block: [String]?
        for line in try! String(contentsOfFile: root + "/README.md", encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
            // What follows takes root and devices; `SwitchCommandTests` does the like in namespaces.
            if line == "## A live switch" { break }
            guard line.hasPrefix("```") else {
                block?.append(String(line))
                continue
            }
            guard let lines = block else {
                block = []
                continue
            }
            block = nil
            let text = lines.joined(separator: "\n")
            if text.contains("$weft ") {
                found.append(Example(command: text, outputs: []))
            } else if !found.isEmpty {
                found[found.count - 1].outputs.append(lines)
            }
        }
        return found.filter { !$0.outputs.isEmpty }
    }()

    /// Times differ from machine to machine.
    private func withoutTimes(_ line: String) -> String { line.replacing(#/ in [0-9.]+ s\./#, with: " in … s.") }

    @Test(arguments: examples) func anExampleOfTheREADMEGivesTheOutputShownThere(_ example: Example) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.currentDirectoryURL = URL(fileURLWithPath: Self.root)
        process.arguments = ["-c", "weft='\(WeftProgram.path)'\nq=Tests/Captures/Quickstart\n" + example.command]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        var rest = text.split(separator: "\n", omittingEmptySubsequences: false).map { withoutTimes(String($0)) }[...]
        for lines in example.outputs.map({ $0.map(withoutTimes) }) {
            let at = rest.indices.first { rest[$0...].starts(with: lines) }
            guard let at else {
                Issue.record("\(lines.joined(separator: "\n"))\nis not in\n\(text)")
                return
            }
            rest = rest[(at + lines.count)...]
        }
    }

    @Test func theREADMEHasExamples() { #expect(Self.examples.count >= 3) }
}
