import Flow
import LogicalNetwork

/// Entries of logical routers.
extension EntryWriter {
    /// What every router has: defaults of its stages, and packets whose time is up.
    mutating func routerBase(_ row: Row) {
        let d = row[0]
        defaults(
            d, SwitchShape(rawValue: row[1]), ingress: (.routerIngressAccess, .routerLocal), egress: (.routerEgressAccess, .resolution))
        for (stage, next) in [(Stage.routerLocal, Stage.policyRouting), (.policyRouting, .routing)] {
            var e = draft(stage, EntryPriority.fallback, .routerBase, datapath: d)
            e.next(next)
            add(e)
        }
        for family in [IPAddress.Family.ipv4, .ipv6] {
            for ttl in [0, 1] as [UInt64] {
                var e = draft(.routerLocal, EntryPriority.raised, .timeExceeded, datapath: d)
                e.requireFamily(family)
                e.require(.ipTTL, ttl)
                e.ask(.timeExceeded)
                add(e)
            }
        }
        var e = draft(.routing, EntryPriority.fallback, .noRoute, datapath: d)
        e.ask(.noRoute)
        add(e)
    }

    /// What is sent to the router port's own MAC enters.
    mutating func routerAdmission(_ row: Row) {
        for family in [IPAddress.Family.ipv4, .ipv6] {
            var e = draft(.routerAdmission, EntryPriority.normal, .routerAdmission, datapath: row[0], ingress: row[1])
            e.requireFamily(family)
            e.require(.ethDst, row[2])
            e.next(.routerIngressAccess)
            add(e)
        }
    }

    /// Echo requests to the router are answered; anything else to it ends (gap 3 of 001a).
    mutating func ownAddress(_ row: Row) {
        let d = row[0]
        let address = IPAddress(family: IPAddress.Family(rawValue: row[1])!, high: row[2], low: row[3])
        var echo = draft(.routerLocal, EntryPriority.highest, .routerOwnAddress, datapath: d)
        echo.requireFamily(address.family)
        echo.requireDestination(address.family, address.high, address.low, address.family.bits)
        echo.require(.ipProto, address.family == .ipv4 ? 1 : 58)
        if address.family == .ipv4 {
            echo.require(.icmpType, 8)
            echo.require(.icmpCode, 0)
            echo.move(.ipv4Src, .ipv4Dst)
            echo.load(.ipv4Src, address.low)
            echo.load(.icmpType, 0)
        } else {
            echo.require(.icmpv6Type, 128)
            echo.require(.icmpv6Code, 0)
            echo.move(.ipv6Src, .ipv6Dst)
            echo.loadAddress(.ipv6Src, address.high, address.low)
            echo.load(.icmpv6Type, 129)
        }
        // 64 when it leaves (RFC 1700, "IP time to live"), for it is routed from here.
        echo.load(.ipTTL, 65)
        echo.next(.routing)
        add(echo)
        if address.family == .ipv6 { linkLocalEcho(d, address) }
        var other = draft(.routerLocal, EntryPriority.high, .routerOwnAddress, datapath: d)
        other.requireFamily(address.family)
        other.requireDestination(address.family, address.high, address.low, address.family.bits)
        add(other)
    }

    /// Echo requests from link-local addresses, which are not routed: answered by the port that they came by, to the MAC that they came from.
    private mutating func linkLocalEcho(_ d: UInt64, _ address: IPAddress) {
        var e = draft(.routerLocal, EntryPriority.highest + 1, .routerOwnAddress, datapath: d)
        e.requireFamily(.ipv6)
        e.requireSource(.ipv6, 0xfe80_0000_0000_0000, 0, 10)
        e.requireDestination(.ipv6, address.high, address.low, 128)
        e.require(.ipProto, 58)
        e.require(.icmpv6Type, 128)
        e.require(.icmpv6Code, 0)
        let scratch = Subfield(RegisterMap.nextHopAddress.bits.field, offset: 0, count: 48)
        e.move(Subfield(.ethDst), scratch)
        e.move(.ethSrc, .ethDst)
        e.move(scratch, Subfield(.ethSrc))
        e.move(.ipv6Src, .ipv6Dst)
        e.loadAddress(.ipv6Src, address.high, address.low)
        e.load(.icmpv6Type, 129)
        e.load(.ipTTL, 64)
        e.move(RegisterMap.ingressPort.bits, RegisterMap.egressPort.bits)
        e.markDone()
        e.forgetInPort()
        e.next(.egressMapping)
        add(e)
    }

    /// (FW-020…FW-029)
    mutating func policy(_ row: Row) {
        let lengths = Packed.lengths(row[4])
        var e = draft(.policyRouting, Int(row[2]), .policy, datapath: row[0], detail: row[1])
        if row[3] != 0 { e.require(RegisterMap.ingressPort, row[3]) }
        if let family = IPAddress.Family(rawValue: lengths.family) {
            e.requireFamily(family)
            e.requireSource(family, row[5], row[6], lengths.source)
            e.requireDestination(family, row[7], row[8], lengths.destination)
        }
        take(&e, row[9])
    }

    /// Destination prefix to next hop; the longest prefix has the highest priority (B10, B115, B120).
    mutating func route(_ row: Row) {
        let family = IPAddress.Family(rawValue: row[1])!
        var e = draft(.routing, Int(row[5]), .route, datapath: row[0], detail: row[6])
        e.requireFamily(family)
        e.requireDestination(family, row[2], row[3], Int(row[4]))
        take(&e, row[6])
    }

    /// Goes on with a next hop; 0 is none.
    private mutating func take(_ e: inout EntryDraft, _ nextHop: UInt64) {
        if nextHop != 0 {
            e.load(RegisterMap.nextHop, nextHop)
            e.next(.nextHop)
        }
        add(e)
    }

    /// (B116, B120, A-064, A-068)
    mutating func nextHop(_ row: Row) {
        let family = IPAddress.Family(rawValue: row[2])!
        var e = draft(.nextHop, EntryPriority.normal, .nextHop, datapath: row[0], detail: row[1])
        e.requireFamily(family)
        e.require(RegisterMap.nextHop, row[1])
        let isOwn = row[3] == 0 && row[4] == 0
        if family == .ipv4 {
            if isOwn { e.move(Subfield(.ipv4Dst), RegisterMap.nextHopIPv4) } else { e.load(RegisterMap.nextHopIPv4, row[4]) }
        } else if isOwn {
            e.move(Subfield(.ipv6Dst), RegisterMap.nextHopAddress.bits)
        } else {
            e.loadAddress(RegisterMap.nextHopAddress.bits.field, row[3], row[4])
        }
        e.load(RegisterMap.egressPort, row[5])
        e.load(.ethSrc, row[6])
        e.act(.decTTL())
        e.next(.routerEgressAccess)
        add(e)
    }

    /// Address to MAC at a router port (B12, B96): outranks the question that the subnet stands for (B28).
    mutating func resolution(_ row: Row) {
        var e = resolutionDraft(row)
        e.next(.egressMapping)
        add(e)
    }

    func resolutionDraft(_ row: Row) -> EntryDraft {
        let family = IPAddress.Family(rawValue: row[2])!
        var e = draft(.resolution, EntryPriority.normal + 1, .resolution, datapath: row[0], egress: row[1])
        requireNextHop(&e, family, row[3], row[4], family.bits)
        e.load(.ethDst, row[5])
        return e
    }

    /// Rows 6104 and 6211: an address of the subnet that nobody is known to have. The L3 daemon will be asked here; without one the packet ends (B92).
    mutating func unresolved(_ row: Row) {
        let family = IPAddress.Family(rawValue: row[2])!
        let net = IPAddress(family: family, high: row[3], low: row[4]).masked(Int(row[5]))
        var e = draft(.resolution, EntryPriority.normal, .unresolved, datapath: row[0], egress: row[1])
        requireNextHop(&e, family, net.high, net.low, Int(row[5]))
        add(e)
    }

    private func requireNextHop(_ e: inout EntryDraft, _ family: IPAddress.Family, _ high: UInt64, _ low: UInt64, _ length: Int) {
        e.requireFamily(family)
        let mask = IPAddress.mask(family, length)
        if family == .ipv4 {
            e.require(RegisterMap.nextHopIPv4.field, low, mask: mask.low)
        } else {
            e.requireValue(RegisterMap.nextHopAddress.bits.field, FieldValue(high: high, low: low), mask: FieldValue(high: mask.high, low: mask.low))
        }
    }

    /// A port that is coupled to another datapath's (rows 6102, 6103; B118, B150).
    mutating func link(_ row: Row) {
        var e = draft(.egressMapping, EntryPriority.normal, .link, datapath: row[0], egress: row[1])
        e.load(RegisterMap.datapath, row[2])
        e.load(RegisterMap.ingressPort, row[3])
        // What went through a router may leave by the port by which it came.
        e.forgetInPort()
        e.next(row[4] == 1 ? .routerAdmission : .switchIngressAccess)
        add(e)
    }

    /// A port's host (2675, B14).
    mutating func egressHost(_ row: Row) {
        var e = draft(.egressMapping, EntryPriority.normal, .egressHost, datapath: row[0], egress: row[1])
        e.load(RegisterMap.host, row[2])
        e.load(RegisterMap.check, checks.ofPort(row[1]))
        e.next(.physicalMapping)
        add(e)
    }
}
