/// The ten bytes before a frame that TAP and packet sockets exchange with the kernel: `virtio_net_hdr`, in the processor's byte order.
///
/// flags 1, kind of segmentation 1, header length 2, segment size 2, checksum start 2, checksum offset 2 (Virtio 1.2 §5.1.6).
enum VirtioHeader {
    static let size = 10

    /// Reads the header right before a frame of `length` bytes; nil when it does not describe the frame.
    ///
    /// Sums must begin and end within the frame, and large segments be of a known kind and not empty; what is handed on is then safe to finish.
    /// Safe: the caller has read the header into the bytes before `frame`.
    @inline(__always) static func read(before frame: UnsafeMutableRawPointer, length: Int) -> Offload? {
        let header = UnsafeRawPointer(frame - size)
        let word = header.loadUnaligned(as: UInt64.self).littleEndian
        // Most frames: complete, or vouched for.
        if word & 0xff01 == 0 { return Offload(flags: Offload.Flags(rawValue: UInt8(truncatingIfNeeded: word) & 2)) }
        let offload = Offload(
            flags: Offload.Flags(rawValue: UInt8(truncatingIfNeeded: word) & 3), segmentation: UInt8(truncatingIfNeeded: word >> 8),
            segmentSize: header.loadUnaligned(fromByteOffset: 4, as: UInt16.self),
            checksumStart: header.loadUnaligned(fromByteOffset: 6, as: UInt16.self),
            checksumOffset: header.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
        return offload.isValid(length: length) ? offload : nil
    }

    /// Writes the header right before a frame. Safe: 64 bytes before a frame are free.
    @inline(__always) static func write(_ offload: Offload, before frame: UnsafeMutableRawPointer, length: Int) {
        let header = frame - size
        if offload.isNone {
            header.storeBytes(of: 0, as: UInt64.self)
            header.storeBytes(of: 0, toByteOffset: 8, as: UInt16.self)
            return
        }
        var headerLength = 0
        if offload.isSegmented {
            // The kernel puts this much into the linear part; what it has to look at later and is not there it moves.
            let start = Int(offload.checksumStart)
            let isTCP = offload.segmentation & 0x7f != Offload.Segmentation.udp.rawValue && start &+ 20 <= length
            headerLength = start &+ (isTCP ? max(Int((frame + (start &+ 12)).load(as: UInt8.self) >> 4) &* 4, 20) : 8)
            if headerLength > length { headerLength = length }
        }
        // The sum is only meant when it is asked for.
        let sums = offload.needsChecksum
        header.storeBytes(of: offload.flags.rawValue & 1, as: UInt8.self)
        header.storeBytes(of: offload.segmentation, toByteOffset: 1, as: UInt8.self)
        header.storeBytes(of: UInt16(truncatingIfNeeded: headerLength), toByteOffset: 2, as: UInt16.self)
        header.storeBytes(of: offload.segmentSize, toByteOffset: 4, as: UInt16.self)
        header.storeBytes(of: sums ? offload.checksumStart : 0, toByteOffset: 6, as: UInt16.self)
        header.storeBytes(of: sums ? offload.checksumOffset : 0, toByteOffset: 8, as: UInt16.self)
    }
}

extension Offload {
    /// Whether it can be true of a frame of `length` bytes.
    func isValid(length: Int) -> Bool {
        if needsChecksum, Int(checksumStart) + Int(checksumOffset) + 2 > length { return false }
        if isSegmented, kind == nil || segmentSize == 0 { return false }
        return true
    }
}
