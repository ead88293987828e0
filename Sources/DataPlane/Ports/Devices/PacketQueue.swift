import CLinux
import Glibc

/// One packet socket of a device: bursts of frames with their virtio headers.
///
/// **Receive.** Header and frame are one buffer, so nothing is copied but by the kernel. A VLAN tag that the kernel has taken out comes beside the frame; the
/// queue puts it back. While tags come, frames are read four bytes further in, so that only the two addresses move to make room; a frame without a tag is
/// then moved down. While none come it is the other way round.
///
/// **Ring.** Small frames come in a ring (`PacketRing`) when the socket has one, and are copied out of it; long ones are received as above when the ring says
/// that one waits, so that their order is kept.
///
/// **Bursts.** Large frames are asked for a few at a time, so that they are still in the processor's cache when they leave; small ones up to 64 at a
/// time. After a burst of frames with more than `largeFrame` bytes on average the next asks for `smallBurst`.
final class PacketQueue: FrameQueue {
    static let limit = 64
    private static let smallBurst = 8
    private static let largeFrame = 8192

    private let descriptor: OwnedDescriptor
    private let ring: PacketRing?
    private let state: DeviceState
    private let port: UInt32
    private let capabilities: OffloadCapabilities
    private let segmenter = Segmenter()
    private let burst: OpaquePointer
    private var burstSize = PacketQueue.limit
    private var expectsTags = false
    /// Frames of the burst being sent: their places among those handed over.
    private let places = UnsafeMutablePointer<Int>.allocate(capacity: PacketQueue.limit)

    init(socket: PacketSocket, state: DeviceState, port: UInt32, capabilities: OffloadCapabilities) {
        descriptor = socket.descriptor
        ring = socket.ring
        self.state = state
        self.port = port
        self.capabilities = capabilities
        burst = weft_burst_create(Int32(Self.limit))!
    }

    deinit {
        weft_burst_free(burst)
        places.deallocate()
    }

    var receiveDescriptor: Int32 { descriptor.value }

    // MARK: - Receiving

    private(set) var isDrained = false

    func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
        if let ring { return receive(from: ring, slots, count) }
        // A burst of nothing but bad frames does not count as an empty socket.
        for _ in 0..<8 {
            let asked = min(count, burstSize)
            let burst = receiveBurst(slots, asked)
            isDrained = burst.isEmpty || burst.taken < asked
            if burst.filled > 0 || burst.isEmpty { return burst.filled }
        }
        return 0
    }

    private func receive(from ring: PacketRing, _ slots: UnsafeMutablePointer<ReceiveSlot>, _ count: Int) -> Int {
        var filled = 0
        var messages = 0
        var bad = 0
        let limit = burstSize
        isDrained = false
        while filled < count, messages < limit, bad < 256, let source = ring.next {
            let status = weft_slot_status(source)
            if status & UInt32(weft_slot_filled) == 0 {
                isDrained = true
                // An error that nobody takes would keep the descriptor ready.
                if filled == 0, bad == 0 { _ = weft_packet_take_error(descriptor.value) }
                break
            }
            if status & UInt32(weft_slot_message) != 0 {
                let burst = receiveBurst(slots + filled, ring.messagesWaiting(limit: min(count &- filled, limit &- messages)))
                if burst.taken == 0, burst.isEmpty {
                    // A slot whose message is not there; it must not hold up what is behind it.
                    state.count(state.failed)
                    ring.release()
                }
                ring.release(burst.taken)
                filled &+= burst.filled
                messages &+= burst.taken
                bad &+= 1
                continue
            }
            if copy(from: source, status, to: slots + filled) { filled &+= 1 } else { bad &+= 1 }
            ring.release()
        }
        return filled
    }

    /// Takes a frame out of its slot; false when it is not to be delivered.
    @inline(__always) private func copy(from source: UnsafeMutableRawPointer, _ status: UInt32, to slot: UnsafeMutablePointer<ReceiveSlot>) -> Bool {
        let frame = source + Int(weft_slot_start(source))
        var length = Int(weft_slot_stored(source))
        if length != Int(weft_slot_length(source)) {
            // The socket's buffer had no room for the message.
            state.count(state.missed)
            return false
        }
        guard length >= 14, var offload = VirtioHeader.read(before: frame, length: length) else {
            state.count(state.malformed)
            return false
        }
        guard length &+ 4 <= slot.pointee.capacity else {
            state.count(state.tooLong)
            return false
        }
        let data = slot.pointee.data
        let tag = weft_slot_tag(source, status)
        if tag == 0 {
            data.copyMemory(from: frame, byteCount: length)
        } else {
            data.copyMemory(from: frame, byteCount: 12)
            data.storeBytes(of: tag.bigEndian, toByteOffset: 12, as: UInt32.self)
            (data + 16).copyMemory(from: frame + 12, byteCount: length &- 12)
            length &+= 4
            if offload.needsChecksum { offload.checksumStart &+= 4 }
        }
        slot.pointee.length = length
        slot.pointee.inPort = port
        slot.pointee.isTunneled = false
        slot.pointee.offload = offload
        return true
    }

    /// Receives messages: how many filled slots, how many were taken from the socket, and whether it has no more.
    private func receiveBurst(_ slots: UnsafeMutablePointer<ReceiveSlot>, _ count: Int) -> (filled: Int, taken: Int, isEmpty: Bool) {
        let shift = expectsTags ? 4 : 0
        var i = 0
        while i < count {
            let slot = slots + i
            // Safe: 64 bytes before `data` are the port's, and a frame read four bytes further in has four bytes less room.
            weft_burst_set(burst, Int32(i), slot.pointee.data + (shift &- VirtioHeader.size), slot.pointee.capacity &+ VirtioHeader.size &- shift)
            weft_burst_expect(burst, Int32(i))
            i &+= 1
        }
        let n = Int(weft_burst_receive(burst, descriptor.value, Int32(count)))
        if n <= 0 {
            switch Int32(-n) {
            case 0, EAGAIN: return (0, 0, true)
            // ENETDOWN is told once, before what had arrived until then.
            case EINTR, ENETDOWN: return (0, 0, false)
            // A frame whose state a virtio header cannot tell (SCTP segments); it is lost, and others may wait.
            case EINVAL:
                state.count(state.malformed)
                return (0, 1, false)
            default:
                state.count(state.failed)
                return (0, 0, true)
            }
        }
        var filled = 0
        var bytes = 0
        var sawTag = false
        i = 0
        while i < n {
            let tag = weft_burst_tag(burst, Int32(i))
            sawTag = sawTag || tag != 0
            if let (length, offload) = settle(slots + i, size: weft_burst_length(burst, Int32(i)), shift: shift, tag: tag) {
                // A bad frame's slot is filled by the next good one's bytes: slots stay where their buffers are.
                let slot = slots + filled
                if filled != i { slot.pointee.data.copyMemory(from: slots[i].data, byteCount: length) }
                slot.pointee.length = length
                slot.pointee.inPort = port
                slot.pointee.isTunneled = false
                slot.pointee.offload = offload
                filled &+= 1
                bytes &+= length
            }
            i &+= 1
        }
        expectsTags = sawTag
        if bytes > filled &* Self.largeFrame {
            burstSize = Self.smallBurst
        } else if burstSize < Self.limit {
            burstSize = min(burstSize &* 2, Self.limit)
        }
        return (filled, n, false)
    }

    /// Moves a received frame to where it belongs, with its tag; nil when it is not to be delivered.
    @inline(__always)
    private func settle(_ slot: UnsafeMutablePointer<ReceiveSlot>, size: Int, shift: Int, tag: UInt32) -> (length: Int, offload: Offload)? {
        let data = slot.pointee.data
        let read = data + shift
        var length = size &- VirtioHeader.size
        if size < 0 {
            state.count(state.tooLong)
            return nil
        }
        guard length >= 14, var offload = VirtioHeader.read(before: read, length: length) else {
            state.count(state.malformed)
            return nil
        }
        if tag == 0 {
            if shift != 0 { memmove(data, read, length) }
            return (length, offload)
        }
        // Safe: a tagged frame that was not read further in is moved within the capacity tested here.
        if shift == 0 {
            guard length &+ 4 <= slot.pointee.capacity else {
                state.count(state.tooLong)
                return nil
            }
            memmove(data + 16, data + 12, length &- 12)
        } else {
            memmove(data, read, 12)
        }
        data.storeBytes(of: tag.bigEndian, toByteOffset: 12, as: UInt32.self)
        length &+= 4
        if offload.needsChecksum { offload.checksumStart &+= 4 }
        return (length, offload)
    }

    // MARK: - Sending

    func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
        if !state.isForwarding.load(ordering: .relaxed) {
            for i in 0..<count { frames[i].refusal = .portDown }
            return
        }
        let mtu = state.mtu.load(ordering: .relaxed)
        var queued = 0
        var i = 0
        while i < count {
            let frame = frames + i
            switch OutputFit.of(frame, mtu: mtu, capabilities: capabilities) {
            case .whole:
                if ChecksumFinisher.isSCTP(frame.pointee.offload), !ChecksumFinisher.finish(frame) {
                    frame.pointee.refusal = .transmitError
                    break
                }
                VirtioHeader.write(frame.pointee.offload, before: frame.pointee.data, length: frame.pointee.length)
                weft_burst_set(burst, Int32(queued), frame.pointee.data - VirtioHeader.size, frame.pointee.length &+ VirtioHeader.size)
                places[queued] = i
                queued &+= 1
            case .cut:
                flush(frames, &queued)
                cut(frame)
            case .refused(let refusal): frame.pointee.refusal = refusal
            }
            if queued == Self.limit { flush(frames, &queued) }
            i &+= 1
        }
        flush(frames, &queued)
    }

    /// Sends the queued frames; one that fails does not keep the others.
    private func flush(_ frames: UnsafeMutablePointer<TransmitFrame>, _ queued: inout Int) {
        var first = 0
        while first < queued {
            let n = Int(weft_burst_send(burst, descriptor.value, Int32(first), Int32(queued)))
            if n > 0 {
                first &+= n
            } else if n != -Int(EINTR) {
                let (refusal, endsBurst) = TransmitRefusal.of(errno: Int32(-n))
                let end = endsBurst ? queued : first &+ 1
                while first < end {
                    frames[places[first]].refusal = refusal
                    first &+= 1
                }
            }
        }
        queued = 0
    }

    /// Sends a frame in parts, one at a time. Apart, so that its closure costs the others nothing.
    @inline(never) private func cut(_ frame: UnsafeMutablePointer<TransmitFrame>) {
        var code: Int32 = 0
        let isCut = segmenter.cut(frame.pointee) { data, length in
            VirtioHeader.write(.none, before: data, length: length)
            weft_burst_set(burst, 0, data - VirtioHeader.size, length &+ VirtioHeader.size)
            let n = weft_burst_send(burst, descriptor.value, 0, 1)
            if n < 0 { code = -n }
        }
        if !isCut { frame.pointee.refusal = .transmitError }
        if code != 0 { frame.pointee.refusal = TransmitRefusal.of(errno: code).refusal }
    }
}
