import Testing

@testable import Ports

/// A merger over files made of times in seconds; each packet's bytes tell its input and position.
private func merger(_ inputs: [[UInt32]], ports: [UInt32]? = nil) throws -> (CaptureMerger, [TemporaryFile]) {
    var files: [TemporaryFile] = []
    let merger = CaptureMerger(
        try inputs.enumerated().map { input, times in
            let records = times.enumerated().map { RawRecord(seconds: $1, bytes: [UInt8(input), UInt8($0)]) }
            files.append(TemporaryFile(CaptureBytes.pcap(records)))
            return CaptureMerger.Input(port: ports?[input] ?? UInt32(input + 1), reader: try CaptureReader(files.last!.path))
        })
    return (merger, files)
}

/// What the order should be, the simple way: a stable sort by (time so far, input).
private func sorted(_ inputs: [[UInt32]]) -> [[UInt8]] {
    var all: [(time: UInt32, bytes: [UInt8])] = []
    for (input, times) in inputs.enumerated() {
        var latest: UInt32 = 0
        for (number, time) in times.enumerated() {
            latest = max(latest, time)
            all.append((latest, [UInt8(input), UInt8(number)]))
        }
    }
    // Appended input by input in file order; the position breaks all ties.
    return all.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element.bytes)
}

@Suite struct CaptureMergerTests {
    @Test func `Inputs are merged by time, ties by input and then file order`() throws {
        let times: [[UInt32]] = [[5, 5, 7], [1, 5, 9], [], [5]]
        let (merger, files) = try merger(times, ports: [7, 7, 1, 2])
        var order: [[UInt8]] = []
        var ports: [UInt32] = []
        while let arrival = try merger.next() {
            order.append(Array(arrival.record.bytes))
            ports.append(arrival.port)
        }
        #expect(order == [[1, 0], [0, 0], [0, 1], [1, 1], [3, 0], [0, 2], [1, 2]])
        #expect(ports == [7, 7, 7, 7, 2, 7, 7])
        #expect(merger.backwardCount == 0)
        #expect(try merger.next() == nil)
        withExtendedLifetime(files) {}
    }

    @Test func `A capture that runs backwards keeps its order and its timestamps`() throws {
        let (merger, files) = try merger([[10, 3, 4, 12], [11]])
        var order: [[UInt8]] = []
        var times: [UInt64] = []
        var stamps: [UInt64] = []
        while let arrival = try merger.next() {
            order.append(Array(arrival.record.bytes))
            times.append(arrival.time / 1_000_000_000)
            stamps.append(arrival.record.time / 1_000_000_000)
        }
        #expect(order == [[0, 0], [0, 1], [0, 2], [1, 0], [0, 3]])
        #expect(times == [10, 10, 10, 11, 12])
        #expect(stamps == [10, 3, 4, 11, 12])
        #expect(merger.backwardCount == 2)
        withExtendedLifetime(files) {}
    }

    @Test(arguments: [UInt64](1...50))
    func `The order equals that of a stable sort`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let times = (0..<Int.random(in: 0...12, using: &random)).map { _ in
            (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt32.random(in: 0...60, using: &random) }
        }
        let (merger, files) = try merger(times)
        var order: [[UInt8]] = []
        var previous: UInt64 = 0
        while let arrival = try merger.next() {
            order.append(Array(arrival.record.bytes))
            #expect(arrival.time >= previous)
            previous = arrival.time
        }
        #expect(order == sorted(times), "seed \(seed)")
        withExtendedLifetime(files) {}
    }

    @Test func `A cut input ends with its error and the others continue`() throws {
        let good = TemporaryFile(CaptureBytes.pcap([RawRecord(seconds: 1, bytes: [1]), RawRecord(seconds: 4, bytes: [4])]))
        let cut = TemporaryFile(
            CaptureBytes.pcap([RawRecord(seconds: 2, bytes: [2]), RawRecord(seconds: 3, bytes: [3], capturedLength: 9)]))
        let merger = CaptureMerger([
            .init(port: 1, reader: try CaptureReader(cut.path)), .init(port: 2, reader: try CaptureReader(good.path)),
        ])
        var seen: [UInt8] = []
        var errors: [CaptureError] = []
        while true {
            do throws(CaptureError) {
                guard let arrival = try merger.next() else { break }
                seen.append(arrival.record.bytes[0])
            } catch {
                errors.append(error)
            }
        }
        #expect(seen == [1, 2, 4])
        #expect(errors == [.cut(file: cut.path, records: 1, offset: 41)])
    }

    @Test func `One nanosecond input makes the output precise, and cut packets are counted`() throws {
        let coarse = TemporaryFile(CaptureBytes.pcap([RawRecord(originalLength: 100)]))
        let fine = TemporaryFile(CaptureBytes.pcap([RawRecord()], nanoseconds: true))
        let one = CaptureMerger([.init(port: 1, reader: try CaptureReader(coarse.path))])
        #expect(one.precision == .microseconds)
        let both = CaptureMerger([.init(port: 1, reader: try CaptureReader(coarse.path)), .init(port: 1, reader: try CaptureReader(fine.path))])
        #expect(both.precision == .nanoseconds)
        while try both.next() != nil {}
        #expect(both.cutRecordCount == 1)
    }

    @Test func `Many inputs at once`() throws {
        let times = (0..<100).map { (input: Int) -> [UInt32] in
            let phase = (input * 37) % 100
            return (0..<10).map { (step: Int) -> UInt32 in UInt32(step * 100 + phase) }
        }
        let (merger, files) = try merger(times)
        var order: [[UInt8]] = []
        while let arrival = try merger.next() { order.append(Array(arrival.record.bytes)) }
        #expect(order == sorted(times))
        withExtendedLifetime(files) {}
    }
}
