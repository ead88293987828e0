import Wire

/// A field's value and mask as text gave them, right-aligned.
struct FieldValueText {
    var value: FieldValue
    var mask: FieldValue
    /// All bits of the field are meant.
    var isExact: Bool
}

/// Reads what stands behind `field=`: every spelling of values and masks of ovs-fields(7).
enum FieldValueReader {
    /// Reads `text` as a value of the field, with or without a mask; `*` is any value.
    ///
    /// A value that does not fit the field is an error here, where ovs-ofctl would cut it silently; so is a partial mask of a field that has none.
    static func read(_ shape: FieldShape, _ text: TextSlice) throws(TextFault) -> FieldValueText {
        let ones = FieldValue.ones(Int(shape.bits))
        if text.count == 1, text.first == 0x2a { return FieldValueText(value: .zero, mask: .zero, isExact: false) }
        var result: FieldValueText
        switch shape.format {
        case .decimal, .hexadecimal:
            result = try integer(shape, text)
            // No tag at all, which is no value of the field.
            if shape.special == .vlanID, result.value.low == 0xffff { return result }
        case .ipv4:
            result = try ipv4(shape, text)
        case .mac:
            result = try mac(shape, text)
        case .ipv6:
            result = try ipv6(shape, text)
        case .port:
            guard let port = text.port else { throw TextFault(text, "\(shape.field.info.name) must be a port number or a reserved port's name.") }
            return FieldValueText(value: FieldValue(low: UInt64(port)), mask: ones, isExact: true)
        case .frag:
            result = try fragment(text)
        case .tcpFlags:
            result = try flags(text, names: FlagNames.tcp, bits: 12, what: "TCP")
        case .tunnelFlags:
            result = try flags(text, names: FlagNames.tunnel, bits: 1, what: "tunnel")
        }
        result.mask = result.mask & ones
        result.isExact = result.mask == ones
        if !result.isExact, !result.mask.isZero, !shape.isMaskable {
            throw TextFault(text, "\(shape.field.info.name) cannot be masked: give the whole value.")
        }
        result.value = result.value & result.mask
        return result
    }

    private static func integer(_ shape: FieldShape, _ text: TextSlice) throws(TextFault) -> FieldValueText {
        let slash = text.index(of: 0x2f)
        let valueText = text.upTo(slash ?? text.end)
        let value: FieldValue
        if shape.bits <= 64, let v = valueText.unsigned {
            value = FieldValue(low: v)
        } else if let v = valueText.wide {
            value = v
        } else {
            throw TextFault(text, "\(shape.field.info.name) needs a number, perhaps with a mask: VALUE or VALUE/MASK.")
        }
        let ones = FieldValue.ones(Int(shape.bits))
        var mask = ones
        if let slash {
            guard let m = text.from(slash + 1).wide else { throw TextFault(text.from(slash + 1), "This mask is not a number.") }
            mask = m & ones
        }
        var kept = value
        switch shape.special {
        case .vlanID where value.low == 0xffff: return FieldValueText(value: value, mask: mask, isExact: true)
        default: kept = value & mask
        }
        if !(value & ~ones).isZero {
            throw TextFault(valueText, "\(shape.field.info.name) has \(shape.bits) bits; this value does not fit.")
        }
        return FieldValueText(value: kept, mask: mask, isExact: false)
    }

    private static func ipv4(_ shape: FieldShape, _ text: TextSlice) throws(TextFault) -> FieldValueText {
        let slash = text.index(of: 0x2f)
        guard let address = IPv4Address(text: text.upTo(slash ?? text.end).bytes) else {
            throw TextFault(text, "\(shape.field.info.name) needs an IPv4 address like 10.0.0.1, perhaps with /PREFIX or /MASK.")
        }
        var mask: UInt32 = .max
        if let slash {
            let m = text.from(slash + 1)
            if let prefix = m.decimal32, prefix <= 32 {
                mask = prefix == 0 ? 0 : ~0 << (32 - prefix)
            } else if let dotted = IPv4Address(text: m.bytes) {
                mask = dotted.bits
            } else {
                throw TextFault(m, "An IPv4 mask is a prefix length from 0 to 32 or a dotted quad.")
            }
        }
        return FieldValueText(value: FieldValue(low: UInt64(address.bits)), mask: FieldValue(low: UInt64(mask)), isExact: false)
    }

    private static func ipv6(_ shape: FieldShape, _ text: TextSlice) throws(TextFault) -> FieldValueText {
        let slash = text.index(of: 0x2f)
        guard let a = IPv6Address(text: text.upTo(slash ?? text.end).bytes) else {
            throw TextFault(text, "\(shape.field.info.name) needs an IPv6 address like 2001:db8::1, perhaps with /PREFIX or /MASK.")
        }
        var mask = FieldValue.ones(128)
        if let slash {
            let m = text.from(slash + 1)
            if let prefix = m.decimal32, prefix <= 128 {
                mask = mask << (128 - Int(prefix))
            } else if let other = IPv6Address(text: m.bytes) {
                mask = FieldValue(high: other.high, low: other.low)
            } else {
                throw TextFault(m, "An IPv6 mask is a prefix length from 0 to 128 or an address.")
            }
        }
        return FieldValueText(value: FieldValue(high: a.high, low: a.low), mask: mask, isExact: false)
    }

    private static func mac(_ shape: FieldShape, _ text: TextSlice) throws(TextFault) -> FieldValueText {
        let slash = text.index(of: 0x2f)
        guard let a = MACAddress(text: text.upTo(slash ?? text.end).bytes) else {
            throw TextFault(text, "\(shape.field.info.name) needs an Ethernet address like 00:11:22:aa:bb:cc, perhaps with /MASK.")
        }
        var mask: UInt64 = 0xffff_ffff_ffff
        if let slash {
            guard let m = MACAddress(text: text.from(slash + 1).bytes) else {
                throw TextFault(text.from(slash + 1), "An Ethernet mask is written like an address: ff:ff:ff:00:00:00.")
            }
            mask = m.bits
        }
        return FieldValueText(value: FieldValue(low: a.bits), mask: FieldValue(low: mask), isExact: false)
    }

    /// Bit 0: a fragment; bit 1: not the first one.
    private static func fragment(_ text: TextSlice) throws(TextFault) -> FieldValueText {
        let (value, mask): (UInt64, UInt64)
        if text.equals("no", foldingCase: true) {
            (value, mask) = (0, 3)
        } else if text.equals("yes", foldingCase: true) {
            (value, mask) = (1, 1)
        } else if text.equals("first", foldingCase: true) {
            (value, mask) = (1, 3)
        } else if text.equals("later", foldingCase: true) {
            (value, mask) = (3, 3)
        } else if text.equals("not_later", foldingCase: true) {
            (value, mask) = (0, 2)
        } else {
            throw TextFault(text, "ip_frag is one of no, yes, first, later, not_later.")
        }
        return FieldValueText(value: FieldValue(low: value), mask: FieldValue(low: mask), isExact: false)
    }

    /// `+syn-ack`, `syn|ack`, `0x12`, `0x12/0x1f`.
    private static func flags(_ text: TextSlice, names: [String], bits: Int, what: String) throws(TextFault) -> FieldValueText {
        let allowed: UInt64 = (1 << UInt64(bits)) - 1
        func bit(_ name: TextSlice) throws(TextFault) -> UInt64 {
            for (i, n) in names.enumerated() where n.utf8.elementsEqual(name.bytes) { return 1 << UInt64(i) }
            throw TextFault(
                name, "This is not a \(what) flag; the flags are \(names.joined(separator: ", ")).",
                suggestion: Spelling.nearest(to: name, among: names))
        }
        func numeric(_ t: TextSlice) throws(TextFault) -> UInt64 {
            guard let v = t.unsigned, v & ~allowed == 0 else { throw TextFault(t, "\(what) flags have \(bits) bits: a number below \(allowed + 1).") }
            return v
        }
        if let slash = text.index(of: 0x2f) {
            let value = try numeric(text.upTo(slash))
            let mask = try numeric(text.from(slash + 1))
            return FieldValueText(value: FieldValue(low: value), mask: FieldValue(low: mask), isExact: false)
        }
        var value: UInt64 = 0
        var i = text.start
        if text.first == 0x2b || text.first == 0x2d {
            var mask: UInt64 = 0
            while i < text.end {
                let set = text[i] == 0x2b
                var end = i + 1
                while end < text.end, text[end] != 0x2b, text[end] != 0x2d { end += 1 }
                let name = text.between(i + 1, end)
                let b = try bit(name)
                guard mask & b == 0 else { throw TextFault(name, "Each \(what) flag may be given only once.") }
                mask |= b
                if set { value |= b }
                i = end
            }
            return FieldValueText(value: FieldValue(low: value), mask: FieldValue(low: mask), isExact: false)
        }
        while i < text.end {
            var end = i
            while end < text.end, text[end] != 0x7c { end += 1 }
            let name = text.between(i, end)
            if name.first &- 0x30 < 10 { value |= try numeric(name) } else { value |= try bit(name) }
            i = end + 1
        }
        return FieldValueText(value: FieldValue(low: value), mask: .ones(bits), isExact: true)
    }
}

/// The names of flag bits, lowest first.
enum FlagNames {
    static let tcp = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"]
    static let tunnel = ["oam"]
}
