/// One line of a flow file, in order: what `ovs-ofctl bundle` reads (`flow add …`, `group add …`), plus meters.
public enum FlowModification: Hashable, Sendable {
    public enum FlowCommand: String, Hashable, Sendable {
        case add, modify, modifyStrict = "modify_strict", delete, deleteStrict = "delete_strict"
    }
    /// Flow commands other than `add` select entries by `entry.table` (nil here: all tables), match, and cookie under `cookieMask`.
    case flow(FlowCommand, FlowEntry, anyTable: Bool = false, cookieMask: UInt64 = 0, outPort: UInt32? = nil)
    case addGroup(Group)
    case modifyGroup(Group)
    case deleteGroup(UInt32?)
    case addMeter(Meter)
    case modifyMeter(Meter)
    case deleteMeter(UInt32?)
}
