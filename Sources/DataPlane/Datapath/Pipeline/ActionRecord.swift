import Flow

/// What the translator executes: a flow entry's actions as 64-bit words, `[refs][source id][op …] … [end]`, immutable but for `refs`.
///
/// Each op is a header `op: 8 | a: 8 | b: 16 | c: 32` and the operands named at its case. Fields are resolved to (word, shift, mask) when the
/// entry is added, so that translation never looks a field up.
struct ActionRecord: Equatable, @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt64>
    static let headerWords = 2

    init(base: UnsafeMutablePointer<UInt64>) { self.base = base }

    init(words: [UInt64], source: Int) {
        base = .allocate(capacity: words.count + Self.headerWords)
        base[0] = 0
        base[1] = UInt64(source)
        for (i, w) in words.enumerated() { base[Self.headerWords + i] = w }
    }

    /// How many entries use it; owner only.
    var references: UInt64 {
        get { base[0] }
        nonmutating set { base[0] = newValue }
    }
    /// Index of the source `[Action]` in the owner's store.
    var source: Int { Int(base[1]) }
    @inline(__always) var ops: UnsafePointer<UInt64> { UnsafePointer(base + Self.headerWords) }
    func deallocate() { base.deallocate() }
}

/// The translator's instruction set; see `ActionRecord`.
enum ActionOp: UInt8 {
    case end
    /// a: prerequisite, b: word; mask, value. Sets bits of the flow.
    case set
    /// Like `set` on the VLAN bits of word 1, with the tag-presence rules.
    case setVLAN
    /// a: source prerequisite, b: destination prerequisite, c: chunk count; per chunk: srcWord 8 | srcShift 8 | dstWord 8 | dstShift 8 | count 8.
    case move
    /// c: port.
    case output
    /// c: port; length.
    case outputTruncated
    /// word 8 | shift 8 | count 8 in the operand.
    case outputSubfield
    /// a: reason + 1, 0 to find it out; b: controller id; c: words of userdata 16 | max length 16; byte count and bytes of the userdata, if any.
    case controller
    /// a: bit 0 has port, bit 1 has table; b: table; c: port.
    case resubmit
    /// b: table.
    case gotoTable
    case clearActions
    /// c: side object (the written `[Action]`).
    case writeActions
    /// c: meter id.
    case meter
    /// b: number of chunks; chunk operands as in `move`'s source half.
    case push
    case pop
    case popVLAN
    /// b: TPID.
    case pushVLAN
    /// a: 1 when a missing tag is added; b: VID.
    case setVLANID
    /// a: 1 when a missing tag is added; b: PCP.
    case setVLANPCP
    /// b: EtherType.
    case pushMPLS
    case popMPLS
    /// mask, value on the first label stack entry.
    case setMPLS
    case decMPLSTTL
    case copyTTLOut
    case copyTTLIn
    /// b: EtherType.
    case pushPBB
    case popPBB
    /// a: `KindOfPayload`; b: value.
    case setKind
    /// c: count of controllers that are told of an expiry; their ids.
    case decTTL
    /// b: 0 source, 1 destination; c: port.
    case setTransportPort
    /// c: queue.
    case setQueue
    case popQueue
    /// c: group id.
    case group
    /// c: side object.
    case learn
    /// c: words of the nested ops that follow (with their `end`).
    case clone
    /// c: side object.
    case multipath
    case bundle
    /// b: length; word 8 | shift 8.
    case checkLarger
    /// b: idle, c: hard.
    case finTimeout
    case exit
}

/// Prerequisites as a code that the translator tests against the flow at hand.
extension FieldInfo.Prerequisite {
    var code: UInt8 {
        switch self {
        case .none: 0
        case .vlan: 1
        case .mpls: 2
        case .ipv4: 3
        case .ipv6: 4
        case .ip: 5
        case .arp: 6
        case .tcp: 7
        case .udp: 8
        case .sctp: 9
        case .icmpv4: 10
        case .icmpv6: 11
        case .nd: 12
        case .ndSolicit: 13
        case .ndAdvert: 14
        case .pbb: 15
        }
    }
}
