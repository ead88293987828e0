/// The named maxima of packet processing; exceeding one ends the packet with the drop reason given.
///
/// They are Open vSwitch 3.1's where it has one, so that the same flow file meets the same limit on both.
public struct Limits: Sendable {
    /// Nested resubmits, groups and clones (`.resubmitDepth`).
    public var resubmitDepth = 64
    /// Resubmits for one packet (`.resubmitCount`).
    public var resubmits = 4096
    /// Bytes on the action stack (`.stackTooDeep`).
    public var stackSize = 65536
    /// 64-bit words of an action program (`.programTooLarge`).
    public var programSize = 16384
    /// Outputs of one packet, buckets of groups run for it, and times it is parsed anew in all (`.tooManyCopies`).
    public var copies = 4096
    /// Times that a packet is parsed anew one within the other (`.recirculationDepth`), as in Open vSwitch's userspace datapath.
    public var recirculations = 6
    /// VLAN tags that are parsed, 1 or 2; a further tag is the payload's EtherType. Open vSwitch's `vlan-limit`, with its default.
    public var vlanTags = 1
    /// MPLS labels that are parsed and may be pushed (`.tooManyMPLSLabels`).
    public static let mplsLabels = 3
    public init() {}
}
