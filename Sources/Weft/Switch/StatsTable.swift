import Foundation
import SwitchAgent

/// A switch's counters as a table for people, with rates when there is an earlier report.
struct StatsTable {
    private let now: SwitchReport
    private let before: SwitchReport?
    private let seconds: Double
    private let style: TextStyle

    init(_ report: SwitchReport, since: SwitchReport? = nil, seconds: Double = 0, style: TextStyle = TextStyle(isOn: false)) {
        now = report
        before = since
        self.seconds = seconds
        self.style = style
    }

    func text() -> String {
        var out: [String] = []
        let received =
            before.map { ", \(Self.rate(now.received, $0.received, seconds)) packets/s, \(Self.bits(now.receivedBytes, $0.receivedBytes, seconds))" }
            ?? ""
        out.append(style.strong("received \(ReplaySummary.count(now.received)) packets (\(ReplaySummary.size(now.receivedBytes)))\(received)"))
        out.append(
            "copied \(ReplaySummary.count(now.copied)), ended \(ReplaySummary.count(now.ended)), to the controller \(ReplaySummary.count(now.toController))"
        )
        out.append("")
        out += ports()
        out.append("")
        out += drops()
        out.append("")
        out += workers()
        let asked = now.cacheHits + now.cacheMisses
        let share = asked == 0 ? "unused" : "\(ReplaySummary.decimal(Double(now.cacheHits) / Double(asked) * 100, 1)) % hits"
        var recent = ""
        if let before {
            let (hits, misses) = (now.cacheHits &- before.cacheHits, now.cacheMisses &- before.cacheMisses)
            if hits + misses > 0 { recent = ", now \(ReplaySummary.decimal(Double(hits) / Double(hits + misses) * 100, 1)) %" }
        }
        out.append(
            "Cache: \(share)\(recent), \(ReplaySummary.count(UInt64(now.cachedFlows))) flows; \(ReplaySummary.count(UInt64(now.entryCount))) \(now.entryCount == 1 ? "entry" : "entries") in the tables"
        )
        return out.joined(separator: "\n")
    }

    private func ports() -> [String] {
        let old = Dictionary((before?.ports ?? []).map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        let hasRates = before != nil
        var rows = [
            hasRates
                ? ["port", "name", "state", "rx pps", "rx bit/s", "tx pps", "tx bit/s", "rx packets", "tx packets"]
                : ["port", "name", "state", "rx packets", "rx bytes", "tx packets", "tx bytes"]
        ]
        for p in now.ports {
            var row = [String(p.number), p.name, p.status.words]
            if hasRates {
                let o = old[p.number]
                row += [
                    Self.rate(p.rxPackets, o?.rxPackets ?? p.rxPackets, seconds), Self.bits(p.rxBytes, o?.rxBytes ?? p.rxBytes, seconds),
                    Self.rate(p.txPackets, o?.txPackets ?? p.txPackets, seconds), Self.bits(p.txBytes, o?.txBytes ?? p.txBytes, seconds),
                    ReplaySummary.count(p.rxPackets), ReplaySummary.count(p.txPackets),
                ]
            } else {
                row += [p.rxPackets, p.rxBytes, p.txPackets, p.txBytes].map(ReplaySummary.count)
            }
            rows.append(row)
        }
        if now.ports.isEmpty { return ["no ports"] }
        var lines = TextColumns.aligned(rows, numeric: [0, 3, 4, 5, 6, 7, 8])
        lines[0] = style.faint(lines[0])
        return lines
    }

    private func drops() -> [String] {
        let all = now.drops.merging(now.arrivalDrops, uniquingKeysWith: +)
        let old = before.map { $0.drops.merging($0.arrivalDrops, uniquingKeysWith: +) }
        if all.isEmpty { return ["no drops"] }
        var rows = [before == nil ? ["drops", "packets", ""] : ["drops", "packets", "per second", ""]]
        for (reason, n) in all.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            var row = [reason, ReplaySummary.count(n)]
            if let old { row.append(Self.rate(n, old[reason] ?? 0, seconds)) }
            rows.append(row + [DropReasonText.byName[reason] ?? ""])
        }
        var lines = TextColumns.aligned(rows, numeric: before == nil ? [1] : [1, 2])
        lines[0] = style.faint(lines[0])
        return lines
    }

    private func workers() -> [String] {
        var rows = [["worker", "busy", "turns", "sleeps"]]
        for (i, w) in now.workers.enumerated() {
            let o = before.flatMap { i < $0.workers.count ? $0.workers[i] : nil }
            let (turns, busy) = (w.turns - (o?.turns ?? 0), w.busyTurns - (o?.busyTurns ?? 0))
            rows.append([
                String(i), turns == 0 ? "0 %" : "\(ReplaySummary.decimal(Double(busy) / Double(turns) * 100, 0)) %", ReplaySummary.count(w.turns),
                ReplaySummary.count(w.sleeps),
            ])
        }
        var lines = TextColumns.aligned(rows, numeric: [0, 1, 2, 3])
        lines[0] = style.faint(lines[0])
        return lines
    }

    private static func rate(_ now: UInt64, _ before: UInt64, _ seconds: Double) -> String {
        ReplaySummary.count(UInt64((now >= before ? Double(now - before) / max(seconds, 1e-3) : 0).rounded()))
    }

    private static func bits(_ now: UInt64, _ before: UInt64, _ seconds: Double) -> String {
        let rate = now >= before ? Double(now - before) * 8 / max(seconds, 1e-3) : 0
        switch rate {
        case ..<1e3: return "\(ReplaySummary.decimal(rate, 0)) bit/s"
        case ..<1e6: return "\(ReplaySummary.decimal(rate / 1e3, 1)) kbit/s"
        case ..<1e9: return "\(ReplaySummary.decimal(rate / 1e6, 1)) Mbit/s"
        default: return "\(ReplaySummary.decimal(rate / 1e9, 2)) Gbit/s"
        }
    }
}
