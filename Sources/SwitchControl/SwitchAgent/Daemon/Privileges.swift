import CLinux
import Glibc
import Ports

/// What a switch may do to the system: it gives up everything else before it reads a packet.
public enum Privileges {
    /// capabilities(7).
    enum Capability: UInt64, CaseIterable {
        case netAdmin = 12
        case netRaw = 13
        case ipcLock = 14
        case sysAdmin = 21
        case bpf = 39
    }

    /// The capabilities that a configuration takes: CAP_NET_ADMIN and CAP_NET_RAW, for devices in other namespaces CAP_SYS_ADMIN (setns(2)), and for AF_XDP
    /// CAP_BPF (to load its program) and CAP_IPC_LOCK (for its buffers).
    static func needed(by configuration: SwitchConfiguration) -> UInt64 {
        var set: [Capability] = [.netAdmin, .netRaw]
        if configuration.usesNamespaces { set.append(.sysAdmin) }
        if configuration.ports.contains(where: { $0.kind == .xdp }) { set += [.bpf, .ipcLock] }
        return set.reduce(0) { $0 | 1 << $1.rawValue }
    }

    /// Drops all others, in this thread and those made by it later: call before there are threads.
    public static func drop(for configuration: SwitchConfiguration) throws(ControlError) {
        let code = weft_keep_capabilities(needed(by: configuration))
        if code != 0 { throw ControlError(.failed, "cannot give up capabilities: \(String(cString: strerror(code)))") }
    }

    /// Whether the process may enter other namespaces.
    static var mayEnterNamespaces: Bool { weft_effective_capabilities() >> Capability.sysAdmin.rawValue & 1 != 0 }
}
