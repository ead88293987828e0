import Flow

/// Writing OXM and NXM elements.
extension WireWriter {
    mutating func fieldHeader(_ c: FieldCode, hasMask: Bool = false, size: Int? = nil) {
        let size = (size ?? Int(c.size)) * (hasMask ? 2 : 1) + (c.experimenter == 0 ? 0 : 4)
        u16(c.oxmClass)
        u8(c.number << 1 | (hasMask ? 1 : 0))
        u8(UInt8(size))
        if c.experimenter != 0 { u32(c.experimenter) }
    }

    /// One element: header, value, and the mask unless it is all ones.
    mutating func field(_ c: FieldCode, _ value: FieldValue, _ mask: FieldValue) {
        let isExact = mask == .ones(Int(c.bits))
        fieldHeader(c, hasMask: !isExact)
        wide(value.high, value.low, Int(c.size))
        if !isExact { wide(mask.high, mask.low, Int(c.size)) }
    }

    /// Words of a match by their places; a field that was written is taken out of the masks.
    private typealias Words = InlineArray<52, UInt64>

    @inline(__always) private mutating func emit(_ c: FieldCode, _ values: borrowing Words, _ masks: inout Words) {
        let shift = UInt64(c.shift)
        let ones: UInt64 = c.bits >= 64 ? .max : (1 << UInt64(c.bits)) &- 1
        var mask = FieldValue(low: masks[Int(c.lowWord)] >> shift & ones)
        var value = FieldValue(low: values[Int(c.lowWord)] >> shift & ones)
        if c.bits > 64 {
            mask.high = masks[Int(c.word)]
            value.high = values[Int(c.word)]
            masks[Int(c.word)] = 0
        }
        masks[Int(c.lowWord)] &= ~(ones << shift)
        if !mask.isZero { field(c, value, mask) }
    }

    /// The fields of a match, those that others depend on first. Bits that no field of OXM or NXM has make the encoding fail.
    mutating func matchFields(_ m: Match) {
        var values = Words(repeating: 0)
        var masks = Words(repeating: 0)
        // A bit for each word that the match asks for; fields elsewhere are passed over without a look.
        var used: UInt64 = 0
        for w in m.words {
            values[w.index] = w.value
            masks[w.index] = w.mask
            used |= 1 << UInt64(w.index)
        }
        if used == 0 { return }
        let context = MatchContext(m)
        if used != candidates.words {
            let codes = FieldDirectory.codes
            candidates = (used, Self.order.compactMap { $0.words & used != 0 ? codes[$0.code] : nil })
        }
        for c in candidates.codes {
            if !context.meets(c.prerequisite) { continue }
            switch c.field {
            case .vlanVID:
                let tci = masks[FlowKeyLayout.ethSrcVLAN] & 0xffff
                let value = values[FlowKeyLayout.ethSrcVLAN] & 0xffff
                if tci == 0 { continue }
                let priority = tci & 0xe000
                if priority == 0 || priority == 0xe000 && tci & value & 0x1000 != 0 {
                    emit(c, values, &masks)
                } else if tci == 0xffff, value == 0 {
                    // Without a tag there is no priority either; this is OFPVID_NONE.
                    field(c, .zero, .ones(13))
                    masks[FlowKeyLayout.ethSrcVLAN] &= ~0xffff
                } else {
                    emit(Self.vlanTCI, values, &masks)
                }
            case .tcpFlags: if let c = FieldDirectory.code(.tcpFlags, version) { emit(c, values, &masks) }
            case .actsetOutput: if let c = FieldDirectory.code(.actsetOutput, version) { emit(c, values, &masks) }
            case .arpOp:
                // The eight bits above are those that distinguish nothing in an ARP packet.
                let mask = masks[FlowKeyLayout.transport] >> 24 & 0xff
                let value = values[FlowKeyLayout.transport] >> 24 & 0xff
                if mask != 0 { field(c, FieldValue(low: value), mask == 0xff ? .ones(16) : FieldValue(low: mask)) }
                masks[FlowKeyLayout.transport] &= ~(0xffff << 24)
            default: emit(c, values, &masks)
            }
        }
        for w in m.words where masks[w.index] != 0 { return fail("The match asks for bits of word \(w.index) that no OpenFlow field has.") }
    }

    /// An `ofp_match` with its padding.
    mutating func match(_ m: Match) {
        let start = count
        u16(1)
        u16(0)
        matchFields(m)
        set16(count - start, at: start + 2)
        pad(from: start)
    }

    private static let vlanTCI = FieldDirectory.codes.first { $0.field == .vlanTCI }!

    /// Every field that a match writes, prerequisites first: the bits of its words, and its index into `FieldDirectory.codes`.
    private static let order: [(words: UInt64, code: Int)] = {
        var fields: [Field] = [
            .inPort, .metadata, .ethDst, .ethSrc, .ethType, .vlanVID, .vlanPCP, .mplsLabel, .mplsTC, .mplsBOS, .mplsTTL, .pbbISID, .pbbUCA, .ipv4Src,
            .ipv4Dst, .ipv6Src, .ipv6Dst, .ipv6Label, .ipv6ExtensionHeaders, .ipFrag, .ipDSCP, .ipECN, .ipTTL, .ipProto, .arpOp, .arpSPA, .arpTPA,
            .arpSHA, .arpTHA, .tcpSrc,
            .tcpDst, .tcpFlags, .udpSrc, .udpDst, .sctpSrc, .sctpDst, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code, .ndTarget, .ndSLL, .ndTLL,
            .ndReserved, .ndOptionsType, .tunnelID, .tunnelSrc, .tunnelDst, .tunnelIPv6Src, .tunnelIPv6Dst, .tunnelFlags, .tunnelGBPID,
            .tunnelGBPFlags,
        ]
        for n in 0..<16 { fields.append(Field(rawValue: Field.tunnelMetadata0.rawValue + UInt8(n))!) }
        for n in 0..<16 { fields.append(.register(n)) }
        fields += [.packetMark, .conjunctionID, .actsetOutput]
        return fields.compactMap { f in
            guard let i = FieldDirectory.codes.firstIndex(where: { $0.field == f }) else { return nil }
            let c = FieldDirectory.codes[i]
            return (1 << UInt64(c.lowWord) | 1 << UInt64(c.word), i)
        }
    }()
}
