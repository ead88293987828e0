import CLinux
import Glibc

/// Changes to devices: addresses, MTU, up, and the guard at a device's ingress.
extension LinkMonitor {
    /// Sets what is given of a device; nil, or what went wrong.
    func configure(index: Int32, mtu: Int? = nil, address: [UInt8]? = nil, up: Bool = false) -> PortError? {
        // The address first: some devices take one only while they are down.
        if let address {
            var message = NetlinkMessage(Int(RTM_NEWLINK), body: ifinfomsg(index: index))
            message.attribute(IFLA_ADDRESS, address)
            let code = request(message)
            if code != 0 { return PortError("cannot set the address: \(errorText(code))") }
        }
        if let mtu {
            var message = NetlinkMessage(Int(RTM_NEWLINK), body: ifinfomsg(index: index))
            message.attribute(IFLA_MTU, UInt32(mtu))
            let code = request(message)
            if code != 0 { return PortError("cannot set the MTU to \(mtu): \(errorText(code))") }
        }
        if up {
            let code = request(NetlinkMessage(Int(RTM_NEWLINK), body: ifinfomsg(index: index, up: true)))
            if code != 0 { return PortError("cannot bring it up: \(errorText(code))") }
        }
        return nil
    }

    /// Removes a device; 0, or an errno value.
    func removeLink(index: Int32) -> Int32 { request(NetlinkMessage(Int(RTM_DELLINK), body: ifinfomsg(index: index))) }

    /// Has the host's own protocols see nothing of what arrives at a device, while packet sockets still do: they come first.
    ///
    /// The first filter of the device's `clsact` qdisc is a two-word classic BPF program that drops everything, which needs neither another kernel
    /// module than cls_bpf nor a capability beyond CAP_NET_ADMIN. A filter of ours that was left behind is taken over.
    /// - Returns: 0, or an errno value.
    func installIngressGuard(index: Int32) -> Int32 {
        var qdisc = NetlinkMessage(
            Int(RTM_NEWQDISC), flags: NLM_F_CREATE | NLM_F_EXCL, body: tcmsg(index: index, parent: 0xffff_fff1, handle: 0xffff_0000))
        qdisc.attribute(TCA_KIND, "clsact")
        let code = request(qdisc)
        if code != 0, code != EEXIST { return code }
        var filter = NetlinkMessage(Int(RTM_NEWTFILTER), flags: NLM_F_CREATE | NLM_F_EXCL, body: guardBody(index))
        filter.attribute(TCA_KIND, "bpf")
        filter.nest(TCA_OPTIONS) { options in
            options.attribute(TCA_BPF_OPS_LEN, UInt16(1))
            // BPF_RET | BPF_K with TC_ACT_SHOT.
            options.attribute(TCA_BPF_OPS, withUnsafeBytes(of: sock_filter(code: 6, jt: 0, jf: 0, k: UInt32(TC_ACT_SHOT))) { Array($0) })
            options.attribute(TCA_BPF_FLAGS, UInt32(TCA_BPF_FLAG_ACT_DIRECT))
        }
        let added = request(filter)
        return added == EEXIST ? 0 : added
    }

    /// Takes the guard away, and the qdisc with it unless it has filters of others.
    func removeIngressGuard(index: Int32) {
        _ = request(NetlinkMessage(Int(RTM_DELTFILTER), body: guardBody(index)))
        for hook: UInt32 in [0xffff_fff2, 0xffff_fff3] {
            let filters = NetlinkMessage(Int(RTM_GETTFILTER), flags: NLM_F_DUMP, body: tcmsg(index: index, parent: hook, handle: 0))
            guard count(filters) == 0 else { return }
        }
        _ = request(NetlinkMessage(Int(RTM_DELQDISC), body: tcmsg(index: index, parent: 0xffff_fff1, handle: 0xffff_0000)))
    }

    /// Handle 1 of priority 1, all protocols, at the ingress of `clsact`.
    private func guardBody(_ index: Int32) -> tcmsg {
        var body = tcmsg(index: index, parent: 0xffff_fff2, handle: 1)
        body.tcm_info = 1 << 16 | UInt32(UInt16(0x0003).bigEndian)
        return body
    }
}

extension ifinfomsg {
    init(index: Int32, up: Bool = false) {
        self.init()
        ifi_index = index
        if up {
            ifi_flags = 1
            ifi_change = 1
        }
    }
}

extension tcmsg {
    init(index: Int32, parent: UInt32, handle: UInt32) {
        self.init()
        tcm_ifindex = index
        tcm_parent = parent
        tcm_handle = handle
    }
}

// Enumerations of the C headers, as attribute types.
let IFLA_IFNAME = 3, IFLA_ADDRESS = 1, IFLA_MTU = 4, IFLA_LINKINFO = 18, IFLA_INFO_KIND = 1
let TCA_KIND = 1, TCA_OPTIONS = 2
let TCA_BPF_OPS_LEN = 4, TCA_BPF_OPS = 5, TCA_BPF_FLAGS = 8
