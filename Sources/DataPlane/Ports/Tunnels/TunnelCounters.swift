import CLinux

/// Packets that a worker's tunnel receiver dropped, by reason. Written by that worker, read by anyone; numbers only grow.
public final class TunnelCounters: @unchecked Sendable {
    public enum Reason: Int, CaseIterable, Sendable {
        /// No port has these addresses and this key.
        case tunnelNoPort
        /// The encapsulation header or an option is malformed, a critical option is unknown, or the payload is no Ethernet frame.
        case tunnelMalformed
        /// The outer header is marked as congestion experienced and the inner transport does not know of it (RFC 6040 §4.2).
        case tunnelECN
        /// Longer than the worker's buffers.
        case frameTooLong
    }

    // Safe: eight-byte cells accessed atomically, alive as long as the object.
    private let cells: UnsafeMutablePointer<UInt64>

    init() {
        cells = .allocate(capacity: Reason.allCases.count)
        cells.initialize(repeating: 0, count: Reason.allCases.count)
    }
    deinit { cells.deallocate() }

    func count(_ reason: Reason, _ packets: Int = 1) { weft_add_relaxed_u64(cells + reason.rawValue, UInt64(packets)) }
    public subscript(reason: Reason) -> UInt64 { weft_load_relaxed_u64(cells + reason.rawValue) }
}
