import Logging

/// One connection of a channel between controllers, at either end: cuts what comes into messages, looks after a silent peer, and ends once.
///
/// Who uses it says what messages do (`handle`). Used by one thread at a time.
open class ChannelConversation: StreamConversation {
    public let peer: String
    public let transport: StreamTransport
    public private(set) var isOpen = true
    private let log: Logger
    private var decoder = ChannelCodec.Decoder()
    private var liveness = ChannelLiveness()

    public init(peer: String, transport: StreamTransport, log: Logger) {
        self.peer = peer
        self.transport = transport
        self.log = log
    }

    /// What a message does; what is thrown ends the connection.
    open func handle(_ message: ChannelMessage) throws(ChannelError) { preconditionFailure("an end of a channel without a use") }
    /// It is not there any more.
    open func lost(_ reason: String) {}
    /// Who is at the other end, for the log.
    open var peerName: String { "" }

    public func send(_ message: ChannelMessage) { if isOpen { transport.send(ChannelCodec.encode(message)) } }

    public func close(_ reason: String) {
        guard isOpen else { return }
        isOpen = false
        transport.close(reason)
    }

    public func receive(_ bytes: [UInt8], now: UInt64) {
        guard isOpen else { return }
        liveness.heard(now)
        decoder.append(bytes)
        do throws(ChannelError) {
            while isOpen, let message = try decoder.next() {
                switch message {
                case .echo: send(.echoReply)
                case .echoReply: break
                default: try handle(message)
                }
            }
        } catch {
            log.error("a channel ends", metadata: ["peer": "\(peer)", "name": "\(peerName)", "reason": "\(error)"])
            close("\(error)")
        }
    }

    public func tick(now: UInt64) {
        switch liveness.look(now) {
        case .alive: break
        case .silent: send(.echo)
        case .dead: close("it says nothing")
        }
    }

    public func ended(reason: String) {
        isOpen = false
        lost(reason)
    }
}

/// Whether the peer of a channel is still there.
struct ChannelLiveness {
    enum State { case alive, silent, dead }
    /// Nanoseconds after which it is asked, and given up.
    static let silence: UInt64 = 5_000_000_000
    static let end: UInt64 = 15_000_000_000
    private var last: UInt64 = 0

    mutating func heard(_ now: UInt64) { last = now }
    mutating func look(_ now: UInt64) -> State {
        if last == 0 { last = now }
        let silent = now > last ? now - last : 0
        return silent > Self.end ? .dead : silent > Self.silence ? .silent : .alive
    }
}
