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
            The exit code is 0 when nothing changes, and 3 when something does. With --controller, what would lead from the controller's network to the file's.

            Examples:
              weft net diff running.yaml new.yaml
              weft net diff new.yaml --controller http://127.0.0.1:8653 --token-file token
            """)

    @Argument(help: ArgumentHelp("The network as it is, unless a controller has it, and the network as it shall be.", valueName: "file")) var files:
        [String]
    @OptionGroup var controller: ControllerOptions
    @Flag(help: "Also write each change of an entry, as a flow file's line behind its host.") var entries = false

    func validate() throws {
        if files.count != (controller.url == nil ? 2 : 1) {
            throw ValidationError(controller.url == nil ? "give two files, the old and the new one" : "with --controller, give one file")
        }
        if controller.url != nil, entries { throw ValidationError("--entries is for two files") }
    }

    func run() throws {
        if controller.url != nil {
            let plan = try controller.client().plan(try InputFile.read(files[0]), file: files[0])
            try OutputFile.print(plan.text)
            if !plan.changes.isEmpty { throw ExitCode(3) }
            return
        }
        let before = try LoadedNetwork(files[0])
        let after = try LoadedNetwork(files[1])
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
