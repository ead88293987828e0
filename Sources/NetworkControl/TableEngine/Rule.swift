/// A variable of a rule, known by its name within that rule.
public struct Variable: Hashable, Sendable, ExpressibleByStringLiteral {
    public let name: String
    public init(_ name: String) { self.name = name }
    public init(stringLiteral name: String) { self.name = name }
}

/// What stands in a column of an atom: a variable, or a constant.
public enum Term: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case variable(Variable)
    case constant(UInt64)
    public init(stringLiteral name: String) { self = .variable(Variable(name)) }
    public init(integerLiteral value: UInt64) { self = .constant(value) }
}

/// A relation with a term for each column: in a rule's body a question, in its head the row that follows.
public struct Atom {
    public let relation: Relation
    public let terms: [Term]
    init(_ relation: Relation, _ terms: [Term]) {
        precondition(terms.count == relation.columns.count, "\(relation.name) has \(relation.columns.count) columns, not \(terms.count)")
        self.relation = relation
        self.terms = terms
    }
}

extension Relation {
    /// `relation("datapath", "port", 4)`: variables by name, constants by number.
    public func callAsFunction(_ terms: Term...) -> Atom { Atom(self, terms) }
}

/// A table that is computed instead of stored (spec 000-073, J4): from values of its arguments to values of its results, or to no row.
///
/// It must be pure: the same arguments give the same answer for as long as the engine lives, or a row that was derived could not be taken back.
public final class FunctionTable {
    /// Writes the results and returns true, or returns false for "no such row".
    public typealias Body = (_ arguments: UnsafePointer<UInt64>, _ results: UnsafeMutablePointer<UInt64>) -> Bool
    public let name: String
    let argumentCount: Int
    let resultCount: Int
    let body: Body

    public init(_ name: String, arguments: Int, results: Int, _ body: @escaping Body) {
        precondition(arguments <= Relation.widthLimit && results <= Relation.widthLimit)
        self.name = name
        argumentCount = arguments
        resultCount = results
        self.body = body
    }

    /// A table of the argument rows for which `holds` is true.
    public static func condition(_ name: String, arguments: Int, _ holds: @escaping (UnsafePointer<UInt64>) -> Bool) -> FunctionTable {
        FunctionTable(name, arguments: arguments, results: 0) { arguments, _ in holds(arguments) }
    }

    /// `function(["a", "b"], gives: ["c"])`.
    public func callAsFunction(_ arguments: [Term], gives results: [Variable] = []) -> Literal {
        precondition(arguments.count == argumentCount && results.count == resultCount, "\(name): wrong number of columns")
        return .function(self, arguments, results)
    }
}

/// One conjunct of a rule's body.
public enum Literal {
    case atom(Atom)
    case function(FunctionTable, [Term], [Variable])
}

/// What may stand in a rule's body: an atom or a function.
public protocol Conjunct {
    var literal: Literal { get }
}

extension Atom: Conjunct {
    public var literal: Literal { .atom(self) }
}

extension Literal: Conjunct {
    public var literal: Literal { self }
}

/// `head` holds for every way in which all of `body` holds: conjunctions only, as in nLog (spec 000-076, J9).
public struct Rule {
    public let name: String
    public let head: Atom
    public let body: [Literal]
}
