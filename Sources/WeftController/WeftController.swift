import ArgumentParser
import Controller
import Dispatch
import Foundation
import Logging
import PhysicalControl
import ServiceLog
import Translation

/// `weft controller`, which the program `weft` runs from beside itself.
@main
struct WeftController: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft controller", abstract: "Compute logical networks, and have the switches of many hosts do what they say.",
        discussion: """
            Runs in the foreground until SIGTERM or SIGINT. Hosts connect by `weft switch --host NAME --controller tcp:ADDRESS:PORT`; the network comes from the \
            store, is changed by HTTP (`weft net apply FILE --controller URL`), and by --network at the start and at SIGHUP. When the controller is gone, hosts \
            forward by what they have; when it is back, they are compared and told what differs.

            Several controllers with one store and different names take turns: one leads, the others wait for its lease to end. With --sets they share the work: \
            tenants are spread over sets of datapaths, and each controller that is there computes its share of the sets.

            The roles of a controller are in one process (--role all), or in several: a logical one computes and serves the interface, physical ones hold the \
            connections with hosts and are told by the channel of the logical one (--channel, --logical) what concerns these.

            Examples:
              weft controller --network network.yaml --store /var/lib/weft/controller.sqlite --listen tcp:0.0.0.0:6653
              weft controller --listen tls:0.0.0.0:6653 --tls-key c.key --tls-certificate c.pem --tls-authorities ca.pem
              weft controller --role logical --network network.yaml --channel tcp:192.0.2.1:6654
              weft controller --role physical --logical tcp:192.0.2.1:6654 --listen tcp:192.0.2.7:6653
              weft controller --role logical --name a --sets 4 --channel tcp:192.0.2.1:6654 --api tcp:127.0.0.1:8653
              weft controller --role logical --name b --sets 4 --channel tcp:192.0.2.1:6655 --api tcp:127.0.0.1:8654
            """)

    /// What the process does.
    enum Role: String, ExpressibleByArgument, CaseIterable { case all, logical, physical }

    @Option(help: "What the process does: all of it, compute ('logical'), or lead hosts ('physical').") var role: Role = .all
    @Option(
        help: ArgumentHelp(
            "Where physical controllers and hosts in chassis mode connect: tcp:[ADDRESS:]PORT or tls:[ADDRESS:]PORT. Can be given several times.",
            valueName: "address")) var channel: [String] = []
    @Option(
        help: ArgumentHelp(
            "The --channel of a logical controller, for --role physical. Can be given several times: each is heard for what it leads.",
            valueName: "address"
        )) var logical: [String] = []
    @Option(
        help: ArgumentHelp(
            "Sets of datapaths that logical controllers share, 1 to \(NumberSpace.setLimit); there may become more, never less. More than one takes --role logical.",
            valueName: "count")) var sets = 1

    @Option(help: ArgumentHelp("Make the network that of this file, in YAML, at the start and at SIGHUP.", valueName: "file")) var network: String?
    @Option(help: ArgumentHelp("Where hosts connect: tcp:[ADDRESS:]PORT or tls:[ADDRESS:]PORT. Can be given several times.", valueName: "address"))
    var listen: [String] = ["tcp:127.0.0.1:6653"]
    @Option(help: ArgumentHelp("Where the HTTP interface is: tcp:[ADDRESS:]PORT or tls:[ADDRESS:]PORT.", valueName: "address")) var api: String =
        "tcp:127.0.0.1:8653"
    @Option(help: ArgumentHelp("The SQLite file that keeps networks, numbers and leases; ':memory:' keeps nothing.", valueName: "file")) var store:
        String =
            "/var/lib/weft/controller.sqlite"
    @Option(
        help: ArgumentHelp(
            "Tokens for the HTTP interface, one in each line (default: the store's name with .token, made with a new one when missing).",
            valueName: "file")) var tokens: String?
    @Option(help: ArgumentHelp("How long a request of the HTTP interface may wait, at most.", valueName: "ms")) var waitLimit = 60_000
    @Option(
        help: ArgumentHelp(
            "What this controller is called in leases, one process by one name (default: the host's name, with /physical for that role).",
            valueName: "name"
        )) var name: String?
    @Option(help: ArgumentHelp("Seconds after which others take the lead of a controller that is silent, 1 to 300.", valueName: "seconds"))
    var lease = 5.0
    @Option(help: ArgumentHelp("The controller's key, in PEM.", valueName: "file")) var tlsKey: String?
    @Option(help: ArgumentHelp("The controller's certificate, in PEM.", valueName: "file")) var tlsCertificate: String?
    @Option(help: ArgumentHelp("Whose signature makes the certificates of switches good, in PEM.", valueName: "file")) var tlsAuthorities: String?
    @Flag(
        help: """
            Let hosts and physical controllers in by no names but those of their certificates (DNS names in subjectAltName): a host's name, a physical \
            controller's --name.
            """) var certificateNames = false
    @Option(help: ArgumentHelp("What is logged: trace, debug, info, notice, warning, error or critical.", valueName: "level")) var logLevel: String =
        "info"

    func validate() throws {
        for text in listen + channel + logical + [api] where StreamAddress(text) == nil {
            throw ValidationError("\(text): must be like tcp:127.0.0.1:6653 or tls:[::]:6653")
        }
        if !(0...600_000).contains(waitLimit) { throw ValidationError("--wait-limit \(waitLimit): must be 0 to 600000") }
        if !(1...NumberSpace.setLimit).contains(sets) { throw ValidationError("--sets \(sets): must be 1 to \(NumberSpace.setLimit)") }
        if sets > 1, role != .logical { throw ValidationError("--sets \(sets) takes --role logical: hosts are told of several sets by channels") }
        if !(1...300).contains(lease) { throw ValidationError("--lease \(lease): must be 1 to 300") }
        if Logger.Level(rawValue: logLevel) == nil {
            throw ValidationError("--log-level \(logLevel): must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        if (tlsKey == nil) != (tlsCertificate == nil) { throw ValidationError("--tls-key and --tls-certificate belong together") }
        if role == .physical, logical.isEmpty { throw ValidationError("--role physical needs the --logical controller that it is told by") }
        if role != .physical, !logical.isEmpty { throw ValidationError("--logical is for --role physical") }
        if role == .physical, !channel.isEmpty { throw ValidationError("--channel is for logical controllers") }
        if role == .physical, network != nil { throw ValidationError("--network is for logical controllers") }
        if role == .logical, channel.isEmpty { throw ValidationError("--role logical needs a --channel, or nobody would hear of it") }
        if certificateNames, let plain = ((role == .logical ? [] : listen) + channel).first(where: { $0.hasPrefix("tcp:") }) {
            throw ValidationError("--certificate-names: \(plain) has no certificates; use tls:")
        }
        let isSecure = (listen + channel + logical + [api]).contains { $0.hasPrefix("tls:") }
        if isSecure, tlsKey == nil { throw ValidationError("tls: addresses need --tls-key and --tls-certificate") }
        if (listen + channel + logical).contains(where: { $0.hasPrefix("tls:") }), tlsAuthorities == nil {
            throw ValidationError("tls: for hosts and controllers needs --tls-authorities: they are known by who signed their certificate")
        }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        ServiceSignals.hold([SIGTERM, SIGINT, SIGHUP])
        let log = DaemonLog.logger(level: Logger.Level(rawValue: logLevel)!)
        let tls = tlsKey.map { StreamTLS(key: $0, certificate: tlsCertificate!, authorities: tlsAuthorities) }
        if role == .physical { return try await runPhysical(tls, log) }
        if store != ":memory:" {
            try FileManager.default.createDirectory(
                atPath: (store as NSString).deletingLastPathComponent.isEmpty ? "." : (store as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true)
        }
        let kept: SQLiteStore
        do throws(StoreError) { kept = try SQLiteStore(store) } catch { throw Failure("\(store): \(error)") }
        let accepted = try loadTokens()
        var options = ControllerCore.Options(name: name ?? ProcessInfo.processInfo.hostName)
        options.leaseSeconds = lease
        options.requiresCertificateNames = certificateNames
        do throws(StoreError) {
            options.sets = try kept.sets(atLeast: sets, for: options.name, now: Date().timeIntervalSince1970)
        } catch { throw Failure("\(store): \(error)") }
        if options.sets > 1, role != .logical { throw Failure("\(store) has \(options.sets) sets of datapaths, which takes --role logical") }
        let core = ControllerCore(options, store: kept, log: log)
        core.start()
        try await apply(core, log, isStart: true)
        let hosts = StreamListener(core.physical, on: core.queue, log: log)
        if role == .all { try listen(hosts, listen, tls) }
        let controllers = StreamListener("controller", on: core.queue, log: log, tick: { core.channel.tick(now: $0) }) {
            core.channel.begin(peer: $0, $1)
        }
        try listen(controllers, channel, tls)
        let at = StreamAddress(api)!
        // Clients of the interface show a token, not a certificate.
        let apiTLS = at.isSecure ? tls.map { StreamTLS(key: $0.key, certificate: $0.certificate, authorities: nil) } : nil
        let interface = HTTPInterface(core, tokens: accepted, waitLimit: waitLimit)
        let server = Task {
            do {
                var quiet = log
                quiet.logLevel = log.logLevel
                try await interface.serve(at: at, tls: apiTLS, log: Logger(label: "http") { _ in SwiftLogNoOpLogHandler() }) { port in
                    log.notice("listening for HTTP", metadata: ["address": "\(at.address):\(port)", "tls": "\(at.isSecure)"])
                    ServiceNotification.send("READY=1\n")
                }
            } catch is CancellationError {
            } catch {
                log.critical("no HTTP interface", metadata: ["address": "\(at)", "reason": "\(error)"])
                Foundation.exit(1)
            }
        }
        let signals = Self.signals()
        for await number in signals {
            if number != SIGHUP { break }
            try? await apply(core, log, isStart: false)
        }
        ServiceNotification.send("STOPPING=1\n")
        server.cancel()
        core.stop()
        hosts.stop()
        controllers.stop()
        log.notice("stopped")
    }

    /// Leads hosts as a logical controller in another process tells.
    private func runPhysical(_ tls: StreamTLS?, _ log: Logger) async throws {
        let link = LogicalLink(name: name ?? ProcessInfo.processInfo.hostName + "/physical", log: log)
        link.physical.requiresCertificateNames = certificateNames
        let queue = DispatchQueue(label: "controller", qos: .userInitiated)
        let hosts = StreamListener(link.physical, on: queue, log: log)
        try listen(hosts, listen, tls)
        let client: StreamClient
        do {
            client = try StreamClient(logical.map { StreamAddress($0)! }, tls: tls, on: queue, log: log, tick: { link.tick(now: $0) }) {
                link.begin(peer: $0, $1)
            }
        } catch { throw Failure("TLS cannot be used: \(error)") }
        client.start()
        ServiceNotification.send("READY=1\n")
        for await number in Self.signals() where number != SIGHUP { break }
        ServiceNotification.send("STOPPING=1\n")
        hosts.stop()
        client.stop()
        log.notice("stopped")
    }

    private func listen(_ listener: StreamListener, _ addresses: [String], _ tls: StreamTLS?) throws {
        for text in addresses {
            do { _ = try listener.listen(StreamAddress(text)!, tls: tls) } catch { throw Failure("cannot listen at \(text): \(error)") }
        }
    }

    private static func signals() -> AsyncStream<Int32> {
        let queue = DispatchQueue(label: "signals")
        return AsyncStream<Int32> { continuation in
            for number in [SIGTERM, SIGINT, SIGHUP] {
                let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                // The handler holds its source, until the process ends.
                source.setEventHandler { withExtendedLifetime(source) { _ = continuation.yield(number) } }
                source.resume()
            }
        }
    }

    /// Makes the network that of the file; a faulty file changes nothing, and at the start ends the program.
    private func apply(_ core: ControllerCore, _ log: Logger, isStart: Bool) async throws {
        guard let network else { return }
        do {
            let text = try String(contentsOfFile: network, encoding: .utf8)
            let result = try await core.run { try $0.change(.replace(.yaml(text))) }
            log.notice(
                "network read", metadata: ["file": "\(network)", "revision": "\(result.progress.revision)", "changes": "\(result.progress.summary)"])
        } catch InterfaceError.invalid(let faults) {
            for fault in faults { log.error("\(network):\(fault)") }
            if isStart { throw Failure("\(network) is refused") }
        } catch InterfaceError.notMaster(let other) {
            log.notice("the file waits: another controller leads", metadata: ["file": "\(network)", "leader": "\(other ?? "")"])
        } catch {
            if isStart { throw Failure("\(network): \(error)") }
            log.error("the network stays as it is", metadata: ["reason": "\(error)"])
        }
    }

    private func loadTokens() throws -> Set<String> {
        let path = tokens ?? (store == ":memory:" ? nil : store + ".token")
        if let path, let text = try? String(contentsOfFile: path, encoding: .utf8) {
            let all = Set(text.split(whereSeparator: \.isWhitespace).map(String.init))
            if let short = all.first(where: { $0.utf8.count < 16 }) {
                throw Failure("\(path): the token '\(short.prefix(3))…' has less than 16 characters")
            }
            if all.isEmpty { throw Failure("\(path) has no token") }
            return all
        }
        if tokens != nil { throw Failure("\(path!) cannot be read") }
        var random = SystemRandomNumberGenerator()
        let token = (0..<4).map { _ in String(random.next() as UInt64, radix: 36) }.joined()
        guard let path else {
            // Nobody else will know it.
            FileHandle.standardError.write(Data("token \(token)\n".utf8))
            return [token]
        }
        guard FileManager.default.createFile(atPath: path, contents: Data((token + "\n").utf8), attributes: [.posixPermissions: 0o600]) else {
            throw Failure("\(path) cannot be written")
        }
        return [token]
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }
}
