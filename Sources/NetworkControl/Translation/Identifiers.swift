/// Names to numbers and back: symbols of the rules engine, which on the wire are the identifiers of ports, datapaths and hosts.
///
/// A name keeps its number as long as it is in use. A number that was given back is taken again as late as possible, so that a packet still on its way does
/// not meet a new owner.
public struct Identifiers: Sendable {
    private var numbers: [String: UInt32] = [:]
    private var names: [String] = [""]
    private var free: [UInt32] = []
    private var freeFrom = 0
    /// Numbers begin behind this one; `names` begins there too.
    private let base: UInt32
    private let limit: UInt32
    /// Names whose numbers were given out or back since the last `takeChanges`; nil while nobody wants to know.
    private var touched: Set<String>?

    /// - Parameters:
    ///   - base: what numbers begin behind.
    ///   - limit: how many there are.
    public init(base: UInt64 = 0, limit: UInt64 = RegisterMap.identifierLimit) {
        self.base = UInt32(base)
        self.limit = UInt32(limit)
    }

    /// The names whose numbers were given out or back since the last call, and the highest number that was ever given out.
    mutating func takeChanges() -> (names: [(name: String, number: UInt32?)], highest: Int) {
        defer { touched = [] }
        return ((touched ?? []).map { ($0, numbers[$0]) }, Int(base) + names.count - 1)
    }

    /// Begins with numbers that were given out before; none is in use yet.
    mutating func restore(_ all: [(name: String, number: UInt32)], highest: Int) {
        let last = max(highest, all.reduce(0) { max($0, Int($1.number)) }, Int(base))
        names = Array(repeating: "", count: last - Int(base) + 1)
        for (name, number) in all {
            precondition(number > base && number - base <= limit, "\(number) is the number of '\(name)', and of another set")
            numbers[name] = number
            names[Int(number - base)] = name
        }
        free = (1..<max(names.count, 1)).filter { names[$0].isEmpty }.map { base + UInt32($0) }
        freeFrom = 0
        touched = []
    }

    /// The number of a name, a new one from 1 on if it has none.
    public mutating func number(of name: String) -> UInt64 {
        if let known = numbers[name] { return UInt64(known) }
        let number: UInt32
        if names.count <= Int(limit) {
            number = base + UInt32(names.count)
            names.append(name)
        } else {
            precondition(freeFrom < free.count, "all \(limit) identifiers are in use")
            number = free[freeFrom]
            freeFrom += 1
            names[Int(number - base)] = name
        }
        numbers[name] = number
        touched?.insert(name)
        return UInt64(number)
    }

    /// Lets a name have a number that was given to it elsewhere.
    mutating func adopt(_ name: String, _ number: UInt32) {
        if numbers[name] == number { return }
        precondition(numbers[name] == nil && number > base && number - base <= limit)
        while names.count <= Int(number - base) { names.append("") }
        numbers[name] = number
        names[Int(number - base)] = name
    }

    public func existing(_ name: String) -> UInt64? { numbers[name].map(UInt64.init) }

    /// Gives a name's number back.
    public mutating func release(_ name: String) {
        guard let number = numbers.removeValue(forKey: name) else { return }
        touched?.insert(name)
        free.append(number)
        if freeFrom > 1024, freeFrom * 2 > free.count {
            free.removeFirst(freeFrom)
            freeFrom = 0
        }
    }

    /// The name that has a number, or had it last.
    public func name(_ number: UInt64) -> String? {
        guard number > base, number - UInt64(base) < UInt64(names.count) else { return nil }
        return names[Int(number - UInt64(base))]
    }
}

/// 24 bits of the names of ports and datapaths; see `RegisterMap.check`.
struct NameChecks {
    let ports: Identifiers
    let datapaths: Identifiers

    func ofPort(_ port: UInt64) -> UInt64 { Self.check("port " + (ports.name(port) ?? "")) }
    func ofFlood(_ datapath: UInt64) -> UInt64 { Self.check("flood " + (datapaths.name(datapath) ?? "")) }

    private static func check(_ name: String) -> UInt64 {
        let seed = InputTranslation.seed(name)
        // Not 0, which is the VNI of what hosts say to each other.
        return max((seed ^ seed >> 24 ^ seed >> 48) & 0xff_ffff, 1)
    }
}

/// Values that are more than a number, as numbers: the same value always gets the same one. Values are kept for as long as the interner lives.
final class Interner<Value: Hashable> {
    private var numbers: [Value: UInt64] = [:]
    private(set) var values: [Value] = []

    /// From 1 on.
    func number(of value: Value) -> UInt64 {
        if let known = numbers[value] { return known }
        values.append(value)
        numbers[value] = UInt64(values.count)
        return UInt64(values.count)
    }

    subscript(number: UInt64) -> Value { values[Int(number) - 1] }
}
