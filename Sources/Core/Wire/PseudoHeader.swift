/// What transport checksums cover besides the segment: addresses, protocol and size (RFC 9293 §3.1, RFC 8200 §8.1).
public enum PseudoHeader: Equatable, Sendable {
    case ipv4(source: IPv4Address, destination: IPv4Address)
    case ipv6(source: IPv6Address, destination: IPv6Address)

    /// The sum to which the segment's own bytes are added.
    /// - Parameter size: bytes of the transport header and its payload.
    public func sum(protocol number: UInt8, size: Int) -> Checksum.Sum {
        var sum = Checksum.Sum()
        switch self {
        case .ipv4(let source, let destination):
            sum.add(source.bits)
            sum.add(destination.bits)
        case .ipv6(let source, let destination):
            sum.add(source.high)
            sum.add(source.low)
            sum.add(destination.high)
            sum.add(destination.low)
        }
        sum.add(UInt32(truncatingIfNeeded: size))
        sum.add(UInt16(number))
        return sum
    }

    /// The checksum of a segment whose checksum field, at `checksumOffset`, is left out of the sum whatever it holds.
    /// - Parameter segment: the whole segment, at least `checksumOffset` + 2 bytes; the offset is even.
    public func checksum(protocol number: UInt8, segment: RawSpan, checksumOffset: Int) -> UInt16 {
        var sum = sum(protocol: number, size: segment.byteCount)
        sum.add(segment.extracting(0..<checksumOffset))
        sum.add(segment.extracting((checksumOffset + 2)..<segment.byteCount))
        return sum.checksum
    }
}
