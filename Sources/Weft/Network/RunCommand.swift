import ArgumentParser
import Dispatch
import Foundation
import Logging
import ServiceLog
import SwitchAgent

/// `weft run`: a network made real on this host, with everything in one process.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a logical network on this host: what computes its entries and the switch that forwards, in one process.",
        discussion: """
            Runs in the foreground until SIGTERM or SIGINT. SIGHUP has it read the network file again and apply what is different, while traffic goes on; \
            a faulty file is refused as a whole. The commands of `weft switch` (`weft stats`, `weft flow dump`, `weft trace`, …) work on its socket.

            With several hosts in the file, run it on each with the same file: --host says which one this is.

            A port with 'tap' gets a TAP device of that name here, for a virtual machine; one with 'namespace' a device of the port's name in that network \
            namespace (`ip netns`), with the port's MAC; one with 'device' is that device.

            Examples:
              weft run network.yaml
              weft run network.yaml --host hostA --socket /run/weft/a.sock
            """)

    @Argument(help: ArgumentHelp("Network file in YAML.", valueName: "file")) var file: String
    @Option(help: ArgumentHelp("Which of the network's hosts this is (default: the only one).", valueName: "name")) var host: String?
    @Option(help: ArgumentHelp("The control socket (default: as `weft switch`).", valueName: "path")) var socket: String?
    @Option(help: ArgumentHelp("Forwarding threads.", valueName: "n")) var workers: Int = 1
    @Option(help: ArgumentHelp("What is logged: trace, debug, info, notice, warning, error or critical.", valueName: "level")) var logLevel: String =
        "info"

    /// ICMP errors and resets in the name of routers and rules (RFC 1812 §4.3.2.8 asks for a limit).
    static let answersPerSecond = 1000

    func validate() throws {
        if !(1...64).contains(workers) { throw ValidationError("--workers \(workers): must be 1 to 64") }
        if file == "-" { throw ValidationError("the network is read again on SIGHUP, so it must be a file") }
        if Logger.Level(rawValue: logLevel) == nil {
            throw ValidationError("--log-level \(logLevel): must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let network = try HostedNetwork(file, host: host)
        var configuration = network.configuration
        configuration.workers = workers
        try Privileges.drop(for: configuration)
        ServiceSignals.hold([SIGTERM, SIGINT, SIGHUP])
        let log = DaemonLog.logger(level: Logger.Level(rawValue: logLevel)!)
        let daemon: SwitchDaemon
        do {
            daemon = try SwitchDaemon(configuration, file: nil, socket: socket, log: log)
        } catch let error as ConfigurationError {
            throw CommandError(error.description)
        }
        daemon.addMethod("trace") { (call: ControlCall) throws(ControlError) -> Data in try LiveTrace.answer(call, daemon.virtualSwitch) }
        daemon.answerPackets(limit: Self.answersPerSecond) { network.answer($0) }
        // The entries before the first packet.
        if let (_, error) = daemon.virtualSwitch.applyAll(network.takeInitialEntries()) { throw CommandError("a flow entry is refused: \(error)") }
        daemon.start()
        log.notice("network runs", metadata: ["host": "\(network.host)", "entries": "\(network.entryCount)"])
        let queue = DispatchQueue(label: "signals")
        let isOver = DispatchSemaphore(value: 0)
        let sources = [SIGTERM, SIGINT, SIGHUP].map { DispatchSource.makeSignalSource(signal: $0, queue: queue) }
        for (source, number) in zip(sources, [SIGTERM, SIGINT, SIGHUP]) {
            source.setEventHandler { if number == SIGHUP { network.reload(daemon, log) } else { isOver.signal() } }
            source.resume()
        }
        isOver.wait()
        daemon.stop()
        for source in sources { source.cancel() }
    }
}
