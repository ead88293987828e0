import Dispatch
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// Keeps a connection to each of several addresses, as long as it runs.
///
/// When an attempt fails, or a connection is lost or does not last, it is tried again, after 0.1, 0.2, 0.4, … at most 5 seconds. Conversations run on `queue`.
public final class StreamClient: @unchecked Sendable {
    private let queue: DispatchQueue
    private let log: Logger
    private let begin: (_ peer: String, StreamTransport) -> any StreamConversation
    private let tick: (_ now: UInt64) -> Void
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let context: NIOSSLContext?
    // On the queue.
    private var targets: [Target]
    private var isStopping = false
    private var timer: (any DispatchSourceTimer)?
    private static let firstDelay = 0.1
    private static let longestDelay = 5.0
    /// Nanoseconds after which a connection counts as good.
    private static let steady: UInt64 = 5_000_000_000

    private struct Target {
        let address: StreamAddress
        var failures = 0
        var channel: (any Channel)?
    }

    /// - Parameters:
    ///   - begin: called on the queue when it has connected.
    ///   - tick: called on the queue every two seconds.
    public init(
        _ addresses: [StreamAddress], tls: StreamTLS?, on queue: DispatchQueue, log: Logger, tick: @escaping (_ now: UInt64) -> Void,
        begin: @escaping (_ peer: String, StreamTransport) -> any StreamConversation
    ) throws {
        targets = addresses.map { Target(address: $0) }
        self.queue = queue
        self.log = log
        self.begin = begin
        self.tick = tick
        context = try addresses.contains(where: \.isSecure) ? tls.map { try NIOSSLContext(configuration: $0.clientConfiguration()) } : nil
    }

    public func start() {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + 2, repeating: 2)
        timer.setEventHandler { [unowned self] in self.tick(DispatchTime.now().uptimeNanoseconds) }
        timer.resume()
        self.timer = timer
        queue.async { [self] in for i in targets.indices { connect(i) } }
    }

    public func stop() {
        let last: [any Channel] = queue.sync {
            isStopping = true
            timer?.cancel()
            return targets.compactMap(\.channel)
        }
        for channel in last { try? channel.close().wait() }
        try? group.syncShutdownGracefully()
    }

    private func connect(_ i: Int) {
        if isStopping { return }
        let at = targets[i].address
        let began = DispatchTime.now().uptimeNanoseconds
        ClientBootstrap(group: group)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    if at.isSecure, let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        StreamChannelHandler(
                            queue, channel, waitsForTLS: at.isSecure, begin: { [unowned self] in begin($0, $1) },
                            ended: { _ in },
                            failed: { [log] in log.warning("a controller is refused", metadata: ["address": "\(at)", "reason": "\($0)"]) }))
                }
            }
            .connect(host: at.address, port: at.port).whenComplete { [self] result in
                queue.async { [self] in
                    switch result {
                    case .success(let channel):
                        targets[i].channel = channel
                        channel.closeFuture.whenComplete { [self] _ in queue.async { [self] in again(i, began) } }
                        if isStopping { channel.close(promise: nil) }
                    case .failure(let error):
                        log.log(
                            level: targets[i].failures == 0 ? .notice : .debug, "a controller cannot be reached",
                            metadata: ["address": "\(at)", "reason": "\(error)"])
                        again(i, began)
                    }
                }
            }
    }

    private func again(_ i: Int, _ began: UInt64) {
        targets[i].channel = nil
        targets[i].failures = DispatchTime.now().uptimeNanoseconds - began > Self.steady ? 0 : targets[i].failures + 1
        var delay = Self.firstDelay
        for _ in 0..<max(targets[i].failures - 1, 0) where delay < Self.longestDelay { delay *= 2 }
        queue.asyncAfter(deadline: .now() + min(delay, Self.longestDelay)) { [self] in connect(i) }
    }
}
