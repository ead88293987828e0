import Glibc
import Ports

/// A nameless file with the input, opened anew by its path in /proc for each run.
private let file: (descriptor: CInt, path: String) = {
    guard let stream = tmpfile() else { preconditionFailure("tmpfile: errno \(errno)") }
    let descriptor = fileno(stream)
    return (descriptor, "/proc/self/fd/\(descriptor)")
}()

/// One input is a capture file.
///
/// Besides not trapping: the reader ends after as many steps as the file has bytes, and a record is never empty, too long, or longer than it was on
/// the wire. Every captured byte is touched, so that a wrong length shows.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCapture(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    precondition(ftruncate(file.descriptor, 0) == 0)
    precondition(pwrite(file.descriptor, start, size, 0) == size)
    let reader: CaptureReader
    do { reader = try CaptureReader(file.path) } catch { return 0 }
    var sum: UInt8 = 0
    for _ in 0...size {
        do {
            guard let record = try reader.next() else { return 0 }
            precondition(!record.bytes.isEmpty && record.bytes.count <= CaptureReader.maximumRecordSize)
            precondition(record.originalLength >= record.capturedLength)
            for byte in record.bytes { sum &+= byte }
        } catch { continue }
    }
    preconditionFailure("no end after \(size) steps, sum \(sum)")
}
