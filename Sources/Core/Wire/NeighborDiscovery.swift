/// Neighbour discovery messages with a target: solicitation and advertisement (RFC 4861 §4.3, §4.4), and the options that all five
/// messages share (§4.6). Offsets count from the ICMPv6 type.
public enum NeighborDiscovery {
    /// ICMPv6 header, reserved word and target.
    public static let headerSize = 24

    public enum Offset {
        public static let reserved = 4
        public static let target = 8
        public static let options = 24
        /// Options of a router solicitation.
        public static let routerSolicitationOptions = 8
        /// Options of a router advertisement.
        public static let routerAdvertisementOptions = 16
        /// Options of a redirect.
        public static let redirectOptions = 40
    }

    public enum OptionType {
        public static let sourceLinkLayer: UInt8 = 1
        public static let targetLinkLayer: UInt8 = 2
        public static let prefixInformation: UInt8 = 3
        public static let redirectedHeader: UInt8 = 4
        public static let mtu: UInt8 = 5

        /// The option in words, nil for one not listed here.
        public static func name(_ type: UInt8) -> String? {
            switch type {
            case sourceLinkLayer: "source link-layer address"
            case targetLinkLayer: "target link-layer address"
            case prefixInformation: "prefix information"
            case redirectedHeader: "redirected header"
            case mtu: "MTU"
            default: nil
            }
        }
    }

    /// Bits of the reserved word that an advertisement uses.
    public enum Flag {
        public static let router: UInt32 = 0x8000_0000
        public static let solicited: UInt32 = 0x4000_0000
        public static let override: UInt32 = 0x2000_0000
    }

    /// A checked look at a solicitation or advertisement of at least 24 bytes.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else {
                throw .truncated(.neighborDiscovery, needed: headerSize, available: bytes.byteCount)
            }
            self.bytes = bytes
        }

        @inlinable public var type: UInt8 { bytes.u8(at: ICMPv6.Offset.type) }
        @inlinable public var code: UInt8 { bytes.u8(at: ICMPv6.Offset.code) }
        @inlinable public var checksum: UInt16 { bytes.u16(at: ICMPv6.Offset.checksum) }
        /// Reserved in a solicitation; in an advertisement the top three bits are flags.
        @inlinable public var reserved: UInt32 { bytes.u32(at: Offset.reserved) }
        @inlinable public var target: IPv6Address { bytes.ipv6(at: Offset.target) }
    }

    /// One option as a value; `content` is what follows type and length.
    public struct Option: WireValue {
        public var type: UInt8
        /// 8n − 2 bytes.
        public var content: [UInt8]

        public init(type: UInt8, content: [UInt8]) {
            precondition((content.count + 2) % 8 == 0 && content.count <= 255 * 8 - 2, "an ND option is 8 to 2040 bytes in words of 8")
            self.type = type
            self.content = content
        }

        /// A link-layer address option for Ethernet.
        public static func linkLayer(type: UInt8, _ address: MACAddress) -> Option {
            Option(type: type, content: (0..<6).map { UInt8(truncatingIfNeeded: address.bits >> UInt64(40 - 8 * $0)) })
        }

        /// Fails on a length of zero, which receivers must not accept (RFC 4861 §4.6), and on missing bytes.
        public init(parsing bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= 2 else { throw .truncated(.neighborDiscovery, needed: 2, available: bytes.byteCount) }
            let size = Int(bytes.u8(at: 1)) * 8
            guard size > 0 else { throw .badLength(.neighborDiscovery, 0) }
            guard bytes.byteCount >= size else { throw .truncated(.neighborDiscovery, needed: size, available: bytes.byteCount) }
            type = bytes.u8(at: 0)
            content = bytes.array(2..<size)
        }

        public var size: Int { content.count + 2 }

        /// The Ethernet address of a link-layer address option, nil for another option or size.
        public var linkLayerAddress: MACAddress? {
            guard type == OptionType.sourceLinkLayer || type == OptionType.targetLinkLayer, content.count == 6 else { return nil }
            return content.span.bytes.mac(at: 0)
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(type, at: 0)
            out.set8(UInt8(size / 8), at: 1)
            out.set(content, at: 2)
        }
    }

    /// A solicitation or advertisement as a value.
    public struct Message: WireValue {
        public var type: UInt8
        public var code: UInt8 = 0
        public var checksum: UInt16 = 0
        public var reserved: UInt32
        public var target: IPv6Address
        public var options: [Option]

        public init(type: UInt8, reserved: UInt32 = 0, target: IPv6Address, options: [Option]) {
            self.type = type
            self.reserved = reserved
            self.target = target
            self.options = options
        }

        /// `bytes` end where the message ends: all the rest is options.
        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            var options: [Option] = []
            var offset = Offset.options
            while offset < bytes.byteCount {
                let option = try Option(parsing: bytes.extracting(offset..<bytes.byteCount))
                options.append(option)
                offset += option.size
            }
            self.init(type: view.type, reserved: view.reserved, target: view.target, options: options)
            code = view.code
            checksum = view.checksum
        }

        public var size: Int { options.reduce(headerSize) { $0 + $1.size } }

        /// Sets `checksum` to the correct one.
        public mutating func fillChecksum(pseudoHeader: PseudoHeader) {
            let message = encoded()
            checksum = pseudoHeader.checksum(
                protocol: IPProtocol.icmpv6, segment: message.span.bytes, checksumOffset: ICMPv6.Offset.checksum)
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(type, at: ICMPv6.Offset.type)
            out.set8(code, at: ICMPv6.Offset.code)
            out.set16(checksum, at: ICMPv6.Offset.checksum)
            out.set32(reserved, at: Offset.reserved)
            out.set(target, at: Offset.target)
            var offset = Offset.options
            for option in options {
                out.set(option.encoded(), at: offset)
                offset += option.size
            }
        }
    }
}
