// Addresses as text, read and written as bytes: MAC `aa:bb:cc:dd:ee:ff`, IPv4 dotted quads, IPv6 as RFC 4291 §2.2 reads and RFC 5952 writes.
// The readers look at every byte at most twice, allocate nothing, and take the whole input or nothing.

/// The value of a hexadecimal digit, or nil.
@inline(__always) func hexDigit(_ b: UInt8) -> UInt8? {
    switch b {
    case 0x30...0x39: b &- 0x30
    case 0x61...0x66: b &- 0x61 &+ 10
    case 0x41...0x46: b &- 0x41 &+ 10
    default: nil
    }
}

private let lowerHex: StaticString = "0123456789abcdef"

private func appendHex(_ v: UInt8, to out: inout [UInt8]) { out.append(lowerHex.utf8Start[Int(v & 15)]) }

private func appendDecimal(_ v: UInt8, to out: inout [UInt8]) {
    if v >= 100 { out.append(0x30 + v / 100) }
    if v >= 10 { out.append(0x30 + v / 10 % 10) }
    out.append(0x30 + v % 10)
}

extension MACAddress {
    /// Six groups of one or two hexadecimal digits between colons; nil for anything else.
    public init?(text: UnsafeBufferPointer<UInt8>) {
        var bits: UInt64 = 0
        var at = 0
        for group in 0..<6 {
            if group > 0 {
                guard at < text.count, text[at] == 0x3a else { return nil }
                at += 1
            }
            guard at < text.count, let high = hexDigit(text[at]) else { return nil }
            at += 1
            var octet = UInt64(high)
            if at < text.count, let low = hexDigit(text[at]) {
                octet = octet << 4 | UInt64(low)
                at += 1
            }
            bits = bits << 8 | octet
        }
        guard at == text.count else { return nil }
        self.init(bits)
    }

    public init?(_ text: String) {
        var text = text
        guard let v = text.withUTF8({ MACAddress(text: $0) }) else { return nil }
        self = v
    }

    /// Appends `aa:bb:cc:dd:ee:ff`.
    public func write(to out: inout [UInt8]) {
        for group in 0..<6 {
            if group > 0 { out.append(0x3a) }
            let octet = UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * group))
            appendHex(octet >> 4, to: &out)
            appendHex(octet, to: &out)
        }
    }
}

extension IPv4Address {
    /// Four decimal octets between dots, without signs or spaces; nil for anything else.
    public init?(text: UnsafeBufferPointer<UInt8>) {
        var bits: UInt32 = 0
        var at = 0
        for group in 0..<4 {
            if group > 0 {
                guard at < text.count, text[at] == 0x2e else { return nil }
                at += 1
            }
            var octet: UInt32 = 0
            var digits = 0
            while at < text.count, text[at] &- 0x30 < 10, digits < 3 {
                octet = octet * 10 + UInt32(text[at] &- 0x30)
                digits += 1
                at += 1
            }
            guard digits > 0, octet < 256 else { return nil }
            bits = bits << 8 | octet
        }
        guard at == text.count else { return nil }
        self.init(bits)
    }

    public init?(_ text: String) {
        var text = text
        guard let v = text.withUTF8({ IPv4Address(text: $0) }) else { return nil }
        self = v
    }

    /// Appends the dotted quad.
    public func write(to out: inout [UInt8]) {
        for group in 0..<4 {
            if group > 0 { out.append(0x2e) }
            appendDecimal(UInt8(truncatingIfNeeded: bits >> UInt32(24 - 8 * group)), to: &out)
        }
    }
}

extension IPv6Address {
    /// Eight groups of up to four hexadecimal digits, one run of zero groups written `::`, the last two groups perhaps a dotted quad
    /// (RFC 4291 §2.2); nil for anything else. A zone (`%eth0`) is refused.
    public init?(text: UnsafeBufferPointer<UInt8>) {
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var count = 0
        var gap: Int?
        var at = 0
        let n = text.count
        if n >= 2, text[0] == 0x3a {
            guard text[1] == 0x3a else { return nil }
            gap = 0
            at = 2
        }
        while at < n {
            guard count < 8 else { return nil }
            let groupStart = at
            var value: UInt32 = 0
            while at < n, at - groupStart < 4, let digit = hexDigit(text[at]) {
                value = value << 4 | UInt32(digit)
                at += 1
            }
            if at < n, text[at] == 0x2e {
                guard count <= 6, let quad = IPv4Address(text: UnsafeBufferPointer(rebasing: text[groupStart..<n])) else { return nil }
                groups[count] = UInt16(quad.bits >> 16)
                groups[count + 1] = UInt16(truncatingIfNeeded: quad.bits)
                count += 2
                at = n
                break
            }
            guard at > groupStart else { return nil }
            groups[count] = UInt16(value)
            count += 1
            if at == n { break }
            guard text[at] == 0x3a else { return nil }
            at += 1
            guard at < n else { return nil }
            if text[at] == 0x3a {
                guard gap == nil else { return nil }
                gap = count
                at += 1
            }
        }
        if gap == nil, count != 8 { return nil }
        if gap != nil, count > 7 { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for i in 0..<8 {
            var group: UInt16 = 0
            if let gap {
                if i < gap { group = groups[i] } else if i >= 8 - (count - gap) { group = groups[i - (8 - count)] }
            } else {
                group = groups[i]
            }
            if i < 4 { high = high << 16 | UInt64(group) } else { low = low << 16 | UInt64(group) }
        }
        self.init(high: high, low: low)
    }

    public init?(_ text: String) {
        var text = text
        guard let v = text.withUTF8({ IPv6Address(text: $0) }) else { return nil }
        self = v
    }

    private func group(_ i: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: i < 4 ? high >> UInt64(48 - 16 * i) : low >> UInt64(112 - 16 * i))
    }

    /// Appends the one form that RFC 5952 §4 allows; IPv4-mapped addresses (`::ffff:0:0/96`) and IPv4-compatible ones end in a dotted quad (§5).
    public func write(to out: inout [UInt8]) {
        // As the C library's inet_ntop does, so that the text is the one other tools print.
        let mapped = high == 0 && low >> 32 == 0xffff
        let compatible = high == 0 && low >> 32 == 0 && low > 0xffff
        let last = mapped || compatible ? 6 : 8
        var best = -1
        var bestCount = 1
        var i = 0
        while i < last {
            var end = i
            while end < last, group(end) == 0 { end += 1 }
            if end - i > bestCount {
                best = i
                bestCount = end - i
            }
            i = Swift.max(end, i + 1)
        }
        i = 0
        while i < last {
            if i == best {
                out.append(0x3a)
                if i == 0 { out.append(0x3a) }
                i += bestCount
                continue
            }
            var started = false
            let v = group(i)
            for shift in [12, 8, 4, 0] {
                let nibble = UInt8(truncatingIfNeeded: v >> UInt16(shift)) & 15
                if nibble != 0 || started || shift == 0 {
                    appendHex(nibble, to: &out)
                    started = true
                }
            }
            i += 1
            if i < 8 { out.append(0x3a) }
        }
        if last == 6 { IPv4Address(UInt32(truncatingIfNeeded: low)).write(to: &out) }
    }
}

extension MACAddress: CustomStringConvertible {
    public var description: String {
        var out: [UInt8] = []
        write(to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}

extension IPv4Address: CustomStringConvertible {
    public var description: String {
        var out: [UInt8] = []
        write(to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}

extension IPv6Address: CustomStringConvertible {
    public var description: String {
        var out: [UInt8] = []
        write(to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}
