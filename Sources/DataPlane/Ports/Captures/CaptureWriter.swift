import Glibc

/// Writes packets into a pcap file, with timestamps given by the caller.
///
/// The bytes are laid out here and not by libpcap, whose writing functions report neither a full disk nor which file it was. Records
/// collect in a buffer of `bufferBytes`; what was not flushed is lost only when the process dies. After a failed write, every later
/// call throws that first error again, so a caller may check as seldom as it likes. Not for concurrent use.
///
/// Limits: the format keeps seconds in 32 bits, so times from 2106 on wrap.
public final class CaptureWriter {
    /// Size of the write buffer; a record larger than the room left flushes first.
    static let bufferBytes = 1 << 19
    private static let fileHeaderSize = 24
    private static let recordHeaderSize = 16

    /// The file as the user named it; `-` is standard output.
    public let file: String
    public let precision: CapturePrecision
    /// Records written so far, whether or not they have reached the file.
    public private(set) var recordCount = 0

    private let descriptor: Int32
    private let buffer: UnsafeMutableRawPointer
    private var used = 0
    private var failure: CaptureError?
    private var closed = false

    /// Creates or empties `file` (`-`: standard output) and begins it with a file header.
    ///
    /// - Parameter inputs: readers in use; writing onto one's file is refused before anything is lost.
    /// - Throws: `.permission`, `.missing` (a folder of the path), `.directory`, `.outputIsInput`, `.system`.
    public init(_ file: String, precision: CapturePrecision, inputs: [CaptureReader] = []) throws(CaptureError) {
        let descriptor = file == "-" ? dup(STDOUT_FILENO) : open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .opening(file, code: errno) }
        var status = stat()
        if file != "-", fstat(descriptor, &status) == 0, let identity = FileIdentity(status) {
            if inputs.contains(where: { $0.reads(identity) }) {
                Glibc.close(descriptor)
                throw .outputIsInput(file: file)
            }
            if ftruncate(descriptor, 0) != 0 {
                let code = errno
                Glibc.close(descriptor)
                throw .system(file: file, operation: "truncate", code: code)
            }
        }
        self.file = file
        self.precision = precision
        self.descriptor = descriptor
        buffer = .allocate(byteCount: Self.bufferBytes, alignment: 16)
        putFileHeader()
    }

    deinit {
        // A caller that wants to know of errors has called `close`.
        if !closed {
            try? flush()
            Glibc.close(descriptor)
        }
        buffer.deallocate()
    }

    /// Appends one packet.
    ///
    /// - Parameters:
    ///   - time: nanoseconds since 1970; the part below the precision is cut off.
    ///   - bytes: the captured bytes, at most `CaptureReader.maximumRecordSize`.
    ///   - originalLength: the packet's length on the wire when `bytes` is only its beginning; never below `bytes.count`.
    /// - Throws: `.recordTooLong`, or `.system` when the file could not be written.
    public func write(time: UInt64, bytes: UnsafeRawBufferPointer, originalLength: Int) throws(CaptureError) {
        if let failure { throw failure }
        precondition(!closed, "a record for a capture file already closed")
        guard bytes.count <= CaptureReader.maximumRecordSize else {
            throw .recordTooLong(file: file, record: recordCount + 1, size: bytes.count)
        }
        if used + Self.recordHeaderSize + bytes.count > Self.bufferBytes { try flush() }
        let nanoseconds = time % 1_000_000_000
        put(UInt32(truncatingIfNeeded: time / 1_000_000_000))
        put(UInt32(truncatingIfNeeded: precision == .nanoseconds ? nanoseconds : nanoseconds / 1000))
        put(UInt32(truncatingIfNeeded: bytes.count))
        put(UInt32(clamping: max(originalLength, bytes.count)))
        if let start = bytes.baseAddress {
            // Safe: a whole record fits into an empty buffer, and a fuller one was flushed above.
            (buffer + used).copyMemory(from: start, byteCount: bytes.count)
            used += bytes.count
        }
        recordCount += 1
    }

    /// Hands everything buffered to the operating system.
    ///
    /// - Throws: `.system` with the system's reason, for example a full disk.
    public func flush() throws(CaptureError) {
        if let failure { throw failure }
        var done = 0
        while done < used {
            let count = Glibc.write(descriptor, buffer + done, used - done)
            if count < 0 {
                if errno == EINTR { continue }
                let error = CaptureError.system(file: file, operation: "write", code: errno)
                failure = error
                throw error
            }
            done += count
        }
        used = 0
    }

    /// Flushes and closes the file. Calling it again does nothing.
    ///
    /// - Throws: `.system` when the last bytes could not be written; the file is closed nevertheless.
    public func close() throws(CaptureError) {
        if closed { return }
        closed = true
        var error: CaptureError?
        do throws(CaptureError) { try flush() } catch let caught { error = caught }
        if Glibc.close(descriptor) != 0, error == nil { error = .system(file: file, operation: "close", code: errno) }
        if let error {
            failure = error
            throw error
        }
    }

    private func putFileHeader() {
        put(precision == .nanoseconds ? 0xa1b2_3c4d as UInt32 : 0xa1b2_c3d4)
        put(2 as UInt16)
        put(4 as UInt16)
        put(0 as UInt32)
        put(0 as UInt32)
        put(UInt32(CaptureReader.maximumRecordSize))
        put(1 as UInt32)  // LINKTYPE_ETHERNET
        assert(used == Self.fileHeaderSize)
    }

    /// Little endian on every machine: equal packets give equal files.
    private func put<Value: FixedWidthInteger>(_ value: Value) {
        // Safe: headers are written only after their room was made sure of.
        (buffer + used).storeBytes(of: value.littleEndian, as: Value.self)
        used += MemoryLayout<Value>.size
    }
}
