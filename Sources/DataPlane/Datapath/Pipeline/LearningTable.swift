import Flow
import Synchronization

/// The learning switch behind the `normal` action: (VLAN, MAC) → port, forgotten after `ageingSeconds` without a packet from it.
///
/// Shared by all workers under one lock. `version` changes when an address is learned, moves or is forgotten; programs that used the table depend on it.
final class LearningTable: Sendable {
    /// Open vSwitch's default `mac-aging-time`.
    static let ageingSeconds: UInt64 = 300
    /// Open vSwitch's default `mac-table-size` is 8192; ours is larger.
    static let limit = 65536

    private struct State { var entries: [UInt64: (port: UInt32, seen: UInt64)] = [:] }
    private let state = Mutex(State())
    // Written under the lock, read for every packet without.
    private let currentVersion = Atomic<UInt64>(1)
    private let currentDeadline = Atomic<UInt64>(.max)

    private static func key(vlan: UInt64, mac: UInt64) -> UInt64 { vlan << 48 | mac }

    var version: UInt64 { currentVersion.load(ordering: .acquiring) }

    /// The port behind an address, if it was heard from recently.
    func port(vlan: UInt64, mac: UInt64, now: UInt64) -> UInt32? {
        state.withLock {
            guard let e = $0.entries[Self.key(vlan: vlan, mac: mac)], now < e.seen &+ Self.ageingSeconds * 1_000_000_000 else { return nil }
            return e.port
        }
    }

    /// Notes that an address was heard on a port; returns whether anything but the time changed.
    func learn(vlan: UInt64, mac: UInt64, port: UInt32, now: UInt64) -> Bool {
        state.withLock {
            let key = Self.key(vlan: vlan, mac: mac)
            if let e = $0.entries[key], e.port == port, now < e.seen &+ Self.ageingSeconds * 1_000_000_000 {
                $0.entries[key] = (port, now)
                return false
            }
            if $0.entries.count >= Self.limit, $0.entries[key] == nil {
                guard let oldest = $0.entries.min(by: { $0.value.seen < $1.value.seen })?.key else { return false }
                $0.entries[oldest] = nil
            }
            $0.entries[key] = (port, now)
            currentDeadline.store(Swift.min(nextDeadline, now &+ Self.ageingSeconds * 1_000_000_000), ordering: .relaxed)
            currentVersion.wrappingAdd(1, ordering: .releasing)
            return true
        }
    }

    /// The earliest moment at which an address may be forgotten: no entry is older than its age limit before.
    var nextDeadline: UInt64 { currentDeadline.load(ordering: .relaxed) }

    /// Forgets what was not heard from in time.
    func age(now: UInt64) {
        state.withLock { s in
            guard nextDeadline <= now else { return }
            let before = s.entries.count
            s.entries = s.entries.filter { now < $0.value.seen &+ Self.ageingSeconds * 1_000_000_000 }
            if s.entries.count != before { currentVersion.wrappingAdd(1, ordering: .releasing) }
            let next = s.entries.values.map { $0.seen &+ Self.ageingSeconds * 1_000_000_000 }.min() ?? .max
            currentDeadline.store(next, ordering: .relaxed)
        }
    }
}
