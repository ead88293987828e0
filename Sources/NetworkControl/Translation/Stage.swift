/// The stages of the pipeline that all switches and routers share; the raw value is the flow table (spec 001b §4.1, spec/README "pipeline all share").
///
/// A packet walks the switch's stages, then perhaps the router's, then the switch's again, as often as there are routers on its way. Gaps are kept for the
/// stages of middleboxes.
public enum Stage: UInt8, CaseIterable, Sendable {
    /// Physical port to logical context (2605).
    case ingressMapping = 0
    /// Goes on with the context that came by a tunnel, at the stage behind the one that is complete.
    case arrival = 1

    case portSecurity = 8
    case addressSecurity = 9
    case neighborSecurity = 10
    /// (2610, 2660)
    case switchIngressAccess = 11
    /// Place of services on a switch port: in-line middleboxes (FW-005, FW-030).
    case switchService = 12
    /// ARP and neighbour discovery for router ports (B104, B105b).
    case responder = 13
    /// (2615, 2665)
    case forwarding = 14
    /// (2620, 2670)
    case switchEgressAccess = 15
    /// Second half of an answered neighbour solicitation: only an advertisement has the field for the answer's MAC.
    case neighborAnswer = 16

    case routerAdmission = 20
    /// (2635)
    case routerIngressAccess = 21
    /// Place of destination translation and load balancing (2636).
    case destinationTranslation = 22
    /// What is for the router itself, and packets whose time is up.
    case routerLocal = 23
    /// Routes by more than the destination; they outrank prefixes (FW-028).
    case policyRouting = 24
    /// (2640)
    case routing = 25
    /// What the chosen next hop means: port, address, source MAC, one hop less (B120, A-064, A-068).
    case nextHop = 26
    /// Place of source translation (2645).
    case sourceTranslation = 27
    /// (2650)
    case routerEgressAccess = 28
    /// (2651)
    case resolution = 29

    /// Egress port to the peer's datapath (rows 6102, 6103 of 001b §6.2) or to a host (2675).
    case egressMapping = 40
    /// All ports of a switch to the hosts that have some.
    case floodMapping = 41
    /// Host to tunnel, or to this host's own ports (2680).
    case physicalMapping = 42
    /// Logical port to port of this host.
    case localDelivery = 43
    /// To a host whose tunnel is watched: straight, or by way of the pool node (B84).
    case tunnelChoice = 44

    /// Stages that nothing uses yet: packets pass from the one before to the one behind.
    public static let reserved: Set<Stage> = [.switchService, .destinationTranslation, .sourceTranslation]

    /// The stage in words.
    public var title: String {
        switch self {
        case .ingressMapping: "ingress mapping"
        case .arrival: "arrival by tunnel"
        case .portSecurity: "port security"
        case .addressSecurity: "address security"
        case .neighborSecurity: "neighbour security"
        case .switchIngressAccess: "switch ingress access"
        case .switchService: "switch service"
        case .responder: "address responder"
        case .forwarding: "L2 forwarding"
        case .switchEgressAccess: "switch egress access"
        case .neighborAnswer: "neighbour answer"
        case .routerAdmission: "router admission"
        case .routerIngressAccess: "router ingress access"
        case .destinationTranslation: "destination translation"
        case .routerLocal: "router's own"
        case .policyRouting: "policy routing"
        case .routing: "routing"
        case .nextHop: "next hop"
        case .sourceTranslation: "source translation"
        case .routerEgressAccess: "router egress access"
        case .resolution: "address resolution"
        case .egressMapping: "egress mapping"
        case .floodMapping: "flood mapping"
        case .physicalMapping: "physical mapping"
        case .localDelivery: "local delivery"
        case .tunnelChoice: "tunnel choice"
        }
    }
}
