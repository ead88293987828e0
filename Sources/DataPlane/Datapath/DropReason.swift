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

    /// The reason in reports and JSON.
    public var name: String { String(describing: self) }
}
