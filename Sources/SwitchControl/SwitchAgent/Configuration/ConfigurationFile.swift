import Glibc

/// Reads the files of a configuration, with the system's own words when that fails.
enum ConfigurationFile {
    struct Failure: Error { var reason: String }

    /// Larger files are refused: a flow table of a million entries has about 100 MB.
    static let limit = 1 << 30

    static func read(_ path: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let n = Glibc.read(descriptor, &chunk, chunk.count)
            if n < 0 {
                if errno == EINTR { continue }
                throw Failure(reason: String(cString: strerror(errno)))
            }
            if n == 0 { return bytes }
            bytes += chunk[0..<n]
            if bytes.count > limit { throw Failure(reason: "more than \(limit) bytes") }
        }
    }
}
