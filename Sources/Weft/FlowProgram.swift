import ArgumentParser
import Datapath
import Flow
import Foundation

/// The flow, group and meter files of a command, read and checked, with the places that later errors name.
struct FlowProgram {
    private var files: [(name: String, parsed: FlowText.Parsed)] = []

    /// Reads the files; their errors and warnings go to standard error, and errors end the command with exit code 1.
    init(flows: String, groups: String? = nil, meters: String? = nil) throws {
        if let meters { try read(meters) { FlowText.parseMeters(bytes: $0) } }
        if let groups { try read(groups) { FlowText.parseGroups(bytes: $0) } }
        try read(flows) { FlowText.parse(bytes: $0) }
    }

    private mutating func read(_ file: String, _ parse: ([UInt8]) -> FlowText.Parsed) throws {
        let loaded = try FlowFile.Loaded(reading: file, parse: parse)
        loaded.printDiagnostics(to: FileHandle.standardError)
        if !loaded.parsed.isValid { throw ExitCode(1) }
        files.append((file, loaded.parsed))
    }

    /// Makes the changes of all files in their order and publishes them as one.
    func apply(to tables: FlowTables, now: UInt64) throws {
        for file in files {
            for (i, modification) in file.parsed.modifications.enumerated() {
                do throws(FlowTableError) {
                    try tables.apply(modification, now: now)
                } catch {
                    throw CommandError("\(file.name):\(i < file.parsed.lines.count ? "\(file.parsed.lines[i]): " : " ")\(error)")
                }
            }
        }
        tables.publish()
    }
}

/// Bytes of a file that is named on the command line.
enum InputFile {
    /// Reads a whole file, or standard input for `-`.
    static func read(_ file: String) throws -> [UInt8] {
        if file == "-" { return Array(FileHandle.standardInput.readDataToEndOfFile()) }
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(file) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(file) }
        if status.st_mode & S_IFMT == S_IFDIR { throw CommandError("\(file) cannot be read: it is a directory") }
        var bytes: [UInt8] = []
        // One byte more than the file has, so that its end is met at once.
        var capacity = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) + 1 : 1 << 16
        while true {
            let start = bytes.count
            bytes.reserveCapacity(start + capacity)
            var result = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                result = Foundation.read(descriptor, buffer.baseAddress!, capacity)
                count = max(0, result)
            }
            if result < 0 {
                if errno == EINTR { continue }
                throw failure(file)
            }
            if result == 0 { return bytes }
            if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
            capacity = 1 << 16
        }
    }

    private static func failure(_ file: String) -> CommandError { CommandError("\(file) cannot be read: \(String(cString: strerror(errno)))") }
}
