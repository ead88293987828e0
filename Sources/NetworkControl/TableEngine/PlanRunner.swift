/// Runs query plans on a block of variables (the *table processor*, spec J8).
///
/// Nothing is allocated for a row: variables, keys and rows to derive live in blocks of fixed size, one key block for each depth of a plan.
final class PlanRunner {
    static let variableLimit = 64
    static let stepLimit = 16
    private let variables: UnsafeMutablePointer<UInt64>
    private let keys: UnsafeMutablePointer<UInt64>
    private let derived: UnsafeMutablePointer<UInt64>
    /// Rows looked at and functions asked.
    var visited = 0
    /// Rows derived or withdrawn.
    var derivations = 0

    init() {
        variables = .allocate(capacity: Self.variableLimit)
        variables.initialize(repeating: 0, count: Self.variableLimit)
        keys = .allocate(capacity: Self.stepLimit * 2 * Relation.widthLimit)
        keys.initialize(repeating: 0, count: Self.stepLimit * 2 * Relation.widthLimit)
        derived = .allocate(capacity: Relation.widthLimit)
        derived.initialize(repeating: 0, count: Relation.widthLimit)
    }

    deinit {
        variables.deallocate()
        keys.deallocate()
        derived.deallocate()
    }

    /// Carries one changed row of the plan's atom through the plan.
    func run(_ plan: QueryPlan, row: UnsafePointer<UInt64>, slot: Int, sign: Int32) {
        for i in 0..<plan.constants.count { variables[plan.constants[i].slot] = plan.constants[i].value }
        for i in 0..<plan.bindings.count { variables[plan.bindings[i].slot] = row[plan.bindings[i].column] }
        for i in 0..<plan.checks.count where row[plan.checks[i].column] != variables[plan.checks[i].slot] { return }
        step(plan, 0, slot, sign)
    }

    private func step(_ plan: QueryPlan, _ depth: Int, _ changed: Int, _ sign: Int32) {
        if depth == plan.sequence.count {
            for i in 0..<plan.headSlots.count { derived[i] = variables[plan.headSlots[i]] }
            derivations &+= 1
            plan.head.change(derived, by: sign)
            return
        }
        // Safe: the plan holds its steps.
        plan.sequence[depth]._withUnsafeGuaranteedRef { take($0, plan, depth, changed, sign) }
    }

    @inline(__always) private func take(_ step: QueryPlan.Step, _ plan: QueryPlan, _ depth: Int, _ changed: Int, _ sign: Int32) {
        let key = keys + depth &* 2 &* Relation.widthLimit
        for i in 0..<step.inputs.count { key[i] = variables[step.inputs[i]] }
        switch step.kind {
        case .probe:
            let relation = step.relation.unsafelyUnwrapped
            let index = step.index.unsafelyUnwrapped
            let width = relation.width
            var slot = index.first(key)
            while slot >= 0 {
                visited &+= 1
                let row = relation.rows + Int(slot) &* width
                if index.matches(row, key), !(step.excludesChange && Int(slot) == changed), bind(step, row) {
                    self.step(plan, depth &+ 1, changed, sign)
                }
                slot = index.next[Int(slot)]
            }
        case .test:
            visited &+= 1
            let relation = step.relation.unsafelyUnwrapped
            let slot = relation.find(key, hash: RowHash.hash(key, relation.width))
            guard slot >= 0, relation.counts[slot] > 0, !(step.excludesChange && slot == changed) else { return }
            self.step(plan, depth &+ 1, changed, sign)
        case .scan:
            let relation = step.relation.unsafelyUnwrapped
            for slot in 0..<relation.slotCount where relation.counts[slot] > 0 {
                visited &+= 1
                if step.excludesChange, slot == changed { continue }
                if bind(step, relation.rows + slot &* relation.width) { self.step(plan, depth &+ 1, changed, sign) }
            }
        case .function:
            visited &+= 1
            let results = key + Relation.widthLimit
            if step.function.unsafelyUnwrapped.body(key, results), bind(step, results) { self.step(plan, depth &+ 1, changed, sign) }
        }
    }

    @inline(__always) private func bind(_ step: QueryPlan.Step, _ row: UnsafePointer<UInt64>) -> Bool {
        for i in 0..<step.outputs.count { variables[step.outputs[i].slot] = row[step.outputs[i].column] }
        for i in 0..<step.repeats.count where row[step.repeats[i].column] != variables[step.repeats[i].slot] { return false }
        return true
    }
}
