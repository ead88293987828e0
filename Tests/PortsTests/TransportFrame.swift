import Wire

@testable import Ports

/// A TCP or UDP frame put together by hand, and the naive way to check and cut one: the oracle of the software offloads.
struct TransportFrame {
    var tags: [UInt32] = []
    var isIPv6 = false
    var isTCP = true
    /// Further bytes of the TCP header.
    var options = 0
    /// IPv4 options or an IPv6 destination options header, in words of four or eight bytes.
    var extensionWords = 0
    var flags: UInt8 = 0x18
    var sequence: UInt32 = 1
    var identification: UInt16 = 7
    var payload: [UInt8] = []

    var network: Int { 14 + tags.count * 4 }
    var transport: Int { network + (isIPv6 ? 40 + extensionWords * 8 : 20 + extensionWords * 4) }
    var headerSize: Int { transport + (isTCP ? 20 + options : 8) }

    static func random(_ generator: inout some RandomNumberGenerator, payload size: Int) -> TransportFrame {
        var frame = TransportFrame()
        let tpids: [UInt32] = [0x8100, 0x88a8]
        frame.tags = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
            tpids.randomElement(using: &generator)! << 16 | UInt32.random(in: 0...0xffff, using: &generator)
        }
        frame.isIPv6 = .random(using: &generator)
        frame.isTCP = .random(using: &generator)
        frame.options = Int.random(in: 0...10, using: &generator) * 4
        frame.extensionWords = Int.random(in: 0...2, using: &generator)
        frame.flags = UInt8.random(in: 0...255, using: &generator)
        frame.sequence = .random(in: 0...(.max), using: &generator)
        frame.identification = .random(in: 0...(.max), using: &generator)
        frame.payload = (0..<size).map { _ in .random(in: 0...255, using: &generator) }
        return frame
    }

    /// The frame's bytes. With `isPartial` the checksum field holds the pseudo header's sum, as its sender leaves it to a device.
    func bytes(isPartial: Bool = false) -> [UInt8] {
        var b: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
        for tag in tags { b += big(tag) }
        b += big(UInt16(isIPv6 ? 0x86dd : 0x0800))
        let protocolNumber: UInt8 = isTCP ? 6 : 17
        let transportSize = headerSize - transport + payload.count
        let addresses: [UInt8]
        if isIPv6 {
            let source: [UInt8] = [0xfd, 9] + Array(repeating: 0, count: 13) + [1]
            let destination: [UInt8] = [0xfd, 9] + Array(repeating: 0, count: 13) + [2]
            addresses = source + destination
            b += [0x60, 0, 0, 0] + big(UInt16(truncatingIfNeeded: extensionWords * 8 + transportSize))
            b += [extensionWords > 0 ? 60 : protocolNumber, 64] + addresses
            if extensionWords > 0 {
                // PadN over the whole header.
                b +=
                    [protocolNumber, UInt8(extensionWords - 1), 1, UInt8(extensionWords * 8 - 4)] + Array(repeating: 0, count: extensionWords * 8 - 4)
            }
        } else {
            addresses = [10, 9, 0, 1, 10, 9, 0, 2]
            var header: [UInt8] = [UInt8(0x45 + extensionWords), 0] + big(UInt16(truncatingIfNeeded: 20 + extensionWords * 4 + transportSize))
            header += big(identification) + [0x40, 0, 64, protocolNumber, 0, 0] + addresses + Array(repeating: 1, count: extensionWords * 4)
            header.replaceSubrange(10..<12, with: big(Self.checksum(header)))
            b += header
        }
        var segment = big(UInt16(7777)) + big(UInt16(7778))
        if isTCP {
            segment += big(sequence) + [0, 0, 0, 9, UInt8((20 + options) * 4), flags, 0x10, 0, 0, 0, 0, 0] + Array(repeating: 1, count: options)
        } else {
            segment += big(UInt16(truncatingIfNeeded: transportSize)) + [0, 0]
        }
        let pseudo = addresses + big(UInt32(transportSize)) + [0, 0, 0, protocolNumber]
        let field = isTCP ? 16 : 6
        var checksum = isPartial ? ~Self.checksum(pseudo) : Self.checksum(pseudo + segment + payload)
        if !isPartial, !isTCP, checksum == 0 { checksum = 0xffff }
        segment.replaceSubrange(field..<(field + 2), with: big(checksum))
        return b + segment + payload
    }

    /// What is left to the device of `bytes(isPartial: true)`.
    func offload(segmentSize: Int? = nil) -> Offload {
        let kind: Offload.Segmentation = segmentSize == nil ? .none : isTCP ? (isIPv6 ? .tcpIPv6 : .tcpIPv4) : .udp
        let congestion: UInt8 = kind != .none && isTCP && flags & 0x80 != 0 ? Offload.explicitCongestion : 0
        return Offload(
            flags: .needsChecksum, segmentation: kind.rawValue | congestion, segmentSize: UInt16(segmentSize ?? 0), checksumStart: UInt16(transport),
            checksumOffset: isTCP ? 16 : 6)
    }

    /// The frames that this one is to be cut into, each made from the beginning.
    func parts(segmentSize: Int) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for start in stride(from: 0, to: payload.count, by: segmentSize) {
            let end = min(start + segmentSize, payload.count)
            var part = self
            part.payload = Array(payload[start..<end])
            part.sequence = sequence &+ UInt32(start)
            part.identification = identification &+ UInt16(start / segmentSize)
            if end < payload.count { part.flags &= ~0x09 }
            if start > 0 { part.flags &= ~0x80 }
            result.append(part.bytes())
        }
        return result
    }

    /// 16 bits at a time (RFC 1071 §4.1).
    static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum = 0
        for i in stride(from: 0, to: bytes.count, by: 2) { sum += Int(bytes[i]) << 8 + (i + 1 < bytes.count ? Int(bytes[i + 1]) : 0) }
        while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
        return ~UInt16(sum)
    }

    private func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}

/// A frame in memory of its own, with the room in front that a worker's has.
final class OwnedFrame {
    let memory: UnsafeMutableRawPointer
    let frame: UnsafeMutablePointer<TransmitFrame>

    init(_ bytes: [UInt8], offload: Offload = .none) {
        memory = .allocate(byteCount: 64 + bytes.count, alignment: 64)
        (memory + 64).copyMemory(from: bytes, byteCount: bytes.count)
        frame = .allocate(capacity: 1)
        frame.initialize(to: TransmitFrame(data: memory + 64, length: bytes.count, offload: offload))
    }

    deinit {
        memory.deallocate()
        frame.deallocate()
    }

    var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: frame.pointee.data, count: frame.pointee.length)) }
}
