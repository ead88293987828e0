import LogicalNetwork
import Translation

/// What a stored change comes to, and who is told, whoever has written it.
extension ControllerCore {
    /// Computes a change of the network, which is stored already, for the sets that this controller leads; what they come to is stored.
    ///
    /// - Parameter before: the sets of tenants before the change.
    func compute(
        _ removed: [NetworkElement], _ put: [NetworkElement], from before: TenantSets, _ revision: UInt64
    ) throws(StoreError) -> [LogicalController.Outcome] {
        var outcomes: [LogicalController.Outcome] = []
        for set in led.values.sorted(by: { $0.number < $1.number }) {
            let isOnly = options.sets == 1
            func isHere(_ element: NetworkElement, _ sets: TenantSets) -> Bool {
                guard !isOnly, let tenant = element.tenant else { return true }
                return sets[tenant] == set.number
            }
            let difference = NetworkDifference(remove: removed.filter { isHere($0, before) }, put: put.filter { isHere($0, tenantSets) })
            if difference.isEmpty { continue }
            let outcome = set.logical.apply(
                isOnly ? network : tenantSets.part(set.number, of: network), revision: revision, difference: difference, hosts: hostNumbers.all)
            if !outcome.numbers.isEmpty {
                do throws(StoreError) { try store.save(outcome.numbers, of: set.number, set.mastership) } catch {
                    // What was computed is ahead of the store: whoever leads next begins from there.
                    loseLead(set.number, "numbers are not stored: \(error)")
                    throw error
                }
            }
            outcomes.append(outcome)
        }
        return outcomes
    }

    func publish(_ outcomes: [LogicalController.Outcome]) {
        for outcome in outcomes {
            physical.publish(outcome.updates)
            if let logical = led[outcome.set]?.logical { channel.publish(outcome.change, logical) }
        }
    }
}
