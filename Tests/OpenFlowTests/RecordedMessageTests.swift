import Flow
import Foundation
import Testing

@testable import OpenFlow

/// Messages recorded from `ovs-ofctl` (Tests/Captures/OpenFlow).
@Suite struct RecordedMessageTests {
    struct Recorded {
        let version: OpenFlowVersion
        let bytes: [UInt8]
        let command: String
    }

    static let all: [Recorded] = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let text = try! String(contentsOf: root.appendingPathComponent("Captures/OpenFlow/ovs-ofctl.tsv"), encoding: .utf8)
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: "\t").map(String.init)
            let version: OpenFlowVersion = parts[0] == "1.3" ? .v13 : parts[0] == "1.4" ? .v14 : .v15
            return Recorded(version: version, bytes: RefusalTests.bytes(parts[1]), command: parts[2])
        }
    }()

    @Test func everyMessageIsReadAndWrittenBackByteForByte() throws {
        #expect(Self.all.count > 90)
        for r in Self.all {
            var decoder = MessageDecoder(r.version)
            do {
                let m = try decoder.decode(r.bytes)
                let again = try? MessageEncoder(r.version).encode(m)
                if r.version == .v15, m.description.contains("ADD reg0=0x5 ") {
                    // From 1.5 on Open vSwitch matches a register as half of a packet register.
                    #expect(try decoder.decode(again ?? []) == m)
                } else {
                    #expect(again == r.bytes, "\(r.command): \(m)")
                }
            } catch {
                Issue.record("\(r.command) in \(r.version.text): \(error)")
            }
        }
    }

    @Test func theTextOfFlowModsIsOpenVSwitchs() throws {
        guard OpenVSwitchPrint.isInstalled else { return }
        let flowMods = Self.all.filter { $0.bytes[1] == 14 }
        let theirs = try OpenVSwitchPrint.lines(flowMods.map(\.bytes))
        for (r, line) in zip(flowMods, theirs) {
            var decoder = MessageDecoder(r.version)
            let ours = try decoder.decode(r.bytes).description
            #expect(ours == line.replacing("pop_vlan", with: "strip_vlan"), "\(r.command)")
        }
    }
}
