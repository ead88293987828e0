import CLinux
import Flow
import Glibc
import Synchronization
import Testing
import Wire

@testable import Ports

/// A wire between two tunnel ports on a thread: what arrives at one leaves by the other, offloads included.
final class TunnelWire: @unchecked Sendable {
    private let ports: [TunnelPort]
    private let isStopped = Atomic<Bool>(false)
    private var thread = pthread_t()
    /// Frames that came in, those that were large, and refusals.
    private(set) var frames = 0
    private(set) var largeFrames = 0
    private(set) var refused: [TransmitRefusal] = []

    init(_ a: TunnelPort, _ b: TunnelPort) {
        ports = [a, b]
        let error = pthread_create(
            &thread, nil,
            { context in
                context.map { Unmanaged<TunnelWire>.fromOpaque($0).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(error == 0)
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        pthread_join(thread, nil)
    }

    private func run() {
        let set = SlotSet(32)
        let list = UnsafeMutablePointer<TransmitFrame>.allocate(capacity: set.count)
        defer { list.deallocate() }
        var receivers: [any FrameReceiver] = []
        for port in ports {
            if let receiver = port.receiver(worker: 0), !receivers.contains(where: { $0 === receiver }) { receivers.append(receiver) }
        }
        while !isStopped.load(ordering: .relaxed) {
            var descriptors = receivers.map { pollfd(fd: $0.receiveDescriptor, events: Int16(POLLIN), revents: 0) }
            if !receivers.contains(where: \.hasFrames) { poll(&descriptors, nfds_t(descriptors.count), 20) }
            for receiver in receivers {
                let n = receiver.receive(set.slots, count: set.count)
                for out in ports {
                    var count = 0
                    for i in 0..<n where set.slots[i].inPort != out.number {
                        let slot = set.slots[i]
                        frames += 1
                        if slot.offload.isSegmented { largeFrames += 1 }
                        (list + count).initialize(
                            to: TransmitFrame(
                                data: slot.data, length: slot.length, offload: slot.offload, port: out.number, tunnel: UnsafePointer(slot.tunnel)))
                        count += 1
                    }
                    if count > 0 { out.transmitter(worker: 0).transmit(list, count: count) }
                    for i in 0..<count where list[i].refusal != .none { refused.append(list[i].refusal) }
                }
            }
        }
    }
}

/// Tunnels with other implementations at the far end. Run as root.
@Suite(.serialized, .enabled(if: TunnelLab.obstacle == nil, "needs root and iproute2")) struct TunnelPeerTests {
    static let hasIperf = TunnelLab.run("command -v iperf3 >/dev/null")
    static let hasTshark = TunnelLab.run("command -v tshark >/dev/null")
    static let hasSwitch = TunnelLab.run("command -v ovs-vswitchd >/dev/null && command -v ovsdb-tool >/dev/null")

    private func kernelVXLAN(_ lab: TunnelLab, _ i: Int, isIPv6: Bool, options: String = "") {
        let hub = isIPv6 ? "fd77:\(i)::1" : "10.77.\(i).1"
        let own = isIPv6 ? "fd77:\(i)::2" : "10.77.\(i).2"
        lab.execute(i, "ip link add vx type vxlan id \(i) dstport 4789 local \(own) remote \(hub) \(options)")
        lab.execute(i, "ip addr add 10.99.0.\(i)/24 dev vx; ip addr add fd99::\(i)/64 dev vx nodad; ip link set vx up")
    }

    private func hubPorts(_ lab: TunnelLab, isIPv6: Bool) throws -> (TunnelPort, TunnelPort) {
        let stack = TunnelStack(workers: 1)
        func port(_ i: Int) throws -> TunnelPort {
            try stack.makePort(
                TunnelConfiguration(
                    kind: .vxlan, number: UInt32(i), name: "p\(i)", remote: .address(TunnelPortTests.remote(i, isIPv6)), key: .fixed(UInt32(i))),
                namespace: lab.namespace(0))
        }
        return (try port(1), try port(2))
    }

    /// Sends `bytes` by TCP from host 1 to host 2 and says whether they arrived unchanged.
    private func transfer(_ lab: TunnelLab, _ address: String) -> Bool {
        lab.execute(1, "head -c 20000000 /dev/urandom > /tmp/\(lab.name).in")
        defer { TunnelLab.run("rm -f /tmp/\(lab.name).in /tmp/\(lab.name).out") }
        let family = address.contains(":") ? "AF_INET6" : "AF_INET"
        let server =
            "import socket;s=socket.socket(socket.\(family));s.bind((\\\"\(address)\\\",7000));s.listen();s.settimeout(30);c=s.accept()[0];"
            + "c.settimeout(30);f=open(\\\"/tmp/\(lab.name).out\\\",\\\"wb\\\");[f.write(d) for d in iter(lambda:c.recv(65536),b\\\"\\\")];f.close();c.close()"
        let client =
            "import socket;s=socket.create_connection((\\\"\(address)\\\",7000),10);"
            + "s.sendall(open(\\\"/tmp/\(lab.name).in\\\",\\\"rb\\\").read());s.shutdown(1);s.recv(1)"
        let both =
            "ip netns exec \(lab.name)2 timeout 60 python3 -c \"\(server)\" & \(lab.listening(2, 7000)); ip netns exec \(lab.name)1 timeout 60 python3 -c \"\(client)\"; wait; "
            + "cmp /tmp/\(lab.name).in /tmp/\(lab.name).out"
        return TunnelLab.run(both)
    }

    @Test(arguments: [false, true], ["", "udpcsum"])
    func kernelVXLANDevicesTalkThroughTwoPorts(isIPv6: Bool, options: String) throws {
        let lab = TunnelLab(hosts: 2)
        kernelVXLAN(lab, 1, isIPv6: isIPv6, options: isIPv6 ? "udp6zerocsumrx \(options.isEmpty ? "udp6zerocsumtx" : "")" : options)
        kernelVXLAN(lab, 2, isIPv6: isIPv6, options: isIPv6 ? "udp6zerocsumrx" : options)
        let (a, b) = try hubPorts(lab, isIPv6: isIPv6)
        let wire = TunnelWire(a, b)
        defer {
            wire.stop()
            a.close()
            b.close()
        }
        #expect(lab.ping(1, "10.99.0.2"), "ping")
        #expect(lab.ping(1, "fd99::2"), "ping IPv6")
        #expect(lab.ping(2, "10.99.0.1", size: 1400), "ping of 1400 bytes")
        #expect(transfer(lab, "10.99.0.2"), "TCP over IPv4")
        #expect(transfer(lab, "fd99::2"), "TCP over IPv6")
        #expect(wire.largeFrames > 0, "no large frame among \(wire.frames)")
        // A full buffer is TCP's to bear; anything else is a fault.
        #expect(wire.refused.allSatisfy { $0 == .transmitQueueFull }, "\(Set(wire.refused))")
    }

    @Test(.enabled(if: hasIperf, "needs iperf3"))
    func tcpThroughputIsMeasured() throws {
        let lab = TunnelLab(hosts: 2)
        kernelVXLAN(lab, 1, isIPv6: false)
        kernelVXLAN(lab, 2, isIPv6: false)
        let (a, b) = try hubPorts(lab, isIPv6: false)
        let wire = TunnelWire(a, b)
        defer {
            wire.stop()
            a.close()
            b.close()
        }
        lab.execute(2, "iperf3 -s -1 -D --idle-timeout 30")
        TunnelLab.run(lab.listening(2, 5201))
        let text = lab.output(1, "timeout 30 iperf3 -c 10.99.0.2 -t 2 -f m")
        print("TCP through two VXLAN ports and one thread: \(text.split(separator: "\n").first { $0.contains("receiver") } ?? "\(text)")")
        print("\(wire.frames) frames, \(wire.largeFrames) large, \(wire.refused.count) refused")
        #expect(text.contains("receiver"))
    }

    @Test(.enabled(if: hasTshark, "needs tshark"), arguments: [PortKind.vxlan, .geneve, .gre], [false, true])
    func tsharkReadsWhatIsSent(kind: PortKind, isIPv6: Bool) throws {
        let lab = TunnelLab(hosts: 2)
        let stack = TunnelStack(workers: 1)
        var configuration = TunnelConfiguration(
            kind: kind, number: 1, name: "a", remote: .address(TunnelPortTests.remote(2, isIPv6)), key: .fixed(0xabcd))
        configuration.checksum = .on
        configuration.hasSequence = kind == .gre
        let a = try stack.makePort(configuration, namespace: lab.namespace(1))
        defer { a.close() }
        // Checksums are the device's on a veth; off, the kernel finishes them.
        lab.execute(1, "ethtool -K eth0 tx off gso off tso off 2>/dev/null")
        let file = "/tmp/\(lab.name).pcap"
        defer { TunnelLab.run("rm -f \(file) \(file).said") }
        TunnelLab.run(
            "ip netns exec \(lab.name)2 timeout 20 tcpdump -U -i eth0 -w \(file) 'udp port 4789 or udp port 6081 or proto 47 or ip6 proto 47' >/dev/null 2>\(file).said &"
        )
        TunnelLab.run("for i in $(seq 100); do grep -qs 'listening on' \(file).said && break; sleep 0.1; done")
        var words = [UInt64](repeating: 0, count: 23)
        words[7] = 0x1122_3344_5566_7788
        let (large, offload) = TunnelFrames.large(TunnelFrames.payload(4000), segmentSize: 1000)
        #expect(a.send([TunnelFrames.tcp([1, 2, 3])], words: words) == [.none])
        #expect(a.send([large], offload: offload, words: words) == [.none])
        let checks = "-o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE"
        let command =
            "tshark -r \(file) \(checks) -T fields -e frame.protocols -e vxlan.vni -e geneve.vni -e gre.key -e tcp.checksum.status -e udp.checksum.status -e _ws.malformed 2>/dev/null"
        // Until all is written.
        var (text, lines) = ("", [Substring]())
        for _ in 0..<10 where lines.count < 5 {
            usleep(300_000)
            text = lab.output(2, command)
            lines = text.split(separator: "\n")
        }
        let name = "\(kind)"
        #expect(lines.count == 5, "\(text)")
        for line in lines {
            #expect(line.contains(":\(name):eth:ethertype:ip:tcp"), "\(line)")
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            #expect(fields[1...3].contains { $0 == "43981" || $0 == "0x00abcd" || $0 == "0x0000abcd" }, "\(line)")
            // 1 is good: the inner TCP checksum, and the outer UDP one.
            #expect(fields[4] == "1" && (kind == .gre || fields[5] == "1") && fields[6] == "", "\(line)")
        }
    }

    /// Open vSwitch's userspace datapath in host 2, ours in host 1's place: frames both ways.
    @Test(.enabled(if: hasSwitch, "needs openvswitch-switch"), arguments: [PortKind.vxlan, .geneve, .gre], [false, true])
    func openVSwitchTalksToOurPort(kind: PortKind, isIPv6: Bool) throws {
        let lab = TunnelLab(hosts: 2)
        // The kernel leaves checksums to a veth, whose other end is not a kernel here but reads them.
        lab.execute(0, "ethtool -K v2 tx off >/dev/null")
        let peer = try #require(OpenVSwitchPeer(lab, host: 2, kind: kind, isIPv6: isIPv6), "Open vSwitch did not start")
        defer { peer.stop() }
        let stack = TunnelStack(workers: 1)
        let hub = TunnelAddress(isIPv6 ? "fd77:2::2" : "10.77.2.2")!
        let port = try stack.makePort(
            TunnelConfiguration(kind: kind, number: 1, name: "ovs", remote: .address(hub), key: .fixed(42)), namespace: lab.namespace(0))
        defer { port.close() }
        // An ARP request from us; the peer's bridge port answers.
        let own: UInt64 = 0x0200_0000_0001
        let request =
            Ethernet.Header(destination: .broadcast, source: MACAddress(own), etherType: 0x0806).encoded()
            + ARP.Header(
                operation: 1, senderHardware: MACAddress(own), senderProtocol: IPv4Address(0x0a63_0001), targetHardware: MACAddress(0),
                targetProtocol: IPv4Address(0x0a63_0002)
            ).encoded()
        var replies: [Arrival] = []
        for _ in 0..<10 where replies.isEmpty {
            #expect(port.send([request]) == [.none])
            replies = port.arrivals(64, milliseconds: 300).filter {
                $0.bytes.count >= 42 && $0.bytes[12] == 8 && $0.bytes[13] == 6 && $0.bytes[21] == 2
            }
        }
        let reply = try #require(replies.first, "no ARP reply: \(peer.log())")
        #expect(reply[16] == 42 && reply.port == 1)
        #expect(Array(reply.bytes[28..<32]) == [10, 99, 0, 2])
    }
}
