import Glibc

/// Where a switch listens for commands when nobody says otherwise.
public enum ControlSocketPath {
    /// Bytes of a path that fit into a socket address, its end included.
    public static let limit = 107

    /// `WEFT_SOCKET` if set; `/run/weft/switch.sock` for root; otherwise `weft/switch.sock` in `XDG_RUNTIME_DIR`, or `/tmp/weft-UID/switch.sock`.
    public static var standard: String {
        if let path = getenv("WEFT_SOCKET").map({ String(cString: $0) }), !path.isEmpty { return path }
        if geteuid() == 0 { return "/run/weft/switch.sock" }
        if let folder = getenv("XDG_RUNTIME_DIR").map({ String(cString: $0) }), !folder.isEmpty { return folder + "/weft/switch.sock" }
        return "/tmp/weft-\(geteuid())/switch.sock"
    }
}
