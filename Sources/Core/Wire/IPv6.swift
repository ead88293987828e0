/// The fixed IPv6 header (RFC 8200 §3); what may follow it before the transport is in `IPv6Extension`.
public enum IPv6 {
    public static let headerSize = 40

    public enum Offset {
        public static let versionClassLabel = 0
        public static let payloadLength = 4
        public static let nextHeader = 6
        public static let hopLimit = 7
        public static let source = 8
        public static let destination = 24
    }

    /// A checked look at a header: version 6 and 40 bytes. The payload length is not judged, since a capture may have cut it.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.ipv6, needed: headerSize, available: bytes.byteCount) }
            let version = bytes.u8(at: 0) >> 4
            guard version == 6 else { throw .badVersion(.ipv6, version) }
            self.bytes = bytes
        }

        @inlinable public var trafficClass: UInt8 { UInt8(truncatingIfNeeded: bytes.u16(at: Offset.versionClassLabel) >> 4) }
        @inlinable public var dscp: UInt8 { trafficClass >> 2 }
        @inlinable public var ecn: UInt8 { trafficClass & 3 }
        /// 20 bits.
        @inlinable public var flowLabel: UInt32 { bytes.u32(at: Offset.versionClassLabel) & 0xfffff }
        /// Bytes after the fixed header; 0 also stands for a jumbogram (RFC 2675).
        @inlinable public var payloadLength: Int { Int(bytes.u16(at: Offset.payloadLength)) }
        @inlinable public var nextHeader: UInt8 { bytes.u8(at: Offset.nextHeader) }
        @inlinable public var hopLimit: UInt8 { bytes.u8(at: Offset.hopLimit) }
        @inlinable public var source: IPv6Address { bytes.ipv6(at: Offset.source) }
        @inlinable public var destination: IPv6Address { bytes.ipv6(at: Offset.destination) }
        /// The payload's bytes that are present, without padding after them.
        @inlinable public var payload: RawSpan {
            @_lifetime(copy self) get { bytes.extracting(headerSize..<min(headerSize + payloadLength, bytes.byteCount)) }
        }
    }

    /// The header as a value.
    public struct Header: WireValue {
        public var trafficClass: UInt8
        /// Low 20 bits are used.
        public var flowLabel: UInt32
        public var payloadLength: UInt16
        public var nextHeader: UInt8
        public var hopLimit: UInt8
        public var source: IPv6Address
        public var destination: IPv6Address

        public init(
            source: IPv6Address, destination: IPv6Address, nextHeader: UInt8, payloadSize: Int, hopLimit: UInt8 = 64,
            trafficClass: UInt8 = 0, flowLabel: UInt32 = 0
        ) {
            self.trafficClass = trafficClass
            self.flowLabel = flowLabel & 0xfffff
            payloadLength = UInt16(payloadSize)
            self.nextHeader = nextHeader
            self.hopLimit = hopLimit
            self.source = source
            self.destination = destination
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(
                source: view.source, destination: view.destination, nextHeader: view.nextHeader, payloadSize: view.payloadLength,
                hopLimit: view.hopLimit, trafficClass: view.trafficClass, flowLabel: view.flowLabel)
        }

        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) {
            out.set32(6 << 28 | UInt32(trafficClass) << 20 | flowLabel & 0xfffff, at: Offset.versionClassLabel)
            out.set16(payloadLength, at: Offset.payloadLength)
            out.set8(nextHeader, at: Offset.nextHeader)
            out.set8(hopLimit, at: Offset.hopLimit)
            out.set(source, at: Offset.source)
            out.set(destination, at: Offset.destination)
        }
    }
}
