import Flow
import OpenFlow
import SwitchAgent
import Testing

/// Controllers that do not read what they are sent: limits, and that nothing is lost below them. Over sockets: `Tests/Conformance/robustness`.
@Suite struct SlowReaderTests {
    typealias Controller = OpenFlowSessionTests.Controller
    private static let mebibyte = 1 << 20

    @Test func requestsWaitUntilTheirAnswersAreRead() throws {
        let c = try Controller(OpenFlowSessionTests.agent())
        c.wire.pretendedBacklog = 5 * Self.mebibyte
        #expect(try c.send(.echoRequest([1])).isEmpty)
        #expect(try c.send(.echoRequest([2])).isEmpty)
        c.wire.pretendedBacklog = 0
        c.agent.resume(c.session)
        #expect(c.take() == [.echoReply([1]), .echoReply([2])])
        #expect(try c.send(.echoRequest([3])) == [.echoReply([3])])
    }

    @Test func changesBeforeAWaitingRequestAreVisible() throws {
        let agent = try OpenFlowSessionTests.agent()
        let (slow, other) = (try Controller(agent), try Controller(agent))
        let mod = try MessageEncoder(.v13).encode(OpenFlowSessionTests.add("actions=drop"), xid: 5)
        slow.wire.pretendedBacklog = 5 * Self.mebibyte
        agent.receive(mod, for: slow.session)
        #expect(try other.flows().isEmpty)
        slow.wire.pretendedBacklog = 0
        agent.resume(slow.session)
        #expect(try other.flows().count == 1)
    }

    @Test func eventsBeyondTheLimitAreCountedNotKept() throws {
        let agent = try OpenFlowSessionTests.agent()
        let (slow, other) = (try Controller(agent), try Controller(agent))
        slow.wire.pretendedBacklog = 65 * Self.mebibyte
        _ = try other.send(OpenFlowSessionTests.add("send_flow_rem,actions=drop"))
        let told = try other.send(.flowMod(FlowMod(.delete, FlowEntry())))
        #expect(told.contains { if case .flowRemoved = $0 { true } else { false } })
        #expect(slow.take().isEmpty && agent.eventsDropped == 1)
    }

    @Test func openBundlesHoldALimitedAmount() throws {
        let agent = try OpenFlowSessionTests.agent()
        let (greedy, other) = (try Controller(agent, .v14), try Controller(agent, .v14))
        // 63,000 bytes of a packet-out, up to the limit of 128 MiB.
        let packet = Message.packetOut(PacketOut(inPort: ReservedPort.controller, actions: [], data: Array(repeating: 0, count: 63_000)))
        var refusal: ErrorCode?
        var count = 0
        while refusal == nil, count < 3000 {
            refusal = try greedy.error(.bundleAdd(BundleAdd(bundle: 1, message: MessageEncoder(.v14).encode(packet, xid: greedy.xid + 1))))
            count += 1
        }
        #expect(refusal == .outOfBundles && count == 128 * Self.mebibyte / 63_024 + 1)
        // What it held is given up, so others have room, and so has it.
        #expect(try other.error(.bundleAdd(BundleAdd(bundle: 1, message: MessageEncoder(.v14).encode(packet, xid: other.xid + 1)))) == nil)
        #expect(try greedy.error(.bundleControl(BundleControl(bundle: 1, .commitRequest))) == .bundleID)
    }

    @Test func requestsInPartsEndSomewhere() throws {
        let c = try Controller(OpenFlowSessionTests.agent(), .v14)
        let part = (0..<500).map { FlowMonitorRequest(id: $0, flags: [.add]) }
        var refusal: ErrorCode?
        for _ in 0..<10 where refusal == nil { refusal = try c.error(.multipartRequest(MultipartRequest(.flowMonitor(part), more: true))) }
        #expect(refusal == .multipartOverflow)
    }
}
