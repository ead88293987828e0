@testable import TableEngine

/// The meaning of rules, without increments, indexes or plans: every rule over all rows, again and again until nothing new comes.
struct NaiveEvaluation {
    /// Rows by table.
    private(set) var rows: [String: Set<[UInt64]>] = [:]

    init(rules: [Rule], inputs: [String: Set<[UInt64]>]) {
        rows = inputs
        var grew = true
        while grew {
            grew = false
            for rule in rules {
                var solutions: [[Term: UInt64]] = [[:]]
                for literal in Self.atomsFirst(rule.body) { solutions = solutions.flatMap { extend($0, by: literal) } }
                for solution in solutions {
                    let row = rule.head.terms.map { Self.value($0, in: solution)! }
                    if rows[rule.head.relation.name, default: []].insert(row).inserted { grew = true }
                }
            }
        }
    }

    /// A function may use what another function gave, so functions keep their order.
    private static func atomsFirst(_ body: [Literal]) -> [Literal] {
        body.filter { if case .atom = $0 { true } else { false } } + body.filter { if case .function = $0 { true } else { false } }
    }

    private static func value(_ term: Term, in solution: [Term: UInt64]) -> UInt64? {
        if case .constant(let v) = term { return v }
        return solution[term]
    }

    private func extend(_ solution: [Term: UInt64], by literal: Literal) -> [[Term: UInt64]] {
        switch literal {
        case .atom(let atom):
            return (rows[atom.relation.name] ?? []).compactMap { row in Self.bind(solution, zip(atom.terms, row)) }
        case .function(let function, let arguments, let results):
            let values = arguments.map { Self.value($0, in: solution)! }
            var answer = [UInt64](repeating: 0, count: Relation.widthLimit)
            guard function.body(values, &answer) else { return [] }
            return [Self.bind(solution, zip(results.map(Term.variable), answer))].compactMap { $0 }
        }
    }

    private static func bind(_ solution: [Term: UInt64], _ pairs: some Sequence<(Term, UInt64)>) -> [Term: UInt64]? {
        var extended = solution
        for (term, value) in pairs {
            if let known = Self.value(term, in: extended) {
                if known != value { return nil }
            } else {
                extended[term] = value
            }
        }
        return extended
    }
}
