/// A version of the OpenFlow wire protocol, by the number in a message's first byte.
///
/// The codec reads and writes 1.3, 1.4 and 1.5. Of other versions only `hello` and `error` are read, which is what negotiation needs.
public enum OpenFlowVersion: UInt8, CaseIterable, Comparable, Sendable {
    case v13 = 4
    case v14 = 5
    case v15 = 6

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    /// `OF1.3`, as `ovs-ofctl` writes it.
    public var text: String {
        switch self {
        case .v13: "OF1.3"
        case .v14: "OF1.4"
        case .v15: "OF1.5"
        }
    }

    /// The version that two ends agree on (OpenFlow 1.3.5 §6.3.1): with both bitmaps the highest common one, otherwise the smaller of the two
    /// highest, if it is supported. Nil: `OFPHFC_INCOMPATIBLE`.
    public static func negotiate(supported: Set<OpenFlowVersion>, peerVersion: UInt8, peerBitmap: UInt32?) -> OpenFlowVersion? {
        if let bitmap = peerBitmap, bitmap != 0 {
            return supported.filter { bitmap >> UInt32($0.rawValue) & 1 != 0 }.max()
        }
        guard let ours = supported.max() else { return nil }
        return OpenFlowVersion(rawValue: Swift.min(ours.rawValue, peerVersion)).flatMap { supported.contains($0) ? $0 : nil }
    }

    /// The bitmap of a `hello` that offers these versions.
    public static func bitmap(_ versions: Set<OpenFlowVersion>) -> UInt32 { versions.reduce(0) { $0 | 1 << UInt32($1.rawValue) } }
}

/// Numbers of the vendors whose extensions are read.
public enum Experimenter {
    public static let nicira: UInt32 = 0x0000_2320
    public static let onf: UInt32 = 0x4f4e_4600
    /// Netronome: `selection_method` of groups.
    public static let netronome: UInt32 = 0x0000_154d
}

/// `OFP_NO_BUFFER` and other numbers that mean "none" or "all".
public enum OpenFlowNumber {
    public static let noBuffer: UInt32 = 0xffff_ffff
    public static let allTables: UInt8 = 0xff
    public static let allGroups: UInt32 = 0xffff_fffc
    public static let anyGroup: UInt32 = 0xffff_ffff
    public static let allQueues: UInt32 = 0xffff_ffff
    public static let allMeters: UInt32 = 0xffff_ffff
    public static let maxMeter: UInt32 = 0xffff_0000
    /// `OFPCML_NO_BUFFER`: the whole packet to the controller.
    public static let wholePacket: UInt16 = 0xffff
}
