import Foundation

/// A file that a command writes, or standard output for `-`. What the system says about a failure reaches the user.
final class OutputFile {
    private let name: String
    private let descriptor: Int32
    private var pending: [UInt8] = []

    /// - Parameter inputs: files in use; writing onto one of them is refused before anything is lost.
    init(_ file: String, inputs: [String] = []) throws {
        name = file == "-" ? "standard output" : file
        if file == "-" {
            descriptor = STDOUT_FILENO
            return
        }
        // Not truncated when opened: the file may turn out to be an input.
        descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw CommandError("\(file) cannot be written: \(String(cString: strerror(errno)))") }
        var own = stat()
        fstat(descriptor, &own)
        guard own.st_mode & S_IFMT == S_IFREG else { return }
        for input in inputs {
            var other = stat()
            if stat(input, &other) == 0, other.st_dev == own.st_dev, other.st_ino == own.st_ino {
                close(descriptor)
                throw CommandError("\(file) is read as an input and cannot be written at the same time")
            }
        }
        ftruncate(descriptor, 0)
    }

    deinit { if descriptor != STDOUT_FILENO { close(descriptor) } }

    func write(_ text: some Sequence<UInt8>) throws {
        pending.append(contentsOf: text)
        if pending.count > 1 << 16 { try flush() }
    }

    func flush() throws {
        var done = 0
        try pending.withUnsafeBytes { bytes in
            while done < bytes.count {
                let n = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                if n < 0 {
                    if errno == EINTR { continue }
                    throw CommandError("\(name) cannot be written: \(String(cString: strerror(errno)))")
                }
                done += n
            }
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// Writes lines to standard output. A reader that has gone away ends the program by SIGPIPE, as it ends any filter.
    static func print(_ text: String) throws {
        let out = try OutputFile("-")
        try out.write((text + "\n").utf8)
        try out.flush()
    }
}
