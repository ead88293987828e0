import Flow
import Ports

/// What a worker has counted; read on its thread, or when it is at rest.
extension Worker {
    public struct Counters: Sendable {
        public var received: UInt64
        public var receivedBytes: UInt64
        /// Packets that controllers sent; they end as received ones do.
        public var injected: UInt64
        /// Copies made of packets: ends beyond a packet's first.
        public var copied: UInt64
        public var ended: UInt64
        public var toController: UInt64
        public var hits: UInt64
        public var misses: UInt64
        /// Cached flows found right after a change, and found wrong.
        public var confirmed: UInt64
        public var invalidated: UInt64
        public var cachedFlows: Int
        public var cacheMasks: Int
        public var cacheBytes: Int
    }

    public var counters: Counters {
        Counters(
            received: hot.pointee.received, receivedBytes: hot.pointee.receivedBytes, injected: injected, copied: executor.copied,
            ended: executor.ended,
            toController: executor.toController,
            hits: hot.pointee.hits, misses: misses, confirmed: confirmed, invalidated: invalidated, cachedFlows: cache.entryCount,
            cacheMasks: cache.subtables.count, cacheBytes: cache.byteCount)
    }

    /// By dense port index.
    public func portCounters(at index: Int) -> PortCounters {
        var c = PortCounters()
        c.rxPackets = arrived[index].packets
        c.rxBytes = arrived[index].bytes
        c.txPackets = executor.sent[index].packets
        c.txBytes = executor.sent[index].bytes
        // What waits in queues of the port has not left yet.
        if let scheduler = executor.stage?.scheduled[index]?.scheduler {
            c.txPackets &-= UInt64(scheduler.waiting)
            c.txBytes &-= UInt64(scheduler.waitingBytes)
        }
        return c
    }

    /// Of a replay: packets and bytes that entries put into queues (`set_queue`), by port and queue, ascending.
    public var queuedCounters: [(port: UInt32, queue: UInt32, packets: UInt64, bytes: UInt64)] {
        executor.queued.map { key, c in
            (tables.ports.number(at: Int(key >> 32)), UInt32(truncatingIfNeeded: key), c.packets, c.bytes)
        }.sorted { ($0.port, $0.queue) < ($1.port, $1.queue) }
    }

    /// What the queues of the port at a dense index have counted, by id.
    public func queueCounters(at index: Int) -> [UInt32: QueueCounters] { executor.stage?.scheduled[index]?.scheduler.counters ?? [:] }

    public func drops(_ reason: DropReason) -> UInt64 { executor.drops[Int(reason.rawValue)] }

    /// Packets that reached a table, and of these the ones that an entry matched. Up to date after `collectStatistics()`.
    public func tableCounters(_ table: UInt8) -> (lookups: UInt64, matched: UInt64) {
        (programs.lookups[Int(table)], programs.matches[Int(table)])
    }

    /// Has the last entry on each packet's path told, for fates.
    public func observePrograms(_ body: @escaping (_ packet: Int, _ last: (table: UInt8, priority: UInt16, cookie: UInt64)?) -> Void) {
        observer = { packet, program in
            let path = program.path
            var last: (table: UInt8, priority: UInt16, cookie: UInt64)?
            for i in 0..<program.pathCount where path[i] & 7 == 0 {
                let e = EntryRecord(word: path[i])!
                last = (e.table, e.priority, e.cookie)
            }
            body(packet, last)
        }
    }
}
