import Flow

/// Parses frames into flow keys.
///
/// One pass from the Ethernet header inwards. Every read is behind a length test and through a bounds-checked span; a header that is cut or lies
/// about its length ends the parse there, its fields stay zero, and the frame goes on (OVS forwards such frames too, so rules can see
/// them). Only a frame without an Ethernet header is refused. The length rules are those of Open vSwitch 3.1, so that the same entry
/// matches the same frames.
///
/// Price: for IPv4 only words 0–4, 13 and 15 are written; `FlowKeyLayout` words outside `significantWords(etherType:)` are left as they
/// were, and nobody may read them.
struct FrameParser {
    /// VLAN tags that are parsed, 1 or 2.
    let vlanTags: Int

    init(vlanTags: Int) {
        self.vlanTags = vlanTags
    }

    enum EtherType {
        static let ipv4: UInt64 = 0x0800
        static let arp: UInt64 = 0x0806
        static let rarp: UInt64 = 0x8035
        static let vlan: UInt64 = 0x8100
        static let serviceVLAN: UInt64 = 0x88a8
        static let ipv6: UInt64 = 0x86dd
        static let mpls: UInt64 = 0x8847
        static let mplsMulticast: UInt64 = 0x8848
        static let backbone: UInt64 = 0x88e7
        /// What the key holds for a frame with an 802.3 length and no SNAP type.
        static let none: UInt64 = 0x05ff
    }

    enum Fragment {
        static let any: UInt64 = 1
        static let later: UInt64 = 2
    }

    /// Words of the key that a frame of this EtherType can make non-zero, as a bit set.
    @inline(__always) static func significantWords(etherType: UInt64) -> UInt64 {
        // Always: 0 and 1 (Ethernet), 4 (in_port), 13 (tag kinds), 15 (length).
        switch etherType {
        case EtherType.ipv4: return 0xa01f  // and 2, 3
        case EtherType.ipv6: return 0xfbfb  // all but 2 and 10
        case EtherType.arp, EtherType.rarp: return 0xe01f  // and 2, 3, 14
        case EtherType.mpls, EtherType.mplsMulticast: return 0xa613  // and 9, 10
        case EtherType.backbone: return 0xa017  // and 2
        default: return 0xa013
        }
    }

    /// Parses `length` bytes at `data`; returns false when there is no Ethernet header.
    ///
    /// - Writes: the significant packet words of `key`, and `layout`. `key` must have room for 16 words.
    @inline(__always)
    func parse(
        _ data: UnsafeRawPointer, length: Int, inPort: UInt32, key: UnsafeMutablePointer<UInt64>, layout: inout FrameLayout
    ) -> Bool {
        // Safe: the caller owns `length` bytes at `data` for the duration of the call.
        let bytes = UnsafeRawBufferPointer(start: data, count: length).bytes
        if length < 14 { return false }
        layout.mpls = FrameLayout.none
        layout.transport = FrameLayout.none
        layout.padding = 0

        let first = UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
        let sourceTail = UInt64(UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        var etherType = Self.be16(bytes, 12)
        var at = 14
        var tci: UInt64 = 0
        var innerTCI: UInt64 = 0
        var tagKinds: UInt64 = 0
        if etherType == EtherType.vlan || etherType == EtherType.serviceVLAN {
            if length >= 18 {
                tci = Self.be16(bytes, 14) | 0x1000
                if etherType == EtherType.serviceVLAN { tagKinds = 1 }
                etherType = Self.be16(bytes, 16)
                at = 18
                if vlanTags > 1, etherType == EtherType.vlan || etherType == EtherType.serviceVLAN, length >= 22 {
                    innerTCI = Self.be16(bytes, 18) | 0x1000
                    if etherType == EtherType.serviceVLAN { tagKinds |= 2 }
                    etherType = Self.be16(bytes, 20)
                    at = 22
                }
            }
        }
        if etherType < 0x600 {
            etherType = Self.snapType(bytes, &at, length)
        }

        key[FlowKeyLayout.ethDstType] = first & ~0xffff | etherType
        key[FlowKeyLayout.ethSrcVLAN] = first << 48 | sourceTail << 16 | tci
        key[FlowKeyLayout.arpSHA] = tagKinds
        key[FlowKeyLayout.ndReserved] = UInt64(UInt32(truncatingIfNeeded: length))
        let ports = UInt64(inPort) << 32 | innerTCI

        if etherType == EtherType.ipv4 {
            layout.network = UInt16(truncatingIfNeeded: at)
            parseIPv4(bytes, at: at, length: length, inPort: ports, key: key, layout: &layout)
        } else {
            key[FlowKeyLayout.inPortFlags] = ports
            parseOther(bytes, etherType: etherType, at: at, length: length, key: key, layout: &layout)
        }
        return true
    }

    @inline(__always) static func be16(_ b: RawSpan, _ at: Int) -> UInt64 {
        UInt64(UInt16(bigEndian: b.unsafeLoadUnaligned(fromByteOffset: at, as: UInt16.self)))
    }
    @inline(__always) static func be32(_ b: RawSpan, _ at: Int) -> UInt64 {
        UInt64(UInt32(bigEndian: b.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self)))
    }
    @inline(__always) static func be64(_ b: RawSpan, _ at: Int) -> UInt64 {
        UInt64(bigEndian: b.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
    }
    @inline(__always) static func byte(_ b: RawSpan, _ at: Int) -> UInt64 {
        UInt64(b.unsafeLoadUnaligned(fromByteOffset: at, as: UInt8.self))
    }

    /// The type of an 802.2 frame: its SNAP type, or `none` (IEEE 802.2, RFC 1042).
    @inline(never)
    private static func snapType(_ b: RawSpan, _ at: inout Int, _ length: Int) -> UInt64 {
        guard length - at >= 8, be32(b, at) == 0xaaaa_0300, be16(b, at + 4) == 0 else { return EtherType.none }
        let type = be16(b, at + 6)
        at += 8
        return type >= 0x600 ? type : EtherType.none
    }

    /// IPv4 (RFC 791) and what it carries. An invalid header leaves words 2 and 3 zero.
    @inline(__always)
    private func parseIPv4(
        _ b: RawSpan, at: Int, length: Int, inPort: UInt64, key: UnsafeMutablePointer<UInt64>, layout: inout FrameLayout
    ) {
        key[FlowKeyLayout.ipv4] = 0
        key[FlowKeyLayout.transport] = 0
        key[FlowKeyLayout.inPortFlags] = inPort
        let available = length - at
        if available < 20 { return }
        let headerLength = Int(Self.byte(b, at) & 0xf) * 4
        let total = Int(Self.be16(b, at + 2))
        if headerLength < 20 || available < headerLength || total > available || headerLength > total || available - total > 0xffff {
            return
        }
        layout.padding = UInt16(truncatingIfNeeded: available - total)
        key[FlowKeyLayout.ndReserved] = UInt64(UInt32(truncatingIfNeeded: at + total))
        let transport = at + headerLength
        layout.transport = UInt16(truncatingIfNeeded: transport)
        key[FlowKeyLayout.ipv4] = Self.be64(b, at + 12)
        let fragmentOffset = Self.be16(b, at + 6)
        var word = Self.byte(b, at + 9) << 24 | Self.byte(b, at + 1) << 16 | Self.byte(b, at + 8) << 8
        if fragmentOffset & 0x3fff != 0 {
            word |= fragmentOffset & 0x1fff != 0 ? Fragment.any | Fragment.later : Fragment.any
        }
        key[FlowKeyLayout.transport] = word
        if word & Fragment.later == 0 {
            parseTransport(
                b, protocolNumber: word >> 24 & 0xff, at: transport, end: at + total, isIPv6: false, inPort: inPort, key: key)
        }
    }

    /// Ports, ICMP type and code, TCP flags. A cut header leaves them zero.
    @inline(__always)
    private func parseTransport(
        _ b: RawSpan, protocolNumber: UInt64, at: Int, end: Int, isIPv6: Bool, inPort: UInt64, key: UnsafeMutablePointer<UInt64>
    ) {
        let available = end - at
        switch protocolNumber {
        case 17:
            if available >= 8 { key[FlowKeyLayout.transport] |= Self.be32(b, at) << 32 }
        case 6:
            if available >= 20 {
                let offsetAndFlags = Self.be16(b, at + 12)
                let headerLength = Int(offsetAndFlags >> 12) * 4
                if headerLength >= 20 && available >= headerLength {
                    key[FlowKeyLayout.transport] |= Self.be32(b, at) << 32
                    key[FlowKeyLayout.inPortFlags] = inPort | (offsetAndFlags & 0xfff) << 16
                }
            }
        case 132:
            if available >= 12 { key[FlowKeyLayout.transport] |= Self.be32(b, at) << 32 }
        case 1, 2:
            // ICMP and IGMP headers have eight bytes, type and code first. As in OVS they match on IPv6 too.
            if available >= 8 { key[FlowKeyLayout.transport] |= Self.byte(b, at) << 48 | Self.byte(b, at + 1) << 32 }
        case 58:
            if available >= 8 {
                key[FlowKeyLayout.transport] |= Self.byte(b, at) << 48 | Self.byte(b, at + 1) << 32
                if isIPv6 { parseNeighborDiscovery(b, at: at, end: end, key: key) }
            }
        default: break
        }
    }

    @inline(never)
    private func parseOther(
        _ b: RawSpan, etherType: UInt64, at start: Int, length: Int, key: UnsafeMutablePointer<UInt64>, layout: inout FrameLayout
    ) {
        layout.network = UInt16(truncatingIfNeeded: start)
        switch etherType {
        case EtherType.ipv6: parseIPv6(b, at: start, length: length, key: key, layout: &layout)
        case EtherType.arp, EtherType.rarp: parseARP(b, at: start, length: length, key: key)
        case EtherType.mpls, EtherType.mplsMulticast:
            layout.mpls = UInt16(truncatingIfNeeded: start)
            var at = start
            var entries: (UInt64, UInt64, UInt64) = (0, 0, 0)
            var count = 0
            while length - at >= 4 {
                let entry = Self.be32(b, at)
                switch count {
                case 0: entries.0 = entry
                case 1: entries.1 = entry
                case 2: entries.2 = entry
                default: break
                }
                count += 1
                at += 4
                if entry & 0x100 != 0 { break }
            }
            key[FlowKeyLayout.labels] = entries.0
            key[FlowKeyLayout.mplsMore] = entries.1 << 32 | entries.2
            layout.network = UInt16(truncatingIfNeeded: Swift.min(at, 0xfffe))
        case EtherType.backbone:
            // The I-TAG (IEEE 802.1ah), as it is but for the reserved bits; what the customer's frame behind it holds is looked at when it is popped.
            key[FlowKeyLayout.ipv4] = length - start >= 4 ? Self.be32(b, start) & 0xf8ff_ffff : 0
        default: break
        }
    }

    /// ARP and RARP for Ethernet and IPv4 (RFC 826); anything else leaves the fields zero.
    private func parseARP(_ b: RawSpan, at: Int, length: Int, key: UnsafeMutablePointer<UInt64>) {
        key[FlowKeyLayout.ipv4] = 0
        key[FlowKeyLayout.transport] = 0
        key[FlowKeyLayout.arpTHA] = 0
        guard length - at >= 28, Self.be16(b, at) == 1, Self.be16(b, at + 2) == EtherType.ipv4, Self.be16(b, at + 4) == 0x0604 else { return }
        key[FlowKeyLayout.ipv4] = Self.be32(b, at + 14) << 32 | Self.be32(b, at + 24)
        let operation = Self.be16(b, at + 6)
        if operation <= 0xff { key[FlowKeyLayout.transport] = operation << 24 }
        key[FlowKeyLayout.arpSHA] |= (Self.be16(b, at + 8) << 32 | Self.be32(b, at + 10)) << 16
        key[FlowKeyLayout.arpTHA] = (Self.be16(b, at + 18) << 32 | Self.be32(b, at + 20)) << 16
    }

    /// IPv6 (RFC 8200): the fixed header, then the extension headers up to the first that is not one.
    private func parseIPv6(_ b: RawSpan, at: Int, length: Int, key: UnsafeMutablePointer<UInt64>, layout: inout FrameLayout) {
        key[FlowKeyLayout.transport] = 0
        for word in FlowKeyLayout.ipv6Src...FlowKeyLayout.labels { key[word] = 0 }
        for word in FlowKeyLayout.ndTarget...FlowKeyLayout.ndTarget + 1 { key[word] = 0 }
        key[FlowKeyLayout.arpTHA] = 0
        let available = length - at
        guard available >= 40 else { return }
        let payload = Int(Self.be16(b, at + 4))
        guard payload + 40 <= available, available - payload - 40 <= 0xffff else { return }
        layout.padding = UInt16(available - payload - 40)
        key[FlowKeyLayout.ndReserved] = UInt64(UInt32(truncatingIfNeeded: length - (available - payload - 40)))
        key[5] = Self.be64(b, at + 8)
        key[6] = Self.be64(b, at + 16)
        key[7] = Self.be64(b, at + 24)
        key[8] = Self.be64(b, at + 32)
        let end = at + 40 + payload
        var next = at + 40
        var proto = Self.byte(b, at + 6)
        var fragment: UInt64 = 0
        headers: while true {
            let step: Int
            switch proto {
            case 0, 43, 60:  // hop-by-hop, routing, destination options
                guard end - next >= 8 else { return }
                proto = Self.byte(b, next)
                step = (Int(Self.byte(b, next + 1)) + 1) * 8
            case 51:  // authentication (RFC 4302)
                guard end - next >= 8 else { return }
                proto = Self.byte(b, next)
                step = (Int(Self.byte(b, next + 1)) + 2) * 4
            case 44:
                guard end - next >= 8 else { return }
                let field = Self.be16(b, next + 2)
                proto = Self.byte(b, next)
                step = 8
                if field != 0 {
                    fragment = Fragment.any
                    if field & 0xfff8 != 0 {
                        fragment |= Fragment.later
                        proto = 44
                        next += 8
                        break headers
                    }
                }
            default: break headers
            }
            guard end - next >= step else { return }
            next += step
        }
        layout.transport = UInt16(truncatingIfNeeded: Swift.min(next, 0xfffe))
        let versionClassLabel = Self.be32(b, at)
        key[FlowKeyLayout.labels] = (versionClassLabel & 0xfffff) << 32
        key[FlowKeyLayout.transport] = proto << 24 | (versionClassLabel >> 20 & 0xff) << 16 | Self.byte(b, at + 7) << 8 | fragment
        if next != at + 40 || proto == 50 || proto == 59 {
            key[FlowKeyLayout.arpTHA] = Self.extensionHeaders(b, from: at + 40, to: next, first: Self.byte(b, at + 6), last: proto)
        }
        if fragment & Fragment.later == 0 {
            parseTransport(
                b, protocolNumber: proto, at: next, end: end, isIPv6: true, inPort: key[FlowKeyLayout.inPortFlags], key: key)
        }
    }

    /// Neighbour solicitations and advertisements (RFC 4861 §4.3–4.4, options §4.6.1). A repeated option invalidates target and addresses.
    private func parseNeighborDiscovery(_ b: RawSpan, at: Int, end: Int, key: UnsafeMutablePointer<UInt64>) {
        let type = Self.byte(b, at)
        guard Self.byte(b, at + 1) == 0, type == 135 || type == 136 else { return }
        key[FlowKeyLayout.ndReserved] |= Self.be32(b, at + 4) << 32
        guard end - at >= 24 else { return }
        let targetHigh = Self.be64(b, at + 8)
        let targetLow = Self.be64(b, at + 16)
        var source: UInt64 = 0
        var target: UInt64 = 0
        var firstOption: UInt64 = 0
        var next = at + 24
        var isValid = true
        while end - next >= 8 {
            let kind = Self.byte(b, next)
            let optionLength = Int(Self.byte(b, next + 1)) * 8
            if optionLength == 0 || optionLength > end - next { break }
            if optionLength == 8, kind == 1 || kind == 2 {
                let address = Self.be16(b, next + 2) << 32 | Self.be32(b, next + 4)
                if kind == 1 ? source != 0 : target != 0 {
                    isValid = false
                    break
                }
                if kind == 1 { source = address } else { target = address }
                if firstOption == 0 { firstOption = kind }
            }
            next += optionLength
        }
        if isValid {
            key[FlowKeyLayout.ndTarget] = targetHigh
            key[FlowKeyLayout.ndTarget + 1] = targetLow
            key[FlowKeyLayout.arpSHA] |= source << 16
            key[FlowKeyLayout.arpTHA] |= target << 16
        }
        key[FlowKeyLayout.arpSHA] |= firstOption << 8
    }
}
