/// A fixed set of names, each with a 16-bit code, found by their bytes without making a `String`.
///
/// Open addressing in twice as many slots as names, rounded up to a power of two; names and slots lie in plain arrays, so a lookup is a hash of
/// the key, one or two probes and one comparison. Immutable after `init`, so any thread may read it.
struct NameTable: Sendable {
    private struct Slot {
        var hash: UInt32 = 0
        var offset: UInt32 = 0
        var count: UInt16 = 0
        var code: UInt16 = 0
    }

    private var slots: [Slot]
    private var text: [UInt8] = []
    private let foldsCase: Bool
    /// All names, for suggestions.
    let names: [String]

    /// Later entries with an existing name are ignored. Codes start at 1; with `foldingCase` the names are lower-case.
    init(_ entries: [(name: String, code: UInt16)], foldingCase: Bool = false) {
        var size = 16
        while size < entries.count * 2 { size *= 2 }
        slots = Array(repeating: Slot(), count: size)
        foldsCase = foldingCase
        names = entries.map(\.name)
        for entry in entries {
            let bytes = Array(entry.name.utf8)
            var hash: UInt32 = 0x811c_9dc5
            for b in bytes { hash = (hash ^ UInt32(b)) &* 0x0100_0193 }
            var i = Int(hash ^ hash >> 15) & (size - 1)
            var known = false
            while slots[i].code != 0 {
                let s = slots[i]
                if s.hash == hash, Array(text[Int(s.offset)..<Int(s.offset) + Int(s.count)]) == bytes { known = true }
                i = (i + 1) & (size - 1)
            }
            if known { continue }
            slots[i] = Slot(hash: hash, offset: UInt32(text.count), count: UInt16(bytes.count), code: entry.code)
            text += bytes
        }
    }

    /// The code of the name that the slice spells, or 0.
    func code(_ key: TextSlice) -> UInt16 {
        let n = key.count
        if n <= 0 || n > 48 { return 0 }
        let bytes = key.bytes
        var hash: UInt32 = 0x811c_9dc5
        if foldsCase {
            for b in bytes { hash = (hash ^ UInt32(b &- 0x41 < 26 ? b | 0x20 : b)) &* 0x0100_0193 }
        } else {
            for b in bytes { hash = (hash ^ UInt32(b)) &* 0x0100_0193 }
        }
        return slots.withUnsafeBufferPointer { slots in
            text.withUnsafeBufferPointer { text in
                let mask = slots.count &- 1
                var i = Int(hash ^ hash >> 15) & mask
                while slots[i].code != 0 {
                    let s = slots[i]
                    if s.hash == hash, Int(s.count) == n {
                        var same = true
                        for j in 0..<n {
                            let b = bytes[j]
                            if (foldsCase && b &- 0x41 < 26 ? b | 0x20 : b) != text[Int(s.offset) &+ j] {
                                same = false
                                break
                            }
                        }
                        if same { return s.code }
                    }
                    i = (i &+ 1) & mask
                }
                return 0
            }
        }
    }
}
