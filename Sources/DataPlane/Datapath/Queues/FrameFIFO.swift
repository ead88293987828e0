import Flow
import Ports

/// Frames that wait to be sent, in their order, with all that their port needs: a ring of bytes with a maximum.
///
/// A frame lies whole in the ring, behind its record, its tunnel words when it has any, and 64 bytes of room, so that it is sent from where it lies. One
/// that does not fit before the end of the ring begins anew at its start. Memory is had when the first frame comes.
///
/// What `takeFirst` gave out stays as it is until the next `append`. One thread.
struct FrameFIFO {
    private struct Record {
        var frame: TransmitFrame
        /// Bytes to the next record; 0: it is at the start of the ring.
        var size: Int
    }
    private static let headroom = 64
    private static let tunnelSize = FlowKeyLayout.tunnelWords.count * 8

    /// Bytes of the ring.
    let capacity: Int
    private var ring: UnsafeMutableRawPointer?
    private var head = 0
    private var tail = 0
    /// Bytes of the ring in use, gaps at its end included.
    private var used = 0
    private(set) var count = 0
    /// Bytes of the frames that wait.
    private(set) var bytes = 0

    init(capacity: Int) { self.capacity = (capacity + 63) & ~63 }

    var isEmpty: Bool { count == 0 }
    /// Length of the first frame.
    var firstLength: Int { record(head).pointee.frame.length }

    mutating func deallocate() {
        ring?.deallocate()
        ring = nil
    }

    private func record(_ offset: Int) -> UnsafeMutablePointer<Record> {
        // Safe: records begin at multiples of 64 below `capacity`, and a record's head is not longer than 64 bytes more than the ring has.
        (ring! + offset).assumingMemoryBound(to: Record.self)
    }

    /// Copies a frame to the end; false when there is no room.
    mutating func append(_ frame: TransmitFrame) -> Bool {
        let before = MemoryLayout<Record>.size + (frame.tunnel == nil ? 0 : Self.tunnelSize) + Self.headroom
        let size = (before + frame.length + 63) & ~63
        if count == 0 { (head, tail, used) = (0, 0, 0) }
        let isWrapping = tail + size > capacity
        let needed = isWrapping ? capacity - tail + size : size
        guard used + needed <= capacity else { return false }
        if ring == nil { ring = .allocate(byteCount: capacity + 128, alignment: 64) }
        if isWrapping {
            record(tail).pointee.size = 0
            tail = 0
        }
        let start = ring! + tail
        var copy = frame
        copy.data = start + before
        copy.data.copyMemory(from: frame.data, byteCount: frame.length)
        if let tunnel = frame.tunnel {
            let words = start + MemoryLayout<Record>.size
            words.copyMemory(from: tunnel, byteCount: Self.tunnelSize)
            copy.tunnel = UnsafePointer(words.assumingMemoryBound(to: UInt64.self))
        }
        record(tail).initialize(to: Record(frame: copy, size: size))
        tail += size
        used += needed
        count += 1
        bytes += frame.length
        return true
    }

    /// Takes the first frame out; there must be one.
    mutating func takeFirst() -> TransmitFrame {
        let first = record(head).pointee
        head += first.size
        used -= first.size
        count -= 1
        bytes -= first.frame.length
        // A record that says so, or no room for another one before the end.
        if count > 0, head == capacity || record(head).pointee.size == 0 {
            used -= capacity - head
            head = 0
        }
        return first.frame
    }
}
