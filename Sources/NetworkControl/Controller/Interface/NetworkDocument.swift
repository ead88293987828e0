import Foundation
import LogicalNetwork
import NetworkFile
import Yams

/// A network, or an element of one, as it was sent.
public enum NetworkText: Sendable {
    case yaml(String)
    case json([UInt8])
}

/// The text of a network as a tree: what the interface reads and changes element by element, in the very form of the network file (Docs/NetworkFile.md).
///
/// It keeps the order of elements. It is judged as a whole by `description()`, so that an element put by itself meets the same checks as in a file. Not shared
/// between threads.
public struct NetworkDocument {
    public private(set) var root: Node

    /// An element's or a list's place: `["tenants", "blue", "switches", "web"]`.
    public typealias Path = [String]

    public init() { root = .mapping(Node.Mapping([])) }
    public init(_ root: Node) { self.root = root }

    /// From a text in YAML or JSON; refuses what nobody needs in a network and what costs a reader more than its size.
    public init(_ text: NetworkText) throws(NetworkFaults) {
        root = try Self.element(text)
        if root.mapping == nil { throw NetworkFaults([NetworkFault(.none, "the network must be a mapping: lines of 'key: value'")]) }
    }

    public init(sections: [StoredSection]) throws(NetworkFaults) {
        var pairs: [(Node, Node)] = []
        var tenants: [(Node, Node)] = []
        for s in sections {
            let node = try JSONReader.node(Array(s.text.utf8))
            if s.name == "hosts" {
                pairs.append((Node("hosts"), node))
            } else if s.name.hasPrefix("tenant/") {
                tenants.append((Self.key(String(s.name.dropFirst("tenant/".count))), node))
            }
        }
        if !tenants.isEmpty { pairs.append((Node("tenants"), Node(tenants))) }
        root = Node(pairs)
    }

    /// The value of one element.
    public static func element(_ text: NetworkText) throws(NetworkFaults) -> Node {
        switch text {
        case .json(let bytes): return try JSONReader.node(bytes)
        case .yaml(let text):
            try checkShape(text)
            return try NetworkFile.compose(text)
        }
    }

    /// Depth of nesting, and bytes of indentation, that a text may have: a network needs six.
    static let depthLimit = 64
    static let indentationLimit = 400

    private static func checkShape(_ text: String) throws(NetworkFaults) {
        var depth = 0
        var line = 1
        var prefix = 0
        var isPrefix = true
        var isComment = false
        var last: UInt8 = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\n") {
                (line, prefix, isPrefix, isComment, last) = (line + 1, 0, true, false, 0)
                continue
            }
            if isComment { continue }
            switch byte {
            case UInt8(ascii: "#") where last == 0 || last == UInt8(ascii: " "): isComment = true
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case UInt8(ascii: "&"), UInt8(ascii: "*"):
                throw NetworkFaults([
                    NetworkFault(Place(line: line, column: prefix + 1), "anchors and aliases are not taken here; nor does a name have & or *")
                ])
            default: break
            }
            if isPrefix, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "?") { prefix += 1 } else { isPrefix = false }
            if depth > depthLimit || prefix > indentationLimit {
                throw NetworkFaults([NetworkFault(Place(line: line, column: 1), "nested more deeply than any network is")])
            }
            last = byte
        }
    }

    /// The network that it describes, with all its faults when it is none.
    public func description() throws(NetworkFaults) -> NetworkDescription { try NetworkFile.read(root) }

    /// One tenant of a network that has been judged.
    func tenant(_ name: String) throws(NetworkFaults) -> Tenant? {
        guard let node = node(at: ["tenants", name]) else { return nil }
        let read = NetworkFile.readTenant(name, node)
        guard let tenant = read.tenant, read.faults.isEmpty else { throw NetworkFaults(read.faults) }
        return tenant
    }

    /// The hosts of a network that has been judged.
    func hosts() throws(NetworkFaults) -> [LogicalNetwork.Host] {
        guard let node = node(at: ["hosts"]) else { return [] }
        let read = NetworkFile.readHosts(node)
        guard let hosts = read.hosts else { throw NetworkFaults(read.faults) }
        return hosts
    }

    // MARK: - Elements

    public func node(at path: Path) -> Node? {
        var node = root
        for key in path {
            guard let next = Self.child(of: node, key) else { return nil }
            node = next
        }
        return node
    }

    private static func child(of node: Node, _ key: String) -> Node? { node.mapping?.first { $0.key.scalar?.string == key }?.value }

    /// Whether the elements around it are there: what has no tenant or switch cannot be put. Collections come into being with their first element.
    public func hasPlace(for path: Path) -> Bool {
        // tenants, NAME, switches, NAME, ports, NAME: every second component names an element.
        let owners = path.count <= 2 ? 0 : (path.count - 1) / 2 * 2
        return owners == 0 || node(at: Array(path[..<owners])) != nil
    }

    /// Takes over what is stored.
    mutating func put(_ section: StoredSection) throws(NetworkFaults) {
        put(try JSONReader.node(Array(section.text.utf8)), at: section.tenant.map { ["tenants", $0] } ?? [section.name])
    }

    public mutating func put(_ value: Node, at path: Path) { root = Self.putting(value, at: path[...], in: root) }
    public mutating func remove(at path: Path) { root = Self.removing(path[...], in: root) }

    private static func key(_ name: String) -> Node { Node(name, .implicit, .doubleQuoted) }

    private static func putting(_ value: Node, at path: ArraySlice<String>, in node: Node) -> Node {
        guard let first = path.first else { return value }
        var pairs = node.mapping.map { $0.map { ($0.key, $0.value) } } ?? []
        let rest = path.dropFirst()
        if let i = pairs.firstIndex(where: { $0.0.scalar?.string == first }) {
            pairs[i].1 = putting(value, at: rest, in: pairs[i].1)
        } else {
            pairs.append((key(first), putting(value, at: rest, in: .mapping(Node.Mapping([])))))
        }
        return Node(pairs)
    }

    private static func removing(_ path: ArraySlice<String>, in node: Node) -> Node {
        guard let first = path.first, let mapping = node.mapping else { return node }
        var pairs = mapping.map { ($0.key, $0.value) }
        guard let i = pairs.firstIndex(where: { $0.0.scalar?.string == first }) else { return node }
        let rest = path.dropFirst()
        if rest.isEmpty { pairs.remove(at: i) } else { pairs[i].1 = removing(rest, in: pairs[i].1) }
        return Node(pairs)
    }

    // MARK: - Text

    /// The parts that are stored, by name.
    public var sections: [String: StoredSection] {
        var all: [String: StoredSection] = [:]
        if let hosts = Self.child(of: root, "hosts"), hosts.mapping != nil {
            all["hosts"] = StoredSection(name: "hosts", position: 0, text: Self.json(hosts))
        }
        for (i, (key, value)) in (Self.child(of: root, "tenants")?.mapping.map(Array.init) ?? []).enumerated() {
            guard let name = key.scalar?.string else { continue }
            all["tenant/" + name] = StoredSection(name: "tenant/" + name, position: i + 1, text: Self.json(value))
        }
        return all
    }

    /// One of them.
    public func section(_ name: String) -> StoredSection? {
        if name == "hosts" {
            return Self.child(of: root, "hosts").flatMap { $0.mapping == nil ? nil : StoredSection(name: name, position: 0, text: Self.json($0)) }
        }
        let tenants = Self.child(of: root, "tenants")?.mapping.map(Array.init) ?? []
        guard name.hasPrefix("tenant/"), let i = tenants.firstIndex(where: { $0.key.scalar?.string == String(name.dropFirst("tenant/".count)) })
        else { return nil }
        return StoredSection(name: name, position: i + 1, text: Self.json(tenants[i].value))
    }

    public var json: String { Self.json(root) }
    public var yaml: String { (try? Yams.serialize(node: Self.plain(root), width: 150)) ?? "" }

    /// A node in JSON. Numbers, truth values and null are such; everything else is a string, which reads the same.
    public static func json(_ node: Node) -> String {
        var out = ""
        write(node, to: &out)
        return out
    }

    private static func write(_ node: Node, to out: inout String) {
        switch node {
        case .scalar(let s):
            let isPlain = s.style == .plain || s.style == .any
            if isPlain, Int(s.string).map({ "\($0)" == s.string }) == true || s.string == "true" || s.string == "false" || s.string == "null" {
                out += s.string
            } else if isPlain, s.string.isEmpty || s.string == "~" {
                out += "null"
            } else {
                quote(s.string, to: &out)
            }
        case .mapping(let m):
            out += "{"
            for (i, (key, value)) in m.enumerated() {
                if i > 0 { out += "," }
                quote(key.scalar?.string ?? "", to: &out)
                out += ":"
                write(value, to: &out)
            }
            out += "}"
        case .sequence(let s):
            out += "["
            for (i, item) in s.enumerated() {
                if i > 0 { out += "," }
                write(item, to: &out)
            }
            out += "]"
        case .alias: out += "null"
        }
    }

    private static func quote(_ text: String, to out: inout String) {
        out += "\""
        for c in text.unicodeScalars {
            switch c {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where c.value < 0x20 || c.value == 0x7f:
                out += "\\u" + String(repeating: "0", count: 4 - String(c.value, radix: 16).count) + String(c.value, radix: 16)
            default: out.unicodeScalars.append(c)
            }
        }
        out += "\""
    }

    /// The same without quotes where YAML needs none, for people.
    private static func plain(_ node: Node) -> Node {
        switch node {
        case .scalar(let s):
            let needsQuotes =
                s.style == .doubleQuoted || s.style == .singleQuoted
                ? s.string.isEmpty || s.string.contains(":") || s.string.contains("#") || Double(s.string) != nil
                    || ["true", "false", "yes", "no", "on", "off", "null", "~"].contains(s.string.lowercased())
                : false
            return Node(s.string, .implicit, needsQuotes ? .doubleQuoted : .any)
        case .mapping(let m): return Node(m.map { (plain($0.key), plain($0.value)) }, .implicit, .block)
        case .sequence(let s): return Node(s.map(plain), .implicit, s.allSatisfy { $0.scalar != nil } ? .flow : .block)
        case .alias: return node
        }
    }
}
