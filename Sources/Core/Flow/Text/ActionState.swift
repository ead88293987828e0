/// What is known of the packet while the actions of one entry are read: the match, and what preceding actions changed.
///
/// Packed into one word it is also the second half of the key under which an action text is remembered.
struct PacketContext: Hashable {
    var etherType: UInt16 = 0
    var ipProtocol: UInt8 = 0
    var isLaterFragment = false
    var transportSrc: UInt16 = 0
    var transportDstIsZero = true
    var vlanTags: UInt8 = 0
    /// The table of the entry.
    var table: UInt8 = 0
    /// Whether something in the entry exists in OpenFlow 1.1 and later only.
    var needsOpenFlow11 = false

    var packed: UInt64 {
        UInt64(etherType) | UInt64(ipProtocol) << 16 | UInt64(transportSrc) << 24 | UInt64(table) << 40 | UInt64(vlanTags) << 48
            | (isLaterFragment ? 1 << 56 : 0) | (transportDstIsZero ? 1 << 57 : 0) | (needsOpenFlow11 ? 1 << 58 : 0) | 1 << 63
    }

    var isIP: Bool { etherType == 0x0800 || etherType == 0x86dd }
    var isMPLS: Bool { etherType == 0x8847 || etherType == 0x8848 }
    var isPBB: Bool { etherType == 0x88e7 }

    func meets(_ p: FieldInfo.Prerequisite) -> Bool {
        switch p {
        case .none: true
        case .vlan: vlanTags > 0
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

    private var isND: Bool {
        etherType == 0x86dd && ipProtocol == 58 && transportDstIsZero && (transportSrc == 135 || transportSrc == 136)
    }

    /// Takes in that a match also requires this value of a whole field.
    mutating func learn(_ field: Field, _ value: UInt64) {
        switch field {
        case .ethType: etherType = UInt16(truncatingIfNeeded: value)
        case .ipProto: ipProtocol = UInt8(truncatingIfNeeded: value)
        case .ipFrag: isLaterFragment = value & 2 != 0
        case .icmpv6Type, .icmpType: transportSrc = UInt16(truncatingIfNeeded: value)
        case .icmpv6Code, .icmpCode: transportDstIsZero = value == 0
        case .vlanTCI, .vlanVID: vlanTags = value & 0x1000 != 0 ? 1 : 0
        case .dlVLAN, .dlVLANPCP, .vlanPCP: vlanTags = 1
        default: break
        }
    }
}

extension FieldInfo.Prerequisite {
    /// What a match must contain for the prerequisite to hold.
    var wanted: String {
        switch self {
        case .none: "nothing"
        case .vlan: "a VLAN tag (dl_vlan=… or vlan_tci=0x1000/0x1000)"
        case .mpls: "mpls or mplsm"
        case .ipv4: "ip"
        case .ipv6: "ipv6"
        case .ip: "ip or ipv6"
        case .arp: "arp or rarp"
        case .tcp: "tcp or tcp6"
        case .udp: "udp or udp6"
        case .sctp: "sctp or sctp6"
        case .icmpv4: "icmp"
        case .icmpv6: "icmp6"
        case .nd: "icmp6,icmp_type=135,icmp_code=0 or icmp6,icmp_type=136,icmp_code=0"
        case .ndSolicit: "icmp6,icmp_type=135,icmp_code=0"
        case .ndAdvert: "icmp6,icmp_type=136,icmp_code=0"
        case .pbb: "dl_type=0x88e7"
        }
    }
}

/// Where a list of actions stands; decides what it may contain.
enum ActionScope { case entry, bucket, writeActions, clone }

/// The state of reading one entry's actions.
struct ActionState {
    var context: PacketContext
    /// Whether the outcome depended on `context`.
    var isContextual = false
    /// The first action that OpenFlow 1.1 and later refuse with this match.
    var inconsistent: (at: TextSlice, wanted: String)?
    var count = 0
    var depth = 0

    init(_ context: PacketContext) { self.context = context }
}
