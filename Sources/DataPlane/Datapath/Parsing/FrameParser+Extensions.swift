/// What an IPv6 packet's extension headers are, for the field `ipv6_exthdr`.
extension FrameParser {
    /// Bits of `ipv6_exthdr` (OpenFlow 1.3.5 §A.2.3.8, `ofp_ipv6exthdr_flags`).
    enum ExtensionHeader {
        static let noNext: UInt64 = 1
        static let security: UInt64 = 2
        static let authentication: UInt64 = 4
        static let destination: UInt64 = 8
        static let fragment: UInt64 = 16
        static let routing: UInt64 = 32
        static let hopByHop: UInt64 = 64
        static let unexpectedRepeat: UInt64 = 128
        static let unexpectedOrder: UInt64 = 256
    }

    /// The bits of the extension headers from `start` up to `end`, where the parser found the first that it does not go into, of the number `last`.
    ///
    /// The order that RFC 8200 §4.1 recommends: hop-by-hop, destination, routing, fragment, authentication, security payload, destination. Each once,
    /// destination options twice. Hop-by-hop options that are not first have the bit of the order instead of their own.
    ///
    /// - Parameter first: the fixed header's next-header number. The caller has walked the chain, so each header in it is whole.
    @inline(never)
    static func extensionHeaders(_ b: RawSpan, from start: Int, to end: Int, first: UInt64, last: UInt64) -> UInt64 {
        var flags: UInt64 = 0
        var rank = 0
        var destinations = 0
        var number = first
        var at = start
        func meet(_ bit: UInt64, _ own: Int) {
            if own < rank { flags |= ExtensionHeader.unexpectedOrder }
            if bit == ExtensionHeader.destination {
                destinations += 1
                if destinations > 2 { flags |= ExtensionHeader.unexpectedRepeat }
            } else if flags & bit != 0 {
                flags |= ExtensionHeader.unexpectedRepeat
            }
            flags |= bit
            rank = Swift.max(rank, own)
        }
        while at < end {
            var size = 8
            switch number {
            case 0:
                if at == start {
                    meet(ExtensionHeader.hopByHop, 1)
                } else {
                    flags |= ExtensionHeader.unexpectedOrder
                    if flags & ExtensionHeader.hopByHop != 0 { flags |= ExtensionHeader.unexpectedRepeat }
                }
            // Before routing or in the end, and the second of two in the end.
            case 60: meet(ExtensionHeader.destination, rank < 2 ? 2 : 7)
            case 43: meet(ExtensionHeader.routing, 3)
            case 44: meet(ExtensionHeader.fragment, 4)
            case 51:
                meet(ExtensionHeader.authentication, 5)
                size = (Int(byte(b, at + 1)) + 2) * 4
            default: return flags
            }
            if number == 0 || number == 60 || number == 43 { size = (Int(byte(b, at + 1)) + 1) * 8 }
            number = byte(b, at)
            at += size
        }
        if last == 50 { meet(ExtensionHeader.security, 6) }
        if last == 59 { flags |= ExtensionHeader.noNext }
        return flags
    }
}
