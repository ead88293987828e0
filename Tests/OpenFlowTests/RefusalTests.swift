import Flow
import Testing

@testable import OpenFlow

/// Messages that are wrong in one place, and the error that answers each (OpenFlow 1.3.5 §A.4.4, 1.5.1 §7.5.4).
@Suite struct RefusalTests {
    /// A flow-mod of 1.3 or later from its match fields and instructions, both as hexadecimal.
    static func flowMod(
        _ fields: String, _ instructions: String = "", version: OpenFlowVersion = .v13, table: UInt8 = 0, command: UInt8 = 0, flags: UInt16 = 0
    ) -> [UInt8] {
        var w = WireWriter(version)
        w.put([version.rawValue, 14, 0, 0, 0, 0, 0, 5])
        w.u64(0)
        w.u64(0)
        w.put([table, command])
        w.u16(0)
        w.u16(0)
        w.u16(100)
        w.u32(.max)
        w.u32(.max)
        w.u32(.max)
        w.u16(flags)
        w.u16(0)
        let start = w.count
        w.u16(1)
        w.u16(0)
        w.put(bytes(fields))
        w.set16(w.count - start, at: start + 2)
        w.pad(from: start)
        w.put(bytes(instructions))
        w.set16(w.count, at: 2)
        return w.bytes
    }

    static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.filter { $0.isHexDigit }.map { UInt8($0.hexDigitValue!) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// The applied actions that hold these bytes.
    static func apply(_ actions: String) -> String {
        let n = bytes(actions).count + 8
        return "0004 " + hex16(n) + " 00000000 " + actions
    }
    static func hex16(_ n: Int) -> String {
        let s = String(n, radix: 16)
        return String(repeating: "0", count: 4 - s.count) + s
    }

    private func refusal(_ message: [UInt8], _ version: OpenFlowVersion = .v13) -> ErrorCode? {
        var decoder = MessageDecoder(version)
        do throws(OpenFlowError) {
            _ = try decoder.decode(message)
            return nil
        } catch {
            #expect(error.xid == 5)
            #expect(error.data == Array(message.prefix(64)))
            return error.code
        }
    }

    static let ip = "80000a02 0800 "
    static let tcp = ip + "80001401 06 "

    static let matches: [(String, ErrorCode?)] = [
        ("", nil), (ip, nil), (tcp, nil), (tcp + "80001c02 0050", nil), ("80001604 0a000001", .badMatchPrerequisite),
        (ip + "80001604 0a000001", nil), ("80001401 06", .badMatchPrerequisite), (ip + "80001c02 0050", .badMatchPrerequisite),
        // A prerequisite stands before what needs it.
        ("80001401 06 80000a02 0800", .badMatchPrerequisite),
        (ip + ip, .duplicateMatchField), ("80000004 00000001 80000004 00000002", .duplicateMatchField),
        ("00010004 00000001 00010004 00000001", .duplicateMatchField), ("00010004 00000001 80010008 0000000100000002", .duplicateMatchField),
        // Fields that nobody has, that OpenFlow has and Weft has not, of unknown experimenters.
        ("80007e04 00000001", .badMatchField), ("80005804 00000001", .badMatchField), ("00020004 00000001", .badMatchField),
        ("ffff5406 00001234 0001", .badMatchField), ("0001d304 00000001", .badMatchField),
        // Lengths.
        ("80000a03 080000", .badMatchField), ("80000a02 08", .badMatchLength), ("800000", .badMatchLength), ("80000a00", .badMatchField),
        ("80000703 000000", .badMatchField), ("80000b02 0800", .badMatchField), ("ffff5402 0000", .badMatchLength),
        // Masks.
        ("80000706 001122334455", .badMatchField), ("8000070c 000000000001 000000000000", .badMatchWildcards),
        ("8000070c 010000000000 010000000000", nil), (ip + "80001708 0a000001 ffffff00", .badMatchWildcards),
        (ip + "80001708 0a000000 ffffff00", nil),
        (ip + "80001708 00000000 00000000", nil), ("80000b04 0800 ff00", .badMatchMask), ("80000b04 0800 ffff", nil),
        ("80000108 00000001 ffffffff", nil), ("80000108 00000001 0000000f", .badMatchMask), (ip + "80001502 06 0f", .badMatchMask),
        // Values.
        ("80000c02 3001", .badMatchValue), ("80000c02 1001", nil), ("80000c02 1001 80000e01 08", .badMatchValue),
        ("80000c02 1001 80000e01 07", nil), ("80000e01 03", .badMatchPrerequisite), (ip + "80001001 40", .badMatchValue), (ip + "80001001 3f", nil),
        (ip + "80001201 04", .badMatchValue), ("80000a02 8847 80004404 00100000", .badMatchValue), ("80000a02 8847 80004404 000fffff", nil),
        ("80000a02 0806 80002a02 0100", .badMatchValue), ("80000a02 86dd 80003804 00100000", .badMatchValue),
        (ip + "00000a01 01", .badMatchValue),
        // The I-SID has three bytes, and needs its EtherType; extension headers need IPv6.
        ("80004a03 000001", .badMatchPrerequisite), ("80000a02 88e7 80004a03 ffffff", nil), ("80000a02 88e7 80004b06 000060 0000f0", nil),
        ("80000a02 88e7 80004b06 000061 0000f0", .badMatchWildcards), ("80000a02 88e7 80004a04 00000001", .badMatchField),
        ("80000a02 88e7 80005201 01", nil), ("80000a02 88e7 80005201 02", .badMatchValue), ("80004e02 0044", .badMatchPrerequisite),
        ("80000a02 86dd 80004e02 0044", nil), ("80000a02 86dd 80004f04 0040 01f0", nil), ("80000a02 86dd 80004e02 0200", .badMatchValue),
        // ND fields need the type.
        ("80000a02 86dd 80001401 3a 80003e10 fe800000000000000000000000000001", .badMatchPrerequisite),
        // A code that is not asked for counts as 0; another code is refused.
        ("80000a02 86dd 80001401 3a 80003a01 87 80003e10 fe800000000000000000000000000001", nil),
        ("80000a02 86dd 80001401 3a 80003a01 87 80003c01 01 80003e10 fe800000000000000000000000000001", .badMatchPrerequisite),
        ("80000a02 86dd 80001401 3a 80003a01 87 80003c01 00 80003e10 fe800000000000000000000000000001", nil),
        ("80000a02 86dd 80001401 3a 80003a01 87 80003c01 00 80004206 001122334455", .badMatchPrerequisite),
    ]

    @Test(arguments: matches.indices) func aMatchIsJudged(index: Int) {
        let (fields, code) = Self.matches[index]
        #expect(refusal(Self.flowMod(fields)) == code, "\(fields)")
    }

    static let instructions: [(String, String, ErrorCode?)] = [
        ("", "0001 0008 01 000000", nil), ("", "0001 0008 00 000000", .badInstructionTable), ("", "0001 0008 ff 000000", .badInstructionTable),
        ("", "0001 0008 01 000000 0001 0008 02 000000", .duplicateInstruction), ("", "0005 0008 00000000", nil),
        ("", "0007 0008 00000000", .unknownInstruction), ("", "ffff 0008 00001234", .badInstructionExperimenter),
        ("", "0001 0007 01 000000", .badInstructionLength), ("", "0001 0010 01 000000", .badInstructionLength),
        ("", "0001 0010 01 000000 0000000000000000", .badInstructionLength), ("", "0006 0008 00000000", .invalidMeter),
        ("", "0006 0008 00000001", nil),
        ("", "0002 0018 00000000 0000000000000001 00000000000000ff", nil), ("", "0002 0010 00000000 0000000000000001", .badInstructionLength),
        ("", apply("0000 0010 00000001 0000 000000000000"), nil), ("", apply("0000 0010 ffffffff 0000 000000000000"), .badActionOutPort),
        ("", apply("0000 0010 ffffff80 0000 000000000000"), .badActionOutPort), ("", apply("0000 0008 00000001"), .badActionLength),
        ("", apply("0000 0018 00000001 0000 000000000000"), .badActionLength), ("", apply("0000 0004 00000000"), .badActionLength),
        ("", apply("0063 0008 00000000"), .badActionType), ("", apply("000b 0008 00000000"), .matchInconsistent),
        ("", apply("001a 0008 88e7 0000"), nil), ("", apply("001a 0008 0800 0000"), .badActionArgument),
        ("", apply("001b 0008 00000000"), .matchInconsistent), ("80000a02 88e7", apply("001b 0008 00000000"), nil),
        ("80000a02 8847", apply("000c 0008 00000000"), nil), ("80000a02 88e7", apply("000b 0010 00000000 0000000000000000"), .badActionLength),
        ("", apply("0016 0008 fffffffc"), .badActionOutGroup),
        ("", apply("0016 0008 00000001"), nil),
        ("", apply("0011 0008 8100 0000"), nil), ("", apply("0011 0008 1234 0000"), .badActionArgument),
        ("", apply("0013 0008 1234 0000"), .badActionArgument), ("", apply("0012 0008 00000000"), .matchInconsistent),
        ("80000c02 1001", apply("0012 0008 00000000"), nil), ("", apply("0018 0008 00000000"), .matchInconsistent),
        (ip, apply("0018 0008 00000000"), nil),
        // set_field
        (ip, apply("0019 0010 80001604 0a000001 00000000"), nil), ("", apply("0019 0010 80001604 0a000001 00000000"), .matchInconsistent),
        (ip, apply("0019 0010 80001604 0a000001 00000001"), .badActionSetArgument),
        (ip, apply("0019 0010 80001603 0a0000 00 00000000"), .badActionSetLength),
        ("", apply("0019 0010 80007e04 00000001 00000000"), .badActionSetType),
        // What follows may be said to be of another kind, where there is one; not by Nicira's load.
        ("", apply("0019 0010 80000a02 0800 000000000000"), nil), ("", apply("0019 0010 80001401 06 00000000000000"), .matchInconsistent),
        (ip, apply("0019 0010 80001001 40 00000000000000"), .badActionSetArgument),
        (ip, apply("0019 0010 80001708 0a000000 ff000000"), .badActionSetMask),
        ("80000c02 1001", apply("0019 0010 80000c02 1002 000000000000"), nil),
        ("", apply("0019 0010 80000c02 1002 000000000000"), .matchInconsistent),
        ("", apply("0019 0010 80000004 00000001 00000000"), .badActionSetArgument), ("", apply("0019 0010 00000002 0001 000000000000"), nil),
        // An action set: outputs, also to the controller; no note, no output of a part of the packet, no controller with arguments.
        ("", "0003 0018 00000000 0000 0010 fffffffd 0000 000000000000", nil),
        ("", "0003 0018 00000000 ffff 0010 00002320 0008 010203040506", .badActionType),
        ("", "0003 0018 00000000 ffff 0010 00002320 0027 0001 00000040", .badActionType),
        ("", "0003 0018 00000000 ffff 0010 00002320 0014 0040 0007 0000", .badActionType),
        // Experimenters.
        ("", apply("ffff 0010 00001234 0001 000000000000"), .badActionExperimenter), ("", apply("ffff 0008 00002320"), .badActionLength),
        ("", apply("ffff 0010 00002320 00fa 000000000000"), .badActionExperimenterType),
        // ct, nat, ct_clear.
        ("", apply("ffff 0018 00002320 0023 0001 00000000 0000 ff 000000 0000"), .badActionExperimenterType),
        ("", apply("ffff 0010 00002320 0024 0000 0000 0000"), .badActionExperimenterType),
        ("", apply("ffff 0010 00002320 002b 000000000000"), .badActionExperimenterType),
        // reg_load: a value that does not fit, bits that the field has not, a field that cannot be written.
        ("", apply("ffff 0018 00002320 0007 001f 00010004 0000000000000001"), nil),
        ("", apply("ffff 0018 00002320 0007 0003 00010004 00000000000000ff"), .badActionArgument),
        ("", apply("ffff 0018 00002320 0007 07ff 00010004 0000000000000001"), .badActionArgument),
        ("", apply("ffff 0018 00002320 0007 000f 00000602 0000000000000800"), .badActionSetArgument),
        // conjunction beside output, with a clause that is none.
        ("", apply("ffff 0010 00002320 0022 00 02 00000007 0000 0010 00000001 0000 000000000000"), .badConjunction),
        ("", apply("ffff 0010 00002320 0022 02 02 00000007"), .badActionArgument),
    ]

    @Test(arguments: instructions.indices) func instructionsAndActionsAreJudged(index: Int) {
        let (fields, list, code) = Self.instructions[index]
        #expect(refusal(Self.flowMod(fields, list)) == code, "\(fields) \(list)")
    }

    @Test func theFixedPartOfAFlowModIsJudged() {
        #expect(refusal(Self.flowMod("", command: 5)) == .flowModCommand)
        #expect(refusal(Self.flowMod("", flags: 0x20)) == .flowModFlags)
        #expect(refusal(Self.flowMod("", flags: 0x1f)) == nil)
        #expect(refusal(Self.flowMod("", table: 255)) == .flowModTable)
        #expect(refusal(Self.flowMod("", table: 255, command: 3)) == nil)
        var standard = Self.flowMod("")
        standard[49] = 0
        #expect(refusal(standard) == .badMatchType)
        var long = Self.flowMod("")
        long[51] = 200
        #expect(refusal(long) == .badMatchLength)
        // Not a multiple of eight bytes.
        #expect(refusal(Self.flowMod("", "00010008")) == .badRequestLength)
        var short = Self.flowMod("")
        short[51] = 3
        #expect(refusal(short) == .badMatchLength)
    }

    @Test func masksOfSetFieldAreReadFrom15On() {
        let masked = Self.apply("0019 0010 80001708 0a000000 ff000000")
        #expect(refusal(Self.flowMod(Self.ip, masked, version: .v15), .v15) == nil)
        #expect(refusal(Self.flowMod(Self.ip, masked, version: .v14), .v14) == .badActionSetMask)
    }

    @Test func ofTheMeterInstructionOnly15KnowsNothing() {
        #expect(refusal(Self.flowMod("", "0006 0008 00000001", version: .v14), .v14) == nil)
        #expect(refusal(Self.flowMod("", "0006 0008 00000001", version: .v15), .v15) == .unknownInstruction)
        #expect(refusal(Self.flowMod("", Self.apply("001d 0008 00000001"), version: .v15), .v15) == nil)
        #expect(refusal(Self.flowMod("", Self.apply("001d 0008 00000000"), version: .v15), .v15) == .badActionMeter)
        #expect(refusal(Self.flowMod("", Self.apply("001d 0008 00000001"), version: .v14), .v14) == .badActionType)
    }

    static let others: [(String, ErrorCode?)] = [
        // Types and lengths.
        ("04 24 0008 00000005", .badRequestType), ("04 21 0008 00000005", .badRequestType), ("04 14 000c 00000005 00000000", .badRequestLength),
        ("04 05 000c 00000005 00000000", .badRequestLength), ("04 09 000b 00000005 000000", .badRequestLength),
        ("04 09 000c 00000005 0007 0080", .switchConfigFlags),
        // Groups.
        ("04 0f 0010 00000005 0009 00 00 00000001", .badGroupCommand), ("04 0f 0010 00000005 0003 00 00 00000001", .badGroupCommand),
        ("04 0f 0010 00000005 0000 09 00 00000001", .badGroupType), ("04 0f 0010 00000005 0000 00 00 ffffff01", .invalidGroup),
        ("04 0f 0010 00000005 0002 00 00 fffffffc", nil), ("04 0f 0010 00000005 0000 02 00 00000001", .invalidGroup),
        ("04 0f 0020 00000005 0000 00 00 00000001 0010 0005 ffffffff ffffffff 00000000", .invalidGroup),
        ("04 0f 0020 00000005 0000 01 00 00000001 0010 0005 ffffffff ffffffff 00000000", nil),
        ("04 0f 0020 00000005 0000 03 00 00000001 0010 0000 ffffffff ffffffff 00000000", .invalidGroup),
        ("04 0f 0020 00000005 0000 00 00 00000001 0010 0000 00000001 ffffffff 00000000", ErrorCode(6, 6)),
        ("04 0f 0020 00000005 0000 00 00 00000001 0012 0000 ffffffff ffffffff 00000000", .badBucket),
        ("04 0f 0020 00000005 0000 00 00 00000001 0008 0000 ffffffff ffffffff 00000000", .badBucket),
        // Meters.
        ("04 1d 0010 00000005 0005 0001 00000001", .meterCommand), ("04 1d 0010 00000005 0000 0003 00000001", .meterFlags),
        ("04 1d 0010 00000005 0000 0010 00000001", .meterFlags), ("04 1d 0010 00000005 0000 0001 00000000", .invalidMeter),
        ("04 1d 0010 00000005 0000 0001 ffffffff", .invalidMeter), ("04 1d 0010 00000005 0002 0001 ffffffff", nil),
        ("04 1d 0020 00000005 0000 0001 00000001 0009 0010 00000001 00000000 00000000", .meterBand),
        ("04 1d 0020 00000005 0000 0001 00000001 0001 0018 00000001 00000000 00000000", .badRequestLength),
        // Multipart.
        ("04 12 0010 00000005 0055 0000 00000000", .badRequestMultipart), ("04 12 0010 00000005 000e 0000 00000000", .badRequestMultipart),
        ("04 12 0010 00000005 0000 0000 00000000", nil), ("04 12 0018 00000005 0000 0000 00000000 0000000000000000", .badRequestLength),
        ("04 12 0010 00000005 0001 0000 00000000", .badRequestLength), ("04 12 0010 00000005 0000 0001 00000000", .multipartOverflow),
        ("04 12 0010 00000005 000c 0001 00000000", nil),
        // Roles, tables, bundles, packet-outs.
        ("04 18 0018 00000005 00000007 00000000 0000000000000000", .roleBad), ("04 11 0010 00000005 00 000000 00000080", .tableModConfig),
        ("04 04 0018 00000005 4f4e4600 000008fc 00000001 0009 0000", .bundleType),
        ("04 04 0018 00000005 4f4e4600 000008fc 00000001 0000 0004", .bundleFlags), ("04 04 0018 00000005 4f4e4600 000008fc 00000001 0000 0003", nil),
        ("04 04 0020 00000005 4f4e4600 000008fd 00000001 0000 0003 04140008 00000006", .bundleMessageXID),
        ("04 04 0020 00000005 4f4e4600 000008fd 00000001 0000 0003 05140008 00000005", .bundleMessageVersion),
        ("04 04 0020 00000005 4f4e4600 000008fd 00000001 0000 0003 04140009 00000005", .bundleMessageLength),
        ("04 04 0020 00000005 4f4e4600 000008fd 00000001 0000 0003 04140008 00000005", nil),
        ("04 0d 0018 00000005 ffffffff ffffffff 0000 000000000000", nil),
        ("04 0d 0018 00000005 ffffffff fffffffb 0000 000000000000", .badRequestPort),
        ("04 0d 0018 00000005 ffffffff ffffffff 0010 000000000000", .badRequestLength),
        // Nicira.
        ("04 04 0014 00000005 00002320 0000000c 00000009", .badRequestPermission),
        ("04 04 0018 00000005 00002320 00000014 0000000000010005", .mustBeZero),
        ("04 04 0018 00000005 00002320 00000014 0000000000000005", nil),
    ]

    @Test(arguments: others.indices) func otherMessagesAreJudged(index: Int) {
        let (hex, code) = Self.others[index]
        #expect(refusal(Self.bytes(hex)) == code, "\(hex)")
    }

    @Test func errorsHaveTheNumbersOfTheirVersion() throws {
        func wire(_ code: ErrorCode, _ version: OpenFlowVersion) -> [UInt8] {
            Array(MessageEncoder(version).encode(OpenFlowError(code, "", xid: 5, data: [0xaa])))
        }
        #expect(wire(.badMatchField, .v13) == Self.bytes("04 01 000d 00000005 0004 0006 aa"))
        #expect(wire(.duplicateInstruction, .v13) == Self.bytes("04 01 0011 00000005 ffff 0a28 4f4e4600 aa"))
        #expect(wire(.duplicateInstruction, .v14) == Self.bytes("05 01 000d 00000005 0003 0009 aa"))
        #expect(wire(.bundleID, .v13) == Self.bytes("04 01 0011 00000005 ffff 08fe 4f4e4600 aa"))
        #expect(wire(.bundleID, .v15) == Self.bytes("06 01 000d 00000005 0011 0002 aa"))
        #expect(wire(.badPropertyType, .v13) == Self.bytes("04 01 000d 00000005 000d 0002 aa"))
        #expect(wire(.badActionSetMask, .v15) == Self.bytes("06 01 000d 00000005 0002 0010 aa"))
        #expect(wire(.mustBeZero, .v14) == Self.bytes("05 01 0011 00000005 ffff 0004 00002320 aa"))
    }
}
