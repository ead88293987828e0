import LogicalNetwork

/// Elements that two versions of a network do not share.
public struct NetworkDifference: Sendable {
    /// `+ port blue/web/vm1`, `- …`, `~ …`, by name.
    public let lines: [String]
    /// `3 ports added, 1 rule changed`
    public let summary: String
    public var isEmpty: Bool { lines.isEmpty }

    public init(from old: NetworkDescription, to new: NetworkDescription) {
        var before: [String: NetworkElement] = [:]
        old.forEachElement { before[$0.path] = $0 }
        var changes: [(path: String, sign: String)] = []
        new.forEachElement { element in
            let known = before.removeValue(forKey: element.path)
            if known == nil { changes.append((element.path, "+")) } else if known != element { changes.append((element.path, "~")) }
        }
        self.init(changes + before.keys.map { ($0, "-") })
    }

    /// Elements that go and elements that come when a tenant becomes another; one that changes is in both. Costs in proportion to the tenant.
    public static func elements(from old: Tenant?, to new: Tenant?) -> (remove: [NetworkElement], put: [NetworkElement]) {
        var before: [String: NetworkElement] = [:]
        var result: (remove: [NetworkElement], put: [NetworkElement]) = ([], [])
        if let old { NetworkDescription(hosts: [], tenants: [old]).forEachElement { before[$0.path] = $0 } }
        if let new {
            NetworkDescription(hosts: [], tenants: [new]).forEachElement { element in
                let known = before.removeValue(forKey: element.path)
                if known == element { return }
                if let known { result.remove.append(known) }
                result.put.append(element)
            }
        }
        result.remove += before.values
        return result
    }

    /// Of elements that go and elements that come; one that changes is in both.
    public init(remove: [NetworkElement], put: [NetworkElement]) {
        let gone = Set(remove.map(\.path))
        let come = Set(put.map(\.path))
        self.init(come.map { ($0, gone.contains($0) ? "~" : "+") } + gone.subtracting(come).map { ($0, "-") })
    }

    private init(_ unordered: [(path: String, sign: String)]) {
        let changes = unordered.sorted { ($0.path, $0.sign) < ($1.path, $1.sign) }
        lines = changes.map { "\($0.sign) \($0.path)" }
        var counts: [String: [String: Int]] = [:]
        for change in changes {
            // The name is the last word.
            let kind = change.path.split(separator: " ").dropLast().joined(separator: " ")
            counts[change.sign, default: [:]][kind, default: 0] += 1
        }
        let words = [("+", "added"), ("-", "removed"), ("~", "changed")]
        summary = words.flatMap { sign, word in
            (counts[sign] ?? [:]).sorted { $0.key < $1.key }.map { "\($0.value) \($0.value == 1 ? $0.key : Self.plural($0.key)) \(word)" }
        }.joined(separator: ", ")
    }

    private static func plural(_ kind: String) -> String {
        kind.hasSuffix("y") ? kind.dropLast() + "ies" : kind.hasSuffix("switch") ? kind + "es" : kind + "s"
    }
}
