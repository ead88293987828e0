import Flow
import LogicalNetwork
import Translation

/// The role that computes: keeps a network's planes up to date and tells, for each change, which hosts have to do what.
///
/// It holds no connection and no file: changes come in as networks, updates go out as values. What it must remember over restarts are the numbers that it
/// gave to names (`AssignedNumber`), which it hands out with each change, to be stored with it.
///
/// Used by one thread at a time. Cost of a change: finding the elements that differ takes a walk over the network, or over one tenant where it is known that
/// only that differs; everything after that is bounded by the change and the hosts that it concerns.
public final class LogicalController {
    /// What a change came to.
    public struct Outcome {
        public var summary: NetworkTranslation.Summary
        public var updates: [HostUpdate]
        /// To be stored with the network.
        public var numbers: [AssignedNumber]
    }

    public private(set) var network = NetworkDescription()
    public private(set) var revision: UInt64 = 0
    public let translation = NetworkTranslation()
    /// Numbers that were given out when it began with a stored network: none, unless what is computed has changed since.
    public private(set) var unstored: [AssignedNumber] = []
    /// The devices of each host, by name.
    private var devices: [String: [String: HostDevice]] = [:]
    /// The queues of each host.
    private var queues: [String: [HostQueue]] = [:]

    public init() {
        // From now on numbers are taken note of.
        _ = translation.takeAssignedNumbers()
    }

    /// Begins with a network that is in force already: nothing is to be told, hosts are compared with it when they connect.
    public convenience init(_ network: NetworkDescription, revision: UInt64, numbers: [AssignedNumber]) {
        self.init()
        translation.restore(numbers)
        unstored = apply(network, revision: revision).numbers
    }

    /// Makes the network this one; `new` is valid.
    ///
    /// - Parameter elements: what differs, when that is known (`NetworkDifference.elements`); it saves the walk over the network.
    public func apply(
        _ new: NetworkDescription, revision: UInt64, elements: (remove: [NetworkElement], put: [NetworkElement])? = nil
    ) -> Outcome {
        let difference = elements ?? translation.difference(to: new)
        let wasTunneled = network.hosts.count > 1
        let isTunneled = new.hosts.count > 1
        // A host's queues are those of all its ports.
        let old = Dictionary(network.hosts.map { ($0.name, $0.queues) }, uniquingKeysWith: { a, _ in a })
        let requeued = Set(new.hosts.filter { h in old[h.name].map { $0 != h.queues } ?? false }.map(\.name))
        queues = Dictionary(new.hosts.map { ($0.name, $0.queues) }, uniquingKeysWith: { a, _ in a })
        network = new
        self.revision = revision
        let summary = translation.change(remove: difference.remove, put: difference.put)
        var updates: [String: HostUpdate] = [:]
        for change in translation.takeChanges() {
            updates[change.host] = HostUpdate(
                host: change.host, revision: revision, modifications: change.modifications, closed: [], opened: [], isGone: change.isGone)
        }
        // A port of which one has become another is in both lists: what differs is looked for among all that the hosts concerned have.
        var closed: [String: [String: HostDevice]] = [:]
        if wasTunneled != isTunneled {
            closed = devices
            devices = [:]
            addPorts(of: new, isTunneled) { _ in true }
            for host in new.hosts { addTunnels(host, isTunneled) }
        } else {
            for element in difference.remove {
                switch element {
                case .switchPort(let tenant, let owner, let port):
                    guard let host = port.host, let gone = devices[host]?.removeValue(forKey: "\(tenant)/\(owner)/\(port.name)") else { continue }
                    closed[host, default: [:]][gone.name] = gone
                case .inLinePort(let tenant, let owner, let port, let side):
                    guard let host = port.inLine?.host,
                        let gone = devices[host]?.removeValue(forKey: "\(tenant)/\(owner)/\(port.name(of: side))")
                    else { continue }
                    closed[host, default: [:]][gone.name] = gone
                case .host(let host):
                    if let gone = devices[host.name]?.removeValue(forKey: "tunnels") { closed[host.name, default: [:]][gone.name] = gone }
                default: break
                }
            }
            for host in requeued { closed[host, default: [:]].merge(devices[host] ?? [:], uniquingKeysWith: { gone, _ in gone }) }
            for element in difference.put {
                switch element {
                case .switchPort(let tenant, let owner, let port): add(port, port.name, tenant, owner, isTunneled)
                case .inLinePort(let tenant, let owner, let port, let side): add(port, side, tenant, owner, isTunneled)
                case .host(let host): addTunnels(host, isTunneled)
                default: break
                }
            }
            if !requeued.isEmpty { addPorts(of: new, isTunneled) { requeued.contains($0) } }
        }
        collect(closed, putting: difference.put, everything: wasTunneled != isTunneled, requeued, into: &updates)
        for name in closed.keys where !new.hosts.contains(where: { $0.name == name }) { devices[name] = nil }
        return Outcome(
            summary: summary, updates: updates.values.filter { !$0.isEmpty }.sorted { $0.host < $1.host }, numbers: translation.takeAssignedNumbers())
    }

    private func add(_ port: RouterPort, _ side: InLineElement.Side, _ tenant: String, _ router: String, _ isTunneled: Bool) {
        if let element = port.inLine { add(element.port(side), port.name(of: side), tenant, router, isTunneled) }
    }

    private func add(_ port: SwitchPort, _ portName: String, _ tenant: String, _ owner: String, _ isTunneled: Bool) {
        guard let host = port.host, let number = translation.localPort(tenant: tenant, owner: owner, port: portName)?.number else { return }
        let name = "\(tenant)/\(owner)/\(portName)"
        guard let device = HostDevice(port, name: name, number: number, isTunneled: isTunneled, queues: queues[host] ?? []) else { return }
        devices[host, default: [:]][name] = device
    }

    /// Makes the devices of all ports that are on some hosts.
    private func addPorts(of network: NetworkDescription, _ isTunneled: Bool, _ isWanted: (_ host: String) -> Bool) {
        for tenant in network.tenants {
            for s in tenant.switches {
                for port in s.ports where port.host.map(isWanted) == true { add(port, port.name, tenant.name, s.name, isTunneled) }
            }
            for (router, port, element) in tenant.inLineElements where isWanted(element.host) {
                for side in InLineElement.Side.allCases { add(port, side, tenant.name, router, isTunneled) }
            }
        }
    }

    private func addTunnels(_ host: Host, _ isTunneled: Bool) {
        if isTunneled { devices[host.name, default: [:]]["tunnels"] = .tunnels(of: host) }
    }

    /// Puts what differs between the devices that were and those that are into the hosts' updates.
    private func collect(
        _ closed: [String: [String: HostDevice]], putting: [NetworkElement], everything: Bool, _ hosts: Set<String>,
        into updates: inout [String: HostUpdate]
    ) {
        func update(_ host: String, _ body: (inout HostUpdate) -> Void) {
            body(
                &updates[
                    host,
                    default: HostUpdate(host: host, revision: revision, modifications: [], closed: [], opened: [], isGone: false)])
        }
        for (host, gone) in closed {
            for (name, device) in gone.sorted(by: { $0.key < $1.key }) where devices[host]?[name]?.isSameDevice(as: device) != true {
                update(host) { $0.closed.append(name) }
            }
        }
        var candidates: [(host: String, name: String)] = []
        if everything {
            for (host, all) in devices { candidates += all.keys.map { (host, $0) } }
        } else {
            for host in hosts { candidates += (devices[host] ?? [:]).keys.map { (host, $0) } }
            for element in putting {
                switch element {
                case .switchPort(let tenant, let owner, let port):
                    if let host = port.host, !hosts.contains(host) { candidates.append((host, "\(tenant)/\(owner)/\(port.name)")) }
                case .inLinePort(let tenant, let owner, let port, let side):
                    if let host = port.inLine?.host, !hosts.contains(host) { candidates.append((host, "\(tenant)/\(owner)/\(port.name(of: side))")) }
                case .host(let host): if !hosts.contains(host.name) { candidates.append((host.name, "tunnels")) }
                default: break
                }
            }
        }
        for (host, name) in candidates.sorted(by: { ($0.host, $0.name) < ($1.host, $1.name) }) {
            guard let device = devices[host]?[name], closed[host]?[name] != device else { continue }
            update(host) { $0.opened.append(device) }
        }
    }

    /// Everything that a host is to have; nil when it is not part of the network.
    public func snapshot(host: String) -> HostSnapshot? {
        guard network.hosts.contains(where: { $0.name == host }), let program = translation.program(host: host) else { return nil }
        return HostSnapshot(
            host: host, revision: revision, program: program,
            devices: (devices[host] ?? [:]).values.sorted { ($0.number, $0.name) < ($1.number, $1.name) })
    }

    /// What a network would have the hosts do, without making it so. Costs a full computation.
    public func plan(_ new: NetworkDescription) -> [HostChange] {
        let copy = translation.copy()
        copy.apply(network)
        copy.forgetChanges()
        copy.apply(new)
        return copy.takeChanges()
    }

    /// What is said to a packet that entries handed over.
    public func answer(_ packet: HostPacket) -> ControllerAnswer? {
        translation.answer(to: packet.frame, metadata: packet.metadata, userdata: packet.userdata)
    }
}
