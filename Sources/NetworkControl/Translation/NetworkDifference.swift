import LogicalNetwork

/// Elements that two versions of a network do not share.
public struct NetworkDifference: Sendable {
    /// `+ port blue/web/vm1`, `- …`, `~ …`, by name.
    public let lines: [String]
    /// `3 ports added, 1 rule changed`
    public let summary: String
    public var isEmpty: Bool { lines.isEmpty }

    /// Elements that go and elements that come; one that changes is in both.
    public let remove: [NetworkElement]
    public let put: [NetworkElement]

    public init(from old: NetworkDescription, to new: NetworkDescription) {
        var before: [String: NetworkElement] = [:]
        old.forEachElement { before[$0.path] = $0 }
        var remove: [NetworkElement] = []
        var put: [NetworkElement] = []
        new.forEachElement { element in
            let known = before.removeValue(forKey: element.path)
            if known == element { return }
            if let known { remove.append(known) }
            put.append(element)
        }
        self.init(remove: remove + before.values, put: put)
    }

    /// When one tenant becomes another and all else stays; costs in proportion to the tenant.
    public init(from old: Tenant?, to new: Tenant?) {
        self.init(
            from: NetworkDescription(hosts: [], tenants: old.map { [$0] } ?? []), to: NetworkDescription(hosts: [], tenants: new.map { [$0] } ?? []))
    }

    public init(remove: [NetworkElement], put: [NetworkElement]) {
        (self.remove, self.put) = (remove, put)
        let gone = Set(remove.map(\.path))
        let come = Set(put.map(\.path))
        let unordered = come.map { (path: $0, sign: gone.contains($0) ? "~" : "+") } + gone.subtracting(come).map { (path: $0, sign: "-") }
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
