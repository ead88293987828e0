/// Rewriting that reaches from one layer into the next: backbone headers before the customer's (IEEE 802.1ah), TTLs between a label and the IP header
/// below it (OpenFlow 1.3.5 §5.12).
enum LayerRewriting {
    // Safe: every function tests the length of what it touches, or the room before the frame.

    /// Bytes of a backbone header without tags that come beside the customer's frame: addresses, type, I-TAG.
    static let backboneSize = 18

    /// Puts a backbone header with the frame's own addresses before it; false when the buffer has no room there.
    static func pushPBB(_ packet: inout PacketState, type: UInt16, tag: UInt32) -> Bool {
        guard packet.data - packet.bufferStart >= backboneSize else { return false }
        (packet.data - backboneSize).copyMemory(from: packet.data, byteCount: 12)
        packet.data -= backboneSize
        packet.length += backboneSize
        HeaderRewriting.store16(packet.data, 12, type)
        HeaderRewriting.store32(packet.data, 14, tag)
        packet.layout = FrameLayout(network: 14)
        return true
    }

    /// Takes the backbone header off, but for tags; nothing when the customer's Ethernet header is not whole.
    static func popPBB(_ packet: inout PacketState) {
        let tag = Int(packet.layout.network)
        guard packet.layout.network != FrameLayout.none, packet.length >= tag + 4 + 14 else { return }
        // The customer's addresses, then the tags that were there, then the customer's type. The addresses are read first: the tags move over them.
        let start = packet.data + backboneSize
        let addresses = (HeaderRewriting.load64(packet.data, tag + 4), HeaderRewriting.load32(packet.data, tag + 12))
        (start + 12).copyMemory(from: packet.data + 12, byteCount: tag - 14)
        HeaderRewriting.store64(start, 0, addresses.0)
        HeaderRewriting.store32(start, 8, addresses.1)
        packet.data = start
        packet.length -= backboneSize
        packet.layout = FrameLayout(network: UInt16(tag))
    }

    /// Writes bits of the I-TAG.
    static func backboneTag(_ packet: inout PacketState, mask: UInt64, value: UInt64) {
        guard packet.layout.network != FrameLayout.none, packet.length >= Int(packet.layout.network) + 4 else { return }
        let old = HeaderRewriting.load32(packet.network, 0)
        HeaderRewriting.store32(packet.network, 0, old & ~UInt32(truncatingIfNeeded: mask) | UInt32(truncatingIfNeeded: value & mask))
    }

    /// The IP header right below the only label, with its version; nil when there is none.
    private static func belowLabel(_ packet: PacketState) -> (header: UnsafeMutableRawPointer, version: UInt8)? {
        guard packet.layout.mpls != FrameLayout.none else { return nil }
        let at = Int(packet.layout.mpls) + 4
        guard packet.length >= at + 20, packet.data.load(fromByteOffset: at - 2, as: UInt8.self) & 1 != 0 else { return nil }
        let first = packet.data.load(fromByteOffset: at, as: UInt8.self)
        switch first >> 4 {
        case 4 where first & 0xf >= 5: return (packet.data + at, 4)
        case 6 where packet.length >= at + 40: return (packet.data + at, 6)
        default: return nil
        }
    }

    static func copyTTLOut(_ packet: inout PacketState) {
        guard let (header, version) = belowLabel(packet) else { return }
        let ttl = header.load(fromByteOffset: version == 4 ? 8 : 7, as: UInt8.self)
        packet.data.storeBytes(of: ttl, toByteOffset: Int(packet.layout.mpls) + 3, as: UInt8.self)
    }

    static func copyTTLIn(_ packet: inout PacketState) {
        guard let (header, version) = belowLabel(packet) else { return }
        let ttl = packet.data.load(fromByteOffset: Int(packet.layout.mpls) + 3, as: UInt8.self)
        if version == 4 { HeaderRewriting.timeToLive(header, ttl) } else { header.storeBytes(of: ttl, toByteOffset: 7, as: UInt8.self) }
    }
}
