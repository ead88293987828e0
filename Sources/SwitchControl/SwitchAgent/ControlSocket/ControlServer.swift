import CLinux
import Foundation
import Glibc
import Synchronization

/// The control socket: a thread that accepts clients, reads their requests and sends replies. `Docs/ControlSocket.md` describes the protocol.
///
/// **Concurrency.** One thread polls all descriptors and runs the requests one after the other, so a handler needs no lock; other threads hand it work
/// with `perform`. No descriptor blocks.
///
/// **Bad clients.** A line above `lineLimit` ends its connection; so does taking no output for `stallLimit`. A client that does not read is not read from.
/// More than `connectionLimit` clients are sent away. None of this delays the others, let alone packets.
///
/// **One switch per socket.** A lock on `PATH.lock` is held as long as the server lives; the kernel releases it with the process, so a socket that a
/// killed switch left behind is replaced.
public final class ControlServer: @unchecked Sendable {
    public static let lineLimit = 16 << 20
    public static let connectionLimit = 64
    /// Nanoseconds.
    public static let stallLimit: UInt64 = 60_000_000_000

    public let path: String
    private let listener: Int32
    private let lock: Int32
    private let event: Int32
    private var connections: [Int32: ControlConnection] = [:]
    private let work = Mutex<[@Sendable () -> Void]>([])
    private let isStopping = Atomic<Bool>(false)
    private let hasEnded = DispatchSemaphore(value: 0)
    private var isRunning = false
    /// Carries out a request and returns the JSON of its result; on the server's thread.
    public var handler: (ControlCall) throws(ControlError) -> Data = { (_: ControlCall) throws(ControlError) -> Data in Data("{}".utf8) }

    /// Further descriptors to wait for, asked before each wait, and what to do when one is readable; on the server's thread.
    public var watched: () -> [Int32] = { [] }
    public var onWatched: () -> Void = {}

    /// Listens on a path, whose folder is made when it is missing (0755).
    ///
    /// - Throws: `.busy` when another switch listens there, `.failed` for what the system says.
    public init(path: String) throws(ControlError) {
        self.path = path
        guard path.utf8.count <= ControlSocketPath.limit else {
            throw ControlError(.failed, "\(path): a socket's path may have \(ControlSocketPath.limit) bytes")
        }
        let folder = (path as NSString).deletingLastPathComponent
        if !folder.isEmpty { mkdir(folder, path.hasPrefix("/tmp/weft-") ? 0o700 : 0o755) }
        lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw ControlError(.failed, "\(path).lock: \(String(cString: strerror(errno)))") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(lock)
            throw ControlError(.busy, "a switch is listening on \(path) already")
        }
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFSOCK else {
                Glibc.close(lock)
                throw ControlError(.failed, "\(path) exists and is not a socket")
            }
            unlink(path)
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        // The socket never exists with wider permissions.
        let mask = umask(0o177)
        let failure = SocketAddress.with(path) { bind(descriptor, $0, $1) } != 0 || listen(descriptor, 128) != 0 ? errno : 0
        umask(mask)
        listener = descriptor
        event = weft_event_create()
        guard failure == 0, event >= 0 else {
            Glibc.close(listener)
            Glibc.close(lock)
            throw ControlError(.failed, "cannot listen on \(path): \(String(cString: strerror(failure)))")
        }
    }

    deinit {
        Glibc.close(listener)
        Glibc.close(lock)
        Glibc.close(event)
    }

    public func start() {
        isRunning = true
        let thread = Thread { [self] in
            run()
            hasEnded.signal()
        }
        thread.name = "control-socket"
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Ends all connections and removes the socket.
    public func stop() {
        guard isRunning else { return }
        isRunning = false
        isStopping.store(true, ordering: .releasing)
        weft_event_signal(event)
        hasEnded.wait()
        unlink(path)
        unlink(path + ".lock")
    }

    /// Has the server's thread run something soon.
    public func perform(_ body: @escaping @Sendable () -> Void) {
        work.withLock { $0.append(body) }
        weft_event_signal(event)
    }

    // MARK: - On the thread

    private func run() {
        var polled: [pollfd] = []
        while !isStopping.load(ordering: .acquiring) {
            let isFull = connections.count > Self.connectionLimit
            polled = [
                pollfd(fd: event, events: Int16(POLLIN), revents: 0), pollfd(fd: isFull ? -1 : listener, events: Int16(POLLIN), revents: 0),
            ]
            var isStreaming = false
            for c in connections.values {
                var events: Int16 = 0
                if c.wantsInput { events |= Int16(POLLIN) }
                if c.pendingBytes > 0 { events |= Int16(POLLOUT) }
                if c.stream != nil { isStreaming = true }
                polled.append(pollfd(fd: c.descriptor, events: events, revents: 0))
            }
            let own = polled.count
            for descriptor in watched() { polled.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
            poll(&polled, nfds_t(polled.count), isStreaming ? 20 : connections.isEmpty ? -1 : 1000)
            let now = weft_monotonic_ns()
            if polled[0].revents != 0 {
                weft_event_clear(event)
                let list = work.withLock { list in
                    defer { list = [] }
                    return list
                }
                for body in list { body() }
            }
            if polled[own...].contains(where: { $0.revents != 0 }) { onWatched() }
            for p in polled[2..<own] {
                guard let c = connections[p.fd] else { continue }
                if p.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0, p.revents & Int16(POLLIN) == 0 { c.hangUp() }
                if p.revents & Int16(POLLOUT) != 0 { c.flush(now: now) }
                if p.revents & Int16(POLLIN) != 0 { serve(c, now: now) }
                c.stream?.drain(to: c, now: now)
                if c.pendingBytes > 0, now &- c.lastProgress > Self.stallLimit { c.hangUp() }
                if c.isFinished { drop(c) }
            }
            if polled[1].revents != 0 { accept(now: now) }
        }
        for c in connections.values { drop(c) }
    }

    private func accept(now: UInt64) {
        while connections.count <= Self.connectionLimit {
            let client = Glibc.accept(listener, nil, nil)
            if client < 0 { return }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            _ = fcntl(client, F_SETFL, O_NONBLOCK)
            let c = ControlConnection(descriptor: client, now: now)
            connections[client] = c
            if connections.count > Self.connectionLimit {
                c.send(ControlLine.failure(nil, ControlError(.busy, "\(Self.connectionLimit) clients are connected already")), now: now)
                drop(c)
            }
        }
    }

    private func drop(_ c: ControlConnection) {
        c.stream?.end()
        c.stream = nil
        connections[c.descriptor] = nil
        Glibc.close(c.descriptor)
    }

    private func serve(_ c: ControlConnection, now: UInt64) {
        let lines: [Data]
        do throws(ControlError) {
            lines = try c.readLines(limit: Self.lineLimit)
        } catch {
            c.send(ControlLine.failure(nil, error), now: now)
            c.end()
            return
        }
        for line in lines {
            if c.isBroken || c.isEnding { return }
            var id: RequestID?
            do throws(ControlError) {
                let call = try ControlCall(line: line, connection: c)
                id = call.id
                let result = try handler(call)
                c.send(ControlLine.result(id, result), now: now)
            } catch {
                c.send(ControlLine.failure(id, error), now: now)
            }
            c.stream?.begin()
        }
    }
}

/// A Unix socket's address.
public enum SocketAddress {
    public static func with<R>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(ControlSocketPath.limit)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
