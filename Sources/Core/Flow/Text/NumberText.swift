// Numbers as C's strtoull reads them with base 0 (`12`, `0x1f`, `017`, `-1`), because that is what ovs-ofctl does; ports and tables are decimal only.
extension TextSlice {
    /// The unsigned number that the whole slice spells; nil when it spells none or one above 2^64 - 1. `-1` is 2^64 - 1.
    var unsigned: UInt64? {
        var i = start
        var negative = false
        if i < end, base[i] == 0x2d || base[i] == 0x2b {
            negative = base[i] == 0x2d
            i &+= 1
        }
        guard i < end else { return nil }
        var value: UInt64 = 0
        if base[i] == 0x30, i &+ 1 < end {
            if base[i &+ 1] | 0x20 == 0x78 {
                i &+= 2
                guard i < end else { return nil }
                while i < end {
                    guard let d = digit(base[i]), value >> 60 == 0 else { return nil }
                    value = value << 4 | UInt64(d)
                    i &+= 1
                }
            } else {
                while i < end {
                    let d = base[i] &- 0x30
                    guard d < 8, value >> 61 == 0 else { return nil }
                    value = value << 3 | UInt64(d)
                    i &+= 1
                }
            }
        } else {
            let digits = end &- i
            while i < end {
                let d = base[i] &- 0x30
                guard d < 10 else { return nil }
                if digits < 19 {
                    value = value &* 10 &+ UInt64(d)
                } else {
                    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                    let (sum, carry) = product.addingReportingOverflow(UInt64(d))
                    guard !overflow, !carry else { return nil }
                    value = sum
                }
                i &+= 1
            }
        }
        return negative ? 0 &- value : value
    }

    /// Like `unsigned`, and hexadecimal numbers up to 128 bits.
    var wide: FieldValue? {
        if count > 18, first == 0x30, self[start &+ 1] | 0x20 == 0x78 {
            var v = FieldValue.zero
            var i = start &+ 2
            while i < end {
                guard let d = digit(base[i]), v.high >> 60 == 0 else { return nil }
                v = v << 4
                v.low |= UInt64(d)
                i &+= 1
            }
            return v
        }
        return unsigned.map { FieldValue(low: $0) }
    }

    /// Digits only, at most 2^32 - 1.
    var decimal32: UInt32? {
        guard start < end, end &- start <= 10 else { return nil }
        var value: UInt64 = 0
        var i = start
        while i < end {
            let d = base[i] &- 0x30
            guard d < 10 else { return nil }
            value = value &* 10 &+ UInt64(d)
            i &+= 1
        }
        return UInt32(exactly: value)
    }

    @inline(__always) private func digit(_ b: UInt8) -> UInt8? {
        switch b {
        case 0x30...0x39: b &- 0x30
        case 0x61...0x66: b &- 0x61 &+ 10
        case 0x41...0x46: b &- 0x41 &+ 10
        default: nil
        }
    }

    /// A number of at most `max`, or a fault that names `what`.
    func number(_ what: StaticString, max: UInt64) throws(TextFault) -> UInt64 {
        guard let v = unsigned, v <= max else {
            throw TextFault(self, isEmpty ? "\(what) needs a number from 0 to \(max)." : "\(what) must be a number from 0 to \(max).")
        }
        return v
    }

    func number16(_ what: StaticString) throws(TextFault) -> UInt16 { UInt16(truncatingIfNeeded: try number(what, max: 0xffff)) }
    func number32(_ what: StaticString) throws(TextFault) -> UInt32 { UInt32(truncatingIfNeeded: try number(what, max: 0xffff_ffff)) }
    func number8(_ what: StaticString) throws(TextFault) -> UInt8 { UInt8(truncatingIfNeeded: try number(what, max: 0xff)) }

    /// A 64-bit number; `-1` is all ones.
    func number64(_ what: StaticString) throws(TextFault) -> UInt64 {
        guard let v = unsigned else { throw TextFault(self, "\(what) must be a number of at most 64 bits.") }
        return v
    }

    /// A table number, 0…255.
    func table(_ what: StaticString) throws(TextFault) -> UInt8 {
        guard let v = decimal32, v <= 255 else { throw TextFault(self, "\(what) must be a table number from 0 to 255.") }
        return UInt8(v)
    }

    /// A port: a number below 65280, the OpenFlow 1.0 or 1.1 number of a reserved port, or its name in any case; nil for anything else.
    var port: UInt32? {
        if let n = decimal32 {
            if n < 0xff00 { return n }
            if n <= 0xffff { return 0xffff_0000 | n }
            return n >= ReservedPort.max ? n : nil
        }
        switch count {
        case 3:
            if equals("all", foldingCase: true) { return ReservedPort.all }
            if equals("any", foldingCase: true) { return ReservedPort.any }
        case 4:
            if equals("none", foldingCase: true) { return ReservedPort.any }
        case 5:
            if equals("local", foldingCase: true) { return ReservedPort.local }
            if equals("flood", foldingCase: true) { return ReservedPort.flood }
            if equals("table", foldingCase: true) { return ReservedPort.table }
            if equals("unset", foldingCase: true) { return ReservedPort.unset }
        case 6: if equals("normal", foldingCase: true) { return ReservedPort.normal }
        case 7: if equals("in_port", foldingCase: true) { return ReservedPort.inPort }
        case 8: if equals("dispatch", foldingCase: true) { return ReservedPort.dispatch }
        case 10: if equals("controller", foldingCase: true) { return ReservedPort.controller }
        default: break
        }
        return nil
    }

    /// Whether a port number may be sent to: below 65280 or reserved for output (OpenFlow 1.3.5 §7.2.1).
    static func isOutputPort(_ port: UInt32) -> Bool {
        if port < 0xff00 { return true }
        return port == ReservedPort.dispatch || (port >= ReservedPort.inPort && port <= ReservedPort.local)
    }
}
