import Datapath
import Flow
import Foundation

/// Writes the fate of each packet as a line of JSON.
final class FateWriter {
    private let file: OutputFile
    private let ports: PortRegistry
    private var lastMatch: [Int: (table: UInt8, priority: UInt16, cookie: UInt64)] = [:]

    /// - Parameter inputs: files in use, which must not be written onto.
    init(_ file: String, ports: PortRegistry, inputs: [String]) throws {
        self.file = try OutputFile(file, inputs: inputs)
        self.ports = ports
    }

    /// Notes the last entry that a packet of the batch matched.
    func ran(packet: Int, path: (table: UInt8, priority: UInt16, cookie: UInt64)?) {
        if let path { lastMatch[packet] = path }
    }

    /// Writes the lines of a finished batch.
    func ended(first: Int, frames: ArraySlice<ReceivedFrame>, _ recorder: EventRecorder) throws {
        var events: [Int: [EventRecorder.Event]] = [:]
        var n = 0
        for e in recorder.events {
            events[e.packet, default: []].append(e)
            n = max(n, e.packet + 1)
        }
        for i in 0..<n {
            let frame = frames[frames.startIndex + i]
            let ends = events[i] ?? []
            let outs = ends.filter { $0.kind == .transmitted }.map { ports.number(at: Int($0.port)) }
            let drop = ends.first { $0.kind == .dropped }.flatMap { DropReason(rawValue: UInt8($0.port)) }
            let verdict = !outs.isEmpty ? "forwarded" : ends.contains { $0.kind == .controller } ? "controller" : "dropped"
            var line = "{\"index\":\(first + i),\"time\":\(frame.time / 1_000_000_000)."
            let fraction = String(frame.time % 1_000_000_000)
            line += String(repeating: "0", count: 9 - fraction.count) + fraction
            line += ",\"inPort\":\(Self.port(frame.inPort)),\"length\":\(frame.length),\"verdict\":\"\(verdict)\""
            line += ",\"outPorts\":[\(outs.map(Self.port).joined(separator: ","))]"
            line += ",\"dropReason\":\(drop.map { "\"\($0.name)\"" } ?? "null")"
            if let m = lastMatch[i] {
                line += ",\"lastMatch\":{\"table\":\(m.table),\"priority\":\(m.priority),\"cookie\":\"0x\(String(m.cookie, radix: 16))\"}"
            } else {
                line += ",\"lastMatch\":null"
            }
            try file.write((line + "}\n").utf8)
        }
        lastMatch.removeAll(keepingCapacity: true)
    }

    /// Port numbers are numbers in JSON, LOCAL too.
    private static func port(_ n: UInt32) -> String { String(n) }

    func close() throws { try file.flush() }
}
