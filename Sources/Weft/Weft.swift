import ArgumentParser

@main
struct Weft: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft", abstract: "Virtual networks for Linux hosts: replay, trace and measure flow tables.",
        subcommands: [ReplayCommand.self, TraceCommand.self, FlowsCommand.self, BenchCommand.self])
}
