import CLinux
import CNetlink
import Glibc

/// The kernel's routes, neighbours and links, asked and listened to by rtnetlink (rtnetlink(7)) through libnl.
///
/// A socket belongs to one thread at a time. Questions block for one round trip inside this host, a few microseconds.
// Safe to send: one thread at a time uses it.
final class UnderlaySocket: @unchecked Sendable {
    private let socket: OpaquePointer
    private var answer: Route?
    private var neighbors: [(Neighbor, UInt16)] = []
    private var links: [Int32: Link] = [:]
    /// Filled by `listen`'s callback.
    private var events = Events()

    /// The kernel's answer to "how does a packet get there".
    struct Route: Equatable {
        var device: Int32
        /// The gateway, or the destination itself on the device's own network.
        var nextHop: TunnelAddress
        /// Of the route or what path-MTU discovery learned, 0 when the device's counts.
        var mtu: Int
        /// Unreachable, prohibited, blackhole.
        var isRefused: Bool
        /// The destination is an address of this host.
        var isLocal: Bool
    }

    struct Neighbor: Hashable {
        var device: Int32
        var address: TunnelAddress
    }

    struct Link: Equatable {
        var mtu: Int
        /// Whether the device asks for link-layer addresses.
        var hasNeighbors: Bool
    }

    /// What happened since the last look.
    struct Events {
        /// A route, link or address changed.
        var isChanged = false
        /// Neighbours with their new state (`NUD_…`), 0 for a deleted one.
        var neighbors: [(Neighbor, UInt16)] = []
    }

    init() throws {
        guard let socket = nl_socket_alloc() else { throw PortError("netlink: out of memory") }
        self.socket = socket
        // An acknowledgment behind each answer would be taken for the answer to the next question.
        nl_socket_disable_auto_ack(socket)
        let error = nl_connect(socket, NETLINK_ROUTE)
        guard error == 0 else {
            nl_socket_free(socket)
            throw PortError("netlink: \(String(cString: nl_geterror(error)))")
        }
    }

    deinit { nl_socket_free(socket) }

    var descriptor: Int32 { nl_socket_get_fd(socket) }

    // MARK: Listening

    /// Joins the groups of routes, links, addresses and neighbours.
    func listen() throws {
        nl_socket_disable_seq_check(socket)
        nl_socket_set_nonblocking(socket)
        nl_socket_set_buffer_size(socket, 1 << 20, 0)
        let groups = [
            RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE,
            RTNLGRP_IPV6_RULE,
        ]
        for group in groups {
            let error = nl_socket_add_membership(socket, Int32(group.rawValue))
            guard error == 0 else { throw PortError("netlink: \(String(cString: nl_geterror(error)))") }
        }
        receive { message, socket in
            let type = Int32(nlmsg_hdr(message).pointee.nlmsg_type)
            if type == Int32(RTM_NEWNEIGH) || type == Int32(RTM_DELNEIGH) {
                if let (neighbor, state) = UnderlaySocket.neighbor(nlmsg_hdr(message)) {
                    socket.events.neighbors.append((neighbor, type == Int32(RTM_DELNEIGH) ? 0 : state))
                }
            } else {
                socket.events.isChanged = true
            }
        }
    }

    /// What waits, without blocking. Events that the kernel had to leave out count as a change.
    func takeEvents() -> Events {
        events = Events()
        while true {
            let error = nl_recvmsgs_default(socket)
            if error == -Int32(NLE_AGAIN) { break }
            if error < 0 {
                events.isChanged = true
                if error != -Int32(NLE_NOMEM) { break }
            }
        }
        return events
    }

    // MARK: Asking

    /// The route to `remote`, nil when there is none.
    func route(to remote: TunnelAddress, from local: TunnelAddress?, mark: UInt32) -> Route? {
        guard let message = nlmsg_alloc_simple(Int32(RTM_GETROUTE), 0) else { return nil }
        var header = rtmsg()
        header.rtm_family = UInt8(remote.isIPv4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = remote.isIPv4 ? 32 : 128
        if local != nil { header.rtm_src_len = header.rtm_dst_len }
        nlmsg_append(message, &header, MemoryLayout<rtmsg>.size, Int32(NLMSG_ALIGNTO))
        UnderlaySocket.put(message, Int32(RTA_DST.rawValue), remote)
        if let local { UnderlaySocket.put(message, Int32(RTA_SRC.rawValue), local) }
        if mark != 0 { nla_put_u32(message, Int32(RTA_MARK.rawValue), mark) }
        answer = nil
        receive { message, socket in
            guard Int32(nlmsg_hdr(message).pointee.nlmsg_type) == Int32(RTM_NEWROUTE) else { return }
            socket.answer = UnderlaySocket.route(nlmsg_hdr(message))
        }
        guard send(message) else { return nil }
        guard var answer else { return nil }
        if answer.nextHop.high == 0, answer.nextHop.low == 0 { answer.nextHop = remote }
        return answer
    }

    /// All neighbours that the kernel knows.
    func allNeighbors() -> [(Neighbor, UInt16)] {
        neighbors = []
        receive { message, socket in
            if let found = UnderlaySocket.neighbor(nlmsg_hdr(message)) { socket.neighbors.append(found) }
        }
        dump(Int32(RTM_GETNEIGH))
        return neighbors
    }

    /// All devices by index.
    func allLinks() -> [Int32: Link] {
        links = [:]
        receive { message, socket in
            let header = nlmsg_hdr(message)
            guard Int32(header!.pointee.nlmsg_type) == Int32(RTM_NEWLINK), let data = nlmsg_data(header) else { return }
            let info = data.assumingMemoryBound(to: ifinfomsg.self).pointee
            var mtu = 0
            if let attribute = nlmsg_find_attr(header, Int32(MemoryLayout<ifinfomsg>.size), Int32(IFLA_MTU)) { mtu = Int(nla_get_u32(attribute)) }
            let silent = UInt32(IFF_NOARP.rawValue) | UInt32(IFF_LOOPBACK.rawValue) | UInt32(IFF_POINTOPOINT.rawValue)
            socket.links[info.ifi_index] = Link(mtu: mtu, hasNeighbors: info.ifi_flags & silent == 0)
        }
        dump(Int32(RTM_GETLINK))
        return links
    }

    // MARK: Plumbing

    private var handler: ((OpaquePointer, UnderlaySocket) -> Void)?

    private func receive(_ handler: @escaping (OpaquePointer, UnderlaySocket) -> Void) {
        self.handler = handler
        nl_socket_modify_cb(
            socket, NL_CB_VALID, NL_CB_CUSTOM,
            { message, context in
                guard let message, let context else { return Int32(NL_OK.rawValue) }
                // Safe: the context is the socket that is calling, which is alive.
                let socket = Unmanaged<UnderlaySocket>.fromOpaque(context).takeUnretainedValue()
                socket.handler?(message, socket)
                return Int32(NL_OK.rawValue)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func send(_ message: OpaquePointer) -> Bool {
        defer { nlmsg_free(message) }
        return nl_send_auto(socket, message) >= 0 && nl_recvmsgs_default(socket) == 0
    }

    private func dump(_ type: Int32) {
        var header = rtgenmsg(rtgen_family: UInt8(AF_UNSPEC))
        guard nl_send_simple(socket, type, Int32(NLM_F_DUMP), &header, MemoryLayout<rtgenmsg>.size) >= 0 else { return }
        nl_recvmsgs_default(socket)
    }

    private static func put(_ message: OpaquePointer, _ type: Int32, _ address: TunnelAddress) {
        if address.isIPv4 {
            var bits = address.ipv4.bigEndian
            nla_put(message, type, 4, &bits)
        } else {
            var halves = (address.high.bigEndian, address.low.bigEndian)
            nla_put(message, type, 16, &halves)
        }
    }

    private static func address(_ address: OpaquePointer?) -> TunnelAddress? {
        guard let address, let bytes = nl_addr_get_binary_addr(address) else { return nil }
        let p = UnsafeRawPointer(bytes)
        switch nl_addr_get_len(address) {
        case 4: return TunnelAddress(high: 0, low: 0xffff_0000_0000 | UInt64(p.wire32(at: 0)))
        case 16:
            return TunnelAddress(
                high: UInt64(p.wire32(at: 0)) << 32 | UInt64(p.wire32(at: 4)), low: UInt64(p.wire32(at: 8)) << 32 | UInt64(p.wire32(at: 12)))
        default: return nil
        }
    }

    private static func neighbor(_ header: UnsafeMutablePointer<nlmsghdr>?) -> (Neighbor, UInt16)? {
        guard let header, let data = nlmsg_data(header), header.pointee.nlmsg_len >= 16 + UInt32(MemoryLayout<ndmsg>.size) else { return nil }
        let message = data.assumingMemoryBound(to: ndmsg.self).pointee
        guard message.ndm_family == UInt8(AF_INET) || message.ndm_family == UInt8(AF_INET6),
            let attribute = nlmsg_find_attr(header, Int32(MemoryLayout<ndmsg>.size), Int32(NDA_DST)), let content = nla_data(attribute)
        else { return nil }
        let p = UnsafeRawPointer(content)
        let size = nla_len(attribute)
        let address: TunnelAddress
        if size == 4 {
            address = TunnelAddress(high: 0, low: 0xffff_0000_0000 | UInt64(p.wire32(at: 0)))
        } else if size == 16 {
            address = TunnelAddress(
                high: UInt64(p.wire32(at: 0)) << 32 | UInt64(p.wire32(at: 4)), low: UInt64(p.wire32(at: 8)) << 32 | UInt64(p.wire32(at: 12)))
        } else {
            return nil
        }
        return (Neighbor(device: message.ndm_ifindex, address: address), message.ndm_state)
    }

    private static func route(_ header: UnsafeMutablePointer<nlmsghdr>?) -> Route? {
        var route: OpaquePointer?
        guard rtnl_route_parse(header, &route) >= 0, let route else { return nil }
        defer { rtnl_route_put(route) }
        var result = Route(device: 0, nextHop: TunnelAddress(high: 0, low: 0), mtu: 0, isRefused: false, isLocal: false)
        let type = rtnl_route_get_type(route)
        result.isRefused = [RTN_UNREACHABLE, RTN_PROHIBIT, RTN_BLACKHOLE].contains { UInt8($0) == type }
        result.isLocal = type == UInt8(RTN_LOCAL)
        if let hop = rtnl_route_nexthop_n(route, 0) {
            result.device = rtnl_route_nh_get_ifindex(hop)
            if let gateway = address(rtnl_route_nh_get_gateway(hop)) ?? address(rtnl_route_nh_get_via(hop)) { result.nextHop = gateway }
        }
        var mtu: UInt32 = 0
        if rtnl_route_get_metric(route, Int32(RTAX_MTU), &mtu) == 0 { result.mtu = Int(mtu) }
        return result
    }
}
