import CLinux
import Datapath
import Flow
import Foundation

/// From flow text to the first packet forwarded, and what the entries cost in memory.
enum LoadBench {
    static let builtInEntries = 200_000

    /// - Parameter file: nil for the built-in entries, which are made before the clock starts.
    static func run(file: String?, entries: Int) throws -> BenchResult {
        var text: [UInt8]? = file == nil ? ConnectionWorkload(entryCount: entries).flows() : nil
        let ports = PortRegistry()
        let tables = FlowTables(ports: ports)
        let worker = Worker(tables: tables)
        // What the program touches once for any entry is not the entries' cost.
        _ = FlowText.parse("table=0,priority=1,actions=drop")
        let before = ProcessMemory.resident

        let start = weft_monotonic_ns()
        if let file { text = try InputFile.read(file) }
        let textBytes = text?.count ?? 0
        var parsed: FlowText.Parsed? = FlowText.parse(bytes: text ?? [])
        if file != nil { text = nil }
        let parsedAt = weft_monotonic_ns()
        if let parsed, !parsed.isValid, let first = parsed.errors.first {
            throw CommandError("\(file ?? "the built-in entries"):\(first) (\(parsed.errorCount) errors; weft flows check shows them all)")
        }
        for m in parsed!.modifications { try tables.apply(m, now: 0) }
        tables.publish()
        let publishedAt = weft_monotonic_ns()
        let frame = sample(parsed!.modifications)
        withExtendedLifetime(frame) { worker.process(frame.frames, count: 1) }
        let end = weft_monotonic_ns()

        let count = tables.entryCount
        guard count > 0 else { throw CommandError("\(file ?? "the built-in workload") leaves no entries in the tables") }
        parsed = nil
        let growth = before.flatMap { b in ProcessMemory.resident.map { max(0, $0 - b) } }
        withExtendedLifetime((tables, text)) {}
        let seconds = Double(end - start) / 1e9
        let perSecond = Double(count) / seconds
        var numbers: [(String, BenchResult.Number)] = [
            ("entries", .integer(UInt64(count))), ("entriesPerSecond", .decimal(perSecond)), ("seconds", .decimal(seconds)),
            ("textBytes", .integer(UInt64(textBytes))), ("parseSeconds", .decimal(Double(parsedAt - start) / 1e9)),
            ("insertSeconds", .decimal(Double(publishedAt - parsedAt) / 1e9)), ("firstPacketSeconds", .decimal(Double(end - publishedAt) / 1e9)),
            ("bytesPerEntryOfTables", .decimal(Double(tables.byteCount) / Double(count))),
            ("firstPacketMatched", .flag(worker.counters.ended == 1 && worker.drops(.noMatch) == 0)),
        ]
        var memory = ""
        if let growth {
            numbers.append(("bytesPerEntry", .decimal(Double(growth) / Double(count))))
            memory = ", \(ReplaySummary.decimal(Double(growth) / Double(count), 0)) bytes each"
        }
        if let peak = ProcessMemory.peak { numbers.append(("peakResidentBytes", .integer(UInt64(peak)))) }
        return BenchResult(
            workload: "load", description: "\(ReplaySummary.count(UInt64(count))) entries from \(file ?? "built-in text") to the first packet",
            headline: "\(ReplaySummary.count(UInt64(perSecond))) entries per second\(memory)"
                + " (parse \(ReplaySummary.decimal(Double(parsedAt - start) / 1e9, 3)) s, insert \(ReplaySummary.decimal(Double(publishedAt - parsedAt) / 1e9, 3)) s)",
            numbers: numbers)
    }

    /// A packet for the first entry.
    private static func sample(_ modifications: [FlowModification]) -> SampleFrame {
        for case .flow(.add, let entry, _, _, _) in modifications {
            var key = FlowKey()
            for w in entry.match.words { key.words[w.index] = w.value }
            return SampleFrame(FrameComposer(key, given: entry.match))
        }
        return SampleFrame(FrameComposer(FlowKey(), given: .any))
    }

    /// One frame with the slack behind it that workers ask for.
    private final class SampleFrame {
        let frames: UnsafeMutablePointer<ReceivedFrame> = .allocate(capacity: 1)
        private let bytes: UnsafeMutableRawPointer

        init(_ composer: FrameComposer) {
            bytes = .allocate(byteCount: composer.bytes.count + 64, alignment: 64)
            composer.bytes.withUnsafeBytes { bytes.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            frames.initialize(to: ReceivedFrame(bytes: bytes, length: composer.bytes.count, inPort: composer.inPort, time: 0))
        }

        deinit {
            frames.deallocate()
            bytes.deallocate()
        }
    }
}
