import Foundation
import Testing

/// What is written to stays what it is: a FIFO, a link, a file with its own permissions. Only the contents are new.
@Suite struct OutputFileTests {
    let folder = TemporaryFolder()
    static let outputs = [["--fates"], ["--out", "2="]]

    private func replay(to target: String, _ output: [String]) throws -> WeftProgram.Outcome {
        let capture = folder.file("c.pcap", PcapBytes.encode([PcapBytes.udp()]))
        let flows = folder.file("f", "actions=output:2\n")
        let option = output.count == 1 ? [output[0], target] : [output[0], output[1] + target]
        return try WeftProgram.run(["replay", "--flows", flows, "--in", "1=\(capture)"] + option, in: folder)
    }

    private func status(_ path: String) throws -> stat {
        var s = stat()
        try #require(lstat(path, &s) == 0)
        return s
    }

    @Test(arguments: outputs) func aFIFOStaysOneAndCarriesTheOutput(_ output: [String]) throws {
        let fifo = folder.name("fifo")
        try #require(mkfifo(fifo, 0o600) == 0)
        let before = try status(fifo)
        // Open for both, so that neither side waits for the other; the output fits the pipe.
        let reader = open(fifo, O_RDWR | O_CLOEXEC | O_NONBLOCK)
        defer { close(reader) }
        let run = try replay(to: fifo, output)
        #expect(run.code == 0, "\(run.errors)")
        let after = try status(fifo)
        #expect(after.st_mode & S_IFMT == S_IFIFO)
        #expect(after.st_ino == before.st_ino)
        var bytes = [UInt8](repeating: 0, count: 4096)
        #expect(read(reader, &bytes, bytes.count) > 60)
    }

    @Test(arguments: outputs) func aLinkStaysOneAndItsTargetIsEmptiedAndWritten(_ output: [String]) throws {
        let target = folder.file("target", [UInt8](repeating: 0x55, count: 100_000))
        let link = folder.name("link")
        try #require(symlink(target, link) == 0)
        try #require(chmod(target, 0o640) == 0)
        let before = try status(target)
        let run = try replay(to: link, output)
        #expect(run.code == 0, "\(run.errors)")
        #expect(try status(link).st_mode & S_IFMT == S_IFLNK)
        let after = try status(target)
        #expect(after.st_ino == before.st_ino)
        #expect(after.st_mode == before.st_mode)
        #expect(after.st_size > 60 && after.st_size < 1000)
    }

    /// A full disk, by a limit on the size of files.
    @Test(arguments: outputs) func aFailedWriteIsAnErrorThatNamesTheFile(_ output: [String]) throws {
        let capture = folder.file("c.pcap", PcapBytes.encode([PcapBytes.udp()]))
        let flows = folder.file("f", "actions=output:2\n")
        let target = folder.name("written")
        let option = output.count == 1 ? "\(output[0]) \(target)" : "\(output[0]) \(output[1])\(target)"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "trap '' XFSZ; ulimit -f 0; exec '\(WeftProgram.path)' replay --flows \(flows) --in 1=\(capture) \(option)",
        ]
        let errors = Pipe()
        process.standardOutput = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(text.hasPrefix("Error: \(target)") && text.contains("File too large"), "\(text)")
    }
}
