/// What is done when a row of one atom of a rule's body appears or disappears: bind its columns, join the other atoms in a chosen order, derive the head
/// (spec 000-075, J7).
///
/// Order: an atom with the logical datapath already known comes before one without (spec 000-077, J10), so that work for other datapaths dies at the first
/// join; among these the atom with the most columns known. A function is asked as soon as its arguments are known. Every join goes by an index on exactly the
/// known columns.
///
/// A relation may occur several times in a body. A derivation that uses the changed row in several places is counted at the first of them: atoms before the
/// changed one pass over that row.
final class QueryPlan {
    enum Operation {
        /// Rows by an index on the known columns.
        case probe(RowIndex)
        /// Whether the row, of which all columns are known, is present.
        case test
        /// Every row.
        case scan
        case function(FunctionTable)
    }

    /// What the runner does at one depth. It reads tables and indexes without counting references: the engine holds them as long as its plans.
    final class Step {
        let operation: Operation
        unowned(unsafe) let relation: Relation?
        /// Of a probe.
        unowned(unsafe) let index: RowIndex?
        /// Of a function; held by the rule.
        unowned(unsafe) let function: FunctionTable?
        /// Variable slots whose values make up the key, the whole row or the arguments.
        let inputs: PlanList<Int>
        /// Column and slot of variables that this step finds; for a function, results in order.
        let outputs: PlanList<(column: Int, slot: Int)>
        /// Columns that must repeat a variable which this same step finds.
        let repeats: PlanList<(column: Int, slot: Int)>
        let excludesChange: Bool
        /// `operation` without what it names.
        let kind: Kind
        enum Kind { case probe, test, scan, function }

        init(
            _ operation: Operation, relation: Relation?, inputs: [Int], outputs: [(column: Int, slot: Int)], repeats: [(column: Int, slot: Int)],
            excludesChange: Bool
        ) {
            self.operation = operation
            self.relation = relation
            if case .probe(let index) = operation { self.index = index } else { index = nil }
            if case .function(let function) = operation { self.function = function } else { function = nil }
            kind =
                switch operation {
                case .probe: .probe
                case .test: .test
                case .scan: .scan
                case .function: .function
                }
            self.inputs = PlanList(inputs)
            self.outputs = PlanList(outputs)
            self.repeats = PlanList(repeats)
            self.excludesChange = excludesChange
        }

        deinit {
            inputs.free()
            outputs.free()
            repeats.free()
        }
    }

    let rule: Rule
    unowned(unsafe) let head: Relation
    let headSlots: PlanList<Int>
    /// Columns of the changed row to variables.
    let bindings: PlanList<(column: Int, slot: Int)>
    /// Columns of the changed row that must equal a constant or an earlier column.
    let checks: PlanList<(column: Int, slot: Int)>
    let steps: [Step]
    /// The same, for the runner.
    let sequence: PlanList<Unmanaged<Step>>
    let slotCount: Int
    /// Slots preloaded with constants.
    let constants: PlanList<(slot: Int, value: UInt64)>

    /// - Parameter changed: index in the rule's body of the atom whose row changes.
    init(_ rule: Rule, changed: Int) {
        guard case .atom(let trigger) = rule.body[changed] else { preconditionFailure("a function does not change") }
        var slots: [Term: Int] = [:]
        var constants: [(slot: Int, value: UInt64)] = []
        func slot(_ term: Term) -> Int {
            if let known = slots[term] { return known }
            let new = slots.count
            slots[term] = new
            if case .constant(let value) = term { constants.append((new, value)) }
            return new
        }
        var known: Set<Term> = []
        func isKnown(_ term: Term) -> Bool {
            if case .constant = term { return true }
            return known.contains(term)
        }

        var bindings: [(column: Int, slot: Int)] = []
        var checks: [(column: Int, slot: Int)] = []
        for (column, term) in trigger.terms.enumerated() {
            if isKnown(term) {
                checks.append((column, slot(term)))
            } else {
                bindings.append((column, slot(term)))
                known.insert(term)
            }
        }

        var remaining = rule.body.indices.filter { $0 != changed }
        var steps: [Step] = []
        while !remaining.isEmpty {
            if let at = remaining.firstIndex(where: { i in
                if case .function(_, let arguments, _) = rule.body[i] { arguments.allSatisfy(isKnown) } else { false }
            }) {
                guard case .function(let function, let arguments, let results) = rule.body[remaining.remove(at: at)] else { continue }
                var outputs: [(column: Int, slot: Int)] = []
                var repeats: [(column: Int, slot: Int)] = []
                for (column, result) in results.enumerated() {
                    let term = Term.variable(result)
                    if known.insert(term).inserted { outputs.append((column, slot(term))) } else { repeats.append((column, slot(term))) }
                }
                steps.append(
                    Step(
                        .function(function), relation: nil, inputs: arguments.map(slot), outputs: outputs, repeats: repeats, excludesChange: false))
                continue
            }
            var best: (at: Int, score: Int)?
            for (at, i) in remaining.enumerated() {
                guard case .atom(let atom) = rule.body[i] else { continue }
                let bound = atom.terms.count(where: isKnown)
                let hasDatapath = zip(atom.relation.columns, atom.terms).contains { $0 == "datapath" && isKnown($1) }
                let score = bound == atom.terms.count ? 1000 : bound + (hasDatapath ? 100 : 0)
                if best == nil || score > best!.score { best = (at, score) }
            }
            guard let best else { preconditionFailure("rule '\(rule.name)': a function's argument is bound by no atom") }
            let i = remaining.remove(at: best.at)
            guard case .atom(let atom) = rule.body[i] else { continue }
            let keyColumns = atom.terms.indices.filter { isKnown(atom.terms[$0]) }
            var outputs: [(column: Int, slot: Int)] = []
            var repeats: [(column: Int, slot: Int)] = []
            for (column, term) in atom.terms.enumerated() where !keyColumns.contains(column) {
                if known.insert(term).inserted { outputs.append((column, slot(term))) } else { repeats.append((column, slot(term))) }
            }
            let operation: Operation =
                keyColumns.count == atom.terms.count ? .test : keyColumns.isEmpty ? .scan : .probe(atom.relation.index(on: keyColumns))
            steps.append(
                Step(
                    operation, relation: atom.relation, inputs: keyColumns.map { slot(atom.terms[$0]) }, outputs: outputs, repeats: repeats,
                    excludesChange: atom.relation === trigger.relation && i < changed))
        }
        for term in rule.head.terms { precondition(isKnown(term), "rule '\(rule.name)': a column of the head is bound by nothing") }
        self.rule = rule
        head = rule.head.relation
        headSlots = PlanList(rule.head.terms.map(slot))
        self.bindings = PlanList(bindings)
        self.checks = PlanList(checks)
        self.steps = steps
        sequence = PlanList(steps.map(Unmanaged.passUnretained))
        self.constants = PlanList(constants)
        slotCount = slots.count
    }

    deinit {
        sequence.free()
        headSlots.free()
        bindings.free()
        checks.free()
        constants.free()
    }
}

/// A list that a plan reads for every row: plain memory, so that reading it counts no references. Whoever has it frees it.
struct PlanList<Element: BitwiseCopyable> {
    let items: UnsafePointer<Element>
    let count: Int

    init(_ list: [Element]) {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(list.count, 1))
        memory.initialize(from: list, count: list.count)
        items = UnsafePointer(memory)
        count = list.count
    }

    func free() { items.deallocate() }

    // Safe: plans index below `count` only.
    @inline(__always) subscript(_ i: Int) -> Element { items[i] }
}
