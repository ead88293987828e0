import Foundation
import Testing

/// The recorded traffic through the network file that describes where it was recorded: what a real network of kernel bridges and a kernel router delivered
/// is what the computed entries on two hosts deliver.
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

    @Test func theComputedNetworkDeliversWhatTheKernelsDid() throws {
        let q = Quickstart.folder
        let ports = ["web1", "web2", "db1"]
        var arguments = ["replay", "--network", "\(q)/network.yaml", "--json"]
        for (port, file) in zip(ports, ["port-1.pcap", "port-2.pcap", "port-3.pcapng"]) {
            arguments += ["--in", "\(port)=\(q)/\(file)", "--out", "\(port)=\(folder.name(port))"]
        }
        let run = try WeftProgram.run(arguments, in: folder)
        #expect(run.code == 0, "\(run.errors)")
        #expect(try run.object()["packets"] as? Int == 3005)
        var forwarded = 0
        for (i, port) in ports.enumerated() {
            let ours = Self.counted(folder.bytes(port))
            let kernel = Self.counted(Array(try Data(contentsOf: URL(fileURLWithPath: "\(q)/received-\(i + 1).pcap"))))
            let tooMany = Self.excess(ours, over: kernel)
            // What the router says itself may differ; one multicast report was sent before the other host's cable was plugged in.
            let unexplained = tooMany.filter { !Self.routerMACs.contains(Self.source($0)) }
            #expect(unexplained.count <= (port == "web2" ? 1 : 0), "\(port): \(unexplained)")
            #expect(tooMany.count <= 15)
            for frame in Self.excess(kernel, over: ours) {
                #expect(
                    Self.isTagged(frame) || Self.isForged(frame) || Self.asksForRouter(frame) || Self.routerMACs.contains(Self.source(frame)),
                    "\(port): the kernel delivered \(frame)")
                // Of routed packets only what the router itself made is missing: errors, questions, reports.
                if Self.routerMACs.contains(Self.source(frame)), Self.type(frame) == 0x0800, !Self.isForged(frame) {
                    #expect(frame[23] == 1 && frame[26...28] == [10, UInt8(port == "db1" ? 2 : 1), 0] && frame[29] == 1, "\(port): \(frame)")
                }
            }
            forwarded += ours.values.reduce(0, +) - tooMany.count
        }
        #expect(forwarded > 2700)
    }
}
