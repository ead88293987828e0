import Datapath
import Foundation
import Testing

/// `Docs/Pipeline.md` against the code.
@Suite struct PipelinePageTests {
    private static func page() throws -> [Substring] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "Docs/Pipeline.md"), encoding: .utf8).split(separator: "\n")
    }

    @Test func everyDropReasonHasARow() throws {
        let lines = try Self.page()
        for reason in DropReason.allCases {
            #expect(lines.contains { $0.hasPrefix("| `\(reason.name)` | ") }, "\(reason.name) has no row")
        }
    }

    @Test func everyLimitHasARowWithItsValue() throws {
        let lines = try Self.page()
        var limits = Mirror(reflecting: Limits()).children.compactMap { child in child.label.map { ($0, "\(child.value)") } }
        limits.append(("mplsLabels", "\(Limits.mplsLabels)"))
        #expect(limits.count > 1)
        for (name, value) in limits {
            #expect(lines.contains { $0.hasPrefix("| `\(name)` | \(value) | ") }, "\(name), which is \(value), has no row")
        }
    }
}
