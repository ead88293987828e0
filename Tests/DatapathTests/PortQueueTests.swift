import Flow
import Ports
import Testing

@testable import Datapath

/// Queues of ports as a function of time: what leaves, when, and in which order.
@Suite struct PortQueueTests {
    typealias Queue = PortQueueing.Queue

    /// A frame of a length whose last byte before its end is a number.
    static func frame(_ length: Int, _ mark: UInt8 = 0) throws -> [UInt8] {
        var bytes = try LiveForwardingTests.frame(LiveForwardingTests.tcp)
        bytes += Array(repeating: 0, count: length - bytes.count)
        bytes[length - 1] = mark
        return bytes
    }

    /// A switch whose ports 11… send to port 2 by the queues 1…; 10 by none.
    static func bench(_ queueing: PortQueueing, tunnels: [UInt32] = []) throws -> LiveForwardingTests.Bench {
        let flows = (1...3).map { "in_port=\(10 + $0) actions=set_queue:\($0),output:2" } + ["in_port=10 actions=output:2"]
        let bench = try LiveForwardingTests.Bench(
            flows.joined(separator: "\n"), ports: [10, 11, 12, 13] + (tunnels.isEmpty ? [2] : []), tunnels: tunnels)
        bench.worker.setQueues(QueueShares(queueing), port: 2)
        return bench
    }

    /// Lets time pass until nothing waits, or a time; what left by port 2, each with its time.
    static func run(_ bench: LiveForwardingTests.Bench, until end: UInt64 = .max) -> [(time: UInt64, bytes: [UInt8])] {
        let sink = bench.sinks[2]!
        var out: [(UInt64, [UInt8])] = sink.sent.map { (bench.now, $0.bytes) }
        sink.sent = []
        while bench.worker.nextDeparture <= end, bench.worker.nextDeparture != .max {
            bench.now = max(bench.now, bench.worker.nextDeparture)
            bench.worker.sendDue(now: bench.now)
            out += sink.sent.map { (bench.now, $0.bytes) }
            sink.sent = []
        }
        return out
    }

    static func put(_ bench: LiveForwardingTests.Bench, port: UInt32, _ frames: [[UInt8]]) {
        for start in stride(from: 0, to: frames.count, by: Worker.batchSize) {
            bench.receive(Array(frames[start..<min(start + Worker.batchSize, frames.count)]), port: port)
        }
    }

    private func isBalanced(_ bench: LiveForwardingTests.Bench) -> Bool {
        let c = bench.worker.counters
        return c.received + c.copied == c.ended
    }

    @Test(arguments: [UInt64(1_000_000), 8_000_000, 123_456_789])
    func aQueueSendsAtItsRateAndInOrder(rate: UInt64) throws {
        let bench = try Self.bench(PortQueueing(queues: [Queue(id: 1, maximumRate: rate, buffer: 1 << 20)]))
        Self.put(bench, port: 11, try (0..<200).map { try Self.frame(1000, UInt8($0)) })
        let out = Self.run(bench)
        #expect(out.map { $0.bytes[999] } == (0..<200).map { UInt8($0) })
        // What is above the burst took its time.
        let burst = PortQueueing.burst(of: rate)
        let expected = (200_000 - burst) * 8e9 / Double(rate)
        let took = Double(out.last!.time)
        #expect(took > 0.999 * expected && took < 1.01 * expected + 300_000, "\(took) instead of \(expected)")
        // And so for any part of it.
        for first in stride(from: 0, to: 200, by: 7) {
            for last in stride(from: first, to: 200, by: 13) {
                let bytes = Double(last - first + 1) * 1000
                #expect(bytes <= burst + Double(out[last].time - out[first].time) * Double(rate) / 8e9 + 1001)
            }
        }
        #expect(isBalanced(bench) && bench.worker.drops(.queueFull) == 0)
    }

    @Test func whatWaitsInOneQueueHoldsUpNoOther() throws {
        let bench = try Self.bench(PortQueueing(queues: [Queue(id: 1, maximumRate: 100_000)]))
        Self.put(bench, port: 11, try (0..<20).map { try Self.frame(1000, UInt8($0)) })
        bench.sinks[2]!.sent = []
        Self.put(bench, port: 10, [try Self.frame(1000, 77)])
        // Queue 2 is none of the port's: its packets take queue 0.
        Self.put(bench, port: 12, [try Self.frame(1000, 78)])
        #expect(bench.sinks[2]!.sent.map { $0.bytes[999] } == [77, 78])
        let index = bench.tables.ports.attachedIndex(of: 2)!
        let counters = bench.worker.queueCounters(at: index)
        #expect(counters[0]!.packets == 2 && counters[0]!.bytes == 2000)
        #expect(counters[1]!.packets == 3 && counters[1]!.waitingPackets == 17 && counters[1]!.waitingBytes == 17_000)
        // What waits has not left by the port.
        #expect(bench.worker.portCounters(at: index).txPackets == 5)
    }

    @Test func aFullQueueDropsByName() throws {
        let bench = try Self.bench(PortQueueing(queues: [Queue(id: 1, maximumRate: 1_000_000, buffer: 128 << 10)]))
        Self.put(bench, port: 11, try (0..<250).map { try Self.frame(1000, UInt8($0)) })
        let dropped = bench.worker.drops(.queueFull)
        #expect(dropped > 100 && dropped < 180)
        let out = Self.run(bench)
        #expect(UInt64(out.count) == 250 - dropped && isBalanced(bench))
        let c = bench.worker.queueCounters(at: bench.tables.ports.attachedIndex(of: 2)!)[1]!
        #expect(c.packets == UInt64(out.count) && c.drops == dropped && c.waitingPackets == 0)
        // There is room again.
        bench.now += 1_000_000_000
        Self.put(bench, port: 11, [try Self.frame(1000, 251)])
        #expect(bench.sinks[2]!.sent.map { $0.bytes[999] } == [251])
    }

    @Test func theLowestPriorityNumberGetsAllItCanUse() throws {
        let queueing = PortQueueing(maximumRate: 8_000_000, queues: [Queue(id: 1, priority: 5), Queue(id: 2, priority: 1)])
        let bench = try Self.bench(queueing)
        Self.put(bench, port: 11, try (0..<60).map { _ in try Self.frame(1000, 1) })
        Self.put(bench, port: 12, try (0..<60).map { _ in try Self.frame(1000, 2) })
        let order = Self.run(bench).map { $0.bytes[999] }
        // The burst was gone when the second came.
        let first = order.firstIndex(of: 2)!
        #expect(Array(order[first..<first + 60]) == Array(repeating: 2, count: 60) && order.count == 120)
        #expect(isBalanced(bench))
    }

    @Test func aMinimumRateHoldsAgainstAHigherPriority() throws {
        let queueing = PortQueueing(
            maximumRate: 8_000_000, queues: [Queue(id: 1, minimumRate: 2_000_000, priority: 7), Queue(id: 2, priority: 0)])
        let bench = try Self.bench(queueing)
        Self.put(bench, port: 11, try (0..<150).map { _ in try Self.frame(1000, 1) })
        Self.put(bench, port: 12, try (0..<150).map { _ in try Self.frame(1000, 2) })
        // While both have something: a quarter.
        let out = Self.run(bench, until: 150_000_000).filter { $0.time > 20_000_000 }
        let share = Double(out.count { $0.bytes[999] == 1 }) / Double(out.count)
        #expect(share > 0.23 && share < 0.28, "\(share)")
        let rate = Double(out.count) * 8000 / (Double(out.last!.time - out.first!.time) / 1e9)
        #expect(rate > 7_900_000 && rate < 8_200_000, "\(rate)")
    }

    @Test func equalsShareBytesAlike() throws {
        let bench = try Self.bench(PortQueueing(maximumRate: 8_000_000, queues: [Queue(id: 1), Queue(id: 2)]))
        Self.put(bench, port: 11, try (0..<20).map { _ in try Self.frame(1000, 0) })
        _ = Self.run(bench, until: bench.now)
        Self.put(bench, port: 11, try (0..<150).map { _ in try Self.frame(1400, 1) })
        Self.put(bench, port: 12, try (0..<600).map { _ in try Self.frame(200, 2) })
        let out = Self.run(bench, until: 120_000_000).filter { $0.time > 20_000_000 }
        let long = out.count { $0.bytes.count == 1400 } * 1400
        let short = out.count { $0.bytes.count == 200 } * 200
        #expect(abs(long - short) < 3000, "\(long) and \(short)")
    }

    @Test func aSmallFrameDoesNotTakeTheTokensThatALargeOneWaitsFor() throws {
        let bench = try Self.bench(PortQueueing(maximumRate: 1_000_000, queues: [Queue(id: 1, priority: 0), Queue(id: 2, priority: 1)]))
        Self.put(bench, port: 11, try (0..<10).map { _ in try Self.frame(1400, 1) })
        Self.put(bench, port: 12, try (0..<50).map { _ in try Self.frame(60, 2) })
        let order = Self.run(bench).map { $0.bytes.count }
        #expect(order == Array(repeating: 1400, count: 10) + Array(repeating: 60, count: 50))
    }

    @Test func aFrameLongerThanTheBurstPassesToo() throws {
        let bench = try Self.bench(PortQueueing(queues: [Queue(id: 1, maximumRate: 1_000_000, burst: 1500)]))
        Self.put(bench, port: 11, try (0..<6).map { try Self.frame(60_000, UInt8($0)) })
        let out = Self.run(bench)
        #expect(out.count == 5 && bench.worker.drops(.queueFull) == 1)
        // The first at once, the others when the one before is paid for: 4 · 60 kB at 125 kB/s.
        #expect(Double(out.last!.time) > 1.919e9 && Double(out.last!.time) < 1.922e9)
    }

    @Test func whatWaitsKeepsItsTunnelWordsAndItsPort() throws {
        let bench = try LiveForwardingTests.Bench(
            "in_port=1 actions=set_field:77->tun_id,set_queue:1,output:2,set_field:78->tun_id,output:2", ports: [1], tunnels: [2])
        bench.worker.setQueues(QueueShares(PortQueueing(queues: [Queue(id: 1, maximumRate: 1_000_000)])), port: 2)
        Self.put(bench, port: 1, try (0..<10).map { try Self.frame(1000, UInt8($0)) })
        while bench.worker.nextDeparture != .max {
            bench.now = max(bench.now, bench.worker.nextDeparture)
            bench.worker.sendDue(now: bench.now)
        }
        let sent = bench.sinks[2]!.sent
        #expect(sent.map { $0.bytes[999] } == (0..<20).map { UInt8($0 / 2) })
        #expect(sent.enumerated().allSatisfy { i, s in s.port == 2 && s.tunnel!.contains(i % 2 == 0 ? 77 : 78) })
    }

    @Test func aCopyThatIsCutWaitsAsItWas() throws {
        let bench = try LiveForwardingTests.Bench(
            "in_port=1 actions=set_queue:1,output(port=2,max_len=100),mod_dl_dst:02:00:00:00:00:99,output:2,pop_queue,output:3")
        bench.worker.setQueues(QueueShares(PortQueueing(queues: [Queue(id: 1, maximumRate: 100_000)])), port: 2)
        let frame = try Self.frame(1400, 9)
        Self.put(bench, port: 1, [frame, frame, frame])
        let changed = [2, 0, 0, 0, 0, 0x99] + frame[6...]
        #expect(bench.sinks[3]!.sent.map(\.bytes) == [changed, changed, changed])
        let out = Self.run(bench)
        #expect(out.map(\.bytes) == (0..<3).flatMap { _ in [Array(frame[..<100]), changed] })
        #expect(isBalanced(bench))
    }

    @Test func changedQueuesSendWhatWaitsAndKeepTheirCounters() throws {
        let bench = try Self.bench(PortQueueing(queues: [Queue(id: 1, maximumRate: 100_000), Queue(id: 2)]))
        Self.put(bench, port: 11, try (0..<20).map { try Self.frame(1000, UInt8($0)) })
        #expect(bench.sinks[2]!.sent.count == 3)
        bench.worker.setQueues(QueueShares(PortQueueing(queues: [Queue(id: 1, maximumRate: 200_000)])), port: 2)
        #expect(bench.sinks[2]!.sent.map { $0.bytes[999] } == (0..<20).map { UInt8($0) })
        let index = bench.tables.ports.attachedIndex(of: 2)!
        #expect(bench.worker.queueCounters(at: index)[1]!.packets == 20 && bench.worker.queueCounters(at: index)[2] == nil)
        bench.worker.setQueues(nil, port: 2)
        #expect(bench.worker.queueCounters(at: index).isEmpty && bench.worker.nextDeparture == .max)
        Self.put(bench, port: 11, [try Self.frame(1000, 99)])
        #expect(bench.sinks[2]!.sent.count == 21)
    }

    @Test func whatThePortRefusesLaterIsADropOfThatName() throws {
        let bench = try Self.bench(PortQueueing(queues: [Queue(id: 1, maximumRate: 1_000_000)]))
        Self.put(bench, port: 11, try (0..<20).map { try Self.frame(1000, UInt8($0)) })
        bench.sinks[2]!.refusal = .portDown
        _ = Self.run(bench)
        #expect(bench.worker.drops(.portDown) == 17 && isBalanced(bench))
        let c = bench.worker.queueCounters(at: bench.tables.ports.attachedIndex(of: 2)!)[1]!
        #expect(c.packets == 3 && c.drops == 17 && c.bytes == 3000)
    }

    @Test func aPortThatComesBackSendsWhatWaited() throws {
        let bench = try Self.bench(PortQueueing(queues: [Queue(id: 1, maximumRate: 1_000_000)]))
        Self.put(bench, port: 11, try (0..<20).map { try Self.frame(1000, UInt8($0)) })
        bench.worker.setTransmitter(nil, port: 2)
        bench.now += 1_000_000_000
        bench.worker.sendDue(now: bench.now)
        #expect(bench.worker.nextDeparture == .max)
        bench.worker.setTransmitter(bench.sinks[2]!, port: 2)
        #expect(Self.run(bench).map { $0.bytes[999] } == (0..<20).map { UInt8($0) })
    }

    @Test func workersThatSendByOnePortShareItsRates() {
        let shares = QueueShares(PortQueueing(maximumRate: 8_000_000, queues: [Queue(id: 1, maximumRate: 4_000_000)]))
        let workers = [PortScheduler(shares), PortScheduler(shares)]
        var bytes = 0
        // Both offer frames of 1,000 bytes to queue 1 all the time, for a second.
        for step in 1...10_000 {
            for w in workers where w.admits(1, length: 1000, now: UInt64(step) * 100_000) { bytes += 1000 }
        }
        #expect(bytes >= 500_000 && bytes <= 500_000 + 6_000)
    }

    /// Random lengths in and out against a plain list.
    @Test(arguments: 1...4) func aFIFOOfFramesIsOne(seed: UInt64) {
        var random = seed &* 0x9E37_79B9_7F4A_7C15
        func number(_ limit: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % limit
        }
        var fifo = FrameFIFO(capacity: 16 << 10)
        defer { fifo.deallocate() }
        var naive: [[UInt8]] = []
        var refused = 0
        for step in 0..<4000 {
            if number(100) < (step / 500 % 2 == 0 ? 60 : 40) {
                var bytes = (0..<(14 + number(number(10) == 0 ? 6000 : 300))).map { _ in UInt8(number(256)) }
                let count = bytes.count
                let isIn = bytes.withUnsafeMutableBytes { fifo.append(TransmitFrame(data: $0.baseAddress!, length: count)) }
                if isIn { naive.append(bytes) } else { refused += 1 }
            } else if !naive.isEmpty {
                #expect(fifo.firstLength == naive[0].count)
                let frame = fifo.takeFirst()
                #expect(Array(UnsafeRawBufferPointer(start: frame.data, count: frame.length)) == naive.removeFirst(), "seed \(seed), step \(step)")
            }
            if fifo.count != naive.count || step % 100 == 0 && fifo.bytes != naive.reduce(0, { $0 + $1.count }) {
                Issue.record("seed \(seed), step \(step): \(fifo.count) frames instead of \(naive.count)")
                return
            }
        }
        #expect(refused > 0)
    }

    @Test func whatCannotBeIsAFault() {
        #expect(PortQueueing(queues: [Queue(id: 1), Queue(id: 1)]).fault == "queue 1 is given twice")
        #expect(PortQueueing(queues: [Queue(id: 1, minimumRate: 2000, maximumRate: 1000)]).fault == "queue 1 has a min-rate above its max-rate")
        #expect(PortQueueing(maximumRate: 1000, queues: [Queue(id: 1, minimumRate: 2000)]).fault != nil)
        #expect(PortQueueing(maximumRate: 3000, queues: [Queue(id: 1, minimumRate: 2000), Queue(id: 2, minimumRate: 2000)]).fault != nil)
        #expect(PortQueueing(queues: (1...64).map { Queue(id: $0) }).fault != nil)
        #expect(PortQueueing(queues: (0...63).map { Queue(id: $0) }).fault == nil)
    }

    /// A replay's packets take no time on their way: what entries put into queues is counted.
    @Test func aReplayCountsByPortAndQueue() throws {
        let element = ForwardingElement()
        for m in FlowText.parse("in_port=1 actions=set_queue:7,output:2,output:3,pop_queue,output:4\n").modifications { try element.apply(m, now: 0) }
        var frame = try Self.frame(1000) + Array(repeating: 0, count: 64)
        frame.withUnsafeMutableBytes { bytes in
            let received = ReceivedFrame(bytes: UnsafeRawPointer(bytes.baseAddress!), length: 1000, inPort: 1, time: 0)
            element.process([received, received]) { _, _ in }
        }
        let counted = element.worker.queuedCounters
        #expect(counted.map { [UInt64($0.port), UInt64($0.queue), $0.packets, $0.bytes] } == [[2, 7, 2, 2000], [3, 7, 2, 2000]])
    }
}
