import Flow

/// Rewriting of headers in place, with checksums repaired incrementally.
///
/// Where the sender left the transport checksum to the device, the pseudo header's sum in its place is kept right instead (`hasPartialChecksum`).
/// A correct checksum stays correct, a wrong one stays wrong by the same amount (RFC 1624 §3), a UDP checksum of zero stays zero (RFC 768). Values are
/// compared first: writing what is there already changes nothing.
enum HeaderRewriting {
    // Safe: every function is called for a layer whose header the parser found complete at the layout's offset, or tests the length itself.

    @inline(__always) static func load16(_ p: UnsafeMutableRawPointer, _ at: Int) -> UInt16 {
        UInt16(bigEndian: p.loadUnaligned(fromByteOffset: at, as: UInt16.self))
    }
    @inline(__always) static func load32(_ p: UnsafeMutableRawPointer, _ at: Int) -> UInt32 {
        UInt32(bigEndian: p.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }
    @inline(__always) static func load64(_ p: UnsafeMutableRawPointer, _ at: Int) -> UInt64 {
        UInt64(bigEndian: p.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }
    @inline(__always) static func store16(_ p: UnsafeMutableRawPointer, _ at: Int, _ v: UInt16) {
        p.storeBytes(of: v.bigEndian, toByteOffset: at, as: UInt16.self)
    }
    @inline(__always) static func store32(_ p: UnsafeMutableRawPointer, _ at: Int, _ v: UInt32) {
        p.storeBytes(of: v.bigEndian, toByteOffset: at, as: UInt32.self)
    }
    @inline(__always) static func store64(_ p: UnsafeMutableRawPointer, _ at: Int, _ v: UInt64) {
        p.storeBytes(of: v.bigEndian, toByteOffset: at, as: UInt64.self)
    }

    /// Eqn. 3 of RFC 1624: HC' = ~(~HC + ~m + m').
    @inline(__always) static func updated(_ checksum: UInt16, _ old: UInt16, _ new: UInt16) -> UInt16 {
        fold(UInt32(~checksum) + UInt32(~old) + UInt32(new))
    }
    @inline(__always) static func updated(_ checksum: UInt16, _ old: UInt32, _ new: UInt32) -> UInt16 {
        fold(
            UInt32(~checksum) + UInt32(UInt16(truncatingIfNeeded: ~old >> 16)) + UInt32(UInt16(truncatingIfNeeded: ~old))
                + UInt32(new >> 16) + (new & 0xffff))
    }
    @inline(__always) static func fold(_ sum: UInt32) -> UInt16 {
        var s = (sum & 0xffff) + (sum >> 16)
        s = (s & 0xffff) + (s >> 16)
        return ~UInt16(truncatingIfNeeded: s)
    }

    // MARK: - Ethernet

    @inline(__always)
    static func ethernet(_ p: UnsafeMutableRawPointer, destination: (mask: UInt64, value: UInt64), source: (mask: UInt64, value: UInt64)) {
        // Both are read before either is written: the ranges overlap by two bytes, and a load right behind such a store waits for it.
        let front = load64(p, 0)
        let back = load64(p, 6)
        if destination.mask != 0 {
            store32(p, 0, UInt32(truncatingIfNeeded: (front & ~destination.mask | destination.value) >> 32))
            store16(p, 4, UInt16(truncatingIfNeeded: (front & ~destination.mask | destination.value) >> 16))
        }
        if source.mask != 0 {
            store32(p, 6, UInt32(truncatingIfNeeded: (back & ~source.mask | source.value) >> 32))
            store16(p, 10, UInt16(truncatingIfNeeded: (back & ~source.mask | source.value) >> 16))
        }
    }

    // MARK: - IPv4

    /// Rewrites addresses (key word 2) and TOS and TTL (key word 3).
    @inline(__always)
    static func ipv4(_ packet: inout PacketState, addresses: (mask: UInt64, value: UInt64), tosTTL: (mask: UInt64, value: UInt64)) {
        let nh = packet.network
        if addresses.mask != 0 {
            let old = load64(nh, 12)
            let new = old & ~addresses.mask | addresses.value
            if UInt32(truncatingIfNeeded: old >> 32) != UInt32(truncatingIfNeeded: new >> 32) {
                ipv4Address(&packet, nh, 12, UInt32(truncatingIfNeeded: new >> 32))
            }
            if UInt32(truncatingIfNeeded: old) != UInt32(truncatingIfNeeded: new) {
                ipv4Address(&packet, nh, 16, UInt32(truncatingIfNeeded: new))
            }
        }
        if tosTTL.mask != 0 {
            let tosMask = UInt8(truncatingIfNeeded: tosTTL.mask >> 16)
            if tosMask != 0 {
                let old = nh.load(fromByteOffset: 1, as: UInt8.self)
                let new = old & ~tosMask | UInt8(truncatingIfNeeded: tosTTL.value >> 16)
                if old != new {
                    store16(nh, 10, updated(load16(nh, 10), UInt16(old), UInt16(new)))
                    nh.storeBytes(of: new, toByteOffset: 1, as: UInt8.self)
                }
            }
            let ttlMask = UInt8(truncatingIfNeeded: tosTTL.mask >> 8)
            if ttlMask != 0 {
                let old = nh.load(fromByteOffset: 8, as: UInt8.self)
                let new = old & ~ttlMask | UInt8(truncatingIfNeeded: tosTTL.value >> 8)
                if old != new {
                    store16(nh, 10, updated(load16(nh, 10), UInt16(old) << 8, UInt16(new) << 8))
                    nh.storeBytes(of: new, toByteOffset: 8, as: UInt8.self)
                }
            }
        }
    }

    /// Sets the TTL of an IPv4 header.
    @inline(__always) static func timeToLive(_ nh: UnsafeMutableRawPointer, _ ttl: UInt8) {
        // TTL and protocol share the checksum's word; so does the new value.
        let old = load16(nh, 8)
        let new = UInt16(ttl) << 8 | old & 0xff
        if old == new { return }
        store16(nh, 10, updated(load16(nh, 10), old, new))
        nh.storeBytes(of: ttl, toByteOffset: 8, as: UInt8.self)
    }

    private static func ipv4Address(_ packet: inout PacketState, _ nh: UnsafeMutableRawPointer, _ at: Int, _ new: UInt32) {
        let old = load32(nh, at)
        // A later fragment has payload where the checksum would be.
        let isLater = load16(nh, 6) & 0x1fff != 0
        switch nh.load(fromByteOffset: 9, as: UInt8.self) {
        case 6 where packet.transportLength >= 20 && !isLater:
            if packet.hasPartialChecksum {
                store16(packet.transport, 16, ~updated(~load16(packet.transport, 16), old, new))
            } else {
                store16(packet.transport, 16, updated(load16(packet.transport, 16), old, new))
            }
        case 17 where packet.transportLength >= 8 && !isLater:
            if packet.hasPartialChecksum {
                store16(packet.transport, 6, ~updated(~load16(packet.transport, 6), old, new))
            } else {
                udpChecksum(packet.transport) { updated($0, old, new) }
            }
        default: break
        }
        store16(nh, 10, updated(load16(nh, 10), old, new))
        store32(nh, at, new)
    }

    /// Updates a UDP checksum that is in use; a result of zero is sent as all ones (RFC 768).
    @inline(__always) static func udpChecksum(_ uh: UnsafeMutableRawPointer, _ update: (UInt16) -> UInt16) {
        let old = load16(uh, 6)
        if old == 0 { return }
        let new = update(old)
        store16(uh, 6, new == 0 ? 0xffff : new)
    }

    // MARK: - Transport

    /// Rewrites ports (upper half of key word 3).
    @inline(__always)
    static func ports(_ packet: inout PacketState, mask: UInt64, value: UInt64, proto: UInt8) {
        let th = packet.transport
        let minimum = proto == 6 ? 20 : proto == 17 ? 8 : 12
        guard packet.layout.transport != FrameLayout.none, packet.transportLength >= minimum else { return }
        if proto == 6 {
            let headerLength = Int(th.load(fromByteOffset: 12, as: UInt8.self) >> 4) * 4
            guard headerLength >= 20, headerLength <= packet.transportLength else { return }
        }
        let old = load32(th, 0)
        let new = old & ~UInt32(truncatingIfNeeded: mask >> 32) | UInt32(truncatingIfNeeded: value >> 32)
        if old == new { return }
        if packet.hasPartialChecksum {
            // The device adds the ports as it finds them.
            store32(th, 0, new)
            return
        }
        switch proto {
        case 6: store16(th, 16, updated(load16(th, 16), old, new))
        case 17: udpChecksum(th) { updated($0, old, new) }
        default:
            sctp(packet, new)
            return
        }
        store32(th, 0, new)
    }

    /// SCTP's CRC32c over the whole packet changes by the difference that the new ports make (RFC 9260 §6.8, appendix A).
    @inline(never)
    private static func sctp(_ packet: PacketState, _ ports: UInt32) {
        let sh = packet.transport
        let n = packet.transportLength
        let old = sh.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        sh.storeBytes(of: 0, toByteOffset: 8, as: UInt32.self)
        let before = crc32c(sh, n)
        store32(sh, 0, ports)
        let after = crc32c(sh, n)
        sh.storeBytes(of: old ^ before ^ after, toByteOffset: 8, as: UInt32.self)
    }

    private static let crcTable: [UInt32] = (0..<256).map { i in
        (0..<8).reduce(UInt32(i)) { c, _ in c & 1 != 0 ? c >> 1 ^ 0x82f6_3b78 : c >> 1 }
    }

    private static func crc32c(_ p: UnsafeMutableRawPointer, _ n: Int) -> UInt32 {
        crcTable.withUnsafeBufferPointer { table in
            var c: UInt32 = .max
            for i in 0..<n { c = c >> 8 ^ table[Int(UInt8(truncatingIfNeeded: c) ^ p.load(fromByteOffset: i, as: UInt8.self))] }
            return ~c
        }
    }

    /// Rewrites ICMP type and code (key word 3 holds each in the low byte of a port).
    static func icmp(_ packet: inout PacketState, mask: UInt64, value: UInt64, isIPv4: Bool) {
        guard packet.layout.transport != FrameLayout.none, packet.transportLength >= 8 else { return }
        // A later fragment has payload there.
        if isIPv4, load16(packet.network, 6) & 0x1fff != 0 { return }
        let ih = packet.transport
        let old = load16(ih, 0)
        let m = UInt16(truncatingIfNeeded: mask >> 48) << 8 | UInt16(truncatingIfNeeded: mask >> 32) & 0xff
        let v = UInt16(truncatingIfNeeded: value >> 48) << 8 | UInt16(truncatingIfNeeded: value >> 32) & 0xff
        let new = old & ~m | v
        if old == new { return }
        store16(ih, 0, new)
        store16(ih, 2, updated(load16(ih, 2), old, new))
    }
}
