import CLinux
import Flow
import Ports

/// Forwarding of what live ports receive, from the worker's own buffers and without copying.
extension Worker {
    /// Makes ready for live ports: frames leave by transmitters, and the control side expires entries.
    public func goLive() {
        hot.pointee.expiresEntries = false
        executor.stage = OutputStage(executor: executor, ports: tables.ports)
    }

    /// Says how frames for a port leave; nil: they no longer do. Call on the worker's thread, or while it rests.
    public func setTransmitter(_ transmitter: (any FrameTransmitter)?, port: UInt32) {
        guard let index = tables.ports.index(of: port) else { return }
        executor.stage?.setTransmitter(transmitter, at: index)
    }

    /// Forwards the first `count` slots, filled in by a receiver, at monotonic time `now`, and sends what comes of them.
    public func processSlots(count: Int, now: UInt64) {
        if count <= 0 { return }
        if tables.version != version { enterVersion() }
        if hot.pointee.wantsCollection { collectStatistics() }
        hot.pointee.isInBatch = true
        accept(count, now)
        forward(count)
        hot.pointee.isInBatch = false
        executor.stage?.flush()
    }

    /// Describes the packets in the slots.
    @inline(__always) private func accept(_ count: Int, _ now: UInt64) {
        let states = self.states
        let slots = self.slots
        var port = hot.pointee.lastPort
        var first = 0
        var bytes = 0
        var i = 0
        while i < count {
            let slot = slots + i
            let state = states + i
            if slot.pointee.inPort != port {
                countArrived(port, i &- first, bytes)
                port = slot.pointee.inPort
                first = i
                bytes = 0
            }
            bytes &+= slot.pointee.length
            state.pointee.data = slot.pointee.data
            state.pointee.length = slot.pointee.length
            state.pointee.time = now
            state.pointee.inPort = port
            state.pointee.ends = 0
            state.pointee.isTunneled = slot.pointee.isTunneled
            state.pointee.offload = slot.pointee.offload
            state.pointee.offload.checksumStart &+= UInt16(Self.headroom)
            i &+= 1
        }
        countArrived(port, count &- first, bytes)
    }

    /// Moves to the published version and brings the entries' counters up to date, so that the owner can free what is gone. Call on the worker's
    /// thread; a worker without traffic does not do so by itself.
    public func refresh() {
        if tables.version != version { enterVersion() }
        collectStatistics()
    }
}
