import Foundation
import Wire

/// The frames of Tests/Fuzz/Seeds/frame.txt, which are the fuzzer's seeds too. Their checksums come from another implementation.
enum SampleFrames {
    static let all: [(name: String, bytes: [UInt8])] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fuzz/Seeds/frame.txt")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: " ")
            return (String(parts[0]), bytes(String(parts[1])))
        }
    }()

    static func named(_ name: String) -> [UInt8] {
        guard let frame = all.first(where: { $0.name == name }) else { preconditionFailure("no sample frame \(name)") }
        return frame.bytes
    }

    /// Bytes from hexadecimal digits; blanks are ignored.
    static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = hexadecimal.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

/// The parsing error of a header, nil when it parses.
func error<Header: WireValue>(_: Header.Type, _ bytes: [UInt8]) -> WireError? {
    do {
        _ = try Header(parsing: bytes.span.bytes)
        return nil
    } catch {
        return error
    }
}

/// Header from bytes.
func parse<Header: WireValue>(_: Header.Type = Header.self, _ hexadecimal: String) throws -> Header {
    try Header(parsing: SampleFrames.bytes(hexadecimal).span.bytes)
}
