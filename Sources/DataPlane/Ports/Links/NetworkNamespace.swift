import CLinux
import Glibc
import Synchronization

/// A network namespace that devices live in: the process's own, or one with a file.
///
/// Sockets stay in the namespace they were opened in, and a thread is in one namespace at a time. So `run` opens things on a thread of its own that
/// enters the namespace and ends there; the caller's thread never moves. Entering needs CAP_SYS_ADMIN, which a switch that dropped it no longer has.
///
/// A namespace whose file is gone or is another's counts as removed. Whoever holds sockets in it has to close them, as they keep it and its devices alive.
public final class NetworkNamespace: Sendable {
    private struct Identity: Equatable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
    }

    /// Its file; nil for the process's own.
    public let path: String?
    private let visited = Mutex<Identity?>(nil)

    /// - Parameter name: a name in `/var/run/netns`, or the path of a namespace file such as `/proc/PID/ns/net`; nil for the process's own.
    public init(_ name: String?) {
        guard let name, !name.isEmpty else {
            path = nil
            return
        }
        path = name.hasPrefix("/") ? name : "/var/run/netns/" + name
    }

    /// Its name for people: ` in namespace "blue"`, or nothing.
    var phrase: String { path.map { " in namespace \"\($0.hasPrefix("/var/run/netns/") ? String($0.dropFirst(15)) : $0)\"" } ?? "" }

    /// Whether the file still stands for the namespace that `run` entered last.
    public var isUnchanged: Bool {
        guard let path else { return true }
        var now = Identity()
        guard weft_netns_identity(path, &now.device, &now.inode) == 0 else { return false }
        return visited.withLock { $0 == nil || $0 == now }
    }

    /// Runs `body` in the namespace and returns what it returns.
    /// - Throws: when the namespace does not exist or may not be entered.
    public func run<R>(_ body: () -> R) throws(PortError) -> R {
        guard let path else { return body() }
        var identity = Identity()
        guard weft_netns_identity(path, &identity.device, &identity.inode) == 0 else { throw PortError("no network namespace \"\(path)\"") }
        let descriptor = weft_netns_open(path)
        if descriptor < 0 { throw PortError("cannot open the network namespace \"\(path)\": \(errorText(-descriptor))") }
        defer { Glibc.close(descriptor) }
        var result: R?
        let code = withoutActuallyEscaping(body) { body in
            var visit = { result = body() }
            return withUnsafeMutablePointer(to: &visit) { pointer in
                // Safe: the thread ends before `weft_netns_run` returns.
                weft_netns_run(descriptor, { $0!.assumingMemoryBound(to: (() -> Void).self).pointee() }, pointer)
            }
        }
        guard code == 0, let result else { throw PortError("cannot enter the network namespace \"\(path)\": \(errorText(-code))") }
        visited.withLock { $0 = identity }
        return result
    }
}

/// What an errno value means.
func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
