/// The IPv6 extension headers that begin with the next header and a length (RFC 8200 §4), and AH, which counts differently.
public enum IPv6Extension {
    /// The smallest extension header.
    public static let minimumSize = 8

    public enum Offset {
        public static let nextHeader = 0
        public static let length = 1
        public static let content = 2
    }

    /// The format that a next-header number announces.
    public static func wireProtocol(_ number: UInt8) -> WireProtocol {
        switch number {
        case IPProtocol.hopByHop: .hopByHop
        case IPProtocol.routing: .routing
        case IPProtocol.fragment: .fragment
        case IPProtocol.authentication: .authentication
        case IPProtocol.destinationOptions: .destinationOptions
        default: .ipv6Extension
        }
    }

    /// A checked look at one extension header, all of whose bytes are present.
    public struct View: ~Escapable {
        public let bytes: RawSpan
        /// The next-header number that announced this header.
        public let number: UInt8
        /// Bytes of the whole header.
        public let size: Int

        /// - Parameter number: the next-header number before this header; it decides how the length counts.
        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan, number: UInt8) throws(WireError) {
            let kind = wireProtocol(number)
            guard bytes.byteCount >= minimumSize else { throw .truncated(kind, needed: minimumSize, available: bytes.byteCount) }
            let length = Int(bytes.u8(at: Offset.length))
            let size =
                switch number {
                case IPProtocol.fragment: 8  // Its second byte is reserved, not a length (RFC 8200 §4.5).
                case IPProtocol.authentication: (length + 2) * 4  // 4-byte units minus two (RFC 4302 §2.2).
                default: (length + 1) * 8
                }
            guard bytes.byteCount >= size else { throw .truncated(kind, needed: size, available: bytes.byteCount) }
            self.bytes = bytes
            self.number = number
            self.size = size
        }

        @inlinable public var nextHeader: UInt8 { bytes.u8(at: Offset.nextHeader) }
        /// Type of a routing header.
        @inlinable public var routingType: UInt8 { bytes.u8(at: 2) }
        /// Segments left of a routing header.
        @inlinable public var segmentsLeft: UInt8 { bytes.u8(at: 3) }
        /// Security parameters index of an authentication header.
        @inlinable public var securityParametersIndex: UInt32 { bytes.u32(at: 4) }
    }
}

/// The IPv6 fragment header (RFC 8200 §4.5).
public enum IPv6Fragment {
    public static let headerSize = 8

    public enum Offset {
        public static let nextHeader = 0
        public static let reserved = 1
        public static let offsetAndFlags = 2
        public static let identification = 4
    }

    /// A checked look at the 8 bytes.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.fragment, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var nextHeader: UInt8 { bytes.u8(at: Offset.nextHeader) }
        /// 8 bits that receivers ignore.
        @inlinable public var reserved: UInt8 { bytes.u8(at: Offset.reserved) }
        /// 2 bits that receivers ignore.
        @inlinable public var reservedFlags: UInt8 { bytes.u8(at: Offset.offsetAndFlags + 1) >> 1 & 3 }
        /// Bytes, a multiple of 8.
        @inlinable public var fragmentOffset: Int { Int(bytes.u16(at: Offset.offsetAndFlags) & 0xfff8) }
        @inlinable public var moreFragments: Bool { bytes.u8(at: Offset.offsetAndFlags + 1) & 1 != 0 }
        @inlinable public var identification: UInt32 { bytes.u32(at: Offset.identification) }
    }

    /// The header as a value.
    public struct Header: WireValue {
        public var nextHeader: UInt8
        public var reserved: UInt8 = 0
        /// Low 2 bits are used.
        public var reservedFlags: UInt8 = 0
        /// Bytes, a multiple of 8 up to 65528.
        public var fragmentOffset: Int
        public var moreFragments: Bool
        public var identification: UInt32

        public init(nextHeader: UInt8, fragmentOffset: Int, moreFragments: Bool, identification: UInt32) {
            self.nextHeader = nextHeader
            self.fragmentOffset = fragmentOffset
            self.moreFragments = moreFragments
            self.identification = identification
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(
                nextHeader: view.nextHeader, fragmentOffset: view.fragmentOffset, moreFragments: view.moreFragments,
                identification: view.identification)
            reserved = view.reserved
            reservedFlags = view.reservedFlags
        }

        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(nextHeader, at: Offset.nextHeader)
            out.set8(reserved, at: Offset.reserved)
            let flags = UInt16(reservedFlags & 3) << 1 | (moreFragments ? 1 : 0)
            out.set16(UInt16(fragmentOffset) & 0xfff8 | flags, at: Offset.offsetAndFlags)
            out.set32(identification, at: Offset.identification)
        }
    }
}
