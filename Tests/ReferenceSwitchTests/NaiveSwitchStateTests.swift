import Datapath
import Flow
import ReferenceSwitch
import Testing

/// What packets and time leave behind: time-outs, learned entries and addresses, meters.
@Suite struct NaiveSwitchStateTests {
    private let second: UInt64 = 1_000_000_000
    private let plain = Action.output(port: 2)

    private func frame(from source: UInt8 = 1, to destination: UInt8 = 2) -> [UInt8] {
        [2, 0, 0, 0, 0, destination, 2, 0, 0, 0, 0, source, 0x88, 0xb5] + [UInt8](repeating: 0, count: 46)
    }

    private func ports(_ reference: NaiveSwitch, _ bytes: [UInt8], inPort: UInt32 = 1, at time: UInt64) -> [UInt32] {
        reference.process(ReceivedPacket(bytes: bytes, inPort: inPort, time: time)).compactMap {
            if case .transmitted(let port, _) = $0 { port } else { nil }
        }
    }

    @Test func anIdleEntryGoesAndAUsedOneStays() {
        let reference = NaiveSwitch(ports: [1, 2, 3])
        reference.apply(.flow(.add, FlowEntry(actions: [plain], idleTimeout: 2)), time: 0)
        #expect(ports(reference, frame(), at: second) == [2])
        #expect(ports(reference, frame(), at: 3 * second - 1) == [2])
        #expect(ports(reference, frame(), at: 5 * second - 1) == [])
    }

    @Test func aHardTimeoutDoesNotCareForUse() {
        let reference = NaiveSwitch(ports: [1, 2, 3])
        reference.apply(.flow(.add, FlowEntry(actions: [plain], hardTimeout: 2)), time: 0)
        #expect(ports(reference, frame(), at: 2 * second - 1) == [2])
        #expect(ports(reference, frame(), at: 2 * second) == [])
    }

    @Test func learnedEntriesServeTheNextPacket() {
        var learn = Learn()
        learn.specs = [
            LearnSpec(source: .subfield(Subfield(.ethSrc)), destination: .match(Subfield(.ethDst))),
            LearnSpec(source: .subfield(Subfield(.inPort)), destination: .output),
        ]
        let reference = NaiveSwitch(ports: [1, 2, 3])
        reference.apply(.flow(.add, FlowEntry(actions: [.learn(learn), .resubmit(inPort: nil, table: 1)])), time: 0)
        #expect(ports(reference, frame(from: 2, to: 2), inPort: 3, at: 0) == [])
        #expect(ports(reference, frame(from: 1, to: 2), at: 1) == [3])
    }

    @Test func theLearningSwitchFloodsUntilItKnowsAndForgetsAfterFiveMinutes() {
        let reference = NaiveSwitch(ports: [1, 2, 3])
        reference.apply(.flow(.add, FlowEntry(actions: [.output(port: ReservedPort.normal)])), time: 0)
        #expect(ports(reference, frame(from: 1, to: 2), inPort: 1, at: 0) == [2, 3])
        #expect(ports(reference, frame(from: 2, to: 1), inPort: 3, at: 1) == [1])
        #expect(ports(reference, frame(from: 3, to: 1), inPort: 1, at: 2) == [])
        #expect(ports(reference, frame(from: 2, to: 1), inPort: 3, at: 300 * second) == [1, 2])
    }

    @Test func aMeterPassesItsBurstAndThenItsRate() {
        let reference = NaiveSwitch(ports: [1, 2, 3])
        reference.apply(.addMeter(Meter(id: 1, unit: .pktps, hasBurst: true, bands: [.drop(rate: 2, burst: 3)])), time: 0)
        reference.apply(.flow(.add, FlowEntry(actions: [.meter(1), plain])), time: 0)
        #expect((0..<5).map { ports(reference, frame(), at: UInt64($0)).count } == [1, 1, 1, 0, 0])
        #expect(ports(reference, frame(), at: second / 2 + 5) == [2])
        #expect(reference.process(ReceivedPacket(bytes: frame(), inPort: 1, time: second / 2 + 5)) == [.dropped(.meter)])
    }

    @Test func deletionSelectsByMatchCookieAndPort() {
        var match = Match()
        match.require(.ethType, 0x88b5)
        let entry = FlowEntry(match: match, actions: [plain], cookie: 7)
        func remains(_ change: FlowModification) -> Bool {
            let reference = NaiveSwitch(ports: [1, 2, 3])
            reference.apply(.flow(.add, entry), time: 0)
            reference.apply(change, time: 0)
            return ports(reference, frame(), at: 1) == [2]
        }
        #expect(!remains(.flow(.delete, FlowEntry())))
        #expect(remains(.flow(.deleteStrict, FlowEntry())))
        #expect(!remains(.flow(.deleteStrict, entry)))
        #expect(remains(.flow(.delete, FlowEntry(cookie: 6), cookieMask: .max)))
        #expect(remains(.flow(.delete, FlowEntry(), outPort: 3)))
        #expect(!remains(.flow(.delete, FlowEntry(), outPort: 2)))
        #expect(remains(.flow(.delete, FlowEntry(table: 1))))
        #expect(!remains(.flow(.delete, FlowEntry(table: 1), anyTable: true)))
    }
}
