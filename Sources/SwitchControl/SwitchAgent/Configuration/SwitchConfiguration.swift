import Datapath
import Flow
import Logging
import OpenFlow
import Ports

/// What a switch is told to be: the contents of its YAML file (`Docs/Switch.md` documents every key).
public struct SwitchConfiguration: Sendable, Equatable {
    /// A port that is not a tunnel.
    public struct Port: Sendable, Equatable, Codable {
        public var name: String
        /// nil: the lowest number that is free.
        public var number: UInt32?
        public var kind: PortKind
        /// The network device; nil: one of the port's name.
        public var device: String?
        /// The network namespace of the device, as `ip netns` names it; nil: the switch's own.
        public var namespace: String?
        public var mtu: Int?
        /// Ethernet address to give to the device, of a TAP only.
        public var address: [UInt8]?
        /// Whether a TAP outlives the switch.
        public var isPersistent: Bool
        /// The other end of a patch port.
        public var peer: String?
        /// Where a service connects; nil: beside the control socket, `NAME.service`.
        public var path: String?
        public var queueing: PortQueueing?

        public init(
            name: String, number: UInt32? = nil, kind: PortKind, device: String? = nil, namespace: String? = nil, mtu: Int? = nil,
            address: [UInt8]? = nil, isPersistent: Bool = false, peer: String? = nil, path: String? = nil, queueing: PortQueueing? = nil
        ) {
            self.name = name
            self.number = number
            self.kind = kind
            self.device = device
            self.namespace = namespace
            self.mtu = mtu
            self.address = address
            self.isPersistent = isPersistent
            self.peer = peer
            self.path = path
            self.queueing = queueing
        }

        /// Whether another one differs in nothing but its queues, which an open port takes over.
        public func isSameDevice(as other: Port) -> Bool {
            var other = other
            other.queueing = queueing
            return self == other
        }

        /// The name of the network device.
        public var deviceName: String { device ?? name }
    }

    /// A tunnel port; addresses and numbers as text, checked when read.
    public struct Tunnel: Sendable, Equatable, Codable {
        public var name: String
        public var number: UInt32?
        public var kind: PortKind
        /// An address, or `flow`: entries say it.
        public var remote: String
        public var local: String?
        /// The network namespace of the outer packets, as `ip netns` names it; nil: the switch's own.
        public var namespace: String?
        /// A number, `flow`, or nil for none.
        public var key: String?
        public var destinationPort: UInt16?
        public var checksum: Bool?
        /// A number, or `inherit`.
        public var ttl: String?
        public var tos: String?
        public var dontFragment: Bool?
        public var hasSequence: Bool?
        public var hasGroupPolicy: Bool?
        public var mtu: Int?
        /// How the other end is watched; nil: not at all.
        public var liveness: Liveness?
        public var queueing: PortQueueing?
        public init(name: String, kind: PortKind, remote: String) {
            self.name = name
            self.kind = kind
            self.remote = remote
        }
    }

    /// Bidirectional Forwarding Detection with a tunnel's other end.
    public struct Liveness: Sendable, Equatable, Codable {
        /// Nanoseconds.
        public var interval: UInt64
        public var multiplier: UInt8
        public init(_ standard: LivenessConfiguration = LivenessConfiguration()) {
            interval = standard.interval
            multiplier = standard.multiplier
        }
    }

    /// Where tables, groups or meters come from.
    public enum Program: Sendable, Equatable {
        /// A file; its path as written, relative to the configuration's folder.
        case file(String, line: Int)
        /// Written in the configuration; the line of its first line.
        case inline(String, line: Int)
    }

    /// Forwarding threads, 1 to 64.
    public var workers = 1
    /// Nanoseconds that a worker looks for more frames before it sleeps.
    public var spin: UInt64 = 20_000
    public var pinsWorkers = false
    /// Path of the control socket; nil: `ControlSocketPath.standard`.
    public var socket: String?
    public var logLevel = Logger.Level.info
    /// Whether devices in other namespaces may be added later; they may anyway when the configuration has one.
    public var allowsNamespaces = false
    public var ports: [Port] = []
    public var tunnels: [Tunnel] = []
    /// nil: one entry, `priority=0,actions=normal`, unless controllers are connected to.
    public var flows: Program?
    public var groups: Program?
    public var meters: Program?
    /// OpenFlow controllers to connect to, and addresses to listen at for others.
    public var controllers: [OpenFlowTarget] = []
    /// What controllers know the switch by; nil: made of the host's name and the control socket.
    public var datapathID: UInt64?
    /// OpenFlow versions offered; nil: all.
    public var protocols: Set<OpenFlowVersion>?
    /// Without a controller connected: `standalone` forwards as a learning switch, `secure` by the entries that there are.
    public var failMode = FailMode.standalone
    public var tls: OpenFlowConnections.TLS?
    /// The host of a controller's network that the switch is.
    public var host: String?
    /// Channels of logical controllers: with one, the switch makes its host's entries itself of what they say (chassis mode).
    public var chassis: [OpenFlowTarget] = []

    /// Whether somebody is asked for entries.
    public var looksForController: Bool { controllers.contains(where: \.isActive) || !chassis.isEmpty }

    public enum FailMode: String, Sendable, CaseIterable { case standalone, secure }

    public init() {}

    /// Whether devices are in other namespaces, which takes CAP_SYS_ADMIN.
    public var usesNamespaces: Bool { allowsNamespaces || ports.contains { $0.namespace != nil } || tunnels.contains { $0.namespace != nil } }
}
