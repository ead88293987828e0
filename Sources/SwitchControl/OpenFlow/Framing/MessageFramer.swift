import Wire

/// Cuts a stream of bytes into messages by the length in each header.
///
/// Holds at most one incomplete message, so never more than 65535 bytes beyond what was handed in. After `.broken` the stream has no message
/// boundaries any more and the connection must be closed.
public struct MessageFramer: Sendable {
    public enum Next: Equatable, Sendable {
        /// A whole message: header and body, 8 to 65535 bytes.
        case message([UInt8])
        /// More bytes are needed.
        case incomplete
        /// A header says a length below 8.
        case broken(length: Int)
    }

    private var pending: [UInt8] = []
    private var start = 0
    private var brokenLength: Int?

    public init() {}

    /// Bytes received and not yet handed out.
    public var pendingBytes: Int { pending.count - start }

    public mutating func append(_ bytes: some Sequence<UInt8>) {
        if brokenLength != nil { return }
        if start > 0 {
            pending.removeFirst(start)
            start = 0
        }
        pending.append(contentsOf: bytes)
    }

    /// Hands out the whole messages that come next, without a copy, for as long as `body` takes them.
    ///
    /// - Parameter body: given a message of 8 to 65535 bytes; false leaves it, and all behind it, to `next`.
    public mutating func takeRun(_ body: (RawSpan) -> Bool) {
        if brokenLength != nil { return }
        var at = start
        do {
            let bytes = pending.span.bytes
            while bytes.byteCount - at >= MessageHeader.size {
                let length = Int(bytes.u16(at: at + 2))
                guard length >= MessageHeader.size, bytes.byteCount - at >= length, body(bytes.extracting(at..<at + length)) else { break }
                at += length
            }
        }
        start = at
        if start == pending.count { forget() }
    }

    private mutating func forget() {
        pending.removeAll(keepingCapacity: pending.capacity <= 1 << 17)
        start = 0
    }

    /// The next whole message. Cost: one copy of it.
    public mutating func next() -> Next {
        if let brokenLength { return .broken(length: brokenLength) }
        let available = pending.count - start
        guard available >= 4 else { return .incomplete }
        let length = Int(pending[start + 2]) << 8 | Int(pending[start + 3])
        if length < MessageHeader.size {
            brokenLength = length
            pending = []
            start = 0
            return .broken(length: length)
        }
        guard available >= length else { return .incomplete }
        let message = Array(pending[start..<start + length])
        start += length
        if start == pending.count { forget() }
        return .message(message)
    }
}

/// The first eight bytes of every message (OpenFlow 1.3.5 §A.1).
public struct MessageHeader: Hashable, Sendable {
    public static let size = 8
    public var version: UInt8
    public var type: UInt8
    public var length: UInt16
    public var xid: UInt32

    /// Nil for fewer than eight bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.size else { return nil }
        version = bytes[0]
        type = bytes[1]
        length = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        xid = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
