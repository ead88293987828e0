/// The control packet of Bidirectional Forwarding Detection (RFC 5880 §4.1), which travels in UDP (RFC 5881).
public enum BFD {
    /// Bytes of the mandatory section.
    public static let headerSize = 24
    /// UDP destination port of control packets on one hop (RFC 5881 §4).
    public static let port: UInt16 = 3784
    public static let version: UInt8 = 1

    public enum Offset {
        public static let versionDiagnostic = 0
        public static let stateFlags = 1
        public static let multiplier = 2
        public static let length = 3
        public static let myDiscriminator = 4
        public static let yourDiscriminator = 8
        public static let desiredTransmit = 12
        public static let requiredReceive = 16
        public static let requiredEcho = 20
    }

    /// Bits of the second byte beside the state.
    public enum Flag {
        public static let poll: UInt8 = 0x20
        public static let final: UInt8 = 0x10
        public static let independent: UInt8 = 0x08
        public static let authentication: UInt8 = 0x04
        public static let demand: UInt8 = 0x02
        public static let multipoint: UInt8 = 0x01
    }

    /// A session's state (RFC 5880 §4.1, Sta).
    public enum State: UInt8, Sendable, CaseIterable {
        case adminDown = 0
        case down = 1
        case initial = 2
        case up = 3
    }

    /// Why a session is not up, or not usable (RFC 5880 §4.1, Diag). Other numbers are reserved.
    public enum Diagnostic {
        public static let none: UInt8 = 0
        public static let detectionTimeExpired: UInt8 = 1
        public static let neighborSignaledDown: UInt8 = 3
        public static let pathDown: UInt8 = 5
        public static let concatenatedPathDown: UInt8 = 6
        public static let administrativelyDown: UInt8 = 7
        public static let reverseConcatenatedPathDown: UInt8 = 8
    }

    /// A checked look at a packet of at least 24 bytes. Version, length field and values are not judged: a session does.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.bfd, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var version: UInt8 { bytes.u8(at: Offset.versionDiagnostic) >> 5 }
        @inlinable public var diagnostic: UInt8 { bytes.u8(at: Offset.versionDiagnostic) & 0x1f }
        /// All four values of the two bits are states.
        @inlinable public var state: State { State(rawValue: bytes.u8(at: Offset.stateFlags) >> 6)! }
        @inlinable public var flags: UInt8 { bytes.u8(at: Offset.stateFlags) & 0x3f }
        @inlinable public var multiplier: UInt8 { bytes.u8(at: Offset.multiplier) }
        /// Bytes of the packet, authentication included, as it says.
        @inlinable public var length: Int { Int(bytes.u8(at: Offset.length)) }
        @inlinable public var myDiscriminator: UInt32 { bytes.u32(at: Offset.myDiscriminator) }
        @inlinable public var yourDiscriminator: UInt32 { bytes.u32(at: Offset.yourDiscriminator) }
        /// Microseconds.
        @inlinable public var desiredTransmit: UInt32 { bytes.u32(at: Offset.desiredTransmit) }
        @inlinable public var requiredReceive: UInt32 { bytes.u32(at: Offset.requiredReceive) }
        @inlinable public var requiredEcho: UInt32 { bytes.u32(at: Offset.requiredEcho) }
    }

    /// A packet without authentication, as a value.
    public struct Control: WireValue {
        public var diagnostic: UInt8 = 0
        public var state: State
        /// Of `Flag`.
        public var flags: UInt8 = 0
        /// Packets that may be missed before the session is down.
        public var multiplier: UInt8
        public var myDiscriminator: UInt32
        /// 0: not known yet.
        public var yourDiscriminator: UInt32 = 0
        /// Microseconds between packets: what the sender would like to send, and what it is able to receive.
        public var desiredTransmit: UInt32
        public var requiredReceive: UInt32
        public var requiredEcho: UInt32 = 0

        public init(state: State, multiplier: UInt8, myDiscriminator: UInt32, desiredTransmit: UInt32, requiredReceive: UInt32) {
            self.state = state
            self.multiplier = multiplier
            self.myDiscriminator = myDiscriminator
            self.desiredTransmit = desiredTransmit
            self.requiredReceive = requiredReceive
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            if view.version != version { throw .badVersion(.bfd, view.version) }
            if view.length < headerSize || view.length > bytes.byteCount { throw .badLength(.bfd, view.length) }
            diagnostic = view.diagnostic
            state = view.state
            flags = view.flags
            multiplier = view.multiplier
            myDiscriminator = view.myDiscriminator
            yourDiscriminator = view.yourDiscriminator
            desiredTransmit = view.desiredTransmit
            requiredReceive = view.requiredReceive
            requiredEcho = view.requiredEcho
        }

        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(version << 5 | diagnostic & 0x1f, at: Offset.versionDiagnostic)
            out.set8(state.rawValue << 6 | flags & 0x3f, at: Offset.stateFlags)
            out.set8(multiplier, at: Offset.multiplier)
            out.set8(UInt8(headerSize), at: Offset.length)
            out.set32(myDiscriminator, at: Offset.myDiscriminator)
            out.set32(yourDiscriminator, at: Offset.yourDiscriminator)
            out.set32(desiredTransmit, at: Offset.desiredTransmit)
            out.set32(requiredReceive, at: Offset.requiredReceive)
            out.set32(requiredEcho, at: Offset.requiredEcho)
        }
    }
}
