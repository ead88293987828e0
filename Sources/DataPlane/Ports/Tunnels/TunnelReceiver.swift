import CLinux
import Flow
import Glibc
import Wire

/// One worker's receiving side of an endpoint: takes datagrams from its sockets, chooses the port, and gives out the inner frames.
///
/// All ports of the endpoint share it; a worker polls it once, whichever port it got it from. Frames that did not find a slot wait inside:
/// then `hasFrames` is true although the descriptor may not be readable, so a worker calls `receive` until it returns less than asked.
///
/// Control packets of liveness end here: they go to the port's `LivenessInbox` and are no frames.
///
/// - Drops: the reasons of `TunnelCounters`.
final class TunnelReceiver: FrameReceiver {
    /// Datagrams taken from the kernel at once, and room for each: the largest there is.
    static let batch = 16
    static let datagramSize = 65_536

    let receiveDescriptor: Int32
    let counters = TunnelCounters()
    private let endpoint: TunnelEndpoint
    private let worker: Int
    private let kind: PortKind
    private var state: TunnelEndpoint.Published
    private var version: UInt64 = 0

    // Safe: allocated for the receiver's life; datagram i lies at i * datagramSize.
    private let memory: UnsafeMutableRawPointer
    private let datagrams: UnsafeMutablePointer<weft_datagram_in>
    private let words: UnsafeMutablePointer<UInt64>
    private var datagramCount = 0
    private var datagramIndex = 0
    /// Where the next frame's tunnel header begins in the current datagram.
    private var offset = 0
    private var nextSocket = 0
    private var coalescer = SegmentCoalescer()

    init(endpoint: TunnelEndpoint, worker: Int, epoll: Int32) {
        self.endpoint = endpoint
        self.worker = worker
        kind = endpoint.kind
        receiveDescriptor = epoll
        state = endpoint.published()
        memory = .allocate(byteCount: TunnelReceiver.batch * TunnelReceiver.datagramSize, alignment: 64)
        datagrams = .allocate(capacity: TunnelReceiver.batch)
        datagrams.initialize(repeating: weft_datagram_in(), count: TunnelReceiver.batch)
        for i in 0..<TunnelReceiver.batch {
            datagrams[i].data = memory + i * TunnelReceiver.datagramSize
            datagrams[i].capacity = UInt32(TunnelReceiver.datagramSize)
        }
        words = .allocate(capacity: SegmentCoalescer.tunnelWordCount)
        words.initialize(repeating: 0, count: SegmentCoalescer.tunnelWordCount)
    }

    deinit {
        memory.deallocate()
        datagrams.deallocate()
        words.deallocate()
    }

    var hasFrames: Bool { datagramIndex < datagramCount }

    func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int {
        if endpoint.version != version {
            version = endpoint.version
            state = endpoint.published()
        }
        coalescer.begin(slots, count)
        while true {
            while datagramIndex < datagramCount {
                guard deliver(datagrams + datagramIndex) else { return coalescer.finish() }
                datagramIndex += 1
                offset = 0
            }
            guard coalescer.filled < count, fetch() else { return coalescer.finish() }
        }
    }

    /// Takes what waits on one of the sockets; false when all are empty.
    private func fetch() -> Bool {
        datagramIndex = 0
        datagramCount = 0
        offset = 0
        let sockets = state.receiving[worker]
        for _ in 0..<sockets.count {
            if nextSocket >= sockets.count { nextSocket = 0 }
            let n = weft_datagram_receive(sockets[nextSocket], datagrams, Int32(TunnelReceiver.batch))
            nextSocket += 1
            if n > 0 {
                datagramCount = Int(n)
                return true
            }
        }
        return false
    }

    /// Hands out the frames of one datagram from `offset` on; false when the slots ran out.
    private func deliver(_ datagram: UnsafeMutablePointer<weft_datagram_in>) -> Bool {
        let total = Int(datagram.pointee.length)
        guard let data = datagram.pointee.data, datagram.pointee.is_truncated == 0 else {
            counters.count(.tunnelMalformed)
            return true
        }
        let remote = TunnelAddress(high: UInt64(bigEndian: datagram.pointee.source.0), low: UInt64(bigEndian: datagram.pointee.source.1))
        let local = TunnelAddress(
            high: UInt64(bigEndian: datagram.pointee.destination.0), low: UInt64(bigEndian: datagram.pointee.destination.1))
        var start = 0
        if kind == .gre, remote.isIPv4 {
            // A raw IPv4 socket shows the header.
            guard total >= 20 else {
                counters.count(.tunnelMalformed)
                return true
            }
            start = Int(data.load(as: UInt8.self) & 0xf) * 4
        }
        var part = Int(datagram.pointee.segment_size)
        if part <= 0 || part > total { part = total }
        if offset == 0 { offset = start }
        while offset < total {
            let size = min(part, total - offset)
            var consumed = size
            let outcome = frame(
                data + offset, size: size, rest: total - offset, datagram: datagram, local: local, remote: remote, consumed: &consumed)
            if outcome == .noSlot { return false }
            if outcome == .tooLong { counters.count(.frameTooLong) }
            offset += consumed
        }
        return true
    }

    /// One tunnel header and the frame behind it.
    private func frame(
        _ p: UnsafeMutableRawPointer, size: Int, rest: Int, datagram: UnsafeMutablePointer<weft_datagram_in>, local: TunnelAddress,
        remote: TunnelAddress, consumed: inout Int
    ) -> SegmentCoalescer.Outcome {
        guard let header = TunnelHeader(kind, UnsafeRawPointer(p), count: size) else {
            counters.count(.tunnelMalformed)
            return .taken
        }
        guard let index = state.directory.index(local: local, remote: remote, key: header.key) else {
            counters.count(.tunnelNoPort)
            return .taken
        }
        let port = state.directory.entries[index]
        // Packets of the other host itself carry no context; those of its workloads do, or have other addresses (`LivenessFrame`).
        if let inbox = port.inbox, header.optionsSize == 0, header.key == inbox.key,
            let control = LivenessFrame.find(UnsafeRawPointer(p + header.size), count: size - header.size)
        {
            inbox.put(control.packet, ttl: control.ttl, time: weft_monotonic_ns())
            return .taken
        }
        fill(header, datagram, local: local, remote: remote, hasGroupPolicy: port.configuration.hasGroupPolicy)
        let metadata = words + (FlowKeyLayout.tunnelMetadata - FlowKeyLayout.tunnelWords.lowerBound)
        if header.optionsSize > 0, !header.readOptions(UnsafeRawPointer(p + 8), port.options, into: metadata) {
            counters.count(.tunnelMalformed)
            return .taken
        }
        let frame = p + header.size
        var count = size - header.size
        var innerSegment = 0
        var inner = InnerFrame(UnsafeRawPointer(frame), count: count)
        if size < rest, !inner.isIP {
            // The first part of several holds no whole IP packet: the kernel's segment size is that of a large inner frame.
            let whole = InnerFrame(UnsafeRawPointer(frame), count: rest - header.size)
            if whole.isIP {
                inner = whole
                count = rest - header.size
                consumed = rest
                innerSegment = Int(datagram.pointee.segment_size)
            }
        }
        guard count >= 14 else {
            counters.count(.tunnelMalformed)
            return .taken
        }
        guard CongestionMark.decapsulate(frame, inner, outerTOS: datagram.pointee.tos) else {
            counters.count(.tunnelECN)
            return .taken
        }
        return coalescer.add(
            UnsafeRawPointer(frame), count: count, inner, words: words, port: port.configuration.number, mtu: port.mtu,
            innerSegment: innerSegment)
    }

    /// The tunnel words of the flow key.
    @inline(__always)
    private func fill(
        _ header: TunnelHeader, _ datagram: UnsafeMutablePointer<weft_datagram_in>, local: TunnelAddress, remote: TunnelAddress,
        hasGroupPolicy: Bool
    ) {
        let base = FlowKeyLayout.tunnelWords.lowerBound
        words.update(repeating: 0, count: SegmentCoalescer.tunnelWordCount)
        words[FlowKeyLayout.tunnelID - base] = UInt64(header.key)
        if remote.isIPv4 {
            words[FlowKeyLayout.tunnelIPv4 - base] = UInt64(remote.ipv4) << 32 | UInt64(local.ipv4)
        } else {
            words[FlowKeyLayout.tunnelIPv6Src - base] = remote.high
            words[FlowKeyLayout.tunnelIPv6Src - base + 1] = remote.low
            words[FlowKeyLayout.tunnelIPv6Dst - base] = local.high
            words[FlowKeyLayout.tunnelIPv6Dst - base + 1] = local.low
        }
        var misc = UInt64(header.isControl ? 1 : 0) << 48 | UInt64(datagram.pointee.ttl) << 40 | UInt64(datagram.pointee.tos) << 32
        if hasGroupPolicy { misc |= UInt64(header.group) << 16 | UInt64(header.groupFlags) << 8 }
        words[FlowKeyLayout.tunnelMisc - base] = misc
    }
}
