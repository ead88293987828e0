import CLinux
import Datapath
import Foundation
import Glibc
import Ports

/// What a capture sends to its client, one after the other.
public struct CaptureEvent: Codable, Sendable {
    /// Bytes of the pcapng file (base64 in JSON): whole blocks, to be written one after the other.
    public var pcapng: Data?
    /// Packets sent so far, and those that found no room.
    public var captured: Int
    public var missed: UInt64
    /// Whether this is the last event: `count` packets are captured, or the port is gone.
    public var isEnd: Bool
}

/// One capture: takes a mirror's records, makes pcapng of them and sends it to the client. Used on the control socket's thread.
final class CaptureStream {
    /// Output that may wait for the client; meanwhile the mirror fills up and counts what it misses.
    private static let pendingLimit = 4 << 20

    let mirror: FrameMirror
    private var encoder: PcapngEncoder
    private let remaining: Int?
    private let portName: (UInt32) -> String?
    private let onEnd: () -> Void
    /// Nanoseconds from the monotonic clock to the time of day.
    private let offset: UInt64
    private var captured = 0
    private var hasBegun = false
    private var hasEnded = false

    init(mirror: FrameMirror, count: Int?, portName: @escaping (UInt32) -> String?, onEnd: @escaping () -> Void) {
        self.mirror = mirror
        remaining = count
        self.portName = portName
        self.onEnd = onEnd
        encoder = PcapngEncoder(snapLength: mirror.snapLength)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        offset = UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec) - weft_monotonic_ns()
    }

    /// Lets the stream send; the reply to the request has gone out.
    func begin() {
        if hasBegun { return }
        hasBegun = true
        header = encoder.sectionHeader(application: "weft capture")
        if case .port(let number) = mirror.filter { header += encoder.interface(name(number)) }
    }
    private var header: [UInt8] = []

    func drain(to connection: ControlConnection, now: UInt64) {
        guard hasBegun, !hasEnded, connection.pendingBytes < Self.pendingLimit else { return }
        var bytes = header
        header = []
        for record in mirror.take() {
            if let remaining, captured >= remaining { break }
            bytes += encoder.packet(
                interface: name(record.outPort ?? record.inPort), time: record.time &+ offset, bytes: record.bytes, length: record.length,
                direction: record.outPort == nil ? .inbound : .outbound, comment: comment(record))
            captured += 1
        }
        let isDone = remaining.map { captured >= $0 } ?? false
        if bytes.isEmpty, !isDone { return }
        if isDone { bytes += statistics() }
        connection.send(
            ControlLine.event(CaptureEvent(pcapng: Data(bytes), captured: captured, missed: mirror.missed, isEnd: isDone)), now: now)
        if isDone {
            end()
            connection.stream = nil
        }
    }

    private func statistics() -> [UInt8] {
        guard case .port(let number) = mirror.filter else { return [] }
        return encoder.statistics(interface: name(number), time: weft_monotonic_ns() &+ offset, missed: mirror.missed)
    }

    func end() {
        if hasEnded { return }
        hasEnded = true
        onEnd()
    }

    private func name(_ port: UInt32) -> String { portName(port) ?? "port \(port)" }
    private func port(_ number: UInt32) -> String { portName(number).map { "port \(number) (\($0))" } ?? "port \(number)" }

    private func comment(_ record: FrameMirror.Record) -> String {
        let ends = record.ends.map { end -> String in
            switch end {
            case .port(let number): "to \(port(number))"
            case .controller: "to controller"
            case .dropped(let reason): "dropped: \(reason.name)"
            case .refused(let number, let reason): "dropped: \(reason.name) at \(port(number))"
            }
        }
        if record.outPort == nil { return ends.joined(separator: ", ") }
        // What left: where it came from, and whether the port took it.
        if case .refused? = record.ends.first { return "from \(port(record.inPort)), \(ends[0])" }
        return "from \(port(record.inPort))"
    }
}
