import Glibc

/// Why a capture file could not be read, written or held.
///
/// Every case names the file as the user gave it (`-` is a standard stream). Record numbers start at 1, as capture tools print
/// them; offsets count bytes from the start of the file and are absent for streams that have no position.
public enum CaptureError: Error, Equatable, Sendable {
    /// No file of that name.
    case missing(file: String)
    /// The file exists but may not be opened.
    case permission(file: String)
    /// The name is a directory's.
    case directory(file: String)
    /// The file, or the standard input, holds no bytes.
    case empty(file: String)
    /// The bytes do not begin like a capture file, or its file header is cut or invalid.
    case notACapture(file: String, detail: String)
    /// The capture's link type is not Ethernet; name and number as libpcap has them.
    case linkType(file: String, name: String, number: Int32)
    /// The file ends in the middle of a record. The `records` before it were whole.
    case cut(file: String, records: Int, offset: Int64?)
    /// A record or block that contradicts the format; nothing after it can be read.
    case malformed(file: String, record: Int, offset: Int64?, detail: String)
    /// A record without a single captured byte; reading may go on.
    case emptyRecord(file: String, record: Int, offset: Int64?)
    /// A record that claims more captured bytes than the packet had; reading may go on.
    case originalShorter(file: String, record: Int, offset: Int64?, captured: UInt32, original: UInt32)
    /// A record larger than `CaptureReader.maximumRecordSize`; reading may go on.
    case recordTooLong(file: String, record: Int, size: Int)
    /// The operating system refused an operation on the file.
    case system(file: String, operation: String, code: Int32)
    /// The file to be written is one of those being read.
    case outputIsInput(file: String)
    /// The records do not fit into the memory allowed for them.
    case arenaFull(records: Int, limitBytes: Int)
    /// The operating system gave no memory.
    case outOfMemory(sizeBytes: Int)

    /// Whether what was delivered before is sound and a caller may reasonably go on with it after saying so.
    public var isWarning: Bool {
        switch self {
        case .cut, .emptyRecord, .originalShorter, .recordTooLong: true
        default: false
        }
    }

    /// Whether the reader that threw this has nothing more to give.
    public var endsReading: Bool {
        switch self {
        case .emptyRecord, .originalShorter, .recordTooLong: false
        default: true
        }
    }

    /// The case that says best why opening `file` failed with `code`.
    static func opening(_ file: String, code: Int32) -> CaptureError {
        switch code {
        case ENOENT, ENOTDIR: .missing(file: file)
        case EACCES, EPERM, EROFS: .permission(file: file)
        case EISDIR: .directory(file: file)
        default: .system(file: file, operation: "open", code: code)
        }
    }
}

extension CaptureError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missing(let file): "\(file): no such file"
        case .permission(let file): "\(file): permission denied"
        case .directory(let file): "\(file): is a directory, not a capture file"
        case .empty(let file): "\(file): is empty, not a capture file"
        case .notACapture(let file, let detail): "\(file): not a capture file (\(detail))"
        case .linkType(let file, let name, let number): "\(file): link type \(name) (number \(number)); only Ethernet captures can be used"
        case .cut(let file, let records, let offset):
            "\(file): cut in the middle of record \(records + 1)\(at(offset)); \(records) whole records before it"
        case .malformed(let file, let record, let offset, let detail): "\(file): record \(record)\(at(offset)) is malformed: \(detail)"
        case .emptyRecord(let file, let record, let offset): "\(file): record \(record)\(at(offset)) has no captured bytes"
        case .originalShorter(let file, let record, let offset, let captured, let original):
            "\(file): record \(record)\(at(offset)) has \(captured) captured bytes of a packet of \(original)"
        case .recordTooLong(let file, let record, let size):
            "\(file): record \(record) has \(size) bytes, more than \(CaptureReader.maximumRecordSize)"
        case .system(let file, let operation, let code): "\(file): \(operation): \(String(cString: strerror(code)))"
        case .outputIsInput(let file): "\(file): is read as an input and cannot be written at the same time"
        case .arenaFull(let records, let limitBytes): "the captures do not fit into \(limitBytes) bytes of memory (full after \(records) records)"
        case .outOfMemory(let sizeBytes): "no memory for \(sizeBytes) bytes of captures"
        }
    }

    private func at(_ offset: Int64?) -> String { offset.map { " (byte \($0))" } ?? "" }
}
