import Datapath
import Flow
import Foundation

/// The summary as a person reads it: what came, where it went, why the rest did not.
extension ReplaySummary {
    func text() -> String {
        var out: [String] = []
        if isMeasured {
            out.append(
                "Replayed \(Self.count(packets)) packets (\(Self.size(bytes)), \(Self.count(loops)) \(loops == 1 ? "loop" : "loops")) in \(Self.decimal(seconds, 3)) s"
                    + " on \(threads) \(threads == 1 ? "thread" : "threads"):")
            out.append("  \(Self.decimal(mpps, 2)) Mpps, \(Self.decimal(gbps, 2)) Gbit/s, \(Self.decimal(nsPerPacket, 1)) ns per packet and thread")
        } else {
            out.append("Replayed \(Self.count(packets)) packets (\(Self.size(bytes))) in \(Self.decimal(seconds, 3)) s.")
        }
        out.append("")
        out.append("What became of them")
        let sent = ports.values.reduce(0) { $0 + $1.txPackets }
        var rows: [[String]] = [["sent on a port", Self.count(sent), ""]]
        if toController > 0 { rows.append(["handed to the controller", Self.count(toController), "(none is attached)"]) }
        for (reason, n) in drops.sorted(by: { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }) {
            rows.append(["dropped: \(reason.name)", Self.count(n), reason.explanation])
        }
        out += TextColumns.aligned(rows, numeric: [1])
        out.append(
            "  received \(Self.count(packets)) + copied \(Self.count(copied)) = ended \(Self.count(ended))"
                + (isBalanced ? "" : "   DOES NOT BALANCE: this is an error in Weft, please report it"))
        out.append("")
        out.append("Ports")
        rows = [["port", "received", "bytes", "sent", "bytes", ""]]
        for (number, p) in ports.sorted(by: { $0.key < $1.key }) {
            rows.append(
                [
                    FlowText.portText(number), Self.count(p.rxPackets), Self.count(p.rxBytes), Self.count(p.txPackets), Self.count(p.txBytes),
                    files[number].map { "→ \($0)" } ?? "",
                ])
        }
        out += TextColumns.aligned(rows, numeric: [1, 2, 3, 4])
        out.append("")
        if ports.values.contains(where: { $0.queues != nil }) {
            out.append("Queues (a replay's packets wait nowhere)")
            rows = [["port", "queue", "sent", "bytes"]]
            for (number, p) in ports.sorted(by: { $0.key < $1.key }) {
                for (queue, c) in (p.queues ?? [:]).sorted(by: { UInt32($0.key)! < UInt32($1.key)! }) {
                    rows.append([FlowText.portText(number), queue, Self.count(c.packets), Self.count(c.bytes)])
                }
            }
            out += TextColumns.aligned(rows, numeric: [1, 2, 3])
            out.append("")
        }
        out.append("Tables")
        rows = [["table", "entries", "lookups", "matched", "missed"]]
        for (id, t) in tables.sorted(by: { $0.key < $1.key }) {
            rows.append([String(id), Self.count(UInt64(t.entries)), Self.count(t.lookups), Self.count(t.matched), Self.count(t.lookups - t.matched)])
        }
        out += TextColumns.aligned(rows, numeric: [0, 1, 2, 3, 4])
        out.append("")
        if cache.enabled {
            out.append(
                "Cache: \(Self.decimal(cache.hitRate * 100, 1)) % of packets found their flow (\(Self.count(cache.hits)) hits, \(Self.count(cache.misses)) misses); "
                    + "\(Self.count(UInt64(cache.flows))) flows under \(cache.masks) \(cache.masks == 1 ? "mask" : "masks")")
        } else {
            out.append("Cache: off, every packet was translated")
        }
        if expiredEntries > 0 { out.append("\(Self.count(UInt64(expiredEntries))) flow entries timed out on the way.") }
        if cutPackets > 0 {
            out.append(
                "\(Self.count(UInt64(cutPackets))) packets are cut by the capture's snap length; they were forwarded with the bytes that there are.")
        }
        if backwardPackets > 0 {
            out.append("\(Self.count(UInt64(backwardPackets))) packets have a timestamp before their predecessor's; they kept their place.")
        }
        for w in warnings { out.append("Warning: \(w)") }
        return out.joined(separator: "\n")
    }

    /// A number with thousands separated.
    static func count(_ n: UInt64) -> String {
        let digits = String(n)
        var out = ""
        for (i, d) in digits.enumerated() {
            if i > 0, (digits.count - i) % 3 == 0 { out.append(",") }
            out.append(d)
        }
        return out
    }

    static func decimal(_ x: Double, _ places: Int) -> String { String(format: "%.\(places)f", x) }

    static func size(_ bytes: UInt64) -> String {
        switch bytes {
        case ..<10_000: "\(count(bytes)) bytes"
        case ..<10_000_000: "\(decimal(Double(bytes) / 1e3, 1)) kB"
        case ..<10_000_000_000: "\(decimal(Double(bytes) / 1e6, 1)) MB"
        default: "\(decimal(Double(bytes) / 1e9, 1)) GB"
        }
    }
}

/// Explanations of drop reasons by their names.
enum DropReasonText {
    static let byName = Dictionary(uniqueKeysWithValues: DropReason.allCases.map { ($0.name, $0.explanation) })
}
