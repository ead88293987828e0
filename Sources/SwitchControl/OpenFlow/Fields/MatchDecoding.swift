import Flow

/// The header of one OXM or NXM element.
struct FieldHeader {
    let oxmClass: UInt16
    let number: UInt8
    let hasMask: Bool
    /// Bytes behind the header, without an experimenter's number.
    let size: Int
    let experimenter: UInt32
}

/// Reading OXM and NXM elements. Errors are those of OpenFlow 1.3.5 §A.4.4 and, where it leaves room, Open vSwitch's.
extension WireReader {
    mutating func fieldHeader() -> FieldHeader? {
        let h = u32()
        let oxmClass = UInt16(truncatingIfNeeded: h >> 16)
        var size = Int(h & 0xff)
        var experimenter: UInt32 = 0
        if oxmClass == FieldDirectory.experimenterClass {
            experimenter = u32()
            size -= 4
            if size < 0 { return nil }
        }
        if isShort { return nil }
        return FieldHeader(
            oxmClass: oxmClass, number: UInt8(truncatingIfNeeded: h >> 9) & 0x7f, hasMask: h & 0x100 != 0, size: size, experimenter: experimenter)
    }

    /// The value of `c`, which `size` bytes on the wire hold, and whether it fits into the field.
    @inline(__always) mutating func fieldValue(_ c: FieldCode, _ size: Int) -> (FieldValue, fits: Bool) {
        switch size {
        case 1: return narrow(UInt64(u8()), c)
        case 2: return narrow(UInt64(u16()), c)
        case 3: return narrow(wide(3).low, c)
        case 4: return narrow(UInt64(u32()), c)
        case 6: return narrow(mac(), c)
        case 8: return narrow(u64(), c)
        case 16:
            let high = u64()
            let v = FieldValue(high: high, low: u64())
            return (v, c.bits == 128 || high == 0)
        default:
            // Only tunnel metadata, of which eight bytes are kept.
            var fits = true
            if size > 8 { fits = zeros(size - 8) }
            let v = wide(Swift.min(size, 8))
            return (FieldValue(low: v.low), fits)
        }
    }

    @inline(__always) private func narrow(_ v: UInt64, _ c: FieldCode) -> (FieldValue, fits: Bool) {
        (FieldValue(low: v), c.bits >= 64 || v >> UInt64(c.bits) == 0)
    }

    /// Reads elements up to the reader's end into a draft.
    mutating func matchFields(_ draft: inout MatchDraft) throws(OpenFlowError) {
        let codes = FieldDirectory.codes
        while !isEmpty {
            guard let h = fieldHeader() else { throw OpenFlowError(.badMatchLength, "A match field's header is cut short.") }
            guard let index = FieldDirectory.index(oxmClass: h.oxmClass, number: h.number, experimenter: h.experimenter) else {
                throw OpenFlowError(.badMatchField, "Match field \(h.number) of class 0x\(String(h.oxmClass, radix: 16)) is not supported.")
            }
            let c = codes[index]
            let size = h.hasMask ? h.size / 2 : h.size
            if c.special == .variable
                ? (size < 1 || size > 124 || h.hasMask && h.size & 1 != 0) : h.size != (h.hasMask ? 2 * Int(c.size) : Int(c.size))
            {
                // The size is part of what names a field, as in Open vSwitch.
                throw OpenFlowError(.badMatchField, "A value of \(h.size) bytes is not the size of \(c.field.info.name).")
            }
            if h.size > remaining { throw OpenFlowError(.badMatchLength, "The value of \(c.field.info.name) is cut short.") }
            try matchField(c, size, hasMask: h.hasMask, &draft)
        }
    }

    @inline(__always)
    private mutating func matchField(_ c: FieldCode, _ size: Int, hasMask: Bool, _ draft: inout MatchDraft) throws(OpenFlowError) {
        var (value, fits) = fieldValue(c, size)
        let ones = FieldValue.ones(Int(c.bits))
        var mask = ones
        if hasMask {
            mask = fieldValue(c, size).0 & ones
            if !fits { throw OpenFlowError(.badMatchValue, "The value of \(c.field.info.name) does not fit into \(c.bits) bits.") }
            if !(value & ~mask).isZero { throw OpenFlowError(.badMatchWildcards, "\(c.field.info.name) has bits outside its mask.") }
            if mask != ones, !mask.isZero, !c.isMaskable { throw OpenFlowError(.badMatchMask, "\(c.field.info.name) cannot be masked.") }
        }
        if !fits { throw OpenFlowError(.badMatchValue, "The value of \(c.field.info.name) does not fit into \(c.bits) bits.") }
        if c.prerequisite != .none, !draft.meets(c.prerequisite) {
            throw OpenFlowError(.badMatchPrerequisite, "\(c.field.info.name) exists only in packets that the fields before it do not ask for.")
        }
        switch c.special {
        case .none, .variable: break
        case .port16:
            if value.low >= 0xff00 { value.low |= 0xffff_0000 }
            mask = .ones(32)
        case .tos:
            if value.low & 3 != 0 { throw OpenFlowError(.badMatchValue, "NXM_OF_IP_TOS has the upper six bits only.") }
            mask = FieldValue(low: 0xfc & mask.low)
        case .arpOp: if value.low > 0xff { throw OpenFlowError(.badMatchValue, "An ARP operation is at most 255.") }
        case .vlanPCP: draft.requireTag()
        }
        if mask.isZero { return }
        // A tag is required by its priority already.
        if !draft.isFree(c) { throw OpenFlowError(.duplicateMatchField, "\(c.field.info.name) stands twice in the match.") }
        draft.require(c, value, mask)
    }

    /// Reads an `ofp_match` with its padding: type, length, fields (OpenFlow 1.3.5 §A.2.3.1).
    mutating func match(_ draft: inout MatchDraft) throws(OpenFlowError) {
        draft.reset()
        let type = u16()
        let length = Int(u16())
        if isShort { throw OpenFlowError(.badMatchLength, "The match is missing.") }
        if type != 1 { throw OpenFlowError(.badMatchType, "Match type \(type) is not OXM.") }
        let padded = (length + 7) & ~7
        if length < 4 || padded - 4 > remaining {
            throw OpenFlowError(.badMatchLength, "The match's length \(length) does not fit into the message.")
        }
        let outer = enter(length - 4)
        try matchFields(&draft)
        leave(outer)
        if !zeros(padded - length) { throw OpenFlowError(.badMatchLength, "The bytes that pad the match are not zero.") }
    }

    /// Reads a bare list of fields of `length` bytes and its padding to eight bytes, as Nicira's messages have it.
    mutating func niciraMatch(_ length: Int, _ draft: inout MatchDraft) throws(OpenFlowError) {
        draft.reset()
        let padded = (length + 7) & ~7
        if padded > remaining { throw OpenFlowError(.badMatchLength, "The match's length \(length) does not fit into the message.") }
        let outer = enter(length)
        try matchFields(&draft)
        leave(outer)
        skip(padded - length)
    }

    /// The header of a field in an action, without a value. With `hasMask` set the header is refused.
    mutating func actionField() throws(OpenFlowError) -> FieldCode {
        guard let h = fieldHeader() else { throw OpenFlowError(.badActionSetLength, "A field's header is cut short.") }
        return try actionField(h)
    }

    func actionField(_ h: FieldHeader, mayHaveMask: Bool = false) throws(OpenFlowError) -> FieldCode {
        guard let index = FieldDirectory.index(oxmClass: h.oxmClass, number: h.number, experimenter: h.experimenter) else {
            throw OpenFlowError(.badActionSetType, "Field \(h.number) of class 0x\(String(h.oxmClass, radix: 16)) is not supported.")
        }
        let c = FieldDirectory.codes[index]
        if h.hasMask, !mayHaveMask { throw OpenFlowError(.badActionSetType, "The header of \(c.field.info.name) says that there is a mask.") }
        let size = h.hasMask ? 2 * Int(c.size) : Int(c.size)
        if c.special != .variable, h.size != size, mayHaveMask || h.size != 0 {
            throw OpenFlowError(.badActionSetLength, "A value of \(h.size) bytes is not the size of \(c.field.info.name).")
        }
        return c
    }
}
