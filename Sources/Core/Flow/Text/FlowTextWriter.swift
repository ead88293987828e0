import Wire

/// Appends flow text to a byte array: the spelling that `ovs-ofctl` prints, which `FlowText.parse` reads back.
struct FlowTextWriter {
    var bytes: [UInt8] = []

    mutating func put(_ text: StaticString) { bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) }
    mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }
    mutating func byte(_ b: UInt8) { bytes.append(b) }

    mutating func decimal(_ v: UInt64) {
        if v < 10 {
            bytes.append(0x30 + UInt8(v))
            return
        }
        decimal(v / 10)
        bytes.append(0x30 + UInt8(v % 10))
    }
    mutating func decimal(_ v: some FixedWidthInteger & UnsignedInteger) { decimal(UInt64(v)) }

    private static let digits: StaticString = "0123456789abcdef"

    /// `0` for zero, otherwise `0x…` without leading zeros.
    mutating func hex(_ v: FieldValue) {
        if v.isZero {
            byte(0x30)
            return
        }
        put("0x")
        plainHex(v, digits: 1)
    }
    mutating func hex(_ v: UInt64) { hex(FieldValue(low: v)) }

    /// `0x…` with at least so many digits.
    mutating func hex(_ v: UInt64, digits: Int) {
        put("0x")
        plainHex(FieldValue(low: v), digits: digits)
    }

    private mutating func plainHex(_ v: FieldValue, digits: Int) {
        var started = false
        for i in (0..<32).reversed() {
            let nibble = Int(truncatingIfNeeded: (v >> (4 * i)).low & 15)
            if nibble != 0 || started || i < digits {
                byte(Self.digits.utf8Start[nibble])
                started = true
            }
        }
    }

    /// `00.1a.ff`.
    mutating func data(_ data: [UInt8]) {
        for (i, b) in data.enumerated() {
            if i > 0 { byte(0x2e) }
            plainHex(FieldValue(low: UInt64(b)), digits: 2)
        }
    }

    /// A reserved port's name, or the number; a port without a name above 65280 by its OpenFlow 1.0 number.
    mutating func port(_ p: UInt32) {
        switch p {
        case ReservedPort.unset: put("UNSET")
        case ReservedPort.inPort: put("IN_PORT")
        case ReservedPort.table: put("TABLE")
        case ReservedPort.normal: put("NORMAL")
        case ReservedPort.flood: put("FLOOD")
        case ReservedPort.all: put("ALL")
        case ReservedPort.controller: put("CONTROLLER")
        case ReservedPort.local: put("LOCAL")
        case ReservedPort.any: put("ANY")
        case ReservedPort.dispatch: put("DISPATCH")
        default: decimal(p >= ReservedPort.max ? p & 0xffff : p)
        }
    }

    mutating func ipv4(_ v: UInt64) { IPv4Address(UInt32(truncatingIfNeeded: v)).write(to: &bytes) }

    /// `/24` for a prefix, `/255.0.255.0` for another mask, nothing for all bits.
    mutating func ipv4(_ v: UInt64, mask: UInt64) {
        ipv4(v)
        let m = UInt32(truncatingIfNeeded: mask)
        if m == .max { return }
        byte(0x2f)
        let ones = (~m).leadingZeroBitCount
        if m == (ones == 0 ? 0 : ~0 << UInt32(32 - ones)) { decimal(UInt64(ones)) } else { ipv4(mask) }
    }

    mutating func ipv6(_ v: FieldValue, mask: FieldValue) {
        IPv6Address(high: v.high, low: v.low).write(to: &bytes)
        if mask == .ones(128) { return }
        byte(0x2f)
        let ones = mask.high == .max ? 64 + (~mask.low).leadingZeroBitCount : (~mask.high).leadingZeroBitCount
        if mask == .ones(128) << (128 - ones) {
            decimal(UInt64(ones))
        } else {
            IPv6Address(high: mask.high, low: mask.low).write(to: &bytes)
        }
    }

    mutating func mac(_ v: UInt64, mask: UInt64) {
        MACAddress(v).write(to: &bytes)
        if mask & 0xffff_ffff_ffff == 0xffff_ffff_ffff { return }
        byte(0x2f)
        MACAddress(mask).write(to: &bytes)
    }

    /// `+syn-ack` under a mask, `syn|ack` for all bits.
    mutating func flags(_ v: UInt64, mask: UInt64, names: [String]) {
        if mask == (1 << UInt64(names.count)) - 1 {
            if v == 0 { byte(0x30) }
            var first = true
            for (i, n) in names.enumerated() where v >> UInt64(i) & 1 != 0 {
                if !first { byte(0x7c) }
                put(n)
                first = false
            }
            return
        }
        if mask == 0 { return put("0/0") }
        for (i, n) in names.enumerated() where mask >> UInt64(i) & 1 != 0 {
            byte(v >> UInt64(i) & 1 != 0 ? 0x2b : 0x2d)
            put(n)
        }
    }

    mutating func fragment(_ v: UInt64, mask: UInt64) {
        switch (v & 3, mask & 3) {
        case (0, 3): put("no")
        case (1, 3): put("first")
        case (3, 3), (2, 2): put("later")
        case (1, 1): put("yes")
        case (0, 1): put("no")
        case (0, 2): put("not_later")
        default: put("<impossible>")
        }
    }

    /// A value as it stands behind `field=` or in `set_field`.
    mutating func value(_ field: Field, _ v: FieldValue, mask: FieldValue) {
        let info = field.info
        let isExact = mask == .ones(info.bits)
        switch info.format {
        case .port where isExact: port(UInt32(truncatingIfNeeded: v.low))
        case .decimal, .port:
            decimal(v.low)
            if !isExact {
                byte(0x2f)
                hex(mask)
            }
        case .hexadecimal:
            hex(v)
            if !isExact {
                byte(0x2f)
                hex(mask)
            }
        case .mac: mac(v.low, mask: mask.low)
        case .ipv4: ipv4(v.low, mask: mask.low)
        case .ipv6: ipv6(v, mask: mask)
        case .frag: fragment(v.low, mask: mask.low)
        case .tcpFlags: flags(v.low, mask: mask.low, names: FlagNames.tcp)
        case .tunnelFlags: flags(v.low, mask: mask.low, names: FlagNames.tunnel)
        }
    }

    mutating func subfield(_ s: Subfield) {
        var bits = s.field.info.bits
        if s.field == .inPort {
            // OpenFlow 1.0's 16 bits under the NXM name, all 32 under the OXM name.
            let isWide = s.offset + s.count > 16
            put(isWide ? "OXM_OF_IN_PORT" : "NXM_OF_IN_PORT")
            if !isWide { bits = 16 }
        } else {
            put(FieldDirectory.subfieldName(s.field))
        }
        byte(0x5b)
        if s.offset != 0 || s.count != bits {
            decimal(UInt64(s.offset))
            if s.count != 1 {
                put("..")
                decimal(UInt64(s.offset + s.count - 1))
            }
        }
        byte(0x5d)
    }

    /// Takes back a trailing comma.
    mutating func dropComma() { if bytes.last == 0x2c { bytes.removeLast() } }
}

extension FlowText {
    static func written(_ body: (inout FlowTextWriter) -> Void) -> String {
        var w = FlowTextWriter()
        body(&w)
        return String(decoding: w.bytes, as: UTF8.self)
    }

    /// `nw_src=10.0.0.0/8`; without a mask the whole field.
    public static func text(_ field: Field, _ value: FieldValue, mask: FieldValue? = nil) -> String {
        written {
            $0.put(field.info.name)
            $0.byte(0x3d)
            $0.value(field, value, mask: mask ?? .ones(field.info.bits))
        }
    }

    /// The value of a field as text, without the field's name.
    public static func valueText(_ field: Field, _ value: FieldValue, mask: FieldValue? = nil) -> String {
        written { $0.value(field, value, mask: mask ?? .ones(field.info.bits)) }
    }

    /// `NXM_NX_REG0[0..15]`.
    public static func text(_ subfield: Subfield) -> String { written { $0.subfield(subfield) } }

    /// A port's number or its reserved name.
    public static func portText(_ port: UInt32) -> String { written { $0.port(port) } }
}
