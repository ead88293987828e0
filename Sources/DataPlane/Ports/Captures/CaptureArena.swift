/// All packets of a replay in one piece of memory, so that measuring loops read packets and nothing else.
///
/// Packets lie one behind the other, each beginning at a multiple of 64, in pages the kernel is asked to make huge. From the start of any
/// packet, whole 64-byte blocks covering it may be read, and at least 64 bytes behind its end are readable as well: they may be
/// zeroes or the beginning of the next packet, never unmapped. (A private gap behind every packet would double the memory of small ones.)
///
/// `index` describes the packets in arrival order as plain values without references.
///
/// Concurrency: one thread loads; when it is done, any number may read. `packets` and `bytes` are stable addresses then.
/// Limits: `maximumSizeBytes` for the packets' bytes; `maximumCount` packets.
public final class CaptureArena: @unchecked Sendable {
    /// Where one packet lies and how it arrives. 32 bytes, plain data.
    @frozen public struct Packet: Sendable, Equatable {
        /// Bytes from `bytes`; a multiple of 64.
        public var offset: UInt64
        /// Nanoseconds since 1970, never decreasing from packet to packet.
        public var time: UInt64
        /// Captured bytes, at least 1.
        public var length: UInt32
        /// Bytes the packet had on the wire, at least `length`.
        public var originalLength: UInt32
        /// The port it arrives on.
        public var inPort: UInt32
        /// Which of the merger's inputs it came from.
        public var input: UInt32

        @inlinable public init(offset: UInt64, time: UInt64, length: UInt32, originalLength: UInt32, inPort: UInt32, input: UInt32) {
            self.offset = offset
            self.time = time
            self.length = length
            self.originalLength = originalLength
            self.inPort = inPort
            self.input = input
        }
    }

    /// Alignment of every packet's first byte, and the number of readable bytes behind every packet's last.
    public static let blockBytes = 64
    /// The most memory for packets unless the caller says otherwise: 16 GiB.
    public static let defaultMaximumSizeBytes = 1 << 34
    /// The most packets; 4 GiB of index.
    public static let maximumCount = 1 << 27

    /// Packets loaded.
    public private(set) var count = 0
    /// Captured bytes of all packets together.
    public private(set) var capturedBytes: UInt64 = 0
    /// Packets of which only the beginning was captured.
    public private(set) var cutCount = 0

    private let bytesMapping: GrowingMapping
    private let indexMapping: GrowingMapping
    private let maximumSizeBytes: Int
    private var used = 0

    /// Reserves address space; memory is taken while loading.
    ///
    /// - Throws: `.outOfMemory` when not even the address space can be had.
    public init(maximumSizeBytes: Int = defaultMaximumSizeBytes) throws(CaptureError) {
        assert(MemoryLayout<Packet>.stride == 32)
        self.maximumSizeBytes = maximumSizeBytes
        bytesMapping = try GrowingMapping(reserving: maximumSizeBytes, spareBytes: Self.blockBytes)
        indexMapping = try GrowingMapping(reserving: Self.maximumCount * MemoryLayout<Packet>.stride)
    }

    /// The packets in arrival order. Valid while the arena lives and nothing is loaded.
    public var packets: UnsafeBufferPointer<Packet> {
        UnsafeBufferPointer(start: UnsafePointer(indexMapping.start.assumingMemoryBound(to: Packet.self)), count: count)
    }

    /// Where offsets count from. Valid while the arena lives.
    public var bytes: UnsafeRawPointer { UnsafeRawPointer(bytesMapping.start) }

    /// The captured bytes of one packet.
    public func bytes(of packet: Packet) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + Int(packet.offset), count: Int(packet.length))
    }

    /// Loads up to `limit` packets, in the merger's order; fewer only when the merger has ended.
    ///
    /// - Returns: the number of packets loaded by this call.
    /// - Throws: what the merger threw, after which a further call goes on behind it; `.arenaFull`; `.outOfMemory`.
    @discardableResult
    public func load(_ merger: CaptureMerger, atMost limit: Int = .max) throws(CaptureError) -> Int {
        var loaded = 0
        while loaded < limit, let arrival = try merger.next() {
            try append(arrival)
            loaded += 1
        }
        return loaded
    }

    /// Copies one packet into the arena.
    ///
    /// - Throws: `.arenaFull`, `.outOfMemory`; the arena is unchanged then.
    public func append(_ arrival: CaptureMerger.Arrival) throws(CaptureError) {
        let record = arrival.record
        let size = (record.capturedLength + Self.blockBytes - 1) / Self.blockBytes * Self.blockBytes
        guard size > 0, used + size <= maximumSizeBytes, count < Self.maximumCount else {
            throw .arenaFull(records: count, limitBytes: maximumSizeBytes)
        }
        try bytesMapping.grow(to: used + size + Self.blockBytes)
        try indexMapping.grow(to: (count + 1) * MemoryLayout<Packet>.stride)
        // Safe: both mappings were just made large enough; fresh memory is zero, so the rest of the last block is too.
        (bytesMapping.start + used).copyMemory(from: record.bytes.baseAddress!, byteCount: record.capturedLength)
        (indexMapping.start + count * MemoryLayout<Packet>.stride).storeBytes(
            of: Packet(
                offset: UInt64(used), time: arrival.time, length: UInt32(record.capturedLength),
                originalLength: UInt32(clamping: record.originalLength), inPort: arrival.port, input: UInt32(arrival.input)),
            as: Packet.self)
        used += size
        count += 1
        capturedBytes += UInt64(record.capturedLength)
        if record.isCut { cutCount += 1 }
    }
}
