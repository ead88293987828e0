/// The Ethernet header: two addresses and a type (IEEE 802.3 §3.2). The frame check sequence is never part of our bytes.
public enum Ethernet {
    public static let headerSize = 14

    public enum Offset {
        public static let destination = 0
        public static let source = 6
        public static let etherType = 12
    }

    /// A checked look at a frame of at least 14 bytes.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else {
                throw .truncated(.ethernet, needed: headerSize, available: bytes.byteCount)
            }
            self.bytes = bytes
        }

        @inlinable public var destination: MACAddress { bytes.mac(at: Offset.destination) }
        @inlinable public var source: MACAddress { bytes.mac(at: Offset.source) }
        /// The type, or below `EtherType.minimum` the size of an IEEE 802.3 payload.
        @inlinable public var etherType: UInt16 { bytes.u16(at: Offset.etherType) }
    }

    /// The header as a value.
    public struct Header: WireValue {
        public var destination: MACAddress
        public var source: MACAddress
        public var etherType: UInt16

        public init(destination: MACAddress, source: MACAddress, etherType: UInt16) {
            self.destination = destination
            self.source = source
            self.etherType = etherType
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(destination: view.destination, source: view.source, etherType: view.etherType)
        }

        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) {
            out.set(destination, at: Offset.destination)
            out.set(source, at: Offset.source)
            out.set16(etherType, at: Offset.etherType)
        }
    }
}
