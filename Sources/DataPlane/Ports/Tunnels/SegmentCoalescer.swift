import Flow
import Wire

/// Puts the frames of a tunnel into a worker's slots and joins consecutive TCP segments of one flow into one large frame, as the kernel's
/// GRO does on a device.
///
/// *Invariant.* Cutting a joined frame at its segment size gives back the segments it was made of, but for the place of PSH and for IPv4
/// identifications of DF packets, which mean nothing (RFC 6864 §4). A segment with a wrong checksum is never joined: it comes out as it went in.
///
/// *Design.* One frame is open at a time. A segment joins it when it has the same headers up to length, identification, checksums, sequence
/// number and PSH, continues its sequence, is no longer than the first, and its checksum is right, which the copy finds out as it goes. A
/// shorter segment or PSH closes the frame. Everything else is a frame of its own. Used by one worker; slots are borrowed from `begin` to `finish`.
struct SegmentCoalescer {
    private var slots: UnsafeMutablePointer<ReceiveSlot>?
    private var capacity = 0
    private(set) var filled = 0

    // The open frame, in slot `filled - 1`.
    private var isOpen = false
    private var parts = 0
    private var frame = InnerFrame.none
    private var headersSize = 0
    private var segmentSize = 0
    private var nextSequence: UInt32 = 0
    private var nextIdentification: UInt16 = 0

    static let tunnelWordCount = FlowKeyLayout.tunnelWords.count

    mutating func begin(_ slots: UnsafeMutablePointer<ReceiveSlot>, _ count: Int) {
        self.slots = slots
        capacity = count
        filled = 0
        isOpen = false
    }

    /// Completes the open frame and returns how many slots are filled.
    mutating func finish() -> Int {
        close()
        return filled
    }

    enum Outcome { case taken, noSlot, tooLong }

    /// Takes the frame at `p`.
    /// - Parameters:
    ///   - words: its tunnel words.
    ///   - mtu: IP bytes above which an unfinished TCP frame is known to be one to cut.
    ///   - innerSegment: payload bytes of a segment when the kernel told, else 0.
    @inline(__always)
    mutating func add(
        _ p: UnsafeRawPointer, count: Int, _ inner: InnerFrame, words: UnsafePointer<UInt64>, port: UInt32, mtu: Int, innerSegment: Int
    ) -> Outcome {
        let transportSize = inner.transportSize(p)
        let isTCP = transportSize != 0 && inner.nextProtocol == IPProtocol.tcp
        if isOpen, isTCP, join(p, count: count, inner, transportSize, words: words, port: port) { return .taken }
        guard filled < capacity, let slots else { return .noSlot }
        close()
        let slot = slots + filled
        guard count <= slot.pointee.capacity else { return .tooLong }
        filled += 1
        slot.pointee.length = count
        slot.pointee.inPort = port
        slot.pointee.isTunneled = true
        slot.pointee.offload = .none
        slot.pointee.tunnel.update(from: words, count: Self.tunnelWordCount)
        let data = slot.pointee.data
        guard transportSize != 0 else {
            data.copyMemory(from: p, byteCount: count)
            return .taken
        }
        let size = inner.end - inner.transport
        let pseudo = inner.pseudoSum(p, size: size)
        let field = p.loadUnaligned(fromByteOffset: inner.transport + inner.checksumOffset, as: UInt16.self)
        let isUnfinished = field == ChecksumCopy.fold(pseudo)
        guard isTCP || isUnfinished else {
            data.copyMemory(from: p, byteCount: count)
            return .taken
        }
        data.copyMemory(from: p, byteCount: inner.transport)
        let sum = ChecksumCopy.copy(to: data + inner.transport, from: p + inner.transport, size)
        if inner.end < count { (data + inner.end).copyMemory(from: p + inner.end, byteCount: count - inner.end) }
        if ChecksumCopy.isCorrect(pseudo &+ sum) {
            if isTCP { open(UnsafeRawPointer(data), count: count, inner, transportSize) }
        } else if isUnfinished {
            markUnfinished(slot, inner, transportSize, mtu: mtu, innerSegment: innerSegment)
        }
        return .taken
    }

    /// A frame that the kernel of this machine handed over without the work that it leaves to devices.
    private func markUnfinished(
        _ slot: UnsafeMutablePointer<ReceiveSlot>, _ inner: InnerFrame, _ transportSize: Int, mtu: Int, innerSegment: Int
    ) {
        let size = inner.end - inner.network
        let headers = inner.transport - inner.network + transportSize
        var offload = Offload(
            flags: .needsChecksum, checksumStart: UInt16(inner.transport), checksumOffset: UInt16(inner.checksumOffset))
        let isTCP = inner.nextProtocol == IPProtocol.tcp
        if isTCP ? size > mtu : innerSegment > 0 {
            let kind: Offload.Segmentation = isTCP ? (inner.isIPv6 ? .tcpIPv6 : .tcpIPv4) : .udp
            offload.segmentation = kind.rawValue
            offload.segmentSize = UInt16(innerSegment > 0 ? innerSegment : max(mtu - headers, 8))
        }
        slot.pointee.offload = offload
    }

    /// Flags with which a segment may be joined: ACK, perhaps PSH and ECE.
    private static let joinable: UInt8 = 0x10 | 0x08 | 0x40

    /// Whether the frame just put into a slot may take further segments; its checksum is known to be right.
    @inline(__always)
    private mutating func open(_ p: UnsafeRawPointer, count: Int, _ inner: InnerFrame, _ transportSize: Int) {
        let flags = p.load(fromByteOffset: inner.transport + 13, as: UInt8.self)
        let payload = inner.end - inner.transport - transportSize
        guard payload > 0, inner.end == count, flags & 0x10 != 0, flags & ~Self.joinable == 0, flags & 0x08 == 0,
            p.load(fromByteOffset: inner.transport + 12, as: UInt8.self) & 0xf == 0
        else { return }
        if !inner.isIPv6 {
            // No options, a right header checksum, and no bit but DF beside the fragment offset.
            guard inner.transport - inner.network == 20, ChecksumCopy.isCorrect(ChecksumCopy.sum(p + inner.network, 20)),
                p.load(fromByteOffset: inner.network + 6, as: UInt8.self) & ~0x40 == 0
            else { return }
            nextIdentification = p.wire16(at: inner.network + 4) &+ 1
        }
        isOpen = true
        parts = 1
        frame = inner
        headersSize = inner.transport + transportSize
        segmentSize = payload
        nextSequence = p.wire32(at: inner.transport + 4) &+ UInt32(payload)
    }

    /// Appends the segment to the open frame if it belongs there.
    @inline(__always)
    private mutating func join(
        _ p: UnsafeRawPointer, count: Int, _ inner: InnerFrame, _ transportSize: Int, words: UnsafePointer<UInt64>, port: UInt32
    ) -> Bool {
        guard let slots else { return false }
        let slot = slots + (filled - 1)
        let first = UnsafeRawPointer(slot.pointee.data)
        let payload = inner.end - headersSize
        let length = slot.pointee.length
        guard inner.network == frame.network, inner.transport == frame.transport, inner.isIPv6 == frame.isIPv6, inner.end == count,
            inner.transport + transportSize == headersSize, payload > 0, payload <= segmentSize,
            p.wire32(at: inner.transport + 4) == nextSequence, length + payload <= slot.pointee.capacity,
            length + payload - inner.network - (inner.isIPv6 ? 40 : 0) <= 65_535, slot.pointee.inPort == port,
            hasSameHeaders(p, first), hasSameWords(slot.pointee.tunnel, words)
        else { return false }
        let segment = inner.end - inner.transport
        var sum = inner.pseudoSum(p, size: segment) &+ ChecksumCopy.sum(p + inner.transport, transportSize)
        sum &+= ChecksumCopy.copy(to: slot.pointee.data + length, from: p + headersSize, payload)
        guard ChecksumCopy.isCorrect(sum) else { return false }
        slot.pointee.length = length + payload
        parts += 1
        nextSequence &+= UInt32(payload)
        nextIdentification &+= 1
        let flags = p.load(fromByteOffset: inner.transport + 13, as: UInt8.self)
        if flags & 0x08 != 0 {
            let old = first.load(fromByteOffset: inner.transport + 13, as: UInt8.self)
            slot.pointee.data.storeBytes(of: old | 0x08, toByteOffset: inner.transport + 13, as: UInt8.self)
        }
        if payload < segmentSize || flags & 0x08 != 0 { close() }
        return true
    }

    /// Whether all header bytes are equal that must be.
    @inline(__always)
    private func hasSameHeaders(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> Bool {
        let ip = frame.network
        let tcp = frame.transport
        guard isEqual(a, b, 0..<ip) else { return false }
        if frame.isIPv6 {
            guard isEqual(a, b, ip..<(ip + 4)), isEqual(a, b, (ip + 6)..<(ip + 40)) else { return false }
        } else {
            guard isEqual(a, b, ip..<(ip + 2)), isEqual(a, b, (ip + 6)..<(ip + 10)), isEqual(a, b, (ip + 12)..<(ip + 20)),
                a.load(fromByteOffset: ip + 6, as: UInt8.self) & 0x40 != 0 || a.wire16(at: ip + 4) == nextIdentification,
                ChecksumCopy.isCorrect(ChecksumCopy.sum(a + ip, 20))
            else { return false }
        }
        // Ports, acknowledgment, offset; flags but PSH; window; urgent pointer and options.
        return isEqual(a, b, tcp..<(tcp + 4)) && isEqual(a, b, (tcp + 8)..<(tcp + 13))
            && (a.load(fromByteOffset: tcp + 13, as: UInt8.self) ^ b.load(fromByteOffset: tcp + 13, as: UInt8.self)) & ~0x08 == 0
            && isEqual(a, b, (tcp + 14)..<(tcp + 16)) && isEqual(a, b, (tcp + 18)..<headersSize)
    }

    @inline(__always)
    private func isEqual(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ range: Range<Int>) -> Bool {
        var difference: UInt8 = 0
        for i in range { difference |= a.load(fromByteOffset: i, as: UInt8.self) ^ b.load(fromByteOffset: i, as: UInt8.self) }
        return difference == 0
    }

    @inline(__always)
    private func hasSameWords(_ a: UnsafePointer<UInt64>, _ b: UnsafePointer<UInt64>) -> Bool {
        var difference: UInt64 = 0
        for i in 0..<Self.tunnelWordCount { difference |= a[i] ^ b[i] }
        return difference == 0
    }

    /// Writes the headers of a frame made of several.
    private mutating func close() {
        guard isOpen else { return }
        isOpen = false
        guard parts > 1, let slots else { return }
        let slot = slots + (filled - 1)
        let data = slot.pointee.data
        let length = slot.pointee.length
        if frame.isIPv6 {
            data.setWire16(UInt16(length - frame.network - 40), at: frame.network + 4)
        } else {
            data.setWire16(UInt16(length - frame.network), at: frame.network + 2)
            ChecksumCopy.finishIPv4(data + frame.network)
        }
        let pseudo = frame.pseudoSum(UnsafeRawPointer(data), size: length - frame.transport)
        data.storeBytes(of: ChecksumCopy.fold(pseudo), toByteOffset: frame.transport + 16, as: UInt16.self)
        let kind: Offload.Segmentation = frame.isIPv6 ? .tcpIPv6 : .tcpIPv4
        slot.pointee.offload = Offload(
            flags: .needsChecksum, segmentation: kind.rawValue, segmentSize: UInt16(segmentSize), checksumStart: UInt16(frame.transport),
            checksumOffset: 16)
    }
}
