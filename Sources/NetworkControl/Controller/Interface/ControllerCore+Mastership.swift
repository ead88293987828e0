import Foundation
import LogicalNetwork
import Translation

/// Who leads the datapaths, and who each host.
extension ControllerCore {
    public var isMaster: Bool { mastership != nil }

    /// Seeks it at once, as it otherwise does four times in a lease.
    public func seekLeadNow() { queue.sync { seekLead() } }

    func seekLead() {
        let now = Date().timeIntervalSince1970
        do throws(StoreError) {
            if let held = mastership {
                let kept = try store.renew([held] + hostMasterships.values, now: now, seconds: options.leaseSeconds)
                if !kept.contains(where: { $0.scope == held.scope }) { return loseLead("another controller took it") }
                mastership = kept.first { $0.scope == held.scope }
                let scopes = Set(kept.map(\.scope))
                for (host, lost) in hostMasterships where !scopes.contains(lost.scope) {
                    hostMasterships[host] = nil
                    if lost.owner == options.name { physical.follow(host) } else { channel.revoke(host, owner: lost.owner) }
                }
                seekHosts()
                return
            }
            let before = try store.masterships()
            if let taken = try store.acquire(Mastership.allDatapaths, owner: options.name, now: now, seconds: options.leaseSeconds) {
                // Hosts that the one before led itself are led by nobody now.
                let leader = before.first { $0.scope == Mastership.allDatapaths }?.owner
                try store.release(before.filter { $0.owner == leader && $0.scope != Mastership.allDatapaths })
                try takeLead(taken)
            } else {
                try follow()
            }
        } catch {
            if let held = mastership, held.expires < now {
                loseLead("the store: \(error)")
            } else {
                log.error("the store", metadata: ["reason": "\(error)"])
            }
        }
    }

    func takeLead(_ taken: Mastership) throws(StoreError) {
        let stored = try store.load()
        do throws(NetworkFaults) {
            document = try NetworkDocument(sections: stored.sections)
            let network = try document.description()
            let logical = LogicalController(network, revision: stored.revision, numbers: stored.numbers)
            self.logical = logical
            attachments = AttachmentIndex(network)
            revision = stored.revision
            mastership = taken
            if !logical.unstored.isEmpty { try? save(NetworkDifference(remove: [], put: []), put: [], removed: [], numbers: logical.unstored) }
            log.notice(
                "leads", metadata: ["generation": "\(taken.generation)", "revision": "\(revision)", "hosts": "\(network.hosts.count)"])
            physical.lead()
        } catch {
            throw .failed("the network that is stored is not taken by this version: \(error)")
        }
    }

    func loseLead(_ reason: String) {
        log.error("leads no longer", metadata: ["reason": "\(reason)"])
        mastership = nil
        hostMasterships = [:]
        physical.follow()
        channel.leave(otherMaster())
    }

    /// Keeps up with what another controller writes, for those who ask this one.
    func follow() throws(StoreError) {
        let newest = try store.revision()
        guard newest != revision || logical == nil else { return }
        let stored = try store.load()
        do throws(NetworkFaults) {
            document = try NetworkDocument(sections: stored.sections)
            let network = try document.description()
            logical = LogicalController(network, revision: stored.revision, numbers: stored.numbers)
            attachments = AttachmentIndex(network)
        } catch {
            throw .failed("\(error)")
        }
        revision = stored.revision
        tellWatchers()
    }

    /// Mastership of one host for whoever asks for it; nil when another one has it, or this controller leads nothing.
    ///
    /// - Parameter held: the generation that was granted before, by a controller that has ended perhaps; it goes on as long as nobody else came between.
    func claim(_ host: String, for owner: String, held: UInt64? = nil) -> UInt64? {
        guard mastership != nil, logical?.contains(host: host) == true else { return nil }
        if let now = hostMasterships[host] { return now.owner == owner ? now.generation : nil }
        let scope = Mastership.host(host)
        let now = Date().timeIntervalSince1970
        do throws(StoreError) {
            var taken: Mastership?
            if let held {
                taken = try store.renew(
                    [Mastership(scope: scope, owner: owner, generation: held, expires: now)], now: now, seconds: options.leaseSeconds
                ).first
            }
            if taken == nil { taken = try store.acquire(scope, owner: owner, now: now, seconds: options.leaseSeconds) }
            hostMasterships[host] = taken
            return taken?.generation
        } catch {
            log.error("the store", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    /// Gives mastership of a host back, if it is that owner's.
    func release(_ host: String, of owner: String) {
        guard let held = hostMasterships[host], held.owner == owner else { return }
        try? store.release([held])
        hostMasterships[host] = nil
        seekHosts()
    }

    /// Gives back all that an owner leads.
    func releaseHosts(of owner: String) {
        let held = hostMasterships.filter { $0.value.owner == owner }
        if held.isEmpty { return }
        try? store.release(Array(held.values))
        for host in held.keys { hostMasterships[host] = nil }
        seekHosts()
    }

    /// Lets those lead hosts who wait for it, where nobody does.
    func seekHosts() {
        physical.lead()
        channel.grantWaiting()
    }

    public func masterships() throws -> [Mastership] { try store.masterships() }

    /// The name of who leads, when it is another one.
    public func otherMaster() -> String? {
        let now = Date().timeIntervalSince1970
        return (try? store.masterships())?.first { $0.scope == Mastership.allDatapaths && $0.expires > now && $0.owner != options.name }?.owner
    }
}
