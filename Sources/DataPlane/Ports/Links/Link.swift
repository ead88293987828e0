import CLinux

/// A network device as the kernel describes it (RTM_NEWLINK).
public struct Link: Equatable, Sendable {
    public var name = ""
    /// The kernel's number for it; a device that is made again gets another.
    public var index: Int32 = 0
    /// IFF_ flags.
    public var flags: UInt32 = 0
    public var mtu = 1500
    public var address: [UInt8] = []
    /// `veth`, `tun`, `vxlan`…; empty for hardware.
    public var kind = ""

    public var isUp: Bool { flags & 0x1 != 0 }
    /// Carrier present (IFF_LOWER_UP).
    public var hasCarrier: Bool { flags & 0x1_0000 != 0 }

    var status: PortStatus {
        var status = PortStatus()
        status.isUp = isUp
        status.hasLink = hasCarrier
        status.mtu = mtu
        return status
    }

    /// Reads the body of an RTM_NEWLINK or RTM_DELLINK message; nil when it is not that long or has no name.
    init?(_ body: UnsafeRawBufferPointer) {
        guard body.count >= MemoryLayout<ifinfomsg>.size else { return nil }
        let header = body.loadUnaligned(as: ifinfomsg.self)
        index = header.ifi_index
        flags = header.ifi_flags
        NetlinkReading.attributes(in: body, from: MemoryLayout<ifinfomsg>.size) { type, value in
            switch type {
            case IFLA_IFNAME: name = Self.text(value)
            case IFLA_MTU where value.count >= 4: mtu = Int(value.loadUnaligned(as: UInt32.self))
            case IFLA_ADDRESS: address = Array(value)
            case IFLA_LINKINFO:
                NetlinkReading.attributes(in: value, from: 0) { if $0 == IFLA_INFO_KIND { kind = Self.text($1) } }
            default: break
            }
        }
        if name.isEmpty { return nil }
    }

    private static func text(_ value: UnsafeRawBufferPointer) -> String { String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }
}
