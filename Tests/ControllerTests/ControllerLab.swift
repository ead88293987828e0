import Controller
import Flow
import Foundation
import Logging
import OpenFlow
import SwitchAgent
import Testing

/// A controller with its store, and forwarding elements that are connected to it without sockets.
final class ControllerLab: @unchecked Sendable {
    let core: ControllerCore
    let folder: String
    let interface: HTTPInterface
    /// Deliveries between the ends, by which it is seen that all has been said.
    private var deliveries = 0
    private let lock = NSLock()

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

    /// - Parameter folder: of another lab, to go on with its store.
    init(name: String = "one", folder: String? = nil, network: String? = ControllerLab.network, lease: Double = 60) throws {
        self.folder = folder ?? NSTemporaryDirectory() + "weft-controller-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        var options = ControllerCore.Options(name: name)
        options.leaseSeconds = lease
        core = ControllerCore(
            options, store: try SQLiteStore(self.folder + "/store.sqlite"), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        interface = HTTPInterface(core, tokens: ["0123456789abcdef"])
        core.start()
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

    // MARK: - Forwarding elements

    fileprivate func count() { lock.withLock { deliveries += 1 } }

    /// Until neither end says anything more.
    func settle() {
        var before = -1
        var now = 0
        while before != now {
            before = now
            core.queue.sync {}
            now = lock.withLock { deliveries }
        }
    }

    func connect(_ host: TestHost) {
        let link = Link(self, host)
        host.link = link
        core.queue.sync { link.begin() }
        settle()
    }

    func disconnect(_ host: TestHost) {
        guard let link = host.link else { return }
        host.link = nil
        core.queue.sync { link.end() }
        settle()
    }

    /// Both ends of one connection.
    final class Link: OpenFlowTransport, @unchecked Sendable {
        private unowned let lab: ControllerLab
        private unowned let host: TestHost
        private var switchEnd: OpenFlowSession?
        private(set) var controllerEnd: SwitchSession?
        private var isOpen = true
        var closedReason: String?

        init(_ lab: ControllerLab, _ host: TestHost) {
            self.lab = lab
            self.host = host
        }

        func begin() {
            switchEnd = host.agent.begin(self, name: "test")
            controllerEnd = lab.core.physical.begin(
                peer: "test",
                SwitchSession.Transport(
                    send: { [self] bytes in
                        guard isOpen, let switchEnd else { return }
                        host.agent.receive(bytes, for: switchEnd)
                    },
                    close: { [self] reason in
                        closedReason = reason
                        lab.core.queue.async { [self] in end() }
                    }))
        }

        func end() {
            guard isOpen else { return }
            isOpen = false
            host.agent.ended(switchEnd!)
            lab.core.physical.ended(controllerEnd!, reason: closedReason ?? "the test ends it")
        }

        // Of the switch's end, on its control queue.
        func send(_ bytes: [UInt8]) {
            lab.count()
            lab.core.queue.async { [self] in
                lab.count()
                if isOpen { lab.core.physical.receive(bytes, for: controllerEnd!, now: 1) }
            }
        }
        var backlog: Int { 0 }
        func close(reason: String) {
            closedReason = reason
            lab.core.queue.async { [self] in end() }
        }
    }
}

/// A forwarding element without ports or threads, that notes what ports it was told to have.
final class TestHost: @unchecked Sendable {
    let name: String
    let vswitch: VirtualSwitch
    let agent: OpenFlowAgent
    var link: ControllerLab.Link?
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
