import Flow

/// The `learn` action: makes a flow entry of the packet at hand (ovs-actions(7)). The entry becomes an effect of the program.
extension Translator {
    func learn(_ side: UInt32) {
        guard case .learn(let l) = tables.sides[side] else { return }
        var entry = FlowEntry(
            table: l.table, priority: l.priority, cookie: l.cookie, idleTimeout: l.idleTimeout, hardTimeout: l.hardTimeout,
            flags: l.sendFlowRemoved ? .sendFlowRemoved : [])
        if l.finIdleTimeout != 0 || l.finHardTimeout != 0 {
            entry.actions.append(.finTimeout(idle: l.finIdleTimeout, hard: l.finHardTimeout))
        }
        for spec in l.specs {
            let value: FieldValue
            switch spec.source {
            case .immediate(let v): value = v
            case .subfield(let s): value = load(s)
            }
            switch spec.destination {
            case .match(let d):
                var mask = FieldValue.ones(d.count) << d.offset
                // By this name, the DSCP bits alone.
                if d.field == .ipTOS { mask = mask & FieldValue(low: 0xfc) }
                entry.match.require(d.field, value << d.offset, mask: mask)
            case .load(let d): entry.actions.append(.load(value, d))
            case .output:
                let port = UInt32(truncatingIfNeeded: value.low)
                let extended = port >= 0xff00 && port <= 0xffff ? port | 0xffff_0000 : port
                if value.high == 0, value.low <= 0xffff_ffff,
                    extended < ReservedPort.max
                        || [ReservedPort.inPort, ReservedPort.flood, ReservedPort.local, ReservedPort.all].contains(extended)
                {
                    entry.actions.append(.output(port: extended))
                }
            }
        }
        builder.flags |= Program.Flag.hasEffects
        let id = effects.intern(.learn(entry, limit: l.limit))
        builder.append(ProgramOp.header(.effect, c: id))
        builder.step(UInt64(id) << 3 | 2)
        trace?.note(.learned(entry))
        if let result = l.resultDestination {
            // What the limit says depends on the learned entries, which no key holds.
            builder.flags |= Program.Flag.isTransient
            // Who traces is the owner already.
            let isLearned =
                trace == nil ? tables.owner.withLock { _ in tables.wouldLearn(entry, limit: l.limit) } : tables.wouldLearn(entry, limit: l.limit)
            store(isLearned ? 1 : 0, result)
        }
    }

    /// The value of a subfield up to 128 bits wide.
    private func load(_ s: Subfield) -> FieldValue {
        var value = FieldValue.zero
        var shift = 0
        for chunk in ActionCompiler.chunks(s) {
            let (word, at, n) = (Int(chunk & 0xff), chunk >> 8 & 0xff, chunk >> 16 & 0xff)
            let mask = n == 64 ? UInt64.max : (1 << n) - 1
            if chunk & ActionCompiler.Chunk.isVoid == 0 {
                read(word, mask << at)
                value = value | FieldValue(low: key[word] >> at & mask) << shift
            }
            shift += Int(n)
        }
        return value
    }
}
