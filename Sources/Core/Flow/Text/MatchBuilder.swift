/// Collects the fields of one match and makes a `Match` of them.
///
/// Later text about a field replaces earlier text, as in ovs-ofctl. Words are kept dense with a bit per used word, so that starting anew costs
/// as much as was used, and `finish` makes the one array that the match keeps.
final class MatchBuilder {
    private var values = InlineArray<52, UInt64>(repeating: 0)
    private var masks = InlineArray<52, UInt64>(repeating: 0)
    private var used: UInt64 = 0

    func reset() {
        while used != 0 {
            let i = used.trailingZeroBitCount
            values[i] = 0
            masks[i] = 0
            used &= used &- 1
        }
    }

    @inline(__always) private func put(_ word: Int, clear: UInt64, mask: UInt64, value: UInt64) {
        values[word] = (values[word] & ~clear) | (value & mask)
        masks[word] = (masks[word] & ~clear) | mask
        used |= 1 << UInt64(word)
    }

    /// Requires `value` under `mask` of a field, forgetting what was required of it before.
    func set(_ shape: FieldShape, _ text: FieldValueText) {
        let shift = UInt64(shape.shift)
        let low = Int(shape.lowWord)
        let ones: UInt64 = shape.bits >= 64 ? .max : (1 << UInt64(shape.bits)) &- 1
        switch shape.special {
        case .none:
            put(low, clear: ones << shift, mask: text.mask.low << shift, value: text.value.low << shift)
            if shape.bits > 64 { put(Int(shape.word), clear: .max, mask: text.mask.high, value: text.value.high) }
        case .vlanID:
            if text.mask.isZero {
                put(low, clear: 0x1fff, mask: 0, value: 0)
            } else if text.value.low == 0xffff {
                put(low, clear: 0xffff, mask: 0xffff, value: 0)
            } else {
                put(low, clear: 0x1fff, mask: 0x1fff, value: 0x1000 | text.value.low)
            }
        case .vlanPCP:
            if text.mask.isZero {
                put(low, clear: 0xe000, mask: 0, value: 0)
            } else {
                put(low, clear: 0xf000, mask: 0xf000, value: 0x1000 | text.value.low << 13)
            }
        case .tos:
            put(low, clear: 0xfc << shift, mask: (text.mask.low & 0xfc) << shift, value: text.value.low << shift)
        case .arpOp:
            put(low, clear: 0xff << shift, mask: (text.mask.low & 0xff) << shift, value: text.value.low << shift)
        case .icmp:
            put(low, clear: 0xffff << shift, mask: (text.mask.isZero ? 0 : 0xffff) << shift, value: text.value.low << shift)
        }
    }

    /// Requires `value` of some bits of a field, keeping what is required of the others.
    func set(_ shape: FieldShape, offset: Int, count: Int, _ value: FieldValue) {
        let mask = FieldValue.ones(count) << offset
        let v = value << offset
        put(Int(shape.lowWord), clear: mask.low << UInt64(shape.shift), mask: mask.low << UInt64(shape.shift), value: v.low << UInt64(shape.shift))
        if shape.bits > 64 { put(Int(shape.word), clear: mask.high, mask: mask.high, value: v.high) }
    }

    /// Requires the EtherType and, unless 0, the IP protocol.
    func setProtocol(etherType: UInt16, number: UInt8) {
        put(FlowKeyLayout.ethDstType, clear: 0xffff, mask: 0xffff, value: UInt64(etherType))
        if number != 0 { put(FlowKeyLayout.transport, clear: 0xff << 24, mask: 0xff << 24, value: UInt64(number) << 24) }
    }

    var etherType: UInt16 { UInt16(truncatingIfNeeded: values[FlowKeyLayout.ethDstType]) }
    var ipProtocol: UInt8 { UInt8(truncatingIfNeeded: values[FlowKeyLayout.transport] >> 24) }
    var transportSrc: UInt16 { UInt16(truncatingIfNeeded: values[FlowKeyLayout.transport] >> 48) }
    var transportDst: UInt16 { UInt16(truncatingIfNeeded: values[FlowKeyLayout.transport] >> 32) }
    var isLaterFragment: Bool { values[FlowKeyLayout.transport] & 2 != 0 }
    var hasVLAN: Bool { values[FlowKeyLayout.ethSrcVLAN] & 0x1000 != 0 }
    var hasInnerVLAN: Bool { values[FlowKeyLayout.inPortFlags] & 0x1000 != 0 }

    /// Drops what packets with this EtherType and protocol do not have (OpenFlow 1.0 §3.4, ovs-fields(7) "Prerequisites") and gives shared bits the
    /// width of the field they turned out to be; returns a field that was dropped, if any.
    func normalize() -> Field? {
        // Words 2…15, without in_port and the second tag in word 4.
        let layer3: UInt64 = 0xffec
        if used & (layer3 | 1 << 4) == 0 { return nil }
        let type = etherType
        let proto = ipProtocol
        let transport: UInt64 = 0xffff_ffff_0000_0000
        var allowed = InlineArray<16, UInt64>(repeating: 0)
        allowed[FlowKeyLayout.inPortFlags] = 0xffff_ffff_0000_ffff
        switch type {
        case 0x0800:
            allowed[FlowKeyLayout.ipv4] = .max
            allowed[FlowKeyLayout.transport] = 0xffff_ffff
            if proto == 6 || proto == 17 || proto == 132 || proto == 1 { allowed[FlowKeyLayout.transport] |= transport }
            if proto == 6 { allowed[FlowKeyLayout.inPortFlags] = .max }
        case 0x86dd:
            allowed[FlowKeyLayout.ipv6Src] = .max
            allowed[FlowKeyLayout.ipv6Src + 1] = .max
            allowed[FlowKeyLayout.ipv6Dst] = .max
            allowed[FlowKeyLayout.ipv6Dst + 1] = .max
            allowed[FlowKeyLayout.labels] = 0xffff_ffff_0000_0000
            allowed[FlowKeyLayout.arpTHA] = 0x1ff
            allowed[FlowKeyLayout.transport] = 0xffff_ffff
            if proto == 6 || proto == 17 || proto == 132 || proto == 58 { allowed[FlowKeyLayout.transport] |= transport }
            if proto == 6 { allowed[FlowKeyLayout.inPortFlags] = .max }
            if proto == 58, transportSrc == 135 || transportSrc == 136 {
                allowed[FlowKeyLayout.ndTarget] = .max
                allowed[FlowKeyLayout.ndTarget + 1] = .max
                allowed[FlowKeyLayout.ndReserved] = .max
                allowed[FlowKeyLayout.arpSHA] = transportSrc == 135 ? .max : 0xffff
                allowed[FlowKeyLayout.arpTHA] = transportSrc == 136 ? .max : 0x1ff
            }
        case 0x0806, 0x8035:
            allowed[FlowKeyLayout.ipv4] = .max
            allowed[FlowKeyLayout.transport] = 0xff00_0000
            allowed[FlowKeyLayout.arpSHA] = ~0xffff
            allowed[FlowKeyLayout.arpTHA] = ~0xffff
        case 0x8847, 0x8848:
            allowed[FlowKeyLayout.labels] = 0xffff_ffff
            allowed[FlowKeyLayout.mplsMore] = .max
        case 0x88e7: allowed[FlowKeyLayout.ipv4] = 0x08ff_ffff
        default:
            break
        }
        var dropped: Field?
        for i in 2..<16 where masks[i] & ~allowed[i] != 0 {
            if dropped == nil {
                let lost = masks[i] & ~allowed[i]
                for f in Field.allCases where Int(FieldShape.table[Int(f.rawValue)].lowWord) == i || Int(FieldShape.table[Int(f.rawValue)].word) == i
                {
                    let s = FieldShape.table[Int(f.rawValue)]
                    let fieldMask = (s.bits >= 64 ? UInt64.max : (1 << UInt64(s.bits)) &- 1) << UInt64(s.shift)
                    if lost & fieldMask != 0 {
                        dropped = f
                        break
                    }
                }
            }
            masks[i] &= allowed[i]
            values[i] &= masks[i]
        }
        if type == 0x0806 || type == 0x8035, masks[FlowKeyLayout.transport] & 0xff00_0000 == 0xff00_0000 {
            masks[FlowKeyLayout.transport] |= 0xff_0000_0000
        }
        if (type == 0x0800 && proto == 1) || (type == 0x86dd && proto == 58) {
            // Type and code have eight bits each; the bits above are zero in every packet, and requiring that says nothing.
            masks[FlowKeyLayout.transport] &= ~(0xff00_ff00_0000_0000 & ~values[FlowKeyLayout.transport])
        }
        return dropped
    }

    /// The match collected so far.
    @inline(__always) func finish() -> Match {
        var count = 0
        var rest = used
        while rest != 0 {
            if masks[rest.trailingZeroBitCount] != 0 { count &+= 1 }
            rest &= rest &- 1
        }
        if count == 0 { return .any }
        var words: [Match.Word] = []
        words.reserveCapacity(count)
        rest = used
        while rest != 0 {
            let i = rest.trailingZeroBitCount
            if masks[i] != 0 { words.append(Match.Word(index: i, mask: masks[i], value: values[i])) }
            rest &= rest &- 1
        }
        return Match(ascending: words)
    }

    /// What the match says of the packets that an entry's actions will see.
    func context(table: UInt8, needsOpenFlow11: Bool) -> PacketContext {
        var c = PacketContext()
        c.etherType = etherType
        c.ipProtocol = ipProtocol
        c.isLaterFragment = isLaterFragment
        c.transportSrc = transportSrc
        c.transportDstIsZero = transportDst == 0
        c.vlanTags = hasVLAN ? (hasInnerVLAN ? 2 : 1) : 0
        c.table = table
        c.needsOpenFlow11 = needsOpenFlow11
        return c
    }

    /// A key with the values collected so far, everything else zero.
    func key() -> FlowKey {
        var key = FlowKey()
        for i in 0..<FlowKeyLayout.wordCount { key[i] = values[i] & masks[i] }
        return key
    }
}
