import Foundation

@testable import OpenFlow

/// What `ovs-ofctl ofp-parse` makes of messages; the judge of the bytes that the encoder writes.
enum OpenVSwitchPrint {
    static let program = "/usr/bin/ovs-ofctl"

    static var isInstalled: Bool {
        if FileManager.default.isExecutableFile(atPath: program) { return true }
        print("skipped: \(program) is not installed (package openvswitch-common)")
        return false
    }

    /// The name that Open vSwitch gives a message, where it is not ours.
    static func name(_ m: Message, _ version: OpenFlowVersion) -> String {
        switch m.name(version) {
        case "OFPST_FLOW_MONITOR request" where version < .v14: "ONFST_FLOW_MONITOR request"
        case "OFPST_FLOW_MONITOR reply" where version < .v14: "ONFST_FLOW_MONITOR reply"
        case "OFPT_BUNDLE_CONTROL" where version < .v14: "ONFT_BUNDLE_CONTROL"
        case "OFPT_BUNDLE_ADD_MESSAGE" where version < .v14: "ONFT_BUNDLE_ADD_MESSAGE"
        case "OFPT_ROLE_STATUS" where version < .v14: "ONFT_ROLE_STATUS"
        case let name: name
        }
    }

    /// The first line for each message, in order; what follows a line until the next message is appended with " | ".
    static func lines(_ messages: [[UInt8]], verbosity: Int = 2) throws -> [String] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("weft-openflow-\(UUID().uuidString).bin")
        try Data(messages.flatMap { $0 }).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["ofp-parse", file.path]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        var lines: [String] = []
        for l in text.split(separator: "\n", omittingEmptySubsequences: true) {
            if l.contains("(xid=0x") { lines.append(String(l)) } else if !lines.isEmpty { lines[lines.count - 1] += " | " + l }
        }
        return lines
    }
}
