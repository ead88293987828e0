import Flow

extension Translation {
    /// Makes an entry from the packet and gives it to the tables, where the next packet meets it (ovs-actions(7), "The learn action").
    func learn(_ learn: Learn) {
        var match = Match()
        var actions: [Action] = []
        if learn.finIdleTimeout != 0 || learn.finHardTimeout != 0 {
            actions.append(.finTimeout(idle: learn.finIdleTimeout, hard: learn.finHardTimeout))
        }
        for spec in learn.specs {
            let value =
                switch spec.source {
                case .immediate(let v): v
                case .subfield(let from): flow.read(from)
                }
            switch spec.destination {
            case .match(let to):
                let mask = FieldValue.ones(to.count) << to.offset
                match.require(to.field, value << to.offset, mask: mask)
            case .load(let to): actions.append(.load(value & .ones(to.count), to))
            case .output:
                if let port = Translation.learnedPort(value) { actions.append(.output(port: port)) }
            }
        }
        let entry = FlowEntry(
            table: learn.table, priority: learn.priority, match: match, actions: actions, cookie: learn.cookie, idleTimeout: learn.idleTimeout,
            hardTimeout: learn.hardTimeout, flags: learn.sendFlowRemoved ? .sendFlowRemoved : [])
        let learned = owner.flowTables.learn(entry, limit: learn.limit, execution.now)
        if let to = learn.resultDestination { write(to, FieldValue(low: learned ? 1 : 0)) }
    }

    /// A port that a learned entry may name; others are left out of it.
    private static func learnedPort(_ value: FieldValue) -> UInt32? {
        guard value.high == 0 else { return nil }
        let port = value.low
        if port < 0xff00 { return UInt32(port) }
        let reserved: [UInt64] = [
            UInt64(ReservedPort.inPort), UInt64(ReservedPort.flood), UInt64(ReservedPort.local), UInt64(ReservedPort.all),
        ]
        // Sixteen-bit forms of the reserved ports count too.
        let wide = port <= 0xffff ? port | 0xffff_0000 : port
        return reserved.contains(wide) ? UInt32(wide) : nil
    }
}
