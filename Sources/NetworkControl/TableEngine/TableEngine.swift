/// The incremental rules engine: input tables, rules, output tables (spec 000-070…078, B113, J1–J11).
///
/// Changes of input tables are noted by `Relation.insert` and `remove`; `run()` carries them through all rules. Afterwards every table holds exactly what a
/// computation from nothing would give (a test says so on random edits), and the work was that of the rows concerned.
///
/// As if unoptimised: evaluate every rule over all rows, for every table in an order in which a rule's body comes before its head. Here only changes go round:
/// tables take their turns in that order, and a row that appears or disappears runs one `QueryPlan` for each place where a rule asks for its table. Tables
/// that have had their turn are new, those that have not are still old, so each derivation is counted once. Counts make removal exact; they are right because
/// no table depends on itself, which is checked when rules are added: what needs a closure over cycles (reachability) is computed outside and put in.
///
/// Used by one thread at a time.
public final class TableEngine {
    /// What a run cost.
    public struct Work: Equatable, Sendable {
        /// Rows looked at and functions asked.
        public var visited = 0
        /// Rows derived or withdrawn, cancelled ones included.
        public var derivations = 0
        /// Rows that appeared or disappeared, inputs included.
        public var changed = 0
        public init() {}
    }

    public private(set) var relations: [Relation] = []
    public private(set) var rules: [Rule] = []
    private var plans: [[QueryPlan]] = []
    private var order: [Int]?
    private let runner = PlanRunner()
    /// The work of all runs so far.
    public private(set) var totalWork = Work()

    public init() {}

    /// A new table. A column named `datapath` names the logical datapath, which joins go by first.
    public func relation(_ name: String, _ columns: String..., isOutput: Bool = false) -> Relation {
        let r = Relation(name: name, columns: columns, isOutput: isOutput, number: relations.count)
        relations.append(r)
        plans.append([])
        order = nil
        return r
    }

    /// A table of rows that never change (spec 000-073, J3).
    public func constants(_ name: String, _ columns: [String], rows: [[UInt64]]) -> Relation {
        let r = Relation(name: name, columns: columns, isOutput: false, number: relations.count)
        relations.append(r)
        plans.append([])
        order = nil
        for row in rows { r.insert(row) }
        return r
    }

    /// Adds a rule. Rules are added before the first rows.
    public func rule(_ name: String, _ head: Atom, if body: any Conjunct...) {
        precondition(relations.allSatisfy { $0.count == 0 }, "rules come before rows")
        let body = body.map(\.literal)
        let rule = Rule(name: name, head: head, body: body)
        rules.append(rule)
        order = nil
        for (i, literal) in body.enumerated() {
            guard case .atom(let atom) = literal else { continue }
            let plan = QueryPlan(rule, changed: i)
            precondition(plan.slotCount <= PlanRunner.variableLimit && plan.steps.count <= PlanRunner.stepLimit, "rule '\(name)' is too large")
            plans[atom.relation.number].append(plan)
        }
    }

    /// Carries the changes noted since the last run through the rules.
    @discardableResult public func run() -> Work {
        let order = self.order ?? sorted()
        self.order = order
        var work = Work()
        runner.visited = 0
        runner.derivations = 0
        for number in order where relations[number].hasPendingChanges {
            let relation = relations[number]
            // Safe: the engine holds its plans.
            let plans = self.plans[number].map(Unmanaged.passUnretained)
            let runner = self.runner
            work.changed += relation.settle { slot, sign in
                for plan in plans {
                    plan._withUnsafeGuaranteedRef { runner.run($0, row: relation.rows + slot &* relation.width, slot: slot, sign: sign) }
                }
            }
        }
        work.visited = runner.visited
        work.derivations = runner.derivations
        totalWork.visited += work.visited
        totalWork.derivations += work.derivations
        totalWork.changed += work.changed
        return work
    }

    /// Bodies before heads.
    private func sorted() -> [Int] {
        var after: [Set<Int>] = Array(repeating: [], count: relations.count)
        var waiting = Array(repeating: 0, count: relations.count)
        for rule in rules {
            for case .atom(let atom) in rule.body where after[atom.relation.number].insert(rule.head.relation.number).inserted {
                waiting[rule.head.relation.number] += 1
            }
        }
        var ready = relations.indices.filter { waiting[$0] == 0 }
        var order: [Int] = []
        while let number = ready.popLast() {
            order.append(number)
            for n in after[number].sorted() {
                waiting[n] -= 1
                if waiting[n] == 0 { ready.append(n) }
            }
        }
        precondition(
            order.count == relations.count, "a table depends on itself: \(relations.indices.filter { waiting[$0] > 0 }.map { relations[$0].name })")
        return order
    }
}
