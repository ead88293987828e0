import Flow

/// What a host holds that does what it is told and nothing else.
public struct NaiveHost {
    public private(set) var entries: [FlowEntry.Identity: FlowEntry] = [:]
    public private(set) var meters: [UInt32: Meter] = [:]
    /// What it should not have been told.
    public private(set) var faults: [String] = []

    public init() {}

    public mutating func apply(_ m: FlowModification) {
        switch m {
        case .flow(.add, let e, _, _, _): entries[e.identity] = e
        case .flow(.deleteStrict, let e, _, _, _):
            if entries.removeValue(forKey: e.identity) == nil { faults.append("it is told to delete what it does not have: \(FlowText.text(e))") }
        case .flow(.delete, let e, let anyTable, let mask, _):
            entries = entries.filter { !((anyTable || $0.key.table == e.table) && $0.value.cookie & mask == e.cookie & mask) }
        case .addMeter(let meter):
            if meters.updateValue(meter, forKey: meter.id) != nil { faults.append("it has a meter \(meter.id)") }
        case .modifyMeter(let meter):
            if meters.updateValue(meter, forKey: meter.id) == nil { faults.append("it has no meter \(meter.id)") }
        case .deleteMeter(let id?):
            meters[id] = nil
            // Entries that use it go along (OpenFlow 1.3.5 §6.4).
            entries = entries.filter { !$0.value.actions.contains(.meter(id)) }
        default: faults.append("unexpected: \(m)")
        }
    }
}
