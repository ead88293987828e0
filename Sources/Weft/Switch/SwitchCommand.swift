import ArgumentParser
import Dispatch
import Foundation
import Logging
import ServiceLog
import SwitchAgent

/// `weft switch`: the daemon.
struct SwitchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch", abstract: "Run a switch: ports, tunnels and entries from a file, commands over a socket.",
        discussion: """
            Runs in the foreground until SIGTERM or SIGINT, logging to standard error. SIGHUP has it read its configuration again and apply what is \
            different; a faulty file is refused as a whole. Under systemd it reports when it forwards (Type=notify, tools/weft-switch.service).

            Without a configuration, and without 'flows' in one, the switch forwards as an Ethernet switch does (priority=0,actions=normal); \
            ports are added with `weft port add`.

            Root is needed for devices: CAP_NET_ADMIN and CAP_NET_RAW, and CAP_SYS_ADMIN while devices are in other namespaces. The rest is given up \
            at the start.

            Examples:
              weft switch --config /etc/weft/switch.yaml
              weft switch --config switch.yaml --check
              weft switch &  weft port add vm1 --kind tap; weft port list

            A configuration:
              workers: 1
              ports:
                - {name: vm1, number: 1, kind: tap}
                - {name: vm2, number: 2, kind: packet, device: veth2}
              flows: |
                priority=0,actions=normal
            """)

    @Option(help: ArgumentHelp("The configuration (YAML, Docs/Switch.md).", valueName: "file")) var config: String?
    @Option(help: ArgumentHelp("The control socket, instead of the configured one.", valueName: "path")) var socket: String?
    @Option(
        help: ArgumentHelp(
            "An OpenFlow controller besides the configured ones: tcp:HOST[:PORT], ssl:…, unix:PATH to connect to it; ptcp:[PORT][:ADDRESS], pssl:…, punix:PATH to listen for it; psnoop:PATH to be looked on at. Can be given several times.",
            valueName: "target")) var controller: [String] = []
    @Option(
        help: ArgumentHelp(
            "The host of the controller's network that this switch is: it does what that says of the host, and goes on by it when the controller is gone.",
            valueName: "name")) var host: String?
    @Option(
        help: ArgumentHelp(
            "The channel of a logical controller, tcp:HOST:PORT or ssl:HOST:PORT: the switch makes its host's entries itself of what that says. Can be given several times: the controller that leads is found.",
            valueName: "target")) var chassis: [String] = []
    @Flag(help: "Let controllers and commands use devices in network namespaces, as 'namespaces: true' in the configuration does.") var namespaces =
        false
    @Option(help: ArgumentHelp("What is logged: trace, debug, info, notice, warning, error or critical.", valueName: "level")) var logLevel: String?
    @Flag(help: "Read the configuration and the tables it names, tell what is wrong, and end.") var check = false
    @Flag(help: "Stay in the foreground: what it does anyway.") var foreground = false
    @Flag(help: "Keep all capabilities, for debugging.") var keepCapabilities = false

    func validate() throws {
        if let logLevel, Logger.Level(rawValue: logLevel) == nil {
            throw ValidationError("--log-level \(logLevel): must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    /// The configuration, with what the command line adds.
    private func load() throws -> SwitchConfiguration {
        var configuration = try SwitchDaemon.load(config)
        for text in controller where OpenFlowTarget(text) == nil {
            throw ValidationError("--controller \(text): must be like tcp:127.0.0.1:6653, unix:PATH, ptcp:6653 or punix:PATH")
        }
        for text in chassis {
            guard case .connect? = OpenFlowTarget(text) else {
                throw ValidationError("--chassis \(text): must be like tcp:192.0.2.1:6654 or ssl:192.0.2.1:6654")
            }
        }
        complete(&configuration)
        if configuration.host != nil {
            guard configuration.looksForController else {
                throw ValidationError("--host: there is no controller to ask; give one by --controller tcp:HOST or --chassis tcp:HOST:PORT")
            }
        } else if !chassis.isEmpty {
            throw ValidationError("--chassis needs --host: which host of the network this is")
        }
        return configuration
    }

    /// Adds what the command line says.
    private func complete(_ configuration: inout SwitchConfiguration) {
        configuration.controllers += controller.compactMap { OpenFlowTarget($0) }
        configuration.chassis += chassis.compactMap { OpenFlowTarget($0) }
        if namespaces { configuration.allowsNamespaces = true }
        if let host { configuration.host = host }
        // Without a controller a host goes on by what it has.
        if configuration.host != nil { configuration.failMode = .secure }
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let configuration: SwitchConfiguration
        do {
            configuration = try load()
            if check {
                try SwitchDaemon.check(configuration, file: config)
                return try OutputFile.print("\(config ?? "the standard configuration"): good")
            }
        } catch let error as ConfigurationError {
            FileHandle.standardError.write(Data((error.description + "\n").utf8))
            throw ExitCode(1)
        }
        ReturnedMemory.begin()
        // Before there are threads.
        if !keepCapabilities { try Privileges.drop(for: configuration) }
        // Taken from the queue below.
        ServiceSignals.hold([SIGTERM, SIGINT, SIGHUP])
        let log = DaemonLog.logger(level: logLevel.flatMap(Logger.Level.init(rawValue:)) ?? configuration.logLevel)
        let daemon: SwitchDaemon
        do {
            daemon = try SwitchDaemon(configuration, file: config, socket: socket, log: log)
        } catch let error as ConfigurationError {
            FileHandle.standardError.write(Data((error.description + "\n").utf8))
            throw ExitCode(1)
        }
        daemon.hostName = configuration.host
        daemon.commandLine = { complete(&$0) }
        daemon.addMethod("trace") { (call: ControlCall) throws(ControlError) -> Data in try LiveTrace.answer(call, daemon.virtualSwitch) }
        daemon.start()
        let chassis = try ChassisHost(daemon, log: log)
        let queue = DispatchQueue(label: "signals")
        let isOver = DispatchSemaphore(value: 0)
        let sources = [SIGTERM, SIGINT, SIGHUP].map { DispatchSource.makeSignalSource(signal: $0, queue: queue) }
        for (source, number) in zip(sources, [SIGTERM, SIGINT, SIGHUP]) {
            source.setEventHandler { if number == SIGHUP { daemon.requestReload() } else { isOver.signal() } }
            source.resume()
        }
        isOver.wait()
        chassis?.stop()
        daemon.stop()
        for source in sources { source.cancel() }
    }
}
