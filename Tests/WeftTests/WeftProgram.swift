import Foundation
import Testing

/// The program that was built beside the tests, run as a user runs it.
enum WeftProgram {
    struct Outcome {
        var code: Int32
        var output: [UInt8]
        var errors: String
        var text: String { String(decoding: output, as: UTF8.self) }

        /// The output as a JSON object.
        func object() throws -> [String: Any] { try #require(JSONSerialization.jsonObject(with: Data(output)) as? [String: Any]) }
    }

    /// Where a program is, nil when it is not installed.
    static func find(_ tool: String) -> String? {
        ["/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"].map { $0 + tool }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs another program to its end.
    static func runTool(_ tool: String, _ arguments: [String], in folder: TemporaryFolder) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: find(tool) ?? tool)
        process.arguments = arguments
        process.standardOutput = FileHandle(forWritingAtPath: folder.file("tool.stdout", []))
        process.standardError = FileHandle(forWritingAtPath: folder.file("tool.stderr", []))
        try process.run()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationStatus, output: folder.bytes("tool.stdout"), errors: String(decoding: folder.bytes("tool.stderr"), as: UTF8.self)
        )
    }

    static var path: String {
        // The test bundle is a program of its own in the folder of products.
        let bundle = try! FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return (bundle as NSString).deletingLastPathComponent + "/weft"
    }

    /// Runs `weft` to its end. Standard output and standard error go to files, so that no pipe fills up.
    static func run(_ arguments: [String], input: [UInt8] = [], in folder: TemporaryFolder, output: String? = nil) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let files = (folder.file("stdin", input), output ?? folder.file("stdout", []), folder.file("stderr", []))
        process.standardInput = FileHandle(forReadingAtPath: files.0)
        process.standardOutput = FileHandle(forWritingAtPath: files.1)
        process.standardError = FileHandle(forWritingAtPath: files.2)
        try process.run()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            output: output == nil ? folder.bytes("stdout") : [], errors: String(decoding: folder.bytes("stderr"), as: UTF8.self))
    }
}

/// A folder that disappears with this object.
final class TemporaryFolder {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "weft-tests-\(UUID().uuidString)"
        try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and returns its path.
    @discardableResult func file(_ name: String, _ bytes: [UInt8]) -> String {
        let file = path + "/" + name
        try! Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult func file(_ name: String, _ text: String) -> String { file(name, Array(text.utf8)) }
    func name(_ name: String) -> String { path + "/" + name }
    func bytes(_ name: String) -> [UInt8] { (try? Array(Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))) ?? [] }
}

/// Captures written and read by hand: little-endian pcap with microseconds or nanoseconds.
enum PcapBytes {
    /// - Parameter cut: bytes kept of each packet.
    static func encode(_ packets: [[UInt8]], linkType: UInt32 = 1, cut: Int = .max) -> [UInt8] {
        var out: [UInt8] = []
        func put(_ v: UInt32) { withUnsafeBytes(of: v.littleEndian) { out += $0 } }
        put(0xa1b2_c3d4)
        put(4 << 16 | 2)
        put(0)
        put(0)
        put(65535)
        put(linkType)
        for (i, packet) in packets.enumerated() {
            let kept = packet.prefix(cut)
            put(1_700_000_000 + UInt32(i))
            put(5)
            put(UInt32(kept.count))
            put(UInt32(packet.count))
            out += kept
        }
        return out
    }

    /// The packets of a pcap file with their times.
    static func decode(_ bytes: [UInt8]) -> [(seconds: UInt32, fraction: UInt32, packet: [UInt8])] {
        func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) } }
        var out: [(UInt32, UInt32, [UInt8])] = []
        var at = 24
        while at + 16 <= bytes.count {
            let n = Int(word(at + 8))
            out.append((word(at), word(at + 4), Array(bytes[(at + 16)..<(at + 16 + n)])))
            at += 16 + n
        }
        return out
    }

    /// A 60-byte frame: UDP from 10.0.0.1:1000 to 10.0.0.`host`:`port`, checksum zero, which means none.
    static func udp(host: UInt8 = 2, port: UInt16 = 80) -> [UInt8] {
        var ip: [UInt8] = [0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, host]
        var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) { $0 + UInt32(ip[$1]) << 8 + UInt32(ip[$1 + 1]) }
        sum = (sum & 0xffff) + sum >> 16
        ip[10] = UInt8(~sum >> 8 & 0xff)
        ip[11] = UInt8(~sum & 0xff)
        let header: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]
        return header + ip + [3, 232, UInt8(port >> 8), UInt8(port & 0xff), 0, 26, 0, 0] + [UInt8](repeating: 7, count: 18)
    }
}

/// The recorded traffic and its flow tables.
enum Quickstart {
    static let folder = (#filePath as NSString).deletingLastPathComponent + "/../Captures/Quickstart"
    static let flows = folder + "/quickstart.flows"
    static let inputs = ["--in", "1=\(folder)/port-1.pcap", "--in", "2=\(folder)/port-2.pcap", "--in", "3=\(folder)/port-3.pcapng"]
}
