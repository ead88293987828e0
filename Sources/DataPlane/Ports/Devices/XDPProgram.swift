import CXDP
import Glibc

/// The program on a device that hands what arrives to AF_XDP sockets, by queue; frames of queues without a socket go to the host as before.
///
/// Our own and not libxdp's, which finds its maps again by their numbers and needs CAP_SYS_ADMIN for that. It is attached by a link: closing the descriptor takes it
/// off the device, also when the process is killed, and whatever namespace the caller is in. Needs CAP_BPF and CAP_NET_ADMIN.
final class XDPProgram: @unchecked Sendable {
    private let map: OwnedDescriptor
    private let link: OwnedDescriptor

    /// - Parameters:
    ///   - device: the device's index. Call in its namespace.
    ///   - queues: receive queues from 0 on that may have a socket.
    /// - Returns: nil when the kernel refuses; `failure` is an errno value.
    init?(device: Int32, queues: Int, isNative: Bool, failure: inout Int32) {
        map = OwnedDescriptor(weft_xdp_map(UInt32(queues)))
        guard map.value >= 0 else {
            failure = -map.value
            return nil
        }
        // The link keeps the program.
        let program = OwnedDescriptor(weft_xdp_program(map.value))
        guard program.value >= 0 else {
            failure = -program.value
            return nil
        }
        link = OwnedDescriptor(weft_xdp_attach(program.value, device, UInt32(isNative ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE)))
        guard link.value >= 0 else {
            failure = -link.value
            return nil
        }
    }

    /// Has a queue's frames go to a socket; 0, or an errno value.
    func direct(_ socket: OpaquePointer) -> Int32 { -xsk_socket__update_xskmap(socket, map.value) }

    /// Takes the program off the device.
    func close() {
        link.close()
        map.close()
    }
}
