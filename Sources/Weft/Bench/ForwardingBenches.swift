import Datapath
import Foundation

/// Forwarding at full speed on one thread: the pipeline of six tables, and access lists.
enum ForwardingBenches {
    static func pipeline(flows: Int, seconds: Double) throws -> BenchResult {
        let worker = Worker(tables: try BenchTables.make(PipelineWorkload.flows))
        let frames = PipelineWorkload(flowCount: flows).frames()
        let m = ForwardingMeasurement.loop(worker, frames, seconds: seconds)
        return result(
            "pipe6-\(flows)", "six tables, \(ReplaySummary.count(UInt64(flows))) \(flows == 1 ? "flow" : "flows")", m, worker,
            [("flows", .integer(UInt64(flows)))])
    }

    /// Packets of a round in which no flow comes twice but by chance.
    static let coldPackets = 1 << 18
    static let warmFlows = 100_000

    static func accessList(rules: Int, isCold: Bool, seconds: Double) throws -> BenchResult {
        let workload = AccessListWorkload(rules: rules)
        let worker = Worker(tables: try BenchTables.make(workload.flows()))
        var m: ForwardingMeasurement
        if isCold {
            m = ForwardingMeasurement(packets: 0, seconds: 0)
            var part: UInt64 = 2
            // Packets are made between the rounds, out of the measured time. Short measurements make fewer.
            let count = min(coldPackets, max(4096, Int(seconds * Double(coldPackets))))
            repeat {
                let round = ForwardingMeasurement.pass(worker, workload.frames(count: count, part: part))
                m.packets += round.packets
                m.seconds += round.seconds
                part += 1
            } while m.seconds < seconds
        } else {
            m = ForwardingMeasurement.loop(worker, workload.frames(count: warmFlows, part: 1), seconds: seconds)
        }
        let name = "acl-\(rules)\(isCold ? "-cold" : "")"
        let what = isCold ? "every packet a new flow" : "\(ReplaySummary.count(UInt64(warmFlows))) flows"
        return result(
            name, "\(ReplaySummary.count(UInt64(rules)))-rule access list, \(what)", m, worker,
            [("rules", .integer(UInt64(rules))), ("cold", .flag(isCold))])
    }

    private static func result(
        _ name: String, _ description: String, _ m: ForwardingMeasurement, _ worker: Worker, _ more: [(String, BenchResult.Number)]
    ) -> BenchResult {
        let c = worker.counters
        let looked = c.hits + c.misses
        return BenchResult(
            workload: name, description: description,
            headline: "\(ReplaySummary.decimal(m.mpps, 2)) Mpps, \(ReplaySummary.decimal(m.nsPerPacket, 1)) ns per packet",
            numbers: more + [
                ("mpps", .decimal(m.mpps)), ("nsPerPacket", .decimal(m.nsPerPacket)), ("packets", .integer(m.packets)),
                ("seconds", .decimal(m.seconds)),
                ("cacheHitRate", .decimal(looked > 0 ? Double(c.hits) / Double(looked) : 0)), ("cachedFlows", .integer(UInt64(c.cachedFlows))),
                ("droppedPackets", .integer(DropReason.allCases.reduce(0) { $0 + worker.drops($1) })),
            ])
    }
}
