/// A VLAN tag without the type before it: control information and the type of what follows (IEEE 802.1Q §9.6).
public enum VLAN {
    public static let headerSize = 4

    public enum Offset {
        public static let tci = 0
        public static let etherType = 2
    }

    /// A checked look at the 4 bytes after a VLAN EtherType.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.vlan, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var tci: UInt16 { bytes.u16(at: Offset.tci) }
        /// 12 bits; 0 marks a priority tag, 0xfff is reserved (IEEE 802.1Q table 9-2).
        @inlinable public var identifier: UInt16 { tci & 0xfff }
        /// 3 bits.
        @inlinable public var priority: UInt8 { UInt8(truncatingIfNeeded: tci >> 13) }
        @inlinable public var dropEligible: Bool { tci & 0x1000 != 0 }
        @inlinable public var etherType: UInt16 { bytes.u16(at: Offset.etherType) }
    }

    /// The tag as a value.
    public struct Header: WireValue {
        /// Low 12 bits are used.
        public var identifier: UInt16
        /// Low 3 bits are used.
        public var priority: UInt8
        public var dropEligible: Bool
        public var etherType: UInt16

        public init(identifier: UInt16, priority: UInt8 = 0, dropEligible: Bool = false, etherType: UInt16) {
            self.identifier = identifier & 0xfff
            self.priority = priority & 7
            self.dropEligible = dropEligible
            self.etherType = etherType
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(identifier: view.identifier, priority: view.priority, dropEligible: view.dropEligible, etherType: view.etherType)
        }

        public var tci: UInt16 { UInt16(priority & 7) << 13 | (dropEligible ? 0x1000 : 0) | identifier & 0xfff }
        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) {
            out.set16(tci, at: Offset.tci)
            out.set16(etherType, at: Offset.etherType)
        }
    }
}
