/// ICMP for IPv4 (RFC 792): 8 bytes, of which the last 4 depend on the type.
public enum ICMPv4 {
    public static let headerSize = 8

    public enum Offset {
        public static let type = 0
        public static let code = 1
        public static let checksum = 2
        public static let rest = 4
        public static let identifier = 4
        public static let sequence = 6
        public static let nextHopMTU = 6
        public static let gateway = 4
    }

    public enum MessageType {
        public static let echoReply: UInt8 = 0
        public static let destinationUnreachable: UInt8 = 3
        public static let sourceQuench: UInt8 = 4
        public static let redirect: UInt8 = 5
        public static let echoRequest: UInt8 = 8
        public static let timeExceeded: UInt8 = 11
        public static let parameterProblem: UInt8 = 12
        public static let timestamp: UInt8 = 13
        public static let timestampReply: UInt8 = 14

        /// The type in words, nil for one not listed here.
        public static func name(_ type: UInt8) -> String? {
            switch type {
            case echoReply: "echo reply"
            case destinationUnreachable: "destination unreachable"
            case sourceQuench: "source quench"
            case redirect: "redirect"
            case echoRequest: "echo request"
            case timeExceeded: "time exceeded"
            case parameterProblem: "parameter problem"
            case timestamp: "timestamp request"
            case timestampReply: "timestamp reply"
            default: nil
            }
        }

        /// Whether the message quotes the packet that caused it (RFC 1122 §3.2.2).
        @inlinable public static func isError(_ type: UInt8) -> Bool {
            switch type {
            case destinationUnreachable, sourceQuench, redirect, timeExceeded, parameterProblem: true
            default: false
            }
        }
    }

    /// The meaning of a code, nil when it has none of its own.
    public static func codeName(type: UInt8, code: UInt8) -> String? {
        switch (type, code) {
        case (MessageType.destinationUnreachable, 0): "network unreachable"
        case (MessageType.destinationUnreachable, 1): "host unreachable"
        case (MessageType.destinationUnreachable, 2): "protocol unreachable"
        case (MessageType.destinationUnreachable, 3): "port unreachable"
        case (MessageType.destinationUnreachable, 4): "fragmentation needed"
        case (MessageType.destinationUnreachable, 5): "source route failed"
        case (MessageType.destinationUnreachable, 9): "network administratively prohibited"
        case (MessageType.destinationUnreachable, 10): "host administratively prohibited"
        case (MessageType.destinationUnreachable, 13): "communication administratively prohibited"
        case (MessageType.redirect, 0): "for network"
        case (MessageType.redirect, 1): "for host"
        case (MessageType.timeExceeded, 0): "time to live exceeded in transit"
        case (MessageType.timeExceeded, 1): "fragment reassembly time exceeded"
        default: nil
        }
    }

    /// A checked look at a message of at least 8 bytes.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.icmpv4, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var type: UInt8 { bytes.u8(at: Offset.type) }
        @inlinable public var code: UInt8 { bytes.u8(at: Offset.code) }
        @inlinable public var checksum: UInt16 { bytes.u16(at: Offset.checksum) }
        /// The 4 bytes whose meaning depends on the type.
        @inlinable public var rest: UInt32 { bytes.u32(at: Offset.rest) }
        /// Of echo messages.
        @inlinable public var identifier: UInt16 { bytes.u16(at: Offset.identifier) }
        /// Of echo messages.
        @inlinable public var sequence: UInt16 { bytes.u16(at: Offset.sequence) }
        /// Of "fragmentation needed" (RFC 1191 §4).
        @inlinable public var nextHopMTU: UInt16 { bytes.u16(at: Offset.nextHopMTU) }
        /// Of redirects.
        @inlinable public var gateway: IPv4Address { bytes.ipv4(at: Offset.gateway) }
    }

    /// The header as a value.
    public struct Header: WireValue {
        public var type: UInt8
        public var code: UInt8
        public var checksum: UInt16
        public var rest: UInt32

        public init(type: UInt8, code: UInt8, checksum: UInt16 = 0, rest: UInt32 = 0) {
            self.type = type
            self.code = code
            self.checksum = checksum
            self.rest = rest
        }

        /// An echo message.
        public static func echo(reply: Bool, identifier: UInt16, sequence: UInt16) -> Header {
            Header(
                type: reply ? MessageType.echoReply : MessageType.echoRequest, code: 0,
                rest: UInt32(identifier) << 16 | UInt32(sequence))
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(type: view.type, code: view.code, checksum: view.checksum, rest: view.rest)
        }

        public var size: Int { headerSize }

        /// Sets `checksum` to the correct one for this header before `payload`.
        public mutating func fillChecksum(payload: [UInt8]) {
            checksum = 0
            var sum = Checksum.Sum()
            sum.add(encoded().span.bytes)
            sum.add(payload.span.bytes)
            checksum = sum.checksum
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(type, at: Offset.type)
            out.set8(code, at: Offset.code)
            out.set16(checksum, at: Offset.checksum)
            out.set32(rest, at: Offset.rest)
        }
    }
}
