import Flow

/// Writing actions and instructions.
///
/// Every action that OpenFlow 1.3 knows only as a written field (`mod_dl_src`, `set_tunnel`, …) becomes `set_field`, as Open vSwitch sends it; before
/// 1.5 parts of fields become Nicira's `reg_load`, from 1.5 on `set_field` with a mask.
extension WireWriter {
    /// An action of type, length and body, padded to eight bytes with the padding counted.
    mutating func action(_ type: UInt16, _ body: (inout WireWriter) -> Void) {
        let start = count
        u16(type)
        u16(0)
        body(&self)
        pad(from: start)
        set16(count - start, at: start + 2)
    }

    mutating func nicira(_ subtype: UInt16, _ body: (inout WireWriter) -> Void) {
        action(ActionType.experimenter) {
            $0.u32(Experimenter.nicira)
            $0.u16(subtype)
            body(&$0)
        }
    }

    /// The actions of an entry as instructions.
    mutating func instructions(_ list: [Action], _ match: Match) {
        var context = MatchContext(match)
        var i = list.startIndex
        if version < .v15, case .meter(let id)? = list.first {
            u16(6)
            u16(8)
            u32(id)
            i += 1
        }
        let applied = list[i...].prefix { !$0.isLateInstruction }
        i += applied.count
        if applied.contains(where: { if case .drop = $0 { false } else { true } }) {
            let start = count
            u16(4)
            u16(0)
            u32(0)
            actions(applied, &context)
            set16(count - start, at: start + 2)
        }
        for a in list[i...] {
            switch a {
            case .clearActions:
                u16(5)
                u16(8)
                u32(0)
            case .writeActions(let inner):
                let start = count
                u16(3)
                u16(0)
                u32(0)
                actions(inner[...], &context)
                set16(count - start, at: start + 2)
            case .writeMetadata(let value, let mask):
                u16(2)
                u16(24)
                u32(0)
                u64(value)
                u64(mask)
            case .gotoTable(let t):
                u16(1)
                u16(8)
                u8(t)
                zeros(3)
            default: fail("An action stands behind an instruction.")
            }
        }
    }

    mutating func actions(_ list: [Action]) {
        var context = MatchContext.open
        actions(list[...], &context)
    }

    mutating func actions(_ list: ArraySlice<Action>, _ context: inout MatchContext) {
        for a in list { action(a, &context) }
    }

    private mutating func action(_ a: Action, _ context: inout MatchContext) {
        switch a {
        case .drop: break
        case .output(let port, let maxLength):
            if let maxLength {
                guard let p = Port16.narrow(port) else { return fail("Port \(port) does not fit into the 16 bits of an output with a length.") }
                nicira(NiciraAction.outputTruncated) {
                    $0.u16(p)
                    $0.u32(maxLength)
                }
            } else {
                output(port, 0)
            }
        case .outputHint(let port, let maxLength): output(port, maxLength)
        case .controller(let c): controller(c)
        case .group(let id): action(ActionType.group) { $0.u32(id) }
        case .setQueue(let q): action(ActionType.setQueue) { $0.u32(q) }
        case .setTTL(let t): action(ActionType.setTTL) { $0.u8(t) }
        case .decTTL(let ids):
            if ids.isEmpty {
                action(ActionType.decTTL) { $0.zeros(4) }
            } else {
                nicira(NiciraAction.decTTLControllers) {
                    $0.u16(UInt16(truncatingIfNeeded: ids.count))
                    $0.zeros(4)
                    for id in ids { $0.u16(id) }
                }
            }
        case .pushVLAN(let t):
            context.hasTag = true
            action(ActionType.pushVLAN) { $0.u16(t) }
        case .stripVLAN:
            context.hasTag = false
            action(ActionType.popVLAN) { $0.zeros(4) }
        case .pushMPLS(let t): action(ActionType.pushMPLS) { $0.u16(t) }
        case .popMPLS(let t): action(ActionType.popMPLS) { $0.u16(t) }
        case .setMPLSTTL(let t): action(ActionType.setMPLSTTL) { $0.u8(t) }
        case .decMPLSTTL: action(ActionType.decMPLSTTL) { $0.zeros(4) }
        case .copyTTLOut: action(ActionType.copyTTLOut) { $0.zeros(4) }
        case .copyTTLIn: action(ActionType.copyTTLIn) { $0.zeros(4) }
        case .pushPBB(let t):
            context.hasTag = false
            action(ActionType.pushPBB) { $0.u16(t) }
        case .popPBB:
            context.hasTag = false
            action(ActionType.popPBB) { $0.zeros(4) }
        case .setMPLSLabel(let v): setWhole(.mplsLabel, UInt64(v))
        case .setMPLSTC(let v): setWhole(.mplsTC, UInt64(v))
        case .setEthSrc(let v): setWhole(.ethSrc, v)
        case .setEthDst(let v): setWhole(.ethDst, v)
        case .setIPv4Src(let v): setWhole(.ipv4Src, UInt64(v))
        case .setIPv4Dst(let v): setWhole(.ipv4Dst, UInt64(v))
        case .setTOS(let v): setWhole(.ipDSCP, UInt64(v >> 2))
        case .setECN(let v): setWhole(.ipECN, UInt64(v))
        case .setTunnelID(let v): setWhole(.tunnelID, v)
        case .setVLANID(let id):
            ensureTag(&context)
            setWhole(.vlanVID, UInt64(id) | 0x1000)
        case .setVLANPCP(let p):
            ensureTag(&context)
            setWhole(.vlanPCP, UInt64(p))
        case .setTransportSrc(let p): transport([.tcpSrc, .udpSrc, .sctpSrc], p, context)
        case .setTransportDst(let p): transport([.tcpDst, .udpDst, .sctpDst], p, context)
        case .setField(let f, let value, let mask): setField(f, value, mask)
        case .load(let value, let s):
            if s.field == .vlanTCI, s.offset <= 12, s.offset + s.count > 12 { context.hasTag = (value >> (12 - s.offset)).low & 1 != 0 }
            load(value, s)
        case .move(let from, let to): move(from, to)
        case .enqueue(let port, let queue):
            action(ActionType.setQueue) { $0.u32(queue) }
            output(port, 0)
            nicira(NiciraAction.popQueue) { $0.zeros(6) }
        case .meter(let id):
            if version >= .v15 { action(ActionType.meter) { $0.u32(id) } } else { fail("meter is no action before OpenFlow 1.5.") }
        case .writeMetadata(let value, let mask):
            nicira(NiciraAction.writeMetadata) {
                $0.zeros(6)
                $0.u64(value)
                $0.u64(mask)
            }
        case .gotoTable, .clearActions, .writeActions: fail("An instruction stands among actions.")
        default: niciraAction(a, &context)
        }
    }

    private mutating func output(_ port: UInt32, _ maxLength: UInt16) {
        action(ActionType.output) {
            $0.u32(port)
            $0.u16(maxLength)
            $0.zeros(6)
        }
    }

    private mutating func controller(_ c: Action.Controller) {
        guard let reason = NiciraAction.reasons.firstIndex(of: c.reason) else { return fail("\(c.reason) is not a reason for a packet-in.") }
        if c.userdata.isEmpty, !c.pause, c.meter == nil {
            if reason == 1, c.controllerID == 0 { return output(ReservedPort.controller, c.maxLength) }
            return nicira(NiciraAction.controller) {
                $0.u16(c.maxLength)
                $0.u16(c.controllerID)
                $0.u8(UInt8(reason))
                $0.u8(0)
            }
        }
        nicira(NiciraAction.controller2) {
            $0.zeros(6)
            if c.maxLength != 0xffff {
                $0.property(0) {
                    $0.u16(c.maxLength); $0.u16(0)
                }
            }
            if c.controllerID != 0 {
                $0.property(1) {
                    $0.u16(c.controllerID); $0.u16(0)
                }
            }
            if reason != 1 {
                $0.property(2) {
                    $0.u8(UInt8(reason)); $0.zeros(3)
                }
            }
            if !c.userdata.isEmpty { $0.property(3) { $0.put(c.userdata) } }
            if c.pause { $0.property(4) { _ in } }
            if let meter = c.meter { $0.property(5) { $0.u32(meter) } }
        }
    }

    /// `mod_vlan_…` adds a tag when there is none; OpenFlow 1.3 has an action of its own for that.
    private mutating func ensureTag(_ context: inout MatchContext) {
        if context.hasTag || context.isOpen { return }
        action(ActionType.pushVLAN) { $0.u16(0x8100) }
        context.hasTag = true
    }

    private mutating func transport(_ fields: [Field], _ port: UInt16, _ context: MatchContext) {
        switch context.ipProtocol {
        case 17: setWhole(fields[1], UInt64(port))
        case 132: setWhole(fields[2], UInt64(port))
        default: setWhole(fields[0], UInt64(port))
        }
    }

    private mutating func setWhole(_ f: Field, _ value: UInt64) { setField(f, FieldValue(low: value), .ones(f.info.bits)) }

    private mutating func setField(_ f: Field, _ value: FieldValue, _ mask: FieldValue) {
        guard let c = FieldDirectory.code(f, version) ?? FieldDirectory.code(Self.spelling(Subfield(f))) else {
            return fail("\(f.info.name) has no number in OpenFlow.")
        }
        // set_field does not take OXM_OF_IN_PORT.
        if mask == .ones(f.info.bits) || version >= .v15, f != .inPort {
            action(ActionType.setField) { $0.field(c, value, mask) }
        } else {
            nicira(NiciraAction.regLoad2) {
                $0.field(c, value, mask)
            }
        }
    }

    private mutating func load(_ value: FieldValue, _ s: Subfield) {
        let s = Self.spelling(s)
        guard let c = FieldDirectory.code(s) else { return fail("\(s.field.info.name) has no number in OpenFlow.") }
        if version >= .v15, c.special == .port16 {
            action(ActionType.setField) { $0.field(c, value << s.offset, .ones(s.count) << s.offset) }
        } else if version >= .v15 || s.count > 64 || c.experimenter != 0 {
            setField(s.field, value << s.offset, .ones(s.count) << s.offset)
        } else {
            nicira(NiciraAction.regLoad) {
                $0.part(s)
                $0.fieldHeader(c)
                $0.u64(value.low)
            }
        }
    }

    private mutating func move(_ from: Subfield, _ to: Subfield) {
        let from = Self.spelling(from)
        let to = Self.spelling(to)
        guard let source = FieldDirectory.code(from), let destination = FieldDirectory.code(to) else {
            return fail("A moved field has no number in OpenFlow.")
        }
        if version >= .v15 {
            action(ActionType.copyField) {
                $0.u16(UInt16(from.count))
                $0.u16(UInt16(from.offset))
                $0.u16(UInt16(to.offset))
                $0.u16(0)
                $0.fieldHeader(source)
                $0.fieldHeader(destination)
            }
        } else {
            nicira(NiciraAction.regMove) {
                $0.u16(UInt16(from.count))
                $0.u16(UInt16(from.offset))
                $0.u16(UInt16(to.offset))
                $0.fieldHeader(source)
                $0.fieldHeader(destination)
            }
        }
    }

    mutating func part(_ s: Subfield) { u16(UInt16(s.offset << 6 | (s.count - 1) & 63)) }

    /// A part of a field that has no number by the bits of one that has.
    static func spelling(_ s: Subfield) -> Subfield {
        switch s.field {
        case .dlVLAN: Subfield(.vlanVID, offset: s.offset, count: s.count)
        case .dlVLANPCP: Subfield(.vlanPCP, offset: s.offset, count: s.count)
        default: s
        }
    }
}

extension Action {
    /// An instruction that stands behind the applied actions.
    var isLateInstruction: Bool {
        switch self {
        case .clearActions, .writeActions, .writeMetadata, .gotoTable: true
        default: false
        }
    }
}
