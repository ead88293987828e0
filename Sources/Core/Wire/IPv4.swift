/// The IPv4 header (RFC 791 §3.1).
public enum IPv4 {
    /// The header without options.
    public static let headerSize = 20
    public static let maximumHeaderSize = 60

    public enum Offset {
        public static let versionAndHeaderLength = 0
        public static let trafficClass = 1
        public static let totalLength = 2
        public static let identification = 4
        public static let flagsAndFragment = 6
        public static let ttl = 8
        public static let nextProtocol = 9
        public static let checksum = 10
        public static let source = 12
        public static let destination = 16
        public static let options = 20
    }

    /// A checked look at a header: version 4, header length at least 20, all header bytes present. The total length is not
    /// judged, since a capture may have cut the payload: `payload` is what is there of it.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.ipv4, needed: headerSize, available: bytes.byteCount) }
            let first = bytes.u8(at: Offset.versionAndHeaderLength)
            guard first >> 4 == 4 else { throw .badVersion(.ipv4, first >> 4) }
            let size = Int(first & 0xf) * 4
            guard size >= headerSize else { throw .badHeaderLength(.ipv4, size) }
            guard bytes.byteCount >= size else { throw .truncated(.ipv4, needed: size, available: bytes.byteCount) }
            self.bytes = bytes
        }

        /// 20…60 bytes.
        @inlinable public var headerLength: Int { Int(bytes.u8(at: Offset.versionAndHeaderLength) & 0xf) * 4 }
        /// DSCP and ECN in one byte (RFC 2474, RFC 3168).
        @inlinable public var trafficClass: UInt8 { bytes.u8(at: Offset.trafficClass) }
        @inlinable public var dscp: UInt8 { trafficClass >> 2 }
        @inlinable public var ecn: UInt8 { trafficClass & 3 }
        @inlinable public var totalLength: Int { Int(bytes.u16(at: Offset.totalLength)) }
        @inlinable public var identification: UInt16 { bytes.u16(at: Offset.identification) }
        /// The bit that must be zero.
        @inlinable public var reservedFlag: Bool { bytes.u8(at: Offset.flagsAndFragment) & 0x80 != 0 }
        @inlinable public var dontFragment: Bool { bytes.u8(at: Offset.flagsAndFragment) & 0x40 != 0 }
        @inlinable public var moreFragments: Bool { bytes.u8(at: Offset.flagsAndFragment) & 0x20 != 0 }
        /// Bytes, a multiple of 8.
        @inlinable public var fragmentOffset: Int { Int(bytes.u16(at: Offset.flagsAndFragment) & 0x1fff) * 8 }
        @inlinable public var isFragment: Bool { bytes.u16(at: Offset.flagsAndFragment) & 0x3fff != 0 }
        @inlinable public var ttl: UInt8 { bytes.u8(at: Offset.ttl) }
        @inlinable public var nextProtocol: UInt8 { bytes.u8(at: Offset.nextProtocol) }
        @inlinable public var checksum: UInt16 { bytes.u16(at: Offset.checksum) }
        @inlinable public var source: IPv4Address { bytes.ipv4(at: Offset.source) }
        @inlinable public var destination: IPv4Address { bytes.ipv4(at: Offset.destination) }
        /// The header's bytes, options included.
        @inlinable public var header: RawSpan { @_lifetime(copy self) get { bytes.extracting(0..<headerLength) } }
        /// The payload's bytes that are present: up to the total length, without padding after it; empty when the length lies.
        @inlinable public var payload: RawSpan {
            @_lifetime(copy self) get { bytes.extracting(headerLength..<max(headerLength, min(totalLength, bytes.byteCount))) }
        }
    }

    /// The header as a value. Emitting writes `checksum` as it stands.
    public struct Header: WireValue {
        public var trafficClass: UInt8
        public var totalLength: UInt16
        public var identification: UInt16
        public var reservedFlag = false
        public var dontFragment: Bool
        public var moreFragments: Bool
        /// Bytes, a multiple of 8 up to 65528.
        public var fragmentOffset: Int
        public var ttl: UInt8
        public var nextProtocol: UInt8
        public var checksum: UInt16 = 0
        public var source: IPv4Address
        public var destination: IPv4Address
        /// Up to 40 bytes, a multiple of 4.
        public var options: [UInt8]

        /// A header for a payload of `payloadSize` bytes with its checksum filled in.
        public init(
            source: IPv4Address, destination: IPv4Address, nextProtocol: UInt8, payloadSize: Int, ttl: UInt8 = 64, trafficClass: UInt8 = 0,
            identification: UInt16 = 0, dontFragment: Bool = false, moreFragments: Bool = false, fragmentOffset: Int = 0,
            options: [UInt8] = []
        ) {
            precondition(options.count <= 40 && options.count % 4 == 0, "IPv4 options are at most 40 bytes in words of 4")
            self.trafficClass = trafficClass
            totalLength = UInt16(headerSize + options.count + payloadSize)
            self.identification = identification
            self.dontFragment = dontFragment
            self.moreFragments = moreFragments
            self.fragmentOffset = fragmentOffset
            self.ttl = ttl
            self.nextProtocol = nextProtocol
            self.source = source
            self.destination = destination
            self.options = options
            fillChecksum()
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            trafficClass = view.trafficClass
            totalLength = UInt16(view.totalLength)
            identification = view.identification
            reservedFlag = view.reservedFlag
            dontFragment = view.dontFragment
            moreFragments = view.moreFragments
            fragmentOffset = view.fragmentOffset
            ttl = view.ttl
            nextProtocol = view.nextProtocol
            checksum = view.checksum
            source = view.source
            destination = view.destination
            options = bytes.array(Offset.options..<view.headerLength)
        }

        public var size: Int { headerSize + options.count }

        /// Sets `checksum` to the correct one.
        public mutating func fillChecksum() {
            checksum = 0
            checksum = Checksum.of(encoded().span.bytes)
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(0x40 | UInt8(size / 4), at: Offset.versionAndHeaderLength)
            out.set8(trafficClass, at: Offset.trafficClass)
            out.set16(totalLength, at: Offset.totalLength)
            out.set16(identification, at: Offset.identification)
            let flags: UInt16 = (reservedFlag ? 0x8000 : 0) | (dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0)
            out.set16(flags | UInt16(fragmentOffset / 8) & 0x1fff, at: Offset.flagsAndFragment)
            out.set8(ttl, at: Offset.ttl)
            out.set8(nextProtocol, at: Offset.nextProtocol)
            out.set16(checksum, at: Offset.checksum)
            out.set(source, at: Offset.source)
            out.set(destination, at: Offset.destination)
            out.set(options, at: Offset.options)
        }
    }
}
