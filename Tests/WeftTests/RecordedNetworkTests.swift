import Foundation
import Testing

/// The recorded traffic through the network file that describes where it was recorded: what real networks of kernel bridges and a kernel router, one for
/// each tenant, delivered is what the computed entries on two hosts that they share deliver.
@Suite struct RecordedNetworkTests {
    private let folder = TemporaryFolder()
    private static let routerMACs: [[UInt8]] = [[2, 0, 0, 0, 1, 1], [2, 0, 0, 0, 2, 1]]

    private static func counted(_ bytes: [UInt8]) -> [[UInt8]: Int] {
        PcapBytes.decode(bytes).reduce(into: [:]) { $0[$1.packet, default: 0] += 1 }
    }

    /// Frames of `a` that `b` has not, as often as they are too many.
    private static func excess(_ a: [[UInt8]: Int], over b: [[UInt8]: Int]) -> [[UInt8]] {
        a.flatMap { frame, n in Array(repeating: frame, count: max(0, n - (b[frame] ?? 0))) }
    }

    private static func source(_ f: [UInt8]) -> [UInt8] { Array(f[6..<12]) }
    private static func type(_ f: [UInt8]) -> Int { Int(f[12]) << 8 | Int(f[13]) }
    private static func isTagged(_ f: [UInt8]) -> Bool { type(f) == 0x8100 }

    /// Asks for an address of the router, which the first hop answers instead of asking everybody.
    private static func asksForRouter(_ f: [UInt8]) -> Bool {
        if type(f) == 0x0806 { return f[21] == 1 && (Array(f[38..<42]) == [10, 1, 0, 1] || Array(f[38..<42]) == [10, 2, 0, 1]) }
        guard type(f) == 0x86dd, f[20] == 58, f[54] == 135 else { return false }
        let target = Array(f[62..<78])
        return target.suffix(2) == [0, 1] || target.suffix(3) == [0, 1, 1] || target.suffix(3) == [0, 2, 1]
    }

    /// From 10.1.0.66 or 02:00:de:ad:00:01, which nobody has: port security.
    private static func isForged(_ f: [UInt8]) -> Bool {
        source(f) == [2, 0, 0xde, 0xad, 0, 1] || (type(f) == 0x0800 && Array(f[26..<30]) == [10, 1, 0, 66])
    }

    /// A tenant's port, what it sent, what the kernel's network gave it, and what may be seen of it here and not there.
    private struct Recorded {
        var port: String
        var sent: String
        var received: String
        var unexplained = 0
    }

    private static let recorded = [
        // One multicast report was sent before the other host's cable was plugged in.
        Recorded(port: "shop/web/web1", sent: "port-1.pcap", received: "received-1.pcap"),
        Recorded(port: "shop/web/web2", sent: "port-2.pcap", received: "received-2.pcap", unexplained: 1),
        Recorded(port: "shop/db/db1", sent: "port-3.pcapng", received: "received-3.pcap"),
        Recorded(port: "test/web/web1", sent: "test-web1.pcap", received: "test-web1-received.pcap"),
        Recorded(port: "test/web/web2", sent: "test-web2.pcap", received: "test-web2-received.pcap", unexplained: 1),
        Recorded(port: "test/db/db1", sent: "test-db1.pcap", received: "test-db1-received.pcap"),
    ]

    @Test func bothTenantsGetWhatTheirOwnKernelsGaveThem() throws {
        let q = Quickstart.folder
        var arguments = ["replay", "--network", "\(q)/network.yaml", "--json"]
        for r in Self.recorded { arguments += ["--in", "\(r.port)=\(q)/\(r.sent)", "--out", "\(r.port)=\(folder.name(Self.file(r)))"] }
        let run = try WeftProgram.run(arguments, in: folder)
        #expect(run.code == 0, "\(run.errors)")
        #expect(try run.object()["packets"] as? Int == 3280)
        let tenants = try #require(try run.object()["tenants"] as? [String: [String: Int]])
        #expect(tenants["shop"]?["sentPackets"] == 3005 && tenants["test"]?["sentPackets"] == 275)
        #expect(tenants.values.allSatisfy { $0["deliveredToOthers"] == 0 })
        var forwarded = 0
        for r in Self.recorded {
            let ours = Self.counted(folder.bytes(Self.file(r)))
            let kernel = Self.counted(Array(try Data(contentsOf: URL(fileURLWithPath: "\(q)/\(r.received)"))))
            let tooMany = Self.excess(ours, over: kernel)
            // What the router says itself may differ.
            let unexplained = tooMany.filter { !Self.routerMACs.contains(Self.source($0)) }
            #expect(unexplained.count <= r.unexplained, "\(r.port): \(unexplained)")
            #expect(tooMany.count <= 15)
            for frame in Self.excess(kernel, over: ours) {
                #expect(
                    Self.isTagged(frame) || Self.isForged(frame) || Self.asksForRouter(frame) || Self.routerMACs.contains(Self.source(frame)),
                    "\(r.port): the kernel delivered \(frame)")
                // Of routed packets only what the router itself made is missing: errors, questions, reports.
                if Self.routerMACs.contains(Self.source(frame)), Self.type(frame) == 0x0800, !Self.isForged(frame) {
                    #expect(
                        frame[23] == 1 && frame[26...28] == [10, UInt8(r.port.contains("db") ? 2 : 1), 0] && frame[29] == 1, "\(r.port): \(frame)")
                }
            }
            forwarded += ours.values.reduce(0, +) - tooMany.count
        }
        #expect(forwarded > 2950)
    }

    private static func file(_ r: Recorded) -> String { r.port.replacingOccurrences(of: "/", with: "-") + ".pcap" }

    /// `tools/quickstart` with the program that was built beside the tests, so that nothing is installed or built.
    @Test func theQuickstartShowsBothTenantsAndItsFurtherCommandsWork() throws {
        let root = URL(fileURLWithPath: Quickstart.folder + "/../../..").standardized.path
        let run = try WeftProgram.runTool("env", ["TMPDIR=\(folder.path)", "\(root)/tools/quickstart", "--weft", WeftProgram.path], in: folder)
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.text.contains("Replayed 3,280 packets (915.6 kB) through the network."))
        #expect(run.text.contains(#/shop +3,005 +2,782 +223 +13 +0\n/#) && run.text.contains(#/test +275 +259 +16 +2 +0\n/#))
        let commands = run.text.split(separator: "\n").compactMap { $0.firstMatch(of: #/^  [a-z… '\-]+?  +(\S*weft (net|replay|trace) .*)$/#)?.1 }
        #expect(commands.count >= 7, "\(run.text)")
        for command in commands where !command.contains("--duration") {
            let first = command.prefix { $0 != "|" }
            let outcome = try WeftProgram.runTool("sh", ["-c", "cd '\(root)' && \(first)"], in: folder)
            #expect(outcome.code == 0 && !outcome.output.isEmpty, "\(first): \(outcome.errors)")
        }
        #expect(try WeftProgram.runTool("\(root)/tools/quickstart", ["--wrong"], in: folder).code == 2)
    }
}
