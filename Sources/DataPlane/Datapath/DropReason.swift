import Ports

/// Why a packet or a copy of one ended without leaving on a port; each has a counter, and `name` is its word in every report.
public enum DropReason: UInt8, CaseIterable, Sendable {
    /// No entry of the last table looked up matched.
    case noMatch
    /// The matching entries named no output: an explicit `drop`, or actions without one.
    case actionDrop
    /// Fewer than 14 bytes: no Ethernet header.
    case frameTooShort
    /// `dec_ttl` met a TTL of 0 or 1.
    case ttlExpired
    /// `dec_mpls_ttl` met a TTL of 0 or 1.
    case mplsTTLExpired
    /// More nested resubmits than `Limits.resubmitDepth`.
    case resubmitDepth
    /// More resubmits in all than `Limits.resubmits`.
    case resubmitCount
    /// Parsed anew after a popped MPLS label more often than `Limits.recirculations`.
    case recirculationDepth
    /// More pushed than `Limits.stackSize` holds.
    case stackTooDeep
    /// An action program longer than `Limits.programSize`.
    case programTooLarge
    /// More copies than `Limits.copies`.
    case tooManyCopies
    /// A copy was sent to the port it came from by number (OpenFlow 1.3.5 §A.2.1 asks for IN_PORT).
    case outputToIngress
    /// A copy was sent to a port that does not exist.
    case noSuchPort
    /// A meter's drop band.
    case meter
    /// A group that does not exist.
    case noSuchGroup
    /// No bucket of the group is live.
    case noLiveBucket
    /// A fourth MPLS label would be pushed.
    case tooManyMPLSLabels
    /// The frame would outgrow its buffer.
    case frameTooLong
    /// The device or its reader could take no more at that moment.
    case transmitQueueFull
    /// The buffer of the packet's queue at its port is full (`PortQueueing`).
    case queueFull
    /// The device is down, gone, or has no carrier.
    case portDown
    /// Longer than the port's MTU allows, and not to be cut into segments.
    case exceedsMTU
    /// The port's configuration forbids it (`OFPT_PORT_MOD`).
    case portBlocked
    /// The control side has too many packets waiting.
    case controllerQueueFull
    /// Neither the tunnel port nor the entries say where the tunnel ends.
    case tunnelNoRemote
    /// The host has no route to the tunnel's other end.
    case tunnelNoRoute
    /// The next hop towards the tunnel's other end does not answer.
    case tunnelNoNeighbor
    /// A frame for a watched tunnel that is addressed as the host's own packets of liveness are.
    case tunnelReserved
    /// The kernel refused the frame for another reason.
    case transmitError

    /// The reason in reports and JSON.
    public var name: String { String(describing: self) }

    init(_ refusal: TransmitRefusal) {
        switch refusal {
        case .none, .transmitError: self = .transmitError
        case .transmitQueueFull: self = .transmitQueueFull
        case .portDown: self = .portDown
        case .exceedsMTU: self = .exceedsMTU
        case .tunnelNoRemote: self = .tunnelNoRemote
        case .tunnelNoRoute: self = .tunnelNoRoute
        case .tunnelNoNeighbor: self = .tunnelNoNeighbor
        case .tunnelReserved: self = .tunnelReserved
        }
    }
}

extension DropReason {
    /// The reason in words.
    public var explanation: String {
        switch self {
        case .noMatch: "no entry of the last table matched"
        case .actionDrop: "the matching entries drop, or send nowhere"
        case .frameTooShort: "fewer than 14 bytes"
        case .ttlExpired: "the TTL ran out"
        case .mplsTTLExpired: "the MPLS TTL ran out"
        case .resubmitDepth: "resubmits nested too deep"
        case .resubmitCount: "too many resubmits"
        case .recirculationDepth: "parsed anew too often"
        case .stackTooDeep: "too much pushed on the stack"
        case .programTooLarge: "too many actions"
        case .tooManyCopies: "too many copies"
        case .outputToIngress: "sent back to the port it came from"
        case .noSuchPort: "sent to a port that does not exist"
        case .meter: "above the rate of a meter"
        case .noSuchGroup: "sent to a group that does not exist"
        case .noLiveBucket: "no bucket of the group is live"
        case .tooManyMPLSLabels: "too many MPLS labels"
        case .frameTooLong: "longer than the buffer"
        case .transmitQueueFull: "the device or its reader could take no more"
        case .queueFull: "its queue at the port is full"
        case .portDown: "the port is down, gone, or has no carrier"
        case .exceedsMTU: "longer than the port's MTU"
        case .portBlocked: "the port's configuration forbids it"
        case .controllerQueueFull: "the control side has too many packets waiting"
        case .tunnelNoRemote: "nothing says where the tunnel ends"
        case .tunnelNoRoute: "no route to the tunnel's other end"
        case .tunnelNoNeighbor: "the next hop to the tunnel's other end does not answer"
        case .tunnelReserved: "addressed as the host's own packets of liveness are"
        case .transmitError: "the kernel refused it"
        }
    }
}
