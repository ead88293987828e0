import Datapath
import Flow
import Foundation
import SwitchAgent

/// A trace in a running switch: the switch follows the packet and renders the report, so that both forms are those of a trace in files.
struct LiveTrace: Codable {
    /// The report as `weft trace` prints it.
    var text: String
    /// The report as `weft trace --json` prints it.
    var report: String
    /// The words of the flow as parsed.
    var arrived: [UInt64]

    struct Request: Codable {
        var packet: ControlValue.Trace
        var originalSize: Int
        var assumed: [String]
        var source: String?
        /// The description of the packet.
        var description: String?
        var explainsHigher: Bool
        var isStyled: Bool
    }

    /// Carries out a request, in the switch.
    static func answer(_ call: ControlCall, _ s: VirtualSwitch) throws(ControlError) -> Data {
        let r: Request = try call.parameters()
        guard s.hasPort(r.packet.inPort) || r.packet.inPort == ReservedPort.local || r.packet.inPort == ReservedPort.controller else {
            throw ControlError(.notFound, "in_port \(r.packet.inPort) is no port of the switch; weft port list tells them")
        }
        if r.packet.frame.count > s.options.maxFrameLength {
            throw ControlError(.badParameters, "a frame of \(r.packet.frame.count) bytes is too long")
        }
        var metadata: FlowKey?
        if let words = r.packet.metadata {
            guard words.count == FlowKeyLayout.wordCount else {
                throw ControlError(.badParameters, "metadata has \(words.count) words, not \(FlowKeyLayout.wordCount)")
            }
            var key = FlowKey()
            for (i, w) in words.enumerated() { key.words[i] = w }
            metadata = key
        }
        let given = r.description.flatMap { try? FlowText.parseMatch($0).match }
        let frame = Array(r.packet.frame)
        let trace = s.trace(frame, inPort: r.packet.inPort, metadata: metadata, refusalLimit: min(max(r.packet.whyNotLimit, 0), 1000))
        let report = TraceReport(
            trace, frame: frame, originalSize: r.originalSize, inPort: r.packet.inPort, assumed: r.assumed, source: r.source, given: given,
            explainsHigher: r.explainsHigher)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            // One line: the reply is.
            return try JSONEncoder().encode(
                LiveTrace(
                    text: report.text(TextStyle(isOn: r.isStyled)), report: String(decoding: try encoder.encode(report), as: UTF8.self),
                    arrived: (0..<FlowKeyLayout.wordCount).map { trace.arrived.words[$0] }))
        } catch {
            throw ControlError(.failed, "\(error)")
        }
    }
}
