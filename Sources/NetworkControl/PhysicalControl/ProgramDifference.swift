import Flow
import OpenFlow
import Translation

/// The least change that makes what a forwarding element has into what it is to have (spec 000-056: never a flush).
///
/// Entries are known by table, priority and match. Of those that are not wanted only the controller's own go, which their cookies show (`EntryKind`): what
/// an operator added by hand stays. Meters are the controller's.
public struct ProgramDifference: Sendable {
    /// One transaction, in order.
    public private(set) var modifications: [FlowModification] = []
    public private(set) var added = 0
    public private(set) var removed = 0
    /// Entries with other actions or another cookie.
    public private(set) var changed = 0
    /// Entries that are not the controller's.
    public private(set) var foreign = 0

    public var isEmpty: Bool { modifications.isEmpty }

    /// - Parameters:
    ///   - entries, meters: what the forwarding element has, as it tells.
    ///   - program: what it is to have.
    ///   - version: in which the entries are told; an entry counts as the same when it reads the same over the wire.
    public init(from entries: [FlowEntry], meters: [Meter], to program: HostProgram, version: OpenFlowVersion) {
        var present: [FlowEntry.Identity: FlowEntry] = [:]
        present.reserveCapacity(entries.count)
        for e in entries { present[e.identity] = e }
        let encoder = MessageEncoder(version)
        var decoder = MessageDecoder(version)
        var puts: [FlowModification] = []
        for wanted in program.entries {
            let asTold = Self.asTold(wanted, encoder, &decoder)
            if let had = present.removeValue(forKey: asTold.identity) {
                if had.actions == asTold.actions, had.cookie == asTold.cookie, had.idleTimeout == 0, had.hardTimeout == 0 { continue }
                changed += 1
            } else {
                added += 1
            }
            puts.append(.flow(.add, wanted))
        }
        for e in present.values.sorted(by: { ($0.table, $1.priority, $0.cookie) < ($1.table, $0.priority, $1.cookie) }) {
            guard Cookie(value: e.cookie).kind != nil else {
                foreign += 1
                continue
            }
            removed += 1
            modifications.append(.flow(.deleteStrict, FlowEntry(table: e.table, priority: e.priority, match: e.match)))
        }
        var others = Dictionary(meters.map { ($0.id, $0) }) { $1 }
        var meterPuts: [FlowModification] = []
        for meter in program.meters {
            if let had = others.removeValue(forKey: meter.id) {
                if had != meter { meterPuts.append(.modifyMeter(meter)) }
            } else {
                meterPuts.append(.addMeter(meter))
            }
        }
        modifications += meterPuts + puts + others.keys.sorted().map { .deleteMeter($0) }
    }

    /// The entry as a forwarding element tells it that was given it.
    private static func asTold(_ entry: FlowEntry, _ encoder: MessageEncoder, _ decoder: inout MessageDecoder) -> FlowEntry {
        guard let bytes = try? encoder.encode(.flowMod(FlowMod(.add, entry)), xid: 0), case .flowMod(let told)? = try? decoder.decode(bytes).body
        else { return entry }
        return told.entry
    }
}
