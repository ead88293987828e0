import Foundation
import LogicalNetwork
import Logging
import Translation

/// Who leads the sets of datapaths, and who each host.
extension ControllerCore {
    /// Whether this controller leads something.
    public var isMaster: Bool { !led.isEmpty }
    public var ledSets: [Int] { led.keys.sorted() }

    /// Seeks it at once, as it otherwise does four times in a lease.
    public func seekLeadNow() { queue.sync { seekLead() } }

    func seekLead() {
        let now = Date().timeIntervalSince1970
        do throws(StoreError) {
            try keep(now)
            try follow()
            try share(now)
        } catch {
            log.error("the store", metadata: ["reason": "\(error)"])
            for set in led.values.filter({ $0.mastership.expires < now }).map(\.number) { loseLead(set, "the store: \(error)") }
        }
    }

    /// Makes leases last longer.
    private func keep(_ now: Double) throws(StoreError) {
        let held = led.values.map(\.mastership) + hostMasterships.values + [presence].compactMap(\.self)
        if !held.isEmpty {
            let kept = try store.renew(held, now: now, seconds: options.leaseSeconds)
            let renewed = Dictionary(kept.map { ($0.scope, $0) }, uniquingKeysWith: { a, _ in a })
            for set in led.values {
                if let lease = renewed[set.mastership.scope] {
                    led[set.number]!.mastership = lease
                } else {
                    loseLead(set.number, "another controller took it")
                }
            }
            for (host, lost) in hostMasterships where renewed[lost.scope] == nil {
                hostMasterships[host] = nil
                if lost.owner == options.name { physical.follow(host) } else { channel.revoke(host, owner: lost.owner) }
            }
            if let known = presence { presence = renewed[known.scope] }
            if led[1] != nil { seekHosts() }
        }
        if options.sets > 1, presence == nil {
            presence = try store.acquire(Mastership.controller(options.name), owner: options.name, now: now, seconds: options.leaseSeconds)
        }
    }

    /// Leads as many sets as are this controller's share: gives back what is more, takes what is free.
    private func share(_ now: Double) throws(StoreError) {
        let all = try store.masterships()
        let share = share(all, now)
        while led.count > share, let last = led.keys.max() {
            let given = led[last]!
            loseLead(last, "another controller has its share", level: .notice)
            try store.release([given.mastership])
        }
        if led.count >= share { return }
        // Others may have made more of them while this one waited.
        let count = try store.sets(atLeast: 1, for: options.name, now: now)
        if count != options.sets {
            log.error(
                "leads nothing: the store has other sets of datapaths; start it again", metadata: ["here": "\(options.sets)", "store": "\(count)"])
            return
        }
        for set in 1...options.sets where led[set] == nil && led.count < share {
            guard
                let taken = try store.acquire(Mastership.datapaths(set), owner: options.name, now: now, seconds: options.leaseSeconds)
            else { continue }
            if set == 1 {
                // Hosts that the one before led itself are led by nobody now.
                let leader = all.first { $0.scope == taken.scope }?.owner
                try store.release(all.filter { $0.owner == leader && $0.scope.hasPrefix(Mastership.host("")) })
            }
            try takeLead(set, taken)
        }
    }

    /// Sets for each controller that is there: the same number, and those that are left over for the first by name.
    private func share(_ all: [Mastership], _ now: Double) -> Int {
        if options.sets == 1 { return 1 }
        let names = all.filter { $0.scope == Mastership.controller($0.owner) && $0.expires > now }.map(\.owner).sorted()
        guard let place = names.firstIndex(of: options.name) else { return 0 }
        return options.sets / names.count + (place < options.sets % names.count ? 1 : 0)
    }

    private func takeLead(_ set: Int, _ taken: Mastership) throws(StoreError) {
        // The one before may have written until its lease ended.
        try follow()
        let part = options.sets == 1 ? network : tenantSets.part(set, of: network)
        let logical = LogicalController(
            part, revision: revision, set: set, of: options.sets, numbers: try store.numbers(of: set), hosts: hostNumbers.all)
        if !logical.unstored.isEmpty { try store.save(logical.unstored, of: set, taken) }
        led[set] = LedSet(number: set, mastership: taken, logical: logical)
        log.notice(
            "leads",
            metadata: [
                "generation": "\(taken.generation)", "revision": "\(revision)", "hosts": "\(network.hosts.count)", "set": "\(set) of \(options.sets)",
            ])
        channel.tellLeads()
        if set == 1 { physical.lead() }
    }

    func loseLead(_ set: Int, _ reason: String, level: Logger.Level = .error) {
        log.log(level: level, "leads no longer", metadata: ["reason": "\(reason)", "set": "\(set) of \(options.sets)"])
        led[set] = nil
        if set == 1 {
            hostMasterships = [:]
            physical.follow()
        }
        channel.tellLeads()
    }

    // MARK: - Hosts

    /// Mastership of one host for whoever asks for it; nil when another one has it, or this controller does not give them out.
    ///
    /// - Parameter held: the generation that was granted before, by a controller that has ended perhaps; it goes on as long as nobody else came between.
    func claim(_ host: String, for owner: String, held: UInt64? = nil) -> UInt64? {
        guard led[1]?.logical.contains(host: host) == true else { return nil }
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

    // MARK: - Who leads

    public func masterships() throws -> [Mastership] { try store.masterships() }

    /// The name of who leads a set, when it is another one.
    public func otherMaster(of set: Int = 1) -> String? {
        let now = Date().timeIntervalSince1970
        return (try? store.masterships())?.first { $0.scope == Mastership.datapaths(set) && $0.expires > now && $0.owner != options.name }?.owner
    }
}
