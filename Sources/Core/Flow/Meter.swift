/// A meter: rate bands that drop or re-mark what exceeds them (OpenFlow 1.3.5 §5.7).
public struct Meter: Hashable, Sendable {
    public enum Unit: String, Hashable, Sendable { case kbps, pktps }

    public enum Band: Hashable, Sendable {
        /// Drops packets above `rate` (kilobits or packets per second) after a burst of `burst` (kilobits or packets; 0: one second's worth).
        case drop(rate: UInt32, burst: UInt32)
        /// Raises the drop precedence of the DSCP by `precedence` levels.
        case dscpRemark(rate: UInt32, burst: UInt32, precedence: UInt8)

        public var rate: UInt32 {
            switch self {
            case .drop(let rate, _), .dscpRemark(let rate, _, _): rate
            }
        }
        public var burst: UInt32 {
            switch self {
            case .drop(_, let burst), .dscpRemark(_, let burst, _): burst
            }
        }
    }

    public var id: UInt32
    public var unit: Unit
    /// Whether bands' burst sizes are meant.
    public var hasBurst: Bool
    public var collectsStatistics: Bool
    public var bands: [Band]

    public init(id: UInt32, unit: Unit, hasBurst: Bool = false, collectsStatistics: Bool = false, bands: [Band] = []) {
        self.id = id
        self.unit = unit
        self.hasBurst = hasBurst
        self.collectsStatistics = collectsStatistics
        self.bands = bands
    }
}
