import Flow

/// Masks and lists of actions, each kept once.
extension FlowTables {
    func intern(_ match: Match) -> MaskRecord {
        let words = match.words
        if let last = lastMask, last.count == words.count {
            var isSame = true
            for i in 0..<words.count where last.index(i) != words[i].index || last.mask(i) != words[i].mask {
                isSame = false
                break
            }
            if isSame { return last }
        }
        var key: [UInt64] = []
        key.reserveCapacity(2 * words.count)
        for w in words {
            key.append(UInt64(w.index))
            key.append(w.mask)
        }
        if let m = masks[key] {
            lastMask = m
            return m
        }
        let m = MaskRecord(words: words.map { ($0.index, $0.mask) })
        masks[key] = m
        lastMask = m
        return m
    }

    /// The list compiled; its ports are registered. Entries that come in a row mostly share one array.
    func interned(_ actions: [Action]) -> InternedActions {
        if let last = lastActions, last.source.count == actions.count,
            last.source.withUnsafeBufferPointer({ $0.baseAddress }) == actions.withUnsafeBufferPointer({ $0.baseAddress })
        {
            return last
        }
        registerPorts(actions)
        let isConjunctive = if case .conjunction? = actions.first { true } else { false }
        let fresh = InternedActions(source: actions, record: intern(actions), learns: actions.deletingLearns, isConjunctive: isConjunctive)
        lastActions = fresh
        return fresh
    }

    func intern(_ actions: [Action]) -> ActionRecord {
        if let r = actionRecords[actions] { return r }
        sides.recent = []
        var words = compiler.compile(actions)
        let clauses = actions.compactMap { action -> UInt64? in
            if case .conjunction(let id, let clause, let of) = action { UInt64(id) << 32 | UInt64(clause) << 16 | UInt64(of) } else { nil }
        }
        words.append(UInt64(clauses.count))
        words += clauses
        let source: Int
        if let free = freeSources.popLast() {
            source = free
            actionSources[free] = actions
        } else {
            source = actionSources.count
            actionSources.append(actions)
        }
        if !sides.recent.isEmpty { sourceSides[source] = sides.recent }
        let record = ActionRecord(words: words, source: source)
        actionRecords[actions] = record
        return record
    }

    func release(_ record: ActionRecord) {
        record.references -= 1
        guard record.references == 0 else { return }
        let source = record.source
        if let actions = actionSources[source] { actionRecords[actions] = nil }
        actionSources[source] = nil
        freeSources.append(source)
        if let named = sourceSides.removeValue(forKey: source) { limbo.append(.sides(named), version: version + 1) }
        if lastActions?.record == record { lastActions = nil }
        limbo.append(.actions(record), version: version + 1)
    }

    /// Ports that actions name exist from then on; see `PortRegistry`.
    func registerPorts(_ actions: [Action]) {
        for action in actions {
            switch action {
            case .output(let port, _), .outputHint(let port, _), .enqueue(let port, _): ports.registerNamedByFlow(port)
            case .clone(let list), .writeActions(let list): registerPorts(list)
            case .bundle(_, _, _, let members, _): for m in members { ports.registerNamedByFlow(m) }
            default: break
            }
        }
    }
}

extension [Action] {
    /// Whether the list, or one written to the action set by it, is such.
    func flattened(_ isSuch: ([Action]) -> Bool) -> Bool {
        if isSuch(self) { return true }
        return contains {
            switch $0 {
            case .writeActions(let inner), .clone(let inner): inner.flattened(isSuch)
            default: false
            }
        }
    }

    /// The `learn` actions with `delete_learned`, also inside other actions.
    var deletingLearns: [Learn] {
        var found: [Learn] = []
        for action in self {
            switch action {
            case .learn(let l) where l.deleteLearned: found.append(l)
            case .clone(let inner), .writeActions(let inner): found += inner.deletingLearns
            default: break
            }
        }
        return found
    }
}
