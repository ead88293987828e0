import Datapath
import Flow

extension Translation {
    func run(_ actions: [Action]) {
        run(actions.map { FrozenAction(action: $0, table: table, entry: entry) })
    }

    /// One list of actions, until an error, `exit`, or something that ends this list only.
    func run(_ list: [FrozenAction]) {
        for (i, item) in list.enumerated() {
            if error != nil { return }
            (table, entry) = (item.table, item.entry)
            if !isDone && hasUnknownPayload && needsPayload(item.action) { freeze() }
            if isDone {
                if isFreezing { keep(list[i...]) }
                return
            }
            if case .checkPacketLarger(let length, let to) = item.action {
                checkLength(length, to, rest: Array(list[(i + 1)...]))
                return
            }
            if !perform(item.action) { return }
            if error == nil && isFreezing && frozenActions.isEmpty && !item.action.descends {
                keep(list[i...])
                return
            }
        }
    }

    /// Whether the action cannot run before the headers beneath a popped label are known; outputs and link-layer changes can.
    private func needsPayload(_ action: Action) -> Bool {
        switch action {
        case .output, .outputSubfield, .enqueue, .setVLANID, .setVLANPCP, .setEthSrc, .setEthDst, .setTunnelID, .setQueue, .group: false
        case .controller(let c): !c.isPlain
        case .load(_, let to): to.field.isNetworkLayerOrHigher
        case .setField(let field, _, _): field.isNetworkLayerOrHigher
        case .drop: false
        default: true
        }
    }

    /// False when the rest of the list is not to run.
    private func perform(_ action: Action) -> Bool {
        switch action {
        case .output(let port, nil): output(port)
        case .output(let port, let maxLength?): output(port, truncatedTo: Int(maxLength))
        case .outputSubfield(let from): outputSubfield(from)
        case .enqueue(let port, _): output(port)
        case .controller(let c): controller(c)
        case .group(let id): return group(id)
        case .bundle(let fields, let basis, let algorithm, let members, let to): bundle(fields, basis, algorithm, members, to)
        case .resubmit(let inPort, let next):
            let port = inPort == nil || inPort == ReservedPort.inPort ? flow.key[.inPort] : UInt64(inPort!)
            goTo(next ?? table, inPort: port)
        case .gotoTable(let next): goTo(next, inPort: flow.key[.inPort])
        case .clone(let inner): clone(inner)
        case .exit: isDone = true
        case .meter(let id): program.append(.meter(id))
        case .learn(let learn): self.learn(learn)
        case .finTimeout(let idle, let hard): reduceTimeouts(idle, hard)
        case .clearActions:
            actionSet = []
            actionSetHasGroup = false
            flow.key[.actsetOutput] = UInt64(ReservedPort.unset)
        case .writeActions(let actions): writeActions(actions)
        case .decTTL:
            if flow.isIP {
                if flow.key[.ipTTL] <= 1 {
                    commitEdits()
                    program.append(.note(.ttlExpired))
                    return false
                }
                flow.key[.ipTTL] -= 1
            }
        case .decMPLSTTL:
            if !flow.isMPLS { return false }
            if flow.key[.mplsTTL] <= 1 {
                commitEdits()
                program.append(.note(.mplsTTLExpired))
                return false
            }
            flow.key[.mplsTTL] -= 1
        case .pushMPLS(let etherType):
            if flow.labelCount == 0 {
                commitEdits()
            } else if flow.labelCount >= 3 {
                error = .tooManyMPLSLabels
                return true
            }
            flow.pushLabel(etherType: etherType, clearingNetworkLayer: true)
        case .popMPLS(let etherType):
            let count = flow.labelCount
            if flow.popLabel(etherType: etherType) {
                if !NaiveFlow.isMPLS(etherType) { hasUnknownPayload = true }
            } else if count >= 3 {
                error = .tooManyMPLSLabels
            }
        default: change(action)
        }
        return true
    }

    /// The actions that only change the flow or the stack.
    private func change(_ action: Action) {
        switch action {
        case .load(let value, let to):
            if flow.has(to.field) { write(to, value) }
        case .setField(let field, let value, let mask):
            if flow.has(field) { write(field, value, mask: mask) }
        case .move(let from, let to):
            if flow.has(from.field) && flow.has(to.field) { write(to, flow.read(from)) }
        case .push(let from): stack.append(flow.read(from))
        case .pop(let to):
            if let value = stack.popLast() { write(to, value) }
        case .writeMetadata(let value, let mask): flow.write(.metadata, FieldValue(low: value), mask: FieldValue(low: mask))
        case .setEthSrc(let mac): flow.key[.ethSrc] = mac
        case .setEthDst(let mac): flow.key[.ethDst] = mac
        case .setVLANID(let vid): flow.write(.dlVLAN, FieldValue(low: UInt64(vid)))
        case .setVLANPCP(let pcp): flow.write(.dlVLANPCP, FieldValue(low: UInt64(pcp)))
        case .stripVLAN: flow.popTag()
        case .pushVLAN(let etherType): flow.pushTag(protocol: etherType)
        case .setMPLSLabel(let label): if flow.isMPLS { flow.key[.mplsLabel] = UInt64(label) }
        case .setMPLSTC(let tc): if flow.isMPLS { flow.key[.mplsTC] = UInt64(tc) }
        case .setMPLSTTL(let ttl): if flow.isMPLS { flow.key[.mplsTTL] = UInt64(ttl) }
        case .setIPv4Src(let address): if flow.isIPv4 { flow.key[.ipv4Src] = UInt64(address) }
        case .setIPv4Dst(let address): if flow.isIPv4 { flow.key[.ipv4Dst] = UInt64(address) }
        case .setTOS(let tos): if flow.isIP { write(.ipTOS, FieldValue(low: UInt64(tos)), mask: FieldValue(low: 0xff)) }
        case .setECN(let ecn): if flow.isIP { write(.ipECN, FieldValue(low: UInt64(ecn)), mask: FieldValue(low: 3)) }
        case .setTTL(let ttl): if flow.isIP { flow.key[.ipTTL] = UInt64(ttl) }
        case .setTransportSrc(let port): if flow.isIP && !flow.isLaterFragment { flow.key[.tcpSrc] = UInt64(port) }
        case .setTransportDst(let port): if flow.isIP && !flow.isLaterFragment { flow.key[.tcpDst] = UInt64(port) }
        case .setTunnelID(let id): flow.key[.tunnelID] = id
        case .setQueue(let queue): flow.key[.skbPriority] = UInt64(queue)
        case .popQueue: flow.key[.skbPriority] = arrivalPriority
        case .multipath(let fields, let basis, let algorithm, let links, let argument, let to):
            write(to, FieldValue(low: UInt64(owner.hashes.link(fields, basis, algorithm, links, argument, flow.key))))
        default: break  // drop, note, conjunction
        }
    }

    private func write(_ field: Field, _ value: FieldValue, mask: FieldValue) {
        flow.write(field, value, mask: mask)
        base.pendingTOS |= NaiveFlow.bitsOfTOS(field, mask)
    }

    /// Writes a field, and keeps in mind what of the type of service was written.
    func write(_ to: Subfield, _ value: FieldValue) {
        flow.write(to, value)
        base.pendingTOS |= NaiveFlow.bitsOfTOS(to.field, .ones(to.count) << to.offset)
    }

    /// Runs the rest of the list twice, as nobody knows the length while translating; what follows this list sees neither outcome.
    private func checkLength(_ length: UInt16, _ to: Subfield, rest: [FrozenAction]) {
        commitEdits()
        let (oldFlow, oldBase, oldStack, oldSet, oldUnknown) = (flow, base, stack, actionSet, hasUnknownPayload)
        let before = program
        func branch(_ outcome: UInt64) -> [Step] {
            program = []
            (flow, base, stack, actionSet, hasUnknownPayload) = (oldFlow, oldBase, oldStack, oldSet, oldUnknown)
            write(to, FieldValue(low: outcome))
            run(rest)
            if !isFreezing { runActionSet() }
            if isFreezing { finishFreezing() }
            return program
        }
        let larger = branch(1)
        let wasDone = isDone
        isDone = false
        let other = branch(0)
        isDone = wasDone
        (flow, base, stack, actionSet, hasUnknownPayload) = (oldFlow, oldBase, oldStack, oldSet, oldUnknown)
        program = before + [.checkLength(length, larger: larger, other: other)]
    }

    /// A copy: what the actions do to flow, stack and action set is undone.
    private func clone(_ actions: [Action]) {
        let (oldStack, oldSet) = (stack, actionSet)
        // A meter or a cut cannot be taken back by edits, so these get a copy of the frame; otherwise later edits restore the headers.
        let isReversible =
            owner.quirks.undoesCopies
            && !actions.contains {
                switch $0 {
                case .meter: true
                case .output(_, let maxLength): maxLength != nil
                default: false
                }
            }
        func inner() {
            run(actions)
            if !isFreezing { runActionSet() }
            if isFreezing { finishFreezing() }
        }
        if isReversible {
            let oldFlow = flow
            inner()
            flow = oldFlow
        } else {
            let oldFlow = flow
            commitEdits()
            let (oldBase, oldUnknown, before) = (base, hasUnknownPayload, program)
            program = []
            inner()
            program = before + [.clone(program)]
            (flow, base, hasUnknownPayload) = (oldFlow, oldBase, oldUnknown)
        }
        (stack, actionSet) = (oldStack, oldSet)
    }

    /// The time-outs of the entry at hand shrink when the packet ends a TCP connection.
    private func reduceTimeouts(_ idle: UInt16, _ hard: UInt16) {
        guard arrivalTCPFlags & 0x005 != 0, let entry else { return }
        func reduce(_ value: UInt16, to limit: UInt16) -> UInt16 { limit != 0 && (value == 0 || value > limit) ? limit : value }
        entry.entry.idleTimeout = reduce(entry.entry.idleTimeout, to: idle)
        entry.entry.hardTimeout = reduce(entry.entry.hardTimeout, to: hard)
    }
}

extension Action {
    /// Actions that look into a table, and keep what is behind them themselves.
    var descends: Bool {
        switch self {
        case .resubmit, .gotoTable: true
        default: false
        }
    }
}

extension Field {
    var isNetworkLayerOrHigher: Bool { rawValue >= Field.mplsLabel.rawValue && rawValue <= Field.ndOptionsType.rawValue }
}
