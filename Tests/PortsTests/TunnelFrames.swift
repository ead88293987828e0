import Wire

@testable import Ports

/// Frames for tunnels to carry, made with `Wire`'s values.
enum TunnelFrames {
    static let ethernet = Ethernet.Header(destination: MACAddress(0x0200_0000_0002), source: MACAddress(0x0200_0000_0001), etherType: 0x0800)

    static func tcp(
        _ payload: [UInt8], sequence: UInt32 = 1, flags: UInt16 = 0x10, isIPv6: Bool = false, identification: UInt16 = 7, dontFragment: Bool = true,
        trafficClass: UInt8 = 0, sourcePort: UInt16 = 1000, options: [UInt8] = []
    ) -> [UInt8] {
        var header = TCP.Header(
            sourcePort: sourcePort, destinationPort: 80, sequence: sequence, acknowledgment: 99, flags: flags, window: 500)
        header.options = options
        let size = 20 + options.count + payload.count
        if isIPv6 {
            let (a, b) = (IPv6Address(high: 1, low: 2), IPv6Address(high: 3, low: 4))
            header.fillChecksum(pseudoHeader: .ipv6(source: a, destination: b), payload: payload)
            let ip = IPv6.Header(source: a, destination: b, nextHeader: 6, payloadSize: size, trafficClass: trafficClass)
            return Ethernet.Header(destination: ethernet.destination, source: ethernet.source, etherType: 0x86dd).encoded() + ip.encoded()
                + header.encoded() + payload
        }
        let (a, b) = (IPv4Address(0x0a00_0001), IPv4Address(0x0a00_0002))
        header.fillChecksum(pseudoHeader: .ipv4(source: a, destination: b), payload: payload)
        let ip = IPv4.Header(
            source: a, destination: b, nextProtocol: 6, payloadSize: size, trafficClass: trafficClass, identification: identification,
            dontFragment: dontFragment)
        return ethernet.encoded() + ip.encoded() + header.encoded() + payload
    }

    static func udp(_ payload: [UInt8], trafficClass: UInt8 = 0, ttl: UInt8 = 64, sourcePort: UInt16 = 5000) -> [UInt8] {
        let (a, b) = (IPv4Address(0x0a00_0001), IPv4Address(0x0a00_0002))
        var header = UDP.Header(sourcePort: sourcePort, destinationPort: 53, payloadSize: payload.count)
        header.fillChecksum(pseudoHeader: .ipv4(source: a, destination: b), payload: payload)
        let ip = IPv4.Header(source: a, destination: b, nextProtocol: 17, payloadSize: 8 + payload.count, ttl: ttl, trafficClass: trafficClass)
        return ethernet.encoded() + ip.encoded() + header.encoded() + payload
    }

    static func payload(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = SeededNumbers(seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    /// A large TCP frame as a device hands it over: the checksum field holds the pseudo header's sum.
    static func large(_ payload: [UInt8], segmentSize: Int, isIPv6: Bool = false, flags: UInt16 = 0x18) -> ([UInt8], Offload) {
        var bytes = tcp(payload, flags: flags, isIPv6: isIPv6)
        bytes.withUnsafeMutableBytes { buffer in
            let p = buffer.baseAddress!
            let inner = InnerFrame(UnsafeRawPointer(p), count: buffer.count)
            let sum = ChecksumCopy.fold(inner.pseudoSum(UnsafeRawPointer(p), size: inner.end - inner.transport))
            p.storeBytes(of: sum, toByteOffset: inner.transport + 16, as: UInt16.self)
        }
        return (
            bytes,
            Offload(
                flags: .needsChecksum, segmentation: isIPv6 ? 4 : 1, segmentSize: UInt16(segmentSize), checksumStart: isIPv6 ? 54 : 34,
                checksumOffset: 16)
        )
    }
}

/// Repeatable numbers (splitmix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
