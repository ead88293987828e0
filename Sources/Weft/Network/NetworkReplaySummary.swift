import Datapath
import Foundation
import NetworkSimulation
import Translation

/// What a replay through a network counted, as text for a person and as JSON for a script.
struct NetworkReplaySummary {
    struct Port: Encodable {
        var sentPackets = 0
        var receivedPackets = 0
    }

    /// What became of the packets that a tenant's workloads sent.
    struct Tenant: Encodable {
        var sentPackets = 0
        var delivered = 0
        var dropped = 0
        var controllerPackets = 0
        /// Delivered to ports of other tenants: what must stay 0.
        var deliveredToOthers = 0
    }

    var packets = 0
    var bytes = 0
    var seconds = 0.0
    var delivered = 0
    var tunneled = 0
    var ports: [String: Port] = [:]
    var tenants: [String: Tenant] = [:]
    /// By stage and what the last entry is for.
    var drops: [String: Int] = [:]
    var requests: [String: Int] = [:]
    var answered = 0
    var entries: [String: Int] = [:]
    var files: [String: String] = [:]
    var warnings: [String] = []

    mutating func add(_ fate: PacketFate, from port: String, bytes: Int) {
        packets += 1
        self.bytes += bytes
        ports[port, default: Port()].sentPackets += 1
        let name = Self.tenant(of: port)
        var tenant = tenants[name] ?? Tenant()
        defer { tenants[name] = tenant }
        tenant.sentPackets += 1
        for end in fate.ends {
            switch end {
            case .delivered(_, let to, _):
                delivered += 1
                ports[to, default: Port()].receivedPackets += 1
                tenant.delivered += 1
                if Self.tenant(of: to) != name { tenant.deliveredToOthers += 1 }
            case .dropped(let drop):
                drops[Self.text(drop), default: 0] += 1
                tenant.dropped += 1
            case .request(_, let meaning, let isAnswered):
                requests[meaning, default: 0] += 1
                tenant.controllerPackets += 1
                if isAnswered { answered += 1 }
            }
        }
    }

    private static func tenant(of port: String) -> String { String(port.prefix { $0 != "/" }) }

    private static func text(_ drop: PacketFate.Drop) -> String {
        guard let stage = drop.stage, let meaning = drop.meaning else { return drop.reason.name }
        switch drop.reason {
        case .outputToIngress: return "there is nobody but \(meaning)"
        // The entry says it all.
        case .actionDrop, .noMatch: return meaning.hasPrefix("port security") ? meaning : "\(stage.title): \(meaning)"
        default: return "\(stage.title): \(meaning) (\(drop.reason.name))"
        }
    }

    func text() -> String {
        var out = ["Replayed \(ReplaySummary.count(UInt64(packets))) packets (\(ReplaySummary.size(UInt64(bytes)))) through the network.", ""]
        out.append("What became of them")
        var rows = [["delivered", ReplaySummary.count(UInt64(delivered)), ""]]
        for (what, n) in drops.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            rows.append(["dropped", ReplaySummary.count(UInt64(n)), what])
        }
        for (what, n) in requests.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            rows.append(["for the controller", ReplaySummary.count(UInt64(n)), what])
        }
        out += TextColumns.aligned(rows, numeric: [1])
        if !requests.isEmpty { out.append("  \(ReplaySummary.count(UInt64(answered))) of those for the controller were answered") }
        out.append("  \(ReplaySummary.count(UInt64(tunneled))) went from host to host")
        if tenants.count > 1 {
            out += ["", "Tenants"]
            rows = [["tenant", "sent", "delivered", "dropped", "for the controller", "to another tenant"]]
            for (name, t) in tenants.sorted(by: { $0.key < $1.key }) {
                rows.append(
                    [name]
                        + [t.sentPackets, t.delivered, t.dropped, t.controllerPackets, t.deliveredToOthers].map { ReplaySummary.count(UInt64($0)) })
            }
            out += TextColumns.aligned(rows, numeric: [1, 2, 3, 4, 5])
        }
        out += ["", "Ports"]
        rows = [["port", "sent", "received", ""]]
        for (name, p) in ports.sorted(by: { $0.key < $1.key }) {
            rows.append(
                [
                    name, ReplaySummary.count(UInt64(p.sentPackets)), ReplaySummary.count(UInt64(p.receivedPackets)),
                    files[name].map { "→ \($0)" } ?? "",
                ])
        }
        out += TextColumns.aligned(rows, numeric: [1, 2])
        out += ["", "Hosts"]
        rows = [["host", "entries"]] + entries.sorted { $0.key < $1.key }.map { [$0.key, ReplaySummary.count(UInt64($0.value))] }
        out += TextColumns.aligned(rows, numeric: [1])
        for w in warnings { out.append("Warning: \(w)") }
        return out.joined(separator: "\n")
    }

    private struct Report: Encodable {
        var packets: Int
        var bytes: Int
        var seconds: Double
        var delivered: Int
        var tunneled: Int
        var ports: [String: Port]
        var tenants: [String: Tenant]
        var drops: [String: Int]
        var controllerPackets: [String: Int]
        var answered: Int
        var entries: [String: Int]
        var warnings: [String]
    }

    func json() throws -> String {
        let report = Report(
            packets: packets, bytes: bytes, seconds: seconds, delivered: delivered, tunneled: tunneled, ports: ports, tenants: tenants, drops: drops,
            controllerPackets: requests, answered: answered, entries: entries, warnings: warnings)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(report), as: UTF8.self)
    }
}
