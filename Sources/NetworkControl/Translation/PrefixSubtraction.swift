import LogicalNetwork

/// Prefixes without prefixes: what remains is told as prefixes again, so that "to none of these" needs no order among entries (spec FW-023).
enum PrefixSubtraction {
    /// The addresses of `whole` that no prefix of `removed` contains, as prefixes that do not overlap: at most the length's bits for each removed one.
    static func subtract(_ removed: [AddressPrefix], from whole: AddressPrefix) -> [AddressPrefix] {
        var rest = [whole]
        for prefix in removed {
            rest = rest.flatMap { piece -> [AddressPrefix] in
                if !piece.overlaps(prefix) { return [piece] }
                if prefix.length <= piece.length { return [] }
                // Halve down to the removed prefix and keep the halves without it.
                var kept: [AddressPrefix] = []
                var length = piece.length
                while length < prefix.length {
                    length += 1
                    kept.append(AddressPrefix(flipped(prefix.address.masked(length), bit: length), length: length))
                }
                return kept
            }
        }
        return rest
    }

    /// The address with the bit that a prefix of this length ends with inverted.
    private static func flipped(_ address: IPAddress, bit length: Int) -> IPAddress {
        var a = address
        let fromRight = address.family.bits - length
        if fromRight < 64 { a.low ^= 1 << UInt64(fromRight) } else { a.high ^= 1 << UInt64(fromRight - 64) }
        return a
    }
}
