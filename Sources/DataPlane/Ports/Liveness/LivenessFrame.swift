import Wire

/// The frame inside a tunnel that carries a control packet of liveness: Ethernet, IPv4, UDP (RFC 8971 §4, RFC 9521 §4).
///
/// Its destination MAC tells it from workloads' frames: the one that IANA has for this, or the one that Open vSwitch uses. Frames that entries send to a
/// tunnel with such a MAC and no context are refused (`TransmitRefusal.tunnelReserved`), so that a workload cannot speak for its host.
enum LivenessFrame {
    /// IANA's "BFD for VXLAN" (RFC 8971 §8).
    static let address: UInt64 = 0x0000_5e00_5202
    /// Open vSwitch's `bfd_remote_dst_mac` unless configured.
    static let openVSwitchAddress: UInt64 = 0x0023_2000_0001
    /// Internetwork control (RFC 791 §3.1), inside and outside.
    static let trafficClass: UInt8 = 0xc0
    /// Largest control packet that is handed on: its length field has eight bits.
    static let maximumPacketSize = 255

    private enum Offset {
        static let network = 14
        static let udp = 34
        static let packet = 42
    }

    /// Whether a frame of `count` bytes, at least 14, goes to one of the two addresses.
    @inline(__always)
    static func isReserved(_ p: UnsafeRawPointer) -> Bool {
        let destination = UInt64(p.wire32(at: 0)) << 16 | UInt64(p.wire16(at: 4))
        return destination == address || destination == openVSwitchAddress
    }

    /// The TTL and the control packet's bytes within the frame; nil when it is another frame.
    static func find(_ p: UnsafeRawPointer, count: Int) -> (ttl: UInt8, packet: UnsafeRawBufferPointer)? {
        guard count >= Offset.packet, isReserved(p), p.wire16(at: 12) == EtherType.ipv4 else { return nil }
        let ip = p + Offset.network
        // No options, no fragments.
        guard ip.load(as: UInt8.self) == 0x45, ip.wire16(at: 6) & 0x3fff == 0, ip.load(fromByteOffset: 9, as: UInt8.self) == IPProtocol.udp,
            p.wire16(at: Offset.udp + UDP.Offset.destinationPort) == BFD.port
        else { return nil }
        let length = Int(p.wire16(at: Offset.udp + UDP.Offset.length)) - UDP.headerSize
        let size = max(0, min(length, count - Offset.packet, maximumPacketSize))
        return (ip.load(fromByteOffset: 8, as: UInt8.self), UnsafeRawBufferPointer(start: p + Offset.packet, count: size))
    }

    /// The frame around a packet.
    /// - Parameter source: the host's own address; nil or IPv6: a link-local one.
    static func bytes(_ packet: BFD.Control, discriminator: UInt32, source: UInt32?) -> [UInt8] {
        // A source MAC of its own, locally administered, and a port of the range that RFC 5881 §4 asks for, both the session's.
        let ethernet = Ethernet.Header(
            destination: MACAddress(address), source: MACAddress(0x0200_0000_0000 | UInt64(discriminator)), etherType: EtherType.ipv4)
        let payload = packet.encoded()
        var udp = UDP.Header(sourcePort: 49_152 + UInt16(discriminator & 0x3fff), destinationPort: BFD.port, payloadSize: payload.count)
        let from = IPv4Address(source ?? 0xa9fe_0101)
        let to = IPv4Address(0x7f00_0001)
        udp.fillChecksum(pseudoHeader: .ipv4(source: from, destination: to), payload: payload)
        let ip = IPv4.Header(
            source: from, destination: to, nextProtocol: IPProtocol.udp, payloadSize: UDP.headerSize + payload.count, ttl: 255,
            trafficClass: trafficClass)
        return ethernet.encoded() + ip.encoded() + udp.encoded() + payload
    }
}
