import Wire

/// An L2 domain (spec 000-003, A-050).
public struct LogicalSwitch: Hashable, Sendable {
    /// What becomes of frames to addresses that no port has, to the broadcast address, and to groups.
    public enum Spread: String, Hashable, Sendable, CaseIterable { case flood, drop }

    /// Where the egress access rules are applied to packets for one workload (spec 001b §4.1); those of a flood always are at each host.
    public enum EgressAccess: String, Hashable, Sendable, CaseIterable {
        case firstHop = "first-hop"
        /// Spec B81: at the workload's own host.
        case lastHop = "last-hop"
    }

    /// Where packets that come from a router walk through the switch (spec 001b §4.1).
    public enum Placement: String, Hashable, Sendable, CaseIterable {
        case firstHop = "first-hop"
        /// Spec B82: at the host of the machine that has the address. Hosts without a port of the switch need nothing of it.
        case lastHop = "last-hop"
    }

    /// What becomes of ARP requests and neighbour solicitations for a router port.
    public enum RouterRequests: String, Hashable, Sendable, CaseIterable {
        /// Answered where they are asked, and seen by nobody else (spec B105b).
        case answer
        /// Answered so, and copied to the other ports of the switch (spec B104).
        case flood
    }

    public var name: String
    public var egressAccess: EgressAccess
    public var placement: Placement
    public var routerRequests: RouterRequests
    public var unknown: Spread
    public var broadcast: Spread
    public var multicast: Spread
    public var ports: [SwitchPort]
    /// Addresses of machines behind uplinks, which nobody announces (static resolution, spec B96).
    public var neighbors: [Neighbor]
    public var access: AccessList
    public var place: Place

    public init(
        name: String, unknown: Spread = .drop, broadcast: Spread = .flood, multicast: Spread = .flood, ports: [SwitchPort] = [],
        neighbors: [Neighbor] = [], access: AccessList = AccessList(), egressAccess: EgressAccess = .firstHop, placement: Placement = .firstHop,
        routerRequests: RouterRequests = .answer, place: Place = .none
    ) {
        self.name = name
        self.egressAccess = egressAccess
        self.placement = placement
        self.routerRequests = routerRequests
        self.unknown = unknown
        self.broadcast = broadcast
        self.multicast = multicast
        self.ports = ports
        self.neighbors = neighbors
        self.access = access
        self.place = place
    }
}

/// A port of a logical switch with a workload or an external network behind it.
public struct SwitchPort: Hashable, Sendable {
    /// What the port is on its host (spec 000-011).
    public enum Attachment: Hashable, Sendable {
        case tap(String)
        case namespace(String)
        /// A device of the host.
        case device(String)
        public var name: String {
            switch self {
            case .tap(let name), .namespace(let name), .device(let name): name
            }
        }
    }

    public var name: String
    /// Of the workload; nil for an uplink.
    public var mac: MACAddress?
    public var addresses: [IPAddress]
    /// The host on which it is; nil: nowhere yet.
    public var host: String?
    public var attachment: Attachment?
    /// Whether the workload may send only with its own MAC and addresses.
    public var isSecured: Bool
    /// Whether an external network is behind it, with addresses that the controller does not know.
    public var isUplink: Bool
    /// The queue that packets to it take on its host's port (spec A-098).
    public var queue: UInt32?
    /// What it may send, in kilobits per second.
    public var rateKilobits: UInt32?
    /// What its host sends to it at most, all queues together, in kilobits per second.
    public var maximumKilobits: UInt32?
    public var place: Place

    public init(
        name: String, mac: MACAddress?, addresses: [IPAddress] = [], host: String? = nil, attachment: Attachment? = nil, isSecured: Bool = true,
        isUplink: Bool = false, queue: UInt32? = nil, rateKilobits: UInt32? = nil, maximumKilobits: UInt32? = nil,
        place: Place = .none
    ) {
        self.name = name
        self.mac = mac
        self.addresses = addresses
        self.host = host
        self.attachment = attachment
        self.isSecured = isSecured
        self.isUplink = isUplink
        self.queue = queue
        self.rateKilobits = rateKilobits
        self.maximumKilobits = maximumKilobits
        self.place = place
    }
}

/// A known machine beyond the ports of a switch.
public struct Neighbor: Hashable, Sendable {
    public var address: IPAddress
    public var mac: MACAddress
    public var place: Place
    public init(address: IPAddress, mac: MACAddress, place: Place = .none) {
        self.address = address
        self.mac = mac
        self.place = place
    }
}
