import Wire

/// Cuts a large TCP or UDP frame into frames of `segmentSize` payload bytes, as a network card would.
///
/// **Design.** In place: the headers are kept aside once and written before each part's payload, over the end of the payload before it, which has already
/// been sent. Nothing is copied but headers, nothing allocated. Price: the large frame is spoiled, and a part must be sent or copied before `body` returns.
///
/// Each part gets its own lengths, IPv4 identification (counting up) and header checksum, TCP sequence number and transport checksum, always computed in
/// full. FIN and PSH stay on the last part, CWR on the first (RFC 3168 §6.1.2).
///
/// **Limits.** Headers of up to 256 bytes. One thread.
public final class Segmenter {
    static let headerLimit = 256
    private let template = UnsafeMutableRawPointer.allocate(byteCount: headerLimit, alignment: 8)

    public init() {}
    deinit { template.deallocate() }

    /// Cuts `frame` and calls `body` with each part in turn; 64 bytes before a part are free.
    /// - Returns: false, and `body` not called, when the frame is not one that can be cut.
    @discardableResult
    public func cut(_ frame: TransmitFrame, _ body: (_ data: UnsafeMutableRawPointer, _ length: Int) -> Void) -> Bool {
        let data = frame.data
        let segmentSize = Int(frame.offload.segmentSize)
        guard let headers = FrameHeaders(data, length: frame.length), headers.payload <= Self.headerLimit, segmentSize > 0 else { return false }
        let size = headers.payload
        template.copyMemory(from: data, byteCount: size)
        let total = frame.length - size
        let isTCP = headers.isTCP
        let firstSequence = isTCP ? get32(template + headers.transport + 4) : 0
        let flags = isTCP ? (template + headers.transport + 13).load(as: UInt8.self) : 0
        let identification = headers.isIPv6 ? 0 : get16(template + headers.network + 4)
        let addresses = addressSum(headers)
        var offset = 0
        var index: UInt16 = 0
        // Safe: all writes are to the `size` bytes before a part's payload, which begin at `data` or behind it, and FrameHeaders has tested
        // that the headers' fields lie within `size`.
        repeat {
            let count = min(segmentSize, total - offset)
            let isLast = offset + count == total
            let part = data + offset
            if offset > 0 { part.copyMemory(from: template, byteCount: size) }
            let network = part + headers.network
            let transport = part + headers.transport
            let transportCount = size - headers.transport + count
            if headers.isIPv6 {
                put16(UInt16(truncatingIfNeeded: size + count - headers.network - 40), network + 4)
            } else {
                put16(UInt16(truncatingIfNeeded: size + count - headers.network), network + 2)
                put16(identification &+ index, network + 4)
                network.storeBytes(of: 0, toByteOffset: 10, as: UInt16.self)
                network.storeBytes(of: ~InternetSum.folded(network, count: headers.transport - headers.network), toByteOffset: 10, as: UInt16.self)
            }
            if isTCP {
                put32(firstSequence &+ UInt32(truncatingIfNeeded: offset), transport + 4)
                var own = flags
                if !isLast { own &= ~0x09 }
                if offset > 0 { own &= ~0x80 }
                transport.storeBytes(of: own, toByteOffset: 13, as: UInt8.self)
            } else {
                put16(UInt16(truncatingIfNeeded: transportCount), transport + 4)
            }
            let field = transport + headers.checksumOffset
            field.storeBytes(of: 0, as: UInt16.self)
            let length = UInt64(UInt32(truncatingIfNeeded: transportCount).bigEndian)
            let sum = InternetSum.of(transport, count: transportCount) &+ addresses &+ length &+ UInt64(UInt16(headers.transportProtocol).bigEndian)
            let checksum = ~Checksum.fold(sum)
            field.storeBytes(of: isTCP ? checksum : Checksum.nonzero(checksum), as: UInt16.self)
            body(part, size + count)
            offset += count
            index &+= 1
        } while offset < total
        return true
    }

    private func addressSum(_ headers: FrameHeaders) -> UInt64 {
        let start = template + headers.network + (headers.isIPv6 ? 8 : 12)
        return InternetSum.of(start, count: headers.isIPv6 ? 32 : 8)
    }

    @inline(__always) private func get16(_ p: UnsafeMutableRawPointer) -> UInt16 { UInt16(bigEndian: p.loadUnaligned(as: UInt16.self)) }
    @inline(__always) private func get32(_ p: UnsafeMutableRawPointer) -> UInt32 { UInt32(bigEndian: p.loadUnaligned(as: UInt32.self)) }
    @inline(__always) private func put16(_ v: UInt16, _ p: UnsafeMutableRawPointer) { p.storeBytes(of: v.bigEndian, as: UInt16.self) }
    @inline(__always) private func put32(_ v: UInt32, _ p: UnsafeMutableRawPointer) { p.storeBytes(of: v.bigEndian, as: UInt32.self) }
}
