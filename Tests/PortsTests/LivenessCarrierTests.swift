import CLinux
import Flow
import Glibc
import Testing
import Wire

@testable import Ports

/// Watched tunnels between two of our own endpoints in namespaces, their frames polled by the test as a worker would.
@Suite(.serialized, .enabled(if: TunnelLab.obstacle == nil, "needs root and iproute2")) struct LivenessCarrierTests {
    /// Noticed after 1.5 s: the test is the only one that polls, and may be kept from it for a while.
    static let fast = LivenessConfiguration(interval: 100_000_000, multiplier: 15)

    private func pair(
        _ lab: TunnelLab, _ kind: PortKind, isIPv6: Bool = false, key: TunnelConfiguration.Key = .none,
        change: (inout TunnelConfiguration) -> Void = { _ in }
    ) throws -> (TunnelPort, TunnelPort) {
        try TunnelPortTests().pair(lab, kind, isIPv6: isIPv6, key: key) {
            $0.liveness = Self.fast
            change(&$0)
        }
    }

    /// Polls both ends until the condition holds; the milliseconds it took, nil when it never did.
    private func poll(_ ports: [TunnelPort], milliseconds: Int = 30_000, until isDone: () -> Bool) -> Int? {
        let start = weft_monotonic_ns()
        repeat {
            for port in ports {
                #expect(port.arrivals(1, milliseconds: 5).isEmpty, "a control packet became a frame")
                _ = port.refresh()
            }
            if isDone() { return Int((weft_monotonic_ns() - start) / 1_000_000) }
        } while weft_monotonic_ns() - start < UInt64(milliseconds) * 1_000_000
        return nil
    }

    @Test(arguments: [PortKind.vxlan, .geneve, .gre], [false, true])
    func watchedEndsComeUpAndNoticeACut(kind: PortKind, isIPv6: Bool) throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, kind, isIPv6: isIPv6)
        defer { a.close(); b.close() }
        #expect(!a.status.isForwarding && a.status.reason == "remote \(TunnelPortTests.remote(2, isIPv6)): no answer yet")
        let up = try #require(poll([a, b]) { a.status.hasLink && b.status.hasLink }, "\(a.liveness!) \(b.liveness!)")
        #expect(a.liveness?.state == "up" && a.status.reason == nil)
        // What is steady is not handed on packet by packet.
        _ = poll([a, b], milliseconds: 400) { false }
        #expect(a.status.hasLink && b.status.hasLink && a.liveness!.changes == 1)
        #expect(a.liveness!.received > 3 && a.liveness!.discarded.isEmpty && a.liveness!.detectionMilliseconds == 1500)
        lab.execute(0, "ip link set v2 down")
        let down = try #require(poll([a, b]) { !a.status.hasLink && !b.status.hasLink })
        #expect(a.status.reason == "remote \(TunnelPortTests.remote(2, isIPv6)): no packet for 1500 ms")
        lab.execute(0, "ip link set v2 up; ip addr replace fd77:2::1/64 dev v2 nodad")
        let back = poll([a, b]) { a.status.hasLink && b.status.hasLink }
        #expect(back != nil)
        print("\(kind) over \(isIPv6 ? "IPv6" : "IPv4"): up after \(up) ms, cut noticed after \(down) ms, back after \(back ?? -1) ms")
    }

    @Test(arguments: [TunnelConfiguration.Key.fixed(77), .flow]) func watchingDoesNotTouchOtherFrames(key: TunnelConfiguration.Key) throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .geneve, key: key)
        defer { a.close(); b.close() }
        _ = try #require(poll([a, b]) { a.status.hasLink && b.status.hasLink })
        let frame = TunnelFrames.udp([1, 2, 3])
        var words = [UInt64](repeating: 0, count: 23)
        if case .flow = key { words[0] = 5 }
        #expect(a.send([frame], words: words) == [.none])
        #expect(b.arrivals(1).first?.bytes == frame)
    }

    @Test func anEndThatGoesSaysSo() throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .geneve) { $0.liveness = LivenessConfiguration(interval: 1_000_000_000, multiplier: 50) }
        defer { a.close() }
        _ = try #require(poll([a, b]) { a.status.hasLink && b.status.hasLink })
        b.close()
        _ = try #require(poll([a]) { !a.status.hasLink })
        #expect(a.status.reason == "remote 10.77.2.2: turned off there")
    }

    // MARK: - What workloads send

    private func forged(_ change: (inout BFD.Control) -> Void = { _ in }) -> [UInt8] {
        var p = BFD.Control(state: .down, multiplier: 3, myDiscriminator: 0xbad, desiredTransmit: 50_000, requiredReceive: 50_000)
        change(&p)
        return LivenessFrame.bytes(p, discriminator: 0xbad, source: nil)
    }

    /// A workload's frame that looks like the host's own does not leave, to either of the two addresses.
    @Test(arguments: [PortKind.vxlan, .geneve, .gre]) func aWorkloadCannotSpeakForItsHost(kind: PortKind) throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, kind)
        defer { a.close(); b.close() }
        _ = try #require(poll([a, b]) { a.status.hasLink && b.status.hasLink })
        var other = forged()
        other.replaceSubrange(0..<6, with: [0x00, 0x23, 0x20, 0, 0, 1])
        for _ in 0..<20 { #expect(a.send([forged(), other]) == [.tunnelReserved, .tunnelReserved]) }
        _ = poll([a, b], milliseconds: 300) { false }
        #expect(b.liveness!.changes == 1 && b.liveness!.discarded.isEmpty && b.status.hasLink)
        // Workloads may speak the protocol with each other: to addresses of their own.
        var own = forged()
        own.replaceSubrange(0..<6, with: [2, 0, 0, 0, 0, 9])
        #expect(a.send([own]) == [.none])
        #expect(b.arrivals(1).first?.bytes == own)
    }

    /// Frames with a context go out whatever they look like, and are the other end's frames.
    @Test func aFrameWithAContextIsAFrame() throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .geneve)
        defer { a.close(); b.close() }
        _ = try #require(poll([a, b]) { a.status.hasLink && b.status.hasLink })
        var words = [UInt64](repeating: 0, count: 23)
        words[FlowKeyLayout.tunnelMetadata - FlowKeyLayout.tunnelWords.lowerBound] = 7
        #expect(a.send([forged()], words: words) == [.none])
        #expect(b.arrivals(1).first?.bytes == forged())
        #expect(b.liveness!.changes == 1 && b.liveness!.discarded.isEmpty)
    }

    /// Garbage from the underlay, as someone would send it who can use the other host's address: counted, bounded, without effect.
    @Test func whatComesFromTheUnderlayIsJudged() throws {
        let lab = TunnelLab(hosts: 2)
        let (a, b) = try pair(lab, .vxlan) { $0.liveness = LivenessConfiguration(interval: 1_000_000_000, multiplier: 5) }
        defer { a.close(); b.close() }
        _ = try #require(poll([a, b]) { a.status.hasLink && b.status.hasLink })
        let before = b.liveness!.discarded.values.reduce(0, +)
        let control = forged {
            $0.state = .up
            $0.yourDiscriminator = 0x1111
        }
        let script = """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            header = bytes.fromhex("0800000000000000")
            good = bytes([\(control.map(String.init).joined(separator: ","))])
            for i in range(200):
                s.sendto(header + good, ("10.77.2.2", 4789))
                s.sendto(header + good[:42 + i % 24], ("10.77.2.2", 4789))
                s.sendto(header + good[:22] + bytes([64]) + good[23:], ("10.77.2.2", 4789))
            """
        let file = "/tmp/\(lab.name)-forge.py"
        let out = try #require(fopen(file, "w"))
        fputs(script, out)
        fclose(out)
        defer { unlink(file) }
        lab.execute(1, "python3 \(file)")
        _ = poll([a, b], milliseconds: 300) { false }
        let report = try #require(b.liveness)
        #expect(report.changes == 1 && report.isUsable, "\(report)")
        #expect(report.discarded["wrongDiscriminator", default: 0] > 0 && report.discarded["badTTL", default: 0] > 0, "\(report)")
        #expect(report.discarded.values.reduce(0, +) - before <= 600, "\(before), \(report)")
    }

    @Test func whatCannotBeWatchedIsRefused() {
        let stack = TunnelStack(workers: 1)
        var c = TunnelConfiguration(kind: .geneve, number: 1, name: "a", remote: .flow)
        c.liveness = LivenessConfiguration()
        #expect(throws: PortError.self) { try stack.makePort(c) }
        c.remote = .address(TunnelAddress("192.0.2.1")!)
        c.liveness = LivenessConfiguration(interval: 1)
        #expect(throws: PortError.self) { try stack.makePort(c) }
        c.liveness = LivenessConfiguration(multiplier: 0)
        #expect(throws: PortError.self) { try stack.makePort(c) }
    }
}
