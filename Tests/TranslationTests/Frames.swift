import Wire

/// Frames as workloads send them, built by hand.
enum Frames {
    static func mac(_ text: String) -> [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: MACAddress(text)!.bits >> UInt64(40 - 8 * $0)) } }
    static func v4(_ text: String) -> [UInt8] { text.split(separator: ".").map { UInt8($0)! } }
    static func v6(_ text: String) -> [UInt8] {
        let a = IPv6Address(text)!
        return (0..<8).map { UInt8(truncatingIfNeeded: a.high >> UInt64(56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: a.low >> UInt64(56 - 8 * $0)) }
    }
    static func be(_ v: Int) -> [UInt8] { [UInt8(v >> 8 & 0xff), UInt8(v & 0xff)] }

    /// The Internet checksum (RFC 1071), written anew.
    static func sum(_ bytes: [UInt8]) -> [UInt8] {
        var s = 0
        for i in stride(from: 0, to: bytes.count, by: 2) { s += Int(bytes[i]) << 8 + (i + 1 < bytes.count ? Int(bytes[i + 1]) : 0) }
        while s > 0xffff { s = s & 0xffff + s >> 16 }
        return be(~s & 0xffff)
    }

    static func ethernet(_ from: String, _ to: String, _ type: Int, _ payload: [UInt8]) -> [UInt8] { mac(to) + mac(from) + be(type) + payload }

    static func ipv4(_ from: String, _ to: String, protocol proto: UInt8, ttl: UInt8 = 64, _ payload: [UInt8]) -> [UInt8] {
        var header: [UInt8] = [0x45, 0] + be(20 + payload.count) + [0, 0, 0, 0, ttl, proto, 0, 0] + v4(from) + v4(to)
        header.replaceSubrange(10..<12, with: sum(header))
        return header + payload
    }

    static func ipv6(_ from: String, _ to: String, protocol proto: UInt8, hops: UInt8 = 64, _ payload: [UInt8]) -> [UInt8] {
        [0x60, 0, 0, 0] + be(payload.count) + [proto, hops] + v6(from) + v6(to) + payload
    }

    static func tcp(_ from: Int, _ to: Int) -> [UInt8] { be(from) + be(to) + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0] }
    static func udp(_ from: Int, _ to: Int) -> [UInt8] { be(from) + be(to) + be(12) + [0, 0] + [1, 2, 3, 4] }

    static func echo(reply: Bool = false) -> [UInt8] {
        var m: [UInt8] = [reply ? 0 : 8, 0, 0, 0, 0x12, 0x34, 0, 1] + Array(0..<32)
        m.replaceSubrange(2..<4, with: sum(m))
        return m
    }

    static func icmpv6(_ from: String, _ to: String, _ message: [UInt8]) -> [UInt8] {
        var m = message
        m.replaceSubrange(2..<4, with: sum(v6(from) + v6(to) + [0, 0] + be(m.count) + [0, 0, 0, 58] + m))
        return m
    }

    static func arpRequest(from senderMAC: String, _ sender: String, for target: String, ethSource: String? = nil) -> [UInt8] {
        ethernet(
            ethSource ?? senderMAC, "ff:ff:ff:ff:ff:ff", 0x0806,
            [0, 1, 8, 0, 6, 4, 0, 1] + mac(senderMAC) + v4(sender) + [0, 0, 0, 0, 0, 0] + v4(target))
    }

    /// A neighbour solicitation to the target's solicited-node group.
    static func solicitation(from senderMAC: String, _ sender: String, for target: String) -> [UInt8] {
        let t = v6(target)
        let group = "ff02::1:ff\(hex(t[13])):\(hex(t[14]))\(hex(t[15]))"
        let message: [UInt8] = [135, 0, 0, 0, 0, 0, 0, 0] + t + [1, 1] + mac(senderMAC)
        return ethernet(
            senderMAC, "33:33:ff:\(hex(t[13])):\(hex(t[14])):\(hex(t[15]))", 0x86dd,
            ipv6(sender, group, protocol: 58, hops: 255, icmpv6(sender, group, message)))
    }

    static func hex(_ b: UInt8) -> String { (b < 16 ? "0" : "") + String(b, radix: 16) }

    // MARK: - Reading

    static func destination(_ f: [UInt8]) -> String { text(f, 0) }
    static func source(_ f: [UInt8]) -> String { text(f, 6) }
    private static func text(_ f: [UInt8], _ at: Int) -> String { f[at..<(at + 6)].map(hex).joined(separator: ":") }
    static func ttl(_ f: [UInt8]) -> UInt8 { f[22] }
    static func sourceIPv4(_ f: [UInt8]) -> String { f[26..<30].map(String.init).joined(separator: ".") }
    static func destinationIPv4(_ f: [UInt8]) -> String { f[30..<34].map(String.init).joined(separator: ".") }
    static func hasRightIPv4Checksum(_ f: [UInt8]) -> Bool { sum(Array(f[14..<34])) == [0, 0] }
    /// Of an ICMP message in IPv4 without options.
    static func hasRightICMPChecksum(_ f: [UInt8]) -> Bool { sum(Array(f[34..<(14 + Int(f[16]) << 8 + Int(f[17]))])) == [0, 0] }
    static func hasRightICMPv6Checksum(_ f: [UInt8]) -> Bool {
        let m = Array(f[54...])
        return sum(Array(f[22..<54]) + [0, 0] + be(m.count) + [0, 0, 0, 58] + m) == [0, 0]
    }
}
