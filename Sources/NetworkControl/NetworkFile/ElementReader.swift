import LogicalNetwork
import Yams

/// Reads the keys of one element of a network file. What is wrong goes to the collector and reads as absent.
struct ElementReader {
    /// What the element is, for messages: `port web1`.
    let what: String
    let place: Place
    private let mapping: Node.Mapping
    private let collector: FaultCollector
    private var known: [String] = []

    /// nil, with a fault, when the node is no mapping. A missing node (`web:` with nothing behind it) reads as an empty one.
    init?(_ node: Node, what: String, place: Place? = nil, _ collector: FaultCollector) {
        self.what = what
        self.place = place ?? Place(node)
        self.collector = collector
        if let mapping = node.mapping {
            self.mapping = mapping
        } else if ElementReader.isEmpty(node) {
            mapping = Node.Mapping([])
        } else {
            collector.add(node, "\(what) must be a mapping: lines of 'key: value'")
            return nil
        }
    }

    private static func isEmpty(_ node: Node) -> Bool {
        guard case .scalar(let s) = node, s.style == .plain else { return false }
        return s.string.isEmpty || s.string == "null" || s.string == "~"
    }

    mutating func node(_ key: String) -> Node? {
        if !known.contains(key) { known.append(key) }
        guard let node = mapping.first(where: { $0.key.scalar?.string == key })?.value, !Self.isEmpty(node) else { return nil }
        return node
    }

    mutating func has(_ key: String) -> Bool { node(key) != nil }

    func missing(_ key: String) { collector.add(place, "\(what) has no \(key)") }
    func fault(_ message: String) { collector.add(place, "\(what): \(message)") }

    mutating func text(_ key: String) -> String? {
        guard let node = node(key) else { return nil }
        guard let text = node.scalar?.string else {
            collector.add(node, "\(what): \(key) must be one value, not a \(node.mapping != nil ? "mapping" : "list")")
            return nil
        }
        return text
    }

    /// A value that `parse` understands; `expected` says what it should be.
    mutating func value<T>(_ key: String, _ expected: String, _ parse: (String) -> T?) -> T? {
        guard let text = text(key) else { return nil }
        if let value = parse(text) { return value }
        collector.add(node(key), "\(what): \(key) must be \(expected), not '\(text)'")
        return nil
    }

    mutating func bool(_ key: String) -> Bool? {
        value(key, "true or false") { ["true": true, "yes": true, "on": true, "false": false, "no": false, "off": false][$0.lowercased()] }
    }

    mutating func integer<T: FixedWidthInteger>(_ key: String, _ range: ClosedRange<T>) -> T? {
        value(key, "a number from \(range.lowerBound) to \(range.upperBound)") { T($0).flatMap { range.contains($0) ? $0 : nil } }
    }

    mutating func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) -> T? where T.RawValue == String {
        let names = T.allCases.map(\.rawValue)
        return value(key, names.count == 2 ? names.joined(separator: " or ") : "one of \(names.joined(separator: ", "))") { T(rawValue: $0) }
    }

    /// One value, or a list of them.
    mutating func values<T>(_ key: String, _ expected: String, _ parse: (String) -> T?) -> [T] {
        guard let node = node(key) else { return [] }
        let items = node.sequence.map(Array.init) ?? [node]
        return items.compactMap { item in
            guard let text = item.scalar?.string else {
                collector.add(item, "\(what): \(key) must be \(expected), or a list of such")
                return nil
            }
            if let value = parse(text) { return value }
            collector.add(item, "\(what): \(key) must be \(expected), not '\(text)'")
            return nil
        }
    }

    /// The named elements under a key, in their order.
    mutating func elements(_ key: String) -> [(name: String, node: Node, place: Place)] {
        guard let node = node(key) else { return [] }
        guard let mapping = node.mapping else {
            collector.add(node, "\(what): \(key) must be a mapping: a line 'name:' for each")
            return []
        }
        return mapping.compactMap { key, value in
            guard let name = key.scalar?.string else {
                collector.add(key, "\(what): a name must be a word")
                return nil
            }
            return (name, value, Place(key))
        }
    }

    /// The elements of a list.
    mutating func list(_ key: String) -> [Node] {
        guard let node = node(key) else { return [] }
        guard let sequence = node.sequence else {
            collector.add(node, "\(what): \(key) must be a list: lines that begin with '- '")
            return []
        }
        return Array(sequence)
    }

    /// Tells of keys that nobody asked for.
    func finish() {
        for (key, _) in mapping {
            guard let name = key.scalar?.string else {
                collector.add(key, "a key of \(what) must be a word")
                continue
            }
            if known.contains(name) { continue }
            collector.add(key, "\(what) has no key '\(name)'; it has \(known.sorted().joined(separator: ", "))")
        }
    }
}
