/// The VXLAN header (RFC 7348 §5) with the group-policy extension (draft-smith-vxlan-group-policy-05 §2.1).
///
/// Bits the RFC reserves are ignored when read, as it demands; the group fields are meaningful only where the extension was agreed on.
public enum VXLAN {
    public static let headerSize = 8
    /// UDP destination port (IANA).
    public static let port: UInt16 = 4789

    public enum Offset {
        public static let flags = 0
        public static let policyFlags = 1
        public static let group = 2
        public static let identifier = 4
    }

    /// Bits of the first byte.
    public enum Flag {
        /// A network identifier is present; without it the packet is invalid.
        public static let identifier: UInt8 = 0x08
        /// Group-policy fields are present.
        public static let group: UInt8 = 0x80
    }

    /// Bits of the second byte, with `Flag.group`.
    public enum PolicyFlag {
        /// The source address must not be learned by the receiver.
        public static let dontLearn: UInt8 = 0x40
        /// The group policy has been applied already.
        public static let applied: UInt8 = 0x08
        public static let all: UInt8 = 0x48
    }

    /// A checked look at a header of 8 bytes. The I flag is not judged: `hasIdentifier` tells.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.vxlan, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var flags: UInt8 { bytes.u8(at: Offset.flags) }
        @inlinable public var hasIdentifier: Bool { flags & Flag.identifier != 0 }
        @inlinable public var hasGroup: Bool { flags & Flag.group != 0 }
        /// D and A; other bits of the byte are reserved.
        @inlinable public var policyFlags: UInt8 { bytes.u8(at: Offset.policyFlags) & PolicyFlag.all }
        @inlinable public var group: UInt16 { bytes.u16(at: Offset.group) }
        /// 24 bits.
        @inlinable public var identifier: UInt32 { bytes.u32(at: Offset.identifier) >> 8 }
        /// Whether a bit is set that RFC 7348 reserves and the group extension does not use.
        @inlinable public var hasReservedBits: Bool {
            let used = hasGroup ? UInt32(0x8848_ffff) : 0x0800_0000
            return bytes.u32(at: 0) & ~used != 0 || bytes.u8(at: 7) != 0
        }
        @inlinable public var payload: RawSpan { @_lifetime(copy self) get { bytes.extracting(headerSize..<bytes.byteCount) } }
    }

    /// The header as a value. Reserved bits are not kept: they are sent as zero (RFC 7348 §5).
    public struct Header: WireValue {
        /// The group-policy fields.
        public struct Policy: Equatable, Sendable {
            public var group: UInt16
            public var dontLearn: Bool
            public var isApplied: Bool
            public init(group: UInt16, dontLearn: Bool = false, isApplied: Bool = false) {
                self.group = group
                self.dontLearn = dontLearn
                self.isApplied = isApplied
            }
        }

        /// 24 bits; nil clears the I flag.
        public var identifier: UInt32?
        public var policy: Policy?

        public init(identifier: UInt32?, policy: Policy? = nil) {
            self.identifier = identifier.map { $0 & 0xff_ffff }
            self.policy = policy
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            identifier = view.hasIdentifier ? view.identifier : nil
            policy =
                view.hasGroup
                ? Policy(
                    group: view.group, dontLearn: view.policyFlags & PolicyFlag.dontLearn != 0,
                    isApplied: view.policyFlags & PolicyFlag.applied != 0) : nil
        }

        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) {
            out.set8((identifier == nil ? 0 : Flag.identifier) | (policy == nil ? 0 : Flag.group), at: Offset.flags)
            let policyFlags = (policy?.dontLearn == true ? PolicyFlag.dontLearn : 0) | (policy?.isApplied == true ? PolicyFlag.applied : 0)
            out.set8(policyFlags, at: Offset.policyFlags)
            out.set16(policy?.group ?? 0, at: Offset.group)
            out.set32((identifier ?? 0) << 8, at: Offset.identifier)
        }
    }
}
