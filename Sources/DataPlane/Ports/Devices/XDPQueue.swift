import CLinux
import CXDP
import Glibc

/// One AF_XDP socket: a device queue's frames in memory shared with the kernel.
///
/// Half of the memory's frames wait in the fill ring for what arrives, the other half are sent from. A frame is copied once each way, between that
/// memory and the worker's buffers. There are no offloads: checksums and large segments are finished before the copy.
///
/// **Limits.** `frameCount` frames of `frameSize` bytes; `ringSize` frames wait in each ring. One thread.
final class XDPQueue: FrameQueue, @unchecked Sendable {
    static let frameCount = 4096
    static let ringSize: UInt32 = 2048

    /// How frames come to the socket.
    struct Mode {
        var isNative: Bool
        var isZeroCopy: Bool
        var phrase: String { "\(isNative ? "native" : "generic") XDP, \(isZeroCopy ? "zero-copy" : "copying")" }
        /// In the order they are tried.
        static let all = [Mode(isNative: true, isZeroCopy: true), Mode(isNative: true, isZeroCopy: false), Mode(isNative: false, isZeroCopy: false)]
    }

    private struct Rings {
        var fill = xsk_ring_prod()
        var completion = xsk_ring_cons()
        var receive = xsk_ring_cons()
        var send = xsk_ring_prod()
    }

    private let memory: UnsafeMutableRawPointer
    private let frameSize: Int
    private let rings: UnsafeMutablePointer<Rings>
    private var umem: OpaquePointer?
    private var socket: OpaquePointer?
    private let state: DeviceState
    private let port: UInt32
    /// Frames to send from.
    private let free: UnsafeMutablePointer<UInt64>
    private var freeCount = 0
    private let segmenter = Segmenter()
    private let program: XDPProgram

    /// - Parameters:
    ///   - frameSize: 2048 or 4096, of which the kernel keeps 256 for itself.
    ///   - program: what hands the queue's frames to this socket.
    /// - Returns: nil when the kernel or libxdp refuses; `failure` is an errno value. Call in the device's namespace.
    init?(
        device: String, queue: UInt32, mode: Mode, frameSize: Int, program: XDPProgram, state: DeviceState, port: UInt32,
        failure: inout Int32
    ) {
        weft_xdp_set_quiet()
        self.program = program
        self.state = state
        self.port = port
        self.frameSize = frameSize
        memory = weft_allocate_large(Self.frameCount * frameSize)!
        rings = .allocate(capacity: 1)
        rings.initialize(to: Rings())
        free = .allocate(capacity: Self.frameCount)
        var memoryConfiguration = xsk_umem_config(
            fill_size: Self.ringSize, comp_size: Self.ringSize, frame_size: UInt32(frameSize), frame_headroom: 0, flags: 0)
        failure = xsk_umem__create(
            &umem, memory, UInt64(Self.frameCount * frameSize), &rings.pointee.fill, &rings.pointee.completion, &memoryConfiguration)
        if failure != 0 {
            failure = -failure
            return nil
        }
        var configuration = xsk_socket_config()
        configuration.rx_size = Self.ringSize
        configuration.tx_size = Self.ringSize
        configuration.libxdp_flags = UInt32(XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD)
        configuration.xdp_flags = UInt32(mode.isNative ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE)
        configuration.bind_flags = UInt16(mode.isZeroCopy ? XDP_ZEROCOPY : XDP_COPY) | UInt16(XDP_USE_NEED_WAKEUP)
        failure = xsk_socket__create(&socket, device, queue, umem, &rings.pointee.receive, &rings.pointee.send, &configuration)
        if failure != 0 {
            failure = -failure
            return nil
        }
        failure = program.direct(socket!)
        if failure != 0 { return nil }
        for i in 0..<Self.frameCount / 2 {
            free[i] = UInt64((Self.frameCount / 2 + i) * frameSize)
        }
        freeCount = Self.frameCount / 2
        var position: UInt32 = 0
        _ = xsk_ring_prod__reserve(&rings.pointee.fill, Self.ringSize, &position)
        for i in 0..<Self.ringSize { xsk_ring_prod__fill_addr(&rings.pointee.fill, position &+ i).pointee = UInt64(Int(i) * frameSize) }
        xsk_ring_prod__submit(&rings.pointee.fill, Self.ringSize)
    }

    deinit {
        close()
        rings.deallocate()
        free.deallocate()
        weft_free_large(memory, Self.frameCount * frameSize)
    }

    /// Ends the socket; only when no worker uses the queue any more.
    func close() {
        if let socket { xsk_socket__delete(socket) }
        if let umem { xsk_umem__delete(umem) }
        socket = nil
        umem = nil
    }

    var receiveDescriptor: Int32 { socket.map { xsk_socket__fd($0) } ?? -1 }

    func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
        guard let socket else { return 0 }
        var position: UInt32 = 0
        let n = xsk_ring_cons__peek(&rings.pointee.receive, UInt32(count), &position)
        if n == 0 {
            if xsk_ring_prod__needs_wakeup(&rings.pointee.fill) != 0 { recv(xsk_socket__fd(socket), nil, 0, Int32(MSG_DONTWAIT)) }
            return 0
        }
        var fill: UInt32 = 0
        // As many frames are out as were put in, so there is always room.
        let room = xsk_ring_prod__reserve(&rings.pointee.fill, n, &fill)
        assert(room == n)
        var filled = 0
        for i in 0..<n {
            let descriptor = xsk_ring_cons__rx_desc(&rings.pointee.receive, position &+ i).pointee
            let length = Int(descriptor.len)
            let slot = slots + filled
            // Safe: the kernel describes bytes within the memory it was given.
            if length > slot.pointee.capacity {
                state.count(state.tooLong)
            } else if length < 14 {
                state.count(state.malformed)
            } else {
                slot.pointee.data.copyMemory(from: memory + Int(descriptor.addr), byteCount: length)
                slot.pointee.length = length
                slot.pointee.inPort = port
                slot.pointee.isTunneled = false
                slot.pointee.offload = .none
                filled &+= 1
            }
            xsk_ring_prod__fill_addr(&rings.pointee.fill, fill &+ i).pointee = descriptor.addr & ~UInt64(frameSize - 1)
        }
        xsk_ring_prod__submit(&rings.pointee.fill, n)
        xsk_ring_cons__release(&rings.pointee.receive, n)
        return filled
    }

    func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
        guard socket != nil, state.isForwarding.load(ordering: .relaxed) else {
            for i in 0..<count { frames[i].refusal = .portDown }
            return
        }
        reclaim()
        let mtu = state.mtu.load(ordering: .relaxed)
        var queued: UInt32 = 0
        for i in 0..<count {
            let frame = frames + i
            switch OutputFit.of(frame, mtu: mtu, capabilities: []) {
            case .whole:
                if frame.pointee.offload.needsChecksum, !ChecksumFinisher.finish(frame) {
                    frame.pointee.refusal = .transmitError
                } else if !queue(frame.pointee.data, frame.pointee.length, &queued) {
                    frame.pointee.refusal = .transmitQueueFull
                }
            case .cut:
                var isFull = false
                let isCut = segmenter.cut(frame.pointee) { data, length in
                    if !queue(data, length, &queued) { isFull = true }
                }
                if !isCut { frame.pointee.refusal = .transmitError }
                if isFull { frame.pointee.refusal = .transmitQueueFull }
            case .refused(let refusal): frame.pointee.refusal = refusal
            }
        }
        if queued > 0 { submit(queued) }
    }

    /// Copies a frame to where it is sent from; false when there is no room.
    private func queue(_ data: UnsafeMutableRawPointer, _ length: Int, _ queued: inout UInt32) -> Bool {
        if freeCount == 0 {
            submit(queued)
            queued = 0
            reclaim()
        }
        var position: UInt32 = 0
        guard freeCount > 0, length <= frameSize, xsk_ring_prod__reserve(&rings.pointee.send, 1, &position) == 1 else { return false }
        freeCount &-= 1
        let address = free[freeCount]
        // Safe: `length` fits in the frame at `address`, which is free.
        (memory + Int(address)).copyMemory(from: data, byteCount: length)
        xsk_ring_prod__tx_desc(&rings.pointee.send, position).pointee = xdp_desc(addr: address, len: UInt32(length), options: 0)
        queued &+= 1
        return true
    }

    /// Hands what is queued to the kernel, which in copying modes sends 32 frames at a call.
    private func submit(_ queued: UInt32) {
        guard let socket else { return }
        xsk_ring_prod__submit(&rings.pointee.send, queued)
        if xsk_ring_prod__needs_wakeup(&rings.pointee.send) == 0 { return }
        for _ in 0..<queued / 32 &+ 1 where send(xsk_socket__fd(socket), nil, 0, Int32(MSG_DONTWAIT)) == 0 || errno != EAGAIN { break }
    }

    /// Takes back the frames that have been sent.
    private func reclaim() {
        var position: UInt32 = 0
        let n = xsk_ring_cons__peek(&rings.pointee.completion, Self.ringSize, &position)
        for i in 0..<n {
            free[freeCount] = xsk_ring_cons__comp_addr(&rings.pointee.completion, position &+ i).pointee
            freeCount &+= 1
        }
        xsk_ring_cons__release(&rings.pointee.completion, n)
    }
}
