/// Writing the fields that say how what follows is to be read, where the frame has them.
enum KindRewriting {
    // Safe: every function tests the length of what it touches.

    static func set(_ kind: KindOfPayload, _ value: UInt16, in packet: PacketState) {
        switch kind {
        case .etherType: setEtherType(value, packet)
        case .ipProtocol: setProtocol(UInt8(truncatingIfNeeded: value), packet)
        case .bottomOfStack: setBottom(value != 0, packet)
        }
    }

    /// The type behind all tags.
    private static func setEtherType(_ value: UInt16, _ packet: PacketState) {
        var at = 12
        while packet.length >= at + 6 {
            let type = HeaderRewriting.load16(packet.data, at)
            guard type == 0x8100 || type == 0x88a8 else { break }
            at += 4
        }
        if packet.length >= at + 2 { HeaderRewriting.store16(packet.data, at, value) }
    }

    /// IPv4's protocol, with the header's checksum, or the last next header of IPv6. The checksum of the transport header that was there covers the number, too,
    /// and stays as right as it was.
    private static func setProtocol(_ value: UInt8, _ packet: PacketState) {
        guard packet.layout.network != FrameLayout.none else { return }
        let start = Int(packet.layout.network)
        guard packet.length >= start + 20 else { return }
        let header = packet.network
        switch header.load(as: UInt8.self) >> 4 {
        case 4:
            let old = HeaderRewriting.load16(header, 8)
            let new = old & 0xff00 | UInt16(value)
            HeaderRewriting.store16(header, 8, new)
            HeaderRewriting.store16(header, 10, HeaderRewriting.updated(HeaderRewriting.load16(header, 10), old, new))
            // A later fragment has payload where the checksum would be.
            if HeaderRewriting.load16(header, 6) & 0x1fff == 0 { cover(UInt8(truncatingIfNeeded: old), value, packet) }
        case 6 where packet.length >= start + 40:
            var field = start + 6
            var at = start + 40
            // Extension headers: hop-by-hop, routing, destination, mobility; authentication counts in words, a fragment has eight bytes.
            while packet.length >= at + 8 {
                let next = packet.data.load(fromByteOffset: field, as: UInt8.self)
                let size = Int(packet.data.load(fromByteOffset: at + 1, as: UInt8.self))
                switch next {
                case 0, 43, 60, 135: (field, at) = (at, at + 8 + size * 8)
                case 51: (field, at) = (at, at + 8 + size * 4)
                case 44:
                    // Of a later fragment the flow knows no protocol behind the fragment header.
                    if HeaderRewriting.load16(packet.data, at + 2) & 0xfff8 != 0 { return }
                    (field, at) = (at, at + 8)
                default:
                    packet.data.storeBytes(of: value, toByteOffset: field, as: UInt8.self)
                    cover(next, value, packet)
                    return
                }
            }
            packet.data.storeBytes(of: value, toByteOffset: field, as: UInt8.self)
        default: break
        }
    }

    /// Brings a transport checksum up to date with another number in the pseudo header (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1).
    private static func cover(_ old: UInt8, _ new: UInt8, _ packet: PacketState) {
        let at: Int
        switch old {
        case 6 where packet.transportLength >= 20: at = 16
        case 17 where packet.transportLength >= 8: at = 6
        case 58 where packet.transportLength >= 4: at = 2
        default: return
        }
        let header = packet.transport
        if packet.hasPartialChecksum {
            HeaderRewriting.store16(header, at, ~HeaderRewriting.updated(~HeaderRewriting.load16(header, at), UInt16(old), UInt16(new)))
        } else if old == 17 {
            HeaderRewriting.udpChecksum(header) { HeaderRewriting.updated($0, UInt16(old), UInt16(new)) }
        } else {
            HeaderRewriting.store16(header, at, HeaderRewriting.updated(HeaderRewriting.load16(header, at), UInt16(old), UInt16(new)))
        }
    }

    private static func setBottom(_ isBottom: Bool, _ packet: PacketState) {
        guard packet.layout.mpls != FrameLayout.none, packet.length >= Int(packet.layout.mpls) + 4 else { return }
        let at = Int(packet.layout.mpls) + 2
        let old = packet.data.load(fromByteOffset: at, as: UInt8.self)
        packet.data.storeBytes(of: isBottom ? old | 1 : old & 0xfe, toByteOffset: at, as: UInt8.self)
    }
}
