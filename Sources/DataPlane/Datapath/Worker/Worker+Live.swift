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
        if hot.pointee.isMirrored { forwardMirrored(count) } else { forward(count) }
        hot.pointee.isInBatch = false
        finishBatch(now: now)
    }

    /// Sends what leaves by ports, tells the control side of packets for controllers, and sends what waited in queues and is due. Once a batch, and not part of what is
    /// done for each packet.
    @inline(never) func finishBatch(now: UInt64) {
        executor.stage?.flush()
        if executor.hasNewPacketIns { executor.announcePacketIns(now: now) }
        if nextDeparture <= now { sendDue(now: now) }
    }

    /// Gives a port queues, others, or none. Call on the worker's thread, or while it rests.
    public func setQueues(_ shares: QueueShares?, port: UInt32) {
        guard let index = tables.ports.index(of: port) else { return }
        executor.stage?.setQueues(shares, at: index)
    }

    /// When `sendDue` is to be called for frames that wait in queues of ports, in monotonic nanoseconds; `.max` when none waits.
    var nextDeparture: UInt64 { executor.stage?.nextDeparture ?? .max }

    /// Sends what waits in queues and may leave by now.
    @inline(never) func sendDue(now: UInt64) { executor.stage?.sendDue(now: now) }

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

    /// Where packets for the controllers go; nil: they are only counted.
    public var packetIns: PacketInQueue? {
        get { executor.packetIns }
        set { executor.packetIns = newValue }
    }

    /// Forwards a packet that a controller sends by the actions that it gives (OpenFlow 1.5.1 §7.3.6). Call on the worker's thread.
    ///
    /// - Parameters:
    ///   - inPort: the port it counts as coming from; `ReservedPort.controller` for none.
    ///   - actions: what `FlowTables.compile` made of them.
    /// - Returns: false when the frame is longer than the worker's buffers.
    public func inject(_ frame: [UInt8], inPort: UInt32, metadata: FlowKey? = nil, actions: CompiledActions, now: UInt64) -> Bool {
        guard frame.count <= maxFrameLength else { return false }
        if tables.version != version { enterVersion() }
        hot.pointee.isInBatch = true
        defer { hot.pointee.isInBatch = false }
        injected &+= 1
        slots[0].data.copyMemory(from: frame, byteCount: frame.count)
        states[0].data = slots[0].data
        states[0].length = frame.count
        states[0].time = now
        states[0].inPort = inPort
        states[0].ends = 0
        states[0].isTunneled = false
        states[0].offload = .none
        guard parser.parse(states[0].data, length: frame.count, inPort: inPort, key: keys, layout: &states[0].layout) else {
            refuse(0, .frameTooShort)
            return true
        }
        translator.translate(keys, actions: actions.record.ops, metadata: metadata, version: version, now: now)
        let program = programs.intern(translator.builder)
        program.count(packets: 1, bytes: UInt64(frame.count), now: now)
        executor.runOutlined(program.ops, &states[0])
        if executor.hasEffects { applyEffects(now: now) }
        if !translator.frozen.isEmpty { forgetFrozen() }
        finishBatch(now: now)
        return true
    }

    /// Moves to the published version and brings the entries' counters up to date, so that the owner can free what is gone. Call on the worker's
    /// thread; a worker without traffic does not do so by itself.
    public func refresh() {
        if tables.version != version { enterVersion() }
        collectStatistics()
    }
}
