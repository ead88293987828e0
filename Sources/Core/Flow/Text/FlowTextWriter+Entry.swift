// Entries, groups, meters and whole modifications as text.
extension FlowTextWriter {
    mutating func flags(_ flags: FlowEntry.Flags) {
        if flags.contains(.sendFlowRemoved) { put("send_flow_rem ") }
        if flags.contains(.checkOverlap) { put("check_overlap ") }
        if flags.contains(.resetCounts) { put("reset_counts ") }
        if flags.contains(.noPacketCounts) { put("no_packet_counts ") }
        if flags.contains(.noByteCounts) { put("no_byte_counts ") }
    }

    /// One entry as `ovs-ofctl --no-stats dump-flows` prints it.
    mutating func entry(_ e: FlowEntry) {
        if e.cookie != 0 {
            put("cookie=")
            hex(e.cookie)
            put(", ")
        }
        attributes(e, table: e.table != 0 ? e.table : nil)
        body(e)
    }

    private mutating func attributes(_ e: FlowEntry, table: UInt8?) {
        if let table { put("table=\(table), ") }
        if e.idleTimeout != 0 { put("idle_timeout=\(e.idleTimeout), ") }
        if e.hardTimeout != 0 { put("hard_timeout=\(e.hardTimeout), ") }
        flags(e.flags)
        if e.importance != 0 { put("importance=\(e.importance), ") }
    }

    private mutating func body(_ e: FlowEntry) {
        let before = bytes.count
        match(e.match, priority: e.priority)
        if bytes.count > before { byte(0x20) }
        put("actions=")
        actions(e.actions)
    }

    mutating func modification(_ m: FlowModification) {
        switch m {
        case .flow(.add, let e, _, _, _): entry(e)
        case .flow(let command, let e, let anyTable, let cookieMask, let outPort):
            put("flow ")
            put(command.rawValue)
            byte(0x20)
            if cookieMask != 0 || e.cookie != 0 {
                put("cookie=")
                hex(e.cookie)
                if cookieMask != 0 {
                    byte(0x2f)
                    hex(cookieMask)
                }
                put(", ")
            }
            if let outPort {
                put("out_port=")
                port(outPort)
                put(", ")
            }
            attributes(e, table: anyTable ? nil : e.table)
            if command == .delete || command == .deleteStrict {
                match(e.match, priority: command == .delete ? nil : e.priority)
            } else {
                body(e)
            }
        case .addGroup(let g):
            put("group add ")
            group(g)
        case .modifyGroup(let g):
            put("group modify ")
            group(g)
        case .deleteGroup(let id):
            put("group delete group_id=")
            if let id { decimal(id) } else { put("all") }
        case .addMeter(let m):
            put("meter add ")
            meter(m)
        case .modifyMeter(let m):
            put("meter modify ")
            meter(m)
        case .deleteMeter(let id):
            put("meter delete meter=")
            if let id { decimal(id) } else { put("all") }
        }
    }

    mutating func group(_ g: Group) {
        put("group_id=\(g.id),type=\(g.kind == .fastFailover ? "ff" : g.kind.rawValue)")
        if !g.selectionMethod.isEmpty {
            put(",selection_method=")
            put(g.selectionMethod)
            if g.selectionParameter != 0 { put(",selection_method_param=\(g.selectionParameter)") }
            if !g.selectionFields.isEmpty {
                put(g.selectionFields.count == 1 ? ",fields=" : ",fields(")
                for (i, f) in g.selectionFields.enumerated() {
                    if i > 0 { byte(0x2c) }
                    put(FieldDirectory.canonicalName(f))
                }
                if g.selectionFields.count > 1 { byte(0x29) }
            }
        }
        for b in g.buckets {
            put(",bucket=bucket_id:\(b.id),")
            if b.weight != (g.kind == .select ? 1 : 0) { put("weight:\(b.weight),") }
            if b.watchPort != ReservedPort.any {
                put("watch_port:")
                port(b.watchPort)
                byte(0x2c)
            }
            if b.watchGroup != Group.none { put("watch_group:\(b.watchGroup),") }
            put("actions=")
            actions(b.actions)
        }
    }

    mutating func meter(_ m: Meter) {
        put("meter=\(m.id) \(m.unit.rawValue)")
        if m.hasBurst { put(" burst") }
        if m.collectsStatistics { put(" stats") }
        put(" bands=")
        for (i, b) in m.bands.enumerated() {
            if i > 0 { byte(0x20) }
            switch b {
            case .drop: put("type=drop")
            case .dscpRemark: put("type=dscp_remark")
            }
            put(" rate=\(b.rate)")
            if m.hasBurst { put(" burst_size=\(b.burst)") }
            if case .dscpRemark(_, _, let precedence) = b { put(" prec_level=\(precedence)") }
        }
    }
}

extension FlowText {
    /// One entry as `ovs-ofctl --no-stats dump-flows` prints it, without the blank before it.
    public static func text(_ entry: FlowEntry) -> String { written { $0.entry(entry) } }
    /// One line that `parse` reads back; an `add` of an entry without the words `flow add`.
    public static func text(_ modification: FlowModification) -> String { written { $0.modification(modification) } }
    /// `group_id=1,type=select,bucket=…`.
    public static func text(_ group: Group) -> String { written { $0.group(group) } }
    /// `meter=1 kbps bands=type=drop rate=1000`.
    public static func text(_ meter: Meter) -> String { written { $0.meter(meter) } }
}
