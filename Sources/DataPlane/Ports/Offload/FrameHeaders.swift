import Wire

/// Where the headers of a large frame are, as far as cutting needs it: Ethernet, VLAN tags, MPLS labels, IPv4 or IPv6 with extension headers, TCP or UDP.
///
/// Made once for a large frame. Everything is bounds-checked; nil for a frame that is none of these, a fragment, or cut short.
struct FrameHeaders {
    /// Offset of the IP header.
    var network = 0
    /// Offset of the transport header.
    var transport = 0
    /// Offset of the payload behind it.
    var payload = 0
    var isIPv6 = false
    /// IANA number: 6 or 17.
    var transportProtocol: UInt8 = 0
    /// Behind MPLS labels, where the kernel does not cut.
    var isLabeled = false
    /// Bytes of Ethernet header and first VLAN tag, which do not count towards the MTU.
    var linkSize = 14

    /// Safe: reads only within `length` bytes, each read after a test.
    init?(_ data: UnsafeMutableRawPointer, length: Int) {
        func u8(_ offset: Int) -> UInt8 { data.load(fromByteOffset: offset, as: UInt8.self) }
        func u16(_ offset: Int) -> UInt16 { UInt16(bigEndian: data.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
        guard length >= 14 else { return nil }
        var type = u16(12)
        var offset = 14
        var tags = 0
        while type == 0x8100 || type == 0x88a8 {
            guard offset + 4 <= length, tags < 8 else { return nil }
            type = u16(offset + 2)
            offset += 4
            tags += 1
        }
        linkSize = tags > 0 ? 18 : 14
        if type == 0x8847 || type == 0x8848 {
            isLabeled = true
            var isBottom = false
            while !isBottom {
                guard offset + 5 <= length else { return nil }
                isBottom = u8(offset + 2) & 1 == 1
                offset += 4
            }
            type = u8(offset) >> 4 == 4 ? 0x0800 : u8(offset) >> 4 == 6 ? 0x86dd : 0
        }
        network = offset
        switch type {
        case 0x0800:
            guard offset + 20 <= length, u8(offset) >> 4 == 4 else { return nil }
            let size = Int(u8(offset) & 15) * 4
            guard size >= 20, offset + size <= length, u16(offset + 6) & 0x3fff == 0 else { return nil }
            transportProtocol = u8(offset + 9)
            transport = offset + size
        case 0x86dd:
            guard offset + 40 <= length, u8(offset) >> 4 == 6 else { return nil }
            isIPv6 = true
            var next = u8(offset + 6)
            offset += 40
            while next == 0 || next == 43 || next == 60 {
                guard offset + 8 <= length else { return nil }
                next = u8(offset)
                offset += Int(u8(offset + 1)) * 8 + 8
            }
            transportProtocol = next
            transport = offset
        default: return nil
        }
        switch transportProtocol {
        case 6:
            guard transport + 20 <= length else { return nil }
            let size = Int(u8(transport + 12) >> 4) * 4
            guard size >= 20 else { return nil }
            payload = transport + size
        case 17: payload = transport + 8
        default: return nil
        }
        if payload > length { return nil }
    }

    var isTCP: Bool { transportProtocol == 6 }
    /// Where the checksum is behind the transport header.
    var checksumOffset: Int { isTCP ? 16 : 6 }
    /// How a frame with these headers is cut.
    var segmentation: Offload.Segmentation { isTCP ? (isIPv6 ? .tcpIPv6 : .tcpIPv4) : .udp }
}
