import LogicalNetwork
import Translation

/// What other controllers write.
extension ControllerCore {
    /// Looks whether others have written, as it otherwise does twenty times a second.
    public func lookForChangesNow() { queue.sync { lookForChanges() } }

    func lookForChanges() {
        do throws(StoreError) { try follow() } catch { log.error("the store", metadata: ["reason": "\(error)"]) }
    }

    /// Takes over what is stored: for those who ask this controller, and for the sets that it leads.
    func follow() throws(StoreError) {
        guard isLoaded else { return try load() }
        guard try store.revision() != revision else { return }
        let delta = try store.changes(ofSectionsAfter: revision)
        var document = self.document
        var network = self.network
        var attachments = self.attachments
        var sets = tenantSets
        for section in delta.put { if let tenant = section.tenant { sets.put(tenant, section.set) } }
        let gone = network.tenants.map(\.name).filter { !delta.names.contains("tenant/" + $0) }
        var removed: [NetworkElement] = []
        var put: [NetworkElement] = []
        func add(_ difference: NetworkDifference) {
            removed += difference.remove
            put += difference.put
        }
        do throws(NetworkFaults) {
            for name in gone { document.remove(at: ["tenants", name]) }
            if !delta.names.contains("hosts") { document.remove(at: ["hosts"]) }
            for section in delta.put { try document.put(section) }
            if delta.put.contains(where: { $0.tenant == nil }) || document.node(at: ["hosts"]) == nil {
                let old = network.hosts
                network.hosts = try document.hosts()
                add(NetworkDifference(from: NetworkDescription(hosts: old), to: NetworkDescription(hosts: network.hosts)))
            }
            var came: [Tenant] = []
            for name in gone + delta.put.compactMap(\.tenant) {
                let place = network.tenants.firstIndex { $0.name == name }
                let old = place.map { network.tenants[$0] }
                let new = try document.tenant(name)
                if let place {
                    if let new { network.tenants[place] = new } else { network.tenants.remove(at: place) }
                } else if let new {
                    network.tenants.append(new)
                }
                add(NetworkDifference(from: old, to: new))
                attachments.replace(old, with: nil)
                if let new { came.append(new) }
            }
            // What one tenant has left another may have taken.
            for tenant in came { attachments.replace(nil, with: tenant) }
        } catch {
            throw .failed("the network that is stored is not taken by this version: \(error)")
        }
        // The same name may have left one set for another meanwhile: all of it goes there, and all of it comes here.
        for old in self.network.tenants {
            guard let set = sets[old.name], set != tenantSets[old.name], let new = network.tenants.first(where: { $0.name == old.name }) else {
                continue
            }
            removed.removeAll { $0.tenant == old.name }
            put.removeAll { $0.tenant == old.name }
            add(NetworkDifference(from: old, to: nil))
            add(NetworkDifference(from: nil, to: new))
        }
        let before = tenantSets
        sets.settle(network.tenants.map(\.name), among: [1])
        (self.document, self.network, self.attachments, tenantSets, revision) = (document, network, attachments, sets, delta.revision)
        for section in delta.put { sectionRevisions[section.name] = section.revision }
        sectionRevisions = sectionRevisions.filter { delta.names.contains($0.key) }
        hostNumbers.restore(delta.hostNumbers)
        publish(try compute(removed, put, from: before, revision))
        tellWatchers()
    }

    private func load() throws(StoreError) {
        let stored = try store.load()
        do throws(NetworkFaults) {
            document = try NetworkDocument(sections: stored.sections)
            network = try document.description()
        } catch {
            throw .failed("the network that is stored is not taken by this version: \(error)")
        }
        for section in stored.sections {
            sectionRevisions[section.name] = section.revision
            if let tenant = section.tenant { tenantSets.put(tenant, section.set) }
        }
        hostNumbers.restore(stored.hostNumbers)
        attachments = AttachmentIndex(network)
        revision = stored.revision
        isLoaded = true
    }
}

extension StoredSection {
    /// nil: it is not a tenant's.
    var tenant: String? { name.hasPrefix("tenant/") ? String(name.dropFirst("tenant/".count)) : nil }
}
