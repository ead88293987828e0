import Flow

/// Which bits of a packet's metadata carry what of the logical context (spec 000-017, A-085, B03). Only this module knows it.
///
/// The fields differ in their bits; a test holds that. Places of later parts are kept free: the slice and service port of middleboxes, the scratch
/// registers of flow templates, the mark bits of traces (bit 0 of `marks` is the trace bit).
public enum RegisterMap {
    /// A named range of bits.
    public struct Place: Sendable, Hashable {
        public let name: String
        public let bits: Subfield
        init(_ name: String, _ field: Field, _ offset: Int = 0, _ count: Int? = nil) {
            self.name = name
            bits = Subfield(field, offset: offset, count: count)
        }
        var largest: UInt64 { FieldValue.ones(bits.count).low }
    }

    /// The logical datapath that the packet is in.
    public static let datapath = Place("datapath", .metadata, 0, 24)
    /// The logical port by which it came into that datapath.
    public static let ingressPort = Place("ingress", .reg0)
    /// The logical port, or the flood of a switch (`flood(of:)`), by which it leaves.
    public static let egressPort = Place("egress", .reg1)
    /// The host of the egress port.
    public static let host = Place("host", .reg2, 0, 16)
    /// The last stage that is complete, for the host that goes on (spec B04, A-090).
    public static let stage = Place("stage", .reg2, 16, 8)
    /// The next hop that routing chose (spec B120).
    public static let nextHop = Place("next hop", .reg3)
    /// The address to resolve: IPv6 whole, IPv4 in the low 32 bits.
    public static let nextHopAddress = Place("next hop address", .xxreg1)
    /// Marks that travel with the packet; bit 0: traced.
    public static let marks = Place("marks", .reg8)
    /// Which slice of a middlebox, and the port towards it.
    public static let slice = Place("slice", .reg9, 0, 16)
    public static let servicePort = Place("service port", .reg9, 16, 16)
    /// 24 bits of the name of the egress port, or of the switch for a flood: who delivers compares it, so that hosts which number ports differently, for
    /// a moment or by mistake, lose packets rather than deliver them to another tenant.
    public static let check = Place("check", .reg10, 0, 24)
    /// The port of the tunnel that was chosen on the way to a host.
    public static let tunnelPort = Place("tunnel port", .reg11, 0, 16)
    /// Scratch of flow templates and the daemons that fill them.
    public static let template = Place("template", .xxreg3)

    public static let all = [
        datapath, ingressPort, egressPort, host, stage, nextHop, nextHopAddress, marks, slice, servicePort, check, tunnelPort, template,
    ]

    /// Whether the egress is a flood.
    static let floodBit = Subfield(.reg1, offset: 24, count: 1)

    /// The low half of `nextHopAddress`, where an IPv4 address lies.
    static let nextHopIPv4 = Subfield(.reg7)

    /// Identifiers of ports have 24 bits, and so have those of datapaths: both fit into the context that travels.
    public static let identifierLimit: UInt64 = 0xff_fffe
    public static let identifierMask: UInt64 = 0xff_ffff
    /// The egress that means all ports of a switch.
    public static func flood(of datapath: UInt64) -> UInt64 { 0x0100_0000 | datapath }
}

/// The logical context as it travels between hosts: Geneve's critical option, `tun_metadata0`, with the marks in `tun_metadata1` (Docs/Tunnels.md), and
/// the host meant in `tun_metadata2` when a pool node relays.
///
/// The egress port alone says where the packet is to go, without naming a tenant (spec B135, B136); the stage says what is left to do (B82), the ingress
/// port serves access rules at the last hop. `tun_id` is the check of the egress port's name.
public enum CarriedContext {
    public static let egressPort = Subfield(.tunnelMetadata0, offset: 0, count: 32)
    public static let stage = Subfield(.tunnelMetadata0, offset: 32, count: 8)
    public static let ingressPort = Subfield(.tunnelMetadata0, offset: 40, count: 24)
    public static let marks = Subfield(.tunnelMetadata1, offset: 0, count: 32)
    public static let check = Subfield(.tunnelID, offset: 0, count: 24)
    /// The host for which the pool node is to relay; 0 at the host itself. An option of its own, which only packets by way of a pool node carry.
    public static let relay = Subfield(.tunnelMetadata2, offset: 0, count: 16)
    public static let all = [egressPort, stage, ingressPort, marks, check, relay]
}
