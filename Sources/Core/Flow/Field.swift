/// Every field a flow entry can match, load or move: those of OpenFlow 1.3–1.5 and the Nicira extensions (ovs-fields(7)).
///
/// `info` is the one table of what a field is: its names in text, its width, where its bits lie in a `FlowKey`, whether it may be masked
/// or written, and which packets have it at all.
public enum Field: UInt8, CaseIterable, Sendable, Hashable {
    case inPort
    case ethDst
    case ethSrc
    case ethType
    case vlanTCI
    case vlanVID
    case vlanPCP
    case dlVLAN
    case dlVLANPCP
    case innerVLANTCI
    case mplsLabel
    case mplsTC
    case mplsBOS
    case mplsTTL
    case ipv4Src
    case ipv4Dst
    case ipv6Src
    case ipv6Dst
    case ipv6Label
    case ipProto
    case ipTOS
    case ipDSCP
    case ipECN
    case ipTTL
    case ipFrag
    case arpOp
    case arpSPA
    case arpTPA
    case arpSHA
    case arpTHA
    case tcpSrc
    case tcpDst
    case udpSrc
    case udpDst
    case sctpSrc
    case sctpDst
    case tcpFlags
    case icmpType
    case icmpCode
    case icmpv6Type
    case icmpv6Code
    case ndTarget
    case ndSLL
    case ndTLL
    case ndReserved
    case ndOptionsType
    case tunnelID
    case tunnelSrc
    case tunnelDst
    case tunnelIPv6Src
    case tunnelIPv6Dst
    case tunnelFlags
    case tunnelTTL
    case tunnelTOS
    case tunnelGBPID
    case tunnelGBPFlags
    case tunnelMetadata0
    case tunnelMetadata1
    case tunnelMetadata2
    case tunnelMetadata3
    case tunnelMetadata4
    case tunnelMetadata5
    case tunnelMetadata6
    case tunnelMetadata7
    case tunnelMetadata8
    case tunnelMetadata9
    case tunnelMetadata10
    case tunnelMetadata11
    case tunnelMetadata12
    case tunnelMetadata13
    case tunnelMetadata14
    case tunnelMetadata15
    case metadata
    case reg0
    case reg1
    case reg2
    case reg3
    case reg4
    case reg5
    case reg6
    case reg7
    case reg8
    case reg9
    case reg10
    case reg11
    case reg12
    case reg13
    case reg14
    case reg15
    case xreg0
    case xreg1
    case xreg2
    case xreg3
    case xreg4
    case xreg5
    case xreg6
    case xreg7
    case xxreg0
    case xxreg1
    case xxreg2
    case xxreg3
    case packetMark
    case skbPriority
    case conjunctionID
    case actsetOutput
    case pbbISID
    case pbbUCA
    case ipv6ExtensionHeaders

    /// What this field is.
    @inline(__always) public var info: FieldInfo { FieldInfo.table[Int(rawValue)] }

    /// `reg0`…`reg15` by number.
    public static func register(_ n: Int) -> Field { Field(rawValue: Field.reg0.rawValue + UInt8(n))! }

    /// The field with this name: any of its `ovs-ofctl` names or its NXM or OXM name, case-sensitive.
    public static func named(_ name: String) -> Field? { byName[name] }

    private static let byName: [String: Field] = {
        var names: [String: Field] = [:]
        for f in allCases {
            for n in f.info.names { names[n] = f }
            if !f.info.nxm.isEmpty { names[f.info.nxm] = f }
            if !f.info.oxm.isEmpty { names[f.info.oxm] = f }
        }
        return names
    }()
}
