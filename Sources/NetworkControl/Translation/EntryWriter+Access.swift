import Flow
import LogicalNetwork

/// Entries of access rules, on switches and routers, in both directions (B05, B07, B09, B11).
extension EntryWriter {
    mutating func access(_ row: Row) {
        let (d, rule, port, priority) = (row[0], row[1], row[3], Int(row[4]))
        let shape = AccessShape(packed: row[2])
        let lengths = Packed.lengths(row[5])
        let stages: (here: Stage, next: Stage) =
            switch (shape.isRouter, shape.isIngress) {
            case (false, true): (.switchIngressAccess, .responder)
            case (false, false): (.switchEgressAccess, .egressMapping)
            case (true, true): (.routerIngressAccess, .routerLocal)
            case (true, false): (.routerEgressAccess, .resolution)
            }
        var e = draft(stages.here, priority, .access, datapath: d, detail: rule)
        if port != 0 { e.require(shape.isIngress ? RegisterMap.ingressPort : RegisterMap.egressPort, port) }
        if lengths.family == 1 { e.require(.ethType, 0x0806) }
        if let family = IPAddress.Family(rawValue: lengths.family) {
            e.requireFamily(family)
            e.requireSource(family, row[6], row[7], lengths.source)
            e.requireDestination(family, row[8], row[9], lengths.destination)
            if let transport = shape.transport {
                e.require(.ipProto, UInt64(transport))
                ports(&e, transport, row[10])
            }
        }
        if row[11] != 0 { extra(&e, extras[row[11]], shape.transport) }
        switch shape.verdict {
        case 0: e.next(stages.next)
        case 2: e.ask(.reject)
        default: break
        }
        add(e)
    }

    private func ports(_ e: inout EntryDraft, _ transport: UInt8, _ packed: UInt64) {
        let fields: (Field, Field) = transport == 6 ? (.tcpSrc, .tcpDst) : transport == 17 ? (.udpSrc, .udpDst) : (.sctpSrc, .sctpDst)
        for (field, block) in [(fields.0, packed >> 32), (fields.1, packed & 0xffff_ffff)] where block & 0xffff != 0 {
            e.require(field, block >> 16, mask: block & 0xffff)
        }
    }

    private func extra(_ e: inout EntryDraft, _ extra: AccessExtras, _ transport: UInt8?) {
        if let mac = extra.sourceMAC { e.require(.ethSrc, mac) }
        if let mac = extra.destinationMAC { e.require(.ethDst, mac) }
        let fields: (Field, Field) = transport == 58 ? (.icmpv6Type, .icmpv6Code) : (.icmpType, .icmpCode)
        if let type = extra.icmpType { e.require(fields.0, UInt64(type)) }
        if let code = extra.icmpCode { e.require(fields.1, UInt64(code)) }
    }
}
