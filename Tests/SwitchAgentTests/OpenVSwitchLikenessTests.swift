import Flow
import OpenFlow
import SwitchAgent
import Testing

/// Where the standard leaves room, sessions answer as Open vSwitch does; `Tests/Conformance/ofctl-sessions` compares the two.
@Suite struct OpenVSwitchLikenessTests {
    typealias Controller = OpenFlowSessionTests.Controller

    private func controller(_ version: OpenFlowVersion = .v13) throws -> Controller {
        try Controller(OpenFlowSessionTests.agent(), version)
    }
    private func add(_ text: String) throws -> Message { try OpenFlowSessionTests.add(text) }

    private func error(_ all: [Message]) -> ErrorCode? {
        for case .error(let e) in all { return e.code }
        return nil
    }

    @Test func aFlowModWithABufferIsRefusedWhole() throws {
        let c = try controller()
        guard case .flowMod(var f) = try add("priority=1,actions=output:1") else { return }
        f.bufferID = 5
        #expect(try c.error(.flowMod(f)) == .badRequestBufferUnknown)
        #expect(try c.flows().isEmpty)
    }

    @Test func theTableBehindTheLastTakesNoEntriesAndHasNone() throws {
        let c = try controller()
        guard case .flowMod(var f) = try add("table=3,actions=drop") else { return }
        f.entry.table = 254
        #expect(try c.error(.flowMod(f)) == .badRequestPermission)
        f.command = .deleteStrict
        #expect(try c.error(.flowMod(f)) == nil)
        #expect(try c.error(.tableMod(TableMod(TableConfig(table: 254)))) == .tableModPermission)
    }

    @Test func whatOnlySwitchesSendIsRefusedWhateverIsInIt() throws {
        let c = try controller()
        for type: UInt8 in [6, 8, 10, 11, 12, 19, 21, 23, 25, 27] {
            c.agent.receive([4, type, 0, 12, 0, 0, 0, 9, 0, 0, 0, 0], for: c.session)
            #expect(error(c.take()) == .badRequestType, "\(type)")
        }
    }

    @Test func unknownMetersAreRefusedByTheirOwnCodes() throws {
        let c = try controller()
        #expect(try c.error(add("actions=meter:9,output:1")) == .invalidMeter)
        #expect(try c.error(.multipartRequest(MultipartRequest(.meterConfig(9)))) == .unknownMeter)
        #expect(try c.error(.multipartRequest(MultipartRequest(.meter(9)))) == .unknownMeter)
    }

    @Test func statisticsOfAPortThatIsNotThereAreEmpty() throws {
        let c = try controller(.v15)
        #expect(try c.send(.multipartRequest(MultipartRequest(.port(77)))) == [.multipartReply(MultipartReply(.port([])))])
        #expect(try c.send(.multipartRequest(MultipartRequest(.portDesc(77)))) == [.multipartReply(MultipartReply(.portDesc([])))])
    }

    @Test func aServiceControllerIsToldNothingBeforeItAsks() throws {
        let agent = try OpenFlowSessionTests.agent()
        let (service, primary) = (try Controller(agent, peer: .service), try Controller(agent))
        func isTold() throws -> [Bool] {
            _ = try primary.send(add("send_flow_rem,cookie=9,actions=drop"))
            let told = try primary.send(.flowMod(FlowMod(.delete, FlowEntry())))
            return [told, service.take()].map { $0.contains { if case .flowRemoved = $0 { true } else { false } } }
        }
        #expect(try service.send(.getConfigRequest) == [.getConfigReply(SwitchConfig(missSendLength: 0))])
        #expect(try primary.send(.getConfigRequest) == [.getConfigReply(SwitchConfig(missSendLength: 128))])
        #expect(try isTold() == [true, false])
        _ = try service.send(.setConfig(SwitchConfig(missSendLength: 64)))
        #expect(try isTold() == [true, true])
    }

    @Test func aSnooperSeesWhatIsSaidWithControllersAndSaysNothing() throws {
        let agent = try OpenFlowSessionTests.agent()
        let (snooper, primary, service) = (try Controller(agent, peer: .snooper), try Controller(agent), try Controller(agent, peer: .service))
        _ = snooper.take()
        _ = try service.send(.echoRequest([1]))
        #expect(try snooper.send(.echoRequest([2])).isEmpty)
        let seen: [Message] = [.echoRequest([3]), .echoReply([3])]
        #expect(try primary.send(.echoRequest([3])) == [seen[1]])
        #expect(snooper.take() == seen)
        #expect(try snooper.send(add("actions=drop")).isEmpty && primary.flows().isEmpty)
        // Who does not read misses something; the others do not.
        snooper.wire.pretendedBacklog = 5 << 20
        #expect(try primary.send(.echoRequest([4])) == [.echoReply([4])])
        snooper.wire.pretendedBacklog = 0
        _ = snooper.take()
        _ = try primary.send(.echoRequest([5]))
        #expect(snooper.take() == [.echoRequest([5]), .echoReply([5])])
    }

    @Test func theFiltersOfTheStartAreThoseOfTheVersion() throws {
        for (version, mask): (OpenFlowVersion, UInt32) in [(.v13, 0xf), (.v14, 0x3f), (.v15, 0x3f)] {
            guard case .getAsyncReply(let a)? = try controller(version).send(.getAsyncRequest).first else {
                Issue.record("no reply in \(version)")
                continue
            }
            #expect(a.master[.flowRemoved] == mask)
        }
    }

    @Test func whatIsNotDoneIsNotPromised() throws {
        let c = try controller(.v14)
        for config in [TableConfig.Flag.eviction, TableConfig.Flag.vacancyEvents] {
            #expect(try c.error(.tableMod(TableMod(TableConfig(table: 1, config: config)))) == .tableModConfig)
        }
        #expect(try c.error(.setConfig(SwitchConfig(fragments: .drop))) == .switchConfigFlags)
        #expect(try c.error(.setConfig(SwitchConfig(fragments: .normal))) == nil)
    }

    @Test func idleTimeIsToldIn15() throws {
        let c = try controller(.v15)
        _ = try c.send(add("actions=drop"))
        guard case .multipartReply(let r)? = try c.send(.multipartRequest(MultipartRequest(.flow(FlowSelection())))).first,
            case .flow(let list) = r.body
        else {
            Issue.record("no reply")
            return
        }
        #expect(list.map(\.counters.idleSeconds) == [0])
    }

    // MARK: - Flow monitors

    private func updates(_ all: [Message]) -> [FlowUpdate] {
        all.flatMap { m -> [FlowUpdate] in
            if case .multipartReply(let r) = m, case .flowMonitor(let list) = r.body { list } else { [] }
        }
    }

    private func events(_ all: [Message]) -> [FlowUpdate.Event] {
        updates(all).compactMap { if case .full(let event, _, _) = $0 { event } else { nil } }
    }

    @Test(arguments: OpenFlowVersion.allCases) func anEntryInPlaceOfAnotherIsAdditionAndOtherActionsAreModification(version: OpenFlowVersion) throws {
        let agent = try OpenFlowSessionTests.agent()
        let (a, b) = (try Controller(agent, version), try Controller(agent, version))
        // "own" is what ovs-ofctl always asks for, and does not mean that there is nothing of others.
        _ = try b.send(.multipartRequest(MultipartRequest(.flowMonitor([FlowMonitorRequest(id: 1, flags: [.add, .removed, .modify, .onlyOwn])]))))
        _ = try a.send(add("priority=5,in_port=1,actions=output:2"))
        #expect(events(b.take()) == [.added])
        _ = try a.send(add("priority=5,in_port=1,cookie=4,actions=output:3"))
        #expect(events(b.take()) == [.added])
        guard case .flowMod(var f) = try add("priority=5,in_port=1,actions=output:4") else { return }
        f.command = .modifyStrict
        _ = try a.send(.flowMod(f))
        #expect(events(b.take()) == [.modified])
    }

    @Test func aFailedBundleIsNotToldToMonitors() throws {
        let agent = try OpenFlowSessionTests.agent()
        let (a, b) = (try Controller(agent, .v14), try Controller(agent, .v14))
        _ = try b.send(.multipartRequest(MultipartRequest(.flowMonitor([FlowMonitorRequest(id: 1, flags: [.add, .removed, .modify])]))))
        func bundle(_ messages: [Message]) throws -> [Message] {
            _ = try a.send(.bundleControl(BundleControl(bundle: 1, .openRequest, flags: [.atomic])))
            for m in messages {
                _ = try a.send(.bundleAdd(BundleAdd(bundle: 1, flags: [.atomic], message: MessageEncoder(.v14).encode(m, xid: a.xid + 1))))
            }
            return try a.send(.bundleControl(BundleControl(bundle: 1, .commitRequest, flags: [.atomic])))
        }
        // The overlap is found only when the first is in the table.
        let failed = try bundle([add("priority=5,tcp,actions=drop"), add("priority=5,check_overlap,ip,actions=drop")])
        #expect(error(failed) != nil)
        #expect(updates(b.take()).isEmpty)
        _ = try bundle([add("priority=5,tcp,actions=drop"), add("priority=6,ip,actions=drop")])
        #expect(events(b.take()) == [.added, .added])
    }

    // MARK: - Tunnel options

    @Test func tunnelOptionsAreMappedOnceAndKeptWhileInUse() throws {
        let c = try controller()
        func map(_ command: TunnelOptionMod.Command, _ index: UInt16, _ optionClass: UInt16 = 0xffff, size: UInt8 = 4) throws -> ErrorCode? {
            let o = OpenFlow.TunnelOption(optionClass: optionClass, type: 0, size: size, index: index)
            return try c.error(.nicira(.tunnelOptionMod(TunnelOptionMod(command, command == .clear ? [] : [o]))))
        }
        #expect(try map(.add, 0) == nil)
        #expect(try map(.add, 1) == .nicira(21))
        #expect(try map(.add, 0, 0xfffe) == .nicira(20))
        #expect(try map(.add, 16, 0xfffe) == .nicira(18))
        #expect(try map(.add, 3, 0xfffd, size: 124) == nil)
        #expect(try map(.add, 4, 0xfffc, size: 8) == .nicira(19))
        for use in ["tun_metadata0=5,actions=drop", "actions=move:NXM_NX_TUN_METADATA0[0..7]->NXM_NX_REG0[0..7]"] {
            #expect(try c.error(add(use)) == nil)
            #expect(try map(.delete, 0) == .nicira(38))
            #expect(try map(.clear, 0) == .nicira(38))
            var all = FlowMod(.delete, FlowEntry())
            all.entry.table = OpenFlowNumber.allTables
            _ = try c.send(.flowMod(all))
        }
        #expect(try map(.delete, 0) == nil)
    }
}
