import Glibc
import Testing

@testable import Ports

@Suite struct CaptureReaderTests {
    static let packets: [[UInt8]] = [Array(0..<60), Array(repeating: 0xab, count: 14), Array((0..<130).map { UInt8($0) })]
    static let second: UInt64 = 1_000_000_000

    @Test(arguments: [false, true], [false, true])
    func `Reads pcap in both precisions and byte orders`(nanoseconds: Bool, bigEndian: Bool) throws {
        let file = TemporaryFile(
            CaptureBytes.pcap(
                Self.packets.enumerated().map { RawRecord(seconds: 100 + UInt32($0), fraction: 123_456, bytes: $1) },
                nanoseconds: nanoseconds, bigEndian: bigEndian))
        let fraction: UInt64 = nanoseconds ? 123_456 : 123_456_000
        let (records, errors) = readAll(file.path)
        #expect(errors == [])
        #expect(records == Self.packets.enumerated().map { OwnedRecord(time: (100 + UInt64($0)) * Self.second + fraction, bytes: $1) })
        #expect(try CaptureReader(file.path).precision == (nanoseconds ? .nanoseconds : .microseconds))
    }

    /// Resolution option, units of the timestamp, nanoseconds meant.
    static let resolutions: [(UInt8?, UInt64, UInt64)] = [
        (nil, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (0x8a, 1_700_000_000 << 10 | 512, 1_700_000_000_500_000_000),
    ]

    @Test(arguments: resolutions, [false, true])
    func `Reads pcapng in every time resolution and both byte orders`(resolution: (UInt8?, UInt64, UInt64), bigEndian: Bool) throws {
        var file = CaptureBytes(bigEndian: bigEndian)
        file.sectionHeader()
        file.interface(resolution: resolution.0)
        for packet in Self.packets { file.enhancedPacket(units: resolution.1, bytes: packet) }
        let stored = TemporaryFile(file.bytes)
        let (records, errors) = readAll(stored.path)
        #expect(errors == [])
        #expect(records == Self.packets.map { OwnedRecord(time: resolution.2, bytes: $0) })
        #expect(try CaptureReader(stored.path).precision == .nanoseconds)
    }

    @Test func `Reads pcapng with several interfaces, sections and unknown blocks`() {
        var file = CaptureBytes()
        file.sectionHeader()
        file.interface(resolution: 9)
        file.interface(resolution: 6)
        file.block(0x0bad_b10c, [1, 2, 3])
        file.enhancedPacket(interface: 1, units: 2_000_000, bytes: Self.packets[0])
        file.enhancedPacket(interface: 0, units: 3_000_000_000, bytes: Self.packets[1])
        file.simplePacket(bytes: Self.packets[2])
        file.sectionHeader()
        file.interface()
        file.enhancedPacket(units: 4_000_000, bytes: Self.packets[0], originalLength: 1514)
        let stored = TemporaryFile(file.bytes)
        let (records, errors) = readAll(stored.path)
        #expect(errors == [])
        #expect(
            records == [
                OwnedRecord(time: 2 * Self.second, bytes: Self.packets[0]), OwnedRecord(time: 3 * Self.second, bytes: Self.packets[1]),
                OwnedRecord(time: 0, bytes: Self.packets[2]),
                OwnedRecord(time: 4 * Self.second, bytes: Self.packets[0], originalLength: 1514),
            ])
    }

    @Test func `A packet cut by the snap length keeps both lengths`() throws {
        let file = TemporaryFile(CaptureBytes.pcap([RawRecord(originalLength: 1514)], snapLength: 60))
        let reader = try CaptureReader(file.path)
        let record = try #require(try reader.next())
        #expect(record.capturedLength == 60)
        #expect(record.originalLength == 1514)
        #expect(record.isCut)
        #expect(record.number == 1)
    }

    @Test func `Times after 2038 and impossible fractions are plain numbers`() {
        let file = TemporaryFile(
            CaptureBytes.pcap([
                RawRecord(seconds: 0x8000_0000), RawRecord(seconds: .max, fraction: 999_999), RawRecord(seconds: 5, fraction: 1_500_000),
            ]))
        let (records, errors) = readAll(file.path)
        #expect(errors == [])
        #expect(
            records.map(\.time) == [
                0x8000_0000 * Self.second, 0xffff_ffff * Self.second + 999_999_000, 6 * Self.second + 500_000_000,
            ])
    }

    @Test func `Reads standard input`() throws {
        let file = TemporaryFile(CaptureBytes.pcap([RawRecord(), RawRecord()]))
        let saved = dup(STDIN_FILENO)
        let input = open(file.path, O_RDONLY)
        dup2(input, STDIN_FILENO)
        let result = readAll("-")
        dup2(saved, STDIN_FILENO)
        close(input)
        close(saved)
        #expect(result.records.count == 2)
        #expect(result.errors == [])
    }

    @Test func `Reads a pipe, whose errors have no offset`() {
        let file = TemporaryFile()
        unlink(file.path)
        #expect(mkfifo(file.path, 0o600) == 0)
        // Opened for both directions, a FIFO takes what fits into its buffer without a second thread.
        let pipe = open(file.path, O_RDWR)
        let bytes = CaptureBytes.pcap([RawRecord(), RawRecord()]).dropLast(7)
        #expect(write(pipe, Array(bytes), bytes.count) == bytes.count)
        let reader = try? CaptureReader(file.path)
        close(pipe)
        #expect(throws: Never.self) { try reader?.next() }
        #expect(throws: CaptureError.cut(file: file.path, records: 1, offset: nil)) { try reader?.next() }
    }
}

/// What a reader says of files that are not what they should be.
@Suite struct CaptureReaderErrorTests {
    @Test func `A missing file, a folder and an empty file are told apart`() {
        let empty = TemporaryFile()
        #expect(throws: CaptureError.missing(file: "/tmp/weft-no-such-file")) { try CaptureReader("/tmp/weft-no-such-file") }
        #expect(throws: CaptureError.missing(file: empty.path + "/x")) { try CaptureReader(empty.path + "/x") }
        #expect(throws: CaptureError.directory(file: "/tmp")) { try CaptureReader("/tmp") }
        #expect(throws: CaptureError.empty(file: empty.path)) { try CaptureReader(empty.path) }
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may read everything"))
    func `A file without read permission is reported as such`() {
        let file = TemporaryFile(CaptureBytes.pcap([]))
        chmod(file.path, 0)
        #expect(throws: CaptureError.permission(file: file.path)) { try CaptureReader(file.path) }
    }

    @Test func `The system's refusals have names`() {
        #expect(CaptureError.opening("f", code: EACCES) == .permission(file: "f"))
        #expect(CaptureError.opening("f", code: EISDIR) == .directory(file: "f"))
        #expect(CaptureError.opening("f", code: EMFILE) == .system(file: "f", operation: "open", code: EMFILE))
        #expect(CaptureError.opening("f", code: EMFILE).description == "f: open: Too many open files")
    }

    @Test func `Other bytes are not a capture, and gzip is recognised`() {
        let text = TemporaryFile(Array("table=0,actions=drop\n".utf8))
        let gzip = TemporaryFile([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])
        #expect(throws: CaptureError.self) { try CaptureReader(text.path) }
        #expect(readAll(text.path).errors.first?.description.hasPrefix("\(text.path): not a capture file (") == true)
        #expect(readAll(gzip.path).errors == [.notACapture(file: gzip.path, detail: "compressed with gzip; decompress it first")])
    }

    @Test func `Another link type is named`() {
        let raw = TemporaryFile(CaptureBytes.pcap([], linkType: 101))
        let cooked = TemporaryFile(CaptureBytes.pcap([], linkType: 113))
        let unknown = TemporaryFile(CaptureBytes.pcap([], linkType: 60000))
        #expect(readAll(raw.path).errors == [.linkType(file: raw.path, name: "RAW", number: 12)])
        #expect(readAll(cooked.path).errors == [.linkType(file: cooked.path, name: "LINUX_SLL", number: 113)])
        #expect(readAll(unknown.path).errors == [.linkType(file: unknown.path, name: "without a name", number: 60000)])
        #expect(readAll(raw.path).errors[0].description == "\(raw.path): link type RAW (number 12); only Ethernet captures can be used")
    }

    @Test func `A pcapng file whose second interface is not Ethernet ends with an error`() {
        var file = CaptureBytes()
        file.sectionHeader()
        file.interface()
        file.enhancedPacket(units: 1, bytes: [1, 2, 3])
        file.interface(linkType: 101)
        file.enhancedPacket(interface: 1, units: 1, bytes: [1, 2, 3])
        let stored = TemporaryFile(file.bytes)
        let (records, errors) = readAll(stored.path)
        #expect(records.count == 1)
        #expect(errors.count == 1)
        #expect(errors.first?.endsReading == true)
        #expect(errors.first?.isWarning == false)
    }

    @Test func `Records with impossible lengths are reported and reading goes on`() {
        let bytes = CaptureBytes.pcap([
            RawRecord(), RawRecord(bytes: [], originalLength: 60), RawRecord(originalLength: 59), RawRecord(seconds: 9),
        ])
        let file = TemporaryFile(bytes)
        let (records, errors) = readAll(file.path)
        #expect(records.count == 2)
        #expect(records.last?.time == 9_000_000_000)
        #expect(
            errors == [
                .emptyRecord(file: file.path, record: 2, offset: 100),
                .originalShorter(file: file.path, record: 3, offset: 116, captured: 60, original: 59),
            ])
        #expect(errors.allSatisfy { $0.isWarning && !$0.endsReading })
    }

    @Test func `A record larger than the maximum is an error, not an allocation`() {
        for size in [262_145, 0x7fff_ffff, UInt32.max] {
            let file = TemporaryFile(CaptureBytes.pcap([RawRecord(), RawRecord(capturedLength: size, originalLength: size)], snapLength: 0))
            let (records, errors) = readAll(file.path)
            #expect(records.count == 1)
            #expect(errors.count == 1)
            guard case .malformed(file.path, 2, 100, _) = errors.first else {
                Issue.record("\(size) bytes: \(errors)")
                continue
            }
        }
    }

    @Test func `The largest record is read`() {
        let packet = [UInt8](repeating: 7, count: CaptureReader.maximumRecordSize)
        let file = TemporaryFile(CaptureBytes.pcap([RawRecord(bytes: packet)], snapLength: UInt32(packet.count)))
        let (records, errors) = readAll(file.path)
        #expect(errors == [])
        #expect(records.first?.bytes == packet)
    }

    @Test(arguments: [false, true])
    func `Every prefix of a pcap file ends cleanly or with the right error`(bigEndian: Bool) {
        let records = [RawRecord(bytes: Array(0..<20)), RawRecord(bytes: Array(0..<14)), RawRecord(bytes: [1])]
        let whole = CaptureBytes.pcap(records, bigEndian: bigEndian)
        var starts = [24]
        for record in records { starts.append(starts.last! + 16 + record.bytes.count) }
        #expect(starts.last == whole.count)
        for length in 0...whole.count {
            let file = TemporaryFile(Array(whole[..<length]))
            let (read, errors) = readAll(file.path)
            if length == 0 {
                #expect(errors == [.empty(file: file.path)])
            } else if length < 24 {
                guard errors.count == 1, case .notACapture(file.path, _) = errors[0] else {
                    Issue.record("prefix of \(length) bytes: \(errors)")
                    continue
                }
            } else {
                let complete = starts.lastIndex { $0 <= length }!
                #expect(read.count == complete, "prefix of \(length) bytes")
                let clean = starts.contains(length)
                #expect(errors == (clean ? [] : [.cut(file: file.path, records: complete, offset: Int64(starts[complete]))]))
                #expect(errors.allSatisfy { $0.isWarning && $0.endsReading })
            }
        }
    }

    @Test(arguments: [false, true])
    func `Every prefix of a pcapng file ends cleanly or with an error`(bigEndian: Bool) {
        var file = CaptureBytes(bigEndian: bigEndian)
        file.sectionHeader()
        file.interface(resolution: 9)
        var starts = [file.bytes.count]
        for size in [20, 14, 1] {
            file.enhancedPacket(units: 1, bytes: [UInt8](repeating: 1, count: size))
            starts.append(file.bytes.count)
        }
        for length in 0...file.bytes.count {
            let stored = TemporaryFile(Array(file.bytes[..<length]))
            let (read, errors) = readAll(stored.path)
            guard let complete = starts.lastIndex(where: { $0 <= length }) else {
                #expect(read.isEmpty)
                #expect(errors.count == 1, "prefix of \(length) bytes")
                continue
            }
            #expect(read.count == complete, "prefix of \(length) bytes")
            if starts.contains(length) {
                #expect(errors == [])
            } else {
                #expect(errors == [.cut(file: stored.path, records: complete, offset: Int64(starts[complete]))])
            }
        }
    }

    @Test(arguments: [UInt64](1...40))
    func `Damaged files end in records and errors only`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var file = CaptureBytes(bigEndian: Bool.random(using: &random))
        if Bool.random(using: &random) {
            file.bytes = CaptureBytes.pcap(
                (0..<8).map { _ in RawRecord(bytes: [UInt8](repeating: 1, count: Int.random(in: 0..<200, using: &random))) },
                nanoseconds: Bool.random(using: &random), bigEndian: file.bigEndian)
        } else {
            file.sectionHeader()
            file.interface(resolution: UInt8.random(in: 0...255, using: &random))
            for _ in 0..<8 { file.enhancedPacket(units: random.next(), bytes: [UInt8](repeating: 1, count: Int.random(in: 0..<200, using: &random))) }
            file.simplePacket(bytes: [1, 2, 3])
        }
        for _ in 0..<100 {
            var damaged = file.bytes
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                // The first four bytes say which format it is; without them nothing else is exercised.
                damaged[Int.random(in: 4..<damaged.count, using: &random)] = [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &random)]
                    .randomElement(using: &random)!
            }
            let stored = TemporaryFile(damaged)
            let (records, errors) = readAll(stored.path, stopAfter: 1000)
            #expect(records.count + errors.count < 1000, "seed \(seed)")
            #expect(records.allSatisfy { $0.bytes.count <= CaptureReader.maximumRecordSize && $0.bytes.count <= $0.originalLength })
            #expect(errors.dropLast().allSatisfy { !$0.endsReading }, "seed \(seed)")
        }
    }
}
