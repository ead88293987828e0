import Foundation
import Glibc

/// One client of the control socket, used on the server's thread only.
///
/// Input is cut into lines; output waits here until the client takes it. While more than `patience` bytes wait, no further request of this client is read.
public final class ControlConnection {
    /// Waiting output above which the client must read before it is heard again.
    static let patience = 1 << 20

    let descriptor: Int32
    private(set) var isInputOpen = true
    /// Whether the connection is to be closed once its output has been taken.
    private(set) var isEnding = false
    private(set) var isBroken = false
    private var input = Data()
    /// Bytes of `input` that hold no newline.
    private var scanned = 0
    private var output = Data()
    private var sent = 0
    /// When the client last took something, or there was nothing to take; nanoseconds on the monotonic clock.
    private(set) var lastProgress: UInt64
    /// A capture that goes to this client.
    var stream: CaptureStream?

    init(descriptor: Int32, now: UInt64) {
        self.descriptor = descriptor
        lastProgress = now
    }

    var pendingBytes: Int { output.count - sent }
    var wantsInput: Bool { isInputOpen && !isEnding && pendingBytes <= Self.patience }
    var isFinished: Bool { isBroken || (pendingBytes == 0 && (isEnding || (!isInputOpen && stream == nil))) }

    /// Reads what there is and returns the lines in it, without their ends. Throws when a line is longer than `limit`.
    func readLines(limit: Int) throws(ControlError) -> [Data] {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let n = Glibc.read(descriptor, &chunk, chunk.count)
        if n < 0 {
            if errno != EINTR, errno != EAGAIN { isBroken = true }
            return []
        }
        if n == 0 {
            isInputOpen = false
            // The last line needs no end.
            defer { input = Data() }
            return input.isEmpty ? [] : [input]
        }
        input.append(contentsOf: chunk[0..<n])
        var lines: [Data] = []
        var start = 0
        while let end = input[(input.startIndex + max(scanned, start))...].firstIndex(of: 0x0a) {
            let line = input[(input.startIndex + start)..<end]
            if !line.isEmpty { lines.append(Data(line)) }
            start = end - input.startIndex + 1
            scanned = start
        }
        if start > 0 { input = Data(input.dropFirst(start)) }
        scanned = input.count
        if input.count > limit || lines.contains(where: { $0.count > limit }) {
            input = Data()
            throw ControlError(.tooLong, "a request may have \(limit) bytes")
        }
        return lines
    }

    /// Has bytes sent as the client takes them.
    func send(_ bytes: Data, now: UInt64) {
        if isBroken { return }
        if pendingBytes == 0 { lastProgress = now }
        output.append(bytes)
        flush(now: now)
    }

    func flush(now: UInt64) {
        while pendingBytes > 0 {
            let n = output.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            if n < 0 {
                if errno == EINTR { continue }
                if errno != EAGAIN { isBroken = true }
                return
            }
            sent += n
            lastProgress = now
        }
        output = Data()
        sent = 0
    }

    /// Closes when all output has been taken.
    func end() { isEnding = true }
    func hangUp() { isBroken = true }
}
