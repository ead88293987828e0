/// One MPLS label stack entry (RFC 3032 §2.1). The stack names no payload type: `payloadEtherType` guesses it as routers do.
public enum MPLS {
    public static let headerSize = 4

    public enum Offset {
        public static let entry = 0
        public static let ttl = 3
    }

    /// Labels with a meaning of their own; 4–6, 8–12 are unassigned and reserved like the rest of 0…15 (RFC 3032 §2.1, RFC 7274 §3.1).
    public enum Label {
        public static let ipv4ExplicitNull: UInt32 = 0
        public static let routerAlert: UInt32 = 1
        public static let ipv6ExplicitNull: UInt32 = 2
        public static let implicitNull: UInt32 = 3
        public static let entropyIndicator: UInt32 = 7
        public static let genericAssociatedChannel: UInt32 = 13
        public static let operationAndMaintenance: UInt32 = 14
        public static let `extension`: UInt32 = 15
        public static let firstOrdinary: UInt32 = 16

        /// The name of a special-purpose label, "reserved" for an unassigned one, nil for an ordinary one.
        public static func name(_ label: UInt32) -> String? {
            switch label {
            case ipv4ExplicitNull: "IPv4 explicit null"
            case routerAlert: "router alert"
            case ipv6ExplicitNull: "IPv6 explicit null"
            case implicitNull: "implicit null"
            case entropyIndicator: "entropy label indicator"
            case genericAssociatedChannel: "generic associated channel"
            case operationAndMaintenance: "OAM alert"
            case `extension`: "extension"
            case ..<firstOrdinary: "reserved"
            default: nil
            }
        }
    }

    /// A checked look at one entry.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.mpls, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var entry: UInt32 { bytes.u32(at: Offset.entry) }
        /// 20 bits.
        @inlinable public var label: UInt32 { entry >> 12 }
        /// 3 bits (RFC 5462).
        @inlinable public var trafficClass: UInt8 { UInt8(truncatingIfNeeded: entry >> 9) & 7 }
        @inlinable public var isBottom: Bool { entry & 0x100 != 0 }
        @inlinable public var ttl: UInt8 { bytes.u8(at: Offset.ttl) }
    }

    /// The entry as a value.
    public struct Header: WireValue {
        /// Low 20 bits are used.
        public var label: UInt32
        /// Low 3 bits are used.
        public var trafficClass: UInt8
        public var isBottom: Bool
        public var ttl: UInt8

        public init(label: UInt32, trafficClass: UInt8 = 0, isBottom: Bool, ttl: UInt8) {
            self.label = label & 0xfffff
            self.trafficClass = trafficClass & 7
            self.isBottom = isBottom
            self.ttl = ttl
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(label: view.label, trafficClass: view.trafficClass, isBottom: view.isBottom, ttl: view.ttl)
        }

        public var entry: UInt32 {
            (label & 0xfffff) << 12 | UInt32(trafficClass & 7) << 9 | (isBottom ? 0x100 : 0) | UInt32(ttl)
        }
        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) { out.set32(entry, at: Offset.entry) }
    }

    /// The payload's likely EtherType from its first four bits, nil when they are neither 4 nor 6 (RFC 4928 §3) or there are none.
    public static func payloadEtherType(_ payload: RawSpan) -> UInt16? {
        guard payload.byteCount > 0 else { return nil }
        switch payload.u8(at: 0) >> 4 {
        case 4: return EtherType.ipv4
        case 6: return EtherType.ipv6
        default: return nil
        }
    }
}
