import Wire

/// Congestion marks across a tunnel (RFC 6040).
enum CongestionMark {
    static let notCapable: UInt8 = 0
    static let capable1: UInt8 = 1
    static let capable0: UInt8 = 2
    static let experienced: UInt8 = 3

    /// The inner field after decapsulation, nil when the packet must be dropped (RFC 6040 §4.2, figure 4).
    @inline(__always)
    static func decapsulated(inner: UInt8, outer: UInt8) -> UInt8? {
        if outer == experienced { return inner == notCapable ? nil : experienced }
        return outer == capable1 && inner == capable0 ? capable1 : inner
    }

    /// Applies an outer TOS to the frame at `p`; false when it must be dropped. The IPv4 header checksum is updated, so a wrong one stays
    /// wrong (RFC 1624). A frame without IP is left alone: it cannot tell of congestion, and its transport will notice a later loss.
    @inline(__always)
    static func decapsulate(_ p: UnsafeMutableRawPointer, _ frame: InnerFrame, outerTOS: UInt8) -> Bool {
        let outer = outerTOS & 3
        guard outer & 1 == 1, frame.isIP else { return true }
        let old = frame.trafficClass(UnsafeRawPointer(p))
        guard let new = decapsulated(inner: old & 3, outer: outer) else { return false }
        if new == old & 3 { return true }
        let at = p + frame.network
        let word = UnsafeRawPointer(at).wire16(at: 0)
        if frame.isIPv6 {
            at.setWire16(word & ~0x30 | UInt16(new) << 4, at: 0)
        } else {
            let changed = word & ~3 | UInt16(new)
            at.setWire16(changed, at: 0)
            at.setWire16(Checksum.update(UnsafeRawPointer(at).wire16(at: 10), from: word, to: changed), at: 10)
        }
        return true
    }
}
