import ArgumentParser
import CLinux
import Datapath
import Foundation
import LogicalNetwork
import NetworkSimulation
import Ports
import Translation

/// Captures through a whole logical network: each packet enters at a workload's port, all hosts being in this process, and its fate is told in the network's
/// words.
struct NetworkReplay {
    let network: LoadedNetwork
    let inputs: [NamedFile]
    let outputs: [NamedFile]
    let fates: String?
    let usesCache: Bool
    let showsProgress: Bool

    func run() throws -> NetworkReplaySummary {
        let entries = try inputs.map { try self.entry($0) }
        let readers = try inputs.enumerated().map { CaptureMerger.Input(port: UInt32($0.offset + 1), reader: try CaptureReader($0.element.file)) }
        let merger = CaptureMerger(readers)
        var writers: [String: CaptureWriter] = [:]
        for o in outputs {
            let port = try network.port(named: o.name)
            let path = "\(port.tenant)/\(port.owner)/\(port.port.name)"
            if writers[path] != nil { throw ValidationError("--out \(o.name)=\(o.file): \(path) has an --out already") }
            writers[path] = try CaptureWriter(o.file, precision: merger.precision, inputs: readers.map(\.reader))
        }
        let fateFile = try fates.map { try OutputFile($0, inputs: inputs.map(\.file)) }
        let simulation = try SimulatedNetwork(network.translation, usesCache: usesCache)
        var summary = NetworkReplaySummary()
        for host in simulation.hostNames { summary.entries[host] = simulation.entryCount(host: host) }
        for o in outputs { summary.files[try path(o)] = o.file }
        let progress = Progress(label: "replaying", isShown: showsProgress)
        let start = weft_monotonic_ns()
        reading: while true {
            let arrival: CaptureMerger.Arrival
            do throws(CaptureError) {
                guard let next = try merger.next() else { break reading }
                arrival = next
            } catch {
                // What was read before a capture breaks off is replayed; the user is told.
                guard error.isWarning else { throw error }
                summary.warnings.append("\(error)")
                if error.endsReading { break reading }
                continue
            }
            let from = entries[Int(arrival.port) - 1]
            let bytes = Array(arrival.record.bytes)
            guard let fate = simulation.send(bytes, from: from, time: arrival.time) else { continue }
            summary.add(fate, from: from.description, bytes: bytes.count)
            let cut = max(0, arrival.record.originalLength - arrival.record.capturedLength)
            for (port, delivered) in fate.deliveries {
                guard let writer = writers[port] else { continue }
                try delivered.withUnsafeBytes { try writer.write(time: arrival.time, bytes: $0, originalLength: delivered.count + cut) }
            }
            try fateFile?.write((FateLine.json(fate, packet: summary.packets, time: arrival.time, from: from.description) + "\n").utf8)
            progress.update(summary.packets)
        }
        progress.finish()
        summary.seconds = Double(weft_monotonic_ns() - start) / 1e9
        for writer in writers.values { try writer.close() }
        try fateFile?.flush()
        summary.tunneled = simulation.tunnelCount
        return summary
    }

    private func path(_ end: NamedFile) throws -> String {
        let port = try network.port(named: end.name)
        return "\(port.tenant)/\(port.owner)/\(port.port.name)"
    }

    /// The port where a capture enters.
    private func entry(_ end: NamedFile) throws -> PortAddress {
        let port = try network.port(named: end.name)
        if port.port.host == nil { throw ValidationError("--in \(end.name)=\(end.file): the port is on no host, so nothing comes from it") }
        return PortAddress(tenant: port.tenant, owner: port.owner, port: port.port.name)
    }
}

/// A packet's fate as a line of JSON.
enum FateLine {
    private struct Line: Encodable {
        struct Drop: Encodable {
            var host: String
            var stage: String?
            var by: String?
            var reason: String
        }
        struct Request: Encodable {
            var host: String
            var by: String
            var answered: Bool
        }
        var packet: Int
        var time: Double
        var from: String
        var hosts: [String]
        var to: [String]
        var dropped: [Drop]
        var controller: [Request]
    }

    static func json(_ fate: PacketFate, packet: Int, time: UInt64, from: String) -> String {
        var line = Line(
            packet: packet, time: Double(time) / 1e9, from: from, hosts: fate.hosts, to: fate.deliveries.map(\.port), dropped: [], controller: [])
        for end in fate.ends {
            switch end {
            case .delivered: break
            case .dropped(let drop):
                line.dropped.append(.init(host: drop.host, stage: drop.stage?.title, by: drop.meaning, reason: drop.reason.name))
            case .request(let host, let meaning, let isAnswered): line.controller.append(.init(host: host, by: meaning, answered: isAnswered))
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try! encoder.encode(line), as: UTF8.self)
    }
}
