import ArgumentParser
import Foundation
import Glibc
import ServiceLog
import SwitchAgent

/// `weft capture`: packets of a running switch as pcapng.
struct CaptureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture", abstract: "Capture packets of a running switch, each with what became of it.",
        discussion: """
            Of a port, what arrives on it and what leaves by it; of a match, what arrives on any port and is like that. Arriving packets are as they \
            came, before any change; the packet comment says where they went: "to port 2 (vm2)", "dropped: noMatch". Packets that leave say where they \
            came from. Large segments and unfinished checksums are as the switch got them.

            Ends after --count packets, or at Ctrl-C. Packets that found no room on the way are counted and told at the end.

            Examples:
              weft capture vm1 -w vm1.pcapng
              weft capture --flow 'tcp,tp_dst=80' -w - | tshark -r - -T fields -e frame.number -e frame.comment
              weft capture vm1 -w - | tcpdump -nr -
            """)
    @OptionGroup var control: ControlOptions
    @Argument(help: "The port's name or number (this or --flow is required).") var port: String?
    @Option(help: ArgumentHelp("Packets that arrive and match, in flow text.", valueName: "match")) var flow: String?
    @Option(name: .customShort("w"), help: ArgumentHelp("The pcapng file to write (required); '-' is standard output.", valueName: "file")) var file:
        String
    @Option(help: ArgumentHelp("End after so many packets.", valueName: "n")) var count: Int?
    @Option(help: ArgumentHelp("Bytes to keep of each packet (default: all).", valueName: "bytes")) var snap: Int?

    func validate() throws {
        if (port == nil) == (flow == nil) { throw ValidationError("give either a port or --flow MATCH") }
        if let count, count < 1 { throw ValidationError("--count \(count): must be at least 1") }
        if let snap, !(14...(1 << 18)).contains(snap) { throw ValidationError("--snap \(snap): must be 14 to 262144") }
    }

    func run() throws {
        let client = try control.connect()
        let begun = try client.request(
            "capture", ControlValue.Capture(port: port, match: flow, count: count, snap: snap), ControlValue.CaptureBegun.self)
        let out = try OutputFile(file)
        // From here on an interrupt has the capture say how it went.
        ServiceSignals.hold([SIGINT, SIGTERM])
        note("capturing \(begun.what)")
        // What was written is whole at any moment.
        let counts = CaptureCounts()
        let sources = [SIGINT, SIGTERM].map { DispatchSource.makeSignalSource(signal: $0, queue: .global()) }
        for source in sources {
            source.setEventHandler { [json = control.json] in
                counts.finish(json: json, isOutputTaken: file == "-")
                Glibc.exit(0)
            }
            source.resume()
        }
        // Nothing else holds them: without this the optimiser lets them go here, and an interrupt is lost.
        defer { for source in sources { source.cancel() } }
        while let event = try client.nextEvent(CaptureEvent.self) {
            try counts.update(event) {
                if let bytes = event.pcapng { try out.write(bytes) }
                try out.flush()
            }
            if event.isEnd {
                counts.finish(json: control.json, isOutputTaken: file == "-")
                return
            }
        }
        counts.finish(json: control.json, isOutputTaken: file == "-")
        throw CommandError("the switch on \(client.path) has gone away")
    }

    private func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

/// What a capture has got so far, also for the handler of an interrupt.
private final class CaptureCounts: @unchecked Sendable {
    private let lock = NSLock()
    private var captured = 0
    private var missed: UInt64 = 0

    /// Holds off an interrupt while a piece is written.
    func update(_ event: CaptureEvent, _ write: () throws -> Void) rethrows {
        lock.lock()
        defer { lock.unlock() }
        try write()
        captured = event.captured
        missed = event.missed
    }

    func finish(json: Bool, isOutputTaken: Bool) {
        lock.lock()
        defer { lock.unlock() }
        let text = json ? "{\"captured\":\(captured),\"missed\":\(missed)}" : "\(captured) packets captured, \(missed) missed for lack of room"
        let handle = json && !isOutputTaken ? FileHandle.standardOutput : FileHandle.standardError
        handle.write(Data((text + "\n").utf8))
    }
}
