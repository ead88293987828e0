import CLinux

/// What translation makes of a packet, and a cache replays: the operations on the packet, and what they rest on.
///
/// Raw memory, owned by one worker: a header of 16 words, the ops, then the path, one word per table visited (an entry, or a miss with the
/// table's number). Flows that take the same path with the same operations share one program, so counting a packet is three stores to a
/// line that is usually warm, and the counts reach the entries of the path later (`ProgramStore.collect`).
struct Program: Equatable, @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt64>

    enum Header {
        static let packets = 0, bytes = 1, lastUsed = 2
        static let references = 3
        static let flags = 4
        static let counts = 5
        static let hash = 6
        static let next = 7
        static let written = 8
        static let tables = 9
        static let learningVersion = 13
        static let size = 16
    }

    enum Flag {
        /// Rests on groups or meters.
        static let usesGroups: UInt64 = 1
        /// Rests on the learning table, at `learningVersion`.
        static let usesLearning: UInt64 = 2
        /// Must not be cached: it rests on something that is not in the key.
        static let isTransient: UInt64 = 4
        /// Changes tables when executed.
        static let hasEffects: UInt64 = 8
    }

    @inline(__always) init(base: UnsafeMutablePointer<UInt64>) { self.base = base }

    @inline(__always) var flags: UInt64 { base[Header.flags] }
    var usesGroups: Bool { flags & Flag.usesGroups != 0 }
    /// Cache entries that hold it.
    @inline(__always) var references: UInt64 {
        get { base[Header.references] }
        nonmutating set { base[Header.references] = newValue }
    }
    @inline(__always) var opCount: Int { Int(base[Header.counts] & 0xffff_ffff) }
    @inline(__always) var pathCount: Int { Int(base[Header.counts] >> 32) }
    @inline(__always) var ops: UnsafePointer<UInt64> { UnsafePointer(base + Header.size) }
    /// Entry pointers; a miss is `table << 1 | 1`, an effect `id << 3 | 2`, a group `groupStep`, which no pointer can be.
    @inline(__always) var path: UnsafeMutablePointer<UInt64> { base + Header.size + opCount }
    /// The path's word for a group (or one of its buckets) that the packets went through: id 32 | bucket + 1 16 | 4.
    static func groupStep(_ id: UInt32, bucket: Int?) -> UInt64 { UInt64(id) << 32 | UInt64(bucket.map { $0 + 1 } ?? 0) << 16 | 4 }
    /// Bit set of the tables visited.
    @inline(__always) var tables: UnsafeMutablePointer<UInt64> { base + Header.tables }
    /// Words of the key that the program's actions wrote, as a bit set.
    @inline(__always) var writtenWords: UInt64 { base[Header.written] }

    /// Counts packets that ran it.
    @inline(__always) func count(packets: UInt64, bytes: UInt64, now: UInt64) {
        base[Header.packets] &+= packets
        base[Header.bytes] &+= bytes
        base[Header.lastUsed] = now
    }
}

/// The executor's instruction set. Headers are `op: 8 | a: 8 | b: 16 | c: 32`.
enum ProgramOp: UInt8 {
    case end
    /// a: 1 when the program ends here; c: dense port index.
    case output
    /// `addresses`, `timeToLive` and the last `output` in one: what a router does. a: TTL; c: dense port index; the addresses.
    case route
    /// c: dense port index; length 32 | bytes by which the packet grew since the length was meant 32, signed.
    case outputTruncated
    /// Output by a queue. a: 1 when the program ends here; c: dense port index; the queue; the second word of `outputTruncated`, or 0 for the whole packet.
    case outputQueued
    /// c: bit set of tunnel words (bit 0 is word 16), then these words: what the outputs to tunnel ports that follow leave with.
    case tunnel
    /// a: 1 when it only tells and is no end of the packet; b: operand words; c: max length. `PacketIn.Context` has the operands.
    case controller
    /// b: bit set of key words; (mask, value) for each, ascending.
    case ethernet
    /// Both Ethernet addresses whole: the frame's first eight bytes, then the next four, as they lie in memory.
    case addresses
    /// a: the whole TTL of an IPv4 header.
    case timeToLive
    case ipv4
    case ipv6
    /// Also a: the protocol.
    case transport
    /// Also a: 4 or 6, the version of IP.
    case icmp
    case arp
    case neighborDiscovery
    case neighborDiscoveryExtensions
    case popVLAN
    /// b: TCI; c: TPID.
    case pushVLAN
    /// c: label stack entry.
    case setMPLS
    /// b: EtherType; c: label stack entry.
    case pushMPLS
    /// b: EtherType.
    case popMPLS
    /// The TTL below the label to the label, and the other way round.
    case copyTTLOut
    case copyTTLIn
    /// b: bit set of key words; (mask, value) for each: an I-TAG.
    case backboneTag
    /// b: EtherType; c: I-TAG.
    case pushPBB
    case popPBB
    /// a: `KindOfPayload`; b: value.
    case setKind
    /// a: reason of a drop, the first there was in the packet's way; c: meter id.
    case meter
    /// c: words of the nested program that runs on a copy.
    case clone
    /// c: index of the frozen translation to resume on the changed packet.
    case recirculate
    /// c: side effect of this worker.
    case effect
    /// c: port; VLAN 16 | MAC 48. Tells the learning table where an address is.
    case learnAddress
    /// a: reason, if nothing else became of the packet; b: a set of `EndingFlag`, when copies of it may have noted reasons.
    case drop

    /// What decides between the reason of a `drop` and one that a copy noted.
    enum EndingFlag {
        /// There are copies, or the program may itself run on one: the packet's end is decided when all of them are done.
        static let hasCopies: UInt16 = 1
        /// The reason is only what the last lookup came to; any noted one is more telling.
        static let isGeneral: UInt16 = 2
        /// That lookup came after the last copy.
        static let isLatest: UInt16 = 4
    }

    @inline(__always) static func header(_ op: ProgramOp, a: UInt8 = 0, b: UInt16 = 0, c: UInt32 = 0) -> UInt64 {
        UInt64(op.rawValue) | UInt64(a) << 8 | UInt64(b) << 16 | UInt64(c) << 32
    }
}
