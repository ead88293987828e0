/// Pushing, popping and rewriting VLAN tags (IEEE 802.1Q) and MPLS label stack entries (RFC 3032). The bytes before the tag move, the rest stays.
enum TagRewriting {
    private static func isVLAN(_ type: UInt16) -> Bool { type == 0x8100 || type == 0x88a8 }

    /// Moves the layer offsets after the frame's start moved by `n` bytes to the left.
    private static func shift(_ packet: inout PacketState, by n: Int, withMPLS: Bool) {
        func moved(_ at: UInt16) -> UInt16 { at == FrameLayout.none ? at : UInt16(truncatingIfNeeded: Int(at) + n) }
        if withMPLS { packet.layout.mpls = moved(packet.layout.mpls) }
        packet.layout.network = moved(packet.layout.network)
        packet.layout.transport = moved(packet.layout.transport)
        packet.length += n
        packet.data -= n
    }

    static func popVLAN(_ packet: inout PacketState) {
        guard packet.length >= 18, isVLAN(HeaderRewriting.load16(packet.data, 12)) else { return }
        memmoveBytes(to: packet.data + 4, from: packet.data, 12)
        shift(&packet, by: -4, withMPLS: true)
    }

    /// Inserts a tag behind the addresses; false when the buffer has no room before the frame.
    static func pushVLAN(_ packet: inout PacketState, tci: UInt16, tpid: UInt16) -> Bool {
        guard packet.data - packet.bufferStart >= 4 else { return false }
        memmoveBytes(to: packet.data - 4, from: packet.data, 12)
        shift(&packet, by: 4, withMPLS: true)
        HeaderRewriting.store16(packet.data, 12, tpid)
        HeaderRewriting.store16(packet.data, 14, tci)
        return true
    }

    private static func isMPLS(_ packet: PacketState) -> Bool { packet.layout.mpls != FrameLayout.none }

    static func setMPLS(_ packet: inout PacketState, entry: UInt32) {
        guard isMPLS(packet), packet.length >= Int(packet.layout.mpls) + 4 else { return }
        HeaderRewriting.store32(packet.data, Int(packet.layout.mpls), entry)
    }

    /// The EtherType before the labels or the network header.
    private static func setType(_ packet: inout PacketState, _ type: UInt16) {
        if isVLAN(HeaderRewriting.load16(packet.data, 12)) {
            let at = isMPLS(packet) ? packet.layout.mpls : packet.layout.network
            HeaderRewriting.store16(packet.data, Int(at) - 2, type)
        } else {
            HeaderRewriting.store16(packet.data, 12, type)
        }
    }

    static func pushMPLS(_ packet: inout PacketState, type: UInt16, entry: UInt32) -> Bool {
        guard packet.data - packet.bufferStart >= 4, packet.layout.network != FrameLayout.none else { return false }
        if !isMPLS(packet) { packet.layout.mpls = packet.layout.network }
        setType(&packet, type)
        let at = Int(packet.layout.mpls)
        memmoveBytes(to: packet.data - 4, from: packet.data, at)
        shift(&packet, by: 4, withMPLS: false)
        HeaderRewriting.store32(packet.data, at, entry)
        return true
    }

    static func popMPLS(_ packet: inout PacketState, type: UInt16) {
        guard isMPLS(packet), packet.length >= Int(packet.layout.mpls) + 4 else { return }
        let at = Int(packet.layout.mpls)
        setType(&packet, type)
        let isBottom = HeaderRewriting.load32(packet.data, at) & 0x100 != 0
        memmoveBytes(to: packet.data + 4, from: packet.data, at)
        shift(&packet, by: -4, withMPLS: false)
        if isBottom { packet.layout.mpls = FrameLayout.none }
    }

    private static func memmoveBytes(to: UnsafeMutableRawPointer, from: UnsafeMutableRawPointer, _ n: Int) {
        to.copyMemory(from: from, byteCount: n)
    }
}
