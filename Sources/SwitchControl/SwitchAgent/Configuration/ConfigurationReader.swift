import Flow
import Yams

/// Collects what is wrong while a configuration is read, so that all of it is told at once.
final class FaultList {
    private(set) var faults: [ConfigurationFault] = []
    func add(_ mark: Mark?, _ message: String) {
        faults.append(ConfigurationFault(line: mark?.line ?? 0, column: mark?.column ?? 0, message: message))
    }
}

/// Reads the keys of one YAML mapping; what is wrong goes to the list of faults and reads as absent.
struct MappingReader {
    let mapping: Node.Mapping
    /// What the mapping is, for messages: `port 2`.
    let what: String
    let faults: FaultList
    private var known: [String] = []

    init(_ mapping: Node.Mapping, what: String, faults: FaultList) {
        self.mapping = mapping
        self.what = what
        self.faults = faults
    }

    var mark: Mark? { mapping.mark ?? mapping.first?.key.mark }

    mutating func node(_ key: String) -> Node? {
        known.append(key)
        guard let node = mapping.first(where: { $0.key.scalar?.string == key })?.value else { return nil }
        // `key:` with nothing behind it is the same as no such key.
        if case .scalar(let s) = node, s.style == .plain, s.string.isEmpty || s.string == "null" || s.string == "~" { return nil }
        return node
    }

    mutating func text(_ key: String) -> String? {
        guard let node = node(key) else { return nil }
        guard let text = node.scalar?.string else {
            faults.add(node.mark, "\(key) must be one value, not a \(node.mapping != nil ? "mapping" : "list")")
            return nil
        }
        return text
    }

    /// A value that `parse` understands; `expected` says what it should be.
    mutating func value<T>(_ key: String, _ expected: String, _ parse: (String) -> T?) -> T? {
        guard let text = text(key) else { return nil }
        if let value = parse(text) { return value }
        faults.add(node(key)?.mark, "\(key) must be \(expected), not '\(text)'")
        return nil
    }

    mutating func integer<T: FixedWidthInteger>(_ key: String, _ range: ClosedRange<T>) -> T? {
        value(key, "a number from \(range.lowerBound) to \(range.upperBound)") { Self.integer($0).flatMap { range.contains($0) ? $0 : nil } }
    }

    mutating func bool(_ key: String) -> Bool? {
        value(key, "true or false") { ["true": true, "yes": true, "on": true, "false": false, "no": false, "off": false][$0.lowercased()] }
    }

    mutating func choice<T>(_ key: String, _ all: [(name: String, value: T)]) -> T? {
        guard let text = text(key) else { return nil }
        if let found = all.first(where: { $0.name == text }) { return found.value }
        let names = all.map(\.name)
        let hint = FlowText.nearestName(to: text, among: names).map { " (did you mean \($0)?)" } ?? ""
        faults.add(node(key)?.mark, "\(key) must be one of \(names.joined(separator: ", ")), not '\(text)'\(hint)")
        return nil
    }

    mutating func list(_ key: String) -> [Node] {
        guard let node = node(key) else { return [] }
        guard let sequence = node.sequence else {
            faults.add(node.mark, "\(key) must be a list: lines that begin with '- '")
            return []
        }
        return Array(sequence)
    }

    /// Tells of keys that were not asked for.
    func finish() {
        for (key, _) in mapping {
            guard let name = key.scalar?.string else {
                faults.add(key.mark, "a key of \(what) must be a word")
                continue
            }
            if known.contains(name) { continue }
            let hint = FlowText.nearestName(to: name, among: known).map { " (did you mean \($0)?)" } ?? "; it has \(known.joined(separator: ", "))"
            faults.add(key.mark, "\(what) has no key '\(name)'\(hint)")
        }
    }

    /// A decimal number, or a hexadecimal one behind 0x.
    static func integer<T: FixedWidthInteger>(_ text: String) -> T? {
        text.hasPrefix("0x") ? T(text.dropFirst(2), radix: 16) : T(text)
    }
}
