import Wire

/// The ordered access rules of a switch or router and what happens to packets that none of them speaks of.
///
/// ARP and IPv6 neighbour discovery pass whatever the default is, unless a rule names them: a network without them carries nothing.
public struct AccessList: Hashable, Sendable {
    public var rules: [AccessRule]
    /// Verdict without a rule (project decision 6: configurable).
    public var defaultVerdict: AccessRule.Verdict
    public init(rules: [AccessRule] = [], defaultVerdict: AccessRule.Verdict = .allow) {
        self.rules = rules
        self.defaultVerdict = defaultVerdict
    }
}

/// One rule; an unset field is any.
public struct AccessRule: Hashable, Sendable {
    public enum Verdict: String, Hashable, Sendable, CaseIterable { case allow, drop, reject }
    /// As the switch or router sees it: `in` from the port, `out` towards the port.
    public enum Direction: String, Hashable, Sendable, CaseIterable { case `in`, out }
    /// Inclusive, of transport ports.
    public struct PortRange: Hashable, Sendable {
        public var first: UInt16
        public var last: UInt16
        public init(_ first: UInt16, _ last: UInt16) {
            self.first = first
            self.last = last
        }
    }
    public enum Network: Hashable, Sendable {
        case any
        case arp
        /// IPv4 or IPv6 alone, or both.
        case ip(IPAddress.Family?)
    }

    public var name: String
    public var direction: Direction
    /// The port it is about; nil: every port of the switch or router.
    public var port: String?
    public var verdict: Verdict
    public var network: Network
    /// IP protocol.
    public var transport: UInt8?
    public var sources: [AddressTerm]
    public var destinations: [AddressTerm]
    public var sourceMAC: MACAddress?
    public var destinationMAC: MACAddress?
    public var sourcePorts: [PortRange]
    public var destinationPorts: [PortRange]
    public var icmpType: UInt8?
    public var icmpCode: UInt8?
    public var place: Place

    public init(
        name: String, direction: Direction, port: String? = nil, verdict: Verdict, network: Network = .any, transport: UInt8? = nil,
        sources: [AddressTerm] = [], destinations: [AddressTerm] = [], sourceMAC: MACAddress? = nil, destinationMAC: MACAddress? = nil,
        sourcePorts: [PortRange] = [], destinationPorts: [PortRange] = [], icmpType: UInt8? = nil, icmpCode: UInt8? = nil, place: Place = .none
    ) {
        self.name = name
        self.direction = direction
        self.port = port
        self.verdict = verdict
        self.network = network
        self.transport = transport
        self.sources = sources
        self.destinations = destinations
        self.sourceMAC = sourceMAC
        self.destinationMAC = destinationMAC
        self.sourcePorts = sourcePorts
        self.destinationPorts = destinationPorts
        self.icmpType = icmpType
        self.icmpCode = icmpCode
        self.place = place
    }
}

extension AccessRule.PortRange {
    /// The range as aligned blocks, value and mask each: at most 30 of them.
    public var blocks: [(value: UInt16, mask: UInt16)] {
        var out: [(UInt16, UInt16)] = []
        var at = UInt32(first)
        while at <= UInt32(last) {
            var size: UInt32 = 1
            while at & size == 0, at + size * 2 - 1 <= UInt32(last), size < 0x1_0000 { size *= 2 }
            out.append((UInt16(at), UInt16(truncatingIfNeeded: ~(size - 1))))
            at += size
        }
        return out
    }
}
