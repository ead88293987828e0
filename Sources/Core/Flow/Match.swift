/// What a flow entry asks of a packet: for some bits of the flow key, the value they must have.
///
/// Stored sparsely as the words with a non-empty mask, in ascending word order; `value` never has a bit outside `mask`, so two matches that
/// accept the same packets are equal.
public struct Match: Hashable, Sendable {
    /// One masked word of the key.
    public struct Word: Hashable, Sendable {
        public var index: Int
        public var mask: UInt64
        public var value: UInt64
        public init(index: Int, mask: UInt64, value: UInt64) {
            self.index = index
            self.mask = mask
            self.value = value & mask
        }
    }

    public private(set) var words: [Word]

    /// Matches every packet.
    public init() { words = [] }

    /// Words in ascending order, each index once, none with an empty mask; what the flow-text reader and decoders of a wire format have at hand.
    public init(ascending words: [Word]) {
        assert(zip(words, words.dropFirst()).allSatisfy { $0.index < $1.index } && words.allSatisfy { $0.mask != 0 })
        self.words = words
    }

    public static let any = Match()

    /// Requires `value` under `mask` in one word; bits already required are replaced.
    public mutating func require(word index: Int, mask: UInt64, value: UInt64) {
        if mask == 0 { return }
        var at = 0
        while at < words.count, words[at].index < index { at += 1 }
        if at < words.count, words[at].index == index {
            words[at].value = (words[at].value & ~mask) | (value & mask)
            words[at].mask |= mask
        } else {
            words.insert(Word(index: index, mask: mask, value: value), at: at)
        }
    }

    /// Requires the field to equal `value` in all its bits.
    public mutating func require(_ field: Field, _ value: UInt64) {
        require(field, FieldValue(low: value), mask: .ones(field.info.bits))
    }

    /// Requires the bits of the field in `mask` to equal those of `value`.
    public mutating func require(_ field: Field, _ value: FieldValue, mask: FieldValue) {
        let i = field.info
        require(word: i.lowWord, mask: (mask.low & i.lowMask) << UInt64(i.shift), value: (value.low & i.lowMask) << UInt64(i.shift))
        if i.bits > 64 { require(word: i.word, mask: mask.high, value: value.high) }
    }

    /// The bits of the field that are required, and their values.
    public func requirement(on field: Field) -> (value: FieldValue, mask: FieldValue) {
        let i = field.info
        var v = FieldValue.zero
        var m = FieldValue.zero
        for w in words {
            if w.index == i.lowWord {
                v.low = (w.value >> UInt64(i.shift)) & i.lowMask
                m.low = (w.mask >> UInt64(i.shift)) & i.lowMask
            } else if i.bits > 64, w.index == i.word {
                v.high = w.value
                m.high = w.mask
            }
        }
        return (v, m)
    }

    /// Whether a packet with this key is accepted.
    public func accepts(_ key: FlowKey) -> Bool {
        for w in words where key.words[w.index] & w.mask != w.value { return false }
        return true
    }

    /// Whether every packet that `self` accepts is accepted by `other`: the meaning of a loose OpenFlow delete (OpenFlow 1.3.5 §6.4).
    public func isWithin(_ other: Match) -> Bool {
        for o in other.words {
            guard let w = words.first(where: { $0.index == o.index }), w.mask & o.mask == o.mask, w.value & o.mask == o.value else { return false }
        }
        return true
    }

    /// Whether some packet is accepted by both.
    public func overlaps(_ other: Match) -> Bool {
        for o in other.words {
            if let w = words.first(where: { $0.index == o.index }), (w.value ^ o.value) & w.mask & o.mask != 0 { return false }
        }
        return true
    }
}
