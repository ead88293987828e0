import Datapath
import Flow
import Ports
import Testing
import Wire

/// Forwarding from receive slots to transmitters, as a live switch does it, without devices.
@Suite struct LiveForwardingTests {
    /// Keeps what it is given, finished as a device would.
    final class Sink: FrameTransmitter {
        struct Sent: Equatable {
            var bytes: [UInt8]
            var offload: Offload
            var port: UInt32
            var tunnel: [UInt64]?
        }
        var sent: [Sent] = []
        var refusal = TransmitRefusal.none
        func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
            for i in 0..<count {
                frames[i].refusal = refusal
                let f = frames[i]
                sent.append(
                    Sent(
                        bytes: Array(UnsafeRawBufferPointer(start: f.data, count: f.length)), offload: f.offload, port: f.port,
                        tunnel: f.tunnel.map { w in (0..<23).map { w[$0] } }))
            }
        }
    }

    final class Bench {
        let tables: FlowTables
        let worker: Worker
        var sinks: [UInt32: Sink] = [:]
        var now: UInt64 = 1

        init(_ flows: String, ports: [UInt32] = [1, 2, 3], tunnels: [UInt32] = []) throws {
            tables = FlowTables(ports: PortRegistry(admitsNamedPorts: false))
            for p in ports { tables.ports.attach(p) }
            for p in tunnels { tables.ports.attach(p, isTunnel: true) }
            worker = Worker(tables: tables, maxFrameLength: 66_000)
            worker.goLive()
            for p in ports + tunnels {
                let sink = Sink()
                sinks[p] = sink
                worker.setTransmitter(sink, port: p)
            }
            let parsed = FlowText.parse(flows)
            try #require(parsed.errors.isEmpty)
            for m in parsed.modifications { try tables.apply(m, now: 0) }
            tables.publish()
        }

        func receive(_ frames: [[UInt8]], port: UInt32, offload: Offload = .none, tunnel: [UInt64]? = nil) {
            for (i, frame) in frames.enumerated() {
                let slot = worker.slots + i
                slot.pointee.data.copyMemory(from: frame, byteCount: frame.count)
                slot.pointee.length = frame.count
                slot.pointee.inPort = port
                slot.pointee.offload = offload
                slot.pointee.isTunneled = tunnel != nil
                if let tunnel { slot.pointee.tunnel.update(from: tunnel, count: 23) }
            }
            now += 1000
            worker.processSlots(count: frames.count, now: now)
        }
    }

    static func frame(_ text: String) throws -> [UInt8] {
        let (key, match) = try FlowText.parseMatch(text)
        return FrameComposer(key, given: match).bytes
    }

    static let tcp = "tcp,eth_src=02:00:00:00:00:01,eth_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,tcp_src=1000,tcp_dst=80"

    @Test func aFrameLeavesWithItsBytes() throws {
        let bench = try Bench("in_port=1 actions=output:2")
        let frame = try Self.frame(Self.tcp)
        for _ in 0..<3 { bench.receive([frame, frame], port: 1) }
        #expect(bench.sinks[2]!.sent.map(\.bytes) == Array(repeating: frame, count: 6))
        let c = bench.worker.counters
        #expect(c.received == 6 && c.ended == 6 && c.copied == 0 && c.misses == 1)
    }

    @Test func everyCopyHasTheBytesOfItsMoment() throws {
        let bench = try Bench("in_port=1 actions=output:2,mod_dl_dst:02:00:00:00:00:99,output:3,push_vlan:0x8100,set_field:4101->vlan_vid,output:2")
        let frame = try Self.frame(Self.tcp)
        bench.receive([frame, frame], port: 1)
        let changed = [2, 0, 0, 0, 0, 0x99] + frame[6...]
        let tagged = Array(changed[..<12]) + [0x81, 0, 0, 5] + Array(changed[12...])
        #expect(bench.sinks[2]!.sent.map(\.bytes) == [frame, tagged, frame, tagged])
        #expect(bench.sinks[3]!.sent.map(\.bytes) == [changed, changed])
        let c = bench.worker.counters
        #expect(c.received == 2 && c.copied == 4 && c.ended == 6)
    }

    @Test func whatAPortRefusesIsADropOfThatName() throws {
        let bench = try Bench("in_port=1 actions=output:2,output:3,output:7")
        bench.sinks[2]!.refusal = .transmitQueueFull
        bench.receive([try Self.frame(Self.tcp)], port: 1)
        #expect(bench.worker.drops(.transmitQueueFull) == 1)
        let two = bench.worker.portCounters(at: bench.tables.ports.attachedIndex(of: 2)!)
        let three = bench.worker.portCounters(at: bench.tables.ports.attachedIndex(of: 3)!)
        #expect(two.txPackets == 0 && two.txBytes == 0 && three.txPackets == 1)
        let c = bench.worker.counters
        #expect(c.received + c.copied == c.ended)
    }

    @Test func aFrameForAPortWithoutTransmitterIsADrop() throws {
        let bench = try Bench("in_port=1 actions=output:2")
        bench.worker.setTransmitter(nil, port: 2)
        bench.receive([try Self.frame(Self.tcp)], port: 1)
        #expect(bench.worker.drops(.noSuchPort) == 1 && bench.worker.counters.ended == 1)
    }

    /// The checksum of the TCP or UDP part, whose field holds the pseudo header's sum as a sender leaves it to the device.
    private func finished(_ sent: Sink.Sent) -> [UInt8] {
        var bytes = sent.bytes
        let start = Int(sent.offload.checksumStart)
        let field = start + Int(sent.offload.checksumOffset)
        var sum = Checksum.Sum()
        Array(bytes[start...]).withUnsafeBytes { sum.add($0.bytes) }
        let c = sum.checksum
        (bytes[field], bytes[field + 1]) = (UInt8(c >> 8), UInt8(truncatingIfNeeded: c))
        return bytes
    }

    /// Replaces a correct checksum by the pseudo header's sum.
    private func unfinished(_ frame: [UInt8], transport: Int, field: Int) -> [UInt8] {
        var bytes = frame
        (bytes[transport + field], bytes[transport + field + 1]) = (0, 0)
        var rest = Checksum.Sum()
        Array(bytes[transport...]).withUnsafeBytes { rest.add($0.bytes) }
        // Correct = ~(pseudo + rest), so pseudo = ~correct - rest.
        let correct = UInt16(frame[transport + field]) << 8 | UInt16(frame[transport + field + 1])
        let pseudo = Checksum.fold(UInt64(~correct) + UInt64(~rest.folded))
        (bytes[transport + field], bytes[transport + field + 1]) = (UInt8(pseudo >> 8), UInt8(truncatingIfNeeded: pseudo))
        return bytes
    }

    @Test(arguments: [
        ("tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tcp_src=1000,tcp_dst=80", "set_field:192.168.7.9->nw_dst,set_field:8080->tcp_dst", 34, 16),
        ("udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,udp_src=1000,udp_dst=53", "set_field:1.2.3.4->nw_src,set_field:7->udp_src,dec_ttl", 34, 6),
        ("tcp6,ipv6_src=fd00::1,ipv6_dst=fd00::2,tcp_src=5,tcp_dst=6", "set_field:fd00:1::9->ipv6_dst,set_field:9->tcp_src", 54, 16),
        ("udp6,ipv6_src=fd00::1,ipv6_dst=fd00::2,udp_src=5,udp_dst=6", "set_field:fd00:1::9->ipv6_src,push_vlan:0x8100", 54, 6),
    ])
    func aChecksumLeftToTheDeviceComesOutRight(packet: String, rewrite: String, transport: Int, field: Int) throws {
        let kind = packet.prefix { $0 != "," }
        let bench = try Bench("in_port=1,\(kind) actions=\(rewrite),output:2\nin_port=3,\(kind) actions=\(rewrite),output:2")
        let frame = try Self.frame(packet)
        bench.receive([frame], port: 3)
        let expected = bench.sinks[2]!.sent[0].bytes
        for _ in 0..<2 {
            bench.sinks[2]!.sent = []
            let offload = Offload(flags: .needsChecksum, checksumStart: UInt16(transport), checksumOffset: UInt16(field))
            bench.receive([unfinished(frame, transport: transport, field: field)], port: 1, offload: offload)
            let sent = bench.sinks[2]!.sent[0]
            #expect(sent.offload.needsChecksum)
            #expect(finished(sent) == expected)
        }
    }

    @Test func tunnelFieldsAreMatchedSetAndCached() throws {
        let bench = try Bench(
            """
            in_port=10,tun_id=5 actions=set_field:6->tun_id,set_field:10.1.1.1->tun_dst,output:11
            in_port=10,tun_id=7 actions=output:2
            in_port=1 actions=set_field:9->tun_id,output:11,output:2
            """, tunnels: [10, 11])
        let frame = try Self.frame(Self.tcp)
        func words(id: UInt64, source: UInt64) -> [UInt64] {
            var w = [UInt64](repeating: 0, count: 23)
            w[0] = id
            w[1] = source << 32 | 0x0a01_0102
            return w
        }
        for _ in 0..<2 {
            bench.receive([frame], port: 10, tunnel: words(id: 5, source: 0x0a01_0199))
            bench.receive([frame], port: 10, tunnel: words(id: 7, source: 0x0a01_0199))
            bench.receive([frame], port: 10, tunnel: words(id: 8, source: 0x0a01_0199))
            bench.receive([frame], port: 1)
        }
        let first = bench.sinks[11]!.sent
        #expect(first.count == 4)
        #expect(first[0].tunnel?[0] == 6 && first[0].tunnel?[1] == 0x0a01_0199_0a01_0101)
        #expect(first[1].tunnel?[0] == 9 && first[1].tunnel?[1] == 0)
        #expect(first[2] == first[0] && first[3] == first[1])
        #expect(bench.sinks[2]!.sent.map(\.tunnel) == [nil, nil, nil, nil])
        #expect(bench.worker.drops(.noMatch) == 2)
        #expect(bench.worker.counters.hits == 4)
    }

    @Test func manyCopiesAreSentThoughTheArenaIsSmaller() throws {
        let bench = try Bench("in_port=1 actions=\(Array(repeating: "output:2", count: 200).joined(separator: ",")),output:3")
        var frame = try Self.frame(Self.tcp)
        frame += [UInt8](repeating: 7, count: 60_000)
        bench.receive([frame, frame], port: 1)
        #expect(bench.sinks[2]!.sent.count == 400 && bench.sinks[2]!.sent.allSatisfy { $0.bytes == frame })
        #expect(bench.worker.counters.ended == 402)
    }

    @Test func afterAPortGoesFloodsNoLongerReachIt() throws {
        let bench = try Bench("actions=flood")
        let frame = try Self.frame(Self.tcp)
        bench.receive([frame], port: 1)
        bench.tables.ports.detach(3)
        bench.tables.portsChanged()
        bench.tables.publish()
        bench.receive([frame], port: 1)
        #expect(bench.sinks[2]!.sent.count == 2 && bench.sinks[3]!.sent.count == 1)
    }

    @Test func aTunnelStaysOneAfterItHasReceived() throws {
        let bench = try Bench("in_port=1 actions=set_field:9->tun_id,output:11\nin_port=11 actions=output:1", tunnels: [11])
        let frame = try Self.frame(Self.tcp)
        let other = try Self.frame(Self.tcp.replacing("tcp_dst=80", with: "tcp_dst=81") + ",nw_ttl=9")
        bench.receive([frame], port: 1)
        bench.receive([frame], port: 11, tunnel: [UInt64](repeating: 0, count: 23))
        // New fields, so that it is translated and not remembered.
        bench.tables.portsChanged()
        bench.tables.publish()
        bench.receive([other], port: 1)
        #expect(bench.sinks[11]!.sent.map { $0.tunnel?[0] } == [9, 9])
    }

    @Test func whatAPortStillReceivesDoesNotBringItBackIntoFloods() throws {
        let bench = try Bench("in_port=1 actions=flood\nactions=drop")
        let frame = try Self.frame(Self.tcp)
        bench.tables.ports.detach(3)
        bench.receive([frame], port: 3)
        bench.receive([frame], port: 1)
        #expect(bench.sinks[2]!.sent.count == 1 && bench.sinks[3]!.sent.isEmpty)
    }
}
