/// Why a change to the tables was refused.
public enum FlowTableError: Error, Equatable, Sendable, CustomStringConvertible {
    case tableOutOfRange(UInt8)
    case overlap(table: UInt8, priority: UInt16)
    case groupExists(UInt32)
    case noSuchGroup(UInt32)
    case groupLoop(UInt32)
    case meterExists(UInt32)
    case noSuchMeter(UInt32)

    public var description: String {
        switch self {
        case .tableOutOfRange(let t): "table \(t) is out of range: tables are 0 to 254"
        case .overlap(let table, let priority): "an entry of priority \(priority) in table \(table) overlaps, and check_overlap was asked"
        case .groupExists(let id): "group \(id) exists already"
        case .noSuchGroup(let id): "group \(id) does not exist"
        case .groupLoop(let id): "group \(id) would reach itself"
        case .meterExists(let id): "meter \(id) exists already"
        case .noSuchMeter(let id): "meter \(id) does not exist"
        }
    }
}
