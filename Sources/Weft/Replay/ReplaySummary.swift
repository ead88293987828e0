import Datapath
import Flow
import Foundation
import Ports

/// What a replay counted, as text for a person and as JSON for a script.
struct ReplaySummary {
    struct Port: Encodable {
        var rxPackets: UInt64 = 0
        var rxBytes: UInt64 = 0
        var txPackets: UInt64 = 0
        var txBytes: UInt64 = 0
        /// Of what was sent: what entries put into queues, by number; nil when nothing was.
        var queues: [String: Queue]?
    }
    struct Queue: Encodable {
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
    }
    struct Table: Encodable {
        var entries = 0
        var lookups: UInt64 = 0
        var matched: UInt64 = 0
    }
    struct Cache: Encodable {
        var enabled = true
        var hits: UInt64 = 0
        var misses: UInt64 = 0
        var hitRate = 0.0
        var flows = 0
        var masks = 0
        var confirmed: UInt64 = 0
        var invalidated: UInt64 = 0
        var bytes = 0
    }

    var packets: UInt64 = 0
    var bytes: UInt64 = 0
    var seconds = 0.0
    var threads = 1
    var isMeasured = false
    var loops: UInt64 = 1
    var cutPackets = 0
    var backwardPackets = 0
    var expiredEntries = 0
    var copied: UInt64 = 0
    var ended: UInt64 = 0
    var toController: UInt64 = 0
    var ports: [UInt32: Port] = [:]
    var drops: [DropReason: UInt64] = [:]
    var tables: [Int: Table] = [:]
    var cache = Cache()
    var warnings: [String] = []
    /// Ports whose output was written to a file.
    var files: [UInt32: String] = [:]

    /// Received + copied = ended.
    var isBalanced: Bool { packets + copied == ended }
    var mpps: Double { seconds > 0 ? Double(packets) / seconds / 1e6 : 0 }
    /// Bits of frames, without preamble, checksum and gap.
    var gbps: Double { seconds > 0 ? Double(bytes) * 8 / seconds / 1e9 : 0 }
    var nsPerPacket: Double { packets > 0 ? seconds * 1e9 * Double(threads) / Double(packets) : 0 }

    /// Adds what one worker counted.
    mutating func add(_ worker: Worker, _ registry: PortRegistry) {
        let c = worker.counters
        packets += c.received
        bytes += c.receivedBytes
        copied += c.copied
        ended += c.ended
        toController += c.toController
        for (i, number) in registry.numbers.enumerated() {
            let p = worker.portCounters(at: i)
            guard p != PortCounters() || ports[number] != nil || registry.isAttached(number) else { continue }
            ports[number, default: Port()].rxPackets += p.rxPackets
            ports[number]!.rxBytes += p.rxBytes
            ports[number]!.txPackets += p.txPackets
            ports[number]!.txBytes += p.txBytes
        }
        for q in worker.queuedCounters {
            let sum = ports[q.port]?.queues?[String(q.queue)] ?? Queue()
            ports[q.port, default: Port()].queues = (ports[q.port]?.queues ?? [:]).merging(
                [String(q.queue): Queue(packets: sum.packets + q.packets, bytes: sum.bytes + q.bytes)], uniquingKeysWith: { $1 })
        }
        for reason in DropReason.allCases {
            let n = worker.drops(reason)
            if n > 0 { drops[reason, default: 0] += n }
        }
        for t in 0..<256 {
            let n = worker.tableCounters(UInt8(t))
            if n.lookups > 0 {
                tables[t, default: Table()].lookups += n.lookups
                tables[t]!.matched += n.matched
            }
        }
        cache.hits += c.hits
        cache.misses += c.misses
        cache.flows += c.cachedFlows
        cache.masks = max(cache.masks, c.cacheMasks)
        cache.confirmed += c.confirmed
        cache.invalidated += c.invalidated
        cache.bytes += c.cacheBytes
        let all = cache.hits + cache.misses
        cache.hitRate = all > 0 ? Double(cache.hits) / Double(all) : 0
    }

    mutating func addEntries(_ flowTables: FlowTables) {
        for (table, count) in flowTables.entryCounts { tables[Int(table), default: Table()].entries = count }
    }

    // MARK: - JSON

    private struct Report: Encodable {
        var packets: UInt64
        var bytes: UInt64
        var seconds: Double
        var mpps: Double
        var gbps: Double
        var nsPerPacket: Double
        var measured: Bool
        var threads: Int
        var loops: UInt64
        var cutPackets: Int
        var backwardPackets: Int
        var expiredEntries: Int
        var balance: Balance
        var ports: [String: Port]
        var controllerPackets: UInt64
        var drops: [String: UInt64]
        var tables: [String: Table]
        var cache: Cache
        var warnings: [String]
    }
    private struct Balance: Encodable {
        var received: UInt64
        var copied: UInt64
        var ended: UInt64
        var holds: Bool
    }

    func json() throws -> String {
        let report = Report(
            packets: packets, bytes: bytes, seconds: seconds, mpps: mpps, gbps: gbps, nsPerPacket: nsPerPacket, measured: isMeasured,
            threads: threads, loops: loops, cutPackets: cutPackets, backwardPackets: backwardPackets, expiredEntries: expiredEntries,
            balance: Balance(received: packets, copied: copied, ended: ended, holds: isBalanced),
            ports: Dictionary(uniqueKeysWithValues: ports.map { (FlowText.portText($0.key), $0.value) }), controllerPackets: toController,
            drops: Dictionary(uniqueKeysWithValues: drops.map { ($0.key.name, $0.value) }),
            tables: Dictionary(uniqueKeysWithValues: tables.map { (String($0.key), $0.value) }), cache: cache, warnings: warnings)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(report), as: UTF8.self)
    }
}
