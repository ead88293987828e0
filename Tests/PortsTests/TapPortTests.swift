import Foundation
import Glibc
import Testing

@testable import Ports

/// TAP ports whose devices are in the namespaces of the workloads.
@Suite(.serialized) struct TapPortTests {
    /// A TAP in a namespace of its own with an address on it.
    private func tap(_ lab: NetworkLab, _ number: UInt32, workers: Int = 1, mtu: Int = 1500) throws -> (space: String, port: TapPort) {
        let space = try lab.namespace()
        let configuration = TapPort.Configuration(device: "tap0", mtu: mtu, address: [2, 0, 0, 0, 1, UInt8(number)], workers: workers)
        let port = try TapPort(
            name: "t\(number)", number: number, configuration: configuration, monitor: LinkMonitor(namespace: NetworkNamespace(space)))
        try lab.ip(space, "addr add 10.9.0.\(number)/24 dev tap0")
        try lab.ip(space, "addr add fd09::\(number)/64 dev tap0 nodad")
        return (space, port)
    }

    @Test(arguments: [1, 2]) func `TCP crosses two TAPs intact and in large segments`(workers: Int) throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (left, a) = try tap(lab, 1, workers: workers)
        let (right, b) = try tap(lab, 2, workers: workers)
        #expect(a.address == [2, 0, 0, 0, 1, 1])
        #expect(NetworkLab.refresh([a], a.monitor) { a.status.isForwarding })
        #expect(a.status.mtu == 1500)
        let bridges = (0..<workers).map { TwoPortBridge(a, b, worker: $0) }
        for address in ["10.9.0.2", "fd09::2"] {
            let result = try TCPTransfer.run(lab, from: left, to: right, address: address, megabytes: 64)
            #expect(result.isIntact)
            print("TAPs: 64 MB of TCP to \(address) at \(result.gigabitsPerSecond) Gbit/s; \(a.summary)")
        }
        for bridge in bridges { bridge.stop() }
        #expect(bridges.contains { $0.counts.segmented > 0 && $0.counts.longest > 20_000 })
        #expect(bridges.allSatisfy { $0.counts.refusals.isEmpty })
        #expect(a.receiveErrors == ReceiveErrors())
        a.close()
        b.close()
    }

    @Test func `TCP between a large and a small MTU`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (left, a) = try tap(lab, 1, mtu: 9000)
        let (right, b) = try tap(lab, 2, mtu: 1400)
        let bridge = TwoPortBridge(a, b)
        #expect(try TCPTransfer.run(lab, from: left, to: right, address: "10.9.0.2", megabytes: 16).isIntact)
        bridge.stop()
        a.close()
        b.close()
    }

    @Test func `A TAP that is deleted is made anew`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (space, port) = try tap(lab, 1)
        let receiver = port.receiver(worker: 0)!
        let transmitter = port.transmitter(worker: 0)
        let owned = OwnedFrame(TransportFrame().bytes())
        try lab.ip(space, "link set dev tap0 down")
        transmitter.transmit(owned.frame, count: 1)
        #expect(owned.frame.pointee.refusal == .portDown)
        #expect(port.refresh() && !port.status.isUp)
        try lab.ip(space, "link del dev tap0")
        owned.frame.pointee.refusal = .none
        transmitter.transmit(owned.frame, count: 1)
        #expect(owned.frame.pointee.refusal == .portDown)
        let buffers = FrameBuffers(count: 4)
        while receiver.receive(buffers.slots, count: 4) > 0 {}
        #expect(receiver.receive(buffers.slots, count: 4) == 0)
        #expect(port.refresh())
        #expect(NetworkLab.refresh([port], port.monitor) { port.status.isForwarding })
        #expect(port.address == [2, 0, 0, 0, 1, 1])
        owned.frame.pointee.refusal = .none
        port.transmitter(worker: 0).transmit(owned.frame, count: 1)
        #expect(owned.frame.pointee.refusal == .none)
        #expect(!port.refresh())
        port.close()
    }

    @Test func `A persistent TAP outlives its port and is adopted by the next`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let space = try lab.namespace()
        let monitor = try LinkMonitor(namespace: NetworkNamespace(space))
        var configuration = TapPort.Configuration(device: "keep", isPersistent: true)
        let first = try TapPort(name: "keep", number: 1, configuration: configuration, monitor: monitor)
        #expect(first.summary.contains("made, persistent"))
        // Single queue, and in use.
        #expect(throws: PortError.self) { try TapPort(name: "keep", number: 1, configuration: configuration, monitor: monitor) }
        first.close()
        monitor.drain()
        let index = try #require(monitor.link(named: "keep")?.index)
        configuration.workers = 2
        let second = try TapPort(name: "keep", number: 1, configuration: configuration, monitor: monitor)
        #expect(second.summary.contains("adopted"))
        #expect(monitor.link(named: "keep")?.index == index)
        #expect(NetworkLab.refresh([second], monitor) { second.status.isForwarding })
        second.close()
        // One that is not persistent goes with its port.
        let brief = try TapPort(name: "brief", number: 1, configuration: .init(device: "brief"), monitor: monitor)
        brief.close()
        monitor.drain()
        #expect(monitor.link(named: "brief") == nil)
    }

    @Test func `Bad names and devices that are no TAPs are told in words`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let monitor = try LinkMonitor(namespace: NetworkNamespace(try lab.namespace()))
        for name in ["", "a-name-that-is-too-long", "a/b", "lo"] {
            #expect(throws: PortError.self) { try TapPort(name: "t", number: 1, configuration: .init(device: name), monitor: monitor) }
        }
    }
}
