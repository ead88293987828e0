/// ICMP for IPv6 (RFC 4443): type, code, checksum, then a body. Neighbour discovery's bodies are in `NeighborDiscovery`.
public enum ICMPv6 {
    public static let headerSize = 4
    /// Header and the first 4 bytes of the body, which every RFC 4443 message has.
    public static let messageSize = 8

    public enum Offset {
        public static let type = 0
        public static let code = 1
        public static let checksum = 2
        public static let body = 4
        public static let identifier = 4
        public static let sequence = 6
    }

    public enum MessageType {
        public static let destinationUnreachable: UInt8 = 1
        public static let packetTooBig: UInt8 = 2
        public static let timeExceeded: UInt8 = 3
        public static let parameterProblem: UInt8 = 4
        public static let echoRequest: UInt8 = 128
        public static let echoReply: UInt8 = 129
        public static let listenerQuery: UInt8 = 130
        public static let listenerReport: UInt8 = 131
        public static let listenerDone: UInt8 = 132
        public static let routerSolicitation: UInt8 = 133
        public static let routerAdvertisement: UInt8 = 134
        public static let neighborSolicitation: UInt8 = 135
        public static let neighborAdvertisement: UInt8 = 136
        public static let redirect: UInt8 = 137
        public static let listenerReport2: UInt8 = 143

        /// The type in words, nil for one not listed here.
        public static func name(_ type: UInt8) -> String? {
            switch type {
            case destinationUnreachable: "destination unreachable"
            case packetTooBig: "packet too big"
            case timeExceeded: "time exceeded"
            case parameterProblem: "parameter problem"
            case echoRequest: "echo request"
            case echoReply: "echo reply"
            case listenerQuery: "multicast listener query"
            case listenerReport: "multicast listener report"
            case listenerDone: "multicast listener done"
            case routerSolicitation: "router solicitation"
            case routerAdvertisement: "router advertisement"
            case neighborSolicitation: "neighbor solicitation"
            case neighborAdvertisement: "neighbor advertisement"
            case redirect: "redirect"
            case listenerReport2: "multicast listener report v2"
            default: nil
            }
        }

        /// Error messages have the high bit clear (RFC 4443 §2.1); the assigned ones quote the packet that caused them.
        @inlinable public static func isError(_ type: UInt8) -> Bool { type >= 1 && type <= 4 }
    }

    /// The meaning of a code, nil when it has none of its own.
    public static func codeName(type: UInt8, code: UInt8) -> String? {
        switch (type, code) {
        case (MessageType.destinationUnreachable, 0): "no route to destination"
        case (MessageType.destinationUnreachable, 1): "administratively prohibited"
        case (MessageType.destinationUnreachable, 2): "beyond scope of source address"
        case (MessageType.destinationUnreachable, 3): "address unreachable"
        case (MessageType.destinationUnreachable, 4): "port unreachable"
        case (MessageType.destinationUnreachable, 5): "source address failed policy"
        case (MessageType.destinationUnreachable, 6): "reject route"
        case (MessageType.timeExceeded, 0): "hop limit exceeded in transit"
        case (MessageType.timeExceeded, 1): "fragment reassembly time exceeded"
        case (MessageType.parameterProblem, 0): "erroneous header field"
        case (MessageType.parameterProblem, 1): "unrecognized next header"
        case (MessageType.parameterProblem, 2): "unrecognized option"
        default: nil
        }
    }

    /// A checked look at a message of at least 4 bytes.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.icmpv6, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var type: UInt8 { bytes.u8(at: Offset.type) }
        @inlinable public var code: UInt8 { bytes.u8(at: Offset.code) }
        @inlinable public var checksum: UInt16 { bytes.u16(at: Offset.checksum) }
        /// The first 4 bytes of the body, nil when they are not there.
        @inlinable public var rest: UInt32? { bytes.byteCount >= messageSize ? bytes.u32(at: Offset.body) : nil }
    }

    /// The header and the first 4 bytes of the body as a value.
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
            guard let rest = view.rest else { throw .truncated(.icmpv6, needed: messageSize, available: bytes.byteCount) }
            self.init(type: view.type, code: view.code, checksum: view.checksum, rest: rest)
        }

        public var size: Int { messageSize }

        /// Sets `checksum` to the correct one for this header before `payload`.
        public mutating func fillChecksum(pseudoHeader: PseudoHeader, payload: [UInt8]) {
            let message = encoded() + payload
            checksum = pseudoHeader.checksum(
                protocol: IPProtocol.icmpv6, segment: message.span.bytes, checksumOffset: Offset.checksum)
        }

        public func emit(into out: inout MutableRawSpan) {
            out.set8(type, at: Offset.type)
            out.set8(code, at: Offset.code)
            out.set16(checksum, at: Offset.checksum)
            out.set32(rest, at: Offset.body)
        }
    }
}
