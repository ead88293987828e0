import Glibc
import Testing

@testable import Ports

@Suite struct CaptureWriterTests {
    static func write(_ records: [OwnedRecord], to writer: CaptureWriter) throws {
        for record in records {
            try record.bytes.withUnsafeBytes { try writer.write(time: record.time, bytes: $0, originalLength: record.originalLength) }
        }
    }

    @Test func `Writes the exact bytes of a microsecond file`() throws {
        let file = TemporaryFile([9, 9, 9])
        let writer = try CaptureWriter(file.path, precision: .microseconds)
        try Self.write([OwnedRecord(time: 5_000_007_999, bytes: [1, 2, 3], originalLength: 64)], to: writer)
        try writer.close()
        #expect(
            file.bytes == [
                0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
                5, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 64, 0, 0, 0, 1, 2, 3,
            ])
    }

    @Test(arguments: [CapturePrecision.microseconds, .nanoseconds])
    func `What was written is read again`(precision: CapturePrecision) throws {
        let file = TemporaryFile()
        let step: UInt64 = precision == .nanoseconds ? 1 : 1000
        // More than one buffer, with the largest record and cut ones among them.
        let records = (0..<3000).map { number in
            OwnedRecord(
                time: UInt64(1_700_000_000_999_000_000) / step * step + UInt64(number) * step * 777,
                bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number == 1500 ? 262_144 : 14 + number % 1500),
                originalLength: number % 7 == 0 ? 300_000 : nil)
        }
        let writer = try CaptureWriter(file.path, precision: precision)
        try Self.write(records, to: writer)
        #expect(writer.recordCount == 3000)
        try writer.close()
        try writer.close()
        let (read, errors) = readAll(file.path)
        #expect(errors == [])
        #expect(read == records)
        #expect(try CaptureReader(file.path).precision == precision)
    }

    @Test func `A file without packets is a capture`() throws {
        let file = TemporaryFile()
        try CaptureWriter(file.path, precision: .nanoseconds).close()
        #expect(file.bytes.count == 24)
        #expect(readAll(file.path).errors == [])
    }

    @Test func `A writer that is let go flushes`() throws {
        let file = TemporaryFile()
        do {
            let writer = try CaptureWriter(file.path, precision: .nanoseconds)
            try Self.write([OwnedRecord(time: 1, bytes: [1])], to: writer)
        }
        #expect(readAll(file.path).records == [OwnedRecord(time: 1, bytes: [1])])
    }

    @Test func `A full disk is reported with the file, and again at every later call`() throws {
        let writer = try CaptureWriter("/dev/full", precision: .microseconds)
        let full = CaptureError.system(file: "/dev/full", operation: "write", code: ENOSPC)
        try Self.write([OwnedRecord(time: 1, bytes: [1])], to: writer)
        #expect(throws: full) { try writer.flush() }
        #expect(throws: full) { try Self.write([OwnedRecord(time: 1, bytes: [1])], to: writer) }
        #expect(throws: full) { try writer.close() }
        #expect(full.description == "/dev/full: write: No space left on device")
    }

    @Test func `Impossible places are refused with their reason`() {
        #expect(throws: CaptureError.missing(file: "/tmp/weft-no-such-folder/x")) {
            try CaptureWriter("/tmp/weft-no-such-folder/x", precision: .microseconds)
        }
        #expect(throws: CaptureError.directory(file: "/tmp")) { try CaptureWriter("/tmp", precision: .microseconds) }
    }

    @Test func `A file being read is not overwritten, under any of its names`() throws {
        let file = TemporaryFile(CaptureBytes.pcap([RawRecord()]))
        let other = TemporaryFile()
        unlink(other.path)
        #expect(symlink(file.path, other.path) == 0)
        let reader = try CaptureReader(file.path)
        for name in [file.path, other.path] {
            #expect(throws: CaptureError.outputIsInput(file: name)) {
                try CaptureWriter(name, precision: .microseconds, inputs: [reader])
            }
        }
        #expect(readAll(file.path).records.count == 1)
    }

    @Test func `A record larger than the maximum is refused`() throws {
        let file = TemporaryFile()
        let writer = try CaptureWriter(file.path, precision: .microseconds)
        #expect(throws: CaptureError.recordTooLong(file: file.path, record: 1, size: 262_145)) {
            try Self.write([OwnedRecord(time: 0, bytes: [UInt8](repeating: 0, count: 262_145))], to: writer)
        }
    }
}
