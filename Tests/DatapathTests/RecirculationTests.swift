import Datapath
import Flow
import ReferenceSwitch
import Testing

/// What follows a popped label waits until the headers beneath are parsed: nothing of it is lost, nothing is done twice, and it ends.
@Suite struct RecirculationTests {
    static let ports: [UInt32] = [1, 2, 3, 4, 5]
    static let addresses: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
    /// UDP without data.
    static let ip: [UInt8] = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x66, 0xcf, 10, 0, 0, 1, 10, 0, 0, 2, 3, 232, 0, 80, 0, 8, 0xe7, 0xa3,
    ]
    static let plain = addresses + [8, 0] + ip
    static let labelled = addresses + [0x88, 0x47, 0, 1, 1, 64] + ip

    private func match(_ etherType: UInt64, inPort: UInt64? = nil) -> Match {
        var match = Match()
        match.require(.ethType, etherType)
        if let inPort { match.require(.inPort, inPort) }
        return match
    }

    /// What both switches make of a frame from port 1, the datapath with its cache and without.
    private func check(_ setup: [FlowModification], _ bytes: [UInt8], _ expected: [PacketEvent.End], limits: Limits = Limits()) {
        let packet = ReceivedPacket(bytes: bytes, inPort: 1, time: 0)
        for usesCache in [true, false] {
            var datapath = DatapathUnderTest(ports: Self.ports, usesCache: usesCache, limits: limits)
            for change in setup { datapath.apply(change, time: 0) }
            #expect(datapath.process([packet, packet]) == [expected, expected])
        }
        let naive = NaiveSwitch(ports: Self.ports, limits: limits)
        for change in setup { naive.apply(change, time: 0) }
        #expect(naive.process(packet) == expected)
    }

    private func sent(_ ports: UInt32..., bytes: [UInt8] = plain) -> [PacketEvent.End] { ports.map { .transmitted(port: $0, bytes: bytes) } }

    @Test func aDispatchThatWaitsForTheHeadersBeneathALabelIsDoneAfterwards() {
        let dispatch = Action.output(port: ReservedPort.dispatch)
        let inner = FlowModification.flow(
            .add, FlowEntry(priority: 1, match: match(0x0800, inPort: UInt64(ReservedPort.dispatch)), actions: [.output(port: 2)]))
        func outer(_ actions: [Action]) -> FlowModification {
            .flow(.add, FlowEntry(priority: 1, match: match(0x8847), actions: [.popMPLS(etherType: 0x0800)] + actions))
        }
        check([inner, outer([dispatch])], Self.labelled, sent(2))
        check([inner, outer([dispatch, .output(port: 3)])], Self.labelled, sent(2, 3))
        check([inner, outer([dispatch, dispatch, .output(port: 3)])], Self.labelled, sent(2, 2, 3))
        check([inner, outer([.output(port: 4), .output(port: ReservedPort.table), dispatch])], Self.labelled, sent(4, 2))
        // The walk may come to the pop through another dispatch, whose own list goes on, too.
        let nested = FlowModification.flow(
            .add, FlowEntry(priority: 2, match: match(0x8847, inPort: 1), actions: [dispatch, .output(port: 5)]))
        check([inner, outer([dispatch, .output(port: 3)]), nested], Self.labelled, sent(2, 3, 5))
    }

    @Test func aSelectGroupWaitsForTheHeadersThatItHashes() {
        let group = Group(id: 1, kind: .select, buckets: [Group.Bucket(id: 0, actions: [.output(port: 2)])])
        let entry = FlowEntry(match: match(0x8847), actions: [.popMPLS(etherType: 0x0800), .group(1), .output(port: 3)])
        check([.addGroup(group), .flow(.add, entry)], Self.labelled, sent(2, 3))
    }

    @Test func aPacketThatIsParsedAnewWithoutEndMeetsALimit() {
        func setup(_ first: [Action]) -> [FlowModification] {
            [
                .flow(.add, FlowEntry(actions: first + [.pushMPLS(etherType: 0x8847), .resubmit(inPort: nil, table: 1)])),
                .flow(.add, FlowEntry(table: 1, actions: [.popMPLS(etherType: 0x0800), .resubmit(inPort: nil, table: 0)])),
            ]
        }
        check(setup([]), Self.plain, [.dropped(.recirculationDepth)])
        check(setup([.output(port: 2)]), Self.plain, sent(2, 2, 2, 2, 2, 2, 2))
    }

    @Test func copiesThatAreParsedAnewAreBoundedInNumber() {
        let bucket = Group.Bucket(id: 0, actions: [.resubmit(inPort: nil, table: 1)])
        let group = Group(id: 1, kind: .all, buckets: (0..<4).map { Group.Bucket(id: $0, actions: bucket.actions) })
        let setup: [FlowModification] = [
            .addGroup(group),
            .flow(.add, FlowEntry(actions: [.output(port: 2), .pushMPLS(etherType: 0x8847), .group(1)])),
            .flow(.add, FlowEntry(table: 1, actions: [.popMPLS(etherType: 0x0800), .resubmit(inPort: nil, table: 0)])),
        ]
        var limits = Limits()
        limits.copies = 50
        // 1 + 4 + 16 … would be 5461 without the limit.
        check(setup, Self.plain, [PacketEvent.End](repeating: .transmitted(port: 2, bytes: Self.plain), count: 51), limits: limits)
    }

    @Test func aCopyThatCameToNothingDoesNotEndThePacket() {
        let missing = Action.group(9)
        let later = Action.resubmit(inPort: nil, table: 1)
        func setup(buckets: [Action], then rest: [Action]) -> [FlowModification] {
            let group = Group(id: 1, kind: .all, buckets: buckets.enumerated().map { Group.Bucket(id: UInt32($0), actions: [$1]) })
            return [
                .addGroup(group),
                .flow(.add, FlowEntry(match: match(0x8847), actions: [.popMPLS(etherType: 0x0800), .group(1)] + rest)),
                .flow(.add, FlowEntry(table: 2, actions: [])),
            ]
        }
        check(setup(buckets: [missing, later], then: [.output(port: 2)]), Self.labelled, sent(2))
        // The first thing that went wrong is told, else what the last lookup came to.
        check(setup(buckets: [missing, later], then: []), Self.labelled, [.dropped(.noSuchGroup)])
        check(setup(buckets: [later, missing], then: []), Self.labelled, [.dropped(.noSuchGroup)])
        check(setup(buckets: [later], then: []), Self.labelled, [.dropped(.noMatch)])
        check(setup(buckets: [.resubmit(inPort: nil, table: 2)], then: []), Self.labelled, [.dropped(.actionDrop)])
        check(setup(buckets: [later, later], then: [.output(port: 9), .output(port: 2)]), Self.labelled, sent(2))
        check(setup(buckets: [later], then: [.output(port: 9)]), Self.labelled, [.dropped(.noSuchPort)])
    }
}
