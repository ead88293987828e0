import Testing

@testable import Ports

/// Ports without a device.
@Suite struct InnerPortTests {
    @Test func `What leaves by a patch port arrives at its peer, in order and with its offload state`() {
        let (a, b) = PatchPort.pair(("a", 1), ("b", 2))
        let sender = a.transmitter(worker: 0)
        let receiver = b.receiver(worker: 0)!
        var generator = SeededGenerator(seed: 3)
        let buffers = FrameBuffers(count: 64)
        var waiting: [([UInt8], Offload)] = []
        var refused = 0
        for _ in 0..<400 {
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                let size = Int.random(in: 14...(Bool.random(using: &generator) ? 100 : 60_000), using: &generator)
                let bytes = [UInt8](repeating: .random(in: 0...255, using: &generator), count: size)
                let offload = Offload(flags: .needsChecksum, checksumStart: UInt16(size - 14), checksumOffset: 6)
                let owned = OwnedFrame(bytes, offload: offload)
                sender.transmit(owned.frame, count: 1)
                if owned.frame.pointee.refusal == .none {
                    waiting.append((bytes, offload))
                } else {
                    #expect(owned.frame.pointee.refusal == .transmitQueueFull)
                    refused += 1
                }
            }
            #expect(receiver.hasFrames == !waiting.isEmpty)
            let n = receiver.receive(buffers.slots, count: Int.random(in: 1...64, using: &generator))
            for i in 0..<n {
                let (bytes, offload) = waiting.removeFirst()
                let slot = buffers.slots[i]
                let isSame = Array(UnsafeRawBufferPointer(start: slot.data, count: slot.length)) == bytes
                #expect(isSame && slot.offload == offload && slot.inPort == 2)
            }
        }
        #expect(refused > 0)
        #expect(a.receiver(worker: 0)!.hasFrames == false)
    }

    @Test func `A memory port hands over what is injected and keeps what is sent`() {
        let port = MemoryPort(name: "m", number: 7, limit: 2)
        let buffers = FrameBuffers(count: 4, capacity: 100)
        #expect(port.inject(.init(Array(repeating: 9, count: 101))))
        #expect(port.inject(.init([1, 2, 3])))
        #expect(!port.inject(.init([4])))
        let receiver = port.receiver(worker: 0)!
        #expect(receiver.hasFrames)
        #expect(receiver.receive(buffers.slots, count: 4) == 1)
        #expect(buffers.slots[0].length == 3 && buffers.slots[0].inPort == 7)
        #expect(!receiver.hasFrames)
        let owned = OwnedFrame([5, 6])
        port.transmitter(worker: 3).transmit(owned.frame, count: 1)
        #expect(port.takeSent() == [.init([5, 6])])
        var status = PortStatus()
        status.isUp = false
        port.setStatus(status)
        #expect(port.refresh() && !port.refresh())
        port.transmitter(worker: 0).transmit(owned.frame, count: 1)
        #expect(owned.frame.pointee.refusal == .portDown)
    }
}
