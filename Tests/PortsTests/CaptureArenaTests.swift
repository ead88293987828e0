import Testing

@testable import Ports

@Suite struct CaptureArenaTests {
    private func merger(_ file: TemporaryFile, port: UInt32 = 1) throws -> CaptureMerger {
        CaptureMerger([.init(port: port, reader: try CaptureReader(file.path))])
    }

    @Test func `Every packet starts at a multiple of 64 with its own bytes and lengths`() throws {
        let sizes = [1, 14, 60, 63, 64, 65, 127, 128, 129, 1514, 9000, 262_144, 1]
        let records = sizes.enumerated().map { number, size in
            RawRecord(seconds: UInt32(number), bytes: [UInt8](repeating: UInt8(number + 1), count: size), originalLength: UInt32(size + number))
        }
        let file = TemporaryFile(CaptureBytes.pcap(records, snapLength: 262_144))
        let arena = try CaptureArena()
        #expect(try arena.load(merger(file, port: 9)) == sizes.count)
        #expect(UInt(bitPattern: arena.bytes) % 64 == 0)
        #expect(arena.count == sizes.count)
        #expect(arena.capturedBytes == UInt64(sizes.reduce(0, +)))
        #expect(arena.cutCount == sizes.count - 1)
        for (number, packet) in arena.packets.enumerated() {
            #expect(packet.offset % 64 == 0)
            #expect(packet.time == UInt64(number) * 1_000_000_000)
            #expect(packet.inPort == 9)
            #expect(Int(packet.originalLength) == sizes[number] + number)
            #expect(Array(arena.bytes(of: packet)) == records[number].bytes)
            // Readable behind the end: a fault here ends the test run.
            let behind = UnsafeRawBufferPointer(start: arena.bytes + Int(packet.offset) + Int(packet.length), count: 64)
            _ = behind.reduce(0) { $0 &+ Int($1) }
        }
    }

    @Test func `Loading goes on where it stopped`() throws {
        let file = TemporaryFile(CaptureBytes.pcap((0..<10).map { RawRecord(seconds: $0) }))
        let arena = try CaptureArena()
        let merger = try merger(file)
        #expect(try arena.load(merger, atMost: 4) == 4)
        #expect(try arena.load(merger, atMost: 4) == 4)
        #expect(try arena.load(merger, atMost: 4) == 2)
        #expect(try arena.load(merger, atMost: 4) == 0)
        #expect(arena.packets.map(\.time) == (0..<10).map { $0 * 1_000_000_000 })
    }

    @Test func `Loading goes on behind a bad record`() throws {
        let file = TemporaryFile(CaptureBytes.pcap([RawRecord(), RawRecord(bytes: []), RawRecord()]))
        let arena = try CaptureArena()
        let merger = try merger(file)
        #expect(throws: CaptureError.emptyRecord(file: file.path, record: 2, offset: 100)) { try arena.load(merger) }
        #expect(arena.count == 1)
        #expect(try arena.load(merger) == 1)
        #expect(arena.count == 2)
    }

    @Test func `The limit is an error and leaves what was loaded`() throws {
        let file = TemporaryFile(CaptureBytes.pcap((0..<10).map { RawRecord(seconds: $0, bytes: [UInt8](repeating: 1, count: 65)) }))
        let arena = try CaptureArena(maximumSizeBytes: 128 * 3)
        #expect(throws: CaptureError.arenaFull(records: 3, limitBytes: 384)) { try arena.load(try self.merger(file)) }
        #expect(arena.count == 3)
        #expect(arena.packets.count == 3)
    }

    @Test func `A million packets take little more than their bytes`() throws {
        let arena = try CaptureArena()
        let bytes = [UInt8](repeating: 5, count: 60)
        try bytes.withUnsafeBytes { buffer in
            for number in 0..<1_000_000 {
                let record = CaptureRecord(time: UInt64(number), bytes: buffer, originalLength: 60, number: number + 1)
                try arena.append(.init(record: record, port: 1, input: 0, time: UInt64(number)))
            }
        }
        #expect(arena.count == 1_000_000)
        #expect(MemoryLayout<CaptureArena.Packet>.stride == 32)
        let last = try #require(arena.packets.last)
        #expect(last.offset == 64 * 999_999)
        #expect(last.time == 999_999)
        #expect(Array(arena.bytes(of: last)) == bytes)
    }

    @Test func `More memory than there are addresses is refused`() {
        #expect(throws: CaptureError.self) { try CaptureArena(maximumSizeBytes: 1 << 50) }
        #expect(throws: CaptureError.self) { try CaptureArena(maximumSizeBytes: .max) }
    }
}
