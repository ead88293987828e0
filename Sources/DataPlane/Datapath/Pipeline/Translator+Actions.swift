import Flow

/// The action loop. Each case is one action of ovs-actions(7); the compiled form is described at `ActionOp`.
extension Translator {
    /// Runs a list of compiled actions; what remains of it when the walk freezes is kept.
    func run(_ start: UnsafePointer<UInt64>) {
        var at = start
        while true {
            if failure != nil { return }
            let header = at[0]
            let op = ActionOp(rawValue: UInt8(truncatingIfNeeded: header))!
            if op == .end { return }
            if wasMPLS, !isExiting, Self.needsInnerHeaders(op, at) { triggerFreeze() }
            if isExiting {
                if isFreezing { frozenSegments.append(Frozen.Segment(ops: at, tableID: tableID, entry: currentEntry)) }
                return
            }
            let a = UInt8(truncatingIfNeeded: header >> 8)
            let b = UInt16(truncatingIfNeeded: header >> 16)
            let c = UInt32(truncatingIfNeeded: header >> 32)
            if let trace { trace.action(key, at) }
            let next = at + Self.size(of: op, at)
            switch op {
            case .end: return
            case .set:
                if satisfies(a) { write(Int(b), mask: at[1], value: at[2]) }
            case .setVLAN:
                readTags()
                if satisfies(a) { writeTag(mask: at[1], value: at[2]) }
            case .move: move(at, a, UInt8(truncatingIfNeeded: b), Int(c))
            case .output: output(c)
            case .outputTruncated: output(c, maxLength: UInt32(truncatingIfNeeded: at[1]))
            case .outputSubfield: outputToValue(subfield(at + 1, Int(c)))
            case .controller: toController(maxLength: c & 0xffff, reason: a == 0 ? nil : a - 1, id: b, userdata: at + 1, count: Int(c >> 16))
            case .resubmit:
                let port = a & 1 != 0 && c != ReservedPort.inPort ? c : inPort
                resubmit(table: a & 2 != 0 ? UInt8(truncatingIfNeeded: b) : tableID, inPort: port)
            case .gotoTable:
                resubmit(table: UInt8(truncatingIfNeeded: b), inPort: inPort)
            case .clearActions: clearActions()
            case .writeActions:
                if case .actions(let list) = tables.sides[c] { writeActions(list) }
            case .meter: meter(c)
            case .push:
                push(at + 1, Int(c))
            case .pop: pop(at + 1, Int(c))
            case .popVLAN: popTag()
            case .pushVLAN: pushTag(tpid: UInt64(b))
            case .setVLANID:
                readTags()
                if a != 0 || key[FlowKeyLayout.ethSrcVLAN] & 0x1000 != 0 { writeTag(mask: 0x1fff, value: UInt64(b) | 0x1000) }
            case .setVLANPCP:
                readTags()
                if a != 0 || key[FlowKeyLayout.ethSrcVLAN] & 0x1000 != 0 { writeTag(mask: 0xf000, value: UInt64(b) << 13 | 0x1000) }
            case .pushMPLS: pushMPLS(type: UInt64(b))
            case .popMPLS: popMPLS(type: UInt64(b))
            case .setMPLS:
                if satisfies(2) {
                    readLabels()
                    setLabels(first: key[FlowKeyLayout.labels] & ~at[1] | at[2])
                }
            case .decMPLSTTL:
                guard satisfies(2) else { return }
                readLabels()
                let ttl = key[FlowKeyLayout.labels] & 0xff
                guard ttl > 1 else {
                    // As in Open vSwitch, the packet is told of in its state so far: what was set is on it from here.
                    commit()
                    tellController(reason: .invalidTTL, id: 0)
                    note(.mplsTTLExpired)
                    return
                }
                setLabels(first: key[FlowKeyLayout.labels] - 1)
            case .copyTTLOut: copyTTLOut()
            case .copyTTLIn: copyTTLIn()
            case .pushPBB: pushPBB(type: b)
            case .popPBB: popPBB()
            case .setKind: setKind(KindOfPayload(rawValue: a)!, b)
            case .decTTL:
                if satisfies(5) {
                    read(FlowKeyLayout.transport, 0xff00)
                    let ttl = key[FlowKeyLayout.transport] >> 8 & 0xff
                    guard ttl > 1 else {
                        commit()
                        for i in 0..<Int(c) { tellController(reason: .invalidTTL, id: UInt16(truncatingIfNeeded: at[1 + i])) }
                        note(.ttlExpired)
                        return
                    }
                    write(FlowKeyLayout.transport, mask: 0xff00, value: (ttl - 1) << 8)
                }
            case .setTransportPort:
                let isIP = satisfies(5)
                if isIP, key[FlowKeyLayout.transport] & FrameParser.Fragment.later == 0 {
                    let shift: UInt64 = b == 0 ? 48 : 32
                    write(FlowKeyLayout.transport, mask: 0xffff << shift, value: UInt64(c) << shift)
                }
            case .setQueue: write(FlowKeyLayout.markPriority, mask: 0xffff_ffff, value: UInt64(c) &+ 1)
            case .popQueue: write(FlowKeyLayout.markPriority, mask: 0xffff_ffff, value: 0)
            case .group:
                if !group(c) { return }
            case .learn: learn(c)
            case .clone: clone(at + 1)
            case .multipath: multipath(c)
            case .bundle: bundle(c)
            case .checkLarger:
                checkLarger(at, limit: Int(b), rest: next)
                return
            case .finTimeout: reduceTimeouts(idle: b, hard: UInt16(truncatingIfNeeded: c))
            case .exit: isExiting = true
            }
            if !keepsAction { at = next }
            // What a freeze below left of this action is kept already; an action that itself could not begin is kept with what follows.
            if isFreezing {
                keepsAction = false
                frozenSegments.append(Frozen.Segment(ops: at, tableID: tableID, entry: currentEntry))
                return
            }
        }
    }

    /// Words of an action with its operands.
    static func size(of op: ActionOp, _ at: UnsafePointer<UInt64>) -> Int {
        let c = Int(at[0] >> 32)
        switch op {
        case .set, .setVLAN, .setMPLS: return 3
        case .move, .outputSubfield, .push, .pop, .clone: return 1 + c
        case .outputTruncated, .checkLarger: return 2
        case .controller: return 1 + c >> 16
        case .decTTL: return 1 + c
        default: return 1
        }
    }

    /// Whether an action, after MPLS was popped, can only go on with the inner headers parsed (the list is Open vSwitch's).
    private static func needsInnerHeaders(_ op: ActionOp, _ at: UnsafePointer<UInt64>) -> Bool {
        switch op {
        case .output, .outputTruncated, .outputSubfield, .setQueue, .group, .setVLANID, .setVLANPCP, .setVLAN: false
        case .set: [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].contains(Int(at[0] >> 16 & 0xffff))
        default: true
        }
    }

    /// Keeps the first specific reason for the packet's end.
    func note(_ reason: DropReason) {
        if firstReason == nil { firstReason = reason }
        trace?.note(.notSent(reason))
    }

    private func resubmit(table: UInt8, inPort: UInt32) {
        guard depth < limits.resubmitDepth else {
            failure = .resubmitDepth
            return
        }
        guard resubmits < limits.resubmits else {
            failure = .resubmitCount
            return
        }
        lookup(table: table, inPort: inPort, deepens: table <= tableID)
    }

    // MARK: - Values

    /// The value of a subfield of at most 64 bits, given as chunks.
    private func subfield(_ chunks: UnsafePointer<UInt64>, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        for i in 0..<count {
            let (word, at, n) = (Int(chunks[i] & 0xff), chunks[i] >> 8 & 0xff, chunks[i] >> 16 & 0xff)
            let mask = n == 64 ? UInt64.max : (1 << n) - 1
            if chunks[i] & ActionCompiler.Chunk.isVoid == 0 {
                readField(word, mask << at)
                if shift < 64 { value |= (key[word] >> at & mask) << shift }
            }
            shift += n
        }
        return value
    }

    /// Like `read`, with the whole tag where the VLAN bits are meant.
    private func readField(_ word: Int, _ mask: UInt64) {
        read(word, mask)
        if word == FlowKeyLayout.labels, mask & 0xffff_ffff != 0 { readLabels() }
    }

    private func move(_ at: UnsafePointer<UInt64>, _ source: UInt8, _ destination: UInt8, _ count: Int) {
        guard satisfies(source), satisfies(destination) else { return }
        // All pieces are read before any is written: source and destination may overlap.
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { values in
            for i in 0..<count {
                let chunk = at[1 + i]
                let n = chunk >> 32 & 0xff
                let mask = n == 64 ? UInt64.max : (1 << n) - 1
                let (word, shift) = (Int(chunk & 0xff), chunk >> 8 & 0xff)
                if chunk & ActionCompiler.Chunk.isVoidSource != 0 {
                    values[i] = 0
                    continue
                }
                readField(word, mask << shift)
                values[i] = key[word] >> shift & mask
            }
            for i in 0..<count {
                let chunk = at[1 + i]
                let n = chunk >> 32 & 0xff
                let mask = n == 64 ? UInt64.max : (1 << n) - 1
                let at = chunk >> 24 & 0xff
                writeField(Int(chunk >> 16 & 0xff), mask: mask << at, value: values[i] << at, chunk: chunk)
            }
        }
    }

    /// Writes bits of any field, with the rules of tags, labels and 16-bit port numbers; `chunk` has the flags of the field they belong to.
    func writeField(_ word: Int, mask: UInt64, value: UInt64, chunk: UInt64 = 0) {
        if chunk & ActionCompiler.Chunk.isVoid != 0 { return }
        if chunk & ActionCompiler.Chunk.isPort != 0 {
            let port = value >> 32 & 0xffff
            write(word, mask: ~0xffff_ffff, value: (port >= 0xff00 ? port | 0xffff_0000 : port) << 32)
        } else if chunk & ActionCompiler.Chunk.isTag != 0 {
            readTags()
            writeTag(mask: mask | 0x1000, value: value | 0x1000)
        } else if word == FlowKeyLayout.ethSrcVLAN, mask & 0xffff != 0 {
            readTags()
            writeTag(mask: mask, value: value)
        } else if word == FlowKeyLayout.labels, mask & 0xffff_ffff != 0 {
            readLabels()
            setLabels(first: key[word] & ~mask | value & mask)
        } else {
            write(word, mask: mask, value: value)
        }
    }

    private func push(_ chunks: UnsafePointer<UInt64>, _ count: Int) {
        guard stack.count * 8 + 16 <= limits.stackSize else {
            failure = .stackTooDeep
            return
        }
        // Values are stored as 128 bits, low half first.
        var low: UInt64 = 0
        var high: UInt64 = 0
        var shift: UInt64 = 0
        for i in 0..<count {
            let chunk = chunks[i]
            let (word, at, n) = (Int(chunk & 0xff), chunk >> 8 & 0xff, chunk >> 16 & 0xff)
            let mask = n == 64 ? UInt64.max : (1 << n) - 1
            let isVoid = chunk & ActionCompiler.Chunk.isVoid != 0
            if !isVoid { readField(word, mask << at) }
            let value = isVoid ? 0 : key[word] >> at & mask
            if shift < 64 {
                low |= value << shift
                if shift + n > 64 { high |= value >> (64 - shift) }
            } else {
                high |= value << (shift - 64)
            }
            shift += n
        }
        stack.append(low)
        stack.append(high)
    }

    private func pop(_ chunks: UnsafePointer<UInt64>, _ count: Int) {
        guard let high = stack.popLast(), let low = stack.popLast() else { return }
        let value = FieldValue(high: high, low: low)
        var shift = 0
        for i in 0..<count {
            let (word, at, n) = (Int(chunks[i] & 0xff), chunks[i] >> 8 & 0xff, chunks[i] >> 16 & 0xff)
            let mask = n == 64 ? UInt64.max : (1 << n) - 1
            writeField(word, mask: mask << at, value: ((value >> shift).low & mask) << at, chunk: chunks[i])
            shift += Int(n)
        }
    }

    private func meter(_ id: UInt32) {
        builder.flags |= Program.Flag.usesGroups
        guard tables.meters.contains(id) else { return }
        // What was set before is not on the packet yet (as in Open vSwitch): the meter counts and re-marks what arrived.
        builder.append(ProgramOp.header(.meter, a: (firstReason ?? .meter).rawValue, c: id))
    }

    private func clone(_ nested: UnsafePointer<UInt64>) {
        onCopy {
            trace?.enterClone()
            runAsPacket(nested)
            trace?.leave(key, failure: failure)
        }
    }

    /// Runs a list as the whole life of a packet: with its own stack and action set, which is executed in the end. `exit` in it ends the walk.
    private func runAsPacket(_ list: UnsafePointer<UInt64>) {
        let saved = (stack, actionSet, actionSetHasGroup)
        run(list)
        if !isFreezing, failure == nil, !actionSet.isEmpty { runActionSet() }
        (stack, actionSet, actionSetHasGroup) = saved
    }

    /// `check_pkt_larger`: compares the packet as it would leave now, without padding, with a limit.
    ///
    /// As in Open vSwitch the rest of the list is translated for both outcomes, each as a packet of its own, and what follows the list sees
    /// neither: of the outcome that is not the packet's, only learning remains, and an `exit` when the packet is larger.
    private func checkLarger(_ at: UnsafePointer<UInt64>, limit: Int, rest: UnsafePointer<UInt64>) {
        read(FlowKeyLayout.ndReserved, 0xffff_ffff)
        commit()
        let isLarger = length + grownBy > limit
        var exits = false
        for outcome in [true, false] {
            let start = builder.opCount
            let kept = (outputs, firstReason, lastLookupMissed)
            onCopy {
                writeField(Int(at[1] & 0xff), mask: 1 << (at[1] >> 8 & 0xff), value: outcome ? 1 << (at[1] >> 8 & 0xff) : 0, chunk: at[1])
                runAsPacket(rest)
            }
            if failure != nil { return }
            if outcome != isLarger {
                builder.keepEffects(from: start)
                (outputs, firstReason, lastLookupMissed) = kept
            }
            if outcome { exits = isExiting }
            isExiting = false
        }
        isExiting = exits
    }

    /// `fin_timeout`: the entry at hand ends soon when the packet that arrived ends a TCP connection.
    private func reduceTimeouts(idle: UInt16, hard: UInt16) {
        read(FlowKeyLayout.inPortFlags, 0x5 << 16)
        guard arrivalTCPFlags & 0x5 != 0, let entry = currentEntry else { return }
        builder.flags |= Program.Flag.hasEffects
        let id = effects.intern(.reduceTimeouts(entry, addedAt: entry.addedAt, idle: idle, hard: hard))
        builder.append(ProgramOp.header(.effect, c: id))
        builder.step(UInt64(id) << 3 | 2)
    }

    // MARK: - VLAN tags and MPLS labels

    /// Tags are committed by comparison, so the outcome depends on all of them.
    func readTags() {
        read(FlowKeyLayout.ethSrcVLAN, 0xffff)
        read(FlowKeyLayout.inPortFlags, 0xffff)
        read(FlowKeyLayout.arpSHA, 3)
    }

    private func writeTag(mask: UInt64, value: UInt64) {
        key[FlowKeyLayout.ethSrcVLAN] = key[FlowKeyLayout.ethSrcVLAN] & ~mask | value & mask
        written[FlowKeyLayout.ethSrcVLAN] |= 0xffff | mask
        pending[FlowKeyLayout.ethSrcVLAN] |= mask & ~0xffff
        noteTagsWritten()
    }

    private func noteTagsWritten() {
        tagsChanged = true
        written[FlowKeyLayout.ethSrcVLAN] |= 0xffff
        written[FlowKeyLayout.inPortFlags] |= 0xffff
        written[FlowKeyLayout.arpSHA] |= 3
        builder.writtenWords |=
            1 << UInt64(FlowKeyLayout.ethSrcVLAN) | 1 << UInt64(FlowKeyLayout.inPortFlags)
            | 1 << UInt64(FlowKeyLayout.arpSHA)
    }

    func setTags(outer: UInt64, inner: UInt64, kinds: UInt64) {
        readTags()
        key[FlowKeyLayout.ethSrcVLAN] = key[FlowKeyLayout.ethSrcVLAN] & ~0xffff | outer
        key[FlowKeyLayout.inPortFlags] = key[FlowKeyLayout.inPortFlags] & ~0xffff | inner
        key[FlowKeyLayout.arpSHA] = key[FlowKeyLayout.arpSHA] & ~3 | kinds
        noteTagsWritten()
    }

    func popTag() {
        readTags()
        guard key[FlowKeyLayout.ethSrcVLAN] & 0x1000 != 0 else { return }
        setTags(outer: key[FlowKeyLayout.inPortFlags] & 0xffff, inner: 0, kinds: key[FlowKeyLayout.arpSHA] >> 1 & 1)
    }

    func pushTag(tpid: UInt64) {
        readTags()
        let kind: UInt64 = tpid == FrameParser.EtherType.serviceVLAN ? 1 : 0
        setTags(outer: 0x1000, inner: key[FlowKeyLayout.ethSrcVLAN] & 0xffff, kinds: (key[FlowKeyLayout.arpSHA] & 1) << 1 | kind)
    }

    func readLabels() {
        read(FlowKeyLayout.labels, 0xffff_ffff)
        read(FlowKeyLayout.mplsMore, .max)
    }

    func setLabels(first: UInt64, more: UInt64? = nil) {
        key[FlowKeyLayout.labels] = key[FlowKeyLayout.labels] & ~0xffff_ffff | first & 0xffff_ffff
        if let more { key[FlowKeyLayout.mplsMore] = more }
        written[FlowKeyLayout.labels] |= 0xffff_ffff
        written[FlowKeyLayout.mplsMore] = .max
        builder.writtenWords |= 1 << UInt64(FlowKeyLayout.labels) | 1 << UInt64(FlowKeyLayout.mplsMore)
        labelsChanged = true
    }

    /// Labels on a stack given as words 9 (low half) and 10, up to three, or up to the bottom of stack.
    static func labelCount(first: UInt64, more: UInt64, etherType: UInt64) -> Int {
        guard etherType == FrameParser.EtherType.mpls || etherType == FrameParser.EtherType.mplsMulticast else { return 0 }
        var count = 0
        for (i, label) in [first & 0xffff_ffff, more >> 32, more & 0xffff_ffff].enumerated() {
            if label & 0x100 != 0 { return i + 1 }
            if label != 0 { count += 1 }
        }
        return count
    }

    private func setEtherType(_ type: UInt64) {
        key[FlowKeyLayout.ethDstType] = key[FlowKeyLayout.ethDstType] & ~0xffff | type
        written[FlowKeyLayout.ethDstType] |= 0xffff
        builder.writtenWords |= 1 << UInt64(FlowKeyLayout.ethDstType)
    }

    private func pushMPLS(type: UInt64) {
        readLabels()
        let (first, more) = (key[FlowKeyLayout.labels] & 0xffff_ffff, key[FlowKeyLayout.mplsMore])
        let n = Self.labelCount(first: first, more: more, etherType: etherType)
        if n >= Limits.mplsLabels {
            failure = .tooManyMPLSLabels
            return
        }
        if n > 0 {
            setLabels(first: first & ~0x100, more: first << 32 | (n == 2 ? more >> 32 : more & 0xffff_ffff))
            setEtherType(type)
            return
        }
        commit()
        var label: UInt64 = 0
        var trafficClass: UInt64 = 0
        var ttl: UInt64 = 64
        if etherType == FrameParser.EtherType.ipv6 { label = 2 }
        if satisfies(5) {
            read(FlowKeyLayout.transport, 0xff_ff00)
            trafficClass = key[FlowKeyLayout.transport] >> 18 & 7
            if key[FlowKeyLayout.transport] >> 8 & 0xff != 0 { ttl = key[FlowKeyLayout.transport] >> 8 & 0xff }
        }
        // The network and transport headers are out of reach under the label.
        for word in [2, 3, 5, 6, 7, 8, 11, 12, 14] { hide(word, .max) }
        hide(FlowKeyLayout.inPortFlags, 0xfff << 16)
        hide(FlowKeyLayout.labels, ~0xffff_ffff)
        hide(FlowKeyLayout.arpSHA, ~3)
        hide(FlowKeyLayout.ndReserved, ~0xffff_ffff)
        setLabels(first: label << 12 | trafficClass << 9 | 0x100 | ttl, more: 0)
        setEtherType(type)
    }

    private func hide(_ word: Int, _ mask: UInt64) {
        key[word] &= ~mask
        written[word] |= mask
        pending[word] &= ~mask
        builder.writtenWords |= 1 << UInt64(word)
    }

    private func popMPLS(type: UInt64) {
        readLabels()
        let (first, more) = (key[FlowKeyLayout.labels] & 0xffff_ffff, key[FlowKeyLayout.mplsMore])
        let n = Self.labelCount(first: first, more: more, etherType: etherType)
        if n == 0 { return }
        if n == Limits.mplsLabels, more & 0x100 == 0 {
            failure = .tooManyMPLSLabels
            return
        }
        switch n {
        case 1: setLabels(first: 0, more: more)
        case 2: setLabels(first: more >> 32, more: more & 0xffff_ffff)
        default: setLabels(first: more >> 32, more: more << 32)
        }
        setEtherType(type)
        if type != FrameParser.EtherType.mpls, type != FrameParser.EtherType.mplsMulticast { wasMPLS = true }
    }
}
