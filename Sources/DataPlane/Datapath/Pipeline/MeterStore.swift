import Flow
import Synchronization

/// The meters and their token buckets, shared by all workers under one lock: a metered packet pays for it, others don't.
///
/// A band's bucket holds billionths of its unit (packets or kilobits), so that no rate loses fractions between packets. It fills by the rate, up to the burst, on the clock of the packets; a packet that
/// finds too few tokens exceeds the band. Of the exceeded bands the one with the highest rate acts (OpenFlow 1.3.5 §5.7.1).
final class MeterStore: Sendable {
    enum Verdict: Equatable { case pass, drop, remark(levels: UInt8) }

    private struct State {
        var meter: Meter
        /// Tokens by band, in 10⁻⁹ packets or kilobits.
        var tokens: [UInt64]
        var last: UInt64?
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
        /// Packets and bytes that exceeded each band and were its business.
        var exceeded: [(packets: UInt64, bytes: UInt64)]
        var created: UInt64 = 0
        init(_ meter: Meter) {
            self.meter = meter
            tokens = meter.bands.map { MeterStore.capacity($0) }
            exceeded = Array(repeating: (0, 0), count: meter.bands.count)
        }
    }
    private let meters = Mutex<[UInt32: State]>([:])

    subscript(id: UInt32) -> Meter? { meters.withLock { $0[id]?.meter } }
    func contains(_ id: UInt32) -> Bool { meters.withLock { $0[id] != nil } }

    func add(_ meter: Meter) throws(FlowTableError) {
        let isNew = meters.withLock { all -> Bool in
            if all[meter.id] != nil { return false }
            all[meter.id] = State(meter)
            return true
        }
        if !isNew { throw .meterExists(meter.id) }
    }

    func modify(_ meter: Meter) throws(FlowTableError) {
        let isKnown = meters.withLock { all -> Bool in
            if all[meter.id] == nil { return false }
            all[meter.id] = State(meter)
            return true
        }
        if !isKnown { throw .noSuchMeter(meter.id) }
    }

    func delete(_ id: UInt32?) {
        meters.withLock {
            if let id { $0[id] = nil } else { $0 = [:] }
        }
    }

    /// Every meter, by id, with its counters.
    var statistics: [MeterStatistics] {
        meters.withLock { Array($0.values) }.sorted { $0.meter.id < $1.meter.id }.map {
            MeterStatistics(meter: $0.meter, packets: $0.packets, bytes: $0.bytes, bands: $0.exceeded)
        }
    }

    /// A band's bucket size: its burst, or one second's worth.
    private static func capacity(_ band: Meter.Band) -> UInt64 { UInt64(band.burst == 0 ? band.rate : band.burst) * 1_000_000_000 }

    /// Takes one packet of `length` bytes at `now` nanoseconds. An unknown meter passes everything.
    func check(_ id: UInt32, length: Int, now: UInt64) -> Verdict {
        meters.withLock { all in
            guard var state = all[id] else { return .pass }
            let elapsed = now &- Swift.min(state.last ?? now, now)
            state.last = Swift.max(state.last ?? now, now)
            state.packets += 1
            state.bytes += UInt64(length)
            let cost: UInt64 = state.meter.unit == .kbps ? UInt64(length) * 8 * 1_000_000 : 1_000_000_000
            var exceeded: Meter.Band?
            var exceededIndex = 0
            for (i, band) in state.meter.bands.enumerated() {
                let gain = UInt64(band.rate).multipliedReportingOverflow(by: elapsed)
                let filled = state.tokens[i].addingReportingOverflow(gain.partialValue)
                state.tokens[i] = Swift.min(gain.overflow || filled.overflow ? .max : filled.partialValue, Self.capacity(band))
                if state.tokens[i] >= cost {
                    state.tokens[i] -= cost
                } else if exceeded == nil || band.rate > exceeded!.rate {
                    exceeded = band
                    exceededIndex = i
                }
            }
            if exceeded != nil {
                state.exceeded[exceededIndex].packets += 1
                state.exceeded[exceededIndex].bytes += UInt64(length)
            }
            all[id] = state
            switch exceeded {
            case nil: return .pass
            case .drop: return .drop
            case .dscpRemark(_, _, let levels): return .remark(levels: levels)
            }
        }
    }
}

/// A meter with what it has counted: all packets, and those that each band acted upon.
public struct MeterStatistics: Sendable {
    public var meter: Meter
    public var packets: UInt64
    public var bytes: UInt64
    public var bands: [(packets: UInt64, bytes: UInt64)]
}
