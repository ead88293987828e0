import ArgumentParser
import Flow
import Foundation
import LogicalNetwork
import Translation

/// `weft net diff`
struct NetDiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Tell what leads from one version of a network to another: elements, and entries on hosts.",
        discussion: """
            The exit code is 0 when nothing changes, and 3 when something does.

            Example:
              weft net diff running.yaml new.yaml
            """)

    @Argument(help: ArgumentHelp("The network as it is.", valueName: "old")) var old: String
    @Argument(help: ArgumentHelp("The network as it shall be.", valueName: "new")) var new: String
    @Flag(help: "Also write each change of an entry, as a flow file's line behind its host.") var entries = false

    func run() throws {
        let before = try LoadedNetwork(old)
        let after = try LoadedNetwork(new)
        let difference = NetworkDifference(from: before.description, to: after.description)
        _ = before.translation.takeChanges()
        before.translation.apply(after.description)
        let changes = before.translation.takeChanges()
        let out = try OutputFile("-")
        for line in difference.lines { try out.write((line + "\n").utf8) }
        let total = changes.reduce(0) { $0 + $1.modifications.count }
        if difference.isEmpty {
            try out.write("nothing changes\n".utf8)
        } else {
            let hosts = changes.filter { !$0.modifications.isEmpty || $0.isGone }.count
            try out.write(
                "\(difference.summary); \(total) \(total == 1 ? "change" : "changes") of entries on \(hosts) \(hosts == 1 ? "host" : "hosts")\n".utf8)
        }
        for change in changes {
            if change.isGone {
                try out.write("  \(change.host): no longer part of the network\n".utf8)
            } else {
                try out.write("  \(change.host): \(change.modifications.count)\n".utf8)
            }
            if entries { for m in change.modifications { try out.write("    \(FlowText.text(m))\n".utf8) } }
        }
        try out.flush()
        if !difference.isEmpty { throw ExitCode(3) }
    }
}

/// Elements that two versions of a network do not share.
struct NetworkDifference {
    /// `+ port blue/web/vm1`, `- …`, `~ …`, by name.
    let lines: [String]
    /// `3 ports added, 1 rule changed`
    let summary: String
    var isEmpty: Bool { lines.isEmpty }

    init(from old: NetworkDescription, to new: NetworkDescription) {
        var before: [String: NetworkElement] = [:]
        old.forEachElement { before[$0.path] = $0 }
        var changes: [(path: String, sign: String)] = []
        new.forEachElement { element in
            let known = before.removeValue(forKey: element.path)
            if known == nil { changes.append((element.path, "+")) } else if known != element { changes.append((element.path, "~")) }
        }
        changes += before.keys.map { ($0, "-") }
        changes.sort { ($0.path, $0.sign) < ($1.path, $1.sign) }
        lines = changes.map { "\($0.sign) \($0.path)" }
        var counts: [String: [String: Int]] = [:]
        for change in changes {
            // The name is the last word.
            let kind = change.path.split(separator: " ").dropLast().joined(separator: " ")
            counts[change.sign, default: [:]][kind, default: 0] += 1
        }
        let words = [("+", "added"), ("-", "removed"), ("~", "changed")]
        summary = words.flatMap { sign, word in
            (counts[sign] ?? [:]).sorted { $0.key < $1.key }.map { "\($0.value) \($0.value == 1 ? $0.key : Self.plural($0.key)) \(word)" }
        }.joined(separator: ", ")
    }

    private static func plural(_ kind: String) -> String {
        kind.hasSuffix("y") ? kind.dropLast() + "ies" : kind.hasSuffix("switch") ? kind + "es" : kind + "s"
    }
}
