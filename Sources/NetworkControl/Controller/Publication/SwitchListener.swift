import Dispatch
import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// Where forwarding elements connect: `tcp:[ADDRESS:]PORT` or `tls:[ADDRESS:]PORT`; without an address on the loopback one.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    public var address: String
    public var port: Int
    public var isSecure: Bool

    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), ["tcp", "tls"].contains(text[..<colon]) else { return nil }
        isSecure = text[..<colon] == "tls"
        var rest = String(text[text.index(after: colon)...])
        if let last = rest.lastIndex(of: ":") {
            var host = String(rest[..<last])
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
            guard !host.isEmpty else { return nil }
            address = host
            rest = String(rest[rest.index(after: last)...])
        } else {
            address = "127.0.0.1"
        }
        guard let number = Int(rest), (0...65535).contains(number) else { return nil }
        port = number
    }

    public var description: String { "\(isSecure ? "tls" : "tcp"):\(address.contains(":") ? "[\(address)]" : address):\(port)" }
}

/// Files in PEM: the controller's own key and certificate, and those whose signature makes a switch's certificate good.
public struct ControllerTLS: Sendable, Equatable {
    public var key: String
    public var certificate: String
    /// nil: peers need no certificate of their own.
    public var authorities: String?
    public init(key: String, certificate: String, authorities: String?) {
        self.key = key
        self.certificate = certificate
        self.authorities = authorities
    }

    func configuration() throws -> TLSConfiguration {
        let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
        var c = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        if let authorities {
            c.trustRoots = .file(authorities)
            // Switches are known by who signed their certificate.
            c.certificateVerification = .noHostnameVerification
        }
        return c
    }
}

/// The sockets of a physical controller: listens for forwarding elements and carries the bytes between channels and sessions.
///
/// Everything that sessions do runs on `queue`. At most `connectionLimit` connections are held.
public final class SwitchListener: @unchecked Sendable {
    static let connectionLimit = 4096
    let queue: DispatchQueue
    let physical: PhysicalController
    let log: Logger
    private let group: MultiThreadedEventLoopGroup
    private var channels: [any Channel] = []
    private var timer: (any DispatchSourceTimer)?
    private var connections = 0

    public init(_ physical: PhysicalController, on queue: DispatchQueue, log: Logger) {
        self.physical = physical
        self.queue = queue
        self.log = log
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + 2, repeating: 2)
        timer.setEventHandler { [unowned self] in self.physical.tick(now: DispatchTime.now().uptimeNanoseconds) }
        timer.resume()
        self.timer = timer
    }

    /// Listens; returns where, for those who asked for port 0.
    public func listen(_ at: ListenAddress, tls: ControllerTLS?) throws -> String {
        let context = try at.isSecure ? tls.map { try NIOSSLContext(configuration: $0.configuration()) } : nil
        let channel = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context)) }
                    try channel.pipeline.syncOperations.addHandler(SwitchChannelHandler(self, channel, waitsForTLS: context != nil))
                }
            }
            .bind(host: at.address, port: at.port).wait()
        channels.append(channel)
        let address = channel.localAddress.map { "\($0.ipAddress ?? at.address):\($0.port ?? at.port)" } ?? "\(at)"
        log.notice("listening for hosts", metadata: ["address": "\(address)", "tls": "\(at.isSecure)"])
        return address
    }

    public func stop() {
        timer?.cancel()
        for c in channels { try? c.close().wait() }
        try? group.syncShutdownGracefully()
    }

    /// On the queue.
    fileprivate func mayConnect() -> Bool {
        guard connections < Self.connectionLimit else { return false }
        connections += 1
        return true
    }
    fileprivate func disconnected() { connections -= 1 }
}

/// One connection.
private final class SwitchChannelHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let listener: SwitchListener
    private let channel: any Channel
    private let waitsForTLS: Bool
    /// On the queue.
    private var session: SwitchSession?
    private var reason = "the connection was closed"
    private var isCounted = false

    init(_ listener: SwitchListener, _ channel: any Channel, waitsForTLS: Bool) {
        self.listener = listener
        self.channel = channel
        self.waitsForTLS = waitsForTLS
    }

    func channelActive(context: ChannelHandlerContext) {
        if !waitsForTLS {
            begin()
        } else {
            channel.eventLoop.scheduleTask(in: .seconds(15)) { [weak self] in
                guard let self else { return }
                listener.queue.async { [self] in if session == nil { channel.close(promise: nil) } }
            }
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let tls = event as? TLSUserEvent, case .handshakeCompleted = tls { begin() }
        context.fireUserInboundEventTriggered(event)
    }

    private func begin() {
        let peer = channel.remoteAddress.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "?"
        listener.queue.async { [self] in
            guard session == nil else { return }
            guard listener.mayConnect() else {
                channel.close(promise: nil)
                return
            }
            isCounted = true
            let transport = SwitchSession.Transport(
                send: { [channel] bytes in channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) },
                close: { [unowned self] why in
                    reason = why
                    channel.eventLoop.execute { [channel] in channel.close(promise: nil) }
                })
            session = listener.physical.begin(peer: peer, transport)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        listener.queue.async { [self] in
            guard let session else { return }
            listener.physical.receive(buffer.readableBytesView, for: session, now: DispatchTime.now().uptimeNanoseconds)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        listener.queue.async { [self] in
            if isCounted { listener.disconnected() }
            isCounted = false
            guard let session else { return }
            listener.physical.ended(session, reason: reason)
            self.session = nil
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        listener.queue.async { [self] in
            if session == nil { listener.log.warning("a host is refused", metadata: ["reason": "\(error)"]) } else { reason = "\(error)" }
        }
        context.close(promise: nil)
    }
}
