import Flow
import LogicalNetwork

/// Entries of datapaths that are walked through elsewhere than at the first hop: central routers, and switches at the last hop (spec 001b §4.1, B82).
///
/// The packet crosses with the near port of the link for its egress port and the stage that is complete; the other host takes it from there. They are the same
/// for every host, the host that is meant included: its own packets take the way through `physicalMapping` back to `arrival`.
extension EntryWriter {
    /// A port that leads to a datapath on another host. It outranks the link, by which packets go on where they are.
    mutating func distantLink(_ row: Row) {
        var e = draft(.egressMapping, EntryPriority.raised, .link, datapath: row[0], egress: row[1])
        e.load(RegisterMap.host, row[2])
        e.load(RegisterMap.check, checks.ofPort(row[1]))
        e.load(RegisterMap.stage, row[3])
        e.next(.physicalMapping)
        add(e)
    }

    /// An address of a machine whose switch is walked through at the machine's host.
    mutating func distantResolution(_ row: Row) {
        var e = resolutionDraft(row)
        e.load(RegisterMap.host, row[6])
        e.load(RegisterMap.check, checks.ofPort(row[1]))
        e.load(RegisterMap.stage, UInt64(Stage.resolution.rawValue))
        e.next(.physicalMapping)
        add(e)
    }

    /// A port on whose wire there is an in-line element: to the element's port on this side (FW-030).
    mutating func detour(_ row: Row) {
        var e = draft(.egressMapping, EntryPriority.normal, .link, datapath: row[0], egress: row[1])
        e.load(RegisterMap.egressPort, row[2])
        e.load(RegisterMap.host, row[3])
        e.load(RegisterMap.check, checks.ofPort(row[2]))
        e.markDone()
        e.next(.physicalMapping)
        add(e)
    }

    /// Goes on in the datapath behind a link.
    mutating func resumption(_ row: Row) {
        var e = EntryDraft(.arrival, EntryPriority.raised, Cookie(.link, datapath: row[0], detail: row[2]))
        e.require(RegisterMap.stage, row[4])
        e.require(RegisterMap.egressPort, row[2])
        e.require(RegisterMap.check, checks.ofPort(row[2]))
        e.load(RegisterMap.datapath, row[0])
        e.load(RegisterMap.ingressPort, row[1])
        // It may have to leave by the tunnel by which it came.
        e.forgetInPort()
        e.next(row[3] == 1 ? .routerAdmission : .switchIngressAccess)
        add(e)
    }
}
