import Flow

/// A meter with its token buckets, one per band, all of which a packet drains (Open vSwitch: `dp_netdev_run_meter`).
///
/// Tokens are counted in billionths of a packet or in millionths of a bit, so that nanoseconds times the rate need no rounding.
struct MeterState {
    let meter: Meter
    var tokens: [UInt64]
    var updated: UInt64

    init(_ meter: Meter, _ now: UInt64) {
        self.meter = meter
        tokens = meter.bands.map { MeterState.capacity($0, meter.unit) }
        updated = now
    }

    static func capacity(_ band: Meter.Band, _ unit: Meter.Unit) -> UInt64 {
        UInt64(band.burst == 0 ? band.rate : band.burst) * 1_000_000_000
    }

    /// The band that a packet of this size exceeds, the one of the highest rate among several; nil when it passes.
    mutating func charge(bytes: Int, _ now: UInt64) -> Meter.Band? {
        let elapsed = now > updated ? now - updated : 0
        updated = max(updated, now)
        let cost: UInt64 = meter.unit == .pktps ? 1_000_000_000 : UInt64(bytes) * 8 * 1_000_000
        var exceeded: Meter.Band?
        for (i, band) in meter.bands.enumerated() {
            let (earned, overflow) = elapsed.multipliedReportingOverflow(by: UInt64(band.rate))
            let (sum, overflow2) = tokens[i].addingReportingOverflow(earned)
            let full = MeterState.capacity(band, meter.unit)
            tokens[i] = overflow || overflow2 ? full : min(full, sum)
            if tokens[i] >= cost {
                tokens[i] -= cost
            } else if exceeded.map({ band.rate > $0.rate }) ?? true {
                exceeded = band
            }
        }
        return exceeded
    }

    /// The DSCP with its drop precedence raised by `levels`, at most to 3; only assured forwarding has one (RFC 2597 §6).
    static func remarked(tos: UInt8, levels: UInt8) -> UInt8 {
        let dscp = tos >> 2
        let (assuredClass, precedence) = (dscp >> 3, dscp >> 1 & 3)
        guard (1...4).contains(assuredClass), precedence > 0, dscp & 1 == 0 else { return tos }
        let raised = min(3, precedence + min(levels, 3))
        return (assuredClass << 3 | raised << 1) << 2 | tos & 3
    }
}
