import Controller
import Flow
import Foundation
import Logging
import OpenFlow
import PhysicalControl
import SwitchAgent
import Testing

/// A controller with its store, and forwarding elements that are connected to it without sockets.
final class ControllerLab: @unchecked Sendable {
    let core: ControllerCore
    let folder: String
    let interface: HTTPInterface
    let deliveries: Deliveries

    static let network = """
        hosts: {A: {address: 198.18.6.1}, B: {address: 198.18.6.2}, C: {address: 198.18.6.3}}
        tenants:
          blue:
            switches:
              web:
                ports:
                  vm1: {mac: "02:00:00:00:00:01", addresses: [10.0.1.10], host: A, tap: t1}
                  vm2: {mac: "02:00:00:00:00:02", addresses: [10.0.1.11, "2001:db8:1::11"], host: B, rate: 10 Mbit/s, tap: t2}
              db:
                access: [{name: no-ping, direction: out, verdict: drop, protocol: icmp}]
                ports:
                  vm4: {mac: "02:00:00:00:00:04", addresses: [10.0.2.10], host: B}
            routers:
              edge:
                ports:
                  web: {switch: web, addresses: [10.0.1.1/24, "2001:db8:1::1/64"]}
                  db: {switch: db, addresses: [10.0.2.1/24]}
                routes: [{to: 172.16.0.0/12, via: 10.0.2.10}]
          green:
            switches:
              web: {ports: {vm1: {mac: "02:00:00:00:00:01", addresses: [10.0.1.10], host: C, tap: t1}}}

        """

    /// - Parameters:
    ///   - folder: of another lab, to go on with its store.
    ///   - deliveries: of another lab, to be told of by the same ends.
    init(
        name: String = "one", folder: String? = nil, network: String? = ControllerLab.network, lease: Double = 60, sets: Int = 1,
        certificateNames: Bool = false,
        deliveries: Deliveries = Deliveries()
    ) throws {
        self.deliveries = deliveries
        self.folder = folder ?? NSTemporaryDirectory() + "weft-controller-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        var options = ControllerCore.Options(name: name)
        options.leaseSeconds = lease
        options.requiresCertificateNames = certificateNames
        let store = try SQLiteStore(self.folder + "/store.sqlite")
        options.sets = try store.sets(atLeast: sets, for: name, now: Date().timeIntervalSince1970)
        core = ControllerCore(options, store: store, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        interface = HTTPInterface(core, tokens: ["0123456789abcdef"])
        core.start()
        deliveries.add(core.queue)
        if let network { try replace(network) }
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    // MARK: - Changes

    @discardableResult func replace(_ yaml: String) throws -> ControllerCore.ChangeResult { try change(.replace(.yaml(yaml))) }
    @discardableResult func put(_ path: String, _ json: String) throws -> ControllerCore.ChangeResult {
        try change(.put(path.split(separator: "/").map(String.init), .json(Array(json.utf8))))
    }
    @discardableResult func delete(_ path: String) throws -> ControllerCore.ChangeResult {
        try change(.remove(path.split(separator: "/").map(String.init)))
    }
    @discardableResult func change(_ edit: ControllerCore.Edit, _ precondition: ControllerCore.Precondition = .init()) throws
        -> ControllerCore.ChangeResult
    {
        let result = Result { try core.queue.sync { try core.change(edit, precondition) } }
        settle()
        return try result.get()
    }

    var states: [String: PhysicalController.HostState] {
        core.queue.sync { Dictionary(uniqueKeysWithValues: core.physical.states.map { ($0.host, $0) }) }
    }

    /// An entry in the form that the wire has: some actions have two forms that mean the same.
    static func asTold(_ entry: FlowEntry) -> FlowEntry {
        var decoder = MessageDecoder(.v15)
        guard let bytes = try? MessageEncoder(.v15).encode(.flowMod(FlowMod(.add, entry)), xid: 1),
            case .flowMod(let told)? = try? decoder.decode(bytes).body
        else { preconditionFailure("cannot be said: \(FlowText.text(entry))") }
        return told.entry
    }

    /// Entries that a full computation gives a host, as the forwarding element tells them.
    func expected(_ host: String) -> [String] {
        core.queue.sync { core.logical!.snapshot(host: host)!.program }.entries.map { FlowText.text(Self.asTold($0)) }.sorted()
    }

    // MARK: - Forwarding elements

    func settle() { deliveries.settle() }

    func connect(_ host: TestHost) { host.connect(to: core.physical, on: core.queue, deliveries) }
    func disconnect(_ host: TestHost) { host.disconnect() }
}

/// Counts what is said between ends on several queues, by which it is seen that all has been said.
final class Deliveries: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    private var queues: [DispatchQueue] = []

    func add(_ queue: DispatchQueue) { lock.withLock { queues.append(queue) } }

    /// Runs something on a queue, later.
    func pass(to queue: DispatchQueue, _ body: @escaping @Sendable () -> Void) {
        lock.withLock { count += 1 }
        queue.async { [self] in
            lock.withLock { count += 1 }
            body()
        }
    }

    /// Until no end says anything more.
    func settle() {
        var before = -1
        var now = 0
        while before != now {
            before = now
            for queue in lock.withLock({ queues }) { queue.sync {} }
            now = lock.withLock { count }
        }
    }
}

/// A physical controller of its own, whose logical controller is at the other end of a channel without sockets.
final class PhysicalLab: @unchecked Sendable {
    let link: LogicalLink
    let queue = DispatchQueue(label: "physical")
    private let deliveries: Deliveries
    private var channels: [Channel] = []
    /// What logical controllers have said on channels since the last `attach`.
    private(set) var received: [UInt8] = []
    private(set) var closedReason: String?

    /// Both ends of one.
    private final class Channel {
        let core: ControllerCore
        var link: (any StreamConversation)?
        var service: (any StreamConversation)?
        var isOpen = true
        init(_ core: ControllerCore) { self.core = core }
    }

    init(_ name: String, _ deliveries: Deliveries) {
        link = LogicalLink(name: name, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        self.deliveries = deliveries
        deliveries.add(queue)
    }

    var states: [String: PhysicalController.HostState] {
        queue.sync { Dictionary(uniqueKeysWithValues: link.states.map { ($0.host, $0) }) }
    }
    /// The universal entries of a group, in words.
    func entries(of host: String) -> HostSnapshot? { queue.sync { link.snapshot(host: host) } }

    func connect(_ host: TestHost) { host.connect(to: link.physical, on: queue, deliveries) }

    /// Has a channel to a logical controller.
    func attach(to lab: ControllerLab) {
        received = []
        closedReason = nil
        let core = lab.core
        nonisolated(unsafe) let channel = Channel(core)
        queue.sync { channels.append(channel) }
        core.queue.sync {
            channel.service = core.channel.begin(
                peer: "test",
                StreamTransport(
                    send: { [self] bytes in
                        deliveries.pass(to: queue) { [self] in
                            guard channel.isOpen else { return }
                            received += bytes
                            channel.link?.receive(bytes, now: 1)
                        }
                    }, close: { [self] reason in deliveries.pass(to: queue) { [self] in detached(channel, reason) } }))
        }
        queue.sync {
            channel.link = link.begin(
                peer: "test",
                StreamTransport(
                    send: { [self] bytes in deliveries.pass(to: core.queue) { channel.service?.receive(bytes, now: 1) } },
                    close: { [self] reason in deliveries.pass(to: queue) { [self] in detached(channel, reason) } }))
        }
        deliveries.settle()
    }

    private func detached(_ channel: Channel, _ reason: String) {
        guard channel.isOpen else { return }
        channel.isOpen = false
        closedReason = reason
        channel.link?.ended(reason: reason)
        channels.removeAll { $0 === channel }
        nonisolated(unsafe) let channel = channel
        deliveries.pass(to: channel.core.queue) { channel.service?.ended(reason: reason) }
    }

    /// The channels break, or those to one logical controller.
    func detach(from lab: ControllerLab? = nil) {
        queue.sync { for c in channels where lab == nil || c.core === lab!.core { detached(c, "the test ends it") } }
        deliveries.settle()
    }
}

/// Both ends of one connection of a forwarding element.
final class SwitchLink: OpenFlowTransport, @unchecked Sendable {
    private unowned let host: TestHost
    private let physical: PhysicalController
    private let queue: DispatchQueue
    private let deliveries: Deliveries
    private var switchEnd: OpenFlowSession?
    private(set) var controllerEnd: SwitchSession?
    private var isOpen = true
    var closedReason: String?

    init(_ host: TestHost, _ physical: PhysicalController, _ queue: DispatchQueue, _ deliveries: Deliveries) {
        self.host = host
        self.physical = physical
        self.queue = queue
        self.deliveries = deliveries
    }

    func begin() {
        switchEnd = host.agent.begin(self, name: "test")
        controllerEnd = physical.begin(
            peer: "test",
            StreamTransport(
                send: { [self] bytes in
                    guard isOpen, let switchEnd else { return }
                    host.agent.receive(bytes, for: switchEnd)
                }, close: { [self] reason in close(reason: reason) }))
    }

    func end() {
        guard isOpen else { return }
        isOpen = false
        host.agent.ended(switchEnd!)
        physical.ended(controllerEnd!, reason: closedReason ?? "the test ends it")
    }

    func settle() { deliveries.settle() }
    func endNow() {
        queue.sync { end() }
        settle()
    }

    // Of the switch's end, on its control queue.
    func send(_ bytes: [UInt8]) {
        deliveries.pass(to: queue) { [self] in if isOpen { physical.receive(bytes, for: controllerEnd!, now: 1) } }
    }
    var backlog: Int { 0 }
    func close(reason: String) {
        closedReason = reason
        deliveries.pass(to: queue) { [self] in end() }
    }
}

/// A forwarding element without ports or threads, that notes what ports it was told to have.
final class TestHost: @unchecked Sendable {
    let name: String
    let vswitch: VirtualSwitch
    let agent: OpenFlowAgent
    /// Its connections, the newest last.
    private(set) var links: [SwitchLink] = []
    var link: SwitchLink? { links.last }
    private(set) var ports: [String: [String: Any]] = [:]
    private(set) var portRequests = 0

    init(_ name: String, datapathID: UInt64 = 7) throws {
        self.name = name
        vswitch = try VirtualSwitch()
        var options = OpenFlowAgent.Options()
        options.datapathID = datapathID
        agent = OpenFlowAgent(vswitch, options: options)
        agent.configurationHandler = { [unowned self] line, mayChange, reply in reply(Array(answer(line, mayChange).utf8)) }
    }

    /// Has one more connection.
    func connect(to physical: PhysicalController, on queue: DispatchQueue, _ deliveries: Deliveries) {
        let link = SwitchLink(self, physical, queue, deliveries)
        links.append(link)
        queue.sync { link.begin() }
        link.settle()
    }

    /// Ends its newest connection, or an older one.
    func disconnect(_ index: Int? = nil) {
        guard !links.isEmpty else { return }
        links.remove(at: index ?? links.count - 1).endNow()
    }

    private func answer(_ line: [UInt8], _ mayChange: Bool) -> String {
        guard let call = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any], let params = call["params"] as? [String: Any] else {
            return "{}"
        }
        if call["method"] as? String == "host.about" { return "{\"result\":{\"host\":\"\(name)\",\"datapath\":\"0x7\",\"pid\":1,\"ports\":[]}}" }
        guard mayChange else { return "{\"error\":{\"code\":\"refused\",\"message\":\"only the master may\"}}" }
        portRequests += 1
        var (opened, closed) = (0, 0)
        if params["all"] as? Bool == true {
            let names = (params["ports"] as? [[String: Any]] ?? []).map { $0["name"] as? String ?? "" }
            for name in ports.keys where !names.contains(name) {
                ports[name] = nil
                closed += 1
            }
        }
        for name in params["remove"] as? [String] ?? [] {
            ports[name] = nil
            closed += 1
        }
        for port in params["ports"] as? [[String: Any]] ?? [] {
            if ports.updateValue(port, forKey: port["name"] as? String ?? "") == nil { opened += 1 }
        }
        return "{\"result\":{\"opened\":\(opened),\"closed\":\(closed),\"waiting\":{},\"refused\":{}}}"
    }

    var entries: [FlowEntry] { vswitch.entries().map(\.entry) }

    /// Its entries in the words of a flow file, sorted.
    var lines: [String] { entries.map { FlowText.text($0) }.sorted() }
}
