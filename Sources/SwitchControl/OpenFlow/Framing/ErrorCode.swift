/// What an OpenFlow error message says was wrong: the pair of type and code (OpenFlow 1.5.1 §7.5.4), or an experimenter's code.
///
/// Numbers are those of OpenFlow 1.5; `wire(in:)` gives the older numbers where a version has others.
public struct ErrorCode: Hashable, Sendable {
    public var type: UInt16
    public var code: UInt16
    /// Not 0 for an experimenter's error, whose `type` is 0xffff.
    public var experimenter: UInt32

    public init(_ type: UInt16, _ code: UInt16, experimenter: UInt32 = 0) {
        self.type = type
        self.code = code
        self.experimenter = experimenter
    }
    public static func onf(_ code: UInt16) -> ErrorCode { ErrorCode(0xffff, code, experimenter: Experimenter.onf) }
    public static func nicira(_ code: UInt16) -> ErrorCode { ErrorCode(0xffff, code, experimenter: Experimenter.nicira) }

    /// The numbers that this error has in a version: those that came with 1.4 or 1.5 are ONF extension errors before, as Open vSwitch sends them.
    public func wire(in version: OpenFlowVersion) -> ErrorCode {
        guard experimenter == 0 else { return self }
        if version < .v15 {
            switch (type, code) {
            case (2, 16): return .onf(4250)
            case (2, 17): return ErrorCode(12, 2)
            case (6, 15), (6, 16): return ErrorCode(6, 12)
            default: break
            }
        }
        guard version < .v14 else { return self }
        switch (type, code) {
        case (1, 14), (1, 15): return .onf(2640 + code - 14)
        case (3, 9): return .onf(2600)
        case (5, 9): return .onf(2360)
        case (14, 0...2): return ErrorCode(13, code + 2)
        case (14, 3...8): return .onf(4440 + code)
        case (15, 0...2): return .onf(2370 + code)
        case (17, 0...15): return .onf(2300 + code)
        default: return self
        }
    }

    /// The error as OpenFlow 1.5 numbers it, from the numbers of a version.
    public static func read(_ wire: ErrorCode, version: OpenFlowVersion) -> ErrorCode {
        guard version < .v15 else { return wire }
        if wire == .onf(4250) { return .badActionSetMask }
        guard version < .v14 else { return wire }
        if wire.experimenter == Experimenter.onf {
            switch wire.code {
            case 2640, 2641: return ErrorCode(1, wire.code - 2640 + 14)
            case 2600: return ErrorCode(3, 9)
            case 2360: return ErrorCode(5, 9)
            case 4443...4448: return ErrorCode(14, wire.code - 4440)
            case 2370...2372: return ErrorCode(15, wire.code - 2370)
            case 2300...2315: return ErrorCode(17, wire.code - 2300)
            default: return wire
            }
        }
        return wire.type == 13 && (2...4).contains(wire.code) ? ErrorCode(14, wire.code - 2) : wire
    }

    /// `OFPBMC_BAD_FIELD`; numbers where no name is known.
    public var name: String {
        if experimenter != 0 {
            return "experimenter 0x\(String(experimenter, radix: 16)) code \(code)"
        }
        if let t = Self.names.first(where: { $0.type == type }), Int(code) < t.codes.count { return "\(t.prefix)_\(t.codes[Int(code)])" }
        return "type \(type) code \(code)"
    }

    private static let names: [(type: UInt16, prefix: String, codes: [String])] = [
        (0, "OFPHFC", ["INCOMPATIBLE", "EPERM"]),
        (
            1, "OFPBRC",
            [
                "BAD_VERSION", "BAD_TYPE", "BAD_MULTIPART", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "EPERM", "BAD_LEN", "BUFFER_EMPTY", "BUFFER_UNKNOWN",
                "BAD_TABLE_ID", "IS_SLAVE", "BAD_PORT", "BAD_PACKET", "MULTIPART_BUFFER_OVERFLOW", "MULTIPART_REQUEST_TIMEOUT",
                "MULTIPART_REPLY_TIMEOUT", "MULTIPART_BAD_SCHED", "PIPELINE_FIELDS_ONLY", "UNKNOWN",
            ]
        ),
        (
            2, "OFPBAC",
            [
                "BAD_TYPE", "BAD_LEN", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "BAD_OUT_PORT", "BAD_ARGUMENT", "EPERM", "TOO_MANY", "BAD_QUEUE",
                "BAD_OUT_GROUP", "MATCH_INCONSISTENT", "UNSUPPORTED_ORDER", "BAD_TAG", "BAD_SET_TYPE", "BAD_SET_LEN", "BAD_SET_ARGUMENT",
                "BAD_SET_MASK", "BAD_METER",
            ]
        ),
        (
            3, "OFPBIC",
            [
                "UNKNOWN_INST", "UNSUP_INST", "BAD_TABLE_ID", "UNSUP_METADATA", "UNSUP_METADATA_MASK", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "BAD_LEN",
                "EPERM", "DUP_INST",
            ]
        ),
        (
            4, "OFPBMC",
            [
                "BAD_TYPE", "BAD_LEN", "BAD_TAG", "BAD_DL_ADDR_MASK", "BAD_NW_ADDR_MASK", "BAD_WILDCARDS", "BAD_FIELD", "BAD_VALUE", "BAD_MASK",
                "BAD_PREREQ", "DUP_FIELD", "EPERM",
            ]
        ),
        (
            5, "OFPFMFC",
            [
                "UNKNOWN", "TABLE_FULL", "BAD_TABLE_ID", "OVERLAP", "EPERM", "BAD_TIMEOUT", "BAD_COMMAND", "BAD_FLAGS", "CANT_SYNC", "BAD_PRIORITY",
                "IS_SYNC",
            ]
        ),
        (
            6, "OFPGMFC",
            [
                "GROUP_EXISTS", "INVALID_GROUP", "WEIGHT_UNSUPPORTED", "OUT_OF_GROUPS", "OUT_OF_BUCKETS", "CHAINING_UNSUPPORTED", "WATCH_UNSUPPORTED",
                "LOOP", "UNKNOWN_GROUP", "CHAINED_GROUP", "BAD_TYPE", "BAD_COMMAND", "BAD_BUCKET", "BAD_WATCH", "EPERM", "UNKNOWN_BUCKET",
                "BUCKET_EXISTS",
            ]
        ),
        (7, "OFPPMFC", ["BAD_PORT", "BAD_HW_ADDR", "BAD_CONFIG", "BAD_ADVERTISE", "EPERM"]),
        (8, "OFPTMFC", ["BAD_TABLE", "BAD_CONFIG", "EPERM"]),
        (9, "OFPQOFC", ["BAD_PORT", "BAD_QUEUE", "EPERM"]),
        (10, "OFPSCFC", ["BAD_FLAGS", "BAD_LEN", "EPERM"]),
        (11, "OFPRRFC", ["STALE", "UNSUP", "BAD_ROLE", "ID_UNSUP", "ID_IN_USE"]),
        (
            12, "OFPMMFC",
            [
                "UNKNOWN", "METER_EXISTS", "INVALID_METER", "UNKNOWN_METER", "BAD_COMMAND", "BAD_FLAGS", "BAD_RATE", "BAD_BURST", "BAD_BAND",
                "BAD_BAND_VALUE", "OUT_OF_METERS", "OUT_OF_BANDS",
            ]
        ),
        (
            13, "OFPTFFC",
            [
                "BAD_TABLE", "BAD_METADATA", "BAD_TYPE", "BAD_LEN", "BAD_ARGUMENT", "EPERM", "BAD_CAPA", "BAD_MAX_ENT", "BAD_FEATURES", "BAD_COMMAND",
                "TOO_MANY",
            ]
        ),
        (
            14, "OFPBPC",
            ["BAD_TYPE", "BAD_LEN", "BAD_VALUE", "TOO_MANY", "DUP_TYPE", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "BAD_EXP_VALUE", "EPERM"]
        ),
        (15, "OFPACFC", ["INVALID", "UNSUPPORTED", "EPERM"]),
        (16, "OFPFMOFC", ["UNKNOWN", "MONITOR_EXISTS", "INVALID_MONITOR", "UNKNOWN_MONITOR", "BAD_COMMAND", "BAD_FLAGS", "BAD_TABLE_ID", "BAD_OUT"]),
        (
            17, "OFPBFC",
            [
                "UNKNOWN", "EPERM", "BAD_ID", "BUNDLE_EXIST", "BUNDLE_CLOSED", "OUT_OF_BUNDLES", "BAD_TYPE", "BAD_FLAGS", "MSG_BAD_LEN",
                "MSG_BAD_XID",
                "MSG_UNSUP", "MSG_CONFLICT", "MSG_TOO_MANY", "MSG_FAILED", "TIMEOUT", "BUNDLE_IN_PROGRESS",
            ]
        ),
    ]
}

extension ErrorCode {
    public static let helloIncompatible = ErrorCode(0, 0)
    public static let badRequestVersion = ErrorCode(1, 0)
    public static let badRequestType = ErrorCode(1, 1)
    public static let badRequestMultipart = ErrorCode(1, 2)
    public static let badRequestExperimenter = ErrorCode(1, 3)
    public static let badRequestExperimenterType = ErrorCode(1, 4)
    public static let badRequestPermission = ErrorCode(1, 5)
    public static let badRequestLength = ErrorCode(1, 6)
    public static let badRequestBufferEmpty = ErrorCode(1, 7)
    public static let badRequestBufferUnknown = ErrorCode(1, 8)
    public static let badRequestTable = ErrorCode(1, 9)
    public static let badRequestIsSlave = ErrorCode(1, 10)
    public static let badRequestPort = ErrorCode(1, 11)
    public static let badRequestPacket = ErrorCode(1, 12)
    public static let multipartOverflow = ErrorCode(1, 13)
    public static let pipelineFieldsOnly = ErrorCode(1, 17)

    public static let badActionType = ErrorCode(2, 0)
    public static let badActionLength = ErrorCode(2, 1)
    public static let badActionExperimenter = ErrorCode(2, 2)
    public static let badActionExperimenterType = ErrorCode(2, 3)
    public static let badActionOutPort = ErrorCode(2, 4)
    public static let badActionArgument = ErrorCode(2, 5)
    public static let tooManyActions = ErrorCode(2, 7)
    public static let badActionQueue = ErrorCode(2, 8)
    public static let badActionOutGroup = ErrorCode(2, 9)
    public static let matchInconsistent = ErrorCode(2, 10)
    public static let unsupportedActionOrder = ErrorCode(2, 11)
    public static let badActionTag = ErrorCode(2, 12)
    public static let badActionSetType = ErrorCode(2, 13)
    public static let badActionSetLength = ErrorCode(2, 14)
    public static let badActionSetArgument = ErrorCode(2, 15)
    public static let badActionSetMask = ErrorCode(2, 16)
    public static let badActionMeter = ErrorCode(2, 17)
    /// NXBAC_BAD_CONJUNCTION.
    public static let badConjunction = ErrorCode.nicira(15)
    /// NXBRC_MUST_BE_ZERO.
    public static let mustBeZero = ErrorCode.nicira(4)

    public static let unknownInstruction = ErrorCode(3, 0)
    public static let unsupportedInstruction = ErrorCode(3, 1)
    public static let badInstructionTable = ErrorCode(3, 2)
    public static let badInstructionExperimenter = ErrorCode(3, 5)
    public static let badInstructionLength = ErrorCode(3, 7)
    public static let duplicateInstruction = ErrorCode(3, 9)

    public static let badMatchType = ErrorCode(4, 0)
    public static let badMatchLength = ErrorCode(4, 1)
    public static let badMatchWildcards = ErrorCode(4, 5)
    public static let badMatchField = ErrorCode(4, 6)
    public static let badMatchValue = ErrorCode(4, 7)
    public static let badMatchMask = ErrorCode(4, 8)
    public static let badMatchPrerequisite = ErrorCode(4, 9)
    public static let duplicateMatchField = ErrorCode(4, 10)

    public static let flowModUnknown = ErrorCode(5, 0)
    public static let flowTableFull = ErrorCode(5, 1)
    public static let flowModTable = ErrorCode(5, 2)
    public static let flowModOverlap = ErrorCode(5, 3)
    public static let flowModCommand = ErrorCode(5, 6)
    public static let flowModFlags = ErrorCode(5, 7)

    public static let groupExists = ErrorCode(6, 0)
    public static let invalidGroup = ErrorCode(6, 1)
    public static let outOfGroups = ErrorCode(6, 3)
    public static let outOfBuckets = ErrorCode(6, 4)
    public static let groupLoop = ErrorCode(6, 7)
    public static let unknownGroup = ErrorCode(6, 8)
    public static let badGroupType = ErrorCode(6, 10)
    public static let badGroupCommand = ErrorCode(6, 11)
    public static let badBucket = ErrorCode(6, 12)
    public static let badWatch = ErrorCode(6, 13)
    public static let unknownBucket = ErrorCode(6, 15)
    public static let bucketExists = ErrorCode(6, 16)

    public static let portModPort = ErrorCode(7, 0)
    public static let portModAddress = ErrorCode(7, 1)
    public static let portModConfig = ErrorCode(7, 2)
    public static let tableModTable = ErrorCode(8, 0)
    public static let tableModConfig = ErrorCode(8, 1)
    public static let tableModPermission = ErrorCode(8, 2)
    public static let queuePort = ErrorCode(9, 0)
    public static let queueUnknown = ErrorCode(9, 1)
    public static let switchConfigFlags = ErrorCode(10, 0)
    public static let roleStale = ErrorCode(11, 0)
    public static let roleBad = ErrorCode(11, 2)

    public static let meterUnknownError = ErrorCode(12, 0)
    public static let meterExists = ErrorCode(12, 1)
    public static let invalidMeter = ErrorCode(12, 2)
    public static let unknownMeter = ErrorCode(12, 3)
    public static let meterCommand = ErrorCode(12, 4)
    public static let meterFlags = ErrorCode(12, 5)
    public static let meterRate = ErrorCode(12, 6)
    public static let meterBurst = ErrorCode(12, 7)
    public static let meterBand = ErrorCode(12, 8)
    public static let meterBandValue = ErrorCode(12, 9)
    public static let outOfMeters = ErrorCode(12, 10)
    public static let outOfBands = ErrorCode(12, 11)

    public static let tableFeaturesTable = ErrorCode(13, 0)
    public static let tableFeaturesCommand = ErrorCode(13, 9)
    public static let badPropertyType = ErrorCode(14, 0)
    public static let badPropertyLength = ErrorCode(14, 1)
    public static let badPropertyValue = ErrorCode(14, 2)
    public static let tooManyProperties = ErrorCode(14, 3)
    public static let duplicateProperty = ErrorCode(14, 4)
    public static let badPropertyExperimenter = ErrorCode(14, 5)
    public static let badPropertyExperimenterType = ErrorCode(14, 6)
    public static let asyncInvalid = ErrorCode(15, 0)
    public static let asyncUnsupported = ErrorCode(15, 1)
    public static let monitorExists = ErrorCode(16, 1)
    public static let unknownMonitor = ErrorCode(16, 3)
    public static let monitorCommand = ErrorCode(16, 4)
    public static let monitorFlags = ErrorCode(16, 5)

    public static let bundleUnknownError = ErrorCode(17, 0)
    public static let bundleID = ErrorCode(17, 2)
    public static let bundleExists = ErrorCode(17, 3)
    public static let bundleClosed = ErrorCode(17, 4)
    public static let outOfBundles = ErrorCode(17, 5)
    public static let bundleType = ErrorCode(17, 6)
    public static let bundleFlags = ErrorCode(17, 7)
    public static let bundleMessageLength = ErrorCode(17, 8)
    /// OFPBFC_BAD_VERSION of Nicira.
    public static let bundleMessageVersion = ErrorCode.nicira(22)
    public static let bundleMessageXID = ErrorCode(17, 9)
    public static let bundleMessageUnsupported = ErrorCode(17, 10)
    public static let bundleMessageFailed = ErrorCode(17, 13)
    public static let bundleTimeout = ErrorCode(17, 14)
}
