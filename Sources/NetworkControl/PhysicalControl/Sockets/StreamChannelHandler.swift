import Dispatch
import NIOCore
import NIOSSL
import NIOTLS
import Synchronization

/// One connection: bytes between a channel and a conversation, which runs on a queue.
final class StreamChannelHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    /// Seconds for the handshake.
    private static let handshakeLimit: Int64 = 15

    private let queue: DispatchQueue
    private let channel: any Channel
    private let waitsForTLS: Bool
    private let begin: (_ peer: String, StreamTransport) -> (any StreamConversation)?
    private let endedHandler: (_ wasBegun: Bool) -> Void
    private let failed: (any Error) -> Void
    /// On the queue.
    private var conversation: (any StreamConversation)?
    private var reason = "the connection was closed"
    private var hasHeard = false
    private let backlog = Atomic(0)

    /// - Parameters: all closures are called on the queue; `begin` gives nil to refuse, `failed` is for what goes wrong before the peer has said
    ///   anything: a client of TLS 1.3 shows its certificate in its last flight (RFC 8446 §2), and hears of a refusal when its own handshake is complete.
    init(
        _ queue: DispatchQueue, _ channel: any Channel, waitsForTLS: Bool,
        begin: @escaping (_ peer: String, StreamTransport) -> (any StreamConversation)?, ended: @escaping (_ wasBegun: Bool) -> Void,
        failed: @escaping (any Error) -> Void
    ) {
        self.queue = queue
        self.channel = channel
        self.waitsForTLS = waitsForTLS
        self.begin = begin
        endedHandler = ended
        self.failed = failed
    }

    func channelActive(context: ChannelHandlerContext) {
        if !waitsForTLS {
            start()
        } else {
            channel.eventLoop.scheduleTask(in: .seconds(Self.handshakeLimit)) { [weak self] in
                guard let self else { return }
                queue.async { [self] in if conversation == nil { channel.close(promise: nil) } }
            }
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let tls = event as? TLSUserEvent, case .handshakeCompleted = tls { start() }
        context.fireUserInboundEventTriggered(event)
    }

    private func start() {
        let names = Self.names(in: waitsForTLS ? try? channel.pipeline.syncOperations.nioSSL_peerCertificate() : nil)
        let peer = channel.remoteAddress.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "?"
        queue.async { [self] in
            guard conversation == nil else { return }
            var transport = StreamTransport(
                send: { [weak self, channel] bytes in
                    self?.backlog.add(bytes.count, ordering: .relaxed)
                    channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { [weak self] _ in
                        self?.backlog.subtract(bytes.count, ordering: .relaxed)
                    }
                },
                close: { [weak self, channel] why in
                    self?.reason = why
                    channel.eventLoop.execute { channel.close(promise: nil) }
                },
                backlog: { [weak self] in self?.backlog.load(ordering: .relaxed) ?? 0 })
            transport.certificateNames = names
            conversation = begin(peer, transport)
            if conversation == nil { channel.close(promise: nil) }
        }
    }

    /// The DNS names of a certificate, as they stand there (RFC 5280 §4.2.1.6).
    private static func names(in certificate: NIOSSLCertificate?) -> Set<String> {
        guard let certificate else { return [] }
        return Set(
            certificate._subjectAlternativeNames().filter { $0.nameType == .dnsName }.map { name in
                name.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
            })
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        queue.async { [self] in
            hasHeard = true
            conversation?.receive(Array(buffer.readableBytesView), now: DispatchTime.now().uptimeNanoseconds)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        queue.async { [self] in
            let wasBegun = conversation != nil
            conversation?.ended(reason: reason)
            conversation = nil
            endedHandler(wasBegun)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        queue.async { [self] in
            if conversation == nil || waitsForTLS && !hasHeard { failed(error) }
            reason = "\(error)"
        }
        context.close(promise: nil)
    }
}
