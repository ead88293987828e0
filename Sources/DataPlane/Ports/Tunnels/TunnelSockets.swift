import CLinux
import Glibc
import Synchronization

/// The sending sockets that ports with the same outer options share, for one worker.
///
/// Several source ports, chosen by a hash of the inner flow, spread flows over paths and receive queues (RFC 7348 §5, RFC 8926 §3.3).
final class TunnelSockets: @unchecked Sendable {
    /// Source ports of a worker.
    static let count = 16
    static let sendBuffer = 4 << 20

    struct Key: Hashable {
        var isIPv4: Bool
        var dontFragment: Bool
        var checksum: TunnelConfiguration.ChecksumUse
        var mark: UInt32

        init(_ configuration: TunnelConfiguration, isIPv4: Bool) {
            self.isIPv4 = isIPv4
            dontFragment = configuration.dontFragment
            checksum = configuration.kind == .gre ? .off : configuration.checksum
            mark = configuration.egressMark
        }
    }

    /// Two sockets of one source port: with checksums for what the kernel cuts, and what single datagrams leave by. Often the same.
    struct Pair: Equatable {
        var withChecksum: Int32
        var single: Int32
    }

    private let pairs: [Pair]

    /// Called inside the namespace.
    init(_ key: Key, isGRE: Bool) throws {
        var pairs: [Pair] = []
        let family = key.isIPv4 ? AF_INET : AF_INET6
        func open(checksum: Bool, port: UInt16) throws -> Int32 {
            let socket = weft_datagram_open(family, isGRE ? 1 : 0)
            guard socket >= 0 else { throw PortError("tunnel socket: \(String(cString: strerror(-socket)))") }
            var error = weft_datagram_prepare_send(
                socket, family, isGRE ? 1 : 0, key.dontFragment ? 1 : 0, checksum ? 1 : 0, key.mark, Int32(TunnelSockets.sendBuffer))
            if error == 0, !isGRE { error = weft_datagram_bind(socket, family, port, 1) }
            guard error == 0 else {
                Glibc.close(socket)
                throw PortError("tunnel socket: \(String(cString: strerror(error)))")
            }
            return socket
        }
        do {
            for _ in 0..<(isGRE ? 1 : TunnelSockets.count) {
                let first = try open(checksum: key.checksum != .off, port: 0)
                pairs.append(Pair(withChecksum: first, single: first))
                if key.checksum == .automatic, key.isIPv4, !isGRE {
                    pairs[pairs.count - 1].single = try open(checksum: false, port: weft_datagram_port(first))
                }
            }
        } catch {
            TunnelSockets.close(pairs)
            throw error
        }
        self.pairs = pairs
    }

    deinit { TunnelSockets.close(pairs) }

    func pair(_ hash: UInt32) -> Pair { pairs[Int(hash) & (pairs.count - 1)] }

    private static func close(_ pairs: [Pair]) {
        for pair in pairs {
            Glibc.close(pair.withChecksum)
            if pair.single != pair.withChecksum { Glibc.close(pair.single) }
        }
    }
}

/// A GRE tunnel's sequence numbers, shared by the workers that send on it (RFC 2890 §2.2: from 0, counting up).
final class TunnelSequence: Sendable {
    private let counter = Atomic<UInt32>(0)
    func next() -> UInt32 { counter.wrappingAdd(1, ordering: .relaxed).oldValue }
}
