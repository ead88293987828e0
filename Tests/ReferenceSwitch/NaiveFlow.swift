import Flow

/// What is known of one packet during translation: its flow key, and the tag protocol identifiers that the key does not hold.
///
/// Every read and write of a field goes through here, so that the few fields which are views of others (`dl_vlan`, `nw_tos`, `arp_op`)
/// behave as in Open vSwitch's `mf_get_value` and `mf_set_flow_value`.
struct NaiveFlow: Equatable {
    var key = FlowKey()
    /// The EtherType in front of each of the two tags in `key`; 0 where there never was one.
    var tagProtocols: [UInt16] = [0, 0]
    /// Of the packet as it is: bits of the type of service that actions have set since it was last edited, be it to the value they had. A meter
    /// may have changed the packet's meanwhile.
    var pendingTOS: UInt8 = 0

    static let vlanPresent: UInt16 = 0x1000

    var etherType: UInt16 {
        get { UInt16(key[.ethType]) }
        set { key[.ethType] = UInt64(newValue) }
    }
    var ipProtocol: UInt8 { UInt8(key[.ipProto]) }
    var isIPv4: Bool { etherType == 0x0800 }
    var isIPv6: Bool { etherType == 0x86dd }
    var isIP: Bool { isIPv4 || isIPv6 }
    var isMPLS: Bool { NaiveFlow.isMPLS(etherType) }
    var isICMPv6: Bool { isIPv6 && ipProtocol == 58 }
    var isLaterFragment: Bool { key[.ipFrag] & 2 != 0 }
    var isFragment: Bool { key[.ipFrag] & 1 != 0 }

    static func isMPLS(_ etherType: UInt16) -> Bool { etherType == 0x8847 || etherType == 0x8848 }
    static func isVLAN(_ etherType: UInt16) -> Bool { etherType == 0x8100 || etherType == 0x88a8 }

    // MARK: VLAN tags

    /// The control information of tag 0 (outer) or 1, with `vlanPresent` set where there is a tag.
    func tag(_ i: Int) -> UInt16 { UInt16(key[i == 0 ? .vlanTCI : .innerVLANTCI]) }
    mutating func setTag(_ i: Int, _ tci: UInt16) { key[i == 0 ? .vlanTCI : .innerVLANTCI] = UInt64(tci) }

    var tagCount: Int {
        tag(0) & NaiveFlow.vlanPresent == 0 ? 0 : tag(1) & NaiveFlow.vlanPresent == 0 ? 1 : 2
    }

    /// A tag written without a protocol becomes an 802.1Q tag.
    mutating func completeTag() {
        if tagProtocols[0] == 0, tag(0) != 0 { tagProtocols[0] = 0x8100 }
    }

    mutating func popTag() {
        switch tagCount {
        case 2:
            setTag(0, tag(1))
            tagProtocols[0] = tagProtocols[1]
            setTag(1, 0)
            tagProtocols[1] = 0
        case 1:
            setTag(0, 0)
            tagProtocols[0] = 0
        default: break
        }
    }

    /// A third tag is forgotten, as the key has room for two.
    mutating func pushTag(protocol etherType: UInt16) {
        setTag(1, tag(0))
        tagProtocols[1] = tagProtocols[0]
        setTag(0, NaiveFlow.vlanPresent)
        tagProtocols[0] = etherType
    }

    // MARK: MPLS labels

    /// Label stack entry `i` of three, outermost first.
    func label(_ i: Int) -> UInt32 {
        switch i {
        case 0: UInt32(key[FlowKeyLayout.labels] & 0xffff_ffff)
        case 1: UInt32(key[FlowKeyLayout.mplsMore] >> 32)
        default: UInt32(key[FlowKeyLayout.mplsMore] & 0xffff_ffff)
        }
    }
    mutating func setLabel(_ i: Int, _ value: UInt32) {
        let v = UInt64(value)
        switch i {
        case 0: key[FlowKeyLayout.labels] = key[FlowKeyLayout.labels] & ~0xffff_ffff | v
        case 1: key[FlowKeyLayout.mplsMore] = key[FlowKeyLayout.mplsMore] & 0xffff_ffff | v << 32
        default: key[FlowKeyLayout.mplsMore] = key[FlowKeyLayout.mplsMore] & ~0xffff_ffff | v
        }
    }
    static let bottomOfStack: UInt32 = 0x100

    /// Labels up to the bottom of stack; without a bottom among three, those that are not zero.
    var labelCount: Int {
        if !isMPLS { return 0 }
        var nonzero = 0
        for i in 0..<3 {
            if label(i) & NaiveFlow.bottomOfStack != 0 { return i + 1 }
            if label(i) != 0 { nonzero += 1 }
        }
        return nonzero
    }

    /// Adds an outermost label made from the one below it or from the IP header; `clearingNetworkLayer` forgets everything above MPLS.
    mutating func pushLabel(etherType type: UInt16, over count: Int? = nil, clearingNetworkLayer clear: Bool) {
        let n = count ?? labelCount
        if n > 0 {
            for i in stride(from: n, to: 0, by: -1) { setLabel(i, label(i - 1)) }
            setLabel(0, label(1) & ~NaiveFlow.bottomOfStack)
        } else {
            let number: UInt32 = isIPv6 ? 2 : 0
            let trafficClass = isIP ? UInt32(key[.ipTOS]) >> 2 & 7 : 0
            let ttl = isIP && key[.ipTTL] != 0 ? UInt32(key[.ipTTL]) : 64
            setLabel(0, number << 12 | trafficClass << 9 | NaiveFlow.bottomOfStack | ttl)
            if clear { clearNetworkLayer() }
        }
        etherType = type
    }

    /// False when there is no label, or when a fourth one that the key cannot hold would come up.
    mutating func popLabel(etherType type: UInt16, of count: Int? = nil) -> Bool {
        let n = count ?? labelCount
        if n == 0 || (n == 3 && label(2) & NaiveFlow.bottomOfStack == 0) { return false }
        for i in 1..<max(n, 1) { setLabel(i - 1, label(i)) }
        setLabel(n - 1, 0)
        etherType = type
        return true
    }

    private mutating func clearNetworkLayer() {
        for field in NaiveFlow.networkFields { key.setWide(field, .zero) }
        key[FlowKeyLayout.transport] = 0
    }
    private static let networkFields: [Field] = [
        .ipv4Src, .ipv4Dst, .ipv6Src, .ipv6Dst, .ipv6Label, .arpSHA, .arpTHA, .tcpFlags, .ndTarget, .ndReserved, .ndOptionsType,
    ]
}
