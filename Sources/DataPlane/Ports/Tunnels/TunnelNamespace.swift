import CLinux
import Glibc

/// The network namespace that a tunnel's sockets live in: a file such as `/run/netns/blue`, or the process's own.
struct TunnelNamespace: Sendable {
    let path: String?

    /// Calls `body` inside the namespace, on the calling thread, which is back in its own afterwards.
    func enter<T>(_ body: () throws -> T) throws -> T {
        guard let path else { return try body() }
        let own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard own >= 0 else { throw PortError("the thread's own network namespace: \(String(cString: strerror(errno)))") }
        defer { close(own) }
        let other = open(path, O_RDONLY | O_CLOEXEC)
        guard other >= 0 else { throw PortError("network namespace \(path): \(String(cString: strerror(errno)))") }
        defer { close(other) }
        let error = weft_enter_namespace(other)
        guard error == 0 else { throw PortError("network namespace \(path): \(String(cString: strerror(error)))") }
        defer {
            // Without the way back the thread would go on in a foreign network.
            let back = weft_enter_namespace(own)
            precondition(back == 0, "cannot return to the own network namespace")
        }
        return try body()
    }
}
