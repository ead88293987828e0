import Flow
import LogicalNetwork
import TableEngine
import Wire

/// Rows of the output tables to flow entries (LFP to UPCP; spec 000-055, H6).
///
/// What it writes is the same for every host: it names logical ports and hosts, never a port of a switch. What only one host has, its own ports and tunnels,
/// `HostEntryWriter` adds (H7, H8).
struct EntryWriter {
    let extras: Interner<AccessExtras>
    let checks: NameChecks
    var entries: [FlowEntry] = []

    typealias Row = UnsafeBufferPointer<UInt64>

    /// An output table with the function that writes its rows.
    struct Section {
        let relation: Relation
        /// The column with the only host that needs the row's entries; nil: every host that has the datapath needs them.
        var hostColumn: Int? = nil
        let write: (inout EntryWriter, Row) -> Void
    }

    /// The tables of the universal plane; the first column of each is the datapath.
    ///
    /// What holds workloads to their addresses is looked at where their packets come in and nowhere else, so only that host gets it.
    static func sections(_ c: ControlTables, _ f: ForwardingTables) -> [Section] {
        [
            Section(relation: f.switchBases) { $0.switchBase($1) },
            Section(relation: f.portSecurity, hostColumn: 4) { $0.portSecurity($1) },
            Section(relation: f.addressSecurity, hostColumn: 6) { $0.addressSecurity($1) },
            Section(relation: f.access) { $0.access($1) },
            Section(relation: f.responders) { $0.responder($1) },
            Section(relation: f.forwarding) { $0.forwarding($1) },
            Section(relation: f.unknownAddresses) { $0.unknownAddress($1) },
            Section(relation: f.egressHosts) { $0.egressHost($1) },
            Section(relation: f.linkEntries) { $0.link($1) },
            Section(relation: c.detours) { $0.detour($1) },
            Section(relation: f.distantLinks) { $0.distantLink($1) },
            Section(relation: f.resumptions) { $0.resumption($1) },
            Section(relation: f.routerBases) { $0.routerBase($1) },
            Section(relation: f.routerAdmissions) { $0.routerAdmission($1) },
            Section(relation: f.ownAddresses) { $0.ownAddress($1) },
            Section(relation: f.policyEntries) { $0.policy($1) },
            Section(relation: f.routes) { $0.route($1) },
            Section(relation: f.nextHops) { $0.nextHop($1) },
            Section(relation: f.resolutions) { $0.resolution($1) },
            Section(relation: f.distantResolutions) { $0.distantResolution($1) },
            Section(relation: f.unresolved) { $0.unresolved($1) },
        ]
    }

    mutating func add(_ draft: EntryDraft) { entries.append(draft.entry) }

    /// An entry for packets in a datapath.
    func draft(_ stage: Stage, _ priority: Int, _ kind: EntryKind, datapath: UInt64, detail: UInt64 = 0) -> EntryDraft {
        var d = EntryDraft(stage, priority, Cookie(kind, datapath: datapath, detail: detail))
        d.require(RegisterMap.datapath, datapath)
        return d
    }

    /// An entry for packets that came by a logical port; ports are of one datapath, so that need not be matched.
    func draft(_ stage: Stage, _ priority: Int, _ kind: EntryKind, datapath: UInt64, ingress: UInt64) -> EntryDraft {
        var d = EntryDraft(stage, priority, Cookie(kind, datapath: datapath, detail: ingress))
        d.require(RegisterMap.ingressPort, ingress)
        return d
    }

    func draft(_ stage: Stage, _ priority: Int, _ kind: EntryKind, datapath: UInt64, egress: UInt64) -> EntryDraft {
        var d = EntryDraft(stage, priority, Cookie(kind, datapath: datapath, detail: egress))
        d.require(RegisterMap.egressPort, egress)
        return d
    }
}
