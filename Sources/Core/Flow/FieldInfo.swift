/// Where a field lies and how it is written; see `Field`.
public struct FieldInfo: Sendable {
    /// How a value is written in text.
    public enum Format: Sendable { case decimal, hexadecimal, mac, ipv4, ipv6, port, frag, tcpFlags, tunnelFlags }

    /// Which packets have the field. A match or action on a field whose prerequisite the entry's match does not establish is refused.
    public enum Prerequisite: Sendable {
        case none, vlan, mpls, ipv4, ipv6, ip, arp, tcp, udp, sctp, icmpv4, icmpv6, nd, ndSolicit, ndAdvert, pbb
    }

    /// Names in `ovs-ofctl` text, the preferred one first.
    public let names: [String]
    /// The `NXM_…` name, or empty.
    public let nxm: String
    /// The `OXM_…` name, or empty.
    public let oxm: String
    /// Width in bits, 1…128.
    public let bits: Int
    /// First word in a `FlowKey`; a 128-bit field continues in the next word, high half first.
    public let word: Int
    /// Bits to the right of the field in its word.
    public let shift: Int
    /// Whether a match may mask it freely; otherwise all bits or none.
    public let isMaskable: Bool
    /// Whether `load`, `move` and `set_field` may write it.
    public let isWritable: Bool
    public let prerequisite: Prerequisite
    public let format: Format

    public var name: String { names[0] }
    /// The word that holds the field's low 64 bits.
    @inline(__always) public var lowWord: Int { bits > 64 ? word + 1 : word }
    /// Mask of the field's low 64 bits, right-aligned.
    @inline(__always) public var lowMask: UInt64 { bits >= 64 ? .max : (1 << UInt64(bits)) - 1 }

    init(
        _ names: [String], nxm: String, oxm: String, bits: Int, word: Int, shift: Int, maskable: Bool, writable: Bool,
        _ prerequisite: Prerequisite, _ format: Format
    ) {
        self.names = names
        self.nxm = nxm
        self.oxm = oxm
        self.bits = bits
        self.word = word
        self.shift = shift
        isMaskable = maskable
        isWritable = writable
        self.prerequisite = prerequisite
        self.format = format
    }

    /// One row per `Field`, in its order.
    public static let table: [FieldInfo] = [
        FieldInfo(
            ["in_port"], nxm: "NXM_OF_IN_PORT", oxm: "OXM_OF_IN_PORT", bits: 32, word: 4, shift: 32, maskable: false, writable: true, .none, .port),
        FieldInfo(
            ["eth_dst", "dl_dst"], nxm: "NXM_OF_ETH_DST", oxm: "OXM_OF_ETH_DST", bits: 48, word: 0, shift: 16, maskable: true, writable: true, .none,
            .mac),
        FieldInfo(
            ["eth_src", "dl_src"], nxm: "NXM_OF_ETH_SRC", oxm: "OXM_OF_ETH_SRC", bits: 48, word: 1, shift: 16, maskable: true, writable: true, .none,
            .mac),
        FieldInfo(
            ["eth_type", "dl_type"], nxm: "NXM_OF_ETH_TYPE", oxm: "OXM_OF_ETH_TYPE", bits: 16, word: 0, shift: 0, maskable: false, writable: false,
            .none, .hexadecimal),
        FieldInfo(["vlan_tci"], nxm: "NXM_OF_VLAN_TCI", oxm: "", bits: 16, word: 1, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["vlan_vid"], nxm: "", oxm: "OXM_OF_VLAN_VID", bits: 13, word: 1, shift: 0, maskable: true, writable: true, .none, .decimal),
        FieldInfo(["vlan_pcp"], nxm: "", oxm: "OXM_OF_VLAN_PCP", bits: 3, word: 1, shift: 13, maskable: false, writable: true, .vlan, .decimal),
        FieldInfo(["dl_vlan"], nxm: "", oxm: "", bits: 12, word: 1, shift: 0, maskable: false, writable: true, .none, .decimal),
        FieldInfo(["dl_vlan_pcp"], nxm: "", oxm: "", bits: 3, word: 1, shift: 13, maskable: false, writable: true, .none, .decimal),
        FieldInfo(["vlan_tci1"], nxm: "", oxm: "", bits: 16, word: 4, shift: 0, maskable: true, writable: false, .none, .hexadecimal),
        FieldInfo(["mpls_label"], nxm: "", oxm: "OXM_OF_MPLS_LABEL", bits: 20, word: 9, shift: 12, maskable: false, writable: true, .mpls, .decimal),
        FieldInfo(["mpls_tc"], nxm: "", oxm: "OXM_OF_MPLS_TC", bits: 3, word: 9, shift: 9, maskable: false, writable: true, .mpls, .decimal),
        FieldInfo(["mpls_bos"], nxm: "", oxm: "OXM_OF_MPLS_BOS", bits: 1, word: 9, shift: 8, maskable: false, writable: false, .mpls, .decimal),
        FieldInfo(["mpls_ttl"], nxm: "NXM_NX_MPLS_TTL", oxm: "", bits: 8, word: 9, shift: 0, maskable: false, writable: true, .mpls, .decimal),
        FieldInfo(
            ["nw_src", "ip_src"], nxm: "NXM_OF_IP_SRC", oxm: "OXM_OF_IPV4_SRC", bits: 32, word: 2, shift: 32, maskable: true, writable: true, .ipv4,
            .ipv4),
        FieldInfo(
            ["nw_dst", "ip_dst"], nxm: "NXM_OF_IP_DST", oxm: "OXM_OF_IPV4_DST", bits: 32, word: 2, shift: 0, maskable: true, writable: true, .ipv4,
            .ipv4),
        FieldInfo(
            ["ipv6_src"], nxm: "NXM_NX_IPV6_SRC", oxm: "OXM_OF_IPV6_SRC", bits: 128, word: 5, shift: 0, maskable: true, writable: true, .ipv6, .ipv6),
        FieldInfo(
            ["ipv6_dst"], nxm: "NXM_NX_IPV6_DST", oxm: "OXM_OF_IPV6_DST", bits: 128, word: 7, shift: 0, maskable: true, writable: true, .ipv6, .ipv6),
        FieldInfo(
            ["ipv6_label"], nxm: "NXM_NX_IPV6_LABEL", oxm: "OXM_OF_IPV6_FLABEL", bits: 20, word: 9, shift: 32, maskable: true, writable: true, .ipv6,
            .hexadecimal),
        FieldInfo(
            ["nw_proto", "ip_proto"], nxm: "NXM_OF_IP_PROTO", oxm: "OXM_OF_IP_PROTO", bits: 8, word: 3, shift: 24, maskable: false, writable: false,
            .ip, .decimal),
        FieldInfo(["nw_tos"], nxm: "NXM_OF_IP_TOS", oxm: "", bits: 8, word: 3, shift: 16, maskable: false, writable: true, .ip, .decimal),
        FieldInfo(["ip_dscp"], nxm: "", oxm: "OXM_OF_IP_DSCP", bits: 6, word: 3, shift: 18, maskable: false, writable: true, .ip, .decimal),
        FieldInfo(
            ["nw_ecn", "ip_ecn"], nxm: "NXM_NX_IP_ECN", oxm: "OXM_OF_IP_ECN", bits: 2, word: 3, shift: 16, maskable: false, writable: true, .ip,
            .decimal),
        FieldInfo(["nw_ttl"], nxm: "NXM_NX_IP_TTL", oxm: "", bits: 8, word: 3, shift: 8, maskable: false, writable: true, .ip, .decimal),
        FieldInfo(["ip_frag", "nw_frag"], nxm: "NXM_NX_IP_FRAG", oxm: "", bits: 2, word: 3, shift: 0, maskable: true, writable: false, .ip, .frag),
        FieldInfo(
            ["arp_op"], nxm: "NXM_OF_ARP_OP", oxm: "OXM_OF_ARP_OP", bits: 16, word: 3, shift: 24, maskable: false, writable: true, .arp, .decimal),
        FieldInfo(
            ["arp_spa"], nxm: "NXM_OF_ARP_SPA", oxm: "OXM_OF_ARP_SPA", bits: 32, word: 2, shift: 32, maskable: true, writable: true, .arp, .ipv4),
        FieldInfo(
            ["arp_tpa"], nxm: "NXM_OF_ARP_TPA", oxm: "OXM_OF_ARP_TPA", bits: 32, word: 2, shift: 0, maskable: true, writable: true, .arp, .ipv4),
        FieldInfo(
            ["arp_sha"], nxm: "NXM_NX_ARP_SHA", oxm: "OXM_OF_ARP_SHA", bits: 48, word: 13, shift: 16, maskable: true, writable: true, .arp, .mac),
        FieldInfo(
            ["arp_tha"], nxm: "NXM_NX_ARP_THA", oxm: "OXM_OF_ARP_THA", bits: 48, word: 14, shift: 16, maskable: true, writable: true, .arp, .mac),
        FieldInfo(
            ["tcp_src"], nxm: "NXM_OF_TCP_SRC", oxm: "OXM_OF_TCP_SRC", bits: 16, word: 3, shift: 48, maskable: true, writable: true, .tcp, .decimal),
        FieldInfo(
            ["tcp_dst"], nxm: "NXM_OF_TCP_DST", oxm: "OXM_OF_TCP_DST", bits: 16, word: 3, shift: 32, maskable: true, writable: true, .tcp, .decimal),
        FieldInfo(
            ["udp_src"], nxm: "NXM_OF_UDP_SRC", oxm: "OXM_OF_UDP_SRC", bits: 16, word: 3, shift: 48, maskable: true, writable: true, .udp, .decimal),
        FieldInfo(
            ["udp_dst"], nxm: "NXM_OF_UDP_DST", oxm: "OXM_OF_UDP_DST", bits: 16, word: 3, shift: 32, maskable: true, writable: true, .udp, .decimal),
        FieldInfo(["sctp_src"], nxm: "", oxm: "OXM_OF_SCTP_SRC", bits: 16, word: 3, shift: 48, maskable: true, writable: true, .sctp, .decimal),
        FieldInfo(["sctp_dst"], nxm: "", oxm: "OXM_OF_SCTP_DST", bits: 16, word: 3, shift: 32, maskable: true, writable: true, .sctp, .decimal),
        FieldInfo(
            ["tcp_flags"], nxm: "NXM_NX_TCP_FLAGS", oxm: "OXM_OF_TCP_FLAGS", bits: 12, word: 4, shift: 16, maskable: true, writable: false, .tcp,
            .tcpFlags),
        FieldInfo(
            ["icmp_type"], nxm: "NXM_OF_ICMP_TYPE", oxm: "OXM_OF_ICMPV4_TYPE", bits: 8, word: 3, shift: 48, maskable: false, writable: true, .icmpv4,
            .decimal),
        FieldInfo(
            ["icmp_code"], nxm: "NXM_OF_ICMP_CODE", oxm: "OXM_OF_ICMPV4_CODE", bits: 8, word: 3, shift: 32, maskable: false, writable: true, .icmpv4,
            .decimal),
        FieldInfo(
            ["icmpv6_type"], nxm: "NXM_NX_ICMPV6_TYPE", oxm: "OXM_OF_ICMPV6_TYPE", bits: 8, word: 3, shift: 48, maskable: false, writable: true,
            .icmpv6, .decimal),
        FieldInfo(
            ["icmpv6_code"], nxm: "NXM_NX_ICMPV6_CODE", oxm: "OXM_OF_ICMPV6_CODE", bits: 8, word: 3, shift: 32, maskable: false, writable: true,
            .icmpv6, .decimal),
        FieldInfo(
            ["nd_target"], nxm: "NXM_NX_ND_TARGET", oxm: "OXM_OF_IPV6_ND_TARGET", bits: 128, word: 11, shift: 0, maskable: true, writable: true, .nd,
            .ipv6),
        FieldInfo(
            ["nd_sll"], nxm: "NXM_NX_ND_SLL", oxm: "OXM_OF_IPV6_ND_SLL", bits: 48, word: 13, shift: 16, maskable: true, writable: true, .ndSolicit,
            .mac),
        FieldInfo(
            ["nd_tll"], nxm: "NXM_NX_ND_TLL", oxm: "OXM_OF_IPV6_ND_TLL", bits: 48, word: 14, shift: 16, maskable: true, writable: true, .ndAdvert,
            .mac),
        FieldInfo(
            ["nd_reserved"], nxm: "", oxm: "ERICOXM_OF_ICMPV6_ND_RESERVED", bits: 32, word: 15, shift: 32, maskable: false, writable: true, .nd,
            .decimal),
        FieldInfo(
            ["nd_options_type"], nxm: "", oxm: "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE", bits: 8, word: 13, shift: 8, maskable: false, writable: true, .nd,
            .decimal),
        FieldInfo(
            ["tun_id", "tunnel_id"], nxm: "NXM_NX_TUN_ID", oxm: "OXM_OF_TUNNEL_ID", bits: 64, word: 16, shift: 0, maskable: true, writable: true,
            .none, .hexadecimal),
        FieldInfo(["tun_src"], nxm: "NXM_NX_TUN_IPV4_SRC", oxm: "", bits: 32, word: 17, shift: 32, maskable: true, writable: true, .none, .ipv4),
        FieldInfo(["tun_dst"], nxm: "NXM_NX_TUN_IPV4_DST", oxm: "", bits: 32, word: 17, shift: 0, maskable: true, writable: true, .none, .ipv4),
        FieldInfo(["tun_ipv6_src"], nxm: "NXM_NX_TUN_IPV6_SRC", oxm: "", bits: 128, word: 18, shift: 0, maskable: true, writable: true, .none, .ipv6),
        FieldInfo(["tun_ipv6_dst"], nxm: "NXM_NX_TUN_IPV6_DST", oxm: "", bits: 128, word: 20, shift: 0, maskable: true, writable: true, .none, .ipv6),
        FieldInfo(["tun_flags"], nxm: "NXM_NX_TUN_FLAGS", oxm: "", bits: 1, word: 22, shift: 48, maskable: true, writable: true, .none, .tunnelFlags),
        FieldInfo(["tun_ttl"], nxm: "", oxm: "", bits: 8, word: 22, shift: 40, maskable: false, writable: false, .none, .decimal),
        FieldInfo(["tun_tos"], nxm: "", oxm: "", bits: 8, word: 22, shift: 32, maskable: false, writable: false, .none, .decimal),
        FieldInfo(["tun_gbp_id"], nxm: "NXM_NX_TUN_GBP_ID", oxm: "", bits: 16, word: 22, shift: 16, maskable: true, writable: true, .none, .decimal),
        FieldInfo(
            ["tun_gbp_flags"], nxm: "NXM_NX_TUN_GBP_FLAGS", oxm: "", bits: 8, word: 22, shift: 8, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(
            ["tun_metadata0"], nxm: "NXM_NX_TUN_METADATA0", oxm: "", bits: 64, word: 23, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata1"], nxm: "NXM_NX_TUN_METADATA1", oxm: "", bits: 64, word: 24, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata2"], nxm: "NXM_NX_TUN_METADATA2", oxm: "", bits: 64, word: 25, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata3"], nxm: "NXM_NX_TUN_METADATA3", oxm: "", bits: 64, word: 26, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata4"], nxm: "NXM_NX_TUN_METADATA4", oxm: "", bits: 64, word: 27, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata5"], nxm: "NXM_NX_TUN_METADATA5", oxm: "", bits: 64, word: 28, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata6"], nxm: "NXM_NX_TUN_METADATA6", oxm: "", bits: 64, word: 29, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata7"], nxm: "NXM_NX_TUN_METADATA7", oxm: "", bits: 64, word: 30, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata8"], nxm: "NXM_NX_TUN_METADATA8", oxm: "", bits: 64, word: 31, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata9"], nxm: "NXM_NX_TUN_METADATA9", oxm: "", bits: 64, word: 32, shift: 0, maskable: true, writable: true, .none, .hexadecimal
        ),
        FieldInfo(
            ["tun_metadata10"], nxm: "NXM_NX_TUN_METADATA10", oxm: "", bits: 64, word: 33, shift: 0, maskable: true, writable: true, .none,
            .hexadecimal),
        FieldInfo(
            ["tun_metadata11"], nxm: "NXM_NX_TUN_METADATA11", oxm: "", bits: 64, word: 34, shift: 0, maskable: true, writable: true, .none,
            .hexadecimal),
        FieldInfo(
            ["tun_metadata12"], nxm: "NXM_NX_TUN_METADATA12", oxm: "", bits: 64, word: 35, shift: 0, maskable: true, writable: true, .none,
            .hexadecimal),
        FieldInfo(
            ["tun_metadata13"], nxm: "NXM_NX_TUN_METADATA13", oxm: "", bits: 64, word: 36, shift: 0, maskable: true, writable: true, .none,
            .hexadecimal),
        FieldInfo(
            ["tun_metadata14"], nxm: "NXM_NX_TUN_METADATA14", oxm: "", bits: 64, word: 37, shift: 0, maskable: true, writable: true, .none,
            .hexadecimal),
        FieldInfo(
            ["tun_metadata15"], nxm: "NXM_NX_TUN_METADATA15", oxm: "", bits: 64, word: 38, shift: 0, maskable: true, writable: true, .none,
            .hexadecimal),
        FieldInfo(["metadata"], nxm: "", oxm: "OXM_OF_METADATA", bits: 64, word: 39, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg0"], nxm: "NXM_NX_REG0", oxm: "", bits: 32, word: 40, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg1"], nxm: "NXM_NX_REG1", oxm: "", bits: 32, word: 40, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg2"], nxm: "NXM_NX_REG2", oxm: "", bits: 32, word: 41, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg3"], nxm: "NXM_NX_REG3", oxm: "", bits: 32, word: 41, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg4"], nxm: "NXM_NX_REG4", oxm: "", bits: 32, word: 42, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg5"], nxm: "NXM_NX_REG5", oxm: "", bits: 32, word: 42, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg6"], nxm: "NXM_NX_REG6", oxm: "", bits: 32, word: 43, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg7"], nxm: "NXM_NX_REG7", oxm: "", bits: 32, word: 43, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg8"], nxm: "NXM_NX_REG8", oxm: "", bits: 32, word: 44, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg9"], nxm: "NXM_NX_REG9", oxm: "", bits: 32, word: 44, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg10"], nxm: "NXM_NX_REG10", oxm: "", bits: 32, word: 45, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg11"], nxm: "NXM_NX_REG11", oxm: "", bits: 32, word: 45, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg12"], nxm: "NXM_NX_REG12", oxm: "", bits: 32, word: 46, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg13"], nxm: "NXM_NX_REG13", oxm: "", bits: 32, word: 46, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg14"], nxm: "NXM_NX_REG14", oxm: "", bits: 32, word: 47, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["reg15"], nxm: "NXM_NX_REG15", oxm: "", bits: 32, word: 47, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg0"], nxm: "", oxm: "OXM_OF_PKT_REG0", bits: 64, word: 40, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg1"], nxm: "", oxm: "OXM_OF_PKT_REG1", bits: 64, word: 41, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg2"], nxm: "", oxm: "OXM_OF_PKT_REG2", bits: 64, word: 42, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg3"], nxm: "", oxm: "OXM_OF_PKT_REG3", bits: 64, word: 43, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg4"], nxm: "", oxm: "OXM_OF_PKT_REG4", bits: 64, word: 44, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg5"], nxm: "", oxm: "OXM_OF_PKT_REG5", bits: 64, word: 45, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg6"], nxm: "", oxm: "OXM_OF_PKT_REG6", bits: 64, word: 46, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xreg7"], nxm: "", oxm: "OXM_OF_PKT_REG7", bits: 64, word: 47, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xxreg0"], nxm: "NXM_NX_XXREG0", oxm: "", bits: 128, word: 40, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xxreg1"], nxm: "NXM_NX_XXREG1", oxm: "", bits: 128, word: 42, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xxreg2"], nxm: "NXM_NX_XXREG2", oxm: "", bits: 128, word: 44, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["xxreg3"], nxm: "NXM_NX_XXREG3", oxm: "", bits: 128, word: 46, shift: 0, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["pkt_mark"], nxm: "NXM_NX_PKT_MARK", oxm: "", bits: 32, word: 48, shift: 32, maskable: true, writable: true, .none, .hexadecimal),
        FieldInfo(["skb_priority"], nxm: "", oxm: "", bits: 32, word: 48, shift: 0, maskable: false, writable: false, .none, .hexadecimal),
        FieldInfo(["conj_id"], nxm: "NXM_NX_CONJ_ID", oxm: "", bits: 32, word: 49, shift: 32, maskable: false, writable: false, .none, .decimal),
        FieldInfo(
            ["actset_output"], nxm: "", oxm: "OXM_OF_ACTSET_OUTPUT", bits: 32, word: 49, shift: 0, maskable: false, writable: false, .none, .port),
        FieldInfo(["pbb_isid"], nxm: "", oxm: "OXM_OF_PBB_ISID", bits: 24, word: 2, shift: 0, maskable: true, writable: true, .pbb, .decimal),
        FieldInfo(["pbb_uca"], nxm: "", oxm: "OXM_OF_PBB_UCA", bits: 1, word: 2, shift: 27, maskable: false, writable: true, .pbb, .decimal),
        FieldInfo(
            ["ipv6_exthdr"], nxm: "", oxm: "OXM_OF_IPV6_EXTHDR", bits: 9, word: 14, shift: 0, maskable: true, writable: false, .ipv6, .hexadecimal),
    ]
}

extension Field {
    /// Whether `set_field` alone may write it, and only as a whole: what says how the rest of the packet is to be read. Open vSwitch refuses these, OpenFlow
    /// allows them (1.3.5 §5.12: all fields but the input port's and the metadata).
    public var isKindOfPayload: Bool { self == .ethType || self == .ipProto || self == .mplsBOS }
}
