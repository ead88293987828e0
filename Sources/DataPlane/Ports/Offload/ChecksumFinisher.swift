import Wire

/// Computes in place the checksum that a frame's sender left to the device.
enum ChecksumFinisher {
    /// Adds what is between `checksumStart` and the frame's end to the pseudo header's sum in the checksum field, and clears `offload`'s flag.
    ///
    /// The field of SCTP, known by its place, gets a CRC32c instead (RFC 9260 §6.8), which the kernel cannot be asked for by a virtio header. A UDP
    /// checksum of 0 is sent as 0xffff (RFC 768).
    /// - Returns: false when the field is not within the frame.
    static func finish(_ frame: UnsafeMutablePointer<TransmitFrame>) -> Bool {
        let data = frame.pointee.data
        let start = Int(frame.pointee.offload.checksumStart)
        let offset = Int(frame.pointee.offload.checksumOffset)
        let count = frame.pointee.length - start
        guard frame.pointee.offload.isValid(length: frame.pointee.length) else { return false }
        // Safe: start + offset + 2 <= length was just tested.
        let field = data + start + offset
        if offset == sctpOffset {
            guard count >= 12 else { return false }
            field.storeBytes(of: 0, as: UInt32.self)
            let crc = CRC32c.of(UnsafeRawBufferPointer(start: data + start, count: count).bytes)
            field.storeBytes(of: crc.littleEndian, as: UInt32.self)
        } else {
            var checksum = ~InternetSum.folded(data + start, count: count)
            if offset == udpOffset { checksum = Checksum.nonzero(checksum) }
            field.storeBytes(of: checksum, as: UInt16.self)
        }
        frame.pointee.offload.flags.remove(.needsChecksum)
        return true
    }

    static let sctpOffset = 8
    static let udpOffset = 6

    /// Whether a frame's checksum is one that only software finishes.
    @inline(__always) static func isSCTP(_ offload: Offload) -> Bool { offload.needsChecksum && Int(offload.checksumOffset) == sctpOffset }
}
