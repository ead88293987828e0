import Synchronization

/// The namespaces that a switch's devices live in, with one `LinkMonitor` each.
public final class DeviceNamespaces: Sendable {
    private let monitors = Mutex<[String: LinkMonitor]>([:])

    public init() {}

    /// The monitor of a namespace, made at the first call. - Parameter name: as in `NetworkNamespace`; nil for the process's own.
    public func monitor(for name: String?) throws(PortError) -> LinkMonitor {
        let namespace = NetworkNamespace(name)
        let key = namespace.path ?? ""
        if let known = monitors.withLock({ $0[key] }) { return known }
        let made = try LinkMonitor(namespace: namespace)
        return monitors.withLock { monitors in
            if let known = monitors[key] { return known }
            monitors[key] = made
            return made
        }
    }

    /// All monitors so far: their descriptors are to be watched, and the ports refreshed when one is readable and once a second.
    public var all: [LinkMonitor] { monitors.withLock { Array($0.values) } }
}
