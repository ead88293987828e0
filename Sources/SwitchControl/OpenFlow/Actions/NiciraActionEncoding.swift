import Flow

/// Writing the actions that only Nicira's extensions have.
extension WireWriter {
    mutating func niciraAction(_ a: Action, _ context: inout MatchContext) {
        switch a {
        case .resubmit(let inPort, let table):
            guard let port = Port16.narrow(inPort ?? ReservedPort.inPort) else { return fail("A port of resubmit does not fit into 16 bits.") }
            nicira(table == nil ? NiciraAction.resubmit : NiciraAction.resubmitTable) {
                $0.u16(port)
                $0.u8(table ?? 0)
                $0.zeros(3)
            }
        case .outputSubfield(let s):
            guard let c = FieldDirectory.code(s) else { return fail("\(s.field.info.name) has no number in OpenFlow.") }
            nicira(c.experimenter == 0 ? NiciraAction.outputReg : NiciraAction.outputReg2) {
                $0.part(s)
                if c.experimenter != 0 { $0.u16(0xffff) }
                $0.fieldHeader(c)
                if c.experimenter == 0 {
                    $0.u16(0xffff)
                    $0.zeros(6)
                } else {
                    $0.zeros(2)
                }
            }
        case .push(let s): stack(NiciraAction.stackPush, s)
        case .pop(let s): stack(NiciraAction.stackPop, s)
        case .popQueue: nicira(NiciraAction.popQueue) { $0.zeros(6) }
        case .exit: nicira(NiciraAction.exit) { $0.zeros(6) }
        case .note(let data):
            nicira(NiciraAction.note) {
                $0.put(data)
                $0.zeros(max(0, 6 - data.count))
            }
        case .finTimeout(let idle, let hard):
            nicira(NiciraAction.finTimeout) {
                $0.u16(idle)
                $0.u16(hard)
                $0.u16(0)
            }
        case .conjunction(let id, let clause, let of):
            nicira(NiciraAction.conjunction) {
                $0.u8(UInt8(truncatingIfNeeded: clause - 1))
                $0.u8(UInt8(truncatingIfNeeded: of))
                $0.u32(id)
            }
        case .clone(let list):
            nicira(NiciraAction.clone) {
                $0.zeros(6)
                var inner = context
                $0.actions(list[...], &inner)
            }
        case .checkPacketLarger(let length, let s):
            guard let c = FieldDirectory.code(s) else { return fail("\(s.field.info.name) has no number in OpenFlow.") }
            nicira(NiciraAction.checkPacketLarger) {
                $0.u16(length)
                $0.u16(UInt16(s.offset))
                $0.fieldHeader(c)
                $0.zeros(10 - c.headerSize)
            }
        case .multipath(let fields, let basis, let algorithm, let links, let argument, let s):
            guard let c = FieldDirectory.code(s) else { return fail("\(s.field.info.name) has no number in OpenFlow.") }
            nicira(NiciraAction.multipath) {
                $0.u16(UInt16(NiciraAction.hashFields.firstIndex(of: fields)!))
                $0.u16(basis)
                $0.u16(0)
                $0.u16(UInt16(NiciraAction.multipathAlgorithms.firstIndex(of: algorithm)!))
                $0.u16(UInt16(truncatingIfNeeded: links &- 1))
                $0.u32(argument)
                $0.u16(0)
                $0.part(s)
                $0.fieldHeader(c)
            }
        case .bundle(let fields, let basis, let algorithm, let members, let to): bundle(fields, basis, algorithm, members, to)
        case .learn(let l): learn(l)
        default: fail("The action \(FlowText.text([a])) has no wire format.")
        }
    }

    private mutating func stack(_ subtype: UInt16, _ s: Subfield) {
        let s = Self.spelling(s)
        guard let c = FieldDirectory.code(s) else { return fail("\(s.field.info.name) has no number in OpenFlow.") }
        nicira(subtype) {
            $0.u16(UInt16(s.offset))
            $0.fieldHeader(c)
            $0.u16(UInt16(s.count))
            $0.zeros(10 - c.headerSize)
        }
    }

    private mutating func bundle(_ fields: HashFields, _ basis: UInt16, _ algorithm: BundleAlgorithm, _ members: [UInt32], _ to: Subfield?) {
        let code = to.flatMap { FieldDirectory.code($0) }
        if to != nil, code == nil { return fail("\(to!.field.info.name) has no number in OpenFlow.") }
        nicira(to == nil ? NiciraAction.bundle : NiciraAction.bundleLoad) {
            $0.u16(UInt16(NiciraAction.bundleAlgorithms.firstIndex(of: algorithm)!))
            $0.u16(UInt16(NiciraAction.hashFields.firstIndex(of: fields)!))
            $0.u16(basis)
            // NXM_OF_IN_PORT
            $0.u32(0x0000_0002)
            $0.u16(UInt16(truncatingIfNeeded: members.count))
            if let to, let code {
                $0.part(to)
                $0.fieldHeader(code)
            } else {
                $0.zeros(6)
            }
            $0.zeros(4)
            for port in members {
                if let p = Port16.narrow(port) { $0.u16(p) } else { $0.fail("A member of a bundle does not fit into 16 bits.") }
            }
        }
    }

    private mutating func learn(_ l: Learn) {
        let isSecond = l.limit != 0 || l.resultDestination != nil
        nicira(isSecond ? NiciraAction.learn2 : NiciraAction.learn) {
            $0.u16(l.idleTimeout)
            $0.u16(l.hardTimeout)
            $0.u16(l.priority)
            $0.u64(l.cookie)
            $0.u16((l.sendFlowRemoved ? 1 : 0) | (l.deleteLearned ? 2 : 0) | (l.resultDestination != nil ? 4 : 0))
            $0.u8(l.table)
            $0.u8(0)
            $0.u16(l.finIdleTimeout)
            $0.u16(l.finHardTimeout)
            if isSecond {
                $0.u32(l.limit)
                $0.u16(UInt16(l.resultDestination?.offset ?? 0))
                $0.u16(0)
                if let s = l.resultDestination {
                    guard let c = FieldDirectory.code(s) else { return $0.fail("\(s.field.info.name) has no number in OpenFlow.") }
                    $0.fieldHeader(c)
                }
            }
            for spec in l.specs { $0.learnSpec(spec) }
        }
    }

    private mutating func learnSpec(_ spec: LearnSpec) {
        let (kind, destination): (UInt16, Subfield?) =
            switch spec.destination {
            case .match(let s): (0, s)
            case .load(let s): (1, s)
            case .output: (2, nil)
            }
        switch spec.source {
        case .immediate(let v):
            let count = destination?.count ?? 16
            u16(UInt16(count) | kind << 11 | 0x2000)
            wide(v.high, v.low, 2 * ((count + 15) / 16))
        case .subfield(let s):
            u16(UInt16(s.count) | kind << 11)
            learnField(s)
        }
        if let destination { learnField(destination) }
    }

    private mutating func learnField(_ s: Subfield) {
        let s = Self.spelling(s)
        guard let c = FieldDirectory.code(s), c.experimenter == 0 else { return fail("\(s.field.info.name) has no number for learn.") }
        fieldHeader(c)
        u16(UInt16(s.offset))
    }
}
