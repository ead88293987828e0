import Wire

/// Cuts a large inner frame into frames that fit, each complete with checksums and behind a tunnel header, one after the other in memory, so
/// that the kernel can take many in one call (UDP_SEGMENT).
///
/// The payload is summed while it is copied. Identifications count up from the frame's own (as the kernel's segmentation does); FIN and PSH go to
/// the last part, CWR stays on the first when the offload asks for it (RFC 3168 §6.1.2).
struct TunnelSegmenter {
    let frame: InnerFrame
    /// Bytes of all inner headers.
    let headersSize: Int
    /// Payload bytes of each part but the last.
    let segmentSize: Int
    let payloadSize: Int
    private let source: UnsafeRawPointer
    private let keepsCWR: Bool
    private let isTCP: Bool

    var partCount: Int { (payloadSize + segmentSize - 1) / segmentSize }

    /// nil when the frame is no TCP or UDP frame that can be cut so that parts have at most `maximum` bytes.
    /// - Parameter wanted: payload bytes of a part; made less for TCP when that does not fit.
    init?(_ source: UnsafeRawPointer, _ frame: InnerFrame, wanted: Int, maximum: Int, keepsCWR: Bool) {
        let transportSize = frame.transportSize(source)
        guard transportSize != 0 else { return nil }
        headersSize = frame.transport + transportSize
        payloadSize = frame.end - headersSize
        isTCP = frame.nextProtocol == IPProtocol.tcp
        let room = maximum - headersSize
        segmentSize = isTCP ? min(wanted, room) : wanted
        // Urgent data count from the sequence number, which cutting moves.
        guard segmentSize >= 8, segmentSize <= room, payloadSize > 0,
            !isTCP || source.load(fromByteOffset: frame.transport + 13, as: UInt8.self) & 0x20 == 0
        else { return nil }
        self.source = source
        self.frame = frame
        self.keepsCWR = keepsCWR
    }

    /// Writes part `index` at `to` and returns its size, at most `headersSize + segmentSize`.
    @inline(__always)
    func write(_ index: Int, to: UnsafeMutableRawPointer) -> Int {
        let start = index &* segmentSize
        let size = min(segmentSize, payloadSize - start)
        let isLast = start + size == payloadSize
        to.copyMemory(from: source, byteCount: headersSize)
        let ip = to + frame.network
        if frame.isIPv6 {
            ip.setWire16(UInt16(truncatingIfNeeded: headersSize - frame.network - 40 + size), at: 4)
        } else {
            ip.setWire16(UInt16(truncatingIfNeeded: headersSize - frame.network + size), at: 2)
            ip.setWire16(UnsafeRawPointer(ip).wire16(at: 4) &+ UInt16(truncatingIfNeeded: index), at: 4)
            ChecksumCopy.finishIPv4(ip)
        }
        let transport = to + frame.transport
        let transportSize = headersSize - frame.transport
        if isTCP {
            transport.setWire32(UnsafeRawPointer(transport).wire32(at: 4) &+ UInt32(truncatingIfNeeded: start), at: 4)
            var flags = transport.load(fromByteOffset: 13, as: UInt8.self)
            if !isLast { flags &= ~0x09 }
            if index > 0, keepsCWR { flags &= ~0x80 }
            transport.storeBytes(of: flags, toByteOffset: 13, as: UInt8.self)
        } else {
            transport.setWire16(UInt16(truncatingIfNeeded: 8 + size), at: 4)
        }
        let field = frame.checksumOffset
        transport.storeBytes(of: 0, toByteOffset: field, as: UInt16.self)
        var sum = frame.pseudoSum(UnsafeRawPointer(to), size: transportSize + size)
        sum &+= ChecksumCopy.sum(UnsafeRawPointer(transport), transportSize)
        sum &+= ChecksumCopy.copy(to: to + headersSize, from: source + headersSize + start, size)
        let checksum = ~ChecksumCopy.fold(sum)
        transport.storeBytes(of: isTCP ? checksum : Checksum.nonzero(checksum), toByteOffset: field, as: UInt16.self)
        return headersSize + size
    }

    /// Adds what `needsChecksum` left out to the frame at `p` of `count` bytes. False when the offsets lie outside.
    static func finishChecksum(_ p: UnsafeMutableRawPointer, count: Int, start: Int, offset: Int, isUDP: Bool) -> Bool {
        guard start + offset + 2 <= count else { return false }
        let checksum = ~ChecksumCopy.fold(ChecksumCopy.sum(UnsafeRawPointer(p + start), count - start))
        p.storeBytes(of: isUDP ? Checksum.nonzero(checksum) : checksum, toByteOffset: start + offset, as: UInt16.self)
        return true
    }
}
