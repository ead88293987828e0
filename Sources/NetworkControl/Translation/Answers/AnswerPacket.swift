import LogicalNetwork
import Wire

/// The packets with which routers and access rules answer, as bytes of IP.
enum AnswerPacket {
    /// Bytes of an IPv4 error with what it quotes (RFC 1812 §4.3.2.3), and of an IPv6 one (RFC 4443 §2.4(c)).
    static let sizeIPv4 = 576, sizeIPv6 = 1280

    /// What an error says; types and codes of ICMP (RFC 792, RFC 1812) and ICMPv6 (RFC 4443).
    enum Kind {
        case timeExceeded
        case noRoute
        /// Administratively prohibited.
        case prohibited

        var ipv4: (type: UInt8, code: UInt8) {
            switch self {
            case .timeExceeded: (11, 0)
            case .noRoute: (3, 0)
            case .prohibited: (3, 13)
            }
        }
        var ipv6: (type: UInt8, code: UInt8) {
            switch self {
            case .timeExceeded: (3, 0)
            case .noRoute: (1, 0)
            case .prohibited: (1, 1)
            }
        }
    }

    /// An ICMP error about a packet, to its sender, as much of the packet quoted as fits.
    static func error(_ kind: Kind, about original: OriginalPacket, from source: IPAddress, ttl: UInt8) -> [UInt8] {
        let isIPv4 = original.source.family == .ipv4
        let (type, code) = isIPv4 ? kind.ipv4 : kind.ipv6
        let quoted = original.bytes.prefix(isIPv4 ? sizeIPv4 - 28 : sizeIPv6 - 48)
        var message: [UInt8] = [type, code, 0, 0, 0, 0, 0, 0] + quoted
        let sum = isIPv4 ? checksum(message) : checksum(pseudoHeader(source, original.source, 58, message.count) + message)
        message.replaceSubrange(2..<4, with: sum)
        return packet(from: source, to: original.source, transport: isIPv4 ? 1 : 58, ttl: ttl, message)
    }

    /// The reset that answers a TCP segment as if its receiver had no such connection (RFC 9293 §3.5.2); nil for a reset, or a header that is cut.
    static func reset(about original: OriginalPacket, ttl: UInt8) -> [UInt8]? {
        let at = original.transportOffset
        guard original.transport == 6, original.bytes.count >= at + 20 else { return nil }
        let segment = Array(original.bytes[at...])
        let flags = segment[13]
        let header = Int(segment[12] >> 4) * 4
        guard flags & 0x04 == 0, header >= 20, segment.count >= header else { return nil }
        func number(_ i: Int) -> UInt32 { segment[i..<(i + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
        // SYN and FIN take a number each.
        let length = UInt32(truncatingIfNeeded: segment.count - header) &+ (flags & 0x02 != 0 ? 1 : 0) &+ (flags & 0x01 != 0 ? 1 : 0)
        let hasAck = flags & 0x10 != 0
        var reset: [UInt8] = Array(segment[2..<4]) + Array(segment[0..<2])
        reset += bytes(hasAck ? number(8) : 0) + bytes(hasAck ? 0 : number(4) &+ length)
        reset += [0x50, hasAck ? 0x04 : 0x14, 0, 0, 0, 0, 0, 0]
        let sum = checksum(pseudoHeader(original.destination, original.source, 6, reset.count) + reset)
        reset.replaceSubrange(16..<18, with: sum)
        return packet(from: original.destination, to: original.source, transport: 6, ttl: ttl, reset)
    }

    private static func packet(from source: IPAddress, to destination: IPAddress, transport: UInt8, ttl: UInt8, _ payload: [UInt8]) -> [UInt8] {
        if source.family == .ipv6 {
            return [0x60, 0, 0, 0] + bytes16(payload.count) + [transport, ttl] + bytes(source) + bytes(destination) + payload
        }
        // Precedence of internetwork control (RFC 1812 §4.3.2.5); never fragmented, so without an identification (RFC 6864 §4.1).
        var header: [UInt8] = [0x45, transport == 1 ? 0xc0 : 0] + bytes16(20 + payload.count) + [0, 0, 0x40, 0, ttl, transport, 0, 0]
        header += bytes(source) + bytes(destination)
        header.replaceSubrange(10..<12, with: checksum(header))
        return header + payload
    }

    private static func pseudoHeader(_ source: IPAddress, _ destination: IPAddress, _ transport: UInt8, _ count: Int) -> [UInt8] {
        bytes(source) + bytes(destination)
            + (source.family == .ipv4 ? [0, transport] + bytes16(count) : [0, 0] + bytes16(count) + [0, 0, 0, transport])
    }

    private static func checksum(_ all: [UInt8]) -> [UInt8] { bytes16(Int(Checksum.of(all.span.bytes))) }
    private static func bytes16(_ v: Int) -> [UInt8] { [UInt8(v >> 8 & 0xff), UInt8(v & 0xff)] }
    private static func bytes(_ v: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: v >> UInt32($0)) } }
    private static func bytes(_ a: IPAddress) -> [UInt8] {
        func octets(_ v: UInt64, _ n: Int) -> [UInt8] { (0..<n).map { UInt8(truncatingIfNeeded: v >> UInt64(8 * (n - 1 - $0))) } }
        return a.family == .ipv4 ? octets(a.low, 4) : octets(a.high, 8) + octets(a.low, 8)
    }
}
