import Glibc

/// Tells the service manager how the daemon is doing: one datagram to `NOTIFY_SOCKET` (sd_notify(3)); nothing when there is no such variable.
public enum ServiceNotification {
    /// Bytes of `sun_path` without its end.
    private static let pathLimit = 107

    public static func send(_ state: String) {
        guard let value = getenv("NOTIFY_SOCKET") else { return }
        var path = Array(String(cString: value).utf8)
        guard path.count > 1, path.count <= pathLimit else { return }
        // '@' stands for the abstract namespace.
        if path[0] == 0x40 { path[0] = 0 }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { to in
                state.withCString { sendto(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL), to, length) }
            }
        }
    }
}
