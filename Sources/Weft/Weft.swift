import ArgumentParser

@main
struct Weft: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft", abstract: "Virtual networks for Linux hosts: run a switch, replay, trace and measure flow tables.",
        subcommands: [
            RunCommand.self, ControllerCommand.self, SwitchCommand.self, PortCommand.self, FlowCommand.self, StatsCommand.self, CaptureCommand.self,
            TraceCommand.self,
            ReplayCommand.self,
            NetCommand.self, FlowsCommand.self, BenchCommand.self,
        ])
}
