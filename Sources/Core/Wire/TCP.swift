/// The TCP header (RFC 9293 §3.1); its options are in `TCPOption`.
public enum TCP {
    /// The header without options.
    public static let headerSize = 20

    public enum Offset {
        public static let sourcePort = 0
        public static let destinationPort = 2
        public static let sequence = 4
        public static let acknowledgment = 8
        public static let dataOffsetAndFlags = 12
        public static let window = 14
        public static let checksum = 16
        public static let urgentPointer = 18
        public static let options = 20
    }

    /// The control bits with the reserved ones above them: the low 12 bits of the word at offset 12.
    public enum Flag {
        public static let fin: UInt16 = 0x001
        public static let syn: UInt16 = 0x002
        public static let rst: UInt16 = 0x004
        public static let psh: UInt16 = 0x008
        public static let ack: UInt16 = 0x010
        public static let urg: UInt16 = 0x020
        public static let ece: UInt16 = 0x040
        public static let cwr: UInt16 = 0x080
        /// Bits that must be sent as zero; the lowest once was the ECN nonce (RFC 3540, historic).
        public static let reserved: UInt16 = 0xf00
    }

    /// A checked look at a header: data offset at least 20 bytes, all of them present.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.tcp, needed: headerSize, available: bytes.byteCount) }
            let size = Int(bytes.u8(at: Offset.dataOffsetAndFlags) >> 4) * 4
            guard size >= headerSize else { throw .badHeaderLength(.tcp, size) }
            guard bytes.byteCount >= size else { throw .truncated(.tcp, needed: size, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var sourcePort: UInt16 { bytes.u16(at: Offset.sourcePort) }
        @inlinable public var destinationPort: UInt16 { bytes.u16(at: Offset.destinationPort) }
        @inlinable public var sequence: UInt32 { bytes.u32(at: Offset.sequence) }
        @inlinable public var acknowledgment: UInt32 { bytes.u32(at: Offset.acknowledgment) }
        /// 20…60 bytes.
        @inlinable public var headerLength: Int { Int(bytes.u8(at: Offset.dataOffsetAndFlags) >> 4) * 4 }
        /// 12 bits.
        @inlinable public var flags: UInt16 { bytes.u16(at: Offset.dataOffsetAndFlags) & 0xfff }
        @inlinable public var window: UInt16 { bytes.u16(at: Offset.window) }
        @inlinable public var checksum: UInt16 { bytes.u16(at: Offset.checksum) }
        @inlinable public var urgentPointer: UInt16 { bytes.u16(at: Offset.urgentPointer) }
        @inlinable public var options: RawSpan { @_lifetime(copy self) get { bytes.extracting(Offset.options..<headerLength) } }
        @inlinable public var payload: RawSpan { @_lifetime(copy self) get { bytes.extracting(headerLength..<bytes.byteCount) } }
    }

    /// The header as a value.
    public struct Header: WireValue {
        public var sourcePort: UInt16
        public var destinationPort: UInt16
        public var sequence: UInt32
        public var acknowledgment: UInt32
        /// Low 12 bits are used.
        public var flags: UInt16
        public var window: UInt16
        public var checksum: UInt16 = 0
        public var urgentPointer: UInt16 = 0
        /// Up to 40 bytes, a multiple of 4; `TCPOption.encode` makes them.
        public var options: [UInt8]

        public init(
            sourcePort: UInt16, destinationPort: UInt16, sequence: UInt32 = 0, acknowledgment: UInt32 = 0, flags: UInt16,
            window: UInt16 = 65535, options: [UInt8] = []
        ) {
            precondition(options.count <= 40 && options.count % 4 == 0, "TCP options are at most 40 bytes in words of 4")
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
            self.sequence = sequence
            self.acknowledgment = acknowledgment
            self.flags = flags & 0xfff
            self.window = window
            self.options = options
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(
                sourcePort: view.sourcePort, destinationPort: view.destinationPort, sequence: view.sequence,
                acknowledgment: view.acknowledgment, flags: view.flags, window: view.window,
                options: bytes.array(Offset.options..<view.headerLength))
            checksum = view.checksum
            urgentPointer = view.urgentPointer
        }

        public var size: Int { headerSize + options.count }

        /// Sets `checksum` to the correct one for this header before `payload`.
        public mutating func fillChecksum(pseudoHeader: PseudoHeader, payload: [UInt8]) {
            let segment = encoded() + payload
            checksum = pseudoHeader.checksum(protocol: IPProtocol.tcp, segment: segment.span.bytes, checksumOffset: Offset.checksum)
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set16(sourcePort, at: Offset.sourcePort)
            out.set16(destinationPort, at: Offset.destinationPort)
            out.set32(sequence, at: Offset.sequence)
            out.set32(acknowledgment, at: Offset.acknowledgment)
            out.set16(UInt16(size / 4) << 12 | flags & 0xfff, at: Offset.dataOffsetAndFlags)
            out.set16(window, at: Offset.window)
            out.set16(checksum, at: Offset.checksum)
            out.set16(urgentPointer, at: Offset.urgentPointer)
            out.set(options, at: Offset.options)
        }
    }
}
