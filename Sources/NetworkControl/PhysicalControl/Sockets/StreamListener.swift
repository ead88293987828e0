import Dispatch
import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// Listens for peers, forwarding elements or controllers, and carries the bytes between channels and conversations.
///
/// Conversations run on `queue`. At most `connectionLimit` connections are held.
public final class StreamListener: @unchecked Sendable {
    static let connectionLimit = 4096
    let queue: DispatchQueue
    let log: Logger
    private let what: String
    private let begin: (_ peer: String, StreamTransport) -> any StreamConversation
    private let tick: (_ now: UInt64) -> Void
    private let group: MultiThreadedEventLoopGroup
    private var channels: [any Channel] = []
    private var timer: (any DispatchSourceTimer)?
    private var connections = 0

    /// - Parameters:
    ///   - what: a peer in a word, for the log: `host`.
    ///   - begin: called on the queue when one has connected.
    ///   - tick: called on the queue every two seconds.
    public init(
        _ what: String, on queue: DispatchQueue, log: Logger, tick: @escaping (_ now: UInt64) -> Void,
        begin: @escaping (_ peer: String, StreamTransport) -> any StreamConversation
    ) {
        self.what = what
        self.queue = queue
        self.log = log
        self.begin = begin
        self.tick = tick
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + 2, repeating: 2)
        timer.setEventHandler { [unowned self] in self.tick(DispatchTime.now().uptimeNanoseconds) }
        timer.resume()
        self.timer = timer
    }

    /// For a physical controller.
    public convenience init(_ physical: PhysicalController, on queue: DispatchQueue, log: Logger) {
        self.init("host", on: queue, log: log, tick: { physical.tick(now: $0) }) { SwitchConversation(physical, physical.begin(peer: $0, $1)) }
    }

    /// Listens; returns where, for those who asked for port 0.
    public func listen(_ at: StreamAddress, tls: StreamTLS?) throws -> String {
        let context = try at.isSecure ? tls.map { try NIOSSLContext(configuration: $0.serverConfiguration()) } : nil
        let channel = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context)) }
                    try channel.pipeline.syncOperations.addHandler(
                        StreamChannelHandler(
                            queue, channel, waitsForTLS: context != nil, begin: { [unowned self] in beginIfRoom($0, $1) },
                            ended: { [unowned self] wasBegun in if wasBegun { connections -= 1 } },
                            failed: { [log, what] in log.warning("a \(what) is refused", metadata: ["reason": "\($0)"]) }))
                }
            }
            .bind(host: at.address, port: at.port).wait()
        channels.append(channel)
        let address = channel.localAddress.map { "\($0.ipAddress ?? at.address):\($0.port ?? at.port)" } ?? "\(at)"
        log.notice("listening for \(what)s", metadata: ["address": "\(address)", "tls": "\(at.isSecure)"])
        return address
    }

    public func stop() {
        timer?.cancel()
        for c in channels { try? c.close().wait() }
        try? group.syncShutdownGracefully()
    }

    private func beginIfRoom(_ peer: String, _ transport: StreamTransport) -> (any StreamConversation)? {
        guard connections < Self.connectionLimit else { return nil }
        connections += 1
        return begin(peer, transport)
    }
}

/// The bytes of a switch session.
private final class SwitchConversation: StreamConversation {
    private let physical: PhysicalController
    private let session: SwitchSession

    init(_ physical: PhysicalController, _ session: SwitchSession) {
        self.physical = physical
        self.session = session
    }
    func receive(_ bytes: [UInt8], now: UInt64) { physical.receive(bytes, for: session, now: now) }
    func ended(reason: String) { physical.ended(session, reason: reason) }
}
