import Ports
import Wire

/// Where a controller is, or where controllers are listened for, as `ovs-vsctl set-controller` writes it.
public enum OpenFlowTarget: Hashable, Sendable, CustomStringConvertible {
    /// `tcp:HOST[:PORT]`, `ssl:HOST[:PORT]`: connects.
    case connect(host: String, port: Int, isSecure: Bool)
    /// `unix:PATH`: connects.
    case connectUnix(String)
    /// `ptcp:[PORT][:ADDRESS]`, `pssl:[PORT][:ADDRESS]`: listens; on the loopback address unless one is given.
    case listen(address: String, port: Int, isSecure: Bool)
    /// `punix:PATH`: listens.
    case listenUnix(String)
    /// `psnoop:PATH`: listens for those who want to see what is said with controllers to which the switch connects (`ovs-ofctl snoop unix:PATH`).
    case listenSnoop(String)

    /// The port that IANA gave OpenFlow.
    public static let standardPort = 6653

    /// Nil for what is no target.
    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let kind = text[..<colon]
        let rest = String(text[text.index(after: colon)...])
        switch kind {
        case "tcp", "ssl":
            guard let (host, port) = Self.hostAndPort(rest), !host.isEmpty else { return nil }
            self = .connect(host: host, port: port, isSecure: kind == "ssl")
        case "ptcp", "pssl":
            let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let port = parts[0].isEmpty ? Self.standardPort : Int(parts[0]), (0...65535).contains(port) else { return nil }
            var address = parts.count > 1 ? parts[1] : "127.0.0.1"
            if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
            self = .listen(address: address, port: port, isSecure: kind == "pssl")
        case "unix" where !rest.isEmpty: self = .connectUnix(rest)
        case "punix" where !rest.isEmpty: self = .listenUnix(rest)
        case "psnoop" where !rest.isEmpty: self = .listenSnoop(rest)
        default: return nil
        }
    }

    private static func hostAndPort(_ text: String) -> (String, Int)? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            if rest.isEmpty { return (host, standardPort) }
            guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (1...65535).contains(port) else { return nil }
            return (host, port)
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 1 { return (text, standardPort) }
        guard parts.count == 2, let port = Int(parts[1]), (1...65535).contains(port) else { return nil }
        return (String(parts[0]), port)
    }

    /// Who is at the other end of its connections.
    public var peer: OpenFlowSession.Peer {
        switch self {
        case .connect, .connectUnix: .controller
        case .listen, .listenUnix: .service
        case .listenSnoop: .snooper
        }
    }

    /// Whether the switch looks for the controller, rather than waits for it.
    public var isActive: Bool {
        switch self {
        case .connect, .connectUnix: true
        case .listen, .listenUnix, .listenSnoop: false
        }
    }

    public var isSecure: Bool {
        switch self {
        case .connect(_, _, let s), .listen(_, _, let s): s
        default: false
        }
    }

    public var description: String {
        switch self {
        case .connect(let host, let port, let s): "\(s ? "ssl" : "tcp"):\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .connectUnix(let path): "unix:\(path)"
        case .listen(let address, let port, let s): "\(s ? "pssl" : "ptcp"):\(port):\(address.contains(":") ? "[\(address)]" : address)"
        case .listenUnix(let path): "punix:\(path)"
        case .listenSnoop(let path): "psnoop:\(path)"
        }
    }
}
