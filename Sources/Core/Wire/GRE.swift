/// The GRE header (RFC 2784 §2) with key and sequence number (RFC 2890 §2).
public enum GRE {
    /// The header without checksum, key and sequence number.
    public static let headerSize = 4
    public static let maximumHeaderSize = 16

    public enum Offset {
        public static let flagsAndVersion = 0
        public static let protocolType = 2
        /// When present; key and sequence number follow what is present before them.
        public static let checksum = 4
    }

    public enum Flag {
        public static let checksum: UInt16 = 0x8000
        public static let key: UInt16 = 0x2000
        public static let sequence: UInt16 = 0x1000
        /// Bits that make a receiver discard the packet unless it implements RFC 1701, which this does not (RFC 2784 §2.3).
        public static let forbidden: UInt16 = 0x4c00
        /// Reserved bits that are ignored when read.
        public static let ignored: UInt16 = 0x03f8
        public static let version: UInt16 = 0x0007
    }

    /// A checked look at a header: version 0, no bit of RFC 1701's routing, all optional fields present.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.gre, needed: headerSize, available: bytes.byteCount) }
            let flags = bytes.u16(at: Offset.flagsAndVersion)
            guard flags & Flag.version == 0 else { throw .badVersion(.gre, UInt8(flags & Flag.version)) }
            guard flags & Flag.forbidden == 0 else { throw .reservedBits(.gre, flags & Flag.forbidden) }
            let size = GRE.size(flags)
            guard bytes.byteCount >= size else { throw .truncated(.gre, needed: size, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var flags: UInt16 { bytes.u16(at: Offset.flagsAndVersion) }
        /// 4…16 bytes.
        @inlinable public var headerLength: Int { GRE.size(flags) }
        /// An EtherType; 0x6558 for an Ethernet frame.
        @inlinable public var protocolType: UInt16 { bytes.u16(at: Offset.protocolType) }
        /// The checksum over header and payload, nil when absent.
        @inlinable public var checksum: UInt16? { flags & Flag.checksum == 0 ? nil : bytes.u16(at: Offset.checksum) }
        @inlinable public var key: UInt32? { flags & Flag.key == 0 ? nil : bytes.u32(at: flags & Flag.checksum == 0 ? 4 : 8) }
        @inlinable public var sequence: UInt32? { flags & Flag.sequence == 0 ? nil : bytes.u32(at: headerLength - 4) }
        /// Whether checksum is absent or fits the whole of `bytes`.
        @inlinable public var isChecksumCorrect: Bool { flags & Flag.checksum == 0 || Checksum.of(bytes) == 0 }
        @inlinable public var payload: RawSpan { @_lifetime(copy self) get { bytes.extracting(headerLength..<bytes.byteCount) } }
    }

    /// Bytes of a header with these flags.
    @inlinable public static func size(_ flags: UInt16) -> Int {
        headerSize + (flags & Flag.checksum == 0 ? 0 : 4) + (flags & Flag.key == 0 ? 0 : 4) + (flags & Flag.sequence == 0 ? 0 : 4)
    }

    /// The header as a value. Emitting writes `checksum` as it stands.
    public struct Header: WireValue {
        public var protocolType: UInt16
        /// nil when the field is absent.
        public var checksum: UInt16?
        public var key: UInt32?
        public var sequence: UInt32?

        public init(
            protocolType: UInt16 = EtherType.transparentEthernet, checksum: UInt16? = nil, key: UInt32? = nil, sequence: UInt32? = nil
        ) {
            self.protocolType = protocolType
            self.checksum = checksum
            self.key = key
            self.sequence = sequence
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(protocolType: view.protocolType, checksum: view.checksum, key: view.key, sequence: view.sequence)
        }

        public var flags: UInt16 {
            (checksum == nil ? 0 : Flag.checksum) | (key == nil ? 0 : Flag.key) | (sequence == nil ? 0 : Flag.sequence)
        }
        public var size: Int { GRE.size(flags) }

        /// Sets `checksum` to the correct one for this header before `payload`.
        public mutating func fillChecksum(payload: [UInt8]) {
            checksum = 0
            checksum = Checksum.of((encoded() + payload).span.bytes)
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set16(flags, at: Offset.flagsAndVersion)
            out.set16(protocolType, at: Offset.protocolType)
            var offset = Offset.checksum
            if let checksum {
                out.set16(checksum, at: offset)
                out.set16(0, at: offset + 2)
                offset += 4
            }
            if let key {
                out.set32(key, at: offset)
                offset += 4
            }
            if let sequence { out.set32(sequence, at: offset) }
        }
    }
}
