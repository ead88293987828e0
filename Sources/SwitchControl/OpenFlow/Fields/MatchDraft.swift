import Flow

/// A match while its fields are read: values and masks by word of the flow key.
///
/// Reused from message to message: `reset` costs as much as was used, and `finish` makes the one array that the match keeps.
struct MatchDraft {
    private var values = InlineArray<52, UInt64>(repeating: 0)
    private var masks = InlineArray<52, UInt64>(repeating: 0)
    private var used: UInt64 = 0

    mutating func reset() {
        while used != 0 {
            let i = used.trailingZeroBitCount
            values[i] = 0
            masks[i] = 0
            used &= used &- 1
        }
    }

    @inline(__always) private mutating func put(_ word: Int, _ mask: UInt64, _ value: UInt64) {
        if mask == 0 { return }
        values[word] |= value & mask
        masks[word] |= mask
        used |= 1 << UInt64(word)
    }

    /// Whether no bit of the field is required yet.
    @inline(__always) func isFree(_ c: FieldCode) -> Bool {
        let ones: UInt64 = c.bits >= 64 ? .max : (1 << UInt64(c.bits)) &- 1
        return masks[Int(c.lowWord)] & (ones << UInt64(c.shift)) == 0 && (c.bits <= 64 || masks[Int(c.word)] == 0)
    }

    @inline(__always) mutating func require(_ c: FieldCode, _ value: FieldValue, _ mask: FieldValue) {
        let shift = UInt64(c.shift)
        put(Int(c.lowWord), mask.low << shift, value.low << shift)
        if c.bits > 64 { put(Int(c.word), mask.high, value.high) }
    }

    /// Requires that there is a tag, which a priority in the match implies.
    mutating func requireTag() { put(FlowKeyLayout.ethSrcVLAN, 0x1000, 0x1000) }

    var context: MatchContext {
        var c = MatchContext()
        c.etherType = UInt16(truncatingIfNeeded: values[FlowKeyLayout.ethDstType])
        let t = values[FlowKeyLayout.transport]
        c.ipProtocol = UInt8(truncatingIfNeeded: t >> 24)
        c.transportSrc = UInt16(truncatingIfNeeded: t >> 48)
        // As in Open vSwitch a code that is not asked for counts as 0.
        c.transportDstIsZero = t >> 32 & 0xffff == 0
        c.isLaterFragment = t & 2 != 0
        c.hasTag = values[FlowKeyLayout.ethSrcVLAN] & 0x1000 != 0
        return c
    }

    @inline(__always) func meets(_ p: FieldInfo.Prerequisite) -> Bool { p == .none || context.meets(p) }

    func finish() -> Match {
        let count = used.nonzeroBitCount
        if count == 0 { return .any }
        let words = [Match.Word](unsafeUninitializedCapacity: count) { buffer, n in
            var rest = used
            var at = 0
            while rest != 0 {
                let i = rest.trailingZeroBitCount
                // Safe: `at` runs over the `count` bits of `used`, the buffer's capacity.
                (buffer.baseAddress! + at).initialize(to: Match.Word(index: i, mask: masks[i], value: values[i]))
                at &+= 1
                rest &= rest &- 1
            }
            n = at
        }
        return Match(ascending: words)
    }
}

/// What is known of the packets that an entry's actions will see: the match, and what preceding actions changed.
struct MatchContext: Hashable, Sendable {
    var etherType: UInt16 = 0
    var ipProtocol: UInt8 = 0
    var transportSrc: UInt16 = 0
    var transportDstIsZero = true
    var isLaterFragment = false
    var hasTag = false
    /// Nothing is known and nothing is asked: the actions of buckets and of `packet-out`.
    var isOpen = false

    static let open: MatchContext = {
        var c = MatchContext()
        c.isOpen = true
        return c
    }()

    init() {}

    init(_ m: Match) {
        for w in m.words {
            switch w.index {
            case FlowKeyLayout.ethDstType: etherType = UInt16(truncatingIfNeeded: w.value)
            case FlowKeyLayout.ethSrcVLAN: hasTag = w.value & 0x1000 != 0
            case FlowKeyLayout.transport:
                ipProtocol = UInt8(truncatingIfNeeded: w.value >> 24)
                transportSrc = UInt16(truncatingIfNeeded: w.value >> 48)
                // As in Open vSwitch a code that is not asked for counts as 0.
                transportDstIsZero = w.value >> 32 & 0xffff == 0
                isLaterFragment = w.value & 2 != 0
            default: break
            }
        }
    }

    /// All that `meets` looks at, as one number.
    var prerequisites: UInt64 {
        var p = UInt64(etherType) << 32 | UInt64(ipProtocol) << 24
        // Ports of other protocols, which differ from entry to entry, decide nothing.
        if ipProtocol == 58 { p |= UInt64(transportSrc) | (transportDstIsZero ? 1 << 16 : 0) }
        if isLaterFragment { p |= 1 << 17 }
        if hasTag { p |= 1 << 18 }
        if isOpen { p |= 1 << 19 }
        return p
    }

    /// Takes in that an Ethernet header was pushed or popped: of the old one and what it carried nothing is left.
    mutating func beginFrame(etherType: UInt16) {
        let wasOpen = isOpen
        self = MatchContext()
        self.etherType = etherType
        isOpen = wasOpen
    }

    var isIP: Bool { etherType == 0x0800 || etherType == 0x86dd }
    var isMPLS: Bool { etherType == 0x8847 || etherType == 0x8848 }
    var isPBB: Bool { etherType == 0x88e7 }
    private var isND: Bool {
        etherType == 0x86dd && ipProtocol == 58 && transportDstIsZero && (transportSrc == 135 || transportSrc == 136)
    }

    func meets(_ p: FieldInfo.Prerequisite) -> Bool {
        if isOpen { return true }
        return switch p {
        case .none: true
        case .vlan: hasTag
        case .mpls: isMPLS
        case .ipv4: etherType == 0x0800
        case .ipv6: etherType == 0x86dd
        case .ip: isIP
        case .arp: etherType == 0x0806 || etherType == 0x8035
        case .tcp: isIP && ipProtocol == 6 && !isLaterFragment
        case .udp: isIP && ipProtocol == 17 && !isLaterFragment
        case .sctp: isIP && ipProtocol == 132 && !isLaterFragment
        case .icmpv4: etherType == 0x0800 && ipProtocol == 1
        case .icmpv6: etherType == 0x86dd && ipProtocol == 58
        case .nd: isND
        case .ndSolicit: isND && transportSrc == 135
        case .ndAdvert: isND && transportSrc == 136
        case .pbb: isPBB
        }
    }
}
