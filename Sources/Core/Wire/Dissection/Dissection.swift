/// A packet taken apart for people: layers with named fields and where they stand, checksum verdicts, and what is wrong.
///
/// Any bytes give a dissection; a damaged layer says so in `problems` and what cannot be read is a `data` layer. It is for explaining
/// single packets, not for forwarding: it allocates freely. Cost: linear in the captured size.
public struct Dissection: Codable, Equatable, Sendable {
    /// Headers read at most; deeper tunnels and label stacks end in a `data` layer with a problem.
    public static let maximumLayers = 32
    /// Options and chunks shown of one layer.
    public static let maximumOptions = 64

    /// One field in words. `offset` counts from the start of the frame.
    public struct Field: Codable, Equatable, Sendable {
        public var name: String
        public var value: String
        public var offset: Int
        /// Bytes touched; a field of some bits counts the bytes it lies in.
        public var size: Int

        public init(name: String, value: String, offset: Int, size: Int) {
            self.name = name
            self.value = value
            self.offset = offset
            self.size = size
        }
    }

    /// One header, or the data after the last one.
    public struct Layer: Codable, Equatable, Sendable {
        /// A word for programs: `ethernet`, `ipv4`, `tcp`, `data`, `padding`…
        public var name: String
        /// Words for people.
        public var title: String
        public var offset: Int
        /// Captured bytes of the layer itself, without what it carries.
        public var size: Int
        public var fields: [Field] = []
        public var checksum: ChecksumVerdict?
        /// What is malformed, reserved or missing, each a phrase.
        public var problems: [String] = []
        /// Part of the packet that an ICMP error quotes.
        public var isQuoted = false
        /// The captured bytes end inside this layer.
        public var isTruncated = false

        /// The value of the first field called `name`.
        public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
    }

    public var capturedSize: Int
    /// Bytes on the wire; more than `capturedSize` when the capture cut the packet.
    public var originalSize: Int
    public var layers: [Layer]
    /// The packet in one line, in the manner of tcpdump.
    public var summary: String

    /// Takes `bytes` apart, beginning with Ethernet.
    /// - Parameter originalSize: bytes on the wire when the capture cut the packet; less than captured is read as captured.
    public init(_ bytes: RawSpan, originalSize: Int? = nil) {
        var dissector = Dissector(frameSize: bytes.byteCount, isCut: (originalSize ?? 0) > bytes.byteCount)
        dissector.ethernet(bytes)
        capturedSize = bytes.byteCount
        self.originalSize = max(originalSize ?? 0, bytes.byteCount)
        dissector.noteCut(self.originalSize - capturedSize)
        layers = dissector.layers
        summary = dissector.summary
    }

    /// The same for an array.
    public init(_ bytes: [UInt8], originalSize: Int? = nil) { self.init(bytes.span.bytes, originalSize: originalSize) }

    /// The first layer called `name`.
    public subscript(name: String) -> Layer? { layers.first { $0.name == name } }
}

/// Whether a layer's checksum fits its bytes.
public enum ChecksumVerdict: Equatable, Sendable {
    case correct
    /// `expected` is the checksum that the bytes ask for.
    case incorrect(expected: UInt32)
    /// UDP without one (RFC 768), which IPv6 allows to few (RFC 8200 §8.1).
    case zero
    /// The covered bytes are not all here: cut by the capture, a fragment, or a quotation.
    case notCheckable(String)

    /// `correct`, `incorrect (should be 0x1c46)`, `zero`, `not checkable (truncated)`; `digits` is the field's width.
    public func phrase(digits: Int = 4) -> String {
        switch self {
        case .correct: "correct"
        case .incorrect(let expected): "incorrect (should be \(hex(expected, digits)))"
        case .zero: "zero (not computed)"
        case .notCheckable(let why): "not checkable (\(why))"
        }
    }
}

extension ChecksumVerdict: Codable {
    private enum Key: String, CodingKey { case verdict, expected, reason }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decode(String.self, forKey: .verdict) {
        case "correct": self = .correct
        case "incorrect": self = .incorrect(expected: try container.decode(UInt32.self, forKey: .expected))
        case "zero": self = .zero
        case "notCheckable": self = .notCheckable(try container.decode(String.self, forKey: .reason))
        case let other:
            throw DecodingError.dataCorruptedError(forKey: .verdict, in: container, debugDescription: "unknown verdict \(other)")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .correct: try container.encode("correct", forKey: .verdict)
        case .incorrect(let expected):
            try container.encode("incorrect", forKey: .verdict)
            try container.encode(expected, forKey: .expected)
        case .zero: try container.encode("zero", forKey: .verdict)
        case .notCheckable(let reason):
            try container.encode("notCheckable", forKey: .verdict)
            try container.encode(reason, forKey: .reason)
        }
    }
}
