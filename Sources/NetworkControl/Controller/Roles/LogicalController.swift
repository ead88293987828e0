import Flow
import LogicalNetwork
import PhysicalControl
import Translation

/// The role that computes: keeps the planes of one set of datapaths up to date and tells, for each change, which hosts have to do what (spec B128, H11).
///
/// Its network are all hosts and the tenants of the set. It holds no connection and no file: changes come in as networks, updates go out as values. What it must remember over restarts are the numbers that it
/// gave to names (`AssignedNumber`), which it hands out with each change, to be stored with it.
///
/// Used by one thread at a time. Cost of a change: finding the elements that differ takes a walk over the network, or over one tenant where it is known that
/// only that differs; everything after that is bounded by the change and the hosts that it concerns.
public final class LogicalController {
    /// What a change came to.
    public struct Outcome {
        public var set: Int
        public var summary: NetworkTranslation.Summary
        public var updates: [HostUpdate]
        /// The same before it is customized.
        public var change: UniversalChange
        /// To be stored with the network.
        public var numbers: [AssignedNumber]
    }

    public private(set) var network = NetworkDescription()
    public private(set) var revision: UInt64 = 0
    /// From 1 on.
    public let set: Int
    public let translation: NetworkTranslation
    /// Numbers that were given out when it began with a stored network: none, unless what is computed has changed since.
    public private(set) var unstored: [AssignedNumber] = []
    /// The devices of each host, by name.
    private var devices: [String: [String: HostDevice]] = [:]
    /// The ports by which each host watches its tunnels, by name.
    private var watches: [String: [String: HostDevice]] = [:]
    /// The queues of each host.
    private var queues: [String: [HostQueue]] = [:]

    /// - Parameters:
    ///   - set: which set of datapaths it is.
    ///   - count: how many there are.
    public init(set: Int = 1, of count: Int = 1) {
        self.set = set
        translation = NetworkTranslation(numbers: NumberSpace(set: set, of: count))
        // From now on numbers are taken note of.
        _ = translation.takeAssignedNumbers()
    }

    /// Begins with a network that is in force already: nothing is to be told, hosts are compared with it when they connect.
    public convenience init(
        _ network: NetworkDescription, revision: UInt64, set: Int = 1, of count: Int = 1, numbers: [AssignedNumber], hosts: [String: UInt64]
    ) {
        self.init(set: set, of: count)
        translation.restore(numbers)
        unstored = apply(network, revision: revision, hosts: hosts).numbers
    }

    /// Makes the network this one; `new` is valid.
    ///
    /// - Parameters:
    ///   - known: what differs, when somebody has found out already; it saves the walk over the network.
    ///   - hosts: numbers of hosts, those at least that are new; by themselves they get the next ones.
    public func apply(
        _ new: NetworkDescription, revision: UInt64, difference known: NetworkDifference? = nil, hosts: [String: UInt64] = [:]
    ) -> Outcome {
        let difference = known.map { (remove: $0.remove, put: $0.put) } ?? translation.difference(to: new)
        let wasTunneled = network.hosts.count > 1
        let isTunneled = new.hosts.count > 1
        // A host's queues are those of all its ports.
        let old = Dictionary(network.hosts.map { ($0.name, $0.queues) }, uniquingKeysWith: { a, _ in a })
        let requeued = Set(new.hosts.filter { h in old[h.name].map { $0 != h.queues } ?? false }.map(\.name))
        queues = Dictionary(new.hosts.map { ($0.name, $0.queues) }, uniquingKeysWith: { a, _ in a })
        network = new
        self.revision = revision
        if !hosts.isEmpty {
            for case .host(let host) in difference.put { if let number = hosts[host.name] { translation.adopt(host: host.name, number: number) } }
        }
        let summary = translation.change(remove: difference.remove, put: difference.put)
        var change = translation.takeUniversalChange()
        changeDevices(difference, requeued: requeued, from: wasTunneled, to: isTunneled, &change)
        let isHost: (NetworkElement) -> Bool = { if case .host = $0 { true } else { false } }
        changeWatches(ofAll: difference.remove.contains(where: isHost) || difference.put.contains(where: isHost), &change)
        var updates = translation.hostChanges(change).map { c in
            let facts = translation.hostNumber(c.host).flatMap { change.facts[$0] }
            let devices = HostCustomizer.devices(facts?.removed ?? [], facts?.added ?? [])
            return HostUpdate(
                host: c.host, revision: revision, modifications: c.modifications, closed: devices.closed, opened: devices.opened, isGone: c.isGone)
        }
        updates.removeAll(where: \.isEmpty)
        return Outcome(
            set: set, summary: summary, updates: updates.sorted { $0.host < $1.host }, change: change,
            numbers: translation.takeAssignedNumbers().filter { $0.kind != .host })
    }

    /// Keeps the hosts' devices, and adds what changes of them to the facts.
    private func changeDevices(
        _ difference: (remove: [NetworkElement], put: [NetworkElement]), requeued: Set<String>, from wasTunneled: Bool, to isTunneled: Bool,
        _ change: inout UniversalChange
    ) {
        // A port of which one has become another goes and comes.
        var gone: [String: [String: HostDevice]] = [:]
        var come: [String: [String: HostDevice]] = [:]
        if wasTunneled != isTunneled {
            gone = devices
            devices = [:]
            addPorts(of: network, isTunneled, &come) { _ in true }
            for host in network.hosts { addTunnels(host, isTunneled, &come) }
        } else {
            for element in difference.remove {
                switch element {
                case .switchPort(let tenant, let owner, let port):
                    guard let host = port.host, let old = devices[host]?.removeValue(forKey: "\(tenant)/\(owner)/\(port.name)") else { continue }
                    gone[host, default: [:]][old.name] = old
                case .inLinePort(let tenant, let owner, let port, let side):
                    guard let host = port.inLine?.host,
                        let old = devices[host]?.removeValue(forKey: "\(tenant)/\(owner)/\(port.name(of: side))")
                    else { continue }
                    gone[host, default: [:]][old.name] = old
                case .host(let host):
                    if let old = devices[host.name]?.removeValue(forKey: "tunnels") { gone[host.name, default: [:]][old.name] = old }
                default: break
                }
            }
            for host in requeued { gone[host, default: [:]].merge(devices[host] ?? [:], uniquingKeysWith: { gone, _ in gone }) }
            for element in difference.put {
                switch element {
                case .switchPort(let tenant, let owner, let port): add(port, port.name, tenant, owner, isTunneled, &come)
                case .inLinePort(let tenant, let owner, let port, let side): add(port, side, tenant, owner, isTunneled, &come)
                case .host(let host): addTunnels(host, isTunneled, &come)
                default: break
                }
            }
            if !requeued.isEmpty { addPorts(of: network, isTunneled, &come) { requeued.contains($0) } }
        }
        for name in Set(gone.keys).union(come.keys) {
            guard let number = translation.hostNumber(name), change.gone[number] == nil else {
                devices[name] = nil
                continue
            }
            let (old, new) = (gone[name] ?? [:], come[name] ?? [:])
            let removed = old.filter { new[$0.key] != $0.value }
            let added = new.filter { old[$0.key] != $0.value }
            if removed.isEmpty, added.isEmpty { continue }
            change.facts[number, default: .init()].removed += removed.values.map { .device($0) }
            change.facts[number, default: .init()].added += added.values.map { .device($0) }
        }
    }

    private func add(
        _ port: RouterPort, _ side: InLineElement.Side, _ tenant: String, _ router: String, _ isTunneled: Bool,
        _ come: inout [String: [String: HostDevice]]
    ) {
        if let element = port.inLine { add(element.port(side), port.name(of: side), tenant, router, isTunneled, &come) }
    }

    private func add(
        _ port: SwitchPort, _ portName: String, _ tenant: String, _ owner: String, _ isTunneled: Bool,
        _ come: inout [String: [String: HostDevice]]
    ) {
        guard let host = port.host, let number = translation.localPort(tenant: tenant, owner: owner, port: portName)?.number else { return }
        let name = "\(tenant)/\(owner)/\(portName)"
        guard let device = HostDevice(port, name: name, number: number, isTunneled: isTunneled, queues: queues[host] ?? []) else { return }
        devices[host, default: [:]][name] = device
        come[host, default: [:]][name] = device
    }

    /// Makes the devices of all ports that are on some hosts.
    private func addPorts(
        of network: NetworkDescription, _ isTunneled: Bool, _ come: inout [String: [String: HostDevice]], _ isWanted: (_ host: String) -> Bool
    ) {
        for tenant in network.tenants {
            for (owner, name, port) in tenant.hostPorts where port.host.map(isWanted) == true {
                add(port, name, tenant.name, owner, isTunneled, &come)
            }
        }
    }

    private func addTunnels(_ host: Host, _ isTunneled: Bool, _ come: inout [String: [String: HostDevice]]) {
        guard isTunneled else { return }
        let device = HostDevice.tunnels(of: host)
        devices[host.name, default: [:]][device.name] = device
        come[host.name, default: [:]][device.name] = device
    }

    public func contains(host: String) -> Bool { network.hosts.contains { $0.name == host } }

    /// Adds what changes of the ports by which hosts watch their tunnels to the facts: of the hosts concerned, or of all.
    private func changeWatches(ofAll: Bool, _ change: inout UniversalChange) {
        let concerned = ofAll ? nil : Set(change.facts.keys)
        for host in network.hosts {
            guard let number = translation.hostNumber(host.name), concerned?.contains(number) ?? true else { continue }
            let new = HostDevice.watches(of: host, in: network, translation)
            let old = watches.updateValue(new, forKey: host.name) ?? [:]
            if new == old { continue }
            change.facts[number, default: .init()].removed += old.values.filter { new[$0.name] != $0 }.map { .device($0) }
            change.facts[number, default: .init()].added += new.values.filter { old[$0.name] != $0 }.map { .device($0) }
        }
        if ofAll { for name in watches.keys where !contains(host: name) { watches[name] = nil } }
    }

    /// Everything that is true of a host; nil when it is not part of the network.
    public func facts(host: String) -> [HostFact]? {
        guard contains(host: host), let number = translation.hostNumber(host) else { return nil }
        return translation.facts(of: number) + devices(of: host).map { .device($0) }
    }

    private func devices(of host: String) -> [HostDevice] { Array((devices[host] ?? [:]).values) + Array((watches[host] ?? [:]).values) }

    /// Everything that a host is to have; nil when it is not part of the network.
    public func snapshot(host: String) -> HostSnapshot? {
        guard contains(host: host), let program = translation.program(host: host) else { return nil }
        return HostSnapshot(
            host: host, revision: revision, program: program,
            devices: devices(of: host).sorted { ($0.number, $0.name) < ($1.number, $1.name) })
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
