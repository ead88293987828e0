import CLinux
import Datapath
import Flow
import Foundation
import Ports
import Synchronization

/// The captures' packets over and over from memory, to measure.
///
/// Each packet is copied into a fresh buffer as a receive would and parsed, looked up and executed anew; nothing about it is kept from loop to loop but
/// what the caches learned from its bytes. With several threads the packets are divided by flow, as a network card's queues would.
struct MeasuredReplay {
    var program: FlowProgram
    var inputs: [PortFile]
    var limits: Limits
    var ports: PortRegistry
    var repetitions: Int?
    var duration: Double?
    var threads: Int
    var usesCache: Bool
    var showsProgress: Bool

    func run() throws -> ReplaySummary {
        let merger = CaptureMerger(try inputs.map { CaptureMerger.Input(port: $0.port, reader: try CaptureReader($0.file)) })
        let arena = try CaptureArena()
        var warnings: [String] = []
        do throws(CaptureError) { _ = try arena.load(merger) } catch {
            guard error.isWarning else { throw error }
            warnings.append("\(error)")
        }
        guard arena.count > 0 else { throw CommandError("the captures hold no packets: \(inputs.map(\.file).joined(separator: ", "))") }
        let tables = FlowTables(limits: limits, ports: ports)
        let begin = arena.packets[0].time
        try program.apply(to: tables, now: begin)

        let shares = share(arena)
        let longest = Int(arena.packets.map(\.length).max() ?? 64)
        let loops = runWorkers(tables: tables, arena: arena, shares: shares, maxFrameLength: longest)
        var summary = ReplaySummary()
        summary.isMeasured = true
        summary.threads = threads
        summary.cache.enabled = usesCache
        summary.warnings = warnings
        summary.seconds = loops.seconds
        summary.loops = loops.count
        for w in loops.workers { summary.add(w, ports) }
        summary.addEntries(tables)
        summary.cutPackets = merger.cutRecordCount
        summary.backwardPackets = merger.backwardCount
        return summary
    }

    /// Packet numbers for each thread, nil for all.
    private func share(_ arena: CaptureArena) -> [[UInt32]?] {
        if threads == 1 { return [nil] }
        var shares = [[UInt32]](repeating: [], count: threads)
        for (i, p) in arena.packets.enumerated() {
            // Addresses and ports of IPv4; MAC addresses otherwise.
            let b = arena.bytes(of: p)
            var h: UInt64 = 0
            if b.count >= 38, b[12] == 8, b[13] == 0 {
                for k in 26..<38 { h = h &* 31 &+ UInt64(b[k]) }
            } else {
                for k in 0..<min(b.count, 54) { h = h &* 31 &+ UInt64(b[k]) }
            }
            shares[Int(weft_hash_finish(weft_hash_step(1, h)) % UInt32(threads))].append(UInt32(i))
        }
        return shares
    }

    /// What a thread needs and returns; each is touched by its thread alone while it runs.
    private final class Lane: @unchecked Sendable {
        let worker: Worker
        let frames: UnsafeMutableBufferPointer<ReceivedFrame>
        var loops: UInt64 = 0
        /// Packets so far, for the progress bar.
        let done = Atomic<UInt64>(0)
        var start: UInt64 = 0
        var end: UInt64 = 0
        init(worker: Worker, frames: UnsafeMutableBufferPointer<ReceivedFrame>) {
            self.worker = worker
            self.frames = frames
        }
        deinit { frames.deallocate() }
    }

    private func runWorkers(
        tables: FlowTables, arena: CaptureArena, shares: [[UInt32]?], maxFrameLength: Int
    ) -> (workers: [Worker], seconds: Double, count: UInt64) {
        let base = arena.bytes
        let lanes = shares.map { share -> Lane in
            let packets = arena.packets
            let n = share?.count ?? packets.count
            let frames = UnsafeMutableBufferPointer<ReceivedFrame>.allocate(capacity: n)
            for k in 0..<n {
                let p = packets[share.map { Int($0[k]) } ?? k]
                frames.initializeElement(
                    at: k, to: ReceivedFrame(bytes: base + Int(p.offset), length: Int(p.length), inPort: p.inPort, time: p.time))
            }
            return Lane(worker: Worker(tables: tables, usesCache: usesCache, maxFrameLength: maxFrameLength), frames: frames)
        }
        let ticker = ProgressTicker(isShown: showsProgress) { [duration, repetitions] progress, elapsed in
            let done = lanes.reduce(0) { $0 + Int($1.done.load(ordering: .relaxed)) }
            if let duration {
                progress.update(
                    done, fraction: elapsed / duration,
                    of: "\(ReplaySummary.decimal(min(elapsed, duration), 0)) of \(ReplaySummary.decimal(duration, 0)) s")
            } else if let repetitions {
                progress.update(done, of: repetitions * arena.count)
            }
        }
        defer { ticker.stop() }
        if lanes.count == 1 {
            tables.collectStatistics = { [unowned worker = lanes[0].worker] in worker.collectStatistics() }
            // A processor of its own, the last: what else runs tends to be on the first.
            weft_pin_to_processor(weft_allowed_processor(-1))
            loop(lanes[0])
        } else {
            let group = DispatchGroup()
            for (i, lane) in lanes.enumerated() {
                group.enter()
                let processor = weft_allowed_processor(Int32(i))
                Thread.detachNewThread {
                    weft_pin_to_processor(processor)
                    loop(lane)
                    group.leave()
                }
            }
            group.wait()
        }
        for lane in lanes { lane.worker.collectStatistics() }
        let start = lanes.map(\.start).min() ?? 0
        let end = lanes.map(\.end).max() ?? 0
        withExtendedLifetime(arena) {}
        return (lanes.map(\.worker), Double(end - start) / 1e9, lanes.map(\.loops).max() ?? 0)
    }

    /// One thread's loops over its packets.
    private func loop(_ lane: Lane) {
        let limit = duration.map { UInt64($0 * 1e9) }
        lane.start = weft_monotonic_ns()
        let n = lane.frames.count
        guard n > 0, let frames = lane.frames.baseAddress else {
            lane.end = lane.start
            return
        }
        outer: while true {
            var at = 0
            while at < n {
                let count = min(Worker.batchSize, n - at)
                lane.worker.process(frames + at, count: count)
                at += count
                // The clock is asked every 4096 packets.
                if at & 4095 == 0 { lane.done.store(lane.loops &* UInt64(n) &+ UInt64(at), ordering: .relaxed) }
                if let limit, at & 4095 == 0 || at >= n, weft_monotonic_ns() &- lane.start >= limit {
                    lane.loops += 1
                    break outer
                }
            }
            lane.loops += 1
            lane.done.store(lane.loops &* UInt64(n), ordering: .relaxed)
            if let repetitions, lane.loops >= UInt64(repetitions) { break }
        }
        lane.end = weft_monotonic_ns()
    }
}
