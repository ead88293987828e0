import Wire

// Lists of actions and instructions: their order, and the actions with simple arguments.
extension FlowTextParser {
    /// The order in which OpenFlow executes instructions (OpenFlow 1.3.5 §5.9); actions stand between `meter` and `clear_actions`.
    private enum Stage: Int { case meter, actions, clearActions, writeActions, writeMetadata, gotoTable }

    private func stage(of word: ActionWord?) -> Stage {
        switch word {
        case .meter: .meter
        case .clearActions: .clearActions
        case .writeActions: .writeActions
        case .writeMetadata: .writeMetadata
        case .gotoTable: .gotoTable
        default: .actions
        }
    }

    /// Reads a list of actions and enforces what OpenFlow and Open vSwitch demand of it: instructions in their order and each once, only in an
    /// entry's own list; `drop` alone; `conjunction` with nothing but `note`.
    mutating func readActions(_ text: TextSlice, _ scope: ActionScope, _ state: inout ActionState) throws(TextFault) -> [Action] {
        guard state.depth < FlowTextLimits.nesting else {
            throw TextFault(text, "Actions are nested deeper than \(FlowTextLimits.nesting).")
        }
        state.depth += 1
        var actions: [Action] = []
        var rest = text
        var last: Stage?
        var dropAt: TextSlice?
        var conjunctionAt: TextSlice?
        var otherAt: TextSlice?
        while let kv = try rest.nextKeyValue() {
            let word = ActionWord(rawValue: actionNames.code(kv.key))
            if word == .drop {
                dropAt = kv.key
                continue
            }
            state.count += 1
            guard state.count <= FlowTextLimits.actions else { throw TextFault(kv.key, "The entry has more than \(FlowTextLimits.actions) actions.") }
            let next = stage(of: word)
            if let last, last == .actions ? next.rawValue < last.rawValue : next.rawValue <= last.rawValue {
                throw TextFault(
                    kv.key,
                    next == last
                        ? "This instruction may stand only once."
                        : "Instructions stand in the order meter, actions, clear_actions, write_actions, write_metadata, goto_table.")
            }
            if scope != .entry, next != .actions, !(scope == .bucket && next == .meter) {
                throw TextFault(kv.key, "This instruction may stand only in the list of an entry itself.")
            }
            last = next
            if word == .conjunction { conjunctionAt = kv.key } else if word != .note { otherAt = kv.key }
            actions.append(try readAction(word, kv, scope, &state))
        }
        if let dropAt, !actions.isEmpty { throw TextFault(dropAt, "drop stands alone, without other actions.") }
        if conjunctionAt != nil, let otherAt {
            throw TextFault(otherAt, "Beside conjunction only note and further conjunctions may stand.")
        }
        state.depth -= 1
        return actions
    }

    /// Remembers that the action acts only on packets with `wanted`, when the context does not say that they have it.
    func expect(_ holds: Bool, _ wanted: FieldInfo.Prerequisite, at: TextSlice, _ state: inout ActionState) {
        state.isContextual = true
        if !holds, state.inconsistent == nil { state.inconsistent = (at, wanted.wanted) }
    }

    /// A fault unless the context establishes the field's prerequisite.
    func require(_ field: Field, at: TextSlice, _ state: inout ActionState) throws(TextFault) {
        let p = shapes[Int(field.rawValue)].prerequisite
        if p == .none { return }
        state.isContextual = true
        if !state.context.meets(p) {
            throw TextFault(at, "\(field.info.name) exists only in some packets; the match must contain \(p.wanted).")
        }
    }

    func readOutputPort(_ text: TextSlice) throws(TextFault) -> UInt32 {
        guard let port = text.port else {
            throw TextFault(text, "This is not a port: a number below 65280 or IN_PORT, LOCAL, ALL, FLOOD, NORMAL, CONTROLLER, TABLE, DISPATCH.")
        }
        guard TextSlice.isOutputPort(port) else { throw TextFault(text, "Packets cannot be sent to this port.") }
        return port
    }

    func outputAction(_ port: UInt32) -> Action {
        port == ReservedPort.controller ? .controller(Action.Controller()) : .output(port: port)
    }

    private mutating func readAction(
        _ word: ActionWord?, _ kv: KeyValue, _ scope: ActionScope, _ state: inout ActionState
    ) throws(TextFault) -> Action {
        guard let word else {
            if let port = kv.key.port {
                guard TextSlice.isOutputPort(port) else { throw TextFault(kv.key, "Packets cannot be sent to this port.") }
                return outputAction(port)
            }
            throw TextFault(kv.key, "This is not an action.", suggestion: nearest(to: kv.key, among: ActionDirectory.suggestions))
        }
        let v = kv.value
        switch word {
        case .output: return try readOutput(v, &state)
        case .controller: return try readController(v)
        case .enqueue: return try readEnqueue(v)
        case .group:
            let id = try v.number32("group")
            guard id <= Group.max else { throw TextFault(v, "Groups are numbered from 0 to \(Group.max).") }
            noteGroupUse(id, at: v)
            return .group(id)
        case .resubmit: return try readResubmit(v)
        case .drop: return .drop
        case .gotoTable:
            let t = try v.table("goto_table")
            state.isContextual = true
            guard t != 255 else { throw TextFault(v, "Tables are numbered from 0 to 254.") }
            guard t > state.context.table else {
                throw TextFault(v, "goto_table must name a later table than the entry's own, \(state.context.table).")
            }
            return .gotoTable(t)
        case .clearActions: return .clearActions
        case .writeActions, .clone: return try readNested(word, v, &state)
        case .writeMetadata:
            let slash = v.index(of: 0x2f)
            let value = try v.upTo(slash ?? v.end).number64("write_metadata")
            return .writeMetadata(
                value: value, mask: try slash.map { (s) throws(TextFault) in try v.from(s + 1).number64("The mask of write_metadata") } ?? .max)
        case .meter:
            let id = try v.number32("meter")
            guard id != 0, id <= 0xffff_0000 else { throw TextFault(v, "Meters are numbered from 1 to 4294901760.") }
            noteMeterUse(id, at: v)
            state.context.needsOpenFlow11 = true
            state.isContextual = true
            return .meter(id)
        case .applyActions: throw TextFault(kv.key, "Write the actions themselves; apply_actions is what a plain list means.")
        case .load: return try readLoad(v, &state)
        case .move: return try readMove(v, &state)
        case .setField: return try readSetField(v, &state)
        case .push:
            let s = try readSubfield(v)
            try require(s.field, at: v, &state)
            return .push(s)
        case .pop: return .pop(try readDestination(v, &state))
        case .modEthSrc: return .setEthSrc(try readMAC(v))
        case .modEthDst: return .setEthDst(try readMAC(v))
        case .modIPSrc:
            expect(state.context.etherType == 0x0800, .ipv4, at: kv.key, &state)
            return .setIPv4Src(try readIPv4(v))
        case .modIPDst:
            expect(state.context.etherType == 0x0800, .ipv4, at: kv.key, &state)
            return .setIPv4Dst(try readIPv4(v))
        case .modTOS:
            expect(state.context.isIP, .ip, at: kv.key, &state)
            let tos = try v.number8("mod_nw_tos")
            guard tos & 3 == 0 else { throw TextFault(v, "mod_nw_tos sets the upper six bits: a multiple of 4 (mod_nw_ecn sets the lower two).") }
            return .setTOS(tos)
        case .modECN:
            // Unlike mod_nw_tos this is a load of a field to Open vSwitch, which refuses it without the prerequisite.
            try require(.ipECN, at: kv.key, &state)
            return .setECN(UInt8(try v.number("mod_nw_ecn", max: 3)))
        case .modTTL:
            try require(.ipTTL, at: kv.key, &state)
            return .setTTL(try v.number8("mod_nw_ttl"))
        case .decTTL:
            expect(state.context.isIP, .ip, at: kv.key, &state)
            return try readDecTTL(v)
        case .modTransportSrc:
            expect(hasPorts(state.context), .tcp, at: kv.key, &state)
            return .setTransportSrc(try v.number16("mod_tp_src"))
        case .modTransportDst:
            expect(hasPorts(state.context), .tcp, at: kv.key, &state)
            return .setTransportDst(try v.number16("mod_tp_dst"))
        case .modVLANID, .setVLANID, .modVLANPCP, .setVLANPCP, .stripVLAN, .pushVLAN: return try readVLAN(word, kv, &state)
        case .pushMPLS, .popMPLS, .setMPLSLabel, .setMPLSTC, .setMPLSTTL, .decMPLSTTL: return try readMPLS(word, kv, &state)
        case .copyTTLOut, .copyTTLIn:
            expect(state.context.isMPLS || state.context.isIP, .mpls, at: kv.key, &state)
            return word == .copyTTLOut ? .copyTTLOut : .copyTTLIn
        case .pushPBB, .popPBB: return try readPBB(word, kv, &state)
        case .setTunnel: return .setTunnelID(try v.number64("set_tunnel"))
        case .setQueue: return .setQueue(try v.number32("set_queue"))
        case .popQueue: return .popQueue
        case .learn: return try readLearn(v, &state)
        case .note: return .note(try readHex(v, "note"))
        case .multipath: return try readMultipath(v, &state)
        case .bundle: return try readBundle(v, loads: false, &state)
        case .bundleLoad: return try readBundle(v, loads: true, &state)
        case .checkPacketLarger: return try readCheckPacketLarger(v, &state)
        case .conjunction: return try readConjunction(v)
        case .finTimeout:
            expect(state.context.ipProtocol == 6, .tcp, at: kv.key, &state)
            return try readFinTimeout(v)
        case .exit: return .exit
        case .unsupported: throw TextFault(kv.key, "This action is not supported yet.")
        }
    }

    private func hasPorts(_ c: PacketContext) -> Bool {
        c.isIP && !c.isLaterFragment && (c.ipProtocol == 6 || c.ipProtocol == 17 || c.ipProtocol == 132)
    }

    private mutating func readNested(_ word: ActionWord, _ text: TextSlice, _ state: inout ActionState) throws(TextFault) -> Action {
        let context = state.context
        let inconsistent = state.inconsistent
        let actions = try readActions(text, word == .clone ? .clone : .writeActions, &state)
        let needs = state.context.needsOpenFlow11
        state.context = context
        state.context.needsOpenFlow11 = needs
        // An action set is executed after other entries have seen the packet, so nothing is known of it here.
        if word == .writeActions { state.inconsistent = inconsistent }
        return word == .clone ? .clone(actions) : .writeActions(actions)
    }

    private func readVLAN(_ word: ActionWord, _ kv: KeyValue, _ state: inout ActionState) throws(TextFault) -> Action {
        state.isContextual = true
        let hasTag = state.context.vlanTags > 0
        switch word {
        case .modVLANID, .setVLANID:
            let id = UInt16(try kv.value.number("A VLAN id", max: 4095))
            if word == .setVLANID, !hasTag {
                throw TextFault(
                    kv.key, "set_vlan_vid is supported only where the match asks for a VLAN tag; mod_vlan_vid adds a tag when there is none.")
            }
            state.context.vlanTags = max(1, state.context.vlanTags)
            return .setVLANID(id)
        case .modVLANPCP, .setVLANPCP:
            let pcp = UInt8(try kv.value.number("A VLAN priority", max: 7))
            if word == .setVLANPCP, !hasTag {
                throw TextFault(
                    kv.key, "set_vlan_pcp is supported only where the match asks for a VLAN tag; mod_vlan_pcp adds a tag when there is none.")
            }
            state.context.vlanTags = max(1, state.context.vlanTags)
            return .setVLANPCP(pcp)
        case .pushVLAN:
            let type = try kv.value.number16("push_vlan")
            guard type == 0x8100 || type == 0x88a8 else { throw TextFault(kv.value, "push_vlan takes 0x8100 or 0x88a8.") }
            guard state.context.vlanTags < 2 else { throw TextFault(kv.key, "A packet carries at most two VLAN tags.") }
            state.context.needsOpenFlow11 = true
            state.context.vlanTags += 1
            return .pushVLAN(etherType: type)
        default:
            expect(hasTag, .vlan, at: kv.key, &state)
            if hasTag { state.context.vlanTags -= 1 }
            return .stripVLAN
        }
    }

    private func readMPLS(_ word: ActionWord, _ kv: KeyValue, _ state: inout ActionState) throws(TextFault) -> Action {
        let v = kv.value
        state.isContextual = true
        if word != .pushMPLS { expect(state.context.isMPLS, .mpls, at: kv.key, &state) }
        switch word {
        case .pushMPLS:
            let type = try v.number16("push_mpls")
            guard type == 0x8847 || type == 0x8848 else { throw TextFault(v, "push_mpls takes 0x8847 or 0x8848.") }
            state.context.etherType = type
            // What the label stack carries is no longer looked at.
            state.context.ipProtocol = 0
            return .pushMPLS(etherType: type)
        case .popMPLS:
            let type = try v.number16("pop_mpls")
            state.context.etherType = type
            return .popMPLS(etherType: type)
        case .setMPLSLabel: return .setMPLSLabel(UInt32(try v.number("An MPLS label", max: 0xfffff)))
        case .setMPLSTC: return .setMPLSTC(UInt8(try v.number("An MPLS traffic class", max: 7)))
        case .setMPLSTTL: return .setMPLSTTL(try v.number8("An MPLS time to live"))
        default: return .decMPLSTTL
        }
    }

    private func readPBB(_ word: ActionWord, _ kv: KeyValue, _ state: inout ActionState) throws(TextFault) -> Action {
        state.isContextual = true
        state.context.ipProtocol = 0
        state.context.vlanTags = 0
        guard word == .pushPBB else {
            expect(state.context.isPBB, .pbb, at: kv.key, &state)
            // What the backbone header carries is known only when the packet is there.
            state.context.etherType = 0
            return .popPBB
        }
        let type = try kv.value.number16("push_pbb")
        guard type == 0x88e7 else { throw TextFault(kv.value, "push_pbb takes 0x88e7.") }
        state.context.etherType = type
        state.context.needsOpenFlow11 = true
        return .pushPBB(etherType: type)
    }

    private func readMAC(_ text: TextSlice) throws(TextFault) -> UInt64 {
        guard let a = MACAddress(text: text.bytes) else { throw TextFault(text, "An Ethernet address is written like 00:11:22:aa:bb:cc.") }
        return a.bits
    }

    private func readIPv4(_ text: TextSlice) throws(TextFault) -> UInt32 {
        guard let a = IPv4Address(text: text.bytes) else { throw TextFault(text, "An IPv4 address is written like 10.0.0.1.") }
        return a.bits
    }
}
