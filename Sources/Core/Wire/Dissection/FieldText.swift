/// How the dissector spells numbers and bytes.

/// `0x001f`: at least `digits` digits.
func hex(_ value: some BinaryInteger, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// `1 byte`, `12 bytes`.
func count(_ number: Int, _ unit: String) -> String { "\(number) \(unit)\(number == 1 ? "" : "s")" }

/// `0x0800 (IPv4)`, or the number alone.
func named(_ number: String, _ name: String?) -> String {
    if let name { "\(number) (\(name))" } else { number }
}

/// `a0 0b …` for the first bytes of a range, with an ellipsis when there are more than `limit`.
func bytesText(_ bytes: RawSpan, limit: Int = 32) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var out: [UInt8] = []
    for i in 0..<min(limit, bytes.byteCount) {
        if i > 0 { out.append(UInt8(ascii: " ")) }
        out.append(digits[Int(bytes.u8(at: i) >> 4)])
        out.append(digits[Int(bytes.u8(at: i) & 15)])
    }
    return String(decoding: out, as: UTF8.self) + (bytes.byteCount > limit ? " …" : "")
}

/// `[S]`, `[P.]`, `[none]`: TCP flags in tcpdump's letters and order.
func tcpFlagsText(_ flags: UInt16) -> String {
    let letters: [(UInt16, String)] = [
        (TCP.Flag.fin, "F"), (TCP.Flag.syn, "S"), (TCP.Flag.rst, "R"), (TCP.Flag.psh, "P"), (TCP.Flag.ack, "."), (TCP.Flag.urg, "U"),
        (TCP.Flag.ece, "E"), (TCP.Flag.cwr, "W"),
    ]
    let text = letters.filter { flags & $0.0 != 0 }.map(\.1).joined()
    return "[\(text.isEmpty ? "none" : text)]"
}

/// An option in tcpdump's words: `mss 1460`, `TS val 1 ecr 2`.
func tcpOptionText(_ option: TCPOption) -> String {
    switch option {
    case .endOfList: "eol"
    case .noOperation: "nop"
    case .maximumSegmentSize(let size): "mss \(size)"
    case .windowScale(let shift): "wscale \(shift)"
    case .sackPermitted: "sackOK"
    case .sack(let blocks): "sack " + blocks.map { "{\($0.left):\($0.right)}" }.joined()
    case .timestamps(let value, let echo): "TS val \(value) ecr \(echo)"
    case .other(let kind, let content): "option \(kind) (\(count(content.count, "byte")))"
    }
}
