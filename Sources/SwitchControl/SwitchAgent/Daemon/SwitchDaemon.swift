import Datapath
import Dispatch
import Flow
import Foundation
import Logging
import Ports
import ServiceLog

/// A switch as a daemon: what its configuration says, kept so through reloads, with a control socket.
///
/// **Concurrency.** Everything runs on the control socket's thread once `start` has returned: requests, reloads, and a look at the devices once a second.
/// `stop` may be called from any other thread.
public final class SwitchDaemon: @unchecked Sendable {
    /// A port that is wanted, but whose device cannot be had now; tried again every second.
    struct WaitingPort: Codable, Sendable {
        var name: String
        var number: UInt32
        var kind: PortKind
        var reason: String
    }

    /// A port as configured, of either sort.
    enum Wanted: Equatable {
        case port(SwitchConfiguration.Port)
        case tunnel(SwitchConfiguration.Tunnel)
        var name: String {
            get {
                switch self {
                case .port(let p): p.name
                case .tunnel(let t): t.name
                }
            }
            set {
                switch self {
                case .port(var p):
                    p.name = newValue
                    self = .port(p)
                case .tunnel(var t):
                    t.name = newValue
                    self = .tunnel(t)
                }
            }
        }
        var number: UInt32? {
            switch self {
            case .port(let p): p.number
            case .tunnel(let t): t.number
            }
        }
        var kind: PortKind {
            switch self {
            case .port(let p): p.kind
            case .tunnel(let t): t.kind
            }
        }
        var queueing: PortQueueing? {
            get {
                switch self {
                case .port(let p): p.queueing
                case .tunnel(let t): t.queueing
                }
            }
            set {
                switch self {
                case .port(var p):
                    p.queueing = newValue
                    self = .port(p)
                case .tunnel(var t):
                    t.queueing = newValue
                    self = .tunnel(t)
                }
            }
        }
        /// Whether another one differs in nothing but its queues, which an open port takes over.
        func isSameDevice(as other: Wanted) -> Bool {
            var other = other
            other.queueing = queueing
            return self == other
        }
    }

    public let virtualSwitch: VirtualSwitch
    public let server: ControlServer
    public let log: Logger
    /// The configuration's file, nil when there is none.
    public let file: String?
    public private(set) var configuration: SwitchConfiguration
    private var program: ConfiguredProgram
    let factory: PortFactory
    /// What each port of the configuration was made of, by name; those added by command are in `added`.
    private(set) var configured: [String: Wanted] = [:]
    private(set) var added: [String: Wanted] = [:]
    /// Those of a controller's network, by the configuration channel.
    var published: [String: Wanted] = [:]
    /// The number of each wanted port by name.
    private(set) var numbers: [String: UInt32] = [:]
    private var waiting: [String: WaitingPort] = [:]
    private var timer: (any DispatchSourceTimer)?
    /// The OpenFlow side, when controllers are configured.
    public private(set) var agent: OpenFlowAgent?
    private var connections: OpenFlowConnections?
    private var connectionsTLS: OpenFlowConnections.TLS?
    /// The host of a controller's network that this switch is (`weft switch --host`); with it controllers have the configuration channel. Before `start`.
    public var hostName: String?
    /// Puts what the command line says into a configuration that is read anew. Before `start`.
    public var commandLine: @Sendable (inout SwitchConfiguration) -> Void = { _ in }
    /// Further methods of the control socket.
    var handlers: [String: (ControlCall) throws(ControlError) -> Data] = [:]

    /// Reads a configuration file with the tables that it names.
    public static func load(_ file: String?) throws(ConfigurationError) -> SwitchConfiguration {
        guard let file else { return SwitchConfiguration() }
        let text: String
        do throws(ConfigurationFile.Failure) {
            text = String(decoding: try ConfigurationFile.read(file), as: UTF8.self)
        } catch {
            throw ConfigurationError(file: file, faults: [ConfigurationFault(line: 0, column: 0, message: "cannot be read: \(error.reason)")])
        }
        return try SwitchConfiguration(yaml: text, file: file)
    }

    /// Reads also the tables that a configuration names, and throws what is wrong with them.
    public static func check(_ configuration: SwitchConfiguration, file: String?) throws(ConfigurationError) {
        _ = try ConfiguredProgram(configuration, file: file ?? "")
    }

    /// Prepares a switch; nothing forwards yet.
    ///
    /// - Parameters:
    ///   - file: where the configuration came from, for reloads and the files it names.
    ///   - socket: the control socket; nil: as configured.
    public init(_ configuration: SwitchConfiguration, file: String?, socket: String? = nil, log: Logger) throws {
        self.configuration = configuration
        self.file = file
        self.log = log
        program = try ConfiguredProgram(configuration, file: file ?? "")
        server = try ControlServer(path: socket ?? configuration.socket ?? ControlSocketPath.standard)
        var options = VirtualSwitch.Options()
        options.workers = configuration.workers
        options.spin = configuration.spin
        options.pinsWorkers = configuration.pinsWorkers
        virtualSwitch = try VirtualSwitch(options: options)
        factory = PortFactory(workers: configuration.workers, folder: (server.path as NSString).deletingLastPathComponent)
        factory.notice = { [log] in log.warning("port is not what was asked for", metadata: ["port": "\($0)", "reason": "\($1)"]) }
    }

    /// Opens ports, installs entries, forwards, and listens for commands.
    public func start() {
        virtualSwitch.onEvent = { [log, unowned self] event in
            agent?.handle(event)
            switch event {
            case .portAdded(let p):
                log.info("port added", metadata: ["port": "\(p.name)", "number": "\(p.number)", "kind": "\(p.kind.rawValue)", "as": "\(p.summary)"])
            case .portRemoved(let p):
                log.info("port removed", metadata: ["port": "\(p.name)", "number": "\(p.number)", "rx": "\(p.rxPackets)", "tx": "\(p.txPackets)"])
            case .portChanged(let p):
                log.info(
                    "port changed",
                    metadata: ["port": "\(p.name)", "number": "\(p.number)", "state": "\(p.status.words)", "mtu": "\(p.status.mtu)"])
            }
        }
        if let (_, error) = virtualSwitch.applyAll(program.modifications) { log.error("flow entry refused", metadata: ["reason": "\(error)"]) }
        factory.number = { [unowned self] in numbers[$0] }
        virtualSwitch.start()
        openAll(Self.wanted(configuration))
        applyControllers()
        server.handler = { [unowned self] (call: ControlCall) throws(ControlError) -> Data in try handle(call) }
        server.watched = { [factory] in factory.descriptors }
        server.onWatched = { [unowned self] in followDevices() }
        server.start()
        let timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + 1, repeating: 1, leeway: .milliseconds(200))
        timer.setEventHandler { [unowned self] in server.perform { [self] in retryWaiting() } }
        timer.resume()
        self.timer = timer
        log.info(
            "forwarding",
            metadata: [
                "workers": "\(configuration.workers)", "ports": "\(virtualSwitch.portCount)", "entries": "\(program.entries.count)",
                "socket": "\(server.path)",
            ])
        ServiceNotification.send("READY=1\nSTATUS=forwarding between \(virtualSwitch.portCount) ports\n")
    }

    /// Connects to the configured controllers and listens for others; what was configured before and is no more ends.
    ///
    /// - Returns: what was done, a line each.
    @discardableResult private func applyControllers() -> [String] {
        var options = OpenFlowAgent.Options()
        options.datapathID = configuration.datapathID ?? Self.datapathID(of: server.path)
        options.versions = configuration.protocols ?? options.versions
        options.isStandalone = configuration.failMode == .standalone && configuration.looksForController
        if let agent {
            agent.change(options)
        } else if configuration.controllers.isEmpty, hostName == nil {
            return []
        }
        let agent = agent ?? OpenFlowAgent(virtualSwitch, options: options)
        self.agent = agent
        agent.mapTunnelOptions = { [tunnels = factory.tunnels] in try tunnels.map($0) }
        if hostName != nil { agent.configurationHandler = { [unowned self] in answer($0, mayChange: $1, reply: $2) } }
        if connections != nil, connectionsTLS != configuration.tls {
            connections?.stop()
            connections = nil
        }
        var done: [String] = []
        do throws(PortError) {
            if self.connections == nil { self.connections = try OpenFlowConnections(agent: agent, tls: configuration.tls, log: log) }
            connectionsTLS = configuration.tls
            let connections = self.connections!
            let (old, new) = (connections.targets, Set(configuration.controllers))
            for target in old.subtracting(new) {
                connections.remove(target)
                done.append("controller \(target) removed")
            }
            for target in configuration.controllers where !old.contains(target) {
                do throws(PortError) {
                    try connections.add(target)
                    done.append("controller \(target) added")
                } catch {
                    log.error("controller refused", metadata: ["target": "\(target)", "reason": "\(error)"])
                }
            }
        } catch {
            log.error("no controllers", metadata: ["reason": "\(error)"])
        }
        return done
    }

    /// A datapath id that stays the same from start to start: of the host and the control socket.
    private static func datapathID(of path: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in (ProcessInfo.processInfo.hostName + path).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        // As if of a locally administered address.
        return hash & 0x0000_fdff_ffff_ffff | 0x0000_0200_0000_0000
    }

    /// Ends forwarding, closes ports and the socket.
    public func stop() {
        ServiceNotification.send("STOPPING=1\n")
        log.info("stopping")
        timer?.cancel()
        connections?.stop()
        server.stop()
        virtualSwitch.stop()
        factory.close()
        log.info("stopped")
    }

    // MARK: - Ports

    private static func wanted(_ c: SwitchConfiguration) -> [Wanted] { c.ports.map(Wanted.port) + c.tunnels.map(Wanted.tunnel) }

    var waitingPorts: [WaitingPort] { waiting.values.sorted { $0.number < $1.number } }

    /// The lowest number that no wanted port has.
    private func freeNumber() -> UInt32 {
        let taken = Set(numbers.values)
        return (1...).first { !taken.contains($0) }!
    }

    /// Makes ports of the configuration forward, each now or when its device is there. Those that name a number get it before the others choose.
    private func openAll(_ list: [Wanted]) {
        for wanted in list {
            configured[wanted.name] = wanted
            if let number = wanted.number { numbers[wanted.name] = number }
        }
        for wanted in list where numbers[wanted.name] == nil { numbers[wanted.name] = freeNumber() }
        for wanted in list { open(wanted, number: numbers[wanted.name]!) }
    }

    func open(_ wanted: Wanted, number: UInt32) {
        numbers[wanted.name] = number
        do throws(PortError) {
            try attach(wanted, number: number)
        } catch {
            wait(wanted, number: number, error)
        }
    }

    private func attach(_ wanted: Wanted, number: UInt32) throws(PortError) {
        let port: any LivePort
        switch wanted {
        case .port(let p): port = try factory.make(p, number: number)
        case .tunnel(let t): port = try factory.make(t, number: number)
        }
        do throws(PortError) {
            try virtualSwitch.addPort(port)
        } catch {
            port.close()
            throw error
        }
        try virtualSwitch.setQueues(number, wanted.queueing)
    }

    private func wait(_ wanted: Wanted, number: UInt32, _ error: PortError) {
        if waiting[wanted.name]?.reason != error.description {
            log.warning("port is waited for", metadata: ["port": "\(wanted.name)", "number": "\(number)", "reason": "\(error)"])
        }
        waiting[wanted.name] = WaitingPort(name: wanted.name, number: number, kind: wanted.kind, reason: error.description)
    }

    private func retryWaiting() {
        for port in waitingPorts {
            guard let wanted = configured[port.name] ?? added[port.name] ?? published[port.name] else { continue }
            do throws(PortError) {
                try attach(wanted, number: port.number)
                waiting[port.name] = nil
            } catch {
                wait(wanted, number: port.number, error)
            }
        }
        followDevices()
    }

    /// Has ports whose devices have changed look at them.
    private func followDevices() {
        for number in factory.changedPorts() {
            virtualSwitch.refreshPort(number)
            factory.refreshed(number)
        }
    }

    func close(_ name: String) {
        waiting[name] = nil
        guard let number = numbers.removeValue(forKey: name) else { return }
        virtualSwitch.removePort(number)
        factory.forget(name: name, number: number)
        // The other end of a patch waits for a new one.
        for other in Array(configured.values) + added.values {
            guard case .port(let p) = other, p.peer == name, let n = numbers[p.name], virtualSwitch.removePort(n) else { continue }
            factory.forget(name: p.name, number: n)
            wait(other, number: n, PortError("its other end \"\(name)\" is not there"))
        }
    }

    func isTaken(_ name: String) -> Bool { configured[name] != nil || added[name] != nil || published[name] != nil }

    /// Adds a port by command; it lasts until it is deleted or the switch stops.
    func add(_ wanted: Wanted) throws(ControlError) -> UInt32 {
        if isTaken(wanted.name) { throw ControlError(.refused, "there is a port \"\(wanted.name)\" already") }
        let number = wanted.number ?? freeNumber()
        if let other = numbers.first(where: { $0.value == number }) {
            throw ControlError(.refused, "port number \(number) is taken by \"\(other.key)\"")
        }
        numbers[wanted.name] = number
        do throws(PortError) {
            try attach(wanted, number: number)
        } catch {
            if case .port(let p) = wanted, p.kind == .patch {
                wait(wanted, number: number, error)
            } else {
                numbers[wanted.name] = nil
                throw ControlError(.failed, error.description)
            }
        }
        added[wanted.name] = wanted
        return number
    }

    /// Gives a port other queues; it stays as it is otherwise. Ports that are waited for get them when they come.
    func requeue(_ wanted: Wanted, in list: ReferenceWritableKeyPath<SwitchDaemon, [String: Wanted]>) {
        self[keyPath: list][wanted.name] = wanted
        guard let number = numbers[wanted.name], waiting[wanted.name] == nil else { return }
        do throws(PortError) { try virtualSwitch.setQueues(number, wanted.queueing) } catch {
            log.error("queues refused", metadata: ["port": "\(wanted.name)", "reason": "\(error)"])
        }
    }

    /// Gives a port, by name or number, other queues by command; until the configuration or the controller that it comes from says otherwise.
    func setQueues(_ text: String, _ queueing: PortQueueing?) throws(ControlError) -> String {
        let name = numbers[text] != nil ? text : UInt32(text).flatMap { n in numbers.first { $0.value == n }?.key }
        guard let name else { throw ControlError(.notFound, "there is no port \"\(text)\"") }
        for list in [\SwitchDaemon.configured, \.added, \.published] {
            guard var wanted = self[keyPath: list][name] else { continue }
            wanted.queueing = queueing
            requeue(wanted, in: list)
        }
        return name
    }

    /// Deletes a port by name or number.
    func remove(_ text: String) throws(ControlError) -> String {
        let name = numbers[text] != nil ? text : UInt32(text).flatMap { n in numbers.first { $0.value == n }?.key }
        guard let name else { throw ControlError(.notFound, "there is no port \"\(text)\"") }
        added[name] = nil
        configured[name] = nil
        published[name] = nil
        close(name)
        return name
    }

    /// The number of a port given by name or number.
    func number(of text: String) throws(ControlError) -> UInt32 {
        if let port = virtualSwitch.port(named: text) { return port.number }
        if let n = UInt32(text), virtualSwitch.hasPort(n) { return n }
        if let waiting = waiting[text] { throw ControlError(.refused, "port \"\(text)\" is not open: \(waiting.reason)") }
        let hint = FlowText.nearestName(to: text, among: Array(numbers.keys)).map { " (did you mean \($0)?)" } ?? ""
        throw ControlError(.notFound, "there is no port \"\(text)\"\(hint)")
    }

    // MARK: - Reload

    /// Reads the configuration anew and applies what is different; on a fault nothing changes and the faults are logged. From any thread.
    public func requestReload() {
        server.perform { [self] in
            do throws(ConfigurationError) {
                _ = try reload()
            } catch {
                log.error("configuration refused, the switch stays as it is", metadata: ["file": "\(file ?? "")"])
                for line in error.lines { log.error("\(line)") }
            }
        }
    }

    /// On the socket's thread. Returns what was done, a line each.
    func reload() throws(ConfigurationError) -> [String] {
        guard let file else { return [] }
        var new = try Self.load(file)
        commandLine(&new)
        let newProgram = try ConfiguredProgram(new, file: file)
        let difference = PortDifference(from: configured, to: Self.wanted(new))
        // What was added by command must not be in the way.
        var faults: [String] = []
        for wanted in difference.opened {
            if added[wanted.name] != nil { faults.append("\(file): the port \"\(wanted.name)\" was added by command; delete it first") }
            if let n = wanted.number, let other = numbers.first(where: { $0.value == n })?.key, other != wanted.name,
                !difference.closed.contains(other)
            {
                faults.append("\(file): number \(n) of port \"\(wanted.name)\" is taken by \"\(other)\"")
            }
        }
        if !Privileges.mayEnterNamespaces, let port = new.ports.first(where: { p in p.namespace != nil && configured[p.name] != .port(p) }) {
            faults.append("\(file): the switch has given up what it takes to enter namespace '\(port.namespace!)'; restart it")
        }
        if !faults.isEmpty { throw ConfigurationError(texts: faults) }

        var done: [String] = []
        for name in difference.closed {
            let keeps = difference.opened.contains { $0.name == name && $0.number == nil } ? numbers[name] : nil
            configured[name] = nil
            close(name)
            if let keeps { numbers[name] = keeps }
        }
        done += difference.lines
        openAll(difference.opened)
        for wanted in difference.requeued { requeue(wanted, in: \.configured) }
        let changes = program.changes(to: newProgram, live: virtualSwitch.entries().map(\.entry))
        if let (_, error) = virtualSwitch.applyAll(changes) { log.error("flow entry refused", metadata: ["reason": "\(error)"]) }
        if !changes.isEmpty { done.append("\(changes.count) changes of entries, groups and meters") }
        for (key, isSame) in [
            ("workers", new.workers == configuration.workers), ("spin", new.spin == configuration.spin),
            ("pin-workers", new.pinsWorkers == configuration.pinsWorkers), ("socket", new.socket == configuration.socket),
            ("host", new.host == configuration.host), ("chassis", new.chassis == configuration.chassis),
        ] where !isSame { done.append("\(key) takes effect at the next start") }
        if new.logLevel != configuration.logLevel {
            DaemonLog.setLevel(new.logLevel)
            done.append("log level \(new.logLevel.rawValue)")
        }
        configuration = new
        program = newProgram
        done += applyControllers()
        log.notice("configuration read anew", metadata: ["changes": "\(done.isEmpty ? "none" : done.joined(separator: "; "))"])
        return done
    }
}

/// Which ports a new configuration closes and opens; those that are equal are neither.
struct PortDifference {
    /// Names of ports that go, or are opened anew because they changed.
    var closed: [String] = []
    var opened: [SwitchDaemon.Wanted] = []
    /// Those that only have other queues.
    var requeued: [SwitchDaemon.Wanted] = []
    /// In words.
    var lines: [String] = []

    init(from old: [String: SwitchDaemon.Wanted], to new: [SwitchDaemon.Wanted]) {
        let names = Set(new.map(\.name))
        for name in old.keys.sorted() where !names.contains(name) {
            closed.append(name)
            lines.append("port \(name) removed")
        }
        for wanted in new where old[wanted.name] != wanted {
            if let other = old[wanted.name], other.isSameDevice(as: wanted) {
                requeued.append(wanted)
                lines.append("queues of port \(wanted.name) changed")
                continue
            }
            if old[wanted.name] != nil { closed.append(wanted.name) }
            opened.append(wanted)
            lines.append("port \(wanted.name) \(old[wanted.name] == nil ? "added" : "changed")")
        }
    }
}

extension PortStatus {
    /// `up`, or why it does not forward.
    public var words: String { !isPresent ? "no device" : !isUp ? "down" : !hasLink ? reason ?? "no carrier" : "up" }
}
