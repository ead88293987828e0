import Flow
import Synchronization

/// Frames on their way from one process to another: a ring of bytes in memory that both have mapped, with one writer and one reader.
///
/// **Layout**, all in the processor's byte order. Byte 0: `tail`, bytes ever written, 64 bits, the writer's. Byte 64: `head`, bytes ever read, the reader's.
/// From byte 128 on: `size` bytes, a power of two, of records. A record begins at a multiple of 8 and does not wrap; one of kind `skip` fills what is left
/// before the end:
///
/// | bytes | |
/// |---|---|
/// | 0–3 | bytes of the record, a multiple of 8 |
/// | 4–7 | bytes of the frame |
/// | 8–15 | flags, segmentation, segment size, checksum start, checksum offset: as `virtio_net_hdr` without its header length |
/// | 16–19 | kind: 0 a frame, 1 a frame with context, 2 skip |
/// | 20–23 | 0 |
/// | 24– | with context: the tunnel words of the flow key, 8 bytes each |
/// | then | the frame |
///
/// **Trust.** The reader believes nothing: it reads each number once, and a record that contradicts itself or the ring ends the reading (`isBroken`). A writer
/// whose reader moves `head` where it cannot be sees a full ring.
///
/// **Waking.** The writer tells whether the reader had read everything before: then it may be asleep.
struct ServiceRing {
    static let headerSize = 128
    static let recordHeader = 24
    static let contextWords = FlowKeyLayout.tunnelWords.count
    /// Where the offload information stands in a record.
    private enum Kind {
        static let frame: UInt32 = 0
        static let context: UInt32 = 1
        static let skip: UInt32 = 2
    }

    private let base: UnsafeMutableRawPointer
    private let size: UInt64
    /// The own position; the shared one is only written.
    private var position: UInt64

    /// - Parameters:
    ///   - base: `headerSize` + `size` bytes, 64-byte aligned, that stay mapped while the ring is used.
    ///   - size: a power of two.
    ///   - isWriter: which end this is.
    init(_ base: UnsafeMutableRawPointer, size: Int, isWriter: Bool) {
        self.base = base
        self.size = UInt64(size)
        position = 0
        // What stands there the other end may have changed; records begin at multiples of eight.
        position = (isWriter ? tail : head) & ~7
    }

    private var tail: UInt64 { base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring) }
    private var head: UInt64 { (base + 64).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring) }

    // MARK: - Writing

    enum Outcome: Equatable {
        /// There is no room; the frame was not written.
        case full
        case written
    }

    /// Copies a frame in; visible after `publish`.
    mutating func append(_ frame: UnsafePointer<TransmitFrame>) -> Outcome {
        let context = frame.pointee.tunnel
        let extra = context == nil ? 0 : Self.contextWords &* 8
        let need = UInt64((Self.recordHeader &+ extra &+ frame.pointee.length &+ 7) & ~7)
        // What the other end says may be anything.
        let used = position &- head
        guard used <= size else { return .full }
        let offset = position & (size &- 1)
        let left = size &- offset
        let skipped = left < need ? left : 0
        guard used &+ skipped &+ need <= size else { return .full }
        if skipped > 0 {
            let record = at(offset)
            record.storeBytes(of: UInt32(truncatingIfNeeded: skipped), as: UInt32.self)
            if skipped >= 24 { record.storeBytes(of: Kind.skip, toByteOffset: 16, as: UInt32.self) }
            position &+= skipped
        }
        let record = at(position & (size &- 1))
        let offload = frame.pointee.offload
        record.storeBytes(of: UInt32(truncatingIfNeeded: need), as: UInt32.self)
        record.storeBytes(of: UInt32(truncatingIfNeeded: frame.pointee.length), toByteOffset: 4, as: UInt32.self)
        record.storeBytes(of: offload.flags.rawValue, toByteOffset: 8, as: UInt8.self)
        record.storeBytes(of: offload.segmentation, toByteOffset: 9, as: UInt8.self)
        record.storeBytes(of: offload.segmentSize, toByteOffset: 10, as: UInt16.self)
        record.storeBytes(of: offload.checksumStart, toByteOffset: 12, as: UInt16.self)
        record.storeBytes(of: offload.checksumOffset, toByteOffset: 14, as: UInt16.self)
        record.storeBytes(of: UInt64(context == nil ? Kind.frame : Kind.context), toByteOffset: 16, as: UInt64.self)
        if let context { (record + Self.recordHeader).copyMemory(from: context, byteCount: extra) }
        (record + (Self.recordHeader &+ extra)).copyMemory(from: frame.pointee.data, byteCount: frame.pointee.length)
        position &+= need
        return .written
    }

    /// Makes what was appended visible; true when the reader may be asleep.
    func publish(since before: UInt64) -> Bool {
        base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(position, ordering: .sequentiallyConsistent)
        return (base + 64).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .sequentiallyConsistent) == before
    }

    /// Bytes written or read so far.
    var mark: UInt64 { position }

    // MARK: - Reading

    enum Record {
        /// Nothing waits.
        case none
        /// Filled in.
        case frame
        /// A frame that does not fit or cannot be.
        case bad
        /// The writer does not keep the rules; nothing more can be read.
        case broken
    }

    /// Copies the next frame into a slot. Its place is given back by `release`.
    mutating func next(into slot: UnsafeMutablePointer<ReceiveSlot>) -> Record {
        while true {
            let waiting = tail &- position
            if waiting == 0 { return .none }
            guard waiting <= size, waiting >= 8 else { return .broken }
            let offset = position & (size &- 1)
            let left = size &- offset
            let record = at(offset)
            // Safe: at least eight bytes are left, as both are multiples of eight.
            let need = UInt64(record.load(as: UInt32.self))
            guard need >= 8, need & 7 == 0, need <= waiting, need <= left else { return .broken }
            if need < Self.recordHeader {
                // Only what is left before the end is that short.
                guard need == left else { return .broken }
                position &+= need
                continue
            }
            let kind = record.load(fromByteOffset: 16, as: UInt32.self)
            if kind == Kind.skip {
                guard need == left else { return .broken }
                position &+= need
                continue
            }
            let length = Int(record.load(fromByteOffset: 4, as: UInt32.self))
            let extra = kind == Kind.context ? Self.contextWords &* 8 : 0
            guard kind <= Kind.context, Self.recordHeader &+ extra &+ length <= Int(need) else { return .broken }
            let offload = Offload(
                flags: Offload.Flags(rawValue: record.load(fromByteOffset: 8, as: UInt8.self) & 3),
                segmentation: record.load(fromByteOffset: 9, as: UInt8.self),
                segmentSize: record.load(fromByteOffset: 10, as: UInt16.self),
                checksumStart: record.load(fromByteOffset: 12, as: UInt16.self),
                checksumOffset: record.load(fromByteOffset: 14, as: UInt16.self))
            position &+= need
            guard length >= 14, length <= slot.pointee.capacity, offload.isValid(length: length) else { return .bad }
            if extra > 0 {
                slot.pointee.tunnel.update(from: (record + Self.recordHeader).assumingMemoryBound(to: UInt64.self), count: Self.contextWords)
            }
            slot.pointee.data.copyMemory(from: record + (Self.recordHeader &+ extra), byteCount: length)
            slot.pointee.length = length
            slot.pointee.isTunneled = extra > 0
            slot.pointee.offload = offload
            return .frame
        }
    }

    /// Gives the places read so far back to the writer.
    func release() { (base + 64).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(position, ordering: .sequentiallyConsistent) }

    /// Whether frames wait; after `release`, in one order with the writer's `publish`.
    var isEmpty: Bool { base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .sequentiallyConsistent) == position }

    @inline(__always) private func at(_ offset: UInt64) -> UnsafeMutableRawPointer { base + (Self.headerSize &+ Int(offset)) }
}
