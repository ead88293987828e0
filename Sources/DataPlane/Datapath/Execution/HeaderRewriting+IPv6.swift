/// IPv6, ARP and neighbour discovery.
extension HeaderRewriting {
    /// What of an IPv6 packet's extension headers matters to checksums.
    private struct Chain {
        /// The protocol after the extension headers.
        var proto: UInt8 = 0
        /// A routing header with segments left: the destination in the header is not the one in the pseudo-header (RFC 8200 §8.1).
        var hasSegmentsLeft = false
        /// Whether the transport header, with its checksum, is in this packet: not in a later fragment.
        var updatesChecksum = true
    }

    private static func chain(_ packet: PacketState) -> Chain {
        var c = Chain()
        let nh = packet.network
        var left = Int(packet.layout.transport) - Int(packet.layout.network)
        guard left >= 40 else { return c }
        var p = nh + 40
        left -= 40
        c.proto = nh.load(fromByteOffset: 6, as: UInt8.self)
        while true {
            let size: Int
            switch c.proto {
            case 0, 60:
                guard left >= 8 else { return c }
                c.proto = p.load(as: UInt8.self)
                size = (Int(p.load(fromByteOffset: 1, as: UInt8.self)) + 1) * 8
            case 43:
                guard left >= 8 else { return c }
                if p.load(fromByteOffset: 3, as: UInt8.self) > 0 { c.hasSegmentsLeft = true }
                c.proto = p.load(as: UInt8.self)
                size = (Int(p.load(fromByteOffset: 1, as: UInt8.self)) + 1) * 8
            case 51:
                guard left >= 8 else { return c }
                c.proto = p.load(as: UInt8.self)
                size = (Int(p.load(fromByteOffset: 1, as: UInt8.self)) + 2) * 4
            case 44:
                guard left >= 8 else { return c }
                let field = load16(p, 2)
                c.updatesChecksum = field & 0xfff8 == 0
                c.proto = p.load(as: UInt8.self)
                size = 8
            default: return c
            }
            guard left >= size else { return c }
            left -= size
            p += size
        }
    }

    /// Rewrites the fixed header: traffic class and hop limit (word 3), addresses (5–8), flow label (word 9).
    static func ipv6(_ packet: inout PacketState, _ operands: UnsafePointer<UInt64>, _ set: UInt16) {
        let nh = packet.network
        var at = 0
        func operand(_ word: Int) -> (mask: UInt64, value: UInt64) {
            guard set >> UInt16(word) & 1 != 0 else { return (0, 0) }
            defer { at += 2 }
            return (operands[at], operands[at + 1])
        }
        let classHop = operand(3)
        let source = (operand(5), operand(6))
        let destination = (operand(7), operand(8))
        let label = operand(9)
        let c = chain(packet)
        address(&packet, nh + 8, c, source.0, source.1, isCovered: true)
        address(&packet, nh + 24, c, destination.0, destination.1, isCovered: !c.hasSegmentsLeft)
        var first = load32(nh, 0)
        let classMask = UInt32(truncatingIfNeeded: classHop.mask >> 16 & 0xff) << 20
        first = first & ~classMask | UInt32(truncatingIfNeeded: classHop.value >> 16 & 0xff) << 20
        first = first & ~UInt32(truncatingIfNeeded: label.mask >> 32) | UInt32(truncatingIfNeeded: label.value >> 32)
        store32(nh, 0, first)
        let hopMask = UInt8(truncatingIfNeeded: classHop.mask >> 8)
        let hop = nh.load(fromByteOffset: 7, as: UInt8.self)
        nh.storeBytes(of: hop & ~hopMask | UInt8(truncatingIfNeeded: classHop.value >> 8), toByteOffset: 7, as: UInt8.self)
    }

    private static func address(
        _ packet: inout PacketState, _ p: UnsafeMutableRawPointer, _ c: Chain, _ high: (mask: UInt64, value: UInt64),
        _ low: (mask: UInt64, value: UInt64), isCovered: Bool
    ) {
        if high.mask | low.mask == 0 { return }
        let old = (load64(p, 0), load64(p, 8))
        let new = (old.0 & ~high.mask | high.value, old.1 & ~low.mask | low.value)
        if old == new { return }
        if isCovered, c.updatesChecksum { pseudoHeader(packet, c.proto, old, new) }
        store64(p, 0, new.0)
        store64(p, 8, new.1)
    }

    /// Repairs the transport checksum after 128 bits of its pseudo-header changed.
    private static func pseudoHeader(_ packet: PacketState, _ proto: UInt8, _ old: (UInt64, UInt64), _ new: (UInt64, UInt64)) {
        let th = packet.transport
        let n = packet.transportLength
        if packet.hasPartialChecksum {
            let at = proto == 6 ? 16 : proto == 17 ? 6 : -1
            if at >= 0 { store16(th, at, ~updated(~load16(th, at), old, new)) }
            return
        }
        switch proto {
        case 6 where n >= 20: store16(th, 16, updated(load16(th, 16), old, new))
        case 17 where n >= 8: udpChecksum(th) { updated($0, old, new) }
        case 58 where n >= 4: store16(th, 2, updated(load16(th, 2), old, new))
        default: break
        }
    }

    private static func updated(_ checksum: UInt16, _ old: (UInt64, UInt64), _ new: (UInt64, UInt64)) -> UInt16 {
        var c = updated(checksum, UInt32(truncatingIfNeeded: old.0 >> 32), UInt32(truncatingIfNeeded: new.0 >> 32))
        c = updated(c, UInt32(truncatingIfNeeded: old.0), UInt32(truncatingIfNeeded: new.0))
        c = updated(c, UInt32(truncatingIfNeeded: old.1 >> 32), UInt32(truncatingIfNeeded: new.1 >> 32))
        return updated(c, UInt32(truncatingIfNeeded: old.1), UInt32(truncatingIfNeeded: new.1))
    }

    /// Rewrites an ARP body: addresses (word 2), operation (word 3), hardware addresses (13, 14).
    static func arp(_ packet: inout PacketState, _ operands: UnsafePointer<UInt64>, _ set: UInt16) {
        let p = packet.network
        guard packet.length - Int(packet.layout.network) >= 28 else { return }
        var at = 0
        if set & 1 << 2 != 0 {
            let (m, v) = (operands[at], operands[at + 1])
            at += 2
            store32(p, 14, load32(p, 14) & ~UInt32(truncatingIfNeeded: m >> 32) | UInt32(truncatingIfNeeded: v >> 32))
            store32(p, 24, load32(p, 24) & ~UInt32(truncatingIfNeeded: m) | UInt32(truncatingIfNeeded: v))
        }
        if set & 1 << 3 != 0 {
            let (m, v) = (operands[at] >> 24 & 0xff, operands[at + 1] >> 24 & 0xff)
            at += 2
            store16(p, 6, load16(p, 6) & 0xff & ~UInt16(m) | UInt16(v))
        }
        if set & 1 << 13 != 0 {
            mac(p + 8, operands[at], operands[at + 1])
            at += 2
        }
        if set & 1 << 14 != 0 { mac(p + 18, operands[at], operands[at + 1]) }
    }

    /// Rewrites six bytes by the upper 48 bits of a mask and value.
    private static func mac(_ p: UnsafeMutableRawPointer, _ mask: UInt64, _ value: UInt64) {
        store32(p, 0, load32(p, 0) & ~UInt32(truncatingIfNeeded: mask >> 32) | UInt32(truncatingIfNeeded: value >> 32))
        store16(p, 4, load16(p, 4) & ~UInt16(truncatingIfNeeded: mask >> 16) | UInt16(truncatingIfNeeded: value >> 16))
    }

    /// Rewrites a neighbour message: target (words 11, 12), source (13) and target (14) link-layer address of the first such option.
    static func neighborDiscovery(_ packet: inout PacketState, _ operands: UnsafePointer<UInt64>, _ set: UInt16) {
        guard packet.layout.transport != FrameLayout.none else { return }
        var left = packet.transportLength
        guard left >= 24 else { return }
        let th = packet.transport
        var at = 0
        func operand(_ word: Int) -> (mask: UInt64, value: UInt64) {
            guard set >> UInt16(word) & 1 != 0 else { return (0, 0) }
            defer { at += 2 }
            return (operands[at], operands[at + 1])
        }
        let high = operand(11)
        let low = operand(12)
        let source = operand(13)
        let target = operand(14)
        let old = (load64(th, 8), load64(th, 16))
        let new = (old.0 & ~high.mask | high.value, old.1 & ~low.mask | low.value)
        if old != new {
            store16(th, 2, updated(load16(th, 2), old, new))
            store64(th, 8, new.0)
            store64(th, 16, new.1)
        }
        left -= 24
        var option = th + 24
        while left >= 8 {
            let units = Int(option.load(fromByteOffset: 1, as: UInt8.self))
            if units == 0 { return }
            let kind = option.load(as: UInt8.self)
            if units == 1, kind == 1 || kind == 2 {
                let change = kind == 1 ? source : target
                let before = (load16(option, 2), load32(option, 4))
                mac(option + 2, change.mask, change.value)
                var checksum = updated(load16(th, 2), before.0, load16(option, 2))
                checksum = updated(checksum, before.1, load32(option, 4))
                if before != (load16(option, 2), load32(option, 4)) { store16(th, 2, checksum) }
                return
            }
            option += units * 8
            left -= units * 8
        }
    }

    /// Rewrites the reserved word (15) and the type of the first option (13) of a neighbour message.
    static func neighborDiscoveryExtensions(_ packet: inout PacketState, _ operands: UnsafePointer<UInt64>, _ set: UInt16) {
        guard packet.layout.transport != FrameLayout.none, packet.transportLength >= 24 else { return }
        let th = packet.transport
        var at = 0
        var checksum = load16(th, 2)
        if set & 1 << 13 != 0 {
            if packet.transportLength >= 26 {
                let old = load16(th, 24)
                let m = UInt16(truncatingIfNeeded: operands[at]) & 0xff00
                let new = old & ~m | UInt16(truncatingIfNeeded: operands[at + 1]) & m
                if old != new { checksum = updated(checksum, old, new) }
                store16(th, 24, new)
            }
            at += 2
        }
        if set & 1 << 15 != 0 {
            let old = load32(th, 4)
            let new = old & ~UInt32(truncatingIfNeeded: operands[at] >> 32) | UInt32(truncatingIfNeeded: operands[at + 1] >> 32)
            if old != new { checksum = updated(checksum, old, new) }
            store32(th, 4, new)
        }
        store16(th, 2, checksum)
    }
}
