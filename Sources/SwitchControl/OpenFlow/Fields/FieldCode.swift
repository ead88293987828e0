import Flow

/// How a field is named on the wire: the class and number of an OXM or NXM header and the size of the value (OpenFlow 1.3.5 §A.2.3, ovs-fields(7)).
struct FieldCode: Hashable, Sendable {
    enum Special: UInt8, Sendable {
        case none
        /// OpenFlow 1.0's 16-bit port numbers.
        case port16
        /// The upper six bits only.
        case tos
        /// Also requires that there is a tag.
        case vlanPCP
        /// At most 255.
        case arpOp
        /// Up to 124 bytes on the wire, of which the lowest eight are kept.
        case variable
    }

    let field: Field
    let oxmClass: UInt16
    let number: UInt8
    /// Bytes of the value.
    let size: UInt8
    /// Number behind class 0xffff, otherwise 0.
    let experimenter: UInt32
    let special: Special
    // What `FieldInfo` says, as plain numbers.
    let bits: UInt8
    let word: UInt8
    let lowWord: UInt8
    let shift: UInt8
    let isMaskable: Bool
    let isWritable: Bool
    let prerequisite: FieldInfo.Prerequisite

    init(_ field: Field, _ oxmClass: UInt16, _ number: UInt8, _ size: UInt8, experimenter: UInt32 = 0, special: Special = .none) {
        self.field = field
        self.oxmClass = oxmClass
        self.number = number
        self.size = size
        self.experimenter = experimenter
        self.special = special
        let info = field.info
        bits = special == .port16 ? 16 : UInt8(info.bits)
        word = UInt8(info.word)
        lowWord = UInt8(info.lowWord)
        shift = UInt8(info.shift)
        isMaskable = info.isMaskable
        isWritable = info.isWritable
        prerequisite = info.prerequisite
    }

    var headerSize: Int { experimenter == 0 ? 4 : 8 }
}

/// All field codes, by number for reading and by field for writing.
enum FieldDirectory {
    static let nxm0: UInt16 = 0
    static let nxm1: UInt16 = 1
    static let basic: UInt16 = 0x8000
    static let packetRegisters: UInt16 = 0x8001
    /// Ericsson's fields as Open vSwitch numbers them.
    static let ericsson: UInt16 = 0x1000
    static let experimenterClass: UInt16 = 0xffff

    /// OXM before NXM, so that the first code of a field is the one that OpenFlow 1.3 writes.
    static let codes: [FieldCode] = {
        func oxm(_ f: Field, _ n: UInt8, _ size: UInt8, _ s: FieldCode.Special = .none) -> FieldCode { FieldCode(f, basic, n, size, special: s) }
        func of(_ f: Field, _ n: UInt8, _ size: UInt8, _ s: FieldCode.Special = .none) -> FieldCode { FieldCode(f, nxm0, n, size, special: s) }
        func nx(_ f: Field, _ n: UInt8, _ size: UInt8, _ s: FieldCode.Special = .none) -> FieldCode { FieldCode(f, nxm1, n, size, special: s) }
        var all: [FieldCode] = [
            oxm(.inPort, 0, 4), oxm(.metadata, 2, 8), oxm(.ethDst, 3, 6), oxm(.ethSrc, 4, 6), oxm(.ethType, 5, 2), oxm(.vlanVID, 6, 2),
            oxm(.vlanPCP, 7, 1, .vlanPCP), oxm(.ipDSCP, 8, 1), oxm(.ipECN, 9, 1), oxm(.ipProto, 10, 1), oxm(.ipv4Src, 11, 4),
            oxm(.ipv4Dst, 12, 4), oxm(.tcpSrc, 13, 2), oxm(.tcpDst, 14, 2), oxm(.udpSrc, 15, 2), oxm(.udpDst, 16, 2), oxm(.sctpSrc, 17, 2),
            oxm(.sctpDst, 18, 2), oxm(.icmpType, 19, 1), oxm(.icmpCode, 20, 1), oxm(.arpOp, 21, 2, .arpOp), oxm(.arpSPA, 22, 4),
            oxm(.arpTPA, 23, 4), oxm(.arpSHA, 24, 6), oxm(.arpTHA, 25, 6), oxm(.ipv6Src, 26, 16), oxm(.ipv6Dst, 27, 16),
            oxm(.ipv6Label, 28, 4), oxm(.icmpv6Type, 29, 1), oxm(.icmpv6Code, 30, 1), oxm(.ndTarget, 31, 16), oxm(.ndSLL, 32, 6),
            oxm(.ndTLL, 33, 6), oxm(.mplsLabel, 34, 4), oxm(.mplsTC, 35, 1), oxm(.mplsBOS, 36, 1), oxm(.pbbISID, 37, 3), oxm(.tunnelID, 38, 8),
            oxm(.ipv6ExtensionHeaders, 39, 2), oxm(.pbbUCA, 41, 1),
            oxm(.tcpFlags, 42, 2), oxm(.actsetOutput, 43, 4),
        ]
        for n in 0..<8 { all.append(FieldCode(Field(rawValue: Field.xreg0.rawValue + UInt8(n))!, packetRegisters, UInt8(n), 8)) }
        all += [
            FieldCode(.tcpFlags, experimenterClass, 42, 2, experimenter: Experimenter.onf),
            FieldCode(.actsetOutput, experimenterClass, 43, 4, experimenter: Experimenter.onf),
            FieldCode(.ndReserved, ericsson, 1, 4), FieldCode(.ndOptionsType, ericsson, 2, 1),
            of(.inPort, 0, 2, .port16), of(.ethDst, 1, 6), of(.ethSrc, 2, 6), of(.ethType, 3, 2), of(.vlanTCI, 4, 2), of(.ipTOS, 5, 1, .tos),
            of(.ipProto, 6, 1), of(.ipv4Src, 7, 4), of(.ipv4Dst, 8, 4), of(.tcpSrc, 9, 2), of(.tcpDst, 10, 2), of(.udpSrc, 11, 2),
            of(.udpDst, 12, 2), of(.icmpType, 13, 1), of(.icmpCode, 14, 1), of(.arpOp, 15, 2, .arpOp), of(.arpSPA, 16, 4), of(.arpTPA, 17, 4),
        ]
        for n in 0..<16 { all.append(nx(.register(n), UInt8(n), 4)) }
        all += [
            nx(.tunnelID, 16, 8), nx(.arpSHA, 17, 6), nx(.arpTHA, 18, 6), nx(.ipv6Src, 19, 16), nx(.ipv6Dst, 20, 16), nx(.icmpv6Type, 21, 1),
            nx(.icmpv6Code, 22, 1), nx(.ndTarget, 23, 16), nx(.ndSLL, 24, 6), nx(.ndTLL, 25, 6), nx(.ipFrag, 26, 1), nx(.ipv6Label, 27, 4),
            nx(.ipECN, 28, 1), nx(.ipTTL, 29, 1), nx(.mplsTTL, 30, 1), nx(.tunnelSrc, 31, 4), nx(.tunnelDst, 32, 4), nx(.packetMark, 33, 4),
            nx(.tcpFlags, 34, 2), nx(.conjunctionID, 37, 4), nx(.tunnelGBPID, 38, 2), nx(.tunnelGBPFlags, 39, 1), nx(.tunnelFlags, 104, 2),
            nx(.tunnelIPv6Src, 109, 16), nx(.tunnelIPv6Dst, 110, 16),
        ]
        for n in 0..<16 { all.append(nx(Field(rawValue: Field.tunnelMetadata0.rawValue + UInt8(n))!, UInt8(40 + n), 8, .variable)) }
        for n in 0..<4 { all.append(nx(Field(rawValue: Field.xxreg0.rawValue + UInt8(n))!, UInt8(111 + n), 16)) }
        return all
    }()

    /// Index into `codes` plus one by (plane, number), 128 numbers for each class that has fields; 0 where there is none.
    private static let byNumber: [UInt8] = {
        var table = [UInt8](repeating: 0, count: 6 * 128)
        for (i, c) in codes.enumerated() { table[plane(c.oxmClass)! * 128 + Int(c.number)] = UInt8(i + 1) }
        return table
    }()

    @inline(__always) private static func plane(_ oxmClass: UInt16) -> Int? {
        switch oxmClass {
        case basic: 0
        case nxm0: 1
        case nxm1: 2
        case packetRegisters: 3
        case ericsson: 4
        case experimenterClass: 5
        default: nil
        }
    }

    /// The index into `codes` of a header's field.
    @inline(__always) static func index(oxmClass: UInt16, number: UInt8, experimenter: UInt32) -> Int? {
        guard let p = plane(oxmClass) else { return nil }
        let i = Int(byNumber[p * 128 + Int(number & 0x7f)])
        guard i != 0, p != 5 || codes[i - 1].experimenter == experimenter else { return nil }
        return i - 1
    }

    /// For each field its OXM code, or the NXM one where OpenFlow has none.
    private static let preferred: [Int?] = Field.allCases.map { f in codes.firstIndex { $0.field == f } }
    /// For each field its NXM code, or the OXM one; what subfields of Nicira's actions use.
    private static let nicira: [Int?] = Field.allCases.map { f in
        codes.firstIndex { $0.field == f && $0.oxmClass <= nxm1 } ?? codes.firstIndex { $0.field == f }
    }

    /// The code for a match or `set_field`. Before 1.5, TCP flags and action-set output have the ONF's experimenter codes.
    static func code(_ field: Field, _ version: OpenFlowVersion) -> FieldCode? {
        if version < .v15, field == .actsetOutput { return codes.first { $0.field == field && $0.experimenter != 0 } }
        if version < .v15, field == .tcpFlags { return codes.first { $0.field == field && $0.oxmClass == nxm1 } }
        return preferred[Int(field.rawValue)].map { codes[$0] }
    }

    /// The code for a part of a field in an action.
    static func code(_ s: Subfield) -> FieldCode? {
        if s.field == .inPort, s.offset + s.count > 16 { return codes[0] }
        return nicira[Int(s.field.rawValue)].map { codes[$0] }
    }
}
