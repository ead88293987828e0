/// What carries the bytes of a conversation.
public struct StreamTransport {
    public var send: ([UInt8]) -> Void
    public var close: (_ reason: String) -> Void
    /// Bytes that were sent and that the peer has not taken yet.
    public var backlog: () -> Int
    /// Names in the certificate that the peer has shown; none without TLS.
    public var certificateNames: Set<String> = []
    public init(send: @escaping ([UInt8]) -> Void, close: @escaping (_ reason: String) -> Void, backlog: @escaping () -> Int = { 0 }) {
        self.send = send
        self.close = close
        self.backlog = backlog
    }
}

/// One end of a connection, without its sockets. Used by one thread at a time.
public protocol StreamConversation: AnyObject {
    /// - Parameter now: nanoseconds of a monotonic clock.
    func receive(_ bytes: [UInt8], now: UInt64)
    func ended(reason: String)
}
