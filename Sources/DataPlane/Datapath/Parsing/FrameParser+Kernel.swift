import Flow

/// The parser's short cut for the frames that most traffic consists of.
extension FrameParser {
    /// Shortest frame that the short cut looks at: Ethernet, IPv4 and UDP headers.
    static let shortcutLength = 42

    /// Parses an untagged, unfragmented IPv4 frame without options that carries UDP or TCP; false, with nothing written, when the frame is
    /// anything else, which `parse` then handles. Both give the same key and layout; a test holds them to it.
    ///
    /// - Parameter length: at least `shortcutLength`.
    @inline(__always)
    static func parseCommon(
        _ data: UnsafeRawPointer, length: Int, inPort: UInt32, key: UnsafeMutablePointer<UInt64>, layout: UnsafeMutablePointer<FrameLayout>
    ) -> Bool {
        // Safe: all loads end before byte 42, the shortest length; those of TCP's header before 54, tested first.
        let front = UInt64(bigEndian: data.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        let back = UInt64(bigEndian: data.loadUnaligned(fromByteOffset: 6, as: UInt64.self))
        let first = UInt64(bigEndian: data.loadUnaligned(fromByteOffset: 14, as: UInt64.self))
        let second = UInt64(bigEndian: data.loadUnaligned(fromByteOffset: 22, as: UInt64.self))
        // EtherType IPv4; version 4, five words of header; no fragment.
        if (back & 0xffff ^ EtherType.ipv4) | (first >> 56 ^ 0x45) | first & 0x3fff != 0 { return false }
        let total = Int(truncatingIfNeeded: first >> 32 & 0xffff)
        let padding = length &- 14 &- total
        if padding < 0 || padding > 0xffff { return false }
        let proto = second >> 48 & 0xff
        var flags: UInt64 = 0
        if proto == 17 {
            if total < 28 { return false }
        } else if proto == 6 {
            if total < 40 { return false }
            flags = UInt64(UInt16(bigEndian: data.loadUnaligned(fromByteOffset: 46, as: UInt16.self)))
            let header = Int(truncatingIfNeeded: flags >> 12) &* 4
            if header < 20 || header > total &- 20 { return false }
            flags = (flags & 0xfff) << 16
        } else {
            return false
        }
        let ports = UInt64(UInt32(bigEndian: data.loadUnaligned(fromByteOffset: 34, as: UInt32.self)))
        key[FlowKeyLayout.ethDstType] = front & ~0xffff | EtherType.ipv4
        key[FlowKeyLayout.ethSrcVLAN] = back & ~0xffff
        key[FlowKeyLayout.ipv4] = UInt64(bigEndian: data.loadUnaligned(fromByteOffset: 26, as: UInt64.self))
        key[FlowKeyLayout.transport] = ports << 32 | proto << 24 | (first >> 32 & 0xff_0000) | (second >> 48 & 0xff00)
        key[FlowKeyLayout.inPortFlags] = UInt64(inPort) << 32 | flags
        key[FlowKeyLayout.arpSHA] = 0
        key[FlowKeyLayout.ndReserved] = UInt64(UInt32(truncatingIfNeeded: 14 &+ total))
        layout.pointee = FrameLayout(mpls: FrameLayout.none, network: 14, transport: 34, padding: UInt16(truncatingIfNeeded: padding))
        return true
    }
}
