import LogicalNetwork
import Yams

/// Reads JSON (RFC 8259) into the nodes that a network file is read from, in the order that is written.
///
/// Foundation's reader forgets the order of members; YAML's takes texts that are no JSON. Refuses members that are there twice. What is no JSON is told
/// with line and column; what is no network then by the names of elements.
struct JSONReader {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1
    private var lineStart = 0
    static let depthLimit = 64

    static func node(_ text: [UInt8]) throws(NetworkFaults) -> Node {
        var reader = JSONReader(bytes: text)
        reader.skipSpace()
        let node = try reader.value(depth: 0)
        reader.skipSpace()
        if reader.at < reader.bytes.count { throw reader.fault("there is more behind the value") }
        return node
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func fault(_ message: String) -> NetworkFaults {
        NetworkFaults([NetworkFault(Place(line: line, column: at - lineStart + 1), "no JSON: \(message)")])
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let c = next, c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09 {
            at += 1
            if c == 0x0a { (line, lineStart) = (line + 1, at) }
        }
    }

    private mutating func expect(_ c: Character) throws(NetworkFaults) {
        guard next == c.asciiValue else { throw fault("'\(c)' is missing here") }
        at += 1
    }

    private mutating func value(depth: Int) throws(NetworkFaults) -> Node {
        if depth > Self.depthLimit { throw fault("nested more deeply than any network is") }
        switch next {
        case UInt8(ascii: "{")?:
            at += 1
            var pairs: [(Node, Node)] = []
            var names: Set<String> = []
            skipSpace()
            while next != UInt8(ascii: "}") {
                if !pairs.isEmpty {
                    try expect(",")
                    skipSpace()
                }
                let name = try string()
                if !names.insert(name).inserted { throw fault("'\(name)' is there twice") }
                skipSpace()
                try expect(":")
                skipSpace()
                pairs.append((.scalar(Node.Scalar(name, .implicit, .doubleQuoted)), try value(depth: depth + 1)))
                skipSpace()
            }
            at += 1
            return .mapping(Node.Mapping(pairs))
        case UInt8(ascii: "[")?:
            at += 1
            var items: [Node] = []
            skipSpace()
            while next != UInt8(ascii: "]") {
                if !items.isEmpty {
                    try expect(",")
                    skipSpace()
                }
                items.append(try value(depth: depth + 1))
                skipSpace()
            }
            at += 1
            return .sequence(Node.Sequence(items))
        case UInt8(ascii: "\"")?: return .scalar(Node.Scalar(try string(), .implicit, .doubleQuoted))
        case nil: throw fault("a value is missing here")
        default:
            let start = at
            while let c = next,
                c == 0x2b || c == 0x2d || c == 0x2e || (0x30...0x39).contains(c) || (0x41...0x5a).contains(c) || (0x61...0x7a).contains(c)
            {
                at += 1
            }
            let word = String(decoding: bytes[start..<at], as: UTF8.self)
            guard ["true", "false", "null"].contains(word) || Self.isNumber(word) else {
                at = start
                throw fault("a value is missing here")
            }
            return .scalar(Node.Scalar(word, .implicit, .plain))
        }
    }

    /// RFC 8259 §6.
    private static func isNumber(_ word: String) -> Bool {
        var rest = word.utf8[...]
        func digits() -> Int {
            let n = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(n)
            return n
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        if rest.first == UInt8(ascii: "0") { rest = rest.dropFirst() } else if digits() == 0 { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            if digits() == 0 { return false }
        }
        if let e = rest.first, e == UInt8(ascii: "e") || e == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { rest = rest.dropFirst() }
            if digits() == 0 { return false }
        }
        return rest.isEmpty
    }

    private mutating func string() throws(NetworkFaults) -> String {
        try expect("\"")
        var out: [UInt8] = []
        while let c = next {
            at += 1
            switch c {
            case UInt8(ascii: "\""):
                guard let text = String(validating: out, as: UTF8.self) else { throw fault("the text is not UTF-8") }
                return text
            case UInt8(ascii: "\\"): try escape(&out)
            case 0..<0x20: throw fault("a control character stands in a text")
            default: out.append(c)
            }
        }
        throw fault("a text has no end")
    }

    private mutating func escape(_ out: inout [UInt8]) throws(NetworkFaults) {
        guard let c = next else { throw fault("a text has no end") }
        at += 1
        switch c {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(c)
        case UInt8(ascii: "b"): out.append(8)
        case UInt8(ascii: "f"): out.append(12)
        case UInt8(ascii: "n"): out.append(10)
        case UInt8(ascii: "r"): out.append(13)
        case UInt8(ascii: "t"): out.append(9)
        case UInt8(ascii: "u"):
            var code = try hex()
            if (0xd800..<0xdc00).contains(code), next == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") {
                at += 2
                let low = try hex()
                guard (0xdc00..<0xe000).contains(low) else { throw fault("half a surrogate pair") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("half a surrogate pair") }
            out += Array(String(Character(scalar)).utf8)
        default: throw fault("'\\\(Character(Unicode.Scalar(c)))' is no escape")
        }
    }

    private mutating func hex() throws(NetworkFaults) -> UInt32 {
        guard at + 4 <= bytes.count, bytes[at..<at + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let n = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw fault("\\u has four hexadecimal digits") }
        at += 4
        return n
    }
}
