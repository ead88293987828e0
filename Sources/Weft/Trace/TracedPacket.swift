import ArgumentParser
import Datapath
import Flow
import Ports

/// The packet that a trace follows, described or captured.
struct TracedPacket {
    var bytes: [UInt8]
    var originalSize: Int
    var inPort: UInt32
    var time: UInt64 = 0
    var metadata: FlowKey?
    /// What the description gave, nil for a captured packet.
    var match: Match?
    var assumed: [String] = []
    var source: String?
    /// VLAN tags that must be parsed for the packet to be what was described.
    var tagCount = 0

    init(description: String) throws {
        let key: FlowKey
        let match: Match
        do throws(FlowTextDiagnostic) {
            (key, match) = try FlowText.parseMatch(description)
        } catch {
            throw CommandError("the packet '\(description)', column \(error.column): \(error.message)" + (error.suggestion.map { " \($0)" } ?? ""))
        }
        let composer = FrameComposer(key, given: match)
        bytes = composer.bytes
        originalSize = bytes.count
        inPort = composer.inPort
        metadata = composer.metadata
        self.match = match
        assumed = composer.assumed.map { FlowText.text($0.field, FieldValue(low: $0.value)) }
        tagCount = composer.tagCount
    }

    init(capture: String, number: Int, inPort: UInt32) throws {
        let reader = try CaptureReader(capture)
        while true {
            let record: CaptureRecord?
            do throws(CaptureError) {
                record = try reader.next()
            } catch {
                guard error.isWarning, !error.endsReading else { throw error }
                continue
            }
            guard let record else {
                throw CommandError("--packet \(number): \(capture) has \(reader.deliveredCount) packets")
            }
            guard record.number == number else { continue }
            bytes = Array(record.bytes)
            originalSize = record.originalLength
            time = record.time
            break
        }
        self.inPort = inPort
        source =
            "number \(number) of \(capture)"
            + (originalSize > bytes.count ? ", of which the capture has \(bytes.count) of \(originalSize) bytes" : "")
    }

    /// Refuses a description that no packet fits, rather than tracing another packet.
    func check(_ trace: PacketTrace) throws { try check(arrived: trace.arrived) }

    func check(arrived: FlowKey) throws {
        guard let match else { return }
        if match.accepts(arrived) { return }
        let differences = FlowFields.differences(match, arrived)
        let text = differences.map { "\($0.wanted) (it would be \($0.actual))" }.joined(separator: ", ")
        throw CommandError("no packet can be built with \(text.isEmpty ? "all of these values" : text)")
    }
}
