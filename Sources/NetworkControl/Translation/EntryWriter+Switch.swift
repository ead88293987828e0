import Flow
import LogicalNetwork
import Wire

/// Entries of logical switches.
extension EntryWriter {
    /// What every switch has: defaults of its stages.
    mutating func switchBase(_ row: Row) {
        let d = row[0]
        let shape = SwitchShape(rawValue: row[1])
        security(d)
        defaults(d, shape, ingress: (.switchIngressAccess, .responder), egress: (.switchEgressAccess, .egressMapping))
        pass(.responder, EntryPriority.fallback, d, .switchBase, to: .forwarding)
        spread(d, .flood, EntryPriority.base, group: 0xffff_ffff_ffff, mask: 0xffff_ffff_ffff, shape.contains(.floodsBroadcast))
        spread(d, .flood, EntryPriority.base - 1, group: 0x0100_0000_0000, mask: 0x0100_0000_0000, shape.contains(.floodsMulticast))
        spread(d, .unknownAddress, EntryPriority.fallback, group: 0, mask: 0, shape.contains(.floodsUnknown))
    }

    private mutating func pass(_ stage: Stage, _ priority: Int, _ datapath: UInt64, _ kind: EntryKind, to next: Stage) {
        var e = draft(stage, priority, kind, datapath: datapath)
        e.next(next)
        add(e)
    }

    private mutating func spread(_ d: UInt64, _ kind: EntryKind, _ priority: Int, group: UInt64, mask: UInt64, _ floods: Bool) {
        var e = draft(.forwarding, priority, kind, datapath: d)
        if mask != 0 { e.require(.ethDst, group, mask: mask) }
        if floods {
            e.load(RegisterMap.egressPort, RegisterMap.flood(of: d))
            e.next(.floodMapping)
        }
        add(e)
    }

    /// What the access stages of a datapath do where no rule speaks. ARP and neighbour discovery pass.
    mutating func defaults(_ d: UInt64, _ shape: SwitchShape, ingress: (Stage, Stage), egress: (Stage, Stage)) {
        for (direction, (stage, next)) in [ingress, egress].enumerated() {
            var e = draft(stage, EntryPriority.fallback, .defaultAccess, datapath: d, detail: UInt64(direction))
            if !shape.contains(.dropsByDefault) { e.next(next) }
            add(e)
            guard shape.contains(.dropsByDefault) else { continue }
            var arp = draft(stage, EntryPriority.base, .defaultAccess, datapath: d, detail: UInt64(direction))
            arp.require(.ethType, 0x0806)
            arp.next(next)
            add(arp)
            for type in [135, 136] as [UInt64] {
                var nd = draft(stage, EntryPriority.base, .defaultAccess, datapath: d, detail: UInt64(direction))
                nd.requireFamily(.ipv6)
                nd.require(.ipProto, 58)
                nd.require(.icmpv6Type, type)
                nd.next(next)
                add(nd)
            }
        }
    }

    /// What holds for every secured port of the switch; the others do not come to these stages.
    private mutating func security(_ d: UInt64) {
        // Asking for an address (RFC 2131 §4.1).
        var dhcp = draft(.addressSecurity, EntryPriority.raised, .portSecurity, datapath: d)
        dhcp.requireFamily(.ipv4)
        dhcp.require(.ipProto, 17)
        dhcp.require(.ipv4Src, 0)
        dhcp.require(.ipv4Dst, 0xffff_ffff)
        dhcp.require(.udpSrc, 68)
        dhcp.require(.udpDst, 67)
        dhcp.next(.switchIngressAccess)
        add(dhcp)
        // From the unspecified address, what is sent before there is any (RFC 4862 §5.4.2).
        for type in [131, 132, 143, 133, 135] as [UInt64] {
            var early = draft(.addressSecurity, EntryPriority.raised, .portSecurity, datapath: d)
            early.requireFamily(.ipv6)
            early.require(.ipProto, 58)
            early.requireSource(.ipv6, 0, 0, 128)
            early.require(.icmpv6Type, type)
            early.next(.neighborSecurity)
            add(early)
        }
        // Neighbour discovery tells no MAC but the sender's own, which the port's entries say; or none.
        var solicit = draft(.neighborSecurity, EntryPriority.high, .portSecurity, datapath: d)
        solicit.requireFamily(.ipv6)
        solicit.require(.ipProto, 58)
        solicit.require(.icmpv6Type, 135)
        solicit.require(.icmpv6Code, 0)
        solicit.require(.ndSLL, 0)
        solicit.next(.switchIngressAccess)
        add(solicit)
        // Options that contradict each other leave no target to be seen (as in Open vSwitch), and look like none; but a receiver takes the first of them.
        var unclear = draft(.neighborSecurity, EntryPriority.highest, .portSecurity, datapath: d)
        unclear.requireFamily(.ipv6)
        unclear.require(.ipProto, 58)
        unclear.require(.icmpv6Type, 135)
        unclear.requireWide(.ndTarget, 0, 0)
        add(unclear)
        // Of fragments the type is not seen. Neighbour discovery is never fragmented (RFC 6980), and bears the hop limit 255 (RFC 4861 §6.1, §7.1).
        var fragment = draft(.neighborSecurity, EntryPriority.highest, .portSecurity, datapath: d)
        fragment.requireFamily(.ipv6)
        fragment.require(.ipFrag, 1, mask: 1)
        fragment.require(.ipTTL, 255)
        add(fragment)
        // A workload is no router: 134 and 137 would lead others astray.
        for type in [134, 135, 136, 137] as [UInt64] {
            var others = draft(.neighborSecurity, EntryPriority.raised, .portSecurity, datapath: d)
            others.requireFamily(.ipv6)
            others.require(.ipProto, 58)
            others.require(.icmpv6Type, type)
            add(others)
        }
        pass(.neighborSecurity, EntryPriority.fallback, d, .switchBase, to: .switchIngressAccess)
    }

    /// Frames from a workload bear its MAC, and no VLAN tag (spec: first line against spoofing).
    mutating func portSecurity(_ row: Row) {
        let (d, p, mac) = (row[0], row[1], row[2])
        guard let mode = PortSecurityMode(rawValue: row[3]), mode != .none else {
            var e = draft(.portSecurity, EntryPriority.normal, .portSecurity, datapath: d, ingress: p)
            e.next(.switchIngressAccess)
            add(e)
            return
        }
        var e = draft(.portSecurity, EntryPriority.normal, .portSecurity, datapath: d, ingress: p)
        e.require(.ethSrc, mac)
        e.require(.vlanTCI, 0, mask: 0x1000)
        e.next(.addressSecurity)
        add(e)
        if mode == .mac {
            for family in [IPAddress.Family.ipv4, .ipv6] {
                var ip = draft(.addressSecurity, EntryPriority.normal, .portSecurity, datapath: d, ingress: p)
                ip.requireFamily(family)
                ip.next(.neighborSecurity)
                add(ip)
            }
            arp(d, p, mac, sender: nil)
        } else {
            // Probing for an address before it is used (RFC 5227 §2.1.1).
            arp(d, p, mac, sender: 0)
            // Its link-local address (RFC 4291 appendix A).
            source(d, p, IPAddress.linkLocal(of: mac))
            advertisement(d, p, mac, target: IPAddress.linkLocal(of: mac))
        }
        var solicit = draft(.neighborSecurity, EntryPriority.high, .portSecurity, datapath: d, ingress: p)
        solicit.requireFamily(.ipv6)
        solicit.require(.ipProto, 58)
        solicit.require(.icmpv6Type, 135)
        solicit.require(.icmpv6Code, 0)
        solicit.require(.ndSLL, mac)
        solicit.next(.switchIngressAccess)
        add(solicit)
        guard mode == .mac else { return }
        for link in [mac, 0] {
            var advert = draft(.neighborSecurity, EntryPriority.high, .portSecurity, datapath: d, ingress: p)
            advert.requireFamily(.ipv6)
            advert.require(.ipProto, 58)
            advert.require(.icmpv6Type, 136)
            advert.require(.icmpv6Code, 0)
            advert.require(.ndTLL, link)
            advert.next(.switchIngressAccess)
            add(advert)
        }
    }

    /// Packets from a workload bear its addresses.
    mutating func addressSecurity(_ row: Row) {
        let (d, p, mac) = (row[0], row[1], row[2])
        let address = IPAddress(family: IPAddress.Family(rawValue: row[3])!, high: row[4], low: row[5])
        // Its link-local address is allowed already when it is the one made of its MAC.
        if address == IPAddress.linkLocal(of: mac) { return }
        source(d, p, address)
        if address.family == .ipv4 { arp(d, p, mac, sender: address.low) } else { advertisement(d, p, mac, target: address) }
    }

    private mutating func source(_ d: UInt64, _ p: UInt64, _ address: IPAddress) {
        var e = draft(.addressSecurity, EntryPriority.normal, .addressSecurity, datapath: d, ingress: p)
        e.requireFamily(address.family)
        e.requireSource(address.family, address.high, address.low, address.family.bits)
        e.next(address.family == .ipv4 ? .switchIngressAccess : .neighborSecurity)
        add(e)
    }

    private mutating func arp(_ d: UInt64, _ p: UInt64, _ mac: UInt64, sender: UInt64?) {
        var e = draft(.addressSecurity, EntryPriority.normal, .addressSecurity, datapath: d, ingress: p)
        e.require(.ethType, 0x0806)
        e.require(.arpSHA, mac)
        if let sender { e.require(.arpSPA, sender) }
        e.next(.switchIngressAccess)
        add(e)
    }

    private mutating func advertisement(_ d: UInt64, _ p: UInt64, _ mac: UInt64, target: IPAddress) {
        for link in [mac, 0] {
            var e = draft(.neighborSecurity, EntryPriority.high, .addressSecurity, datapath: d, ingress: p)
            e.requireFamily(.ipv6)
            e.require(.ipProto, 58)
            e.require(.icmpv6Type, 136)
            e.require(.icmpv6Code, 0)
            e.requireWide(.ndTarget, target.high, target.low)
            e.require(.ndTLL, link)
            e.next(.switchIngressAccess)
            add(e)
        }
    }

    /// Destination MAC to logical port (rows 6101 and 6208; B06).
    mutating func forwarding(_ row: Row) {
        var e = draft(.forwarding, EntryPriority.normal, .forwarding, datapath: row[0], detail: row[2])
        e.require(.ethDst, row[1])
        e.load(RegisterMap.egressPort, row[2])
        if row[3] == 1 {
            // Who delivers goes on behind this stage (B81).
            e.load(RegisterMap.stage, UInt64(Stage.forwarding.rawValue))
            e.next(.egressMapping)
        } else {
            e.markDone()
            e.next(.switchEgressAccess)
        }
        add(e)
    }

    /// Addresses that no port has are in the external network.
    mutating func unknownAddress(_ row: Row) {
        var e = draft(.forwarding, EntryPriority.base - 5, .unknownAddress, datapath: row[0], detail: row[1])
        e.load(RegisterMap.egressPort, row[1])
        e.markDone()
        e.next(.switchEgressAccess)
        add(e)
    }

    /// ARP and neighbour discovery for a router port, answered where they are asked (B105b), and copied to the other ports if the switch says so (B104).
    mutating func responder(_ row: Row) {
        let (d, mac, copies) = (row[0], row[4], row[5] == 1)
        let address = IPAddress(family: IPAddress.Family(rawValue: row[1])!, high: row[2], low: row[3])
        if address.family == .ipv4 {
            var e = draft(.responder, EntryPriority.normal, .responder, datapath: d)
            e.require(.ethType, 0x0806)
            e.require(.arpOp, 1)
            e.require(.arpTPA, address.low)
            if copies { flood(&e, d) }
            e.move(.ethSrc, .ethDst)
            e.load(.ethSrc, mac)
            e.load(.arpOp, 2)
            e.move(.arpSHA, .arpTHA)
            e.load(.arpSHA, mac)
            e.move(.arpSPA, .arpTPA)
            e.load(.arpSPA, address.low)
            answer(&e)
            return
        }
        for isProbe in [false, true] {
            var e = draft(.responder, isProbe ? EntryPriority.raised : EntryPriority.normal, .responder, datapath: d)
            e.requireFamily(.ipv6)
            e.require(.ipProto, 58)
            e.require(.icmpv6Type, 135)
            e.require(.icmpv6Code, 0)
            e.require(.ipTTL, 255)
            e.requireWide(.ndTarget, address.high, address.low)
            // Who has no address yet hears that the address is taken: answered to all nodes (RFC 4861 §7.2.4).
            if isProbe { e.requireSource(.ipv6, 0, 0, 128) }
            if copies { flood(&e, d) }
            e.move(.ethSrc, .ethDst)
            e.load(.ethSrc, mac)
            if isProbe { e.loadAddress(.ipv6Dst, 0xff02_0000_0000_0000, 1) } else { e.move(.ipv6Src, .ipv6Dst) }
            e.loadAddress(.ipv6Src, address.high, address.low)
            e.load(.icmpv6Type, 136)
            // Router, override; solicited unless nobody could be told so.
            e.load(.ndReserved, isProbe ? 0xa000_0000 : 0xe000_0000)
            e.load(.ndOptionsType, 2)
            e.next(.neighborAnswer)
            add(e)
        }
        var e = draft(.neighborAnswer, EntryPriority.normal, .responder, datapath: d)
        e.requireFamily(.ipv6)
        e.require(.ipProto, 58)
        e.require(.icmpv6Type, 136)
        e.require(.icmpv6Code, 0)
        e.requireWide(.ndTarget, address.high, address.low)
        e.load(.ndTLL, mac)
        answer(&e)
    }

    /// A copy to all ports; what it leaves in the registers, the answer's way sets anew.
    private func flood(_ e: inout EntryDraft, _ datapath: UInt64) {
        e.load(RegisterMap.egressPort, RegisterMap.flood(of: datapath))
        e.next(.floodMapping)
    }

    /// Sends the packet back where it came from.
    private mutating func answer(_ e: inout EntryDraft) {
        e.move(RegisterMap.ingressPort.bits, RegisterMap.egressPort.bits)
        e.markDone()
        e.forgetInPort()
        e.next(.egressMapping)
        add(e)
    }
}

extension EntryDraft {
    mutating func requireWide(_ field: Field, _ high: UInt64, _ low: UInt64) {
        requireValue(field, FieldValue(high: high, low: low), mask: .ones(field.info.bits))
    }
}

extension IPAddress {
    /// The link-local address that a host makes of its MAC (RFC 4291 §2.5.1 and appendix A).
    static func linkLocal(of mac: UInt64) -> IPAddress {
        let upper = mac >> 24 ^ 0x02_0000
        return IPAddress(family: .ipv6, high: 0xfe80_0000_0000_0000, low: upper << 40 | 0xff_fe00_0000 | mac & 0xff_ffff)
    }
}
