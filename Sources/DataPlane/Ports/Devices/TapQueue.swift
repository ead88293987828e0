import CLinux
import Glibc

/// One queue of a TAP device: a frame with its virtio header per call.
///
/// A burst ends after `burstBytes`: large frames leave while they are still in the processor's cache.
final class TapQueue: FrameQueue {
    private static let burstBytes = 256 << 10

    private let descriptor: OwnedDescriptor
    private let state: DeviceState
    private let port: UInt32
    private let capabilities: OffloadCapabilities
    private let segmenter = Segmenter()

    init(descriptor: OwnedDescriptor, state: DeviceState, port: UInt32, capabilities: OffloadCapabilities) {
        self.descriptor = descriptor
        self.state = state
        self.port = port
        self.capabilities = capabilities
    }

    var receiveDescriptor: Int32 { descriptor.value }

    private(set) var isDrained = false

    func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
        isDrained = false
        let descriptor = descriptor.value
        var filled = 0
        var bad = 0
        var bytes = 0
        while filled < count, bytes < Self.burstBytes {
            let slot = slots + filled
            let data = slot.pointee.data
            let room = slot.pointee.capacity &+ VirtioHeader.size
            // Safe: 64 bytes before `data` are the port's.
            let size = read(descriptor, data - VirtioHeader.size, room)
            if size <= 0 {
                if size < 0, errno == EINTR { continue }
                isDrained = true
                break
            }
            let length = size &- VirtioHeader.size
            // A frame that was cut off fills the buffer to the last byte.
            if size == room {
                state.count(state.tooLong)
            } else if length >= 14, let offload = VirtioHeader.read(before: data, length: length) {
                slot.pointee.length = length
                slot.pointee.inPort = port
                slot.pointee.isTunneled = false
                slot.pointee.offload = offload
                filled &+= 1
                bytes &+= length
                continue
            } else {
                state.count(state.malformed)
            }
            bad &+= 1
            if bad == 256 { break }
        }
        return filled
    }

    func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
        let mtu = state.mtu.load(ordering: .relaxed)
        if !state.isForwarding.load(ordering: .relaxed) {
            for i in 0..<count { frames[i].refusal = .portDown }
            return
        }
        var i = 0
        while i < count {
            let frame = frames + i
            switch OutputFit.of(frame, mtu: mtu, capabilities: capabilities) {
            case .whole:
                if ChecksumFinisher.isSCTP(frame.pointee.offload), !ChecksumFinisher.finish(frame) {
                    frame.pointee.refusal = .transmitError
                    break
                }
                let code = send(frame.pointee.data, frame.pointee.length, frame.pointee.offload)
                if code != 0 {
                    let (refusal, endsBurst) = TransmitRefusal.of(errno: code)
                    frame.pointee.refusal = refusal
                    if endsBurst {
                        for k in (i + 1)..<max(count, i + 1) { frames[k].refusal = refusal }
                        return
                    }
                }
            case .cut:
                cut(frame)
            case .refused(let refusal): frame.pointee.refusal = refusal
            }
            i &+= 1
        }
    }

    /// Sends a frame in parts. Apart, so that its closure costs the others nothing.
    @inline(never) private func cut(_ frame: UnsafeMutablePointer<TransmitFrame>) {
        var code: Int32 = 0
        let isCut = segmenter.cut(frame.pointee) { data, length in
            let own = send(data, length, .none)
            if own != 0 { code = own }
        }
        if !isCut { frame.pointee.refusal = .transmitError }
        if code != 0 { frame.pointee.refusal = TransmitRefusal.of(errno: code).refusal }
    }

    /// Sends a frame; 0, or an errno value.
    @inline(__always) private func send(_ data: UnsafeMutableRawPointer, _ length: Int, _ offload: Offload) -> Int32 {
        VirtioHeader.write(offload, before: data, length: length)
        while write(descriptor.value, data - VirtioHeader.size, length &+ VirtioHeader.size) < 0 {
            if errno != EINTR { return errno }
        }
        return 0
    }
}

/// A descriptor that is closed with the last of its users, or before.
final class OwnedDescriptor: @unchecked Sendable {
    private(set) var value: Int32
    init(_ value: Int32) { self.value = value }
    deinit { close() }

    /// Only when no worker uses it any more.
    func close() {
        if value >= 0 { Glibc.close(value) }
        value = -1
    }
}
