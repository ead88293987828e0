import CLinux
import Glibc
import Synchronization

/// What is known of a namespace's network devices, kept up to date by the kernel's notifications.
///
/// One socket hears RTM_NEWLINK and RTM_DELLINK; `descriptor` is readable when there is something to read, and `drain` reads it without blocking. Lost
/// notifications (ENOBUFS) are made up for by asking for all devices again. Another socket carries requests and their answers.
///
/// A namespace that was removed sends no notification, so `drain` also looks at its file: call it once a second besides. When it is gone the sockets are
/// closed, no device is known, and each `drain` tries to enter the namespace again.
///
/// **Concurrency.** One lock; for the control side only.
public final class LinkMonitor: Sendable {
    private struct State: ~Copyable {
        var listener: Int32 = -1
        var requester: Int32 = -1
        var sequence: UInt32 = 0
        var links: [Int32: Link] = [:]
        var indices: [String: Int32] = [:]
        var buffer = [UInt8](repeating: 0, count: 65536)

        mutating func close() {
            if listener >= 0 { Glibc.close(listener) }
            if requester >= 0 { Glibc.close(requester) }
            listener = -1
            requester = -1
        }
    }

    public let namespace: NetworkNamespace
    private let state: Mutex<State>

    /// - Throws: when the namespace cannot be entered.
    public init(namespace: NetworkNamespace = NetworkNamespace(nil)) throws(PortError) {
        self.namespace = namespace
        state = Mutex(State())
        if let failure = state.withLock({ open(&$0) }) { throw failure }
    }

    deinit { close() }

    /// Readable when there is something to drain; -1 while the namespace is gone. Another one after it was gone.
    public var descriptor: Int32 { state.withLock { $0.listener } }

    /// The device of that name.
    public func link(named name: String) -> Link? { state.withLock { state in state.indices[name].flatMap { state.links[$0] } } }

    /// All devices, by number.
    public var links: [Link] { state.withLock { $0.links.values.sorted { $0.index < $1.index } } }

    /// Reads what the kernel has told; true when a device has changed.
    @discardableResult public func drain() -> Bool {
        state.withLock { state in
            if !namespace.isUnchanged {
                let knew = !state.links.isEmpty
                state.close()
                state.links = [:]
                state.indices = [:]
                return open(&state) == nil || knew
            }
            if state.listener < 0 { return open(&state) == nil }
            return read(&state)
        }
    }

    public func close() { state.withLock { $0.close() } }

    /// Sends a request and waits for its answer; 0, or an errno value.
    func request(_ message: NetlinkMessage) -> Int32 {
        state.withLock { state in
            if state.requester < 0 { return ENODEV }
            return exchange(message, &state) { _, _ in }
        }
    }

    /// Asks for a list and counts what comes; nil when the kernel refuses.
    func count(_ message: NetlinkMessage) -> Int? {
        state.withLock { state in
            if state.requester < 0 { return nil }
            var count = 0
            return exchange(message, &state) { _, _ in count += 1 } == 0 ? count : nil
        }
    }

    // MARK: -

    private func open(_ state: inout State) -> PortError? {
        let sockets: (Int32, Int32)
        do {
            sockets = try namespace.run { (weft_rtnetlink_open(UInt32(RTMGRP_LINK)), weft_rtnetlink_open(0)) }
        } catch { return error }
        (state.listener, state.requester) = sockets
        if sockets.0 < 0 || sockets.1 < 0 {
            state.close()
            return PortError("cannot watch network devices: \(errorText(-min(sockets.0, sockets.1)))")
        }
        list(&state)
        return nil
    }

    /// Asks for all devices.
    private func list(_ state: inout State) {
        var links: [Int32: Link] = [:]
        let message = NetlinkMessage(Int(RTM_GETLINK), flags: NLM_F_DUMP, body: ifinfomsg())
        _ = exchange(message, &state) { type, body in
            if type == RTM_NEWLINK, let link = Link(body) { links[link.index] = link }
        }
        state.links = links
        state.indices = [:]
        for link in links.values { state.indices[link.name] = link.index }
    }

    private func read(_ state: inout State) -> Bool {
        var changed = false
        var isIncomplete = false
        while true {
            let size = weft_rtnetlink_receive(state.listener, &state.buffer, state.buffer.count, 0)
            if size == -Int(ENOBUFS) {
                isIncomplete = true
                continue
            }
            if size <= 0 {
                // Only now: what was still queued is older than what the list says.
                if isIncomplete { list(&state) }
                return changed || isIncomplete
            }
            let datagram = Array(state.buffer[..<size])
            datagram.withUnsafeBytes { bytes in
                NetlinkReading.messages(in: bytes) { header, body in
                    guard let link = Link(body) else { return }
                    if let old = state.links[link.index], state.indices[old.name] == link.index { state.indices[old.name] = nil }
                    let type = Int(header.nlmsg_type)
                    // A bridge tells of a port that leaves it by a DELLINK of its own family.
                    if type == RTM_DELLINK, body.loadUnaligned(as: ifinfomsg.self).ifi_family == 0 {
                        state.links[link.index] = nil
                        changed = true
                    } else if type == RTM_NEWLINK || type == RTM_DELLINK {
                        var link = link
                        if type == RTM_DELLINK || link.address.isEmpty { link = state.links[link.index] ?? link }
                        if state.links[link.index] != link { changed = true }
                        state.links[link.index] = link
                        state.indices[link.name] = link.index
                    }
                }
            }
        }
    }

    /// Sends a request and hands the messages of its answer to `visit`, up to the acknowledgement; 0, or an errno value.
    private func exchange(_ message: NetlinkMessage, _ state: inout State, _ visit: (Int, UnsafeRawBufferPointer) -> Void) -> Int32 {
        state.sequence &+= 1
        let sequence = state.sequence
        let bytes = message.finished(sequence: sequence)
        let sent = weft_rtnetlink_send(state.requester, bytes, bytes.count)
        if sent != 0 { return -sent }
        var answer: Int32?
        while answer == nil {
            let size = weft_rtnetlink_receive(state.requester, &state.buffer, state.buffer.count, 2000)
            if size <= 0 { return size == 0 ? EIO : Int32(-size) }
            state.buffer.withUnsafeBytes { whole in
                NetlinkReading.messages(in: UnsafeRawBufferPointer(rebasing: whole[..<size])) { header, body in
                    if header.nlmsg_seq != sequence { return }
                    switch Int32(header.nlmsg_type) {
                    case NLMSG_DONE: answer = 0
                    case NLMSG_ERROR: answer = body.count >= 4 ? -body.loadUnaligned(as: Int32.self) : EIO
                    default: visit(Int(header.nlmsg_type), body)
                    }
                }
            }
        }
        return answer!
    }
}
