import CLinux
import Datapath
import Flow
import Foundation
import Synchronization

/// One worker forwards 1,000 flows while the owner of the tables, on another thread, changes entries: with and without changes in turn, so that both see
/// the same machine.
///
/// Each change is published by itself, as a switch does with what a controller sends. The worker tells its progress in one atomic after every batch; the
/// owner reads it where a turn begins and ends.
final class ChurnBench: @unchecked Sendable {
    static let changesPerSecond = 10_000
    /// Turns of each kind; one more of each goes before and is not counted.
    private static let turns = 5

    private let tables: FlowTables
    private let worker: Worker
    private let frames: FrameBuffer
    private var workload = ChurnWorkload()
    private let forwarded = Atomic<UInt64>(0)
    private let stops = Atomic<Bool>(false)

    private struct Turn {
        var packets: UInt64 = 0
        var seconds = 0.0
        var changes = 0
        mutating func add(_ t: Turn) {
            packets += t.packets
            seconds += t.seconds
            changes += t.changes
        }
        var mpps: Double { seconds > 0 ? Double(packets) / seconds / 1e6 : 0 }
    }

    init() throws {
        tables = try BenchTables.make(PipelineWorkload.flows)
        for m in workload.initial() { try tables.apply(m, now: 0) }
        tables.publish()
        worker = Worker(tables: tables)
        frames = PipelineWorkload(flowCount: ChurnWorkload.flowCount).frames()
    }

    func run(seconds: Double) throws -> BenchResult {
        let done = DispatchSemaphore(value: 0)
        // Asked before this thread is pinned; a new thread inherits the pinning.
        let processors = weft_processor_count()
        if processors > 1 { weft_pin_to_processor(0) }
        Thread.detachNewThread { [self] in
            // The owner keeps the first processor, the worker takes the last.
            if processors > 1 { weft_pin_to_processor(Int32(processors - 1)) }
            forward()
            done.signal()
        }
        var with = Turn()
        var without = Turn()
        defer {
            stops.store(true, ordering: .relaxed)
            done.wait()
        }
        let length = seconds / Double(2 * (Self.turns + 1))
        for turn in 0...Self.turns {
            let quiet = try take(length, changes: false)
            let busy = try take(length, changes: true)
            if turn > 0 {
                without.add(quiet)
                with.add(busy)
            }
        }
        let ratio = without.mpps > 0 ? with.mpps / without.mpps : 0
        let achieved = with.seconds > 0 ? Double(with.changes) / with.seconds : 0
        return BenchResult(
            workload: "churn", description: "\(ReplaySummary.count(UInt64(Self.changesPerSecond))) entry changes a second under 1,000 flows",
            headline:
                "\(ReplaySummary.decimal(with.mpps, 2)) Mpps, \(ReplaySummary.decimal(ratio, 3)) of \(ReplaySummary.decimal(without.mpps, 2)) without"
                + " (\(ReplaySummary.count(UInt64(achieved))) changes/s)",
            numbers: [
                ("mpps", .decimal(with.mpps)), ("mppsWithoutChanges", .decimal(without.mpps)), ("ratio", .decimal(ratio)),
                ("changesPerSecond", .decimal(achieved)), ("changes", .integer(UInt64(with.changes))),
                ("seconds", .decimal(with.seconds + without.seconds)),
                ("flows", .integer(UInt64(ChurnWorkload.flowCount))), ("entries", .integer(UInt64(tables.entryCount))),
                ("processors", .integer(UInt64(processors))),
            ])
    }

    /// The worker's thread.
    private func forward() {
        var packets: UInt64 = 0
        var at = 0
        while !stops.load(ordering: .relaxed) {
            let n = min(Worker.batchSize, frames.count - at)
            worker.process(frames.frames + at, count: n)
            packets &+= UInt64(n)
            forwarded.store(packets, ordering: .relaxed)
            at += n
            if at == frames.count { at = 0 }
        }
    }

    /// The owner's part of one turn: sleeps, and between sleeps makes the changes that are due.
    private func take(_ seconds: Double, changes: Bool) throws -> Turn {
        let start = weft_monotonic_ns()
        let first = forwarded.load(ordering: .relaxed)
        let end = start + UInt64(seconds * 1e9)
        var turn = Turn()
        var now = start
        while now < end {
            if changes {
                let due = Int(Double(now - start) / 1e9 * Double(Self.changesPerSecond))
                while turn.changes < due {
                    try tables.apply(workload.change(), now: now)
                    tables.publish()
                    turn.changes += 1
                }
            }
            usleep(changes ? 50 : 1000)
            now = weft_monotonic_ns()
        }
        turn.packets = forwarded.load(ordering: .relaxed) - first
        turn.seconds = Double(now - start) / 1e9
        return turn
    }
}
