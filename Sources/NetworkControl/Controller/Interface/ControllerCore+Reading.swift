import LogicalNetwork

/// What the interface reads.
extension ControllerCore {
    /// The value at a path in JSON, and its tag, which changes with it.
    public func read(_ path: NetworkDocument.Path) throws -> (json: String, tag: String) {
        // The tag of the whole says that everything up to a revision is here.
        if path.isEmpty, options.sets > 1 {
            do throws(StoreError) { try follow() } catch { throw InterfaceError.store("\(error)") }
        }
        guard let node = document.node(at: path) else {
            // A collection that is empty is there, as long as its owner is.
            if Self.isCollection(path), document.hasPlace(for: path) { return (Self.emptyCollection(path), Self.tag(Self.emptyCollection(path))) }
            throw InterfaceError.notFound(path)
        }
        // What stands there without a value is empty.
        let isEmpty = node.mapping == nil && node.sequence == nil && (node.scalar?.string).map { ["", "null", "~"].contains($0) } == true
        let json = isEmpty ? Self.isCollection(path) ? Self.emptyCollection(path) : "{}" : NetworkDocument.json(node)
        return (json, path.isEmpty ? "\"r\(revision)\"" : Self.tag(json))
    }

    public var yaml: String { document.yaml }

    static let lists: Set<String> = ["access", "routes", "policies", "neighbors"]
    static func isCollection(_ path: NetworkDocument.Path) -> Bool { path.count % 2 == 1 }
    static func emptyCollection(_ path: NetworkDocument.Path) -> String { lists.contains(path.last ?? "") ? "[]" : "{}" }

    static func tag(_ text: String) -> String {
        // 128 bits of two hashes (FNV-1a); whoever makes collisions has the token to change the network anyway.
        var a: UInt64 = 0xcbf2_9ce4_8422_2325
        var b: UInt64 = 0x6c62_272e_07bb_0142
        for byte in text.utf8 {
            a = (a ^ UInt64(byte)) &* 0x100_0000_01b3
            b = (b &+ UInt64(byte)) &* 0x9e37_79b9_7f4a_7c15 ^ b >> 29
        }
        return "\"" + String(a, radix: 16) + String(b, radix: 16) + "\""
    }
}
