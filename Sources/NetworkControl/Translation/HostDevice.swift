import LogicalNetwork
import Wire

/// A port or tunnel that a host's forwarding element is to have, with the keys by which `weft switch` is configured (Docs/Switch.md).
public struct HostDevice: Hashable, Sendable, Codable {
    /// `tenant/switch/port`, `tunnels`, or `tunnels/HOST`.
    public var name: String
    public var number: UInt32
    /// `tap`, `packet`, `geneve`.
    public var kind: String
    public var device: String?
    public var netns: String?
    public var mtu: Int?
    public var mac: String?
    public var remote: String?
    public var local: String?
    public var key: String?
    public var bfd: Watch?

    /// How a tunnel's other end is watched.
    public struct Watch: Hashable, Sendable, Codable {
        /// `300ms`
        public var interval: String
        public var multiplier: Int
    }
    public var maximumRate: String?
    /// By number.
    public var queues: [String: Queue]?

    /// A queue, with the keys of the configuration too.
    public struct Queue: Hashable, Sendable, Codable {
        public var minimumRate: String?
        public var maximumRate: String?
        public var priority: UInt8
        public var burst: Int?
        public var buffer: Int?

        enum CodingKeys: String, CodingKey {
            case priority, burst, buffer
            case minimumRate = "min-rate"
            case maximumRate = "max-rate"
        }

        init(_ queue: HostQueue) {
            minimumRate = queue.minimumKilobits.map { "\($0) kbit/s" }
            maximumRate = queue.maximumKilobits.map { "\($0) kbit/s" }
            priority = queue.priority
            burst = queue.burstBytes
            buffer = queue.bufferBytes
        }
    }

    enum CodingKeys: String, CodingKey {
        case name, number, kind, device, netns, mtu, mac, remote, local, key, bfd, queues
        case maximumRate = "max-rate"
    }

    /// A device's MTU with which frames fit into tunnels over an Ethernet of 1,500 bytes.
    public static let tunneledMTU = 1400

    private init(name: String, number: UInt32, kind: String) {
        self.name = name
        self.number = number
        self.kind = kind
    }

    /// The device behind a logical port; nil for one that is attached to nothing.
    /// - Parameters:
    ///   - isTunneled: whether its packets may go to other hosts.
    ///   - queues: those of its host.
    public init?(_ port: SwitchPort, name: String, number: UInt32, isTunneled: Bool, queues: [HostQueue] = []) {
        guard let attachment = port.attachment else { return nil }
        switch attachment {
        case .tap(let tap):
            self.init(name: name, number: number, kind: "tap")
            device = tap
            mtu = isTunneled ? Self.tunneledMTU : nil
        case .device(let other):
            self.init(name: name, number: number, kind: "packet")
            device = other
        case .namespace(let namespace):
            self.init(name: name, number: number, kind: "tap")
            device = port.name
            netns = namespace
            mtu = isTunneled ? Self.tunneledMTU : nil
            mac = port.mac.map { "\($0)" }
        }
        maximumRate = port.maximumKilobits.map { "\($0) kbit/s" }
        if !queues.isEmpty { self.queues = Dictionary(queues.map { ("\($0.number)", Queue($0)) }, uniquingKeysWith: { a, _ in a }) }
    }

    /// Whether another one differs in nothing but its queues, which an open port takes over.
    public func isSameDevice(as other: HostDevice) -> Bool {
        var other = other
        (other.maximumRate, other.queues) = (maximumRate, queues)
        return self == other
    }

    /// The one tunnel port of a host: entries say where its packets go.
    public static func tunnels(of host: Host) -> HostDevice {
        var d = HostDevice(name: "tunnels", number: HostPorts.tunnel, kind: "geneve")
        d.remote = "flow"
        d.key = "flow"
        d.local = "\(host.address)"
        return d
    }

    /// The ports of a host that say whether the other ends of its tunnels answer, by name.
    public static func watches(of host: Host, in network: NetworkDescription, _ translation: NetworkTranslation) -> [String: HostDevice] {
        guard let liveness = network.hosts.first(where: \.isPool)?.liveness else { return [:] }
        var all: [String: HostDevice] = [:]
        for watch in translation.watches(host: host.name) {
            var d = HostDevice(name: "tunnels/\(watch.remote)", number: watch.number, kind: "geneve")
            d.remote = "\(watch.address)"
            d.local = "\(host.address)"
            d.bfd = Watch(interval: "\(liveness.milliseconds)ms", multiplier: liveness.multiplier)
            all[d.name] = d
        }
        return all
    }
}
