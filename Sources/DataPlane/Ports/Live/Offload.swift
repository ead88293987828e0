/// What the sender of a frame left to the device: a transport checksum to be finished, a large segment to be cut.
///
/// Carried beside every live frame, from the port it came by to the one it leaves by. The fields are those of `virtio_net_hdr` (Virtual I/O Device
/// 1.2 §5.1.6), which TAP and packet sockets exchange with the kernel. `none` says that the frame is complete as it is.
public struct Offload: Equatable, Sendable {
    public struct Flags: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The checksum field holds the sum of the pseudo header; the rest, from `checksumStart` to the end, is still to be added.
        public static let needsChecksum = Flags(rawValue: 1)
        /// The sender vouches for the checksums.
        public static let dataValid = Flags(rawValue: 2)
    }

    /// How a large frame is to be cut.
    public enum Segmentation: UInt8, Sendable {
        case none = 0
        case tcpIPv4 = 1
        case udpFragmentation = 3
        case tcpIPv6 = 4
        case udp = 5
    }

    public var flags: Flags
    /// `Segmentation` in the low seven bits, `explicitCongestion` above.
    public var segmentation: UInt8
    /// Payload bytes of a segment.
    public var segmentSize: UInt16
    /// Offset in the frame where the sum begins: the transport header.
    public var checksumStart: UInt16
    /// Offset of the checksum field behind `checksumStart`.
    public var checksumOffset: UInt16

    /// The bit in `segmentation` of a TCP segment with CWR, which only the first part keeps (RFC 3168 §6.1.2).
    public static let explicitCongestion: UInt8 = 0x80
    public static let none = Offload()

    public init(
        flags: Flags = [], segmentation: UInt8 = 0, segmentSize: UInt16 = 0, checksumStart: UInt16 = 0, checksumOffset: UInt16 = 0
    ) {
        self.flags = flags
        self.segmentation = segmentation
        self.segmentSize = segmentSize
        self.checksumStart = checksumStart
        self.checksumOffset = checksumOffset
    }

    /// Whether nothing is left to do.
    @inlinable public var isNone: Bool { flags.rawValue & 1 == 0 && segmentation == 0 }
    @inlinable public var needsChecksum: Bool { flags.rawValue & 1 != 0 }
    @inlinable public var isSegmented: Bool { segmentation & 0x7f != 0 }
    /// Computes the checksum that was left to the device, in the frame's bytes.
    public func finish(_ frame: UnsafeMutableRawBufferPointer) {
        guard needsChecksum, let data = frame.baseAddress else { return }
        var record = TransmitFrame(data: data, length: frame.count, offload: self)
        _ = ChecksumFinisher.finish(&record)
    }
    public var kind: Segmentation? { Segmentation(rawValue: segmentation & 0x7f) }
}

/// What a device takes over, so that it need not be done here.
public struct OffloadCapabilities: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let checksum = OffloadCapabilities(rawValue: 1)
    public static let tcpSegmentation = OffloadCapabilities(rawValue: 2)
    public static let udpSegmentation = OffloadCapabilities(rawValue: 4)
    public static let all: OffloadCapabilities = [.checksum, .tcpSegmentation, .udpSegmentation]
}
