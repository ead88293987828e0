/// The Geneve header and its options (RFC 8926 §3.4, §3.5).
public enum Geneve {
    /// The header without options.
    public static let headerSize = 8
    /// 63 words of options at most.
    public static let maximumHeaderSize = 260
    /// UDP destination port (IANA).
    public static let port: UInt16 = 6081

    public enum Offset {
        public static let versionAndOptionsLength = 0
        public static let flags = 1
        public static let protocolType = 2
        public static let identifier = 4
        public static let options = 8
    }

    /// Bits of the second byte; the other six are reserved: sent as zero, ignored when read.
    public enum Flag {
        /// A control packet of the tunnel's own operation and maintenance.
        public static let control: UInt8 = 0x80
        /// At least one option is critical.
        public static let critical: UInt8 = 0x40
    }

    /// A checked look at a header: version 0 and all option bytes present. Each option's own length is judged by `Option.parse`.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.geneve, needed: headerSize, available: bytes.byteCount) }
            let first = bytes.u8(at: Offset.versionAndOptionsLength)
            guard first >> 6 == 0 else { throw .badVersion(.geneve, first >> 6) }
            let size = headerSize + Int(first & 0x3f) * 4
            guard bytes.byteCount >= size else { throw .truncated(.geneve, needed: size, available: bytes.byteCount) }
            self.bytes = bytes
        }

        /// 8…260 bytes.
        @inlinable public var headerLength: Int { headerSize + Int(bytes.u8(at: Offset.versionAndOptionsLength) & 0x3f) * 4 }
        @inlinable public var isControl: Bool { bytes.u8(at: Offset.flags) & Flag.control != 0 }
        @inlinable public var hasCriticalOptions: Bool { bytes.u8(at: Offset.flags) & Flag.critical != 0 }
        /// An EtherType; 0x6558 for an Ethernet frame.
        @inlinable public var protocolType: UInt16 { bytes.u16(at: Offset.protocolType) }
        /// 24 bits.
        @inlinable public var identifier: UInt32 { bytes.u32(at: Offset.identifier) >> 8 }
        @inlinable public var hasReservedBits: Bool { bytes.u8(at: Offset.flags) & 0x3f != 0 || bytes.u8(at: 7) != 0 }
        @inlinable public var options: RawSpan { @_lifetime(copy self) get { bytes.extracting(headerSize..<headerLength) } }
        @inlinable public var payload: RawSpan { @_lifetime(copy self) get { bytes.extracting(headerLength..<bytes.byteCount) } }
    }

    /// One option: class, type, and up to 124 bytes.
    public struct Option: Equatable, Sendable {
        public static let headerSize = 4
        /// The bit of `type` that tells a receiver without knowledge of the option to drop the packet.
        public static let criticalBit: UInt8 = 0x80

        /// The authority: 0xff00…0xffff are for experiments (RFC 8926 §7).
        public var optionClass: UInt16
        public var type: UInt8
        /// A multiple of 4 bytes, at most 124.
        public var content: [UInt8]

        public init(class optionClass: UInt16, type: UInt8, content: [UInt8]) {
            precondition(content.count % 4 == 0 && content.count <= 124, "a Geneve option holds up to 124 bytes in words of 4")
            self.optionClass = optionClass
            self.type = type
            self.content = content
        }

        public var isCritical: Bool { type & Option.criticalBit != 0 }
        public var size: Int { Option.headerSize + content.count }

        /// The options in order, and whether one reached beyond the bytes.
        public static func parse(_ bytes: RawSpan) -> (options: [Option], isMalformed: Bool) {
            var options: [Option] = []
            var offset = 0
            while offset < bytes.byteCount {
                guard offset + headerSize <= bytes.byteCount else { return (options, true) }
                let size = Int(bytes.u8(at: offset + 3) & 0x1f) * 4
                guard offset + headerSize + size <= bytes.byteCount else { return (options, true) }
                options.append(
                    Option(
                        class: bytes.u16(at: offset), type: bytes.u8(at: offset + 2),
                        content: bytes.array((offset + headerSize)..<(offset + headerSize + size))))
                offset += headerSize + size
            }
            return (options, false)
        }
    }

    /// The header as a value. Emitting sets the C flag when an option is critical (RFC 8926 §3.4); reserved bits are sent as zero.
    public struct Header: WireValue {
        /// 24 bits.
        public var identifier: UInt32
        public var protocolType: UInt16
        public var isControl: Bool
        public var options: [Option]

        public init(identifier: UInt32, protocolType: UInt16 = EtherType.transparentEthernet, isControl: Bool = false, options: [Option] = []) {
            precondition(options.reduce(0) { $0 + $1.size } <= 252, "Geneve options are at most 252 bytes")
            self.identifier = identifier & 0xff_ffff
            self.protocolType = protocolType
            self.isControl = isControl
            self.options = options
        }

        /// - Throws: `badLength` when an option reaches beyond the options' length.
        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            let (options, isMalformed) = Option.parse(view.options)
            if isMalformed { throw .badLength(.geneve, view.headerLength) }
            self.init(identifier: view.identifier, protocolType: view.protocolType, isControl: view.isControl, options: options)
        }

        public var size: Int { headerSize + options.reduce(0) { $0 + $1.size } }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(UInt8((size - headerSize) / 4), at: Offset.versionAndOptionsLength)
            let critical = options.contains(where: \.isCritical) ? Flag.critical : 0
            out.set8((isControl ? Flag.control : 0) | critical, at: Offset.flags)
            out.set16(protocolType, at: Offset.protocolType)
            out.set32(identifier << 8, at: Offset.identifier)
            var offset = Offset.options
            for option in options {
                out.set16(option.optionClass, at: offset)
                out.set8(option.type, at: offset + 2)
                out.set8(UInt8(option.content.count / 4), at: offset + 3)
                out.set(option.content, at: offset + Option.headerSize)
                offset += option.size
            }
        }
    }
}
