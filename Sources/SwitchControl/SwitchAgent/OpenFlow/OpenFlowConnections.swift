import CLinux
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import OpenFlow
import Ports
import Synchronization

/// The sockets of a switch's OpenFlow sessions: connects to controllers, again and again, and listens for others.
///
/// A lost or refused connection is tried again after 1, 2, 4, then every 8 seconds. A silent peer is asked for an echo after `idleSeconds`, and given up after
/// twice as many more, as is one that does not finish the TLS handshake in that time. At most `connectionLimit` connections are held at a time.
public final class OpenFlowConnections: @unchecked Sendable {
    /// Files in PEM: the switch's own key and certificate, and those whose signature makes a peer's certificate good.
    public struct TLS: Sendable, Equatable {
        public var key: String
        public var certificate: String
        public var authorities: String
        public init(key: String, certificate: String, authorities: String) {
            self.key = key
            self.certificate = certificate
            self.authorities = authorities
        }
    }

    static let idleSeconds: Int64 = 5
    static let connectionLimit = 256

    let agent: OpenFlowAgent
    let log: Logger
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let clientContext: NIOSSLContext?
    private let serverContext: NIOSSLContext?
    private let state = Mutex(State())
    private struct State {
        /// What is asked for, each with a number of its own, so that attempts for a target that went and came again do not go on beside the new ones.
        var targets: [OpenFlowTarget: Int] = [:]
        var nextNumber = 0
        var listeners: [OpenFlowTarget: any Channel] = [:]
        var channels: [ObjectIdentifier: (channel: any Channel, target: OpenFlowTarget)] = [:]
        var isStopping = false
    }

    /// - Throws: when a file of `tls` cannot be used; says which.
    public init(agent: OpenFlowAgent, tls: TLS?, log: Logger) throws(PortError) {
        self.agent = agent
        self.log = log
        guard let tls else {
            (clientContext, serverContext) = (nil, nil)
            return
        }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(tls.certificate).map { NIOSSLCertificateSource.certificate($0) }
            let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(file: tls.key, format: .pem))
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateChain = chain
            client.privateKey = key
            client.trustRoots = .file(tls.authorities)
            // Controllers are known by who signed their certificate, as in Open vSwitch; their names are seldom in it.
            client.certificateVerification = .noHostnameVerification
            var server = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
            server.trustRoots = .file(tls.authorities)
            server.certificateVerification = .noHostnameVerification
            clientContext = try NIOSSLContext(configuration: client)
            serverContext = try NIOSSLContext(configuration: server)
        } catch {
            throw PortError("TLS cannot be used with key \(tls.key), certificate \(tls.certificate), authorities \(tls.authorities): \(error)")
        }
    }

    /// Begins with a target: connects, or listens. One that is there already stays.
    ///
    /// - Throws: when the address cannot be listened at.
    public func add(_ target: OpenFlowTarget) throws(PortError) {
        if target.isSecure, clientContext == nil { throw PortError("\(target) needs the 'tls' files in the configuration") }
        let number: Int? = state.withLock { s in
            if s.targets[target] != nil { return nil }
            s.nextNumber += 1
            s.targets[target] = s.nextNumber
            return s.nextNumber
        }
        guard let number else { return }
        if target.isActive {
            connect(target, number, delay: 0)
        } else {
            do throws(PortError) {
                try listen(target)
            } catch {
                state.withLock { s in s.targets[target] = nil }
                throw error
            }
        }
    }

    /// Ends with a target: closes its connections, and listens or connects no more.
    public func remove(_ target: OpenFlowTarget) {
        let (listener, channels) = state.withLock { s in
            s.targets[target] = nil
            return (s.listeners.removeValue(forKey: target), s.channels.values.filter { $0.target == target }.map(\.channel))
        }
        try? listener?.close().wait()
        switch target {
        case .listenUnix(let path) where listener != nil, .listenSnoop(let path) where listener != nil: unlink(path)
        default: break
        }
        for c in channels { try? c.close().wait() }
    }

    /// Targets that were added and not removed.
    public var targets: Set<OpenFlowTarget> { state.withLock { Set($0.targets.keys) } }

    /// Closes everything.
    public func stop() {
        state.withLock { $0.isStopping = true }
        for target in targets { remove(target) }
        try? group.syncShutdownGracefully()
    }

    /// Addresses listened at, for those that asked for port 0.
    public var listeningAddresses: [String] { state.withLock { $0.listeners.values.compactMap { $0.localAddress.map { "\($0)" } } } }

    private func listen(_ target: OpenFlowTarget) throws(PortError) {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { [self] channel in prepare(channel, target) }
        do {
            let channel: any Channel
            switch target {
            case .listen(let address, let port, _): channel = try bootstrap.bind(host: address, port: port).wait()
            case .listenUnix(let path), .listenSnoop(let path):
                unlink(path)
                channel = try bootstrap.bind(unixDomainSocketPath: path).wait()
                chmod(path, 0o600)
            default: return
            }
            state.withLock { $0.listeners[target] = channel }
            log.info("listening for controllers", metadata: ["target": "\(target)"])
        } catch {
            throw PortError("cannot listen at \(target): \(error)")
        }
    }

    private func connect(_ target: OpenFlowTarget, _ number: Int, delay: Int64) {
        guard isWanted(target, number) else { return }
        let next = delay == 0 ? 1 : min(delay * 2, 8)
        group.next().scheduleTask(in: .seconds(delay)) { [self] in
            guard isWanted(target, number) else { return }
            let bootstrap = ClientBootstrap(group: group)
                .connectTimeout(.seconds(5))
                .channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { [self] channel in prepare(channel, target) }
            let attempt: EventLoopFuture<any Channel>
            switch target {
            case .connect(let host, let port, _): attempt = bootstrap.connect(host: host, port: port)
            case .connectUnix(let path): attempt = bootstrap.connect(unixDomainSocketPath: path)
            default: return
            }
            attempt.whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    if !isWanted(target, number) { channel.close(promise: nil) }
                    channel.closeFuture.whenComplete { [self] _ in connect(target, number, delay: 1) }
                case .failure(let error):
                    log.log(
                        level: delay == 0 ? .notice : .debug, "controller cannot be reached",
                        metadata: ["target": "\(target)", "reason": "\(error)", "again": "\(next) s"])
                    connect(target, number, delay: next)
                }
            }
        }
    }

    private func isWanted(_ target: OpenFlowTarget, _ number: Int) -> Bool { state.withLock { !$0.isStopping && $0.targets[target] == number } }

    private func prepare(_ channel: any Channel, _ target: OpenFlowTarget) -> EventLoopFuture<Void> {
        let isFull = state.withLock { s in
            if s.isStopping || s.channels.count >= Self.connectionLimit { return true }
            s.channels[ObjectIdentifier(channel)] = (channel, target)
            return false
        }
        if isFull {
            log.warning("controller refused: too many connections", metadata: ["limit": "\(Self.connectionLimit)"])
            return channel.eventLoop.makeFailedFuture(PortError("too many connections"))
        }
        channel.closeFuture.whenComplete { [self] _ in state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) } }
        return channel.eventLoop.makeCompletedFuture {
            if target.isSecure {
                if !target.isActive {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: serverContext!))
                } else {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: clientContext!, serverHostname: nil))
                }
            }
            try channel.pipeline.syncOperations.addHandler(
                OpenFlowChannelHandler(
                    connections: self, channel: channel, name: "\(target)", kind: target.peer, waitsForTLS: target.isSecure))
        }
    }
}

/// One connection: bytes between a channel and a session.
///
/// Reads only while the peer takes what is sent to it, so that one that never reads is not worked for.
private final class OpenFlowChannelHandler: ChannelInboundHandler, OpenFlowTransport, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connections: OpenFlowConnections
    private let channel: any Channel
    private let name: String
    private let kind: OpenFlowSession.Peer
    private let waitsForTLS: Bool
    private var session: OpenFlowSession?
    private var closingReason: String?
    private var heard = NIODeadline.now()
    private var wantsRead = false

    private struct Outgoing {
        var bytes: [UInt8] = []
        var isScheduled = false
        /// Bytes written and not yet taken.
        var inFlight = 0
        var closes: String?
        /// The socket by a descriptor of ours; nil with TLS, and when the connection has ended.
        var socket: Int32?
    }
    private let outgoing = Mutex(Outgoing())
    /// Above this the peer is not read from.
    private static let readLimit = 8 << 20
    /// So much is written at once while the session goes on; less waits for what it sends next.
    private static let portion = 32 << 10

    init(connections: OpenFlowConnections, channel: any Channel, name: String, kind: OpenFlowSession.Peer, waitsForTLS: Bool) {
        self.kind = kind
        self.connections = connections
        self.channel = channel
        self.name = name
        self.waitsForTLS = waitsForTLS
    }

    // MARK: OpenFlowTransport, on the control queue

    func send(_ bytes: [UInt8]) {
        let (isFirst, isMuch) = outgoing.withLock { o in
            if o.bytes.isEmpty { o.bytes = bytes } else { o.bytes += bytes }
            defer { o.isScheduled = true }
            return (!o.isScheduled, o.bytes.count >= Self.portion)
        }
        if isMuch, channel.eventLoop.inEventLoop {
            // A long answer: the peer reads its beginning while the rest is made.
            write()
        } else if isFirst {
            channel.eventLoop.execute { [self] in write() }
        }
    }

    /// Past the event loop, whose thread would have to wake up for it, when nothing is on its way there.
    func sendAtOnce(_ bytes: [UInt8]) {
        let sent = outgoing.withLock { o in
            guard let socket = o.socket, o.bytes.isEmpty, o.inFlight == 0, o.closes == nil else { return 0 }
            // What it does not take is for the event loop, and so is an error.
            return max(bytes.withUnsafeBytes { weft_stream_send_now(socket, $0.baseAddress, $0.count) }, 0)
        }
        if sent < bytes.count { send(sent == 0 ? bytes : Array(bytes[sent...])) }
    }

    /// Finds the channel's socket, which it does not give away, by its cookie.
    private func reachSocket() {
        guard !waitsForTLS, let options = channel as? any SocketOptionProvider else { return }
        let cookie: EventLoopFuture<UInt64> = options.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: weft_stream_cookie_option()))
        cookie.whenSuccess { [self] cookie in
            guard channel.isActive else { return }
            let socket = weft_stream_duplicate(cookie)
            if socket >= 0 { outgoing.withLock { $0.socket = socket } }
        }
    }

    private func leaveSocket() {
        outgoing.withLock { o in
            if let socket = o.socket { Glibc.close(socket) }
            o.socket = nil
        }
    }

    var backlog: Int { outgoing.withLock { $0.bytes.count + $0.inFlight } }

    func close(reason: String) {
        outgoing.withLock { $0.closes = reason }
        channel.eventLoop.execute { [self] in write() }
    }

    // MARK: On the event loop

    private func write() {
        let (bytes, reason) = outgoing.withLock { o in
            defer {
                o.inFlight += o.bytes.count
                o.bytes = []
                o.isScheduled = false
            }
            return (o.bytes, o.closes)
        }
        if let reason { closingReason = reason }
        guard !bytes.isEmpty else {
            if reason != nil { channel.close(promise: nil) }
            return
        }
        let count = bytes.count
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { [self] result in
            // After a failure the connection ends, and nothing more is worked for it.
            guard case .success = result else { return }
            outgoing.withLock { $0.inFlight -= count }
            if reason != nil { channel.close(promise: nil) }
            if let session, session.isStalled, backlog <= OpenFlowAgent.backlogLimit { connections.agent.resume(session) }
            readOn()
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        if waitsForTLS { awaitHandshake() } else { begin() }
        context.fireChannelActive()
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let tls = event as? TLSUserEvent, case .handshakeCompleted = tls { begin() }
        context.fireUserInboundEventTriggered(event)
    }

    private func awaitHandshake() {
        channel.eventLoop.scheduleTask(in: .seconds(3 * OpenFlowConnections.idleSeconds)) { [weak self] in
            guard let self, session == nil, channel.isActive else { return }
            connections.log.warning("controller refused", metadata: ["target": "\(name)", "reason": "no TLS handshake"])
            channel.close(promise: nil)
        }
    }

    private func begin() {
        guard session == nil else { return }
        reachSocket()
        let peer = channel.remoteAddress.map { "\($0)" } ?? name
        connections.log.info("controller connected", metadata: ["target": "\(name)", "peer": "\(peer)"])
        let session = connections.agent.begin(self, name: name, peer: kind)
        session.onRefusal = { [log = connections.log, name] e in
            log.debug("message refused", metadata: ["controller": "\(name)", "error": "\(e)"])
        }
        self.session = session
        heard = .now()
        watch()
    }

    /// Looks after a silent peer.
    private func watch() {
        channel.eventLoop.scheduleTask(in: .seconds(OpenFlowConnections.idleSeconds)) { [weak self] in
            guard let self, channel.isActive, let session else { return }
            let silence = NIODeadline.now() - heard
            if silence > .seconds(3 * OpenFlowConnections.idleSeconds) {
                closingReason = "no answer to an echo request"
                channel.close(promise: nil)
                return
            }
            if silence >= .seconds(OpenFlowConnections.idleSeconds) { connections.agent.probe(session) }
            watch()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        heard = .now()
        guard let session else { return }
        connections.agent.receive(Array(buffer.readableBytesView), for: session)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        wantsRead = true
        readOn()
        context.fireChannelReadComplete()
    }

    private func readOn() {
        guard wantsRead, channel.isActive, session?.isStalled != true, backlog <= Self.readLimit else { return }
        wantsRead = false
        channel.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leaveSocket()
        if let session {
            connections.agent.ended(session)
            connections.log.info(
                "controller gone", metadata: ["target": "\(name)", "reason": "\(closingReason ?? "the connection was closed")"])
        }
        session = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if session == nil {
            // A handshake that failed, above all: who may not connect should be told why in the log.
            connections.log.warning("controller refused", metadata: ["target": "\(name)", "reason": "\(error)"])
        } else {
            closingReason = "\(error)"
        }
        context.close(promise: nil)
    }
}
