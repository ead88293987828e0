import Foundation
import Glibc
import Testing

@testable import Ports

/// Packet ports on veths, with the kernel's own stacks on the other ends.
@Suite(.serialized) struct PacketPortTests {
    @Test func `TCP crosses two packet ports intact and in large segments`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (left, middle, right) = try lab.twoWorkloads()
        let monitor = try LinkMonitor(namespace: NetworkNamespace(middle))
        let a = try PacketPort(name: "a", number: 1, configuration: .init(device: "a"), monitor: monitor)
        let b = try PacketPort(name: "b", number: 2, configuration: .init(device: "b"), monitor: monitor)
        let bridge = TwoPortBridge(a, b)
        for address in ["10.9.0.2", "fd09::2"] {
            let result = try TCPTransfer.run(lab, from: left, to: right, address: address, megabytes: 64)
            #expect(result.isIntact)
            print("packet ports: 64 MB of TCP to \(address) at \(result.gigabitsPerSecond) Gbit/s; \(a.summary)")
        }
        bridge.stop()
        #expect(bridge.counts.segmented > 0, "large segments must arrive whole")
        #expect(bridge.counts.unfinished > 0, "checksums are left to the device")
        #expect(bridge.counts.longest > 20_000)
        #expect(bridge.counts.refusals.isEmpty, "\(bridge.counts.refusals)")
        #expect(a.receiveErrors == ReceiveErrors())
        #expect(a.notices.isEmpty, "\(a.notices)")
        a.close()
        b.close()
    }
}
