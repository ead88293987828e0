import Flow
import Wire

/// The encapsulation header of a packet as it was read: all that choosing its port and filling the tunnel words needs.
struct TunnelHeader {
    var size = 0
    /// VNI or key, 0 without one.
    var key: UInt32 = 0
    var isControl = false
    var group: UInt16 = 0
    var groupFlags: UInt8 = 0
    /// Bytes of Geneve options behind the 8 fixed ones.
    var optionsSize = 0

    /// Reads the header at the start of `bytes`; nil for what must be discarded: truncated, another version, forbidden bits, a VXLAN packet
    /// without the I flag, a wrong GRE checksum, or a payload that is no Ethernet frame.
    @inline(__always)
    init?(_ kind: PortKind, _ p: UnsafeRawPointer, count: Int) {
        switch kind {
        case .vxlan:
            guard count >= 8, p.load(as: UInt8.self) & VXLAN.Flag.identifier != 0 else { return nil }
            size = 8
            key = p.wire32(at: 4) >> 8
            if p.load(as: UInt8.self) & VXLAN.Flag.group != 0 {
                group = p.wire16(at: 2)
                groupFlags = p.load(fromByteOffset: 1, as: UInt8.self) & VXLAN.PolicyFlag.all
            }
        case .geneve:
            guard count >= 8 else { return nil }
            let first = p.load(as: UInt8.self)
            optionsSize = Int(first & 0x3f) * 4
            size = 8 + optionsSize
            guard first >> 6 == 0, size <= count, p.wire16(at: 2) == EtherType.transparentEthernet else { return nil }
            key = p.wire32(at: 4) >> 8
            isControl = p.load(fromByteOffset: 1, as: UInt8.self) & Geneve.Flag.control != 0
        default:
            guard count >= 4 else { return nil }
            let flags = p.wire16(at: 0)
            size = GRE.size(flags)
            guard flags & (GRE.Flag.forbidden | GRE.Flag.version) == 0, size <= count, p.wire16(at: 2) == EtherType.transparentEthernet else {
                return nil
            }
            let hasChecksum = flags & GRE.Flag.checksum != 0
            if hasChecksum, !ChecksumCopy.isCorrect(ChecksumCopy.sum(p, count)) { return nil }
            if flags & GRE.Flag.key != 0 { key = p.wire32(at: hasChecksum ? 8 : 4) }
        }
    }

    /// Fills `tun_metadata` from the options at `p`; false when an option lies about its length or is critical and unknown
    /// (RFC 8926 §3.5: such a packet must be dropped).
    @inline(__always)
    func readOptions(_ p: UnsafeRawPointer, _ known: [TunnelOption], into metadata: UnsafeMutablePointer<UInt64>) -> Bool {
        var offset = 0
        while offset < optionsSize {
            guard offset + 4 <= optionsSize else { return false }
            let size = Int(p.load(fromByteOffset: offset + 3, as: UInt8.self) & 0x1f) * 4
            guard offset + 4 + size <= optionsSize else { return false }
            let identifier = p.wire32(at: offset) >> 8
            var isKnown = false
            for option in known where option.identifier == identifier && option.size == size {
                isKnown = true
                let last = UInt64(p.wire32(at: offset + size))
                metadata[option.metadata] = size >= 8 ? UInt64(p.wire32(at: offset + size - 4)) << 32 | last : last
            }
            if !isKnown, identifier & UInt32(Geneve.Option.criticalBit) != 0 { return false }
            offset += 4 + size
        }
        return true
    }

    /// Room that `write` may need.
    static let maximumSize = 8 + TunnelOption.roomForAll

    /// Writes the header for a port at `to` and returns its size. GRE's checksum and sequence number are left zero.
    @inline(__always)
    static func write(
        _ port: TunnelConfiguration, options: [TunnelOption], key: UInt32, words: UnsafePointer<UInt64>?, to: UnsafeMutableRawPointer
    ) -> Int {
        let base = FlowKeyLayout.tunnelWords.lowerBound
        let misc = words?[FlowKeyLayout.tunnelMisc - base] ?? 0
        switch port.kind {
        case .vxlan:
            let group = UInt32(truncatingIfNeeded: misc >> 16) & 0xffff
            let flags = UInt32(truncatingIfNeeded: misc >> 8) & UInt32(VXLAN.PolicyFlag.all)
            let isUsed = port.hasGroupPolicy && (group != 0 || flags != 0)
            to.setWire32(0x0800_0000 | (isUsed ? 0x8000_0000 | flags << 16 | group : 0), at: 0)
            to.setWire32(key << 8, at: 4)
            return 8
        case .geneve:
            var size = 8
            var isCritical = false
            if let words {
                for option in options {
                    let value = words[FlowKeyLayout.tunnelMetadata - base + option.metadata]
                    guard value != 0 else { continue }
                    isCritical = isCritical || option.type & Geneve.Option.criticalBit != 0
                    to.setWire32(option.identifier << 8 | UInt32(option.size / 4), at: size)
                    for at in stride(from: 4, to: option.size - 4, by: 4) { to.setWire32(0, at: size + at) }
                    if option.size >= 8 { to.setWire32(UInt32(truncatingIfNeeded: value >> 32), at: size + option.size - 4) }
                    to.setWire32(UInt32(truncatingIfNeeded: value), at: size + option.size)
                    size += 4 + option.size
                }
            }
            let isControl = misc >> 48 & 1 != 0
            to.storeBytes(of: UInt8((size - 8) / 4), as: UInt8.self)
            to.storeBytes(
                of: (isControl ? Geneve.Flag.control : 0) | (isCritical ? Geneve.Flag.critical : 0), toByteOffset: 1, as: UInt8.self)
            to.setWire16(EtherType.transparentEthernet, at: 2)
            to.setWire32(key << 8, at: 4)
            return size
        default:
            var flags: UInt16 = 0
            var size = 4
            if port.checksum == .on {
                flags |= GRE.Flag.checksum
                to.setWire32(0, at: size)
                size += 4
            }
            if port.key != .none {
                flags |= GRE.Flag.key
                to.setWire32(key, at: size)
                size += 4
            }
            if port.hasSequence {
                flags |= GRE.Flag.sequence
                to.setWire32(0, at: size)
                size += 4
            }
            to.setWire16(flags, at: 0)
            to.setWire16(EtherType.transparentEthernet, at: 2)
            return size
        }
    }

    /// Header bytes of a port without options.
    static func size(_ port: TunnelConfiguration) -> Int {
        port.kind == .gre ? 4 + (port.checksum == .on ? 4 : 0) + (port.key != .none ? 4 : 0) + (port.hasSequence ? 4 : 0) : 8
    }
}
