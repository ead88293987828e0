/// Whether and how a frame can leave by a device: the test before every send.
///
/// A frame no longer than the MTU is sent as it is. A longer one is sent in segments when it is marked so, or when it is TCP whose sender left the checksum
/// to the device; segments that would be too long are made shorter, which only TCP allows. The rest is refused.
enum OutputFit {
    /// The device takes it, with `offload` as it is now.
    case whole
    /// To be cut here.
    case cut
    case refused(TransmitRefusal)

    /// - Parameters:
    ///   - frame: its `offload` may be changed.
    ///   - mtu: bytes behind the Ethernet header and a first VLAN tag.
    ///   - capabilities: what the device takes over.
    @inline(__always)
    static func of(_ frame: UnsafeMutablePointer<TransmitFrame>, mtu: Int, capabilities: OffloadCapabilities) -> OutputFit {
        if frame.pointee.length <= mtu &+ 14, !frame.pointee.offload.isSegmented { return .whole }
        return ofLarge(frame, mtu: mtu, capabilities: capabilities)
    }

    @inline(never)
    static func ofLarge(_ frame: UnsafeMutablePointer<TransmitFrame>, mtu: Int, capabilities: OffloadCapabilities) -> OutputFit {
        let data = frame.pointee.data
        let length = frame.pointee.length
        guard length >= 14 else { return .refused(.transmitError) }
        let headers = FrameHeaders(data, length: length)
        if !frame.pointee.offload.isSegmented {
            let type = UInt16(bigEndian: data.loadUnaligned(fromByteOffset: 12, as: UInt16.self))
            if length <= mtu &+ (type == 0x8100 || type == 0x88a8 ? 18 : 14) { return .whole }
            guard let headers, headers.isTCP, frame.pointee.offload.needsChecksum else { return .refused(.exceedsMTU) }
            // A long segment that nobody has cut (a device with a larger MTU it came by).
            let room = mtu &- (headers.payload &- headers.linkSize)
            if room < 8 { return .refused(.exceedsMTU) }
            frame.pointee.offload.segmentation = headers.segmentation.rawValue
            frame.pointee.offload.segmentSize = UInt16(clamping: room)
            frame.pointee.offload.checksumStart = UInt16(clamping: headers.transport)
            frame.pointee.offload.checksumOffset = UInt16(headers.checksumOffset)
            return place(headers, capabilities)
        }
        guard let headers, frame.pointee.offload.kind == headers.segmentation else {
            // Not to be cut here, and nothing is known of how long its parts are.
            return .refused(.transmitError)
        }
        let room = mtu &- (headers.payload &- headers.linkSize)
        if length &- headers.payload > room, Int(frame.pointee.offload.segmentSize) > room {
            if !headers.isTCP || room < 8 { return .refused(.exceedsMTU) }
            frame.pointee.offload.segmentSize = UInt16(clamping: room)
        }
        return place(headers, capabilities)
    }

    private static func place(_ headers: FrameHeaders, _ capabilities: OffloadCapabilities) -> OutputFit {
        !headers.isLabeled && capabilities.contains(headers.isTCP ? .tcpSegmentation : .udpSegmentation) ? .whole : .cut
    }
}
