/// One change to a frame's bytes; nil leaves a field alone.
enum PacketEdit: Equatable {
    struct ARP: Equatable {
        var operation: UInt16?
        var senderIP: UInt32?
        var targetIP: UInt32?
        var senderMAC: UInt64?
        var targetMAC: UInt64?
    }
    struct Neighbor: Equatable {
        var target: [UInt8]?
        var source: UInt64?
        var targetMAC: UInt64?
    }
    struct Bits: Equatable {
        var value: UInt8
        var mask: UInt8
        static func all(_ value: UInt8) -> Bits { Bits(value: value, mask: 0xff) }
        func applied(to old: UInt8) -> UInt8 { old & ~mask | value & mask }
    }
    case ethernet(source: UInt64?, destination: UInt64?)
    case ipv4(source: UInt32?, destination: UInt32?, tos: Bits?, ttl: UInt8?)
    case ipv6(source: [UInt8]?, destination: [UInt8]?, tos: Bits?, label: UInt32?, hopLimit: UInt8?)
    case arp(ARP)
    case ports(protocol: UInt8, source: UInt16?, destination: UInt16?)
    case icmp(type: UInt8, code: UInt8)
    case neighborExtensions(reserved: UInt32?, optionType: UInt8?)
    case neighbor(Neighbor)
    case setLabel(UInt32)
    case pushLabel(etherType: UInt16, entry: UInt32)
    case popLabel(etherType: UInt16)
    case pushTag(protocol: UInt16, tci: UInt16)
    case popTag
}

/// Where Open vSwitch 3.1 breaks the rule that a correct checksum stays correct and a wrong one wrong, or lets a copy's changes show in the
/// packet. Off: the rule holds, as in Weft.
public struct Quirks: Sendable {
    /// New IPv4 addresses "update" what would be the TCP or UDP checksum in fragments that carry none, and so change their payload; new ICMP
    /// types and codes are written over it.
    public var editsPayloadOfLaterFragments = false
    /// An IPv6 packet with a fragment header but no fragmentation (RFC 6946) keeps its old transport checksum under new addresses.
    public var skipsChecksumOfAtomicFragments = false
    /// Setting `nd_reserved` or `nd_options_type` computes the ICMPv6 checksum anew, which makes a wrong one right.
    public var recomputesNeighborChecksum = false
    /// Behind a routing header with segments left no transport checksum is updated, not even for a new source address.
    public var stopsAtUnfinishedRoutes = false
    /// What a clone or a group bucket did to the packet is undone by further edits, instead of being done to a copy.
    public var undoesCopies = false
    public init() {}

    /// All on, to compare the reference with Open vSwitch itself.
    public static var openVSwitch: Quirks {
        var quirks = Quirks()
        quirks.editsPayloadOfLaterFragments = true
        quirks.skipsChecksumOfAtomicFragments = true
        quirks.recomputesNeighborChecksum = true
        quirks.stopsAtUnfinishedRoutes = true
        quirks.undoesCopies = true
        return quirks
    }
}

extension NaivePacket {
    mutating func apply(_ edit: PacketEdit, quirks: Quirks) {
        switch edit {
        case .ethernet(let source, let destination):
            if let destination { bytes.put48(destination, at: 0) }
            if let source { bytes.put48(source, at: 6) }
        case .ipv4(let source, let destination, let tos, let ttl):
            setIPv4(source, destination, tos, ttl, quirks)
        case .ipv6(let source, let destination, let tos, let label, let hopLimit):
            setIPv6(source, destination, tos, label, hopLimit, quirks)
        case .arp(let arp): setARP(arp)
        case .ports(let proto, let source, let destination): setPorts(proto, source, destination)
        case .icmp(let type, let code): setICMP(type, code, quirks)
        case .neighborExtensions(let reserved, let optionType): setNeighborExtensions(reserved, optionType, quirks)
        case .neighbor(let neighbor): setNeighbor(neighbor)
        case .setLabel(let entry):
            if let l = labelOffset { bytes.put32(entry, at: l) }
        case .pushLabel(let etherType, let entry): pushLabel(etherType, entry)
        case .popLabel(let etherType): popLabel(etherType)
        case .pushTag(let proto, let tci):
            bytes.insert(contentsOf: [UInt8(proto >> 8), UInt8(proto & 0xff), UInt8(tci >> 8) & 0xef, UInt8(tci & 0xff)], at: 12)
            moveLayers(by: 4, labels: true)
        case .popTag:
            if bytes.count >= 18, NaiveFlow.isVLAN(bytes.u16(12)) {
                bytes.removeSubrange(12..<16)
                moveLayers(by: -4, labels: true)
            }
        }
    }

    private mutating func moveLayers(by n: Int, labels: Bool) {
        if labels, let l = labelOffset { labelOffset = l + n }
        if let l = networkOffset { networkOffset = l + n }
        if let l = transportOffset { transportOffset = l + n }
    }

    // MARK: MPLS

    private mutating func setEtherType(_ type: UInt16) {
        if NaiveFlow.isVLAN(bytes.u16(12)), let payload = labelOffset ?? networkOffset {
            bytes.put16(type, at: payload - 2)
        } else {
            bytes.put16(type, at: 12)
        }
    }

    private mutating func pushLabel(_ etherType: UInt16, _ entry: UInt32) {
        guard NaiveFlow.isMPLS(etherType) else { return }
        if labelOffset == nil { labelOffset = networkOffset }
        setEtherType(etherType)
        bytes.insert(contentsOf: [0, 0, 0, 0], at: labelOffset!)
        bytes.put32(entry, at: labelOffset!)
        moveLayers(by: 4, labels: false)
    }

    private mutating func popLabel(_ etherType: UInt16) {
        guard let l = labelOffset else { return }
        setEtherType(etherType)
        if bytes.u32(l) & NaiveFlow.bottomOfStack != 0 { labelOffset = nil }
        bytes.removeSubrange(l..<l + 4)
        moveLayers(by: -4, labels: false)
    }

    // MARK: Addresses

    private mutating func setIPv4(_ source: UInt32?, _ destination: UInt32?, _ tos: PacketEdit.Bits?, _ ttl: UInt8?, _ quirks: Quirks) {
        let ip = networkOffset!
        if let source { setIPv4Address(at: ip + 12, source, quirks) }
        if let destination { setIPv4Address(at: ip + 16, destination, quirks) }
        if let tos {
            let old = bytes[ip + 1]
            let new = tos.applied(to: old)
            if new != old { bytes.put16(Checksums.update(bytes.u16(ip + 10), UInt16(old), UInt16(new)), at: ip + 10) }
            bytes[ip + 1] = new
        }
        if let ttl {
            let old = bytes[ip + 8]
            bytes.put16(Checksums.update(bytes.u16(ip + 10), UInt16(old) << 8, UInt16(ttl) << 8), at: ip + 10)
            bytes[ip + 8] = ttl
        }
    }

    private mutating func setIPv4Address(at: Int, _ address: UInt32, _ quirks: Quirks) {
        let ip = networkOffset!
        let old = Array(bytes[at..<at + 4])
        var new = old
        new.put32(address, at: 0)
        if old == new { return }
        let isLater = bytes.u16(ip + 6) & 0x1fff != 0
        if !isLater || quirks.editsPayloadOfLaterFragments {
            updateTransportChecksum(protocol: bytes[ip + 9], withICMPv6: false, old, new)
        }
        bytes.put16(Checksums.update(bytes.u16(ip + 10), old: old, new: new), at: ip + 10)
        bytes.replaceSubrange(at..<at + 4, with: new)
    }

    private mutating func updateTransportChecksum(protocol proto: UInt8, withICMPv6: Bool, _ old: [UInt8], _ new: [UInt8]) {
        guard let t = transportOffset else { return }
        if proto == 6 && transportLength >= 20 {
            bytes.put16(Checksums.update(bytes.u16(t + 16), old: old, new: new), at: t + 16)
        } else if proto == 17 && transportLength >= 8 {
            if bytes.u16(t + 6) == 0 { return }
            let sum = Checksums.update(bytes.u16(t + 6), old: old, new: new)
            bytes.put16(sum == 0 ? 0xffff : sum, at: t + 6)
        } else if withICMPv6 && proto == 58 && transportLength >= 4 {
            bytes.put16(Checksums.update(bytes.u16(t + 2), old: old, new: new), at: t + 2)
        }
    }

    private mutating func setIPv6(
        _ source: [UInt8]?, _ destination: [UInt8]?, _ tos: PacketEdit.Bits?, _ label: UInt32?, _ hopLimit: UInt8?, _ quirks: Quirks
    ) {
        let ip = networkOffset!
        let headers = IPv6ChecksumRule(bytes, from: ip + 40, to: transportOffset!, first: bytes[ip + 6], quirks: quirks)
        func set(_ at: Int, _ new: [UInt8], covered: Bool) {
            let old = Array(bytes[at..<at + 16])
            if old == new { return }
            if covered { updateTransportChecksum(protocol: headers.protocolNumber, withICMPv6: true, old, new) }
            bytes.replaceSubrange(at..<at + 16, with: new)
        }
        if let source { set(ip + 8, source, covered: headers.coversAddresses) }
        if let destination { set(ip + 24, destination, covered: headers.coversAddresses && !headers.hasUnfinishedRoute) }
        var first = bytes.u32(ip)
        if let tos { first = first & 0xf00f_ffff | UInt32(tos.applied(to: UInt8(first >> 20 & 0xff))) << 20 }
        if let label { first = first & 0xfff0_0000 | label }
        bytes.put32(first, at: ip)
        if let hopLimit { bytes[ip + 7] = hopLimit }
    }

    private mutating func setARP(_ arp: PacketEdit.ARP) {
        let at = networkOffset!
        if bytes.count - at < 28 { return }
        if let v = arp.operation { bytes.put16(v, at: at + 6) }
        if let v = arp.senderMAC { bytes.put48(v, at: at + 8) }
        if let v = arp.senderIP { bytes.put32(v, at: at + 14) }
        if let v = arp.targetMAC { bytes.put48(v, at: at + 18) }
        if let v = arp.targetIP { bytes.put32(v, at: at + 24) }
    }

    // MARK: Transport

    private mutating func setPorts(_ proto: UInt8, _ source: UInt16?, _ destination: UInt16?) {
        guard let t = transportOffset else { return }
        func replace(_ at: Int, _ value: UInt16?, checksumAt sum: Int?) {
            guard let value else { return }
            if let sum { bytes.put16(Checksums.update(bytes.u16(sum), bytes.u16(at), value), at: sum) }
            bytes.put16(value, at: at)
        }
        switch proto {
        case 6:
            if transportLength < 20 { return }
            let headerLength = Int(bytes[t + 12] >> 4) * 4
            if headerLength < 20 || headerLength > transportLength { return }
            replace(t, source, checksumAt: t + 16)
            replace(t + 2, destination, checksumAt: t + 16)
        case 17:
            if transportLength < 8 { return }
            let hasChecksum = bytes.u16(t + 6) != 0
            replace(t, source, checksumAt: hasChecksum ? t + 6 : nil)
            replace(t + 2, destination, checksumAt: hasChecksum ? t + 6 : nil)
            if hasChecksum && bytes.u16(t + 6) == 0 { bytes.put16(0xffff, at: t + 6) }
        case 132:
            if transportLength < 12 { return }
            // The error of the old checksum is carried over to the new one.
            let stored = bytes.u32(t + 8)
            bytes.put32(0, at: t + 8)
            let before = Checksums.crc32c(bytes[t..<t + transportLength]).byteSwapped
            replace(t, source, checksumAt: nil)
            replace(t + 2, destination, checksumAt: nil)
            let after = Checksums.crc32c(bytes[t..<t + transportLength]).byteSwapped
            bytes.put32(stored ^ before ^ after, at: t + 8)
        default: break
        }
    }

    private mutating func setICMP(_ type: UInt8, _ code: UInt8, _ quirks: Quirks) {
        guard let t = transportOffset, transportLength >= 8 else { return }
        let isLater = bytes.u16(networkOffset! - 2) == 0x0800 && bytes.u16(networkOffset! + 6) & 0x1fff != 0
        if isLater && !quirks.editsPayloadOfLaterFragments { return }
        let new = UInt16(type) << 8 | UInt16(code)
        if bytes.u16(t) == new { return }
        bytes.put16(Checksums.update(bytes.u16(t + 2), bytes.u16(t), new), at: t + 2)
        bytes.put16(new, at: t)
    }

    private mutating func setNeighborExtensions(_ reserved: UInt32?, _ optionType: UInt8?, _ quirks: Quirks) {
        guard let t = transportOffset, transportLength >= 24 else { return }
        let old = Array(bytes[t + 4..<t + transportLength])
        if let reserved { bytes.put32(reserved, at: t + 4) }
        if let optionType, transportLength > 24 { bytes[t + 24] = optionType }
        if quirks.recomputesNeighborChecksum {
            let ip = networkOffset!
            bytes.put16(0, at: t + 2)
            // The pseudo-header is taken from the IPv6 header, extension headers or not.
            var initial = Checksums.sum(bytes[ip + 8..<ip + 40])
            initial = Checksums.sum([0, bytes[ip + 6], bytes[ip + 4], bytes[ip + 5]], initial: initial)
            bytes.put16(Checksums.internet(bytes[t..<t + transportLength], initial: initial), at: t + 2)
        } else {
            let even = old.count & ~1
            let sum = Checksums.update(bytes.u16(t + 2), old: old[..<even], new: bytes[t + 4..<t + 4 + even])
            bytes.put16(sum, at: t + 2)
        }
    }

    private mutating func setNeighbor(_ neighbor: PacketEdit.Neighbor) {
        guard let t = transportOffset, transportLength >= 24 else { return }
        func replace(_ range: Range<Int>, _ new: [UInt8]) {
            let old = Array(bytes[range])
            if old == new { return }
            bytes.put16(Checksums.update(bytes.u16(t + 2), old: old, new: new), at: t + 2)
            bytes.replaceSubrange(range, with: new)
        }
        if let target = neighbor.target { replace(t + 8..<t + 24, target) }
        // Only the first link-layer option is written, whichever it is.
        var at = t + 24
        let end = t + transportLength
        while end - at >= 8, bytes[at + 1] != 0 {
            if (bytes[at] == 1 || bytes[at] == 2) && bytes[at + 1] == 1 {
                if let mac = bytes[at] == 1 ? neighbor.source : neighbor.targetMAC {
                    var new: [UInt8] = [0, 0, 0, 0, 0, 0]
                    new.put48(mac, at: 0)
                    replace(at + 2..<at + 8, new)
                }
                return
            }
            at += Int(bytes[at + 1]) * 8
        }
    }
}

/// Whether the transport checksum of an IPv6 packet covers the addresses in its header (RFC 8200 §8.1).
private struct IPv6ChecksumRule {
    var protocolNumber: UInt8
    var coversAddresses = true
    var hasUnfinishedRoute = false

    init(_ bytes: [UInt8], from start: Int, to end: Int, first: UInt8, quirks: Quirks) {
        protocolNumber = first
        var at = start
        while [0, 43, 60, 51, 44].contains(protocolNumber) {
            if end - at < 8 { return }
            let next = bytes[at]
            var length = (Int(bytes[at + 1]) + 1) * 8
            switch protocolNumber {
            case 51: length = (Int(bytes[at + 1]) + 2) * 4
            case 44:
                length = 8
                let field = bytes.u16(at + 2)
                coversAddresses = field & 0xfff8 == 0 && (field & 1 != 0 || !quirks.skipsChecksumOfAtomicFragments)
            case 43:
                if bytes[at + 3] > 0 {
                    hasUnfinishedRoute = true
                    if quirks.stopsAtUnfinishedRoutes { return }
                }
            default: break
            }
            protocolNumber = next
            if end - at < length { return }
            at += length
        }
    }
}
