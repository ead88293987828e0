import Datapath
import Flow
import ReferenceSwitch
import Testing

/// Label stacks with a zero entry above the bottom, which Open vSwitch does not count; the expected bytes are what Open vSwitch 3.1 sent.
@Suite struct LabelCommitTests {
    static let ethernet: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0x48]
    static let rest: [UInt8] = [0x00, 0x3e, 0x8c, 0x40, 0x45, 0x30, 0x00, 0x30]

    @Test(arguments: [true, false]) func aHiddenLabelIsCommittedAgainBeforeTheSecondOutput(usesCache: Bool) {
        let packet = ReceivedPacket(
            bytes: Self.ethernet + [0, 0, 0x0e, 1, 0, 0, 0, 0, 0x00, 0x3e, 0x8a, 0x02] + Self.rest, inPort: 1, time: 0)
        let entry = FlowEntry(actions: [.pushMPLS(etherType: 0x8848), .popMPLS(etherType: 0x8848), .output(port: 2), .output(port: 5)])
        var datapath = DatapathUnderTest(ports: [1, 2, 5], usesCache: usesCache)
        datapath.apply(.flow(.add, entry), time: 0)
        let expected: [PacketEvent.End] = [
            .transmitted(port: 2, bytes: Self.ethernet + [0, 0, 0x0e, 1, 0x00, 0x3e, 0x8a, 0x02] + Self.rest),
            .transmitted(port: 5, bytes: Self.ethernet + [0, 0, 0x0e, 1] + Self.rest),
        ]
        #expect(datapath.process([packet, packet]) == [expected, expected])
    }
}
