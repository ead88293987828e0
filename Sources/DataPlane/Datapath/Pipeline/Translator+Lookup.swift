import CLinux
import Flow

/// Looking the flow up in tables.
extension Translator {
    /// Looks the flow up in a table, as if it came in at `inPort`, and runs what matches.
    ///
    /// Of a fragment, even the first, the ports count as zero (Open vSwitch's `frag_handling` "normal"), since the fragments after it lack them.
    func lookup(table: UInt8, inPort port: UInt32, deepens: Bool = false) {
        let oldTable = tableID
        let oldPorts = key[FlowKeyLayout.inPortFlags]
        let oldTransport = key[FlowKeyLayout.transport]
        tableID = table
        // The cache compares changed entries with the packet's own values, which are not the ones looked up here.
        if port != UInt32(truncatingIfNeeded: oldPorts >> 32) {
            key[FlowKeyLayout.inPortFlags] = oldPorts & 0xffff_ffff | UInt64(port) << 32
            builder.writtenWords |= 1 << UInt64(FlowKeyLayout.inPortFlags)
        }
        if oldTransport & FrameParser.Fragment.any != 0, oldTransport >> 32 != 0 {
            key[FlowKeyLayout.transport] = oldTransport & 0xffff_ffff
            builder.writtenWords |= 1 << UInt64(FlowKeyLayout.transport)
        }
        let head = FlowTables.head(shared, Int(table))
        builder.visit(table: Int(table))
        if let union = head.union {
            let n = union.count
            var i = 0
            while i < n {
                read(union.index(i), union.mask(i))
                i &+= 1
            }
        }
        let entry = head.conjunctiveCount == 0 ? head.lookup(key, version: version) : conjunctiveLookup(head)
        if let trace { trace.lookup(table: table, key: key, entry: entry) }
        key[FlowKeyLayout.inPortFlags] = oldPorts
        key[FlowKeyLayout.transport] = oldTransport
        resubmits &+= 1
        hasLookedSinceCopy = true
        if let entry {
            lastLookupMissed = false
            builder.step(entry.word)
            let oldEntry = currentEntry
            currentEntry = entry
            if deepens { depth &+= 1 }
            run(entry.actions.ops)
            if let trace { trace.leave(key, failure: failure) }
            if deepens { depth &-= 1 }
            currentEntry = oldEntry
        } else {
            lastLookupMissed = true
            builder.step(UInt64(table) << 1 | 1)
        }
        tableID = oldTable
    }

    /// Lookup in a table with `conjunction` entries (ovs-actions(7)).
    ///
    /// The best ordinary entry competes with conjunctions of higher priority: at each priority, a conjunction whose clauses are all matched sets
    /// `conj_id` for one more lookup among the ordinary entries, whose result is taken.
    @inline(never)
    private func conjunctiveLookup(_ head: TableHead) -> EntryRecord? {
        var accepted: [EntryRecord] = []
        head.forEach(accepting: key, version: version) { accepted.append($0) }
        accepted.sort { ($1.priority, $0.ordinal) < ($0.priority, $1.ordinal) }
        var clauses: [UInt32: (seen: UInt64, of: Int)] = [:]
        var at = 0
        while at < accepted.count {
            let priority = accepted[at].priority
            clauses = [:]
            var ordinary: EntryRecord?
            while at < accepted.count, accepted[at].priority == priority {
                let e = accepted[at]
                at += 1
                if e.flags & EntryRecord.Flag.conjunctive == 0 {
                    ordinary = ordinary ?? e
                    continue
                }
                let ops = e.actions.ops
                for i in 0..<Int(ops[1]) {
                    let c = ops[2 + i]
                    // Clauses are numbered from 1 to 64.
                    clauses[UInt32(c >> 32), default: (0, 0)].seen |= 1 << ((c >> 16 & 0xffff) &- 1)
                    clauses[UInt32(c >> 32)]!.of = Int(c & 0xffff)
                }
            }
            // An ordinary entry of this priority outranks the conjunctions beside it, as in OVS.
            if let ordinary { return ordinary }
            for id in clauses.keys.sorted() {
                let c = clauses[id]!
                guard c.seen.nonzeroBitCount == c.of else { continue }
                let old = key[FlowKeyLayout.conjunctionActset]
                key[FlowKeyLayout.conjunctionActset] = old & 0xffff_ffff | UInt64(id) << 32
                var found: EntryRecord?
                head.forEach(accepting: key, version: version) { e in
                    guard e.flags & EntryRecord.Flag.conjunctive == 0 else { return }
                    if found == nil || (found!.priority, e.ordinal) < (e.priority, found!.ordinal) { found = e }
                }
                key[FlowKeyLayout.conjunctionActset] = old
                if let found { return found }
            }
        }
        return nil
    }

    /// Whether the flow at hand has the fields of a prerequisite.
    @inline(__always) func satisfies(_ code: UInt8) -> Bool { code == 0 || satisfiesSlow(code) }

    private func satisfiesSlow(_ code: UInt8) -> Bool {
        let type = etherType
        let transport = key[FlowKeyLayout.transport]
        let proto = transport >> 24 & 0xff
        let isIP = type == FrameParser.EtherType.ipv4 || type == FrameParser.EtherType.ipv6
        let hasPorts = isIP && transport & FrameParser.Fragment.later == 0
        switch code {
        case 1:
            read(FlowKeyLayout.ethSrcVLAN, 0x1000)
            return key[FlowKeyLayout.ethSrcVLAN] & 0x1000 != 0
        case 2: return type == FrameParser.EtherType.mpls || type == FrameParser.EtherType.mplsMulticast
        case 3: return type == FrameParser.EtherType.ipv4
        case 4: return type == FrameParser.EtherType.ipv6
        case 5: return isIP
        case 6: return type == FrameParser.EtherType.arp || type == FrameParser.EtherType.rarp
        case 7: return hasPorts && proto == 6
        case 8: return hasPorts && proto == 17
        case 9: return hasPorts && proto == 132
        case 10: return type == FrameParser.EtherType.ipv4 && proto == 1
        case 11: return type == FrameParser.EtherType.ipv6 && proto == 58
        case 15: return type == FrameParser.EtherType.backbone
        default:
            guard type == FrameParser.EtherType.ipv6, proto == 58 else { return false }
            read(FlowKeyLayout.transport, 0x00ff_00ff << 32)
            let icmpType = transport >> 48
            guard transport >> 32 & 0xffff == 0 else { return false }
            switch code {
            case 13: return icmpType == 135
            case 14: return icmpType == 136
            default: return icmpType == 135 || icmpType == 136
            }
        }
    }
}
