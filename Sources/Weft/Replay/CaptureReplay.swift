import CLinux
import Datapath
import Flow
import Foundation
import Ports

/// Each packet of the captures once, in the order of time.
struct CaptureReplay {
    var program: FlowProgram
    var inputs: [PortFile]
    var outputs: [PortFile]
    var fates: String?
    var limits: Limits
    var ports: PortRegistry
    var usesCache: Bool
    var showsProgress: Bool

    /// Packets handed to the forwarding element at a time.
    private static let chunk = 256

    func run() throws -> ReplaySummary {
        let readers = try inputs.map { CaptureMerger.Input(port: $0.port, reader: try CaptureReader($0.file)) }
        let merger = CaptureMerger(readers)
        var writers: [UInt32: CaptureWriter] = [:]
        for o in outputs { writers[o.port] = try CaptureWriter(o.file, precision: merger.precision, inputs: readers.map(\.reader)) }
        let fateWriter = try fates.map { try FateWriter($0, ports: ports, inputs: inputs.map(\.file)) }
        let element = ForwardingElement(
            limits: limits, ports: ports, usesCache: usesCache,
            recorder: EventRecorder(keepsBytes: !writers.isEmpty))
        // Entries begin their life with the first packet.
        var arrival = try merger.next()
        try program.apply(to: element.tables, now: arrival?.time ?? 0)
        if let fateWriter { element.worker.observePrograms { fateWriter.ran(packet: $0, path: $1) } }

        var summary = ReplaySummary()
        summary.cache.enabled = usesCache
        summary.files = Dictionary(uniqueKeysWithValues: outputs.map { ($0.port, $0.file) })
        let progress = Progress(label: "replaying", isShown: showsProgress)
        let start = weft_monotonic_ns()
        var staging = StagedFrames()
        var done = 0
        func flush() throws {
            let frames = staging.frames()
            var failure: CaptureError?
            var fateFailure: (any Error)?
            element.process(frames) { first, recorder in
                for e in recorder.events where e.kind == .transmitted && failure == nil {
                    guard let writer = writers[ports.number(at: Int(e.port))] else { continue }
                    let index = first + e.packet
                    recorder.bytes.withUnsafeBytes { bytes in
                        do throws(CaptureError) {
                            try writer.write(
                                time: frames[index].time, bytes: UnsafeRawBufferPointer(rebasing: bytes[e.offset..<(e.offset + e.length)]),
                                originalLength: e.length + staging.cutBytes(index))
                        } catch { failure = error }
                    }
                }
                do { try fateWriter?.ended(first: done + first, frames: frames[first...], recorder) } catch { fateFailure = error }
            }
            if let failure { throw failure }
            if let fateFailure { throw fateFailure }
            done += frames.count
            staging.removeAll()
            progress.update(done)
        }
        while let a = arrival {
            staging.append(a)
            if staging.count == Self.chunk { try flush() }
            do throws(CaptureError) {
                arrival = try merger.next()
            } catch {
                // What was read before a capture breaks off is replayed; the user is told.
                guard error.isWarning else { throw error }
                summary.warnings.append("\(error)")
                arrival = error.endsReading ? nil : try merger.next()
            }
        }
        if staging.count > 0 { try flush() }
        progress.finish()
        summary.seconds = Double(weft_monotonic_ns() - start) / 1e9
        for w in writers.values { try w.close() }
        try fateWriter?.close()
        element.worker.collectStatistics()
        summary.add(element.worker, ports)
        summary.addEntries(element.tables)
        summary.expiredEntries = element.tables.expiredCount
        summary.cutPackets = merger.cutRecordCount
        summary.backwardPackets = merger.backwardCount
        return summary
    }
}

/// Copies of captured packets until they are forwarded: a reader's bytes are gone when it is asked for the next record.
struct StagedFrames {
    private var bytes: [UInt8] = []
    private var records: [(offset: Int, length: Int, originalLength: Int, port: UInt32, time: UInt64)] = []
    /// The datapath copies whole blocks of 64 bytes, reading up to 63 bytes past a frame.
    private static let slack = 64
    private var storage: UnsafeMutableRawPointer?

    var count: Int { records.count }

    mutating func append(_ a: CaptureMerger.Arrival) {
        records.append((bytes.count, a.record.capturedLength, a.record.originalLength, a.port, a.time))
        bytes.append(contentsOf: a.record.bytes)
        bytes.append(contentsOf: repeatElement(0, count: Self.slack))
    }

    /// The staged packets; valid until the next change.
    mutating func frames() -> [ReceivedFrame] {
        storage?.deallocate()
        let base = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(bytes.count, 64), alignment: 64)
        bytes.withUnsafeBytes { if let p = $0.baseAddress { base.copyMemory(from: p, byteCount: $0.count) } }
        storage = base
        return records.map { ReceivedFrame(bytes: base + $0.offset, length: $0.length, inPort: $0.port, time: $0.time) }
    }

    /// Bytes of the packet on the wire that the capture does not have.
    func cutBytes(_ index: Int) -> Int { Swift.max(0, records[index].originalLength - records[index].length) }

    mutating func removeAll() {
        storage?.deallocate()
        storage = nil
        bytes.removeAll(keepingCapacity: true)
        records.removeAll(keepingCapacity: true)
    }
}
