import Datapath
import Flow
import Wire

/// Frames of 60 bytes one after the other in memory, as a receive queue would hand them to a worker.
///
/// Every frame is Ethernet, IPv4 and TCP or UDP with right checksums. Each starts a cache line; a worker copies whole lines, so one more line follows the
/// last. Written before workers read it.
final class FrameBuffer: @unchecked Sendable {
    static let frameSize = 60
    private static let stride = 64
    let count: Int
    private let bytes: UnsafeMutableRawPointer
    let frames: UnsafeMutablePointer<ReceivedFrame>

    struct FiveTuple: Hashable {
        var source: UInt32
        var destination: UInt32
        var isTCP: Bool
        var sourcePort: UInt16
        var destinationPort: UInt16
    }

    /// - Parameter tuple: called with 0 ..< count.
    init(count: Int, inPort: UInt32 = 1, _ tuple: (Int) -> FiveTuple) {
        self.count = count
        bytes = .allocate(byteCount: (count + 1) * Self.stride, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: (count + 1) * Self.stride)
        frames = .allocate(capacity: max(count, 1))
        let tcp = Self.template(isTCP: true)
        let udp = Self.template(isTCP: false)
        for i in 0..<count {
            let t = tuple(i)
            let frame = bytes + i * Self.stride
            (t.isTCP ? tcp : udp).withUnsafeBytes { frame.copyMemory(from: $0.baseAddress!, byteCount: Self.frameSize) }
            Self.fill(frame, t)
            (frames + i).initialize(to: ReceivedFrame(bytes: frame, length: Self.frameSize, inPort: inPort, time: 1_700_000_000_000_000_000))
        }
    }

    deinit {
        bytes.deallocate()
        frames.deallocate()
    }

    /// A frame between two zero addresses and ports, with the checksums of that.
    private static func template(isTCP: Bool) -> [UInt8] {
        let zero = IPv4Address(0)
        let proto = isTCP ? IPProtocol.tcp : IPProtocol.udp
        let payload = [UInt8](repeating: 0, count: frameSize - 34 - (isTCP ? TCP.headerSize : UDP.headerSize))
        var segment: [UInt8]
        if isTCP {
            var header = TCP.Header(sourcePort: 0, destinationPort: 0, sequence: 1, flags: 0x10, window: 8192)
            header.fillChecksum(pseudoHeader: .ipv4(source: zero, destination: zero), payload: payload)
            segment = header.encoded()
        } else {
            var header = UDP.Header(sourcePort: 0, destinationPort: 0, payloadSize: payload.count)
            header.fillChecksum(pseudoHeader: .ipv4(source: zero, destination: zero), payload: payload)
            segment = header.encoded()
        }
        segment += payload
        return Ethernet.Header(destination: MACAddress(0x0200_0000_0002), source: MACAddress(0x0200_0000_0001), etherType: EtherType.ipv4).encoded()
            + IPv4.Header(source: zero, destination: zero, nextProtocol: proto, payloadSize: segment.count).encoded() + segment
    }

    private static func fill(_ frame: UnsafeMutableRawPointer, _ t: FiveTuple) {
        func store16(_ at: Int, _ v: UInt16) { frame.storeBytes(of: v.bigEndian, toByteOffset: at, as: UInt16.self) }
        func load16(_ at: Int) -> UInt16 { UInt16(bigEndian: frame.loadUnaligned(fromByteOffset: at, as: UInt16.self)) }
        frame.storeBytes(of: t.source.bigEndian, toByteOffset: 26, as: UInt32.self)
        frame.storeBytes(of: t.destination.bigEndian, toByteOffset: 30, as: UInt32.self)
        store16(34, t.sourcePort)
        store16(36, t.destinationPort)
        store16(24, Checksum.update(Checksum.update(load16(24), from: 0, to: t.source), from: 0, to: t.destination))
        let at = t.isTCP ? 50 : 40
        var sum = Checksum.update(Checksum.update(load16(at), from: 0, to: t.source), from: 0, to: t.destination)
        sum = Checksum.update(Checksum.update(sum, from: 0, to: t.sourcePort), from: 0, to: t.destinationPort)
        store16(at, t.isTCP ? sum : Checksum.nonzero(sum))
    }
}
