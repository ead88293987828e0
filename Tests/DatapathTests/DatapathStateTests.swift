import Flow
import Foundation
import ReferenceSwitch
import Synchronization
import Testing

@testable import Datapath

/// What random cases don't reach: counters, meters that remark, output to TABLE, groups in groups, changes from another thread.
@Suite struct DatapathStateTests {
    private static let ports: [UInt32] = [1, 2, 3, 4, 5, 6]
    private static let addresses: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]

    /// UDP 10.0.0.1:1000 → 10.0.0.2:80 without data, checksums correct but for those of the type of service.
    private static func ipv4(tos: UInt8) -> [UInt8] {
        var header: [UInt8] = [0x45, tos, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) { $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1]) }
        sum = (sum & 0xffff) + sum >> 16
        (header[10], header[11]) = (UInt8(~sum >> 8 & 0xff), UInt8(~sum & 0xff))
        return addresses + [8, 0] + header + [3, 232, 0, 80, 0, 8, 0xe7, 0xa3]
    }

    /// No next header, and no data.
    private static func ipv6(tos: UInt8) -> [UInt8] {
        let source: [UInt8] = [0xfd] + [UInt8](repeating: 0, count: 14) + [1]
        return addresses + [0x86, 0xdd, 0x60 | tos >> 4, tos << 4, 0, 0, 0, 0, 59, 64] + source + source
    }

    private func datapath(_ changes: [FlowModification], usesCache: Bool = true) -> DatapathUnderTest {
        var d = DatapathUnderTest(ports: Self.ports, usesCache: usesCache)
        for c in changes { d.apply(c, time: 0) }
        return d
    }

    private func packet(_ bytes: [UInt8], at time: UInt64 = 0) -> ReceivedPacket { ReceivedPacket(bytes: bytes, inPort: 1, time: time) }

    // RFC 2597 §6: AF class in the upper three bits, drop precedence in the next two.
    @Test(
        arguments: [
            (0x28, 1, 0x30), (0x28, 2, 0x38), (0x30, 1, 0x38), (0x38, 1, 0x38), (0x29, 1, 0x31), (0x8b, 1, 0x93), (0xb8, 1, 0xb8), (0, 1, 0),
            (0x20, 1, 0x20),
        ] as [(UInt8, UInt8, UInt8)])
    func aMeterAboveItsRateRaisesTheDropPrecedence(_ tos: UInt8, _ levels: UInt8, _ expected: UInt8) {
        let setup: [FlowModification] = [
            .addMeter(Meter(id: 1, unit: .pktps, hasBurst: true, bands: [.dscpRemark(rate: 1, burst: 1, precedence: levels)])),
            .flow(.add, FlowEntry(actions: [.meter(1), .output(port: 2)])),
        ]
        for frame in [Self.ipv4, Self.ipv6] as [(UInt8) -> [UInt8]] {
            for usesCache in [true, false] {
                var d = datapath(setup, usesCache: usesCache)
                let ends = d.process([packet(frame(tos)), packet(frame(tos)), packet(frame(tos), at: 1_000_000_000)])
                #expect(ends[0] == [.transmitted(port: 2, bytes: frame(tos))])
                #expect(ends[1] == [.transmitted(port: 2, bytes: frame(expected))])
                #expect(ends[2] == [.transmitted(port: 2, bytes: frame(tos))])
            }
        }
    }

    @Test func outputToTABLEWalksFromTableZeroWithThePortOfArrival() {
        var again = Match()
        again.require(.reg0, 1)
        again.require(.inPort, 1)
        let setup: [FlowModification] = [
            .flow(.add, FlowEntry(priority: 2, match: again, actions: [.output(port: 3)])),
            .flow(
                .add,
                FlowEntry(priority: 1, actions: [.load(FieldValue(low: 1), Subfield(.reg0)), .output(port: ReservedPort.table), .output(port: 2)])),
        ]
        let bytes = Self.ipv4(tos: 0)
        let expected: [PacketEvent.End] = [.transmitted(port: 3, bytes: bytes), .transmitted(port: 2, bytes: bytes)]
        for usesCache in [true, false] {
            var d = datapath(setup, usesCache: usesCache)
            #expect(d.process([packet(bytes), packet(bytes)]) == [expected, expected])
        }
    }

    @Test func outputToTABLEWithoutEndMeetsTheDepthLimit() {
        var d = datapath([.flow(.add, FlowEntry(actions: [.output(port: ReservedPort.table)]))])
        #expect(d.process([packet(Self.ipv4(tos: 0))]) == [[.dropped(.resubmitDepth)]])
    }

    @Test func aGroupThatWouldReachItselfIsRefused() throws {
        func group(_ id: UInt32, to next: [UInt32]) -> Group {
            Group(id: id, kind: .all, buckets: next.enumerated().map { Group.Bucket(id: UInt32($0), actions: [.group($1)]) })
        }
        let tables = FlowTables()
        #expect(throws: FlowTableError.groupLoop(1)) { try tables.apply(.addGroup(group(1, to: [1])), now: 0) }
        try tables.apply(.addGroup(group(3, to: [])), now: 0)
        try tables.apply(.addGroup(group(2, to: [3, 3])), now: 0)
        try tables.apply(.addGroup(group(1, to: [2, 3])), now: 0)
        #expect(throws: FlowTableError.groupLoop(3)) { try tables.apply(.modifyGroup(group(3, to: [1])), now: 0) }
        #expect(tables.groups[3]?.group.buckets.isEmpty == true)
    }

    /// Each group runs the next one twice: 2⁵⁰ ways, none of which sends anything.
    @Test(.timeLimit(.minutes(1))) func groupsInGroupsAreBoundedInNumber() {
        let chain = (1...50 as ClosedRange<UInt32>).reversed().map { id in
            let next: [Action] = id == 50 ? [] : [.group(id + 1)]
            return FlowModification.addGroup(
                Group(id: id, kind: .all, buckets: [Group.Bucket(id: 0, actions: next), Group.Bucket(id: 1, actions: next)]))
        }
        var d = datapath(chain + [.flow(.add, FlowEntry(actions: [.group(1)]))])
        #expect(d.process([packet(Self.ipv4(tos: 0))]) == [[.dropped(.tooManyCopies)]])
    }

    @Test(arguments: [true, false]) func entriesCountThePacketsAndBytesThatMatchedThem(usesCache: Bool) throws {
        let registry = PortRegistry(admitsNamedPorts: false)
        for p in Self.ports { registry.attach(p) }
        let element = ForwardingElement(ports: registry, usesCache: usesCache, maxFrameLength: 4096)
        var v4 = Match()
        v4.require(.ethType, 0x0800)
        try element.apply(
            [
                .flow(.add, FlowEntry(table: 0, priority: 2, match: v4, actions: [.gotoTable(1)], cookie: 1)),
                .flow(.add, FlowEntry(table: 0, priority: 1, actions: [.output(port: 2)], cookie: 2)),
                .flow(.add, FlowEntry(table: 1, priority: 1, actions: [.output(port: 3)], cookie: 3)),
                .flow(.add, FlowEntry(table: 2, priority: 1, actions: [.output(port: 3)], cookie: 4)),
            ], now: 0)
        let frames = (0..<50).map { $0 % 5 < 3 ? Self.ipv4(tos: 0) : Self.ipv6(tos: 0) }
        let arena = UnsafeMutableRawPointer.allocate(byteCount: frames.count * 256, alignment: 64)
        defer { arena.deallocate() }
        let received = frames.enumerated().map { i, bytes in
            bytes.withUnsafeBytes { (arena + i * 256).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            return ReceivedFrame(bytes: arena + i * 256, length: bytes.count, inPort: 1, time: UInt64(i) * 1000)
        }
        element.process(received) { _, _ in }
        element.tables.collectStatistics()
        let counts = element.tables.entries().reduce(into: [UInt64: [UInt64]]()) { $0[$1.entry.cookie] = [$1.packets, $1.bytes] }
        #expect(counts == [1: [30, 30 * 42], 2: [20, 20 * 54], 3: [30, 30 * 42], 4: [0, 0]])
    }

    /// Two entries are replaced together, again and again; each packet must have met both of one moment.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false]) func packetsSeeTheTablesOfOneMomentWhileAnotherThreadChangesThem(usesCache: Bool) throws
    {
        let registry = PortRegistry(admitsNamedPorts: false)
        for p in Self.ports { registry.attach(p) }
        let tables = FlowTables(ports: registry)
        @Sendable func change(to k: UInt64, _ command: FlowModification.FlowCommand) throws {
            try tables.apply(.flow(command, FlowEntry(table: 0, actions: [.setEthSrc(k), .resubmit(inPort: nil, table: 1)])), now: 0)
            try tables.apply(.flow(command, FlowEntry(table: 1, actions: [.setEthDst(k), .output(port: 2)])), now: 0)
            // Something else comes and goes beside them.
            var other = Match()
            other.require(.ethSrc, k)
            try tables.apply(.flow(k % 2 == 0 ? .add : .delete, FlowEntry(table: 1, priority: 0, match: other, actions: [])), now: 0)
        }
        try tables.withOwnership {
            try change(to: 1, .add)
            tables.publish()
        }
        let worker = Worker(tables: tables, usesCache: usesCache, maxFrameLength: 4096)
        let recorder = EventRecorder()
        worker.recorder = recorder
        let isOver = Atomic<Bool>(false)
        let changed = Atomic<UInt64>(1)
        let writer = Thread {
            var k: UInt64 = 1
            while !isOver.load(ordering: .acquiring) {
                k += 1
                tables.withOwnership {
                    try? change(to: k, .modifyStrict)
                    tables.publish()
                }
                changed.store(k, ordering: .releasing)
            }
            changed.store(.max, ordering: .releasing)
        }
        writer.start()

        let bytes = Self.ipv4(tos: 0)
        let arena = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 64)
        defer { arena.deallocate() }
        bytes.withUnsafeBytes { arena.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        let frames = [ReceivedFrame](repeating: ReceivedFrame(bytes: arena, length: bytes.count, inPort: 1, time: 0), count: Worker.batchSize)
        var last: UInt64 = 0
        var seen: Set<UInt64> = []
        var rounds = 0
        while rounds < 20_000, seen.count < 300 || rounds < 2000 {
            rounds += 1
            recorder.reset()
            // What was published before the batch is seen by it.
            let floor = changed.load(ordering: .acquiring)
            frames.withUnsafeBufferPointer { worker.process($0.baseAddress!, count: $0.count) }
            try #require(recorder.events.count == frames.count)
            for e in recorder.events {
                try #require(e.kind == .transmitted)
                let sent = recorder.bytes[e.offset..<(e.offset + e.length)]
                let destination = sent.prefix(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                let source = sent.dropFirst(6).prefix(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                try #require(destination == source)
                try #require(source >= max(last, floor))
                last = source
                seen.insert(source)
            }
        }
        isOver.store(true, ordering: .releasing)
        while changed.load(ordering: .acquiring) != .max { Thread.sleep(forTimeInterval: 0.001) }
        #expect(seen.count > 10, "the tables hardly changed while packets ran")
    }

    /// Entries that overlap at one priority, in a table searched as a list, by hash and by tree.
    @Test(arguments: [0, 30, 600]) func ofOverlappingEntriesOfOnePriorityTheOneAddedFirstActsEvenWhenChanged(others: Int) {
        func entry(_ field: Field, _ address: UInt64, _ actions: [Action]) -> FlowEntry {
            var match = Match()
            match.require(.ethType, 0x0800)
            match.require(field, address)
            return FlowEntry(priority: 5, match: match, actions: actions)
        }
        func older(_ port: UInt32) -> FlowEntry { entry(.ipv4Src, 0x0a00_0001, [.output(port: port)]) }
        func younger(_ port: UInt32) -> FlowEntry { entry(.ipv4Dst, 0x0a00_0002, [.output(port: port)]) }
        var setup: [FlowModification] = (0..<others).map { i in
            var match = Match()
            match.require(.ethType, 0x0800)
            // Several shapes of mask, so that the table outgrows its simpler forms.
            let ones = 16 + UInt64(i % 16)
            match.require(
                .ipv4Src, FieldValue(low: 0xc000_0000 | UInt64(i / 16) << 16), mask: FieldValue(low: 0xffff_ffff << (32 - ones) & 0xffff_ffff))
            return .flow(.add, FlowEntry(priority: 9, match: match))
        }
        setup += [.flow(.add, older(2)), .flow(.add, younger(3))]
        let bytes = Self.ipv4(tos: 0)
        func sent(to port: UInt32) -> [[PacketEvent.End]] { [[.transmitted(port: port, bytes: bytes)]] }
        for usesCache in [true, false] {
            var d = datapath(setup, usesCache: usesCache)
            #expect(d.process([packet(bytes)]) == sent(to: 2))
            d.apply(.flow(.modifyStrict, older(4)), time: 1)
            #expect(d.process([packet(bytes, at: 1)]) == sent(to: 4))
            d.apply(.flow(.add, older(5)), time: 2)
            #expect(d.process([packet(bytes, at: 2)]) == sent(to: 5))
            d.apply(.flow(.modify, younger(6)), time: 3)
            #expect(d.process([packet(bytes, at: 3)]) == sent(to: 5))
            d.apply(.flow(.deleteStrict, older(5)), time: 4)
            #expect(d.process([packet(bytes, at: 4)]) == sent(to: 6))
            d.apply(.flow(.add, older(2)), time: 5)
            #expect(d.process([packet(bytes, at: 5)]) == sent(to: 6))
        }
    }

    /// OpenFlow 1.3.5 §5.9: a meter acts before the actions, whose values the packet then has.
    @Test func aValueSetAfterARemarkStandsEvenIfItIsTheOneOfArrival() {
        let meter = FlowModification.addMeter(Meter(id: 1, unit: .pktps, hasBurst: true, bands: [.dscpRemark(rate: 1, burst: 1, precedence: 1)]))
        // AF11 becomes AF12 above the rate; what is set of the type of service stands, the rest is the meter's.
        for (action, expected) in [(Action.setTOS(0x28), 0x29), (.setECN(1), 0x31), (.setECN(2), 0x32), (.setTTL(64), 0x31)] as [(Action, UInt8)] {
            let entry = FlowModification.flow(.add, FlowEntry(actions: [.meter(1), action, .output(port: 2)]))
            let packets = [packet(Self.ipv4(tos: 0x29)), packet(Self.ipv4(tos: 0x29))]
            let end = [PacketEvent.End.transmitted(port: 2, bytes: Self.ipv4(tos: expected))]
            for usesCache in [true, false] {
                var d = datapath([meter, entry], usesCache: usesCache)
                #expect(d.process(packets)[1] == end)
            }
            let naive = NaiveSwitch(ports: Self.ports)
            for change in [meter, entry] { naive.apply(change, time: 0) }
            #expect(naive.process(packets)[1] == end)
        }
    }

    /// The rest of a list waits for the headers beneath a label; the last lookup before it missed.
    @Test(arguments: [true, false]) func theReasonOfADropSurvivesAPacketsSecondParsing(usesCache: Bool) {
        let setup: [FlowModification] = [
            .flow(.add, FlowEntry(actions: [.pushMPLS(etherType: 0x8847), .resubmit(inPort: nil, table: 1), .stripVLAN])),
            .flow(.add, FlowEntry(table: 1, actions: [.resubmit(inPort: nil, table: 2), .popMPLS(etherType: 0x0800)])),
        ]
        var d = datapath(setup, usesCache: usesCache)
        #expect(d.process([packet(Self.ipv4(tos: 0))]) == [[.dropped(.noMatch)]])
    }
}
