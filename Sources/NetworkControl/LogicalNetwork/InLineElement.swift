/// A machine on the wire between a router port and what it is coupled to: every packet of the wire goes through it, in either direction, and neither end
/// knows (spec FW-005…FW-008, FW-030).
///
/// It has two ports on one host and gives back by the one what it took by the other, or doesn't. While it is away, nothing passes.
public struct InLineElement: Hashable, Sendable {
    /// Its ports are called by what is behind them.
    public enum Side: String, Hashable, Sendable, CaseIterable {
        case router = "router-side"
        /// Of the switch, or of the other router.
        case peer = "peer-side"
        public var other: Side { self == .router ? .peer : .router }
    }
    public var host: String
    public var routerSide: SwitchPort.Attachment?
    public var peerSide: SwitchPort.Attachment?
    public var place: Place
    public init(host: String, routerSide: SwitchPort.Attachment?, peerSide: SwitchPort.Attachment?, place: Place = .none) {
        self.host = host
        self.routerSide = routerSide
        self.peerSide = peerSide
        self.place = place
    }

    public func attachment(_ side: Side) -> SwitchPort.Attachment? { side == .router ? routerSide : peerSide }

    /// A port of it as one of a host; in a namespace its device is called by its side.
    public func port(_ side: Side) -> SwitchPort {
        SwitchPort(name: side.rawValue, mac: nil, host: host, attachment: attachment(side), isSecured: false, place: place)
    }
}

extension RouterPort {
    /// How a port of the element on its wire is called within its tenant's router: `to-web:router-side`.
    public func name(of side: InLineElement.Side) -> String { name + ":" + side.rawValue }
}

extension Tenant {
    /// The elements on wires of its routers, with their router ports.
    public var inLineElements: [(router: String, port: RouterPort, element: InLineElement)] {
        routers.flatMap { r in r.ports.compactMap { p in p.inLine.map { (r.name, p, $0) } } }
    }

    /// Every port that may be on a host: those of switches, and those of in-line elements by the names that they have within their routers.
    public var hostPorts: [(owner: String, name: String, port: SwitchPort)] {
        switches.flatMap { s in s.ports.map { (s.name, $0.name, $0) } }
            + inLineElements.flatMap { router, port, element in
                InLineElement.Side.allCases.map { (router, port.name(of: $0), element.port($0)) }
            }
    }
}
