import CLinux
import Glibc
import Synchronization

/// A packet socket and the ring that its small frames arrive in.
///
/// **Why.** Frames that fit into a slot are copied into memory that this process sees, by the processor that sends them; taking one costs no
/// system call. Longer ones, large segments above all, are received as messages.
///
/// **Limits.** A ring takes `PacketRing.size` bytes, and all rings of the process `PacketRing.budget`; sockets opened beyond that have none and receive
/// every frame as a message, so that a thousand ports stay small.
final class PacketSocket: @unchecked Sendable {
    let descriptor: OwnedDescriptor
    let ring: PacketRing?

    /// - Parameter descriptor: not yet bound.
    init(descriptor: OwnedDescriptor, wantsRing: Bool = true) {
        self.descriptor = descriptor
        ring = wantsRing ? PacketRing(descriptor: descriptor.value) : nil
    }

    deinit { close() }

    /// Only when no worker uses it any more. A socket lives as long as its ring is mapped.
    func close() {
        ring?.close()
        descriptor.close()
    }
}

/// Slots that the kernel fills in turn (PACKET_RX_RING, TPACKET_V2). Used by one worker at a time.
final class PacketRing: @unchecked Sendable {
    /// Room for frames of 160 bytes and more, depending on their tags: acknowledgements, calls, voice.
    static let slotSize = 256
    /// Enough for what a sender on the same processor gives in its turn.
    static let slotCount = 16384
    static let size = slotSize * slotCount
    /// Bytes of all rings of the process at most.
    static let budget = 128 << 20
    private static let reserved = Atomic<Int>(0)

    private var memory: UnsafeMutableRawPointer?
    private var head = 0

    /// nil when the budget is used up, or the kernel grants none.
    init?(descriptor: Int32) {
        let total = Self.reserved.wrappingAdd(Self.size, ordering: .relaxed).newValue
        var memory: UnsafeMutableRawPointer?
        guard total <= Self.budget, weft_packet_make_ring(descriptor, UInt32(Self.slotSize), UInt32(Self.slotCount), &memory) == 0 else {
            Self.reserved.wrappingSubtract(Self.size, ordering: .relaxed)
            return nil
        }
        self.memory = memory
    }

    func close() {
        guard let memory else { return }
        self.memory = nil
        weft_packet_free_ring(memory, Self.size)
        Self.reserved.wrappingSubtract(Self.size, ordering: .relaxed)
    }

    deinit { close() }

    /// The slot that is filled next, or nil once closed.
    @inline(__always) var next: UnsafeMutableRawPointer? { memory.map { $0 + head &* Self.slotSize } }

    /// How many frames in a row, from the next on, wait as messages; `limit` at most.
    func messagesWaiting(limit: Int) -> Int {
        guard let memory else { return 0 }
        let wanted = UInt32(weft_slot_filled | weft_slot_message)
        var n = 0
        while n < limit, weft_slot_status(memory + ((head &+ n) & (Self.slotCount - 1)) &* Self.slotSize) & wanted == wanted { n &+= 1 }
        return n
    }

    /// Gives slots back to the kernel.
    @inline(__always) func release(_ count: Int = 1) {
        guard let memory else { return }
        for _ in 0..<count {
            weft_slot_release(memory + head &* Self.slotSize)
            head = (head &+ 1) & (Self.slotCount - 1)
        }
    }
}
