/// Why a message was refused: everything that the `error` message to send back needs, and a sentence for the log.
public struct OpenFlowError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: ErrorCode
    /// What was wrong, as a sentence.
    public var reason: String
    /// The transaction of the refused message.
    public var xid: UInt32
    /// The refused message's first bytes, at most `quotedBytes`; what `error` quotes.
    public var data: [UInt8]

    /// Bytes quoted of a refused message: "at least 64" (OpenFlow 1.3.5 §A.4.4).
    public static let quotedBytes = 64

    public init(_ code: ErrorCode, _ reason: String, xid: UInt32 = 0, data: [UInt8] = []) {
        self.code = code
        self.reason = reason
        self.xid = xid
        self.data = data
    }

    public var description: String { "\(code.name): \(reason)" }
}

/// A value that the version's wire format cannot say, such as an action that the version does not have.
public struct OpenFlowEncodingError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
}
