/// The SCTP common header and the chunk header (RFC 9260 §3.1, §3.2).
public enum SCTP {
    public static let headerSize = 12
    public static let chunkHeaderSize = 4

    public enum Offset {
        public static let sourcePort = 0
        public static let destinationPort = 2
        public static let verificationTag = 4
        public static let checksum = 8
        public static let chunks = 12
    }

    /// The name of a chunk type, nil for one not listed here.
    public static func chunkName(_ type: UInt8) -> String? {
        switch type {
        case 0: "DATA"
        case 1: "INIT"
        case 2: "INIT ACK"
        case 3: "SACK"
        case 4: "HEARTBEAT"
        case 5: "HEARTBEAT ACK"
        case 6: "ABORT"
        case 7: "SHUTDOWN"
        case 8: "SHUTDOWN ACK"
        case 9: "ERROR"
        case 10: "COOKIE ECHO"
        case 11: "COOKIE ACK"
        case 12: "ECNE"
        case 13: "CWR"
        case 14: "SHUTDOWN COMPLETE"
        default: nil
        }
    }

    /// A checked look at a packet of at least 12 bytes.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.sctp, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var sourcePort: UInt16 { bytes.u16(at: Offset.sourcePort) }
        @inlinable public var destinationPort: UInt16 { bytes.u16(at: Offset.destinationPort) }
        @inlinable public var verificationTag: UInt32 { bytes.u32(at: Offset.verificationTag) }
        /// The four bytes as they stand, read in network order.
        @inlinable public var checksum: UInt32 { bytes.u32(at: Offset.checksum) }
    }

    /// A checked look at one chunk, all of whose bytes are present; padding follows it.
    public struct ChunkView: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= chunkHeaderSize else {
                throw .truncated(.sctp, needed: chunkHeaderSize, available: bytes.byteCount)
            }
            let length = Int(bytes.u16(at: 2))
            guard length >= chunkHeaderSize else { throw .badLength(.sctp, length) }
            guard bytes.byteCount >= length else { throw .truncated(.sctp, needed: length, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var type: UInt8 { bytes.u8(at: 0) }
        @inlinable public var flags: UInt8 { bytes.u8(at: 1) }
        /// Bytes with the chunk header, without padding.
        @inlinable public var length: Int { Int(bytes.u16(at: 2)) }
    }

    /// The checksum field of a whole packet, its own four bytes counted as zero, as `View.checksum` reads it.
    ///
    /// The CRC goes out low byte first (RFC 9260 appendix A), so the field read in network order is the CRC byte-swapped.
    public static func checksum(packet: RawSpan) -> UInt32 {
        var crc = CRC32c()
        crc.add(packet.extracting(0..<Offset.checksum))
        let zero: [UInt8] = [0, 0, 0, 0]
        crc.add(zero.span.bytes)
        crc.add(packet.extracting(Offset.chunks..<packet.byteCount))
        return crc.value.byteSwapped
    }

    /// The common header as a value.
    public struct Header: WireValue {
        public var sourcePort: UInt16
        public var destinationPort: UInt16
        public var verificationTag: UInt32
        public var checksum: UInt32

        public init(sourcePort: UInt16, destinationPort: UInt16, verificationTag: UInt32, checksum: UInt32 = 0) {
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
            self.verificationTag = verificationTag
            self.checksum = checksum
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(
                sourcePort: view.sourcePort, destinationPort: view.destinationPort, verificationTag: view.verificationTag,
                checksum: view.checksum)
        }

        public var size: Int { headerSize }

        /// Sets `checksum` to the correct one for this header before `payload`.
        public mutating func fillChecksum(payload: [UInt8]) {
            let packet = encoded() + payload
            checksum = SCTP.checksum(packet: packet.span.bytes)
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set16(sourcePort, at: Offset.sourcePort)
            out.set16(destinationPort, at: Offset.destinationPort)
            out.set32(verificationTag, at: Offset.verificationTag)
            out.set32(checksum, at: Offset.checksum)
        }
    }
}
