import Datapath
import Flow
import Synchronization
import Testing

/// What the control side gets and gives: packets to and from controllers, entries that end, counters of groups and meters.
@Suite struct ControllerPacketTests {
    private func bench(_ flows: String) throws -> (LiveForwardingTests.Bench, PacketInQueue) {
        let bench = try LiveForwardingTests.Bench(flows)
        let queue = PacketInQueue(wake: {})
        bench.worker.packetIns = queue
        return (bench, queue)
    }

    @Test func aPacketInTellsWhereItComesFrom() throws {
        let (bench, queue) = try bench(
            """
            table=0,in_port=1,cookie=0x77 actions=set_field:5->metadata,set_field:9->reg3,resubmit(,4)
            table=4,priority=0,cookie=0x99 actions=controller
            table=0,in_port=2,cookie=0x55 actions=controller(id=7,max_len=20,reason=invalid_ttl,userdata=01.02.03.04.05.06.07.08.09)
            """)
        let frame = try LiveForwardingTests.frame(LiveForwardingTests.tcp)
        for _ in 0..<2 { bench.receive([frame], port: 1) }
        bench.receive([frame], port: 2)
        let all = queue.takeAll()
        #expect(all.count == 3)
        for p in all.prefix(2) {
            #expect(p.frame == frame && p.totalLength == frame.count && p.inPort == 1)
            #expect(p.reason == .noMatch && p.table == 4 && p.cookie == 0x99 && p.controllerID == 0)
            #expect(p.metadata[.metadata] == 5 && p.metadata.words[FlowKeyLayout.registers + 1] & 0xffff_ffff == 9)
        }
        // The whole packet, since none of it is kept for later.
        #expect(all[2].frame == frame && all[2].totalLength == frame.count)
        #expect(all[2].controllerID == 7 && all[2].reason == .invalidTTL && all[2].userdata == [1, 2, 3, 4, 5, 6, 7, 8, 9] && all[2].cookie == 0x55)
        #expect(bench.worker.counters.ended == 3)
    }

    @Test func anExpiredTTLIsToldToItsControllersAndDropped() throws {
        let (bench, queue) = try bench("in_port=1,ip actions=dec_ttl(3,4),output:2")
        bench.receive([try LiveForwardingTests.frame("ip,nw_src=1.2.3.4,nw_dst=1.2.3.5,nw_ttl=1")], port: 1)
        let all = queue.takeAll()
        #expect(all.map(\.controllerID) == [3, 4] && all.allSatisfy { $0.reason == .invalidTTL })
        #expect(bench.worker.drops(.ttlExpired) == 1 && bench.worker.counters.ended == 1)
    }

    @Test func withoutIDsAnExpiredTTLIsToldToAllControllers() throws {
        let (bench, queue) = try bench("in_port=1,ip actions=dec_ttl,output:2")
        bench.receive([try LiveForwardingTests.frame("ip,nw_src=1.2.3.4,nw_dst=1.2.3.5,nw_ttl=1")], port: 1)
        let all = queue.takeAll()
        #expect(all.map(\.controllerID) == [0] && all.allSatisfy { $0.reason == .invalidTTL })
        #expect(bench.worker.drops(.ttlExpired) == 1)
    }

    @Test func aFullQueueIsADrop() throws {
        let (bench, queue) = try bench("actions=controller")
        let frame = try LiveForwardingTests.frame(LiveForwardingTests.tcp)
        for _ in 0..<(PacketInQueue.limit / 16 + 2) { bench.receive(Array(repeating: frame, count: 16), port: 1) }
        #expect(bench.worker.drops(.controllerQueueFull) == 32)
        #expect(queue.takeAll().count == PacketInQueue.limit)
        let c = bench.worker.counters
        #expect(c.received == c.ended)
    }

    @Test func aLonePacketIsDeliveredByTheWorkerAndOthersWakeTheControlSide() throws {
        let bench = try LiveForwardingTests.Bench("in_port=1 actions=controller\nin_port=2 actions=output:3")
        let frame = try LiveForwardingTests.frame(LiveForwardingTests.tcp)
        let wakes = Atomic<Int>(0)
        let deliveries = Atomic<Int>(0)
        let isBusy = Atomic<Bool>(false)
        let queue = PacketInQueue(
            wake: { wakes.add(1, ordering: .relaxed) },
            deliverNow: {
                if isBusy.load(ordering: .relaxed) { return false }
                deliveries.add(1, ordering: .relaxed)
                return true
            })
        bench.worker.packetIns = queue
        func told(_ frames: Int, port: UInt32 = 1, now: UInt64) -> [Int] {
            bench.now = now
            bench.receive(Array(repeating: frame, count: frames), port: port)
            return [deliveries.exchange(0, ordering: .relaxed), wakes.exchange(0, ordering: .relaxed), queue.takeAll().count]
        }
        #expect(told(1, now: 1_000_000) == [1, 0, 1])
        // Too soon after the last, then one in a batch of others, then late enough.
        #expect(told(1, now: 1_100_000) == [0, 1, 1])
        #expect(told(3, now: 2_000_000) == [0, 1, 3])
        #expect(told(1, now: 3_000_000) == [1, 0, 1])
        #expect(told(1, port: 2, now: 4_000_000) == [0, 0, 0])
        isBusy.store(true, ordering: .relaxed)
        #expect(told(1, now: 5_000_000) == [0, 1, 1])
        // While some wait, somebody has been told.
        bench.receive([frame], port: 1)
        #expect(wakes.exchange(0, ordering: .relaxed) == 1)
        #expect(told(1, now: 7_000_000) == [0, 0, 2])
    }

    @Test func aPacketFromAControllerTakesItsActions() throws {
        let (bench, queue) = try bench("table=0,in_port=controller actions=output:3")
        let frame = try LiveForwardingTests.frame(LiveForwardingTests.tcp)
        for actions: [Action] in [[.output(port: 2)], [.output(port: ReservedPort.table)], [.output(port: ReservedPort.controller)]] {
            let compiled = bench.tables.compile(actions)
            #expect(bench.worker.inject(frame, inPort: ReservedPort.controller, actions: compiled, now: 5))
            bench.tables.release(compiled)
        }
        #expect(bench.sinks[2]!.sent.map(\.bytes) == [frame] && bench.sinks[3]!.sent.map(\.bytes) == [frame])
        #expect(queue.takeAll().map(\.reason) == [.packetOut])
        let c = bench.worker.counters
        #expect(c.injected == 3 && c.received + c.injected + c.copied == c.ended)
    }

    @Test func everyEndOfAnEntryIsTold() throws {
        let (bench, _) = try bench(
            """
            priority=1,in_port=1,idle_timeout=1 actions=output:2
            priority=2,in_port=2,hard_timeout=1 actions=output:2
            priority=3,in_port=3 actions=output:2
            """)
        nonisolated(unsafe) var told: [UInt16: FlowRemoval.Reason] = [:]
        bench.tables.onRemoval = { told[$0.statistics.entry.priority] = $0.reason }
        try bench.tables.apply(.addGroup(Group(id: 9, kind: .all)), now: 0)
        try bench.tables.apply(.flow(.add, FlowEntry(priority: 4, actions: [.group(9)])), now: 0)
        try bench.tables.apply(.flow(.add, FlowEntry(priority: 5, actions: [.writeActions([.group(9)])])), now: 0)
        bench.tables.publish()
        bench.tables.expire(now: 3_000_000_000)
        try bench.tables.apply(.flow(.deleteStrict, FlowEntry(priority: 3, match: FlowText.parseMatch("in_port=3").match)), now: 0)
        try bench.tables.apply(.deleteGroup(9), now: 0)
        bench.tables.publish()
        #expect(told == [1: .idleTimeout, 2: .hardTimeout, 3: .delete, 4: .groupDelete, 5: .groupDelete])
        #expect(bench.tables.entryCount == 0)
    }

    @Test func groupsAndMetersCountWhatTheyTake() throws {
        let (bench, _) = try bench("in_port=2 actions=output:3")
        let buckets = [Group.Bucket(id: 0, actions: [.output(port: 2)]), Group.Bucket(id: 1, actions: [.output(port: 3)])]
        try bench.tables.apply(.addGroup(Group(id: 1, kind: .all, buckets: buckets)), now: 0)
        try bench.tables.apply(.addMeter(Meter(id: 1, unit: .pktps, hasBurst: true, bands: [.drop(rate: 1, burst: 2)])), now: 0)
        try bench.tables.apply(.flow(.add, FlowEntry(match: FlowText.parseMatch("in_port=1").match, actions: [.meter(1), .group(1)])), now: 0)
        bench.tables.publish()
        let frame = try LiveForwardingTests.frame(LiveForwardingTests.tcp)
        bench.receive([frame, frame, frame], port: 1)
        bench.worker.refresh()
        let meter = bench.tables.meterStatistics[0]
        #expect(meter.packets == 3 && meter.bands[0].packets == 1 && meter.bands[0].bytes == UInt64(frame.count))
        let group = bench.tables.groupStatistics[0]
        #expect(group.packets == 3 && group.buckets.map(\.packets) == [3, 3] && group.bytes == UInt64(3 * frame.count))
    }
}

/// Changes that are applied all or none, and what `OFPT_PORT_MOD` forbids.
@Suite struct TransactionTests {
    private func text(_ tables: FlowTables) -> [String] { tables.entries().map { "\(FlowText.text($0.entry)) n=\($0.packets)" } }

    @Test func aRefusedTransactionLeavesNothingBehind() throws {
        let bench = try LiveForwardingTests.Bench("priority=5,in_port=1,cookie=3 actions=output:2\npriority=6,in_port=2 actions=output:3")
        try bench.tables.apply(.addGroup(Group(id: 4, kind: .indirect, buckets: [.init(id: 0, actions: [.output(port: 2)])])), now: 0)
        try bench.tables.apply(.flow(.add, FlowEntry(table: 1, priority: 7, actions: [.group(4)])), now: 0)
        try bench.tables.apply(.addMeter(Meter(id: 2, unit: .pktps, bands: [.drop(rate: 7, burst: 0)])), now: 0)
        bench.tables.publish()
        bench.receive([try LiveForwardingTests.frame(LiveForwardingTests.tcp)], port: 1)
        bench.worker.refresh()
        let before = text(bench.tables)
        nonisolated(unsafe) var told = 0
        bench.tables.onRemoval = { _ in told += 1 }
        let refused = bench.tables.transact(
            [
                .flow(.add, FlowEntry(priority: 5, match: try FlowText.parseMatch("in_port=1").match, actions: [.output(port: 3)])),
                .flow(.delete, FlowEntry(), anyTable: true), .deleteGroup(4), .deleteMeter(2),
                .addGroup(Group(id: 8, kind: .all)), .flow(.add, FlowEntry(table: 9)), .addGroup(Group(id: 8, kind: .all)),
            ], now: 9)
        #expect(refused?.index == 6 && refused?.error == .groupExists(8))
        bench.tables.publish()
        #expect(text(bench.tables) == before && told == 0)
        #expect(bench.tables.hasGroup(4) && !bench.tables.hasGroup(8) && bench.tables.hasMeter(2))
        bench.receive([try LiveForwardingTests.frame(LiveForwardingTests.tcp)], port: 1)
        #expect(bench.sinks[2]!.sent.count == 2 && bench.sinks[3]!.sent.isEmpty)
        #expect(bench.tables.transact([.flow(.delete, FlowEntry(), anyTable: true)], now: 9) == nil)
        #expect(told == 3 && bench.tables.entryCount == 0)
    }

    @Test func whatAPortIsForbiddenIsDropped() throws {
        let bench = try LiveForwardingTests.Bench("in_port=1 actions=output:2,flood\nin_port=2 actions=controller")
        let frame = try LiveForwardingTests.frame(LiveForwardingTests.tcp)
        func set(_ flags: PortFlags, _ port: UInt32) {
            bench.tables.ports.restrict(port, to: flags)
            bench.tables.portsChanged()
            bench.tables.publish()
        }
        bench.receive([frame], port: 1)
        #expect(bench.sinks[2]!.sent.count == 2 && bench.sinks[3]!.sent.count == 1)
        set(.noFlood, 3)
        bench.receive([frame], port: 1)
        #expect(bench.sinks[2]!.sent.count == 4 && bench.sinks[3]!.sent.count == 1)
        set([.noForward, .noPacketIn], 2)
        bench.receive([frame], port: 1)
        bench.receive([frame], port: 2)
        #expect(bench.sinks[2]!.sent.count == 4 && bench.worker.counters.toController == 0)
        set(.noReceive, 1)
        bench.receive([frame], port: 1)
        #expect(bench.worker.drops(.portBlocked) == 3)
        set([], 1)
        set([], 2)
        bench.receive([frame], port: 1)
        bench.receive([frame], port: 2)
        #expect(bench.sinks[2]!.sent.count == 6 && bench.worker.counters.toController == 1)
    }
}
