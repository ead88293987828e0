import Foundation
import Testing

@testable import Ports

/// What is known of devices that change.
@Suite struct LinkMonitorTests {
    @Test func `More changes than the socket holds leave what is true at the end`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let space = try lab.namespace()
        try lab.ip(space, "link add x type veth peer name y")
        try lab.ip(space, "link set y up")
        let monitor = try LinkMonitor(namespace: NetworkNamespace(space))
        let file = NSTemporaryDirectory() + "weft-\(UUID().uuidString)"
        defer { unlink(file) }
        for (last, isUp) in [("up", true), ("down", false), ("up", true)] {
            // Nobody reads meanwhile; the last changes find no room.
            let flaps = (0..<400).map { _ in "link set x up\nlink set x down\n" }.joined()
            try (flaps + "link set x mtu \(isUp ? 1400 : 1300)\nlink set x \(last)\n").write(toFile: file, atomically: true, encoding: .utf8)
            try lab.ip(space, "-batch \(file)")
            #expect(monitor.drain())
            let link = try #require(monitor.link(named: "x"))
            #expect(link.isUp == isUp && link.mtu == (isUp ? 1400 : 1300))
        }
        monitor.close()
    }
}
