import Foundation
import Testing

@testable import Ports

/// AF_XDP ports on veths. Skipped where the kernel or libxdp gives no such socket.
@Suite(.serialized) struct XDPPortTests {
    @Test func `TCP crosses an AF_XDP port, finished in software`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (left, middle, right) = try lab.twoWorkloads()
        // What arrives by AF_XDP must have complete checksums.
        for space in [left, right] { try lab.inside(space, ["ethtool", "-K", "eth0", "tx", "off", "gso", "off"]) }
        let monitor = try LinkMonitor(namespace: NetworkNamespace(middle))
        let (a, notice) = try XDPPort.makeOrFallBack(name: "a", number: 1, configuration: .init(device: "a"), monitor: monitor)
        if let notice {
            print("skipped: AF_XDP: \(notice)")
            #expect(a is PacketPort)
            a.close()
            return
        }
        #expect(a.summary.contains("XDP"))
        // The other side has offloads, so large segments go to a port that has to cut them.
        let b = try PacketPort(name: "b", number: 2, configuration: .init(device: "b"), monitor: monitor)
        let bridge = TwoPortBridge(a, b)
        let there = try TCPTransfer.run(lab, from: left, to: right, address: "10.9.0.2", megabytes: 16)
        let back = try TCPTransfer.run(lab, from: right, to: left, address: "10.9.0.1", megabytes: 16)
        bridge.stop()
        print("AF_XDP: 16 MB of TCP at \(there.gigabitsPerSecond) and back at \(back.gigabitsPerSecond) Gbit/s; \(a.summary)")
        #expect(there.isIntact && back.isIntact)
        a.close()
        b.close()
        // The program is gone with the port.
        let link = try lab.inside(middle, ["ip", "link", "show", "dev", "a"])
        #expect(!link.contains("xdp"), "\(link)")
    }

    @Test func `A device that AF_XDP cannot take becomes a packet port, and a notice says why`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let space = try lab.namespace()
        try lab.ip(space, "link add name x mtu 9000 type veth peer name y")
        let monitor = try LinkMonitor(namespace: NetworkNamespace(space))
        let (port, notice) = try XDPPort.makeOrFallBack(name: "x", number: 1, configuration: .init(device: "x"), monitor: monitor)
        #expect(port is PacketPort)
        #expect(notice?.contains("MTU") == true && notice?.contains("packet socket") == true)
        port.close()
    }

    @Test func `Segments and checksums are finished before an AF_XDP socket`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let space = try lab.namespace()
        try lab.ip(space, "link add name x type veth peer name y")
        for device in ["x", "y"] {
            try lab.inside(space, ["sysctl", "-qw", "net.ipv6.conf.\(device).disable_ipv6=1"])
            try lab.ip(space, "link set dev \(device) up")
        }
        let monitor = try LinkMonitor(namespace: NetworkNamespace(space))
        guard let x = try? XDPPort(name: "x", number: 1, configuration: .init(device: "x"), monitor: monitor) else {
            print("skipped: no AF_XDP")
            return
        }
        let y = try PacketPort(name: "y", number: 2, configuration: .init(device: "y"), monitor: monitor)
        #expect(NetworkLab.refresh([x, y], monitor) { x.status.isForwarding && y.status.isForwarding })
        let seed = UInt64.random(in: 0...(.max))
        print("AF_XDP: seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let sender = x.transmitter(worker: 0)
        let receiver = y.receiver(worker: 0)!
        let buffers = FrameBuffers(count: 64)
        for round in 0..<40 {
            let frame = TransportFrame.random(&generator, payload: Int.random(in: 100...20_000, using: &generator))
            let size = Int.random(in: 700...1300, using: &generator)
            let owned = OwnedFrame(frame.bytes(isPartial: true), offload: frame.offload(segmentSize: size))
            sender.transmit(owned.frame, count: 1)
            #expect(owned.frame.pointee.refusal == .none)
            let expected = frame.parts(segmentSize: size)
            var received: [[UInt8]] = []
            let end = Date(timeIntervalSinceNow: 20)
            while received.count < expected.count, Date() < end {
                let n = receiver.receive(buffers.slots, count: 64)
                for i in 0..<n { received.append(Array(UnsafeRawBufferPointer(start: buffers.slots[i].data, count: buffers.slots[i].length))) }
            }
            let isSame = received == expected
            #expect(isSame, "seed \(seed), round \(round): \(received.count) of \(expected.count)")
        }
        x.close()
        y.close()
    }
}
