/// Addresses as the dissector writes them.

func text(_ address: MACAddress) -> String {
    (0..<6).map { i in
        let byte = String((address.bits >> UInt64(40 - 8 * i)) & 0xff, radix: 16)
        return byte.utf8.count == 1 ? "0" + byte : byte
    }.joined(separator: ":")
}

func text(_ address: IPv4Address) -> String {
    (0..<4).map { "\((address.bits >> UInt32(24 - 8 * $0)) & 0xff)" }.joined(separator: ".")
}

/// RFC 5952: the longest run of two or more zero groups is `::`, the first of equal ones.
func text(_ address: IPv6Address) -> String {
    var groups: [UInt64] = []
    for half in [address.high, address.low] {
        for shift: UInt64 in [48, 32, 16, 0] { groups.append(half >> shift & 0xffff) }
    }
    var best = 0..<0
    var start = 0
    while start < 8 {
        var end = start
        while end < 8, groups[end] == 0 { end += 1 }
        if end - start > best.count { best = start..<end }
        start = max(end, start + 1)
    }
    func join(_ range: Range<Int>) -> String { range.map { String(groups[$0], radix: 16) }.joined(separator: ":") }
    return best.count < 2 ? join(0..<8) : join(0..<best.lowerBound) + "::" + join(best.upperBound..<8)
}
