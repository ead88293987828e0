import Dispatch
import Logging
import PhysicalControl
import SwitchAgent

/// A switch that makes its host's entries itself (chassis mode; spec 002 H9, 001b B123): the role of the physical controller for one host, in the switch's process.
///
/// It is told universal entries and facts by the channel of a logical controller, and has an OpenFlow session with its own switch, without sockets: so everything
/// goes the ways that a controller's would, comparison, bundles and the configuration channel.
final class ChassisHost: @unchecked Sendable {
    private let link: LogicalLink
    private let queue = DispatchQueue(label: "chassis", qos: .userInitiated)
    private let client: StreamClient
    private let agent: OpenFlowAgent
    private var isStopping = false
    /// Seconds until a conversation that ended begins again.
    private var delay = 1

    /// Begins; nil for a switch without channels in its configuration.
    init?(_ daemon: SwitchDaemon, log: Logger) throws {
        let configuration = daemon.configuration
        guard !configuration.chassis.isEmpty, let host = configuration.host, let agent = daemon.agent else { return nil }
        self.agent = agent
        let link = LogicalLink(name: ChannelMessage.Hello.chassisName(host), log: log)
        self.link = link
        let addresses = configuration.chassis.compactMap { target -> StreamAddress? in
            guard case .connect(let host, let port, let isSecure) = target else { return nil }
            return StreamAddress(address: host, port: port, isSecure: isSecure)
        }
        let tls = configuration.tls.map { StreamTLS(key: $0.key, certificate: $0.certificate, authorities: $0.authorities) }
        do {
            client = try StreamClient(
                addresses, tls: tls, on: queue, log: log,
                tick: { now in
                    link.tick(now: now)
                    link.physical.tick(now: now)
                }, begin: { link.begin(peer: $0, $1) })
        } catch { throw CommandError("TLS cannot be used for the channel: \(error)") }
        queue.async { [self] in converse() }
        client.start()
    }

    func stop() {
        queue.sync { isStopping = true }
        client.stop()
    }

    private func converse() {
        if isStopping { return }
        Conversation(self).begin()
    }

    private func conversationEnded(wasLed: Bool) {
        delay = wasLed ? 1 : min(delay * 2, 8)
        queue.asyncAfter(deadline: .now() + .seconds(delay)) { [self] in converse() }
    }

    /// An OpenFlow session with the own switch: both ends, and the bytes between them.
    private final class Conversation: OpenFlowTransport, @unchecked Sendable {
        private let chassis: ChassisHost
        private var switchEnd: OpenFlowSession?
        private var controllerEnd: SwitchSession?
        private var isOpen = true
        private var wasLed = false

        init(_ chassis: ChassisHost) { self.chassis = chassis }

        func begin() {
            switchEnd = chassis.agent.begin(self, name: "chassis")
            controllerEnd = chassis.link.physical.begin(
                peer: "itself",
                StreamTransport(
                    send: { [self] bytes in if isOpen, let switchEnd { chassis.agent.receive(bytes, for: switchEnd) } },
                    close: { [self] reason in close(reason: reason) }))
        }

        // Of the switch's end, on its control queue; what is sent is received on the chassis' queue.
        func send(_ bytes: [UInt8]) {
            chassis.queue.async { [self] in
                guard isOpen, let controllerEnd else { return }
                chassis.link.physical.receive(bytes, for: controllerEnd, now: DispatchTime.now().uptimeNanoseconds)
                if controllerEnd.state == .steady { wasLed = true }
            }
        }
        var backlog: Int { 0 }
        func close(reason: String) {
            chassis.queue.async { [self] in
                guard isOpen else { return }
                isOpen = false
                if let switchEnd { chassis.agent.ended(switchEnd) }
                if let controllerEnd { chassis.link.physical.ended(controllerEnd, reason: reason) }
                (switchEnd, controllerEnd) = (nil, nil)
                chassis.conversationEnded(wasLed: wasLed)
            }
        }
    }
}
