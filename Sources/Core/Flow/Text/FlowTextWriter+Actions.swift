import Wire

// Actions as text, in the spelling of `ovs-ofctl dump-flows`.
extension FlowTextWriter {
    /// Appends the actions between commas; `drop` for none.
    mutating func actions(_ actions: [Action]) {
        if actions.isEmpty { return put("drop") }
        for (i, a) in actions.enumerated() {
            if i > 0 { byte(0x2c) }
            action(a)
        }
    }

    private mutating func number(_ name: StaticString, _ v: some FixedWidthInteger & UnsignedInteger) {
        put(name)
        decimal(v)
    }

    mutating func action(_ action: Action) {
        switch action {
        case .output, .outputHint, .outputSubfield, .controller, .drop, .resubmit, .enqueue, .group: whereTo(action)
        case .gotoTable(let t): number("goto_table:", t)
        case .clearActions: put("clear_actions")
        case .writeActions(let list): nested("write_actions(", list)
        case .clone(let list): nested("clone(", list)
        case .writeMetadata(let v, let m):
            put("write_metadata:")
            hex(v)
            if m != .max {
                byte(0x2f)
                hex(m)
            }
        case .meter(let id): number("meter:", id)
        case .load(let v, let s):
            put("load:")
            hex(v)
            put("->")
            subfield(s)
        case .setField(let f, let v, let m):
            put("set_field:")
            value(f, v, mask: m)
            put("->")
            put(FieldDirectory.canonicalName(f))
        case .move(let from, let to):
            put("move:")
            subfield(from)
            put("->")
            subfield(to)
        case .push(let s):
            put("push:")
            subfield(s)
        case .pop(let s):
            put("pop:")
            subfield(s)
        case .setEthSrc(let a):
            put("mod_dl_src:")
            mac(a, mask: .max)
        case .setEthDst(let a):
            put("mod_dl_dst:")
            mac(a, mask: .max)
        case .setVLANID(let id): number("mod_vlan_vid:", id)
        case .setVLANPCP(let p): number("mod_vlan_pcp:", p)
        case .stripVLAN: put("strip_vlan")
        case .pushVLAN(let t):
            put("push_vlan:")
            hex(UInt64(t))
        case .pushMPLS(let t):
            put("push_mpls:")
            hex(UInt64(t), digits: 4)
        case .popMPLS(let t):
            put("pop_mpls:")
            hex(UInt64(t), digits: 4)
        case .setMPLSLabel(let v): parenthesized("set_mpls_label(", v)
        case .setMPLSTC(let v): parenthesized("set_mpls_tc(", v)
        case .setMPLSTTL(let v): parenthesized("set_mpls_ttl(", v)
        case .decMPLSTTL: put("dec_mpls_ttl")
        case .copyTTLOut: put("copy_ttl_out")
        case .copyTTLIn: put("copy_ttl_in")
        case .pushPBB(let t):
            put("push_pbb:")
            hex(UInt64(t), digits: 4)
        case .popPBB: put("pop_pbb")
        case .setIPv4Src(let a):
            put("mod_nw_src:")
            ipv4(UInt64(a))
        case .setIPv4Dst(let a):
            put("mod_nw_dst:")
            ipv4(UInt64(a))
        case .setTOS(let v): number("mod_nw_tos:", v)
        case .setECN(let v): number("mod_nw_ecn:", v)
        case .setTTL(let v): number("mod_nw_ttl:", v)
        case .decTTL(let ids):
            put("dec_ttl")
            if !ids.isEmpty {
                byte(0x28)
                for (i, id) in ids.enumerated() {
                    if i > 0 { byte(0x2c) }
                    decimal(id)
                }
                byte(0x29)
            }
        case .setTransportSrc(let p): number("mod_tp_src:", p)
        case .setTransportDst(let p): number("mod_tp_dst:", p)
        case .setTunnelID(let id):
            if id > 0xffff_ffff { put("set_tunnel64:") } else { put("set_tunnel:") }
            hex(id)
        case .setQueue(let q): number("set_queue:", q)
        case .popQueue: put("pop_queue")
        case .learn(let l): learn(l)
        case .note(let d):
            put("note:")
            data(d)
        case .multipath(let fields, let basis, let algorithm, let links, let argument, let to):
            put("multipath(\(fields.rawValue),\(basis),\(algorithm.rawValue),\(links),\(argument),")
            subfield(to)
            byte(0x29)
        case .bundle(let fields, let basis, let algorithm, let members, let to):
            put(to == nil ? "bundle(" : "bundle_load(")
            put("\(fields.rawValue),\(basis),\(algorithm.rawValue),ofport,")
            if let to {
                subfield(to)
                byte(0x2c)
            }
            put("members:")
            for (i, p) in members.enumerated() {
                if i > 0 { byte(0x2c) }
                port(p)
            }
            byte(0x29)
        case .checkPacketLarger(let length, let to):
            put("check_pkt_larger(\(length))->")
            subfield(to)
        case .conjunction(let id, let clause, let count): put("conjunction(\(id),\(clause)/\(count))")
        case .finTimeout(let idle, let hard):
            put("fin_timeout(")
            if idle != 0 { put("idle_timeout=\(idle),") }
            if hard != 0 { put("hard_timeout=\(hard)") }
            dropComma()
            byte(0x29)
        case .exit: put("exit")
        }
    }

    private mutating func whereTo(_ action: Action) {
        switch action {
        case .output(let p, let maxLength?):
            put("output(port=")
            port(p)
            put(",max_len=")
            decimal(maxLength)
            byte(0x29)
        case .output(let p, nil), .outputHint(let p, _):
            if p < 0xff00 { put("output:") }
            port(p)
            if p == ReservedPort.controller { put(":65535") }
        case .outputSubfield(let s):
            put("output:")
            subfield(s)
        case .controller(let c): controller(c)
        case .resubmit(let inPort?, nil):
            put("resubmit:")
            port(inPort)
        case .resubmit(let inPort, let table):
            put("resubmit(")
            if let inPort { port(inPort) }
            byte(0x2c)
            if let table { decimal(table) }
            byte(0x29)
        case .enqueue(let p, let q):
            put("enqueue:")
            port(p)
            byte(0x3a)
            decimal(q)
        case .group(let id): number("group:", id)
        default: put("drop")
        }
    }

    private mutating func nested(_ name: StaticString, _ list: [Action]) {
        put(name)
        actions(list)
        byte(0x29)
    }

    private mutating func parenthesized(_ name: StaticString, _ v: some FixedWidthInteger & UnsignedInteger) {
        put(name)
        decimal(v)
        byte(0x29)
    }

    private mutating func controller(_ c: Action.Controller) {
        if c.reason == "action", c.controllerID == 0, c.userdata.isEmpty, !c.pause, c.meter == nil {
            put("CONTROLLER:")
            decimal(c.maxLength)
            return
        }
        put("controller(")
        if c.reason != "action" { put("reason=\(c.reason),") }
        if c.maxLength != 65535 { put("max_len=\(c.maxLength),") }
        if c.controllerID != 0 { put("id=\(c.controllerID),") }
        if !c.userdata.isEmpty {
            put("userdata=")
            data(c.userdata)
            byte(0x2c)
        }
        if c.pause { put("pause,") }
        if let m = c.meter { put("meter_id=\(m),") }
        dropComma()
        byte(0x29)
    }

    private mutating func learn(_ l: Learn) {
        put("learn(table=\(l.table)")
        if l.idleTimeout != 0 { put(",idle_timeout=\(l.idleTimeout)") }
        if l.hardTimeout != 0 { put(",hard_timeout=\(l.hardTimeout)") }
        if l.finIdleTimeout != 0 { put(",fin_idle_timeout=\(l.finIdleTimeout)") }
        if l.finHardTimeout != 0 { put(",fin_hard_timeout=\(l.finHardTimeout)") }
        if l.priority != FlowEntry.defaultPriority { put(",priority=\(l.priority)") }
        if l.sendFlowRemoved { put(",send_flow_rem") }
        if l.deleteLearned { put(",delete_learned") }
        if l.cookie != 0 {
            put(",cookie=")
            hex(l.cookie)
        }
        if l.limit != 0 { put(",limit=\(l.limit)") }
        if let r = l.resultDestination {
            put(",result_dst=")
            subfield(r)
        }
        for spec in l.specs {
            byte(0x2c)
            switch (spec.source, spec.destination) {
            case (.immediate(let v), .match(let d)) where isWhole(d):
                put(FieldDirectory.canonicalName(d.field))
                byte(0x3d)
                var shown = v
                if d.field == .inPort, v.low >= 0xff00, v.low <= 0xffff { shown.low |= 0xffff_0000 }
                value(d.field, shown, mask: .ones(d.field.info.bits))
            case (.immediate(let v), .match(let d)):
                subfield(d)
                byte(0x3d)
                hex(v)
            case (.subfield(let s), .match(let d)):
                subfield(d)
                if s != d {
                    byte(0x3d)
                    subfield(s)
                }
            case (.immediate(let v), .load(let d)):
                put("load:")
                hex(v)
                put("->")
                subfield(d)
            case (.subfield(let s), .load(let d)):
                put("load:")
                subfield(s)
                put("->")
                subfield(d)
            case (.subfield(let s), .output):
                put("output:")
                subfield(s)
            case (.immediate(let v), .output):
                // Not expressible in text; the reader never makes it.
                put("output:")
                hex(v)
            }
        }
        byte(0x29)
    }

    private func isWhole(_ s: Subfield) -> Bool {
        s.offset == 0 && (s.count == s.field.info.bits || s.field == .inPort && s.count == 16)
    }
}

extension FlowText {
    /// Actions between commas, `drop` for none.
    public static func text(_ actions: [Action]) -> String { written { $0.actions(actions) } }
    public static func text(_ action: Action) -> String { written { $0.action(action) } }
}
