import CLinux
import Datapath
import Flow
import Foundation
import Glibc
import Ports
import Synchronization
import Testing

/// The thread that serves receivers: what it must not lose, repeat or give up on.
@Suite struct ForwardingThreadTests {
    /// Gives out what is put in, under a descriptor that can be made readable.
    final class Source: FrameReceiver, @unchecked Sendable {
        let receiveDescriptor = weft_event_create()
        let waiting = Atomic<Int>(0)
        let calls = Atomic<Int>(0)
        /// Frames of a burst at most; more of them than that leave the descriptor silent.
        let burst: Int
        /// Calls that give nothing before the first that does.
        let barren = Atomic<Int>(0)
        /// Whether frames that are left over are told by `hasFrames` and not by the descriptor.
        let hides: Bool

        init(burst: Int = 64, hides: Bool = false) {
            self.burst = burst
            self.hides = hides
        }
        deinit { Glibc.close(receiveDescriptor) }

        func put(_ count: Int) {
            waiting.wrappingAdd(count, ordering: .sequentiallyConsistent)
            weft_event_signal(receiveDescriptor)
        }
        var hasFrames: Bool { hides && waiting.load(ordering: .sequentiallyConsistent) > 0 }

        func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
            calls.wrappingAdd(1, ordering: .relaxed)
            if barren.load(ordering: .relaxed) > 0 {
                barren.wrappingSubtract(1, ordering: .relaxed)
                return 0
            }
            let n = min(count, burst, waiting.load(ordering: .sequentiallyConsistent))
            if hides || n == waiting.load(ordering: .sequentiallyConsistent) { weft_event_clear(receiveDescriptor) }
            for i in 0..<n {
                slots[i].data.initializeMemory(as: UInt8.self, repeating: 2, count: 60)
                slots[i].length = 60
                slots[i].inPort = 1
                slots[i].isTunneled = false
                slots[i].offload = .none
            }
            waiting.wrappingSubtract(n, ordering: .sequentiallyConsistent)
            return n
        }
    }

    final class Sink: FrameTransmitter, @unchecked Sendable {
        let count = Atomic<Int>(0)
        func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count n: Int) { count.wrappingAdd(n, ordering: .sequentiallyConsistent) }
    }

    /// A thread between a source at ports `ports` and a sink.
    private func withThread(_ source: Source, ports: [UInt32] = [1], _ body: (ForwardingThread, Sink) throws -> Void) throws {
        let tables = FlowTables(ports: PortRegistry(admitsNamedPorts: false))
        for p in ports + [9] { tables.ports.attach(p) }
        let parsed = FlowText.parse("actions=output:9")
        for m in parsed.modifications { try tables.apply(m, now: 0) }
        tables.publish()
        let thread = try ForwardingThread(index: 0, worker: Worker(tables: tables, maxFrameLength: 2048))
        let sink = Sink()
        thread.worker.setTransmitter(sink, port: 9)
        for p in ports { thread.add(source, port: p) }
        thread.start()
        defer { thread.stop() }
        try body(thread, sink)
    }

    private func waits(_ condition: () -> Bool) -> Bool {
        for _ in 0..<2000 {
            if condition() { return true }
            usleep(5000)
        }
        return false
    }

    @Test func `Frames that the descriptor does not tell of are not left lying`() throws {
        let source = Source(burst: 3, hides: true)
        try withThread(source) { _, sink in
            source.put(1000)
            #expect(waits { sink.count.load(ordering: .sequentiallyConsistent) == 1000 })
        }
    }

    @Test func `A receiver that gives nothing for long is asked again`() throws {
        let source = Source()
        source.barren.store(3000, ordering: .relaxed)
        try withThread(source) { _, sink in
            source.put(5)
            #expect(waits { sink.count.load(ordering: .sequentiallyConsistent) == 5 })
        }
    }

    @Test func `A receiver of several ports is served once, until its last port is removed`() throws {
        let source = Source()
        try withThread(source, ports: [1, 2, 3]) { thread, sink in
            thread.perform { thread.removeReceivers(port: 2) }
            source.put(7)
            #expect(waits { sink.count.load(ordering: .sequentiallyConsistent) == 7 })
            thread.perform { [1, 3].forEach { thread.removeReceivers(port: $0) } }
            source.put(7)
            let calls = source.calls.load(ordering: .relaxed)
            usleep(50_000)
            #expect(source.calls.load(ordering: .relaxed) == calls)
            #expect(sink.count.load(ordering: .sequentiallyConsistent) == 7)
        }
    }

    @Test func `A thread that sleeps wakes for frames that wait in a queue`() throws {
        let source = Source()
        try withThread(source) { thread, sink in
            // 60 bytes every 4.8 ms, behind a burst of 1,500.
            let shares = QueueShares(PortQueueing(queues: [PortQueueing.Queue(id: 0, maximumRate: 100_000, burst: 1500)]))
            thread.perform { thread.worker.setQueues(shares, port: 9) }
            let start = weft_monotonic_ns()
            source.put(75)
            #expect(waits { sink.count.load(ordering: .sequentiallyConsistent) == 75 })
            let took = weft_monotonic_ns() - start
            // 50 · 60 bytes at 12,500 bytes/s.
            #expect(took > 239_000_000, "\(took) ns")
            let statistics = thread.perform { thread.statistics }
            // No polling: some turns for each frame and for looking at the beginning and the end.
            #expect(statistics.turns < 3000, "\(statistics.turns) turns")
        }
    }

    @Test func `A thread without frames sleeps`() throws {
        let source = Source()
        try withThread(source) { thread, sink in
            for i in 1...5 {
                source.put(1)
                #expect(waits { sink.count.load(ordering: .sequentiallyConsistent) == i })
            }
            usleep(20_000)
            let before = thread.perform { thread.statistics }
            usleep(300_000)
            let after = thread.perform { thread.statistics }
            #expect(after.turns - before.turns < 1000, "\(after.turns - before.turns) turns in 0.3 s without frames")
            #expect(after.sleeps > before.sleeps)
        }
    }
}
