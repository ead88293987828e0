import ArgumentParser
import Foundation
import SwitchAgent

/// `weft stats`: what a running switch does.
struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "What a running switch has counted: ports, drops by reason, workers, cache.",
        discussion: """
            With --watch the table is drawn anew every --interval seconds, with rates since the last time; on a terminal in place, otherwise one after \
            the other. End it with Ctrl-C.

            A worker's busy share is the share of its turns that found packets: 0 % for a worker that sleeps, not the share of a processor.
            """)
    @OptionGroup var control: ControlOptions
    @Flag(help: "Show it again and again, with rates.") var watch = false
    @Option(help: ArgumentHelp("Seconds between two tables.", valueName: "seconds")) var interval: Double = 1
    @Option(help: ArgumentHelp("End after so many tables.", valueName: "n")) var count: Int?

    func validate() throws {
        if !(0.1...3600).contains(interval) { throw ValidationError("--interval \(interval): must be 0.1 to 3600 seconds") }
        if let count, count < 1 { throw ValidationError("--count \(count): must be at least 1") }
        if count != nil, !watch { throw ValidationError("--count needs --watch") }
    }

    func run() throws {
        let client = try control.connect()
        var last = (report: try client.request("switch.stats", SwitchReport.self), time: DispatchTime.now())
        if !watch { return control.json ? try control.printJSON(last.report) : try OutputFile.print(StatsTable(last.report).text()) }
        let isTerminal = isatty(STDOUT_FILENO) != 0 && !control.json
        var shown = 0
        while count.map({ shown < $0 }) ?? true {
            usleep(UInt32(interval * 1e6))
            let now = (report: try client.request("switch.stats", SwitchReport.self), time: DispatchTime.now())
            let seconds = Double(now.time.uptimeNanoseconds - last.time.uptimeNanoseconds) / 1e9
            if control.json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                try OutputFile.print(String(decoding: try encoder.encode(now.report), as: UTF8.self))
            } else {
                let text = StatsTable(now.report, since: last.report, seconds: seconds, style: .standardOutput).text()
                // Home, draw over, clear the rest of each line and of the screen: no flicker.
                try OutputFile.print(
                    isTerminal
                        ? "\u{1b}[H" + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\u{1b}[K\n")
                            + "\u{1b}[K\u{1b}[J" : text + "\n")
            }
            last = now
            shown += 1
        }
    }
}
