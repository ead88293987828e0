/// One TCP option (RFC 9293 §3.2, RFC 7323, RFC 2018).
public enum TCPOption: Equatable, Sendable {
    case endOfList
    case noOperation
    case maximumSegmentSize(UInt16)
    case windowScale(UInt8)
    case sackPermitted
    case sack([Block])
    case timestamps(value: UInt32, echo: UInt32)
    /// Another kind, or a known one with a length that is not its own.
    case other(kind: UInt8, content: [UInt8])

    /// A range of received sequence numbers, the right end exclusive.
    public struct Block: Equatable, Sendable {
        public var left: UInt32
        public var right: UInt32
        public init(left: UInt32, right: UInt32) {
            self.left = left
            self.right = right
        }
    }

    /// The options in order up to the end-of-list option, and whether an option's length was less than 2 or reached beyond the bytes.
    public static func parse(_ bytes: RawSpan) -> (options: [TCPOption], isMalformed: Bool) {
        var options: [TCPOption] = []
        var offset = 0
        while offset < bytes.byteCount {
            let kind = bytes.u8(at: offset)
            if kind == 0 {
                options.append(.endOfList)
                return (options, false)
            }
            if kind == 1 {
                options.append(.noOperation)
                offset += 1
                continue
            }
            guard offset + 2 <= bytes.byteCount else { return (options, true) }
            let size = Int(bytes.u8(at: offset + 1))
            guard size >= 2, offset + size <= bytes.byteCount else { return (options, true) }
            options.append(option(kind: kind, bytes.extracting((offset + 2)..<(offset + size))))
            offset += size
        }
        return (options, false)
    }

    private static func option(kind: UInt8, _ content: RawSpan) -> TCPOption {
        switch (kind, content.byteCount) {
        case (2, 2): return .maximumSegmentSize(content.u16(at: 0))
        case (3, 1): return .windowScale(content.u8(at: 0))
        case (4, 0): return .sackPermitted
        case (5, let count) where count % 8 == 0 && count > 0:
            return .sack((0..<count / 8).map { Block(left: content.u32(at: $0 * 8), right: content.u32(at: $0 * 8 + 4)) })
        case (8, 8): return .timestamps(value: content.u32(at: 0), echo: content.u32(at: 4))
        default: return .other(kind: kind, content: content.array(0..<content.byteCount))
        }
    }

    /// The options' bytes, filled up with end-of-list options to a multiple of 4.
    public static func encode(_ options: [TCPOption]) -> [UInt8] {
        var out: [UInt8] = []
        for option in options {
            switch option {
            case .endOfList: out.append(0)
            case .noOperation: out.append(1)
            case .maximumSegmentSize(let size): out += [2, 4] + bytes(size)
            case .windowScale(let shift): out += [3, 3, shift]
            case .sackPermitted: out += [4, 2]
            case .sack(let blocks): out += [5, UInt8(2 + 8 * blocks.count)] + blocks.flatMap { bytes($0.left) + bytes($0.right) }
            case .timestamps(let value, let echo): out += [8, 10] + bytes(value) + bytes(echo)
            case .other(let kind, let content): out += [kind, UInt8(2 + content.count)] + content
            }
        }
        while out.count % 4 != 0 { out.append(0) }
        return out
    }

    private static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}
