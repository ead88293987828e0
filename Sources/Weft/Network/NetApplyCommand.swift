import ArgumentParser
import Foundation
import Glibc

/// `weft net apply`
struct NetApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make a controller's network that of a file, after telling what that changes.",
        discussion: """
            Shows the plan first: the elements that change, and how many entries on which hosts. On a terminal it asks; elsewhere it acts only with --yes. When \
            somebody else changes the network between plan and act, nothing is applied.

            The exit code is 0 when the network is that of the file, 3 when it was not applied, and 1 for a faulty file.

            Example:
              weft net apply network.yaml --controller http://127.0.0.1:8653 --token-file /var/lib/weft/controller.sqlite.token
            """)

    @Argument(help: ArgumentHelp("Network file in YAML, or JSON when its name ends in .json; '-' is standard input.", valueName: "file")) var file:
        String
    @OptionGroup var controller: ControllerOptions
    @Flag(name: [.customLong("yes"), .customShort("y")], help: "Do not ask.") var yes = false
    @Flag(help: "Only show the plan.") var dryRun = false
    @Option(help: ArgumentHelp("Milliseconds to wait until the connected hosts forward by it, 0 to 60000.", valueName: "ms")) var wait = 5000

    func validate() throws {
        if controller.url == nil { throw ValidationError("--controller is missing: say where the controller is, as http://127.0.0.1:8653") }
        if !(0...60_000).contains(wait) { throw ValidationError("--wait \(wait): must be 0 to 60000") }
    }

    func run() throws {
        let network = try InputFile.read(file)
        let client = try controller.client()
        let plan = try client.plan(network, file: file)
        try OutputFile.print(plan.text)
        if plan.changes.isEmpty { return }
        if dryRun { throw ExitCode(3) }
        if !yes {
            guard isatty(STDIN_FILENO) != 0, file != "-" else {
                FileHandle.standardError.write(Data("not applied; --yes does it without asking\n".utf8))
                throw ExitCode(3)
            }
            FileHandle.standardError.write(Data("Apply? [y/N] ".utf8))
            guard ["y", "yes"].contains(readLine()?.lowercased() ?? "") else { throw ExitCode(3) }
        }
        let change = try client.apply(network, file: file, revision: plan.revision, wait: wait)
        var text = "applied as revision \(change.revision)"
        if let ms = change.millisecondsToForce {
            text += change.waiting.isEmpty ? ", in force after \(String(format: "%.1f", ms)) ms" : ""
        }
        if !change.waiting.isEmpty { text += "; not in force yet on \(change.waiting.joined(separator: ", "))" }
        try OutputFile.print(text)
    }
}
