import Flow
import Wire

/// Builds a frame that the parser reads back to a given flow: the inverse of `FrameParser`, for packets that a person describes.
///
/// Lengths and checksums are right. What the description leaves open is zero, but for the values in `Default`, without which a packet would
/// be dropped for a reason that nobody asked about. The frame has no payload and no padding.
public struct FrameComposer {
    public enum Default {
        public static let inPort: UInt32 = 1
        /// The Ethernet type for local experiments (IEEE 802 §9.2.4).
        public static let etherType: UInt16 = 0x88b5
        /// Also the hop limit and the TTL of labels.
        public static let ttl: UInt8 = 64
        public static let arpOperation: UInt16 = 1
    }

    /// The frame.
    public private(set) var bytes: [UInt8] = []
    /// Fields that got a value other than zero although none was given, with this value.
    public private(set) var assumed: [(field: Field, value: UInt64)] = []
    /// The port on which the packet comes in.
    public let inPort: UInt32
    /// What comes in beside the packet: tunnel fields, registers, marks.
    public let metadata: FlowKey
    /// Tags that the parser must look for to find them all.
    public private(set) var tagCount = 0

    private var key: FlowKey
    private let match: Match

    /// - Parameters:
    ///   - key: the values of the fields.
    ///   - match: which of them were given.
    public init(_ key: FlowKey, given match: Match) {
        self.key = key
        self.match = match
        var metadata = key
        if match.requirement(on: .actsetOutput).mask.isZero { metadata[.actsetOutput] = UInt64(ReservedPort.unset) }
        self.metadata = metadata
        let isPortGiven = !match.requirement(on: .inPort).mask.isZero
        inPort = isPortGiven ? UInt32(truncatingIfNeeded: key[.inPort]) : Default.inPort
        if !isPortGiven { assumed.append((.inPort, UInt64(Default.inPort))) }
        let type = UInt16(truncatingIfNeeded: value(.ethType, or: UInt64(Default.etherType)))
        let payload = network(type)
        var tags: [UInt16] = []
        for tci in [key[.vlanTCI], key[.innerVLANTCI]] where tci & 0x1000 != 0 { tags.append(UInt16(truncatingIfNeeded: tci)) }
        tagCount = tags.count
        let types = tags.count == 2 ? [EtherType.serviceVLAN, EtherType.vlan, type] : tags.count == 1 ? [EtherType.vlan, type] : [type]
        bytes = Ethernet.Header(destination: MACAddress(key[.ethDst]), source: MACAddress(key[.ethSrc]), etherType: types[0]).encoded()
        for (i, tci) in tags.enumerated() {
            bytes += VLAN.Header(identifier: tci & 0xfff, priority: UInt8(tci >> 13), etherType: types[i + 1]).encoded()
        }
        bytes += payload
    }

    /// A field's value, or the assumed one when it was not given.
    private mutating func value(_ field: Field, or assumption: UInt64) -> UInt64 {
        if !match.requirement(on: field).mask.isZero { return key[field] }
        assumed.append((field, assumption))
        return assumption
    }

    private mutating func network(_ type: UInt16) -> [UInt8] {
        switch type {
        case EtherType.ipv4: ipv4()
        case EtherType.ipv6: ipv6()
        case EtherType.arp, EtherType.rarp:
            ARP.Header(
                operation: UInt16(value(.arpOp, or: UInt64(Default.arpOperation))), senderHardware: MACAddress(key[.arpSHA]),
                senderProtocol: IPv4Address(UInt32(key[.arpSPA])), targetHardware: MACAddress(key[.arpTHA]),
                targetProtocol: IPv4Address(UInt32(key[.arpTPA]))
            ).encoded()
        case EtherType.mpls, EtherType.mplsMulticast: labels()
        case EtherType.backbone: backbone()
        default: []
        }
    }

    /// The labels and, below them, an IPv4 packet of which nothing is known.
    private mutating func labels() -> [UInt8] {
        let ttl = UInt8(value(.mplsTTL, or: UInt64(Default.ttl)))
        let isBottom = value(.mplsBOS, or: 1) != 0
        var out = MPLS.Header(label: UInt32(key[.mplsLabel]), trafficClass: UInt8(key[.mplsTC]), isBottom: isBottom, ttl: ttl).encoded()
        if !isBottom { out += MPLS.Header(label: 0, isBottom: true, ttl: Default.ttl).encoded() }
        let udp = transport(IPProtocol.udp, .ipv4(source: IPv4Address(0), destination: IPv4Address(0)), isLater: false)
        out += IPv4.Header(source: IPv4Address(0), destination: IPv4Address(0), nextProtocol: IPProtocol.udp, payloadSize: udp.count).encoded()
        return out + udp
    }

    /// The I-TAG and a customer's Ethernet header of which nothing is known.
    private func backbone() -> [UInt8] {
        PBB.Header(service: UInt32(key[.pbbISID]), usesCustomerAddresses: key[.pbbUCA] != 0).encoded()
            + Ethernet.Header(destination: MACAddress(0), source: MACAddress(0), etherType: Default.etherType).encoded()
    }

    /// Extension headers that `ipv6_exthdr` tells of, in their recommended order, before the header of number `next`; and the number of the first.
    ///
    /// Neither fragments, which `nw_frag` describes, nor the two bits of unexpected chains are composed.
    private func extensions(before next: UInt8) -> (first: UInt8, bytes: [UInt8]) {
        let flags = key[.ipv6ExtensionHeaders]
        var out: [UInt8] = []
        var next = next
        for (bit, number, size) in [
            (FrameParser.ExtensionHeader.authentication, IPProtocol.authentication, 16),
            (FrameParser.ExtensionHeader.routing, IPProtocol.routing, 8),
            (FrameParser.ExtensionHeader.destination, IPProtocol.destinationOptions, 8),
            (FrameParser.ExtensionHeader.hopByHop, IPProtocol.hopByHop, 8),
        ] where flags & bit != 0 {
            // Options are one padding of four bytes (RFC 8200 §4.2); a routing header has no segments left, so that its type doesn't matter.
            let isOption = number == IPProtocol.hopByHop || number == IPProtocol.destinationOptions
            out = [next, size == 16 ? 2 : 0] + (isOption ? [1, 4] : [0, 0]) + [UInt8](repeating: 0, count: size - 4) + out
            next = number
        }
        return (next, out)
    }

    private mutating func ipv4() -> [UInt8] {
        let (source, destination) = (IPv4Address(UInt32(key[.ipv4Src])), IPv4Address(UInt32(key[.ipv4Dst])))
        let ttl = UInt8(value(.ipTTL, or: UInt64(Default.ttl)))
        let (isFragment, isLater) = fragment
        let proto = UInt8(key[.ipProto])
        let payload = transport(proto, .ipv4(source: source, destination: destination), isLater: isLater)
        return IPv4.Header(
            source: source, destination: destination, nextProtocol: proto, payloadSize: payload.count, ttl: ttl,
            trafficClass: UInt8(key[.ipTOS]), moreFragments: isFragment && !isLater, fragmentOffset: isLater ? 8 : 0
        ).encoded() + payload
    }

    private mutating func ipv6() -> [UInt8] {
        let (s, d) = (key.wide(.ipv6Src), key.wide(.ipv6Dst))
        let (source, destination) = (IPv6Address(high: s.high, low: s.low), IPv6Address(high: d.high, low: d.low))
        let hopLimit = UInt8(value(.ipTTL, or: UInt64(Default.ttl)))
        let (isFragment, isLater) = fragment
        let proto = UInt8(key[.ipProto])
        var payload = transport(proto, .ipv6(source: source, destination: destination), isLater: isLater)
        var next = proto
        if isFragment {
            // The parser tells a later fragment's protocol as 44, so any number can stand in it.
            payload =
                IPv6Fragment.Header(nextHeader: isLater ? 59 : proto, fragmentOffset: isLater ? 8 : 0, moreFragments: !isLater, identification: 0)
                .encoded() + payload
            next = IPProtocol.fragment
        }
        let extensions = extensions(before: next)
        payload = extensions.bytes + payload
        next = extensions.first
        return IPv6.Header(
            source: source, destination: destination, nextHeader: next, payloadSize: payload.count, hopLimit: hopLimit,
            trafficClass: UInt8(key[.ipTOS]), flowLabel: UInt32(key[.ipv6Label])
        ).encoded() + payload
    }

    private var fragment: (isFragment: Bool, isLater: Bool) {
        (key[.ipFrag] & FrameParser.Fragment.any != 0, key[.ipFrag] & FrameParser.Fragment.later != 0)
    }

    private func transport(_ proto: UInt8, _ pseudoHeader: PseudoHeader, isLater: Bool) -> [UInt8] {
        if isLater { return [UInt8](repeating: 0, count: 8) }
        let (source, destination) = (UInt16(key[.tcpSrc]), UInt16(key[.tcpDst]))
        switch proto {
        case IPProtocol.tcp:
            var tcp = TCP.Header(sourcePort: source, destinationPort: destination, flags: UInt16(key[.tcpFlags]))
            tcp.fillChecksum(pseudoHeader: pseudoHeader, payload: [])
            return tcp.encoded()
        case IPProtocol.udp:
            var udp = UDP.Header(sourcePort: source, destinationPort: destination, payloadSize: 0)
            udp.fillChecksum(pseudoHeader: pseudoHeader, payload: [])
            return udp.encoded()
        case IPProtocol.sctp:
            var sctp = SCTP.Header(sourcePort: source, destinationPort: destination, verificationTag: 0)
            sctp.fillChecksum(payload: [])
            return sctp.encoded()
        case IPProtocol.icmpv4, 2:
            var icmp = ICMPv4.Header(type: UInt8(key[.icmpType]), code: UInt8(key[.icmpCode]))
            icmp.fillChecksum(payload: [])
            return icmp.encoded()
        case IPProtocol.icmpv6: return icmpv6(pseudoHeader)
        default: return []
        }
    }

    private func icmpv6(_ pseudoHeader: PseudoHeader) -> [UInt8] {
        let type = UInt8(key[.icmpv6Type])
        let code = UInt8(key[.icmpv6Code])
        guard type == 135 || type == 136, code == 0 else {
            var icmp = ICMPv6.Header(type: type, code: code)
            icmp.fillChecksum(pseudoHeader: pseudoHeader, payload: [])
            return icmp.encoded()
        }
        let target = key.wide(.ndTarget)
        var options: [NeighborDiscovery.Option] = []
        for (kind, field) in [(UInt8(1), Field.ndSLL), (UInt8(2), Field.ndTLL)] where key[field] != 0 {
            options.append(.linkLayer(type: kind, MACAddress(key[field])))
        }
        if key[.ndOptionsType] == 2, options.count == 2 { options.reverse() }
        var message = NeighborDiscovery.Message(
            type: type, reserved: UInt32(key[.ndReserved]), target: IPv6Address(high: target.high, low: target.low), options: options)
        message.fillChecksum(pseudoHeader: pseudoHeader)
        return message.encoded()
    }
}
