import Wire

/// Where the headers of a frame inside a tunnel begin: Ethernet, up to two VLAN tags, IPv4 or IPv6, transport.
///
/// Less than the datapath's parser on purpose: only what checksums, segmentation, ECN and the source port need. IPv6 extension headers end
/// it, so that what follows them is no transport header here.
struct InnerFrame {
    /// Offset of the IP header, 0 when there is none.
    var network = 0
    /// Offset behind the IP header, 0 when nothing is known of what is there: a fragment, an extension header, a header that lies.
    var transport = 0
    /// Offset behind the IP packet; bytes from there on are padding.
    var end = 0
    var isIPv6 = false
    var isFragment = false
    var nextProtocol: UInt8 = 0

    private init() {}
    static let none = InnerFrame()

    var isIP: Bool { network != 0 }

    /// Safe: every read is preceded by a test against `count`.
    @inline(__always)
    init(_ p: UnsafeRawPointer, count: Int) {
        guard count >= 34 else { return }
        var offset = 14
        var type = p.wire16(at: 12)
        while EtherType.isVLAN(type), offset <= 18, count >= offset + 24 {
            type = p.wire16(at: offset + 2)
            offset += 4
        }
        if type == EtherType.ipv4 {
            let size = Int(p.load(fromByteOffset: offset, as: UInt8.self) & 0xf) * 4
            let total = Int(p.wire16(at: offset + 2))
            guard p.load(fromByteOffset: offset, as: UInt8.self) >> 4 == 4, size >= 20, total >= size, offset + total <= count else { return }
            network = offset
            end = offset + total
            nextProtocol = p.load(fromByteOffset: offset + 9, as: UInt8.self)
            isFragment = p.wire16(at: offset + 6) & 0x3fff != 0
            if !isFragment { transport = offset + size }
        } else if type == EtherType.ipv6 {
            guard count >= offset + 40, p.load(fromByteOffset: offset, as: UInt8.self) >> 4 == 6 else { return }
            let total = 40 + Int(p.wire16(at: offset + 4))
            guard offset + total <= count else { return }
            network = offset
            end = offset + total
            isIPv6 = true
            nextProtocol = p.load(fromByteOffset: offset + 6, as: UInt8.self)
            isFragment = nextProtocol == IPProtocol.fragment
            if !IPProtocol.isWalkableExtension(nextProtocol) { transport = offset + 40 }
        }
    }

    /// Bytes of the transport header, 0 unless it is a complete TCP or UDP header.
    @inline(__always)
    func transportSize(_ p: UnsafeRawPointer) -> Int {
        guard transport != 0 else { return 0 }
        if nextProtocol == IPProtocol.tcp, transport + 20 <= end {
            let size = Int(p.load(fromByteOffset: transport + 12, as: UInt8.self) >> 4) * 4
            return size >= 20 && transport + size <= end ? size : 0
        }
        if nextProtocol == IPProtocol.udp, transport + 8 <= end { return 8 }
        return 0
    }

    /// Offset of the checksum field in the transport header.
    var checksumOffset: Int { nextProtocol == IPProtocol.tcp ? 16 : 6 }

    /// The pseudo header's sum for a segment of `size` bytes, in native byte order.
    @inline(__always)
    func pseudoSum(_ p: UnsafeRawPointer, size: Int) -> UInt64 {
        let addresses = isIPv6 ? ChecksumCopy.sum(p + network + 8, 32) : ChecksumCopy.sum(p + network + 12, 8)
        return addresses &+ UInt64(UInt32(truncatingIfNeeded: size).bigEndian) &+ UInt64(UInt16(nextProtocol).bigEndian)
    }

    /// DSCP and ECN.
    @inline(__always)
    func trafficClass(_ p: UnsafeRawPointer) -> UInt8 {
        isIPv6 ? UInt8(truncatingIfNeeded: p.wire16(at: network) >> 4) : p.load(fromByteOffset: network + 1, as: UInt8.self)
    }

    @inline(__always)
    func ttl(_ p: UnsafeRawPointer) -> UInt8 { p.load(fromByteOffset: network + (isIPv6 ? 7 : 8), as: UInt8.self) }

    /// A hash of addresses, protocol and ports, equal for all packets of one inner flow, fragments included.
    @inline(__always)
    func flowHash(_ p: UnsafeRawPointer, count: Int) -> UInt32 {
        var h: UInt64 = 0x9e37_79b9_7f4a_7c15
        @inline(__always) func mix(_ v: UInt64) {
            h = (h ^ v) &* 0xd6e8_feb8_6659_fd93
            h ^= h >> 32
        }
        if isIP {
            let start = network + (isIPv6 ? 8 : 12)
            for i in 0..<(isIPv6 ? 4 : 1) { mix(p.loadUnaligned(fromByteOffset: start + 8 * i, as: UInt64.self)) }
            mix(UInt64(nextProtocol))
            if transportSize(p) != 0 { mix(UInt64(p.loadUnaligned(fromByteOffset: transport, as: UInt32.self))) }
        } else if count >= 14 {
            mix(p.loadUnaligned(as: UInt64.self))
            mix(UInt64(p.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        }
        return UInt32(truncatingIfNeeded: h)
    }
}

extension UnsafeRawPointer {
    @inline(__always) func wire16(at offset: Int) -> UInt16 { UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
    @inline(__always) func wire32(at offset: Int) -> UInt32 { UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
}

extension UnsafeMutableRawPointer {
    @inline(__always) func setWire16(_ value: UInt16, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }
    @inline(__always) func setWire32(_ value: UInt32, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
}
