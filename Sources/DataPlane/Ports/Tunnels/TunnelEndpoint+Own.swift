import CLinux
import Glibc
import Wire

/// Frames of the host itself, which no worker sends.
extension TunnelEndpoint {
    /// Sends one by a port to its fixed remote, from any thread; what the kernel refuses is lost, as on the way.
    ///
    /// The header has the port's own key, no options, and in Geneve the O bit of control packets (RFC 9521 §4.1).
    func sendOwn(_ frame: [UInt8], by port: TunnelConfiguration, to remote: TunnelAddress) {
        let state = published()
        guard let entry = state.directory.index(number: port.number).map({ state.directory.entries[$0] }),
            let sockets = state.sending[0][TunnelSockets.Key(port, isIPv4: remote.isIPv4)]
        else { return }
        var bytes = [UInt8](repeating: 0, count: TunnelHeader.maximumSize + frame.count)
        bytes.withUnsafeMutableBytes { buffer in
            let header = buffer.baseAddress!
            let size = TunnelHeader.write(port, options: [], key: port.ownKey, words: nil, to: header)
            if port.kind == .geneve { header.storeBytes(of: Geneve.Flag.control, toByteOffset: 1, as: UInt8.self) }
            frame.withUnsafeBytes { (header + size).copyMemory(from: $0.baseAddress!, byteCount: frame.count) }
            if port.kind == .gre { finishGRE(header, size, frame.count, port, entry.sequence) }
            var part = iovec(iov_base: header, iov_len: size + frame.count)
            var datagram = weft_datagram_out()
            datagram.part_count = 1
            if case .fixed(let ttl) = port.ttl { datagram.ttl = ttl } else { datagram.ttl = 64 }
            datagram.tos = LivenessFrame.trafficClass
            datagram.destination = (remote.high.bigEndian, remote.low.bigEndian)
            datagram.port = kind == .gre ? 0 : port.destinationPort
            if let local = port.local {
                datagram.has_source = 1
                datagram.source = (local.high.bigEndian, local.low.bigEndian)
            }
            withUnsafeMutablePointer(to: &part) { pointer in
                datagram.parts = pointer
                _ = weft_datagram_send(sockets.pair(0).single, remote.isIPv4 ? AF_INET : AF_INET6, &datagram, 1)
            }
        }
    }

    /// The sequence number, and the checksum over header and frame.
    private func finishGRE(_ header: UnsafeMutableRawPointer, _ size: Int, _ count: Int, _ port: TunnelConfiguration, _ sequence: TunnelSequence) {
        if port.hasSequence { header.setWire32(sequence.next(), at: size - 4) }
        guard port.checksum == .on else { return }
        header.storeBytes(of: ~ChecksumCopy.fold(ChecksumCopy.sum(header, size + count)), toByteOffset: GRE.Offset.checksum, as: UInt16.self)
    }
}
