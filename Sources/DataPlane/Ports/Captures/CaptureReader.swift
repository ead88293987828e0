import CPcap
import Glibc

/// Reads the records of one pcap or pcapng file through libpcap, in file order.
///
/// libpcap knows the formats, both byte orders and every time resolution; this type adds the judgement it leaves to its callers: what
/// kind of file was given at all, whether a record is plausible, and which of libpcap's errors only means that the file was cut.
/// A capture's bytes come from outside. Whatever they are, the outcome is records or a `CaptureError`, and memory stays bounded: one
/// record buffer of libpcap's (at most 16 MiB, its largest pcapng block) and one stream buffer.
///
/// Not for concurrent use: one reader, one thread at a time.
public final class CaptureReader {
    /// The largest record accepted, in bytes. libpcap has the same maximum for Ethernet.
    public static let maximumRecordSize = 262_144
    /// Size of the stream's read buffer.
    static let streamBufferBytes = 262_144

    /// The file as the user named it; `-` is standard input.
    public let file: String
    /// The precision an output needs to lose nothing. A pcapng file counts as nanoseconds: each of its interfaces has its own resolution.
    public let precision: CapturePrecision
    /// Records delivered so far.
    public private(set) var deliveredCount = 0

    private let capture: OpaquePointer
    private let stream: UnsafeMutablePointer<FILE>
    private let fileIdentity: FileIdentity?
    private let hasPosition: Bool
    private var recordNumber = 0
    private var ended = false

    /// Opens `file`, or standard input when it is `-`, and reads the file header.
    ///
    /// - Throws: `.missing`, `.permission`, `.directory`, `.empty`, `.notACapture`, `.linkType` or `.system`.
    public init(_ file: String) throws(CaptureError) {
        let descriptor = file == "-" ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .opening(file, code: errno) }
        var status = stat()
        if fstat(descriptor, &status) != 0 {
            let code = errno
            close(descriptor)
            throw .system(file: file, operation: "fstat", code: code)
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            close(descriptor)
            throw .directory(file: file)
        }
        guard let stream = fdopen(descriptor, "rb") else {
            let code = errno
            close(descriptor)
            throw .system(file: file, operation: "fdopen", code: code)
        }
        setvbuf(stream, nil, _IOFBF, Self.streamBufferBytes)
        let kind: FileKind
        do throws(CaptureError) {
            kind = try FileKind(peekingAt: stream, file: file)
        } catch {
            fclose(stream)
            throw error
        }

        var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        guard let capture = pcap_fopen_offline_with_tstamp_precision(stream, UInt32(PCAP_TSTAMP_PRECISION_NANO), &message) else {
            fclose(stream)
            throw .notACapture(file: file, detail: kind.explanation ?? Self.string(message))
        }
        // From here libpcap owns the stream and closes it.
        let linkType = pcap_datalink(capture)
        guard linkType == DLT_EN10MB else {
            let name = pcap_datalink_val_to_name(linkType).map { String(cString: $0) } ?? "without a name"
            pcap_close(capture)
            throw .linkType(file: file, name: name, number: linkType)
        }
        self.file = file
        self.precision = kind == .pcapMicroseconds ? .microseconds : .nanoseconds
        self.capture = capture
        self.stream = stream
        self.fileIdentity = FileIdentity(status)
        self.hasPosition = ftello(stream) >= 0
    }

    deinit { pcap_close(capture) }

    /// The next record, or nil at the end of the file.
    ///
    /// - Throws: `.cut` or `.malformed`, after which every call returns nil; `.emptyRecord`, `.originalShorter` or `.recordTooLong` for one
    ///   record, after which the next call goes on behind it.
    public func next() throws(CaptureError) -> CaptureRecord? {
        if ended { return nil }
        let offset: Int64? = hasPosition ? Int64(ftello(stream)) : nil
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var data: UnsafePointer<UInt8>?
        let outcome = pcap_next_ex(capture, &header, &data)
        guard outcome == 1, let header, let data else {
            ended = true
            if outcome == PCAP_ERROR_BREAK { return nil }
            throw failure(offset: offset)
        }
        recordNumber += 1
        let captured = header.pointee.caplen
        let original = header.pointee.len
        if captured == 0 { throw .emptyRecord(file: file, record: recordNumber, offset: offset) }
        if Int(captured) > Self.maximumRecordSize { throw .recordTooLong(file: file, record: recordNumber, size: Int(captured)) }
        if original < captured {
            throw .originalShorter(file: file, record: recordNumber, offset: offset, captured: captured, original: original)
        }
        deliveredCount += 1
        return CaptureRecord(
            time: Self.nanoseconds(header.pointee.ts),
            // Safe: libpcap's buffer holds `caplen` bytes until the next read.
            bytes: UnsafeRawBufferPointer(start: data, count: Int(captured)),
            originalLength: Int(original),
            number: recordNumber)
    }

    /// Whether `other` is the regular file that this reader reads.
    func reads(_ other: FileIdentity) -> Bool { fileIdentity == other }

    /// What libpcap's last error means. Only its text tells a cut file from a malformed one.
    private func failure(offset: Int64?) -> CaptureError {
        if ferror(stream) != 0 { return .system(file: file, operation: "read", code: errno) }
        let message = pcap_geterr(capture).map { String(cString: $0) } ?? "unknown error"
        if message.hasPrefix("truncated") {
            return .cut(file: file, records: recordNumber, offset: offset)
        }
        return .malformed(file: file, record: recordNumber + 1, offset: offset, detail: message)
    }

    /// The time in nanoseconds. libpcap was asked for nanoseconds, so `tv_usec` holds them.
    ///
    /// Seconds of a pcap file are 32 bits without a sign, but libpcap hands them on as signed ones; a negative value is undone here, so times up
    /// to 2106 are right. A nonsensical time (pcapng has 64 bits and arbitrary units) ends at 0 or at the largest value.
    private static func nanoseconds(_ time: timeval) -> UInt64 {
        let seconds = time.tv_sec < 0 ? Int(UInt32(truncatingIfNeeded: time.tv_sec)) : time.tv_sec
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return UInt64.max }
        let (sum, overflow2) = whole.addingReportingOverflow(Int(time.tv_usec))
        return overflow2 ? UInt64.max : UInt64(max(0, sum))
    }

    private static func string(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A regular file's identity, whatever its name.
struct FileIdentity: Equatable {
    private var device: UInt
    private var inode: UInt

    /// Nil when `status` is not a regular file's.
    init?(_ status: stat) {
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }
}

/// What the first four bytes of a file say it is; libpcap does not tell which precision it found.
private enum FileKind {
    case pcapMicroseconds
    case pcapNanoseconds
    case pcapng
    case gzip
    case other

    /// Looks at the stream's beginning and puts it back.
    init(peekingAt stream: UnsafeMutablePointer<FILE>, file: String) throws(CaptureError) {
        var bytes: [UInt8] = [0, 0, 0, 0]
        let count = fread(&bytes, 1, 4, stream)
        if count == 0 {
            throw ferror(stream) != 0 ? .system(file: file, operation: "read", code: errno) : .empty(file: file)
        }
        // The bytes just came out of the stream's buffer, which therefore takes them back (glibc moves its read pointer).
        for byte in bytes[..<count].reversed() { ungetc(Int32(byte), stream) }
        clearerr(stream)
        self =
            switch bytes {
            case [0xa1, 0xb2, 0x3c, 0x4d], [0x4d, 0x3c, 0xb2, 0xa1]: .pcapNanoseconds
            case [0xa1, 0xb2, 0xc3, 0xd4], [0xd4, 0xc3, 0xb2, 0xa1]: .pcapMicroseconds
            // Other pcap variants that libpcap knows have microseconds too.
            case [0xa1, 0xb2, 0xcd, 0x34], [0x34, 0xcd, 0xb2, 0xa1]: .pcapMicroseconds
            case [0x0a, 0x0d, 0x0d, 0x0a]: .pcapng
            default: bytes[0] == 0x1f && bytes[1] == 0x8b ? .gzip : .other
            }
    }

    /// A better explanation than libpcap's for a file it refused, if there is one.
    var explanation: String? { self == .gzip ? "compressed with gzip; decompress it first" : nil }
}
