import CLinux
import Foundation
import Glibc
import Testing

@testable import Ports

/// Packet ports on veths, with the kernel's own stacks on the other ends.
@Suite(.serialized) struct PacketPortTests {
    /// A veth pair in a namespace of its own with a packet port at either end.
    private struct Pair {
        let lab = NetworkLab()
        let space: String
        let monitor: LinkMonitor
        let x: PacketPort
        let y: PacketPort

        init(mtu: Int = 1500, offloads: Bool = true, usesRing: Bool = true) throws {
            space = try lab.namespace()
            try lab.ip(space, "link add name x mtu \(mtu) type veth peer name y mtu \(mtu)")
            for device in ["x", "y"] {
                // Nothing of the host's own on the wire.
                try lab.inside(space, ["sysctl", "-qw", "net.ipv6.conf.\(device).disable_ipv6=1"])
                if !offloads { try lab.inside(space, ["ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off"]) }
                try lab.ip(space, "link set dev \(device) up")
            }
            monitor = try LinkMonitor(namespace: NetworkNamespace(space))
            var configurationX = PacketPort.Configuration(device: "x")
            configurationX.usesRing = usesRing
            x = try PacketPort(name: "x", number: 1, configuration: configurationX, monitor: monitor)
            var configurationY = PacketPort.Configuration(device: "y")
            configurationY.usesRing = usesRing
            y = try PacketPort(name: "y", number: 2, configuration: configurationY, monitor: monitor)
        }
    }

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

    @Test func `TCP crosses devices without offloads of their own`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (left, middle, right) = try lab.twoWorkloads()
        for device in ["a", "b"] { try lab.inside(middle, ["ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off"]) }
        let monitor = try LinkMonitor(namespace: NetworkNamespace(middle))
        let a = try PacketPort(name: "a", number: 1, configuration: .init(device: "a"), monitor: monitor)
        let b = try PacketPort(name: "b", number: 2, configuration: .init(device: "b"), monitor: monitor)
        let bridge = TwoPortBridge(a, b)
        #expect(try TCPTransfer.run(lab, from: left, to: right, address: "10.9.0.2", megabytes: 16).isIntact)
        bridge.stop()
        a.close()
        b.close()
    }

    @Test func `Two workers share the flows of a device`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (left, middle, right) = try lab.twoWorkloads()
        let monitor = try LinkMonitor(namespace: NetworkNamespace(middle))
        let a = try PacketPort(name: "a", number: 1, configuration: .init(device: "a", workers: 2), monitor: monitor)
        let b = try PacketPort(name: "b", number: 2, configuration: .init(device: "b", workers: 2), monitor: monitor)
        #expect(a.summary.contains("2 packet sockets"))
        let bridges = [TwoPortBridge(a, b, worker: 0), TwoPortBridge(a, b, worker: 1)]
        for _ in 0..<3 { #expect(try TCPTransfer.run(lab, from: left, to: right, address: "10.9.0.2", megabytes: 4).isIntact) }
        let ping = try lab.inside(left, ["ping", "-c", "3", "-i", "0.05", "-W", "2", "10.9.0.2"])
        #expect(ping.contains(" 0% packet loss") && !ping.contains("DUP"), "\(ping)")
        for bridge in bridges { bridge.stop() }
        a.close()
        b.close()
    }

    @Test(arguments: [true, false]) func `Frames of all sizes arrive in order, with the VLAN tags they were sent with`(usesRing: Bool) throws {
        guard NetworkLab.isAvailable() else { return }
        let pair = try Pair(usesRing: usesRing)
        let seed = UInt64.random(in: 0...(.max))
        print("VLAN tags: seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let sender = pair.x.transmitter(worker: 0)
        let receiver = pair.y.receiver(worker: 0)!
        #expect(pair.y.summary.contains("with ring") == usesRing)
        let buffers = FrameBuffers(count: 64)
        for round in 0..<30 {
            var expected: [[UInt8]] = []
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                var frame = TransportFrame.random(
                    &generator, payload: Int.random(in: 0...(Bool.random(using: &generator) ? 90 : 1300), using: &generator))
                frame.isTCP = true
                // Runs of one kind, as on a trunk, and mixtures.
                if round % 3 == 1 { frame.tags = [] }
                if round % 3 == 2 { frame.tags = [0x8100_0000 | UInt32(round)] }
                let isPartial = Bool.random(using: &generator)
                let owned = OwnedFrame(frame.bytes(isPartial: isPartial), offload: isPartial ? frame.offload() : .none)
                sender.transmit(owned.frame, count: 1)
                #expect(owned.frame.pointee.refusal == .none)
                expected.append(frame.bytes())
            }
            var received: [[UInt8]] = []
            while received.count < expected.count {
                let n = receiver.receive(buffers.slots, count: 64)
                if n == 0 { break }
                for i in 0..<n {
                    // A checksum left to the receiver is where the tags have moved it.
                    let slot = buffers.slots[i]
                    let owned = OwnedFrame(Array(UnsafeRawBufferPointer(start: slot.data, count: slot.length)), offload: slot.offload)
                    if slot.offload.needsChecksum { #expect(ChecksumFinisher.finish(owned.frame)) }
                    received.append(owned.bytes)
                }
            }
            let isSame = received == expected
            #expect(isSame, "seed \(seed), round \(round)")
        }
        pair.x.close()
        pair.y.close()
    }

    @Test func `Rings take bounded memory, and give it back`() throws {
        guard NetworkLab.isAvailable() else { return }
        var sockets: [PacketSocket] = []
        let limit = PacketRing.budget / PacketRing.size
        for _ in 0...limit { sockets.append(PacketSocket(descriptor: OwnedDescriptor(weft_packet_open()))) }
        #expect(sockets.allSatisfy { $0.descriptor.value >= 0 })
        #expect(sockets.last?.ring == nil, "beyond the budget a socket does without")
        #expect(sockets.first?.ring != nil)
        sockets = []
        #expect(PacketSocket(descriptor: OwnedDescriptor(weft_packet_open())).ring != nil)
    }

    @Test func `The kernel cuts a large frame as the segmenter does`() throws {
        guard NetworkLab.isAvailable() else { return }
        let pair = try Pair(offloads: false)
        let seed = UInt64.random(in: 0...(.max))
        print("kernel segments: seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let sender = pair.x.transmitter(worker: 0)
        let receiver = pair.y.receiver(worker: 0)!
        let buffers = FrameBuffers(count: 64)
        for round in 0..<40 {
            var frame = TransportFrame.random(&generator, payload: Int.random(in: 2000...30000, using: &generator))
            // What the kernel cuts and its `ethtool` switches reach.
            frame.tags = frame.tags.isEmpty ? [] : [0x8100_0007]
            frame.extensionWords = 0
            frame.flags &= ~0x80
            let size = Int.random(in: 700...1400, using: &generator)
            let owned = OwnedFrame(frame.bytes(isPartial: true), offload: frame.offload(segmentSize: size))
            sender.transmit(owned.frame, count: 1)
            #expect(owned.frame.pointee.refusal == .none)
            var received: [[UInt8]] = []
            while case let n = receiver.receive(buffers.slots, count: 64), n > 0 {
                for i in 0..<n {
                    #expect(buffers.slots[i].offload.isNone)
                    received.append(Array(UnsafeRawBufferPointer(start: buffers.slots[i].data, count: buffers.slots[i].length)))
                }
            }
            let isSame = received == frame.parts(segmentSize: size)
            #expect(isSame, "seed \(seed), round \(round): \(frame.isTCP) \(frame.isIPv6) \(received.count)")
        }
        pair.x.close()
        pair.y.close()
    }

    @Test func `Frames above the MTU are refused or cut`() throws {
        guard NetworkLab.isAvailable() else { return }
        let pair = try Pair(mtu: 1400, offloads: false)
        let sender = pair.x.transmitter(worker: 0)
        let receiver = pair.y.receiver(worker: 0)!
        let buffers = FrameBuffers(count: 64)
        func send(_ frame: TransportFrame, _ offload: Offload) -> TransmitRefusal {
            let owned = OwnedFrame(frame.bytes(isPartial: offload.needsChecksum), offload: offload)
            sender.transmit(owned.frame, count: 1)
            return owned.frame.pointee.refusal
        }
        func lengths() -> [Int] { (0..<receiver.receive(buffers.slots, count: 64)).map { buffers.slots[$0].length } }
        let udp = TransportFrame(isTCP: false, payload: Array(repeating: 1, count: 1372))
        #expect(send(udp, .none) == .none)
        #expect(lengths() == [1414])
        #expect(send(TransportFrame(isTCP: false, payload: Array(repeating: 1, count: 1373)), .none) == .exceedsMTU)
        #expect(send(TransportFrame(tags: [0x8100_0001], isTCP: false, payload: Array(repeating: 1, count: 1372)), .none) == .none)
        #expect(lengths() == [1418])
        let tcp = TransportFrame(payload: Array(repeating: 1, count: 3000))
        #expect(send(tcp, tcp.offload(segmentSize: 1460)) == .none)
        #expect(lengths() == [1414, 1414, 334])
        #expect(send(tcp, tcp.offload()) == .none)
        #expect(lengths() == [1414, 1414, 334])
        #expect(send(tcp, .none) == .exceedsMTU)
        // The MTU changes while the port is in use.
        try pair.lab.ip(pair.space, "link set dev x mtu 1300")
        #expect(pair.x.refresh())
        #expect(pair.x.status.mtu == 1300)
        #expect(send(udp, .none) == .exceedsMTU)
        pair.x.close()
        pair.y.close()
    }

    @Test func `A device that is deleted and made again is used again`() throws {
        guard NetworkLab.isAvailable() else { return }
        let pair = try Pair()
        let frame = TransportFrame(payload: [1, 2, 3])
        func send() -> TransmitRefusal {
            let owned = OwnedFrame(frame.bytes())
            transmitter.transmit(owned.frame, count: 1)
            return owned.frame.pointee.refusal
        }
        var transmitter = pair.x.transmitter(worker: 0)
        let receiver = pair.y.receiver(worker: 0)!
        let buffers = FrameBuffers(count: 64)
        #expect(send() == .none)
        try pair.lab.ip(pair.space, "link set dev y down")
        #expect(NetworkLab.refresh([pair.x, pair.y], pair.monitor) { !pair.x.status.hasLink && !pair.y.status.isUp })
        #expect(pair.x.status.isUp && pair.x.status.isPresent)
        #expect(send() == .portDown)
        try pair.lab.ip(pair.space, "link set dev y up")
        #expect(NetworkLab.refresh([pair.x, pair.y], pair.monitor) { pair.x.status.isForwarding && pair.y.status.isForwarding })
        #expect(send() == .none)
        try pair.lab.ip(pair.space, "link del dev x")
        // Before anyone has noticed: refused, and nothing to be had.
        #expect(send() == .portDown)
        while receiver.receive(buffers.slots, count: 64) > 0 {}
        #expect(receiver.receive(buffers.slots, count: 64) == 0)
        #expect(pair.x.refresh() && pair.y.refresh())
        #expect(!pair.x.status.isPresent && pair.x.receiver(worker: 0) == nil)
        #expect(pair.x.summary.hasSuffix("gone"))
        #expect(!pair.x.refresh())
        transmitter = pair.x.transmitter(worker: 0)
        #expect(send() == .portDown)
        try pair.lab.ip(pair.space, "link add name x type veth peer name y")
        for device in ["x", "y"] { try pair.lab.ip(pair.space, "link set dev \(device) up") }
        #expect(NetworkLab.refresh([pair.x, pair.y], pair.monitor) { pair.x.status.isForwarding && pair.y.status.isForwarding })
        transmitter = pair.x.transmitter(worker: 0)
        let again = pair.y.receiver(worker: 0)!
        #expect(send() == .none)
        var lengths: [Int] = []
        while case let n = again.receive(buffers.slots, count: 64), n > 0 { lengths += (0..<n).map { buffers.slots[$0].length } }
        #expect(lengths.contains(frame.bytes().count))
        pair.x.close()
        pair.y.close()
    }

    @Test func `The host itself does not answer what arrives at an attached device`() throws {
        guard NetworkLab.isAvailable() else { return }
        let lab = NetworkLab()
        let (left, middle, _) = try lab.twoWorkloads()
        try lab.ip(middle, "addr add 10.9.0.9/24 dev a")
        let ping = ["ping", "-c", "1", "-W", "1", "10.9.0.9"]
        _ = try lab.inside(left, ping)
        let monitor = try LinkMonitor(namespace: NetworkNamespace(middle))
        // A port that was killed leaves its filter behind, and the next takes it over.
        let killed = try PacketPort(name: "a", number: 1, configuration: .init(device: "a"), monitor: monitor)
        let port = try PacketPort(name: "a", number: 1, configuration: .init(device: "a"), monitor: monitor)
        #expect(port.notices.isEmpty)
        #expect(throws: NetworkLab.Failure.self) { try lab.inside(left, ping) }
        let buffers = FrameBuffers(count: 8)
        #expect(port.receiver(worker: 0)!.receive(buffers.slots, count: 8) > 0)
        port.close()
        _ = try lab.inside(left, ping)
        withExtendedLifetime((killed, buffers)) {}
    }

    @Test func `A namespace that is removed takes its port down`() throws {
        guard NetworkLab.isAvailable() else { return }
        let pair = try Pair()
        try NetworkLab.run(["ip", "netns", "del", pair.space])
        #expect(pair.x.refresh())
        #expect(!pair.x.status.isPresent)
        #expect(pair.y.refresh())
        try NetworkLab.run(["ip", "netns", "add", pair.space])
        try pair.lab.ip(pair.space, "link add name x type veth peer name y")
        try pair.lab.ip(pair.space, "link set dev x up")
        #expect(pair.x.refresh())
        #expect(pair.x.status.isPresent && !pair.x.status.hasLink)
        pair.x.close()
        pair.y.close()
    }

    @Test func `What cannot be attached is told in words`() throws {
        guard NetworkLab.isAvailable() else { return }
        let monitor = try LinkMonitor()
        #expect(throws: PortError.self) { try PacketPort(name: "p", number: 1, configuration: .init(device: "no-such-device"), monitor: monitor) }
        #expect(throws: PortError.self) { try LinkMonitor(namespace: NetworkNamespace("no-such-namespace")) }
    }
}
