import LogicalNetwork
import Wire

/// An IP packet that is to be answered: what an answer needs to know of it.
///
/// nil for frames that must not be answered: errors about errors, groups, later fragments, senders that are no single machine (RFC 1122 §3.2.2,
/// RFC 4443 §2.4(e)), and what is no whole IP header.
struct OriginalPacket {
    let bytes: [UInt8]
    let source: IPAddress
    let destination: IPAddress
    let transport: UInt8
    /// Where the transport header begins in the IP packet.
    let transportOffset: Int
    let ethernetSource: UInt64
    let ethernetDestination: UInt64

    static let ethernetSize = 14

    init?(frame: [UInt8]) {
        guard frame.count >= Self.ethernetSize + 20 else { return nil }
        func mac(_ at: Int) -> UInt64 { frame[at..<(at + 6)].reduce(0) { $0 << 8 | UInt64($1) } }
        ethernetDestination = mac(0)
        ethernetSource = mac(6)
        if MACAddress(ethernetDestination).isGroup || MACAddress(ethernetSource).isGroup { return nil }
        let type = UInt16(frame[12]) << 8 | UInt16(frame[13])
        let packet = Array(frame[Self.ethernetSize...])
        func number(_ at: Int, _ count: Int) -> UInt64 { packet[at..<(at + count)].reduce(0) { $0 << 8 | UInt64($1) } }
        switch (type, packet[0] >> 4) {
        case (0x0800, 4):
            let header = Int(packet[0] & 15) * 4
            let total = Int(number(2, 2))
            // A later fragment tells neither ports nor message.
            guard header >= 20, total >= header, packet.count >= total, number(6, 2) & 0x1fff == 0 else { return nil }
            bytes = Array(packet[..<total])
            source = IPAddress(family: .ipv4, low: number(12, 4))
            destination = IPAddress(family: .ipv4, low: number(16, 4))
            transport = packet[9]
            transportOffset = header
        case (0x86dd, 6):
            guard packet.count >= 40 else { return nil }
            let total = 40 + Int(number(4, 2))
            guard packet.count >= total else { return nil }
            var next = packet[6]
            var at = 40
            // Extension headers of a length of their own, and fragments (RFC 8200 §4).
            while [0, 43, 44, 60].contains(next) {
                guard at + 8 <= total else { return nil }
                if next == 44, number(at + 2, 2) & 0xfff8 != 0 { return nil }
                let size = next == 44 ? 8 : (Int(packet[at + 1]) + 1) * 8
                next = packet[at]
                at += size
            }
            guard at <= total else { return nil }
            bytes = Array(packet[..<total])
            source = IPAddress(family: .ipv6, high: number(8, 8), low: number(16, 8))
            destination = IPAddress(family: .ipv6, high: number(24, 8), low: number(32, 8))
            transport = next
            transportOffset = at
        default: return nil
        }
        if source.isUnspecified || source.isMulticast || destination.isMulticast { return nil }
        if source.family == .ipv4, source.low >> 24 == 127 || source.low == 0xffff_ffff || destination.low == 0xffff_ffff { return nil }
        if transport == 1 || transport == 58 {
            guard transportOffset < bytes.count else { return nil }
            let message = bytes[transportOffset]
            if transport == 1, [3, 4, 5, 11, 12].contains(message) { return nil }
            if transport == 58, message < 128 { return nil }
        }
    }
}
