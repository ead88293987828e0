import ArgumentParser
import Foundation
import SwitchAgent

/// What every command to a running switch has.
struct ControlOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The switch's control socket (default: $WEFT_SOCKET, or /run/weft/switch.sock for root, else weft/switch.sock in $XDG_RUNTIME_DIR).",
            valueName: "path"))
    var socket: String?
    @Flag(help: "Print JSON instead of text.") var json = false

    func connect() throws -> ControlClient { try ControlClient(path: socket ?? ControlSocketPath.standard) }

    func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try OutputFile.print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
