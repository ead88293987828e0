import Flow
import Wire

/// What differs between the packet that came and one that left, by the names of the dissection.
struct FrameComparison {
    struct Change: Encodable, Equatable {
        var layer: String
        var field: String
        /// Absent for what was added.
        var before: String?
        /// Absent for what was taken away.
        var after: String?
    }

    let before: Dissection
    let after: Dissection
    /// For each layer of `after` the layer it came from.
    private let origins: [Int?]
    private(set) var changes: [Change] = []

    init(before: Dissection, after: Dissection) {
        self.before = before
        self.after = after
        origins = Self.align(before.layers, after.layers)
        for (i, layer) in before.layers.enumerated() where !origins.contains(i) {
            changes.append(Change(layer: layer.title, field: "header", before: Self.short(layer), after: nil))
        }
        for (i, layer) in after.layers.enumerated() {
            guard let origin = origins[i] else {
                changes.append(Change(layer: layer.title, field: "header", before: nil, after: Self.short(layer)))
                continue
            }
            let old = before.layers[origin]
            for (k, field) in layer.fields.enumerated() {
                let was = Self.value(field.name, at: k, of: layer, in: old)
                if was != field.value { changes.append(Change(layer: layer.title, field: field.name, before: was, after: field.value)) }
            }
        }
    }

    /// Whether a field of a layer of `after` is new or has a new value.
    func isChanged(layer i: Int, field k: Int) -> Bool {
        guard let origin = origins[i] else { return true }
        let layer = after.layers[i]
        return Self.value(layer.fields[k].name, at: k, of: layer, in: before.layers[origin]) != layer.fields[k].value
    }

    /// The value in `old` of the field that stands at `k` in `layer`: the one of that name with as many namesakes before it.
    private static func value(_ name: String, at k: Int, of layer: Dissection.Layer, in old: Dissection.Layer) -> String? {
        let n = layer.fields[..<k].count { $0.name == name }
        return old.fields.filter { $0.name == name }.dropFirst(n).first?.value
    }

    private static func short(_ layer: Dissection.Layer) -> String { layer.fields.prefix(2).map { "\($0.name) \($0.value)" }.joined(separator: ", ") }

    /// Pairs equal kinds of layers from the inside out, because headers are pushed and popped on the outside.
    private static func align(_ old: [Dissection.Layer], _ new: [Dissection.Layer]) -> [Int?] {
        var free = Array(old.indices)
        var origins = [Int?](repeating: nil, count: new.count)
        for i in new.indices.reversed() {
            if let at = free.lastIndex(where: { old[$0].name == new[i].name && old[$0].isQuoted == new[i].isQuoted }) {
                origins[i] = free[at]
                free.removeSubrange(at...)
            } else if let at = free.firstIndex(where: { old[$0].name == new[i].name }) {
                origins[i] = free[at]
                free.remove(at: at)
            }
        }
        return origins
    }
}
