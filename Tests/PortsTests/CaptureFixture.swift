import Glibc

@testable import Ports

/// A file in the temporary folder that disappears with this object.
final class TemporaryFile {
    let path: String

    init(_ bytes: [UInt8] = []) {
        var template = Array("/tmp/weft-capture-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        precondition(descriptor >= 0, "no temporary file")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        precondition(bytes.isEmpty || write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    deinit { unlink(path) }

    var bytes: [UInt8] {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = read(descriptor, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
        return all
    }
}

/// A record written out by hand: what a capture file says, whether or not it is true.
struct RawRecord {
    var seconds: UInt32 = 1_700_000_000
    var fraction: UInt32 = 0
    var bytes: [UInt8] = Array(0..<60)
    /// Nil: as many as `bytes`.
    var capturedLength: UInt32?
    /// Nil: as many as `bytes`.
    var originalLength: UInt32?
}

/// Capture files put together byte by byte, in either byte order.
struct CaptureBytes {
    var bigEndian = false
    var bytes: [UInt8] = []

    init(bigEndian: Bool = false) { self.bigEndian = bigEndian }

    mutating func put16(_ value: UInt16) { withUnsafeBytes(of: bigEndian ? value.bigEndian : value.littleEndian) { bytes += $0 } }
    mutating func put32(_ value: UInt32) { withUnsafeBytes(of: bigEndian ? value.bigEndian : value.littleEndian) { bytes += $0 } }

    // MARK: pcap

    static func pcap(
        _ records: [RawRecord], nanoseconds: Bool = false, bigEndian: Bool = false, linkType: UInt32 = 1, snapLength: UInt32 = 65535
    ) -> [UInt8] {
        var file = CaptureBytes(bigEndian: bigEndian)
        file.put32(nanoseconds ? 0xa1b2_3c4d : 0xa1b2_c3d4)
        file.put16(2)
        file.put16(4)
        file.put32(0)
        file.put32(0)
        file.put32(snapLength)
        file.put32(linkType)
        for record in records {
            file.put32(record.seconds)
            file.put32(record.fraction)
            file.put32(record.capturedLength ?? UInt32(record.bytes.count))
            file.put32(record.originalLength ?? UInt32(record.bytes.count))
            file.bytes += record.bytes
        }
        return file.bytes
    }

    // MARK: pcapng

    mutating func block(_ type: UInt32, _ body: [UInt8]) {
        let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        put32(type)
        put32(UInt32(12 + padded.count))
        bytes += padded
        put32(UInt32(12 + padded.count))
    }

    private func body(_ build: (inout CaptureBytes) -> Void) -> [UInt8] {
        var body = CaptureBytes(bigEndian: bigEndian)
        build(&body)
        return body.bytes
    }

    mutating func sectionHeader() {
        block(
            0x0a0d_0d0a,
            body {
                $0.put32(0x1a2b_3c4d)
                $0.put16(1)
                $0.put16(0)
                $0.put32(.max)
                $0.put32(.max)
            })
    }

    /// `resolution` is the option `if_tsresol`; nil leaves it out, which means microseconds.
    mutating func interface(linkType: UInt16 = 1, resolution: UInt8? = nil, snapLength: UInt32 = 0) {
        block(
            1,
            body {
                $0.put16(linkType)
                $0.put16(0)
                $0.put32(snapLength)
                if let resolution {
                    $0.put16(9)
                    $0.put16(1)
                    $0.bytes += [resolution, 0, 0, 0]
                    $0.put32(0)
                }
            })
    }

    mutating func enhancedPacket(interface: UInt32 = 0, units: UInt64, bytes packet: [UInt8], originalLength: UInt32? = nil) {
        block(
            6,
            body {
                $0.put32(interface)
                $0.put32(UInt32(units >> 32))
                $0.put32(UInt32(truncatingIfNeeded: units))
                $0.put32(UInt32(packet.count))
                $0.put32(originalLength ?? UInt32(packet.count))
                $0.bytes += packet
            })
    }

    mutating func simplePacket(bytes packet: [UInt8]) {
        block(
            3,
            body {
                $0.put32(UInt32(packet.count))
                $0.bytes += packet
            })
    }
}

/// A record copied out of its reader.
struct OwnedRecord: Equatable {
    var time: UInt64
    var bytes: [UInt8]
    var originalLength: Int

    init(time: UInt64, bytes: [UInt8], originalLength: Int? = nil) {
        self.time = time
        self.bytes = bytes
        self.originalLength = originalLength ?? bytes.count
    }

    init(_ record: CaptureRecord) {
        self.init(time: record.time, bytes: Array(record.bytes), originalLength: record.originalLength)
    }
}

/// Everything a reader gives: records, and the errors on the way in their order.
func readAll(_ path: String, stopAfter limit: Int = 10000) -> (records: [OwnedRecord], errors: [CaptureError]) {
    var records: [OwnedRecord] = []
    var errors: [CaptureError] = []
    let reader: CaptureReader
    do throws(CaptureError) { reader = try CaptureReader(path) } catch { return ([], [error]) }
    while records.count + errors.count < limit {
        do throws(CaptureError) {
            guard let record = try reader.next() else { break }
            records.append(OwnedRecord(record))
        } catch {
            errors.append(error)
        }
    }
    return (records, errors)
}

/// A repeatable random source; the seed is part of the test's name or message.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
