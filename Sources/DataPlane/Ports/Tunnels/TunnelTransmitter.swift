import CLinux
import Flow
import Glibc
import Wire

/// One worker's sending side of an endpoint: wraps inner frames and hands them to the kernel, many at a call.
///
/// *Design.* Headers and cut-up frames are written into an arena, messages point at them and at the worker's frames, and one `sendmmsg` takes what
/// was gathered. Consecutive frames of one flow and size become one message that the kernel cuts (UDP_SEGMENT), as do the parts of a large
/// frame; where the kernel refuses that, each datagram is a message. Order within a flow is kept.
///
/// - Refusals: all of `TransmitRefusal` but `portDown`, which means an unknown port here.
final class TunnelTransmitter: FrameTransmitter {
    private struct Message {
        var socket: TunnelSockets.Pair
        var family: Int32
        /// Bytes of all parts and of the first.
        var size: Int
        var partSize: Int
        var partCount: Int
        var firstPart: Int
        /// Hash of what messages of one run share besides the destination.
        var canGrow: Bool
    }

    static let arenaSize = 1 << 18
    static let maximumParts = 1024
    /// Segments that kernels since 4.18 take in one message.
    static let maximumSegments = 64
    static let maximumRun = 65_000

    private let endpoint: TunnelEndpoint
    private let worker: Int
    private let kind: PortKind
    private var state: TunnelEndpoint.Published
    private var version: UInt64 = 0
    private var underlay: UnderlayCache
    /// False once the kernel refused to cut.
    private(set) var kernelCuts: Bool

    // Safe: allocated for the transmitter's life, indexed below their capacities.
    private let arena: UnsafeMutableRawPointer
    private var arenaUsed = 0
    private let parts: UnsafeMutablePointer<iovec>
    private var partCount = 0
    private let out: UnsafeMutablePointer<weft_datagram_out>
    private let messages: UnsafeMutablePointer<Message>
    private var messageCount = 0
    /// The message of each frame of the batch, for refusals; -1 without one.
    private var messageOf: [Int32] = []
    private var frames: UnsafeMutablePointer<TransmitFrame>?
    private var now: UInt64 = 0

    init(endpoint: TunnelEndpoint, worker: Int) {
        self.endpoint = endpoint
        self.worker = worker
        kind = endpoint.kind
        state = endpoint.published()
        underlay = UnderlayCache(endpoint.watch)
        kernelCuts = endpoint.kind != .gre
        arena = .allocate(byteCount: TunnelTransmitter.arenaSize, alignment: 64)
        parts = .allocate(capacity: TunnelTransmitter.maximumParts)
        parts.initialize(repeating: iovec(), count: TunnelTransmitter.maximumParts)
        out = .allocate(capacity: Int(weft_datagram_batch))
        out.initialize(repeating: weft_datagram_out(), count: Int(weft_datagram_batch))
        messages = .allocate(capacity: Int(weft_datagram_batch))
    }

    deinit {
        arena.deallocate()
        parts.deallocate()
        out.deallocate()
        messages.deallocate()
    }

    func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
        if endpoint.version != version {
            version = endpoint.version
            state = endpoint.published()
            underlay.forget()
        }
        underlay.refresh()
        now = 0
        if messageOf.count < count { messageOf = [Int32](repeating: -1, count: count) }
        self.frames = frames
        // Messages hold the frames' own memory, so all leave before this returns.
        var start = 0
        for i in 0..<count {
            messageOf[i] = -1
            frames[i].refusal = .none
            if !hasRoom { flush(start..<i); start = i }
            let refusal = gather(i, &start)
            if refusal != .none { frames[i].refusal = refusal }
        }
        flush(start..<count)
        self.frames = nil
    }

    /// Whether one more frame that is not cut can be gathered.
    private var hasRoom: Bool {
        messageCount < Int(weft_datagram_batch) && partCount + 2 <= TunnelTransmitter.maximumParts
            && arenaUsed + TunnelHeader.maximumSize <= TunnelTransmitter.arenaSize
    }

    /// What all datagrams of a frame share.
    private struct Way {
        var remote: TunnelAddress
        var local: TunnelAddress?
        var ttl: UInt8
        var tos: UInt8
        var port: UInt16
        var socket: TunnelSockets.Pair
        var family: Int32 { remote.isIPv4 ? AF_INET : AF_INET6 }
    }

    /// Turns frame `i` into messages.
    private func gather(_ i: Int, _ start: inout Int) -> TransmitRefusal {
        guard let frame = frames.map({ $0 + i }), let index = state.directory.index(number: frame.pointee.port) else { return .portDown }
        let entry = state.directory.entries[index]
        let port = entry.configuration
        let data = frame.pointee.data
        let length = frame.pointee.length
        let inner = InnerFrame(UnsafeRawPointer(data), count: length)
        guard let remote = remote(port, frame.pointee.tunnel) else { return .tunnelNoRemote }
        guard let sockets = state.sending[worker][TunnelSockets.Key(port, isIPv4: remote.isIPv4)] else { return .tunnelNoRemote }
        let answer = underlay.answer(UnderlayCache.Key(remote: remote, local: port.local, mark: port.egressMark))
        if answer.verdict == .noRoute { return .tunnelNoRoute }
        if answer.verdict == .noNeighbor, let neighbor = answer.neighbor {
            if now == 0 { now = weft_monotonic_ns() }
            if !endpoint.watch.mayAsk(neighbor, now: now) { return .tunnelNoNeighbor }
        }
        let traffic = inner.isIP ? inner.trafficClass(UnsafeRawPointer(data)) : 0
        var way = Way(
            remote: remote, local: port.local, ttl: 64, tos: traffic, port: kind == .gre ? 0 : port.destinationPort,
            socket: sockets.pair(inner.flowHash(UnsafeRawPointer(data), count: length)))
        if case .fixed(let ttl) = port.ttl { way.ttl = ttl } else if inner.isIP { way.ttl = max(inner.ttl(UnsafeRawPointer(data)), 1) }
        // RFC 6040 §4.1, normal mode: the outer ECN field is the inner one.
        if case .fixed(let tos) = port.tos { way.tos = tos & ~3 | traffic & 3 }

        let header = arena + arenaUsed
        let headerSize = TunnelHeader.write(
            port, options: entry.options, key: key(port, frame.pointee.tunnel), words: frame.pointee.tunnel, to: header)
        // Only this host itself speaks so (`LivenessMonitor`).
        if state.directory.isWatched, length >= 14, headerSize == 8 || kind != .geneve, LivenessFrame.isReserved(UnsafeRawPointer(data)) {
            return .tunnelReserved
        }
        let outer = (remote.isIPv4 ? 20 : 40) + (kind == .gre ? 0 : 8) + headerSize
        let path = answer.mtu > 0 ? answer.mtu : 65_535
        let room = min(path, 65_535) - outer

        let offload = frame.pointee.offload
        let isTCP = inner.transportSize(UnsafeRawPointer(data)) != 0 && inner.nextProtocol == IPProtocol.tcp
        let kindOfCut = offload.kind
        if offload.isSegmented, kindOfCut != .udpFragmentation {
            guard offload.segmentSize > 0, kindOfCut == (isTCP ? (inner.isIPv6 ? .tcpIPv6 : .tcpIPv4) : .udp) else { return .transmitError }
            return cut(
                i, inner, wanted: Int(offload.segmentSize), room: room, way, header, headerSize, entry, &start)
        }
        if isTCP, length > room, offload.needsChecksum || hasCorrectChecksum(UnsafeRawPointer(data), inner) {
            return cut(i, inner, wanted: 65_535, room: room, way, header, headerSize, entry, &start)
        }
        if length > room, port.dontFragment { return .exceedsMTU }
        if offload.needsChecksum {
            guard
                TunnelSegmenter.finishChecksum(
                    data, count: inner.end != 0 ? inner.end : length, start: Int(offload.checksumStart), offset: Int(offload.checksumOffset),
                    isUDP: inner.nextProtocol == IPProtocol.udp)
            else { return .transmitError }
        }
        if kind == .gre { finishGRE(header, headerSize, data, length, port, entry.sequence) }
        arenaUsed += (headerSize + 7) & ~7
        let size = headerSize + length
        let mayJoin = kernelCuts && port.checksum != .off && length <= room
        if mayJoin, messageCount > 0, join(way, header, headerSize, data, length) {
            messageOf[i] = Int32(messageCount - 1)
            return .none
        }
        parts[partCount] = iovec(iov_base: header, iov_len: headerSize)
        parts[partCount + 1] = iovec(iov_base: data, iov_len: length)
        append(way, size: size, partSize: size, parts: 2, segment: 0, canGrow: mayJoin)
        messageOf[i] = Int32(messageCount - 1)
        return .none
    }

    private func remote(_ port: TunnelConfiguration, _ words: UnsafePointer<UInt64>?) -> TunnelAddress? {
        if case .address(let address) = port.remote { return address }
        guard let words else { return nil }
        let base = FlowKeyLayout.tunnelWords.lowerBound
        let ipv4 = UInt32(truncatingIfNeeded: words[FlowKeyLayout.tunnelIPv4 - base])
        if ipv4 != 0 { return TunnelAddress(high: 0, low: 0xffff_0000_0000 | UInt64(ipv4)) }
        let ipv6 = TunnelAddress(high: words[FlowKeyLayout.tunnelIPv6Dst - base], low: words[FlowKeyLayout.tunnelIPv6Dst - base + 1])
        return ipv6.high == 0 && ipv6.low == 0 ? nil : ipv6
    }

    private func key(_ port: TunnelConfiguration, _ words: UnsafePointer<UInt64>?) -> UInt32 {
        switch port.key {
        case .none: 0
        case .fixed(let key): key
        case .flow: UInt32(truncatingIfNeeded: words?[FlowKeyLayout.tunnelID - FlowKeyLayout.tunnelWords.lowerBound] ?? 0)
        }
    }

    private func hasCorrectChecksum(_ p: UnsafeRawPointer, _ inner: InnerFrame) -> Bool {
        let size = inner.end - inner.transport
        return ChecksumCopy.isCorrect(inner.pseudoSum(p, size: size) &+ ChecksumCopy.sum(p + inner.transport, size))
    }

    /// GRE's sequence number and checksum, once the payload is complete.
    private func finishGRE(
        _ header: UnsafeMutableRawPointer, _ headerSize: Int, _ data: UnsafeMutableRawPointer, _ length: Int, _ port: TunnelConfiguration,
        _ sequence: TunnelSequence
    ) {
        if port.hasSequence { header.setWire32(sequence.next(), at: headerSize - 4) }
        guard port.checksum == .on else { return }
        header.setWire16(0, at: GRE.Offset.checksum)
        let sum = ChecksumCopy.sum(UnsafeRawPointer(header), headerSize) &+ ChecksumCopy.sum(UnsafeRawPointer(data), length)
        header.storeBytes(of: ~ChecksumCopy.fold(sum), toByteOffset: GRE.Offset.checksum, as: UInt16.self)
    }

    /// Cuts frame `i` into the arena, the header before each part.
    private func cut(
        _ i: Int, _ inner: InnerFrame, wanted: Int, room: Int, _ way: Way, _ header: UnsafeMutableRawPointer, _ headerSize: Int,
        _ entry: TunnelDirectory.Entry, _ start: inout Int
    ) -> TransmitRefusal {
        guard let frame = frames.map({ $0 + i }) else { return .transmitError }
        guard
            let segmenter = TunnelSegmenter(
                UnsafeRawPointer(frame.pointee.data), inner, wanted: wanted, maximum: room,
                keepsCWR: frame.pointee.offload.segmentation & Offload.explicitCongestion != 0)
        else { return .exceedsMTU }
        // The header is kept aside, since the parts begin where it was written.
        var template: InlineArray<208, UInt8> = .init(repeating: 0)
        var templateSpan = template.mutableSpan
        templateSpan.withUnsafeMutableBytes { $0.baseAddress!.copyMemory(from: header, byteCount: headerSize) }
        let partSize = headerSize + segmenter.headersSize + segmenter.segmentSize
        let usesKernel = kernelCuts && entry.configuration.checksum != .off
        let perMessage = usesKernel ? min(TunnelTransmitter.maximumSegments, TunnelTransmitter.maximumRun / partSize) : 1
        guard perMessage > 0 else { return .exceedsMTU }
        var index = 0
        while index < segmenter.partCount {
            let count = min(perMessage, segmenter.partCount - index)
            if arenaUsed + count * partSize + 8 > TunnelTransmitter.arenaSize || !hasRoom {
                flush(start..<(i + 1))
                start = i
                messageOf[i] = -1
                if frame.pointee.refusal != .none { return frame.pointee.refusal }
            }
            let first = arena + arenaUsed
            var at = first
            for part in index..<(index + count) {
                template.span.withUnsafeBytes { at.copyMemory(from: $0.baseAddress!, byteCount: headerSize) }
                let size = segmenter.write(part, to: at + headerSize)
                if kind == .gre { finishGRE(at, headerSize, at + headerSize, size, entry.configuration, entry.sequence) }
                at += headerSize + size
            }
            let size = at - first
            arenaUsed += (size + 7) & ~7
            parts[partCount] = iovec(iov_base: first, iov_len: size)
            append(way, size: size, partSize: partSize, parts: 1, segment: count > 1 ? partSize : 0, canGrow: false)
            messageOf[i] = Int32(messageCount - 1)
            index += count
        }
        return .none
    }

    /// Adds a message made of the `parts` entries that follow those in use.
    private func append(_ way: Way, size: Int, partSize: Int, parts count: Int, segment: Int, canGrow: Bool) {
        var datagram = weft_datagram_out()
        datagram.parts = parts + partCount
        datagram.part_count = UInt32(count)
        datagram.segment_size = UInt16(segment)
        datagram.ttl = way.ttl
        datagram.tos = way.tos
        datagram.destination = (way.remote.high.bigEndian, way.remote.low.bigEndian)
        datagram.port = way.port
        if let local = way.local {
            datagram.has_source = 1
            datagram.source = (local.high.bigEndian, local.low.bigEndian)
        }
        out[messageCount] = datagram
        (messages + messageCount).initialize(
            to: Message(
                socket: way.socket, family: way.family, size: size, partSize: partSize, partCount: 1, firstPart: partCount, canGrow: canGrow))
        partCount += count
        messageCount += 1
    }

    /// Appends a frame to the last message when that is one of the same flow and the size fits.
    private func join(_ way: Way, _ header: UnsafeMutableRawPointer, _ headerSize: Int, _ data: UnsafeMutableRawPointer, _ length: Int) -> Bool {
        let last = messages + (messageCount - 1)
        let datagram = out + (messageCount - 1)
        let size = headerSize + length
        guard last.pointee.canGrow, size <= last.pointee.partSize, last.pointee.socket == way.socket,
            last.pointee.partCount < TunnelTransmitter.maximumSegments, last.pointee.size + size <= TunnelTransmitter.maximumRun,
            datagram.pointee.ttl == way.ttl, datagram.pointee.tos == way.tos, datagram.pointee.port == way.port,
            datagram.pointee.destination.0 == way.remote.high.bigEndian, datagram.pointee.destination.1 == way.remote.low.bigEndian,
            (datagram.pointee.has_source != 0) == (way.local != nil), way.local == nil || datagram.pointee.source.1 == way.local!.low.bigEndian
        else { return false }
        parts[partCount] = iovec(iov_base: header, iov_len: headerSize)
        parts[partCount + 1] = iovec(iov_base: data, iov_len: length)
        partCount += 2
        datagram.pointee.part_count += 2
        datagram.pointee.segment_size = UInt16(last.pointee.partSize)
        last.pointee.size += size
        last.pointee.partCount += 1
        if size < last.pointee.partSize { last.pointee.canGrow = false }
        return true
    }

    // MARK: Sending

    /// Sends what was gathered for frames of `range` and frees the arena.
    private func flush(_ range: Range<Int>) {
        var m = 0
        while m < messageCount {
            let descriptor = descriptor(m)
            var end = m + 1
            while end < messageCount, self.descriptor(end) == descriptor { end += 1 }
            let n = weft_datagram_send(descriptor, messages[m].family, out + m, Int32(end - m))
            if n > 0 {
                m += Int(n)
            } else {
                fail(m, -n, range)
                m += 1
            }
        }
        messageCount = 0
        partCount = 0
        arenaUsed = 0
    }

    private func descriptor(_ m: Int) -> Int32 {
        out[m].segment_size != 0 ? messages[m].socket.withChecksum : messages[m].socket.single
    }

    /// Message `m` was refused: tries its datagrams one by one if it was to be cut, else tells its frames.
    private func fail(_ m: Int, _ error: Int32, _ range: Range<Int>) {
        var error = error
        if out[m].segment_size != 0, error == EINVAL || error == EIO || error == EOPNOTSUPP || error == EMSGSIZE {
            let isRefused = error != EMSGSIZE
            error = sendSingly(m)
            if error == 0 {
                // A datagram as large went through, so it is not the size.
                if isRefused { kernelCuts = false }
                return
            }
        }
        let refusal: TransmitRefusal
        switch error {
        case EAGAIN, ENOBUFS, ENOMEM: refusal = .transmitQueueFull
        case EMSGSIZE:
            underlay.forget()
            refusal = .exceedsMTU
        case ENETUNREACH, EHOSTUNREACH: refusal = .tunnelNoRoute
        case ENETDOWN: refusal = .portDown
        default: refusal = .transmitError
        }
        guard let frames else { return }
        for i in range where messageOf[i] == Int32(m) { frames[i].refusal = refusal }
    }

    /// Sends each datagram of message `m` by itself. Returns the first error.
    private func sendSingly(_ m: Int) -> Int32 {
        let message = messages[m]
        var single = out[m]
        single.segment_size = 0
        var piece = iovec()
        let isRun = out[m].part_count > 1
        var done = 0
        var index = message.firstPart
        while done < message.size {
            var size = min(message.partSize, message.size - done)
            if isRun {
                size = parts[index].iov_len + parts[index + 1].iov_len
                single.parts = parts + index
                single.part_count = 2
                index += 2
            } else {
                piece = iovec(iov_base: parts[message.firstPart].iov_base + done, iov_len: size)
                single.part_count = 1
            }
            let n = withUnsafeMutablePointer(to: &piece) { pointer in
                if !isRun { single.parts = pointer }
                return withUnsafePointer(to: &single) { weft_datagram_send(message.socket.single, message.family, $0, 1) }
            }
            if n <= 0 { return n == 0 ? EAGAIN : -n }
            done += size
        }
        return 0
    }
}
