/// The I-TAG of a provider backbone bridge (IEEE 802.1ah, 802.1Q §9.7): what stands behind EtherType 0x88e7 and before the customer's frame.
public enum PBB {
    /// Without the customer's addresses, which IEEE counts to the tag and which are the start of the customer's Ethernet header.
    public static let headerSize = 4

    /// A checked look at the 4 bytes after the backbone EtherType.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.pbb, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var tci: UInt32 { bytes.u32(at: 0) }
        /// 3 bits.
        @inlinable public var priority: UInt8 { UInt8(truncatingIfNeeded: tci >> 29) }
        @inlinable public var dropEligible: Bool { tci & 0x1000_0000 != 0 }
        /// Whether the customer's addresses are meant for the backbone too.
        @inlinable public var usesCustomerAddresses: Bool { tci & 0x0800_0000 != 0 }
        /// I-SID, 24 bits.
        @inlinable public var service: UInt32 { tci & 0xff_ffff }
    }

    /// The tag as a value. The three reserved bits are sent as zero.
    public struct Header: WireValue {
        /// Low 3 bits are used.
        public var priority: UInt8
        public var dropEligible: Bool
        public var usesCustomerAddresses: Bool
        /// I-SID; low 24 bits are used.
        public var service: UInt32

        public init(service: UInt32, priority: UInt8 = 0, dropEligible: Bool = false, usesCustomerAddresses: Bool = false) {
            self.priority = priority & 7
            self.dropEligible = dropEligible
            self.usesCustomerAddresses = usesCustomerAddresses
            self.service = service & 0xff_ffff
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(
                service: view.service, priority: view.priority, dropEligible: view.dropEligible, usesCustomerAddresses: view.usesCustomerAddresses)
        }

        public var tci: UInt32 {
            UInt32(priority & 7) << 29 | (dropEligible ? 0x1000_0000 : 0) | (usesCustomerAddresses ? 0x0800_0000 : 0) | service & 0xff_ffff
        }
        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) { out.set32(tci, at: 0) }
    }
}
