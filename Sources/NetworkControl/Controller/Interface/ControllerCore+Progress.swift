import Dispatch
import PhysicalControl

/// How far changes have come, and who waits for them.
extension ControllerCore {
    func take(_ report: PhysicalReport) {
        switch report {
        case .inForce(let host, let revision): isInForce(host, revision)
        case .disconnected(let host, _), .superseded(let host):
            release(host, of: options.name)
            settle { r, _ in r.waiting.remove(host) }
        case .connected: break
        }
    }

    /// A host forwards by a revision.
    func isInForce(_ host: String, _ revision: UInt64) { settle { r, number in if number <= revision { r.waiting.remove(host) } } }

    /// A host is not connected to a physical controller any more.
    func leftBy(_ controller: String, _ host: String) { settle { r, _ in r.waiting.remove(host) } }

    func settle(_ body: (inout Running, UInt64) -> Void) {
        let now = DispatchTime.now().uptimeNanoseconds
        for number in unsettled.sorted() {
            body(&running[number]!, number)
            guard running[number]!.waiting.isEmpty else { continue }
            running[number]!.progress.millisecondsToForce = Double(now - running[number]!.began) / 1e6
            unsettled.remove(number)
        }
        for (number, w) in waiters where running[w.revision]?.progress.millisecondsToForce != nil {
            waiters[number] = nil
            w.done(progress(w.revision))
        }
    }

    /// How far a change has come; nil when it is not remembered by this process.
    public func progress(_ revision: UInt64) -> Progress? {
        guard var p = running[revision]?.progress else { return nil }
        let known = Set(network.hosts.map(\.name))
        p.waiting = p.hosts.filter { known.contains($0) && (inForce($0) ?? 0) < revision }
        return p
    }

    /// The revision by which a host forwards; nil when nobody leads it.
    func inForce(_ host: String) -> UInt64? { physical.inForce(host) ?? channel.inForce(host) }

    /// Every host that is connected, here or at another controller.
    public var hostStates: [PhysicalController.HostState] { (physical.states + channel.states).sorted { $0.host < $1.host } }

    /// Calls back once connected hosts forward by a revision, or the time is up.
    func whenInForce(_ revision: UInt64, milliseconds: Int, _ done: @escaping (Progress?) -> Void) {
        guard unsettled.contains(revision) else { return done(progress(revision)) }
        nextWaiter += 1
        let number = nextWaiter
        waiters[number] = (revision, done)
        queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [self] in
            if let w = waiters.removeValue(forKey: number) { w.done(progress(w.revision)) }
        }
    }

    func tellWatchers() {
        for (number, w) in watchers where revision > w.after {
            watchers[number] = nil
            w.done()
        }
    }

    /// Returns once there is a revision after this one, or the time is up.
    func nextChange(after: UInt64, milliseconds: Int) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            queue.async { [self] in
                if revision > after { return continuation.resume() }
                nextWaiter += 1
                let number = nextWaiter
                watchers[number] = (after, { continuation.resume() })
                queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [self] in watchers.removeValue(forKey: number)?.done() }
            }
        }
    }

    public func changes(after revision: UInt64, limit: Int) throws -> [StoredChange.Note] { try store.changes(after: revision, limit: limit) }
}
