import CNetlink
import Glibc
import Synchronization

/// What the host's own network says of each tunnel's other end: a route or none, the path's MTU, whether the next hop answers.
///
/// The kernel routes and resolves what the tunnels' sockets send; this only *follows* it, so that a drop has a name and a dead next hop is
/// asked for. One per network namespace.
///
/// *Design.* A thread sleeps on netlink events. It keeps the neighbours' states, and counts `generation` up whenever a route, link, address or
/// a neighbour's usability changed. Workers keep answers of their own (`UnderlayCache`) and throw them away when the generation has moved;
/// a question they have no answer for costs one round trip to the kernel and one lock, per remote and change, not per packet.
///
/// *Allowed error.* An answer may be as old as the event's way through the thread; the kernel then drops or queues, uncounted.
final class UnderlayWatch: Sendable {
    private let knowledge: Knowledge
    /// Both ends of a pipe; a byte ends the thread.
    private let wakeUp: (read: Int32, write: Int32)
    private let thread: Mutex<pthread_t?> = Mutex(nil)

    /// Nanoseconds between two questions for a next hop that does not answer.
    static let askInterval: UInt64 = 1_000_000_000
    /// Remembered next hops that do not answer; beyond it the oldest knowledge is dropped.
    static let maximumAsked = 4096

    enum Verdict: UInt8 { case usable, noRoute, noNeighbor }

    struct Answer {
        var verdict: Verdict
        /// Bytes of an outer IP packet, 0 when unknown.
        var mtu: Int
        /// The next hop to ask for when it does not answer.
        var neighbor: UnderlaySocket.Neighbor?
    }

    init(namespace: TunnelNamespace) throws {
        let (listener, socket) = try namespace.enter { (try UnderlaySocket(), try UnderlaySocket()) }
        try listener.listen()
        knowledge = Knowledge(socket)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw PortError("pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wakeUp = (ends[0], ends[1])
        start(listener)
    }

    /// Counts up with each change that may make an answer wrong.
    var generation: UInt64 { knowledge.changes.load(ordering: .acquiring) }

    /// Asks how packets get to `remote`.
    func resolve(_ remote: TunnelAddress, from local: TunnelAddress?, mark: UInt32) -> Answer {
        knowledge.state.withLock { state in
            guard let route = state.socket.route(to: remote, from: local, mark: mark), !route.isRefused else {
                return Answer(verdict: .noRoute, mtu: 0, neighbor: nil)
            }
            let link = state.links[route.device]
            let mtu = route.mtu > 0 ? route.mtu : link?.mtu ?? 0
            if route.isLocal || link?.hasNeighbors == false { return Answer(verdict: .usable, mtu: mtu, neighbor: nil) }
            let neighbor = UnderlaySocket.Neighbor(device: route.device, address: route.nextHop)
            return Answer(verdict: state.asked[neighbor] == nil ? .usable : .noNeighbor, mtu: mtu, neighbor: neighbor)
        }
    }

    /// Whether one packet may go to a next hop that does not answer, so that the kernel asks for it; at most once a second.
    func mayAsk(_ neighbor: UnderlaySocket.Neighbor, now: UInt64) -> Bool {
        knowledge.state.withLock { state in
            guard let last = state.asked[neighbor] else { return true }
            guard now &- last >= UnderlayWatch.askInterval else { return false }
            state.asked[neighbor] = now
            return true
        }
    }

    /// Ends the thread; the watch answers from then on without hearing of changes.
    func close() {
        thread.withLock { handle in
            guard let running = handle else { return }
            handle = nil
            var one: UInt8 = 1
            _ = write(wakeUp.write, &one, 1)
            pthread_join(running, nil)
            Glibc.close(wakeUp.read)
            Glibc.close(wakeUp.write)
        }
    }

    deinit { close() }

    // MARK: The thread

    private final class Listener {
        let socket: UnderlaySocket
        let knowledge: Knowledge
        let wakeUp: Int32
        init(_ socket: UnderlaySocket, _ knowledge: Knowledge, _ wakeUp: Int32) {
            self.socket = socket
            self.knowledge = knowledge
            self.wakeUp = wakeUp
        }
    }

    private func start(_ socket: UnderlaySocket) {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(Listener(socket, knowledge, wakeUp.read)).toOpaque()
        let error = pthread_create(
            &handle, nil,
            { context in
                // Safe: retained for this thread.
                guard let context else { return nil }
                let listener = Unmanaged<Listener>.fromOpaque(context).takeRetainedValue()
                var descriptors = [
                    pollfd(fd: listener.socket.descriptor, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: listener.wakeUp, events: Int16(POLLIN), revents: 0),
                ]
                while true {
                    let ready = poll(&descriptors, 2, -1)
                    if ready < 0 && errno != EINTR { return nil }
                    if descriptors[1].revents != 0 { return nil }
                    if descriptors[0].revents != 0 { listener.knowledge.apply(listener.socket.takeEvents()) }
                }
            }, context)
        precondition(error == 0, "no thread for the underlay")
        thread.withLock { $0 = handle }
    }
}

/// What watch and thread share.
private final class Knowledge: Sendable {
    struct State {
        /// Used for questions, under the lock.
        var socket: UnderlaySocket
        var links: [Int32: UnderlaySocket.Link]
        /// Next hops that failed and have not answered since, and when each was last asked for.
        var asked: [UnderlaySocket.Neighbor: UInt64]
    }

    let state: Mutex<State>
    let changes = Atomic<UInt64>(1)

    private static let reachable = UInt16(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

    init(_ socket: UnderlaySocket) {
        var asked: [UnderlaySocket.Neighbor: UInt64] = [:]
        for (neighbor, state) in socket.allNeighbors() where state & UInt16(NUD_FAILED) != 0 { asked[neighbor] = 0 }
        let links = socket.allLinks()
        state = Mutex(State(socket: socket, links: links, asked: asked))
    }

    func apply(_ events: UnderlaySocket.Events) {
        var isChanged = events.isChanged
        state.withLock { state in
            if events.isChanged { state.links = state.socket.allLinks() }
            for (neighbor, new) in events.neighbors {
                if new & Knowledge.reachable != 0 {
                    if state.asked.removeValue(forKey: neighbor) != nil { isChanged = true }
                } else if new & UInt16(NUD_FAILED) != 0, state.asked[neighbor] == nil {
                    if state.asked.count >= UnderlayWatch.maximumAsked { state.asked.removeAll() }
                    // Zero: the next packet asks at once.
                    state.asked[neighbor] = 0
                    isChanged = true
                }
            }
        }
        if isChanged { changes.add(1, ordering: .releasing) }
    }
}

/// One worker's answers about remotes. Used by one thread.
struct UnderlayCache {
    struct Key: Hashable {
        var remote: TunnelAddress
        var local: TunnelAddress?
        var mark: UInt32
    }

    /// Answers kept; more remotes than that start anew.
    static let maximumAnswers = 16_384

    let watch: UnderlayWatch
    private var generation: UInt64 = 0
    private var answers: [Key: UnderlayWatch.Answer] = [:]
    private var lastKey: Key?
    private var lastAnswer = UnderlayWatch.Answer(verdict: .noRoute, mtu: 0, neighbor: nil)

    init(_ watch: UnderlayWatch) { self.watch = watch }

    /// Forgets what may be outdated; once a batch.
    mutating func refresh() {
        let now = watch.generation
        if now != generation {
            generation = now
            forget()
        }
    }

    /// Forgets all, as after the kernel said that a packet exceeds the path's MTU.
    mutating func forget() {
        answers.removeAll(keepingCapacity: true)
        lastKey = nil
    }

    mutating func answer(_ key: Key) -> UnderlayWatch.Answer {
        if key == lastKey { return lastAnswer }
        let answer: UnderlayWatch.Answer
        if let known = answers[key] {
            answer = known
        } else {
            if answers.count >= UnderlayCache.maximumAnswers { answers.removeAll(keepingCapacity: true) }
            answer = watch.resolve(key.remote, from: key.local, mark: key.mark)
            answers[key] = answer
        }
        lastKey = key
        lastAnswer = answer
        return answer
    }
}
