import CLinux
import Flow
import Foundation
import Testing

@testable import Ports

/// A switch's service port and the process at its other end, both in this process.
@Suite struct ServicePortTests {
    private final class Bench {
        let folder: String
        let port: ServicePort
        init(workers: Int = 1) throws {
            folder = NSTemporaryDirectory() + "weft-\(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            port = try ServicePort(name: "nat", number: 9, path: folder + "/nat.service", workers: workers)
        }
        deinit {
            port.close()
            try? FileManager.default.removeItem(atPath: folder)
        }

        /// Connects while the switch follows connections, as its control side does.
        func connect() throws -> ServiceLink {
            let path = port.path
            let isDone = DispatchSemaphore(value: 0)
            nonisolated(unsafe) var result: Result<ServiceLink, any Error>?
            Thread {
                result = Result { try ServiceLink(path: path) }
                isDone.signal()
            }.start()
            while isDone.wait(timeout: .now() + 0.001) == .timedOut { _ = port.refresh() }
            return try result!.get()
        }
    }

    @Test(arguments: [false, true]) func `Frames come in order with offload state and context, in both directions`(towardsSwitch: Bool) throws {
        let bench = try Bench(workers: 2)
        #expect(!bench.port.status.isForwarding && bench.port.receiver(worker: 0) == nil)
        let link = try bench.connect()
        #expect(bench.port.status.isForwarding && link.queues.count == 2)
        for worker in 0..<2 {
            let own = try #require(bench.port.receiver(worker: worker))
            let sender: any FrameTransmitter = towardsSwitch ? link.queues[worker] : bench.port.transmitter(worker: worker)
            let receiver: any FrameReceiver = towardsSwitch ? own : link.queues[worker]
            var generator = SeededGenerator(seed: 11)
            let buffers = FrameBuffers(count: 64)
            var waiting: [(bytes: [UInt8], offload: Offload, context: [UInt64]?)] = []
            var (refused, sent) = (0, 0)
            for _ in 0..<300 {
                for _ in 0..<Int.random(in: 0...40, using: &generator) {
                    let size = Int.random(in: 14...(Bool.random(using: &generator) ? 100 : 60_000), using: &generator)
                    let bytes = [UInt8](repeating: .random(in: 0...255, using: &generator), count: size)
                    let offload = Offload(flags: .needsChecksum, checksumStart: UInt16(size - 14), checksumOffset: 6)
                    let context = Bool.random(using: &generator) ? (0..<ServiceRing.contextWords).map { _ in generator.next() } : nil
                    let owned = OwnedFrame(bytes, offload: offload)
                    let refusal = (context ?? []).withUnsafeBufferPointer { words in
                        if context != nil { owned.frame.pointee.tunnel = words.baseAddress }
                        sender.transmit(owned.frame, count: 1)
                        return owned.frame.pointee.refusal
                    }
                    if refusal == .none {
                        waiting.append((bytes, offload, context))
                        sent += 1
                    } else {
                        #expect(refusal == .transmitQueueFull)
                        refused += 1
                    }
                }
                // What was sent has woken the reader, unless it has read everything.
                if !waiting.isEmpty { #expect(weft_is_readable(receiver.receiveDescriptor) != 0) }
                let n = receiver.receive(buffers.slots, count: Int.random(in: 1...34, using: &generator))
                for i in 0..<n {
                    let expected = waiting.removeFirst()
                    let slot = buffers.slots[i]
                    #expect(Array(UnsafeRawBufferPointer(start: slot.data, count: slot.length)) == expected.bytes)
                    #expect(slot.offload == expected.offload && slot.inPort == (towardsSwitch ? 9 : 0))
                    #expect(slot.isTunneled == (expected.context != nil))
                    if let context = expected.context {
                        #expect(Array(UnsafeBufferPointer(start: slot.tunnel, count: ServiceRing.contextWords)) == context)
                    }
                }
                if receiver.isDrained { #expect(waiting.isEmpty && weft_is_readable(receiver.receiveDescriptor) == 0) }
            }
            #expect(refused > 0 && sent > 1000)
        }
    }

    @Test func `One service at a time, and the next one after it has gone`() throws {
        let bench = try Bench()
        let first = try bench.connect()
        #expect(throws: PortError.self) { try bench.connect() }
        #expect(!first.isOver)
        first.close()
        #expect(bench.port.refresh() && !bench.port.status.isForwarding)
        let owned = OwnedFrame(Array(repeating: 1, count: 60))
        bench.port.transmitter(worker: 0).transmit(owned.frame, count: 1)
        #expect(owned.frame.pointee.refusal == .portDown)
        let second = try bench.connect()
        #expect(bench.port.status.isForwarding)
        bench.port.close()
        #expect(second.isOver)
    }

    @Test func `A socket left behind is replaced, one in use is not`() throws {
        let bench = try Bench()
        #expect(throws: PortError.self) { try ServicePort(name: "x", number: 1, path: bench.port.path, workers: 1) }
        let left = bench.folder + "/left.service"
        close(weft_service_listen(left))
        let port = try ServicePort(name: "x", number: 1, path: left, workers: 1)
        port.close()
        #expect(!FileManager.default.fileExists(atPath: left))
    }

    @Test func `A service that writes anything at all into its memory harms nobody`() throws {
        var generator = SeededGenerator(seed: 77)
        let buffers = FrameBuffers(count: 64)
        var broken = 0
        for round in 0..<200 {
            let memory = try ServiceMemory(workers: 1)
            let state = DeviceState()
            let service = ServiceQueue(memory: memory, worker: 0, isSwitch: false, port: 0, state: state)
            let owned = OwnedFrame(Array(repeating: 1, count: 200))
            for _ in 0..<20 { service.transmit(owned.frame, count: 1) }
            let base = try #require(
                weft_shared_map(memory.descriptor.value, ServiceMemory.firstRing + 2 * (ServiceRing.headerSize + ServiceMemory.ringSize)))
            defer { weft_shared_unmap(base, ServiceMemory.firstRing + 2 * (ServiceRing.headerSize + ServiceMemory.ringSize)) }
            // Positions and the first records, in both rings.
            for ring in 0..<2 {
                let start = base + ServiceMemory.firstRing + ring * (ServiceRing.headerSize + ServiceMemory.ringSize)
                for _ in 0..<Int.random(in: 1...20, using: &generator) {
                    let at =
                        Bool.random(using: &generator)
                        ? [0, 4, 64, 128, 132, 136, 144].randomElement(using: &generator)! : Int.random(in: 0...6000, using: &generator) & ~3
                    let value = [0, 8, 24, 16, 0xffff_ffff, 4 << 20, UInt32.random(in: 0...9000, using: &generator)].randomElement(using: &generator)!
                    (start + at).storeBytes(of: value, as: UInt32.self)
                }
            }
            let own = ServiceQueue(memory: memory, worker: 0, isSwitch: true, port: 9, state: state)
            var received = 0
            for _ in 0..<30 {
                received += own.receive(buffers.slots, count: 64)
                own.transmit(owned.frame, count: 1)
            }
            // Even a ring that is made to look full of tiny records ends.
            #expect(received < 1 << 20, "round \(round)")
            broken += own.isBroken ? 1 : 0
        }
        #expect(broken > 20)
    }

    @Test func `Memory without a seal, or of another size, is not mapped`() {
        let file = NSTemporaryDirectory() + "weft-\(UUID().uuidString)"
        #expect(FileManager.default.createFile(atPath: file, contents: Data(count: 8192)))
        defer { unlink(file) }
        let descriptor = open(file, O_RDWR)
        defer { close(descriptor) }
        #expect(weft_shared_map(descriptor, 8192) == nil)
        let memory = weft_shared_memory(8192)
        defer { close(memory) }
        #expect(weft_shared_map(memory, 4096) == nil)
        #expect(ftruncate(memory, 0) != 0)
    }
}
