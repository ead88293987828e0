import Flow

/// One frame and where its layers begin, as the last look at its bytes found them; edits keep the offsets up to date.
struct NaivePacket {
    var bytes: [UInt8]
    /// Offset of the first MPLS label, while the frame has one.
    var labelOffset: Int?
    /// Offset behind the Ethernet header, tags and labels.
    var networkOffset: Int?
    /// Offset behind the IP header, when it is sound.
    var transportOffset: Int?
    /// Bytes behind the end of the IP packet.
    var padding = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Bytes from the transport header to the end of the IP packet; 0 without an IP header.
    var transportLength: Int {
        guard let t = transportOffset else { return 0 }
        return max(0, bytes.count - t - padding)
    }

    /// Reads the headers into a flow and notes the offsets (Open vSwitch: `miniflow_extract`). A header that is cut or lies about its
    /// length leaves its fields, and those of the layers above, zero.
    mutating func extract(vlanTags: Int) -> NaiveFlow {
        var flow = NaiveFlow()
        labelOffset = nil
        networkOffset = nil
        transportOffset = nil
        padding = 0
        if bytes.count < 14 { return flow }
        flow.key[.ethDst] = bytes.u48(0)
        flow.key[.ethSrc] = bytes.u48(6)

        var at = 12
        var n = 0
        while n < min(vlanTags, 2), NaiveFlow.isVLAN(bytes.u16(at)), bytes.count - at >= 6 {
            flow.tagProtocols[n] = bytes.u16(at)
            flow.setTag(n, bytes.u16(at + 2) | NaiveFlow.vlanPresent)
            at += 4
            n += 1
        }
        flow.etherType = etherType(&at)

        if flow.isMPLS {
            labelOffset = at
            var count = 0
            while bytes.count - at >= 4 {
                let entry = bytes.u32(at)
                if count < 3 { flow.setLabel(count, entry) }
                count += 1
                at += 4
                if entry & NaiveFlow.bottomOfStack != 0 { break }
            }
        }
        networkOffset = at
        switch flow.etherType {
        case 0x0800: extractIPv4(at, &flow)
        case 0x86dd: extractIPv6(at, &flow)
        case 0x0806, 0x8035: extractARP(at, &flow)
        default: break
        }
        return flow
    }

    /// The type behind the tags; for a length field that of the SNAP header, or 0x05ff (OpenFlow 1.0 §3.4's "no Ethernet type").
    private func etherType(_ at: inout Int) -> UInt16 {
        let type = bytes.u16(at)
        at += 2
        if type >= 0x600 { return type }
        guard bytes.count - at >= 8, Array(bytes[at..<at + 6]) == [0xaa, 0xaa, 0x03, 0, 0, 0] else { return 0x05ff }
        let snap = bytes.u16(at + 6)
        at += 8
        return snap >= 0x600 ? snap : 0x05ff
    }

    private mutating func extractIPv4(_ at: Int, _ flow: inout NaiveFlow) {
        let room = bytes.count - at
        if room < 20 { return }
        let headerLength = Int(bytes[at] & 0x0f) * 4
        let totalLength = Int(bytes.u16(at + 2))
        if headerLength < 20 || room < headerLength || totalLength > room || headerLength > totalLength || room - totalLength > 0xffff { return }
        padding = room - totalLength
        flow.key[.ipv4Src] = UInt64(bytes.u32(at + 12))
        flow.key[.ipv4Dst] = UInt64(bytes.u32(at + 16))
        flow.key[.ipTOS] = UInt64(bytes[at + 1])
        flow.key[.ipTTL] = UInt64(bytes[at + 8])
        flow.key[.ipProto] = UInt64(bytes[at + 9])
        let fragment = bytes.u16(at + 6)
        if fragment & 0x3fff != 0 { flow.key[.ipFrag] = fragment & 0x1fff != 0 ? 3 : 1 }
        extractTransport(at + headerLength, end: at + totalLength, &flow)
    }

    private mutating func extractIPv6(_ at: Int, _ flow: inout NaiveFlow) {
        let room = bytes.count - at
        if room < 40 { return }
        let payload = Int(bytes.u16(at + 4))
        if payload + 40 > room || room - payload - 40 > 0xffff { return }
        padding = room - 40 - payload
        flow.key.setWide(.ipv6Src, FieldValue(high: bytes.u64(at + 8), low: bytes.u64(at + 16)))
        flow.key.setWide(.ipv6Dst, FieldValue(high: bytes.u64(at + 24), low: bytes.u64(at + 32)))
        let first = bytes.u32(at)
        let end = at + 40 + payload
        guard let chain = IPv6Headers(bytes, from: at + 40, to: end, first: bytes[at + 6]) else { return }
        flow.key[.ipv6Label] = UInt64(first & 0xfffff)
        flow.key[.ipTOS] = UInt64(first >> 20 & 0xff)
        flow.key[.ipTTL] = UInt64(bytes[at + 7])
        flow.key[.ipProto] = UInt64(chain.protocolNumber)
        flow.key[.ipFrag] = chain.fragment
        extractTransport(chain.offset, end: end, &flow)
    }

    private func extractARP(_ at: Int, _ flow: inout NaiveFlow) {
        guard bytes.count - at >= 28, bytes.u16(at) == 1, bytes.u16(at + 2) == 0x0800, bytes[at + 4] == 6, bytes[at + 5] == 4 else { return }
        let operation = bytes.u16(at + 6)
        if operation <= 0xff { flow.key[.ipProto] = UInt64(operation) }
        flow.key[.arpSHA] = bytes.u48(at + 8)
        flow.key[.arpSPA] = UInt64(bytes.u32(at + 14))
        flow.key[.arpTHA] = bytes.u48(at + 18)
        flow.key[.arpTPA] = UInt64(bytes.u32(at + 24))
    }

    private mutating func extractTransport(_ at: Int, end: Int, _ flow: inout NaiveFlow) {
        transportOffset = at
        if flow.isLaterFragment { return }
        let room = end - at
        func ports() {
            flow.key[.tcpSrc] = UInt64(bytes.u16(at))
            flow.key[.tcpDst] = UInt64(bytes.u16(at + 2))
        }
        func typeAndCode() {
            flow.key[.tcpSrc] = UInt64(bytes[at])
            flow.key[.tcpDst] = UInt64(bytes[at + 1])
        }
        // The protocol numbers of IPv4 and IPv6 are one space, whatever sense the combination makes.
        switch flow.ipProtocol {
        case 6 where room >= 20:
            let headerLength = Int(bytes[at + 12] >> 4) * 4
            if headerLength >= 20 && room >= headerLength {
                flow.key[.tcpFlags] = UInt64(bytes.u16(at + 12) & 0x0fff)
                ports()
            }
        case 17 where room >= 8: ports()
        case 132 where room >= 12: ports()
        case 1 where room >= 8, 2 where room >= 8: typeAndCode()
        case 58 where room >= 8:
            typeAndCode()
            if bytes[at + 1] == 0 && (bytes[at] == 135 || bytes[at] == 136) { extractND(at, end: end, &flow) }
        default: break
        }
    }

    private func extractND(_ start: Int, end: Int, _ flow: inout NaiveFlow) {
        flow.key[.ndReserved] = UInt64(bytes.u32(start + 4))
        var at = start + 8
        if end - at < 16 { return }
        let target = FieldValue(high: bytes.u64(at), low: bytes.u64(at + 8))
        at += 16
        var addresses: [UInt8: UInt64] = [1: 0, 2: 0]
        var firstType: UInt8 = 0
        while end - at >= 8 {
            let length = Int(bytes[at + 1]) * 8
            if length == 0 || length > end - at { break }
            let type = bytes[at]
            if length == 8, let known = addresses[type] {
                if known != 0 {
                    // The same option twice: neither target nor addresses are believed.
                    flow.key[.ndOptionsType] = UInt64(firstType)
                    return
                }
                addresses[type] = bytes.u48(at + 2)
                if firstType == 0 { firstType = type }
            }
            at += length
        }
        flow.key.setWide(.ndTarget, target)
        flow.key[.ndSLL] = addresses[1]!
        flow.key[.ndTLL] = addresses[2]!
        flow.key[.ndOptionsType] = UInt64(firstType)
    }
}

/// The walk over IPv6 extension headers to the transport header (RFC 8200 §4); nil when one of them is cut.
struct IPv6Headers {
    var offset: Int
    var protocolNumber: UInt8
    /// `ip_frag` bits.
    var fragment: UInt64 = 0

    init?(_ bytes: [UInt8], from start: Int, to end: Int, first: UInt8) {
        offset = start
        protocolNumber = first
        while [0, 43, 60, 51, 44].contains(protocolNumber) {
            if end - offset < 8 { return nil }
            let next = bytes[offset]
            let length: Int
            switch protocolNumber {
            case 44: length = 8
            case 51: length = (Int(bytes[offset + 1]) + 2) * 4
            default: length = (Int(bytes[offset + 1]) + 1) * 8
            }
            if length > end - offset { return nil }
            if protocolNumber == 44 {
                let field = bytes.u16(offset + 2)
                offset += length
                if field != 0 {
                    fragment = 1
                    if field & 0xfff8 != 0 {
                        fragment = 3
                        protocolNumber = 44
                        return
                    }
                }
                protocolNumber = next
            } else {
                offset += length
                protocolNumber = next
            }
        }
    }
}
