import CLinux
import Flow

/// The packet path: one batch from frames to ends, in stages, so that memory is fetched while other packets are worked on.
///
/// Everything here works on plain memory through local copies of pointers; `.ci/hot-symbols` keeps it so.
extension Worker {
    /// Forwards up to `batchSize` frames.
    public func process(_ frames: UnsafePointer<ReceivedFrame>, count: Int) {
        precondition(count <= Self.batchSize)
        if count <= 0 { return }
        if tables.version != version { enterVersion() }
        // Between batches nobody stands on a program.
        if hot.pointee.wantsCollection { collectStatistics() }
        hot.pointee.isInBatch = true
        receive(frames, count)
        forward(count)
        hot.pointee.isInBatch = false
        finishBatch(now: frames[count - 1].time)
    }

    /// The stages behind the arrival.
    @inline(__always) func forward(_ count: Int) {
        parse(count)
        if usesCache, hot.pointee.subtableCount > 0 {
            hash(count)
            probe(count)
            compare(count)
        } else {
            found.update(repeating: nil, count: count)
        }
        execute(count)
    }

    /// Copies the frames into the buffers. Parsing is a stage of its own: right behind its copy it would wait for the copy's stores.
    @inline(__always) private func receive(_ frames: UnsafePointer<ReceivedFrame>, _ count: Int) {
        let states = self.states
        let limit = maxFrameLength
        let stride = bufferStride
        var buffer = buffers + Self.headroom
        var port = hot.pointee.lastPort
        var first = 0
        var bytes = 0
        var i = 0
        while i < count {
            let frame = frames + i
            let state = states + i
            let length = frame.pointee.length
            if frame.pointee.inPort != port {
                countArrived(port, i &- first, bytes)
                port = frame.pointee.inPort
                first = i
                bytes = 0
            }
            bytes &+= length
            state.pointee.data = buffer
            state.pointee.length = length
            state.pointee.time = frame.pointee.time
            state.pointee.inPort = port
            state.pointee.ends = 0
            if length <= limit {
                // Safe: both sides have 64 bytes of slack behind the frame, see ReceivedFrame and bufferStride.
                weft_copy_blocks(buffer, frame.pointee.bytes, length)
            } else {
                refuse(i, .frameTooLong)
            }
            buffer += stride
            i &+= 1
        }
        countArrived(port, count &- first, bytes)
    }

    @inline(__always) func countArrived(_ port: UInt32, _ packets: Int, _ bytes: Int) {
        if packets == 0 { return }
        if port != hot.pointee.lastPort { findPort(port) }
        hot.pointee.received &+= UInt64(truncatingIfNeeded: packets)
        hot.pointee.receivedBytes &+= UInt64(truncatingIfNeeded: bytes)
        arrived[hot.pointee.lastPortIndex].packets &+= UInt64(truncatingIfNeeded: packets)
        arrived[hot.pointee.lastPortIndex].bytes &+= UInt64(truncatingIfNeeded: bytes)
    }

    @inline(__always) private func parse(_ count: Int) {
        var state = states
        var key = keys
        let end = states + count
        while state < end {
            let length = state.pointee.length
            if length < FrameParser.shortcutLength
                || !FrameParser.parseCommon(
                    state.pointee.data, length: length, inPort: state.pointee.inPort, key: key, layout: &state.pointee.layout)
            {
                if length >= 0 { parseUncommon(state, key) }
            }
            state += 1
            key += Self.keyStride
        }
    }

    @inline(never) private func parseUncommon(_ state: UnsafeMutablePointer<PacketState>, _ key: UnsafeMutablePointer<UInt64>) {
        if !parser.parse(
            state.pointee.data, length: state.pointee.length, inPort: state.pointee.inPort, key: key, layout: &state.pointee.layout)
        {
            refuse(state.pointee.index, .frameTooShort)
        }
    }

    /// Drops a frame before it has a key. Its slot keeps the last packet's key, which the stages may look up in vain.
    @inline(never) func refuse(_ i: Int, _ reason: DropReason) {
        states[i].length = 0
        executor.drop(&states[i], reason.rawValue)
        states[i].length = -1
    }

    /// Chooses a subtable for each packet by its class, hashes its key there and fetches the bucket.
    @inline(__always) private func hash(_ count: Int) {
        let heads = cache.heads
        let hints = cache.hints
        let hinted = self.hinted
        let hashes = self.hashes
        // With one subtable there is nothing to choose.
        let isSingle = hot.pointee.subtableCount == 1
        var key = UnsafePointer(keys)
        var i = 0
        while i < count {
            let hint = isSingle ? 0 : hints[FlowCache.packetClass(key)]
            hinted[i] = hint
            let head = heads + Int(hint)
            let h = head.pointee.hash(key)
            hashes[i] = h
            weft_prefetch(head.pointee.bucket(h))
            key += Self.keyStride
            i &+= 1
        }
    }

    /// Looks for the hash in the bucket and fetches the entry that it may be.
    @inline(__always) private func probe(_ count: Int) {
        let heads = cache.heads
        let hinted = self.hinted
        let hashes = self.hashes
        let candidates = self.candidates
        var i = 0
        while i < count {
            let head = heads + Int(hinted[i])
            let h = hashes[i]
            let b = head.pointee.bucket(h)
            let tags = weft_match_tags8(b, CacheSubtable.tag(h))
            if tags != 0 {
                let e = head.pointee.entry(b[8 &+ tags.trailingZeroBitCount])
                weft_prefetch(e)
                candidates[i] = e
            } else {
                candidates[i] = nil
            }
            i &+= 1
        }
    }

    /// Compares the entries with the keys and fetches the programs of those that stand for them at this version.
    @inline(__always) private func compare(_ count: Int) {
        let version = UInt32(truncatingIfNeeded: hot.pointee.version)
        let heads = cache.heads
        let hinted = self.hinted
        let candidates = self.candidates
        let found = self.found
        var key = UnsafePointer(keys)
        var i = 0
        while i < count {
            if let e = candidates[i], (heads + Int(hinted[i])).pointee.accepts(e, key),
                UInt32(truncatingIfNeeded: e[0]) == version || confirmStale(e, Int(hinted[i]))
            {
                let program = UnsafeMutablePointer<UInt64>(bitPattern: UInt(e[1]))
                found[i] = program
                weft_prefetch_write(UnsafeRawPointer(program.unsafelyUnwrapped))
            } else {
                found[i] = nil
            }
            key += Self.keyStride
            i &+= 1
        }
    }

    /// Confirms an entry from before the last changes, once for all packets of the batch that it stands for.
    @inline(never) private func confirmStale(_ e: UnsafeMutablePointer<UInt64>, _ subtable: Int) -> Bool {
        let program = Program(base: UnsafeMutablePointer(bitPattern: UInt(e[1]))!)
        return program.flags & ~Program.Flag.usesGroups == 0 && confirm(e, program, cache.heads + subtable, now: 0)
    }

    /// Runs the programs in the order of arrival; what was not found, or rests on more than the tables, takes the long way (`forward`).
    @inline(__always) private func execute(_ count: Int) {
        let hot = self.hot
        let found = self.found
        let executor = self.executor
        let batchVersion = hot.pointee.version
        // Packets in a row with the same program are counted together.
        var running: UnsafeMutablePointer<UInt64>?
        var packets: UInt64 = 0
        var bytes = 0
        var used: UInt64 = 0
        var state = states
        var i = 0
        while i < count {
            let length = state.pointee.length
            if length >= 0 {
                if let base = found[i], hot.pointee.version == batchVersion,
                    base[Program.Header.flags] & ~Program.Flag.usesGroups == 0
                {
                    if base != running {
                        credit(running, packets, bytes, used)
                        running = base
                        packets = 0
                        bytes = 0
                    }
                    packets &+= 1
                    bytes &+= length
                    used = state.pointee.time
                    if hot.pointee.isObserved { observe(i, Program(base: base)) }
                    executor.run(Program(base: base).ops, &state.pointee)
                } else {
                    // What follows may change versions, caches and programs.
                    credit(running, packets, bytes, used)
                    running = nil
                    packets = 0
                    bytes = 0
                    forward(i, keys + i &* Self.keyStride)
                }
            }
            state += 1
            i &+= 1
        }
        credit(running, packets, bytes, used)
    }

    @inline(__always) private func credit(_ program: UnsafeMutablePointer<UInt64>?, _ packets: UInt64, _ bytes: Int, _ now: UInt64) {
        guard let program else { return }
        Program(base: program).count(packets: packets, bytes: UInt64(truncatingIfNeeded: bytes), now: now)
        hot.pointee.hits &+= packets
    }
}
