import Datapath
import Flow
import LogicalNetwork
import Translation

/// All hosts of a network in one process: a frame that leaves one host by a tunnel arrives at the other with the context it carries.
///
/// The entries are those that real hosts get. What a packet does is told in the words of the network (`PacketFate`).
public final class SimulatedNetwork {
    public let translation: NetworkTranslation
    private var hosts: [String: SimulatedHost] = [:]
    private var hostsByAddress: [IPAddress: SimulatedHost] = [:]
    private let usesCache: Bool
    /// Pairs of hosts between which the underlay carries nothing.
    private var cuts: Set<Set<String>> = []
    /// Frames that crossed from host to host so far.
    public private(set) var tunnelCount = 0
    /// Hosts that one packet may visit: more is a loop between hosts, which no entries of ours make.
    static let hopLimit = 16

    public init(_ translation: NetworkTranslation, usesCache: Bool = true) throws {
        self.translation = translation
        self.usesCache = usesCache
        for change in translation.takeChanges() { try apply(change) }
    }

    /// Brings the hosts up to date after the network changed.
    public func update() throws {
        for change in translation.takeChanges() { try apply(change) }
    }

    private func apply(_ change: HostChange) throws {
        if change.isGone {
            if let host = hosts.removeValue(forKey: change.host) { hostsByAddress[host.address] = nil }
            return
        }
        let host: SimulatedHost
        if let known = hosts[change.host] {
            host = known
        } else {
            host = SimulatedHost(name: change.host, address: change.address, usesCache: usesCache)
            hosts[change.host] = host
            hostsByAddress[change.address] = host
        }
        try host.apply(change.modifications, ports: change.ports.map(\.number))
    }

    /// What an in-line element makes of a frame that it gets by a port, called `tenant/router/port:side`; nil: it keeps it. Without one, all pass.
    public var inLine: (_ port: String, _ frame: [UInt8]) -> [UInt8]? = { _, frame in frame }

    /// Cuts the underlay between two hosts: what they send each other is lost. That hosts notice is a matter of its own (`noticeCuts`).
    public func cut(_ a: String, _ b: String) { cuts.insert([a, b]) }
    public func mend(_ a: String, _ b: String) { cuts.remove([a, b]) }

    /// Has every host know which of the other ends that it watches answer, as it does some time after a cut or its end.
    public func noticeCuts() {
        for (name, host) in hosts {
            for watch in translation.watches(host: name) { host.setLive(watch.number, !cuts.contains([name, watch.remote])) }
        }
    }

    public var hostNames: [String] { hosts.keys.sorted() }
    /// The entries that a host has.
    public func entryCount(host: String) -> Int { hosts[host]?.tables.entryCount ?? 0 }

    /// The stages of a host that packets met so far.
    public func stagesUsed(host: String) -> Set<Stage> {
        guard let host = hosts[host] else { return [] }
        host.collectStatistics()
        return Set(Stage.allCases.filter { host.lookups(table: $0.rawValue) > 0 })
    }

    /// A frame that arrives at a host by its tunnel port with these tunnel words, from wherever.
    func arrive(_ frame: [UInt8], host: String, tunnel: [UInt64]) -> SimulatedHost.Outcome? {
        hosts[host]?.forward(frame, port: HostPorts.tunnel, tunnel: tunnel, time: 0)
    }

    /// The entries and meters that a host holds.
    func held(host: String) -> (entries: [FlowEntry], meters: [Meter])? {
        hosts[host].map { ($0.tables.entries().map(\.entry), $0.tables.meterStatistics.map(\.meter)) }
    }

    /// Sends a frame from the workload at a port, and follows it and its copies to their ends.
    ///
    /// - Parameters:
    ///   - time: nanoseconds; not before those of earlier frames.
    ///   - explains: whether the fate has the stages of each host.
    /// - Returns: nil when the port is on no host.
    public func send(_ frame: [UInt8], from port: PortAddress, time: UInt64 = 0, explains: Bool = false) -> PacketFate? {
        guard let place = translation.localPort(tenant: port.tenant, owner: port.owner, port: port.port), let host = hosts[place.host] else {
            return nil
        }
        var fate = PacketFate()
        var waiting = [Arrival(host: host, port: place.number, bytes: frame, tunnel: nil, hops: 0)]
        while let arrival = waiting.popLast() {
            fate.hosts.append(arrival.host.name)
            if explains {
                let steps = arrival.host.lookups(arrival.bytes, port: arrival.port, tunnel: arrival.tunnel).map { table, entry in
                    PacketFate.Step(stage: Stage(rawValue: table), entry: entry, text: entry.map(translation.logicalText))
                }
                fate.visits.append((arrival.host.name, steps))
            }
            let outcome = arrival.host.forward(arrival.bytes, port: arrival.port, tunnel: arrival.tunnel, time: time)
            follow(outcome, arrival, &waiting, &fate, time, isAnswer: false)
        }
        return fate
    }

    /// Takes what came of a packet at a host to its ends, or to the next host.
    private func follow(
        _ outcome: SimulatedHost.Outcome, _ arrival: Arrival, _ waiting: inout [Arrival], _ fate: inout PacketFate, _ time: UInt64, isAnswer: Bool
    ) {
        for drop in outcome.drops { fate.ends.append(.dropped(dropped(drop, arrival.host))) }
        for departure in outcome.departures {
            if departure.port == HostPorts.tunnel {
                follow(departure, from: arrival, &waiting, &fate)
            } else if let logical = translation.logicalPort(host: arrival.host.name, number: departure.port) {
                if arrival.hops < Self.hopLimit, let other = translation.otherSide(ofInLinePort: logical, host: arrival.host.name),
                    let passed = inLine(translation.portName(logical), departure.bytes)
                {
                    fate.passages.append(translation.portName(logical))
                    waiting.append(Arrival(host: arrival.host, port: other, bytes: passed, tunnel: nil, hops: arrival.hops + 1))
                    continue
                }
                fate.ends.append(.delivered(host: arrival.host.name, port: translation.portName(logical), bytes: departure.bytes))
            }
        }
        for request in outcome.requests {
            let meaning = translation.meaning(of: Cookie(value: request.cookie))
            // An answer is not answered.
            let answer = isAnswer ? nil : translation.answer(to: request.frame, metadata: request.metadata, userdata: request.userdata)
            fate.ends.append(.request(host: arrival.host.name, meaning: meaning, isAnswered: answer != nil))
            guard let answer else { continue }
            follow(arrival.host.inject(answer, time: time), arrival, &waiting, &fate, time, isAnswer: true)
        }
    }

    private struct Arrival {
        var host: SimulatedHost
        var port: UInt32
        var bytes: [UInt8]
        var tunnel: [UInt64]?
        var hops: Int
    }

    private func dropped(_ drop: (reason: DropReason, table: UInt8?, cookie: Cookie?), _ host: SimulatedHost) -> PacketFate.Drop {
        var fate = PacketFate.Drop(
            host: host.name, reason: drop.reason, stage: drop.table.flatMap(Stage.init(rawValue:)), meaning: drop.cookie.map(translation.meaning(of:))
        )
        guard drop.reason == .noMatch, let cookie = drop.cookie, let stage = fate.stage else { return fate }
        // The entry that matched last passed the packet on; it ended where no entry would have it.
        let port = translation.portName(cookie.detail)
        switch (stage, cookie.kind) {
        case (.ingressMapping, .tunnel?): fate.stage = .arrival
        case (.ingressMapping, _): (fate.stage, fate.meaning) = (.portSecurity, "port security of \(port)")
        case (.portSecurity, _): (fate.stage, fate.meaning) = (.addressSecurity, "port security of \(port)")
        case (.egressMapping, .link?): (fate.stage, fate.meaning) = (.routerAdmission, "not for the router behind \(port)")
        case (.arrival, _), (.physicalMapping, _): (fate.stage, fate.meaning) = (.localDelivery, "no such port here")
        default: break
        }
        return fate
    }

    /// Carries a frame over the underlay.
    private func follow(_ departure: SimulatedHost.Departure, from arrival: Arrival, _ waiting: inout [Arrival], _ fate: inout PacketFate) {
        tunnelCount += 1
        var words = departure.tunnel
        let base = FlowKeyLayout.tunnelWords.lowerBound
        let v4 = FlowKeyLayout.tunnelIPv4 - base
        let (source, destination) = (FlowKeyLayout.tunnelIPv6Src - base, FlowKeyLayout.tunnelIPv6Dst - base)
        guard words.count == FlowKeyLayout.tunnelWords.count else { return }
        let from = arrival.host.address
        let to: IPAddress
        if from.family == .ipv4 {
            to = IPAddress(family: .ipv4, low: words[v4] & 0xffff_ffff)
            words[v4] = from.low << 32 | to.low
        } else {
            to = IPAddress(family: .ipv6, high: words[destination], low: words[destination + 1])
            words[source] = from.high
            words[source + 1] = from.low
        }
        guard arrival.hops < Self.hopLimit, let host = hostsByAddress[to] else {
            fate.ends.append(.dropped(PacketFate.Drop(host: arrival.host.name, reason: .tunnelNoRemote, stage: .physicalMapping, meaning: nil)))
            return
        }
        if cuts.contains([arrival.host.name, host.name]) {
            fate.ends.append(.dropped(PacketFate.Drop(host: arrival.host.name, reason: .tunnelNoRoute, stage: .physicalMapping, meaning: nil)))
            return
        }
        waiting.append(Arrival(host: host, port: HostPorts.tunnel, bytes: departure.bytes, tunnel: words, hops: arrival.hops + 1))
    }
}

/// A port by its names.
public struct PortAddress: Hashable, Sendable, CustomStringConvertible {
    public var tenant: String
    public var owner: String
    public var port: String
    public init(tenant: String, owner: String, port: String) {
        self.tenant = tenant
        self.owner = owner
        self.port = port
    }
    public var description: String { "\(tenant)/\(owner)/\(port)" }
}

/// What became of a frame and its copies, in logical terms.
public struct PacketFate: Sendable {
    public struct Drop: Sendable {
        public var host: String
        public var reason: DropReason
        /// The stage that ended it, and what its entry is for.
        public var stage: Stage?
        public var meaning: String?
    }
    public enum End: Sendable {
        case delivered(host: String, port: String, bytes: [UInt8])
        /// Handed to the controller, whose answer goes its own way.
        case request(host: String, meaning: String, isAnswered: Bool)
        case dropped(Drop)
    }
    /// One stage, and the entry that matched there in the network's names; nil when none did.
    public struct Step: Sendable {
        public var stage: Stage?
        public var entry: FlowEntry?
        public var text: String?
    }
    public var ends: [End] = []
    /// The stages at each host that it visited, when asked for.
    public var visits: [(host: String, steps: [Step])] = []
    /// The hosts it visited, the first hop first.
    public var hosts: [String] = []

    /// The ports by which in-line elements got it and let it pass, in order.
    public var passages: [String] = []

    /// Ports that got it, with the bytes.
    public var deliveries: [(port: String, bytes: [UInt8])] {
        ends.compactMap { if case .delivered(_, let port, let bytes) = $0 { (port, bytes) } else { nil } }
    }
}
