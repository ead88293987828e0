import Flow

/// One input is a flow file.
///
/// Besides not trapping: errors stand inside the file, a line that is wrong gives no modification, and what was read is written in words that
/// read back as the same value.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFlow(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer hands `size` readable bytes that live until this function returns.
    let bytes = UnsafeRawBufferPointer(start: start, count: size)
    let parsed = FlowText.parse(bytes: bytes)
    let lineCount = bytes.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
    precondition(parsed.lines.count == parsed.modifications.count)
    for error in parsed.errors {
        precondition((1...lineCount).contains(error.line) && error.column >= 1 && error.column <= size + 1, "\(error) is outside the file")
        precondition(!parsed.lines.contains(UInt32(error.line)), "line \(error.line) is wrong and gave a modification")
    }
    for modification in parsed.modifications {
        let text = FlowText.text(modification)
        let again = FlowText.parse(text)
        precondition(again.errors.isEmpty, "\(text): \(again.errors)")
        precondition(again.modifications == [modification], "\(text) reads back as \(again.modifications), was \(modification)")
    }
    let groups = FlowText.parseGroups(bytes: Array(bytes))
    precondition(groups.lines.count == groups.modifications.count)
    let meters = FlowText.parseMeters(bytes: Array(bytes))
    precondition(meters.lines.count == meters.modifications.count)
    _ = try? FlowText.parseMatch(String(decoding: bytes, as: UTF8.self))
    return 0
}
