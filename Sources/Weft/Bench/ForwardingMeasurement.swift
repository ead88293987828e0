import CLinux
import Datapath
import Flow
import Foundation

/// What forwarding a loop of frames took on the calling thread.
struct ForwardingMeasurement {
    var packets: UInt64
    var seconds: Double
    var mpps: Double { seconds > 0 ? Double(packets) / seconds / 1e6 : 0 }
    var nsPerPacket: Double { packets > 0 ? seconds * 1e9 / Double(packets) : 0 }

    /// Forwards `frames` from first to last once.
    static func pass(_ worker: Worker, _ frames: FrameBuffer) -> ForwardingMeasurement {
        let start = weft_monotonic_ns()
        var at = 0
        while at < frames.count {
            let n = min(Worker.batchSize, frames.count - at)
            worker.process(frames.frames + at, count: n)
            at += n
        }
        return ForwardingMeasurement(packets: UInt64(frames.count), seconds: Double(weft_monotonic_ns() - start) / 1e9)
    }

    /// Forwards `frames` over and over for some time. One pass before that warms the caches and is not counted.
    static func loop(_ worker: Worker, _ frames: FrameBuffer, seconds: Double) -> ForwardingMeasurement {
        _ = pass(worker, frames)
        var packets: UInt64 = 0
        let limit = UInt64(seconds * 1e9)
        let start = weft_monotonic_ns()
        var now = start
        var at = 0
        repeat {
            // The clock is asked every 64 batches.
            for _ in 0..<64 {
                let n = min(Worker.batchSize, frames.count - at)
                worker.process(frames.frames + at, count: n)
                packets &+= UInt64(n)
                at += n
                if at == frames.count { at = 0 }
            }
            now = weft_monotonic_ns()
        } while now - start < limit
        return ForwardingMeasurement(packets: packets, seconds: Double(now - start) / 1e9)
    }
}

/// The tables of a benchmark, filled from flow text.
enum BenchTables {
    static func make(_ text: String) throws -> FlowTables {
        let parsed = FlowText.parse(text)
        if let error = parsed.errors.first { throw CommandError("the built-in flow entries are not readable: \(error)") }
        let tables = FlowTables()
        for m in parsed.modifications { try tables.apply(m, now: 0) }
        tables.publish()
        return tables
    }
}

/// Resident memory of this process.
enum ProcessMemory {
    private static func status(_ key: String) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
            return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }
        return nil
    }

    /// Bytes resident now, after the allocator gave back what it does not need; nil where the system does not tell.
    static var resident: Int? {
        weft_release_free_memory()
        return status("VmRSS")
    }

    /// The most that was ever resident.
    static var peak: Int? { status("VmHWM") }
}
