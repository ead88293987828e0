/// The UDP header (RFC 768).
public enum UDP {
    public static let headerSize = 8

    public enum Offset {
        public static let sourcePort = 0
        public static let destinationPort = 2
        public static let length = 4
        public static let checksum = 6
    }

    /// A checked look at a header of 8 bytes. The length is not judged, since a capture may have cut the payload.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.udp, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var sourcePort: UInt16 { bytes.u16(at: Offset.sourcePort) }
        @inlinable public var destinationPort: UInt16 { bytes.u16(at: Offset.destinationPort) }
        /// Bytes of header and payload; less than 8 is malformed (0 stands for a jumbogram over IPv6, RFC 2675).
        @inlinable public var length: Int { Int(bytes.u16(at: Offset.length)) }
        /// 0 when the sender computed none.
        @inlinable public var checksum: UInt16 { bytes.u16(at: Offset.checksum) }
        /// The payload's bytes that are present, up to the length; empty when the length lies.
        @inlinable public var payload: RawSpan {
            @_lifetime(copy self) get { bytes.extracting(headerSize..<max(headerSize, min(length, bytes.byteCount))) }
        }
    }

    /// The header as a value.
    public struct Header: WireValue {
        public var sourcePort: UInt16
        public var destinationPort: UInt16
        public var length: UInt16
        public var checksum: UInt16 = 0

        public init(sourcePort: UInt16, destinationPort: UInt16, payloadSize: Int) {
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
            length = UInt16(headerSize + payloadSize)
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            sourcePort = view.sourcePort
            destinationPort = view.destinationPort
            length = UInt16(view.length)
            checksum = view.checksum
        }

        public var size: Int { headerSize }

        /// Sets `checksum` to the correct one for this header before `payload`; never zero (RFC 768).
        public mutating func fillChecksum(pseudoHeader: PseudoHeader, payload: [UInt8]) {
            let datagram = encoded() + payload
            checksum = Checksum.nonzero(
                pseudoHeader.checksum(protocol: IPProtocol.udp, segment: datagram.span.bytes, checksumOffset: Offset.checksum))
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set16(sourcePort, at: Offset.sourcePort)
            out.set16(destinationPort, at: Offset.destinationPort)
            out.set16(length, at: Offset.length)
            out.set16(checksum, at: Offset.checksum)
        }
    }
}
