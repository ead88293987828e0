import Datapath
import Flow
import ReferenceSwitch
import Testing

/// Literal frames in, literal frames out; the expected bytes were worked out by hand from the RFCs.
@Suite struct NaiveSwitchTests {
    // 10.0.0.1:1000 → 10.0.0.2:80, UDP without data, both checksums correct.
    static let ethernet = "020000000002 020000000001 0800"
    static let udp = ethernet + "4500001c 00000000 401166cf 0a000001 0a000002 03e80050 0008e7a3"

    private func bytes(_ text: String) -> [UInt8] {
        let digits = text.filter { !$0.isWhitespace }
        return stride(from: 0, to: digits.count, by: 2).map { i in
            let start = digits.index(digits.startIndex, offsetBy: i)
            return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)!
        }
    }

    private func ends(
        _ frame: String, _ entries: [FlowEntry], groups: [Group] = [], quirks: Quirks = Quirks(), inPort: UInt32 = 1
    ) -> [PacketEvent.End] {
        let reference = NaiveSwitch(ports: [1, 2, 3, 4], quirks: quirks)
        for group in groups { reference.apply(.addGroup(group), time: 0) }
        for entry in entries { reference.apply(.flow(.add, entry), time: 0) }
        return reference.process(ReceivedPacket(bytes: bytes(frame), inPort: inPort, time: 0))
    }

    private func sent(_ port: UInt32, _ frame: String) -> PacketEvent.End { .transmitted(port: port, bytes: bytes(frame)) }

    private func after(_ actions: [Action], _ frame: String = udp) -> [PacketEvent.End] { ends(frame, [FlowEntry(actions: actions)]) }

    @Test func theFrameOfTheTestsIsSound() {
        let frame = bytes(Self.udp)
        #expect(Checksums.sum(frame[14..<34]) == 0xffff)
        #expect(Checksums.sum(frame[34...], initial: Checksums.pseudoHeader(addresses: frame[26..<34], protocol: 17, length: 8)) == 0xffff)
    }

    @Test func anOutputSendsTheFrameAsItCame() { #expect(after([.output(port: 2)]) == [sent(2, Self.udp)]) }

    @Test func aNewAddressUpdatesBothChecksums() {
        let expected = Self.ethernet + "4500001c 00000000 401163cf 0a000001 0a000302 03e80050 0008e4a3"
        #expect(after([.setIPv4Dst(0x0a00_0302), .output(port: 2)]) == [sent(2, expected)])
    }

    @Test func aWrongChecksumStaysWrongByTheSameAmount() {
        let wrong = Self.udp.replacing("66cf", with: "66d0")
        let expected = Self.ethernet + "4500001c 00000000 401163d0 0a000001 0a000302 03e80050 0008e4a3"
        #expect(after([.setIPv4Dst(0x0a00_0302), .output(port: 2)], wrong) == [sent(2, expected)])
    }

    @Test func aZeroUDPChecksumStaysZero() {
        let frame = Self.udp.replacing("0008e7a3", with: "00080000")
        let expected = Self.ethernet + "4500001c 00000000 401166cf 0a000001 0a000002 03e80051 00080000"
        #expect(after([.setTransportDst(81), .output(port: 2)], frame) == [sent(2, expected)])
    }

    @Test func decrementingTheTTLRepairsTheHeader() {
        let expected = Self.ethernet + "4500001c 00000000 3f1167cf 0a000001 0a000002 03e80050 0008e7a3"
        #expect(after([.decTTL(), .output(port: 2)]) == [sent(2, expected)])
    }

    @Test func anExpiredTTLEndsTheList() {
        #expect(after([.setTTL(1), .decTTL(), .output(port: 2)]) == [.dropped(.ttlExpired)])
        #expect(after([.output(port: 3), .setTTL(1), .decTTL(), .output(port: 2)]) == [sent(3, Self.udp)])
    }

    @Test func tagsArePushedRewrittenAndPopped() {
        let tagged = "020000000002 020000000001 8100 600a 0800" + Self.udp.dropFirst(Self.ethernet.count)
        #expect(
            after([.pushVLAN(etherType: 0x8100), .setField(.vlanVID, FieldValue(low: 0x100a), mask: .ones(13)), .setVLANPCP(3), .output(port: 2)])
                == [sent(2, tagged)])
        #expect(after([.stripVLAN, .output(port: 2)], tagged) == [sent(2, Self.udp)])
        let double = "020000000002 020000000001 88a8 0000 8100 600a 0800" + Self.udp.dropFirst(Self.ethernet.count)
        #expect(after([.pushVLAN(etherType: 0x88a8), .output(port: 2)], tagged) == [sent(2, double)])
    }

    @Test func aLabelTakesTTLFromThePacketAndGoesAgain() {
        let labelled = "020000000002 020000000001 8847 00000140" + Self.udp.dropFirst(Self.ethernet.count)
        #expect(after([.pushMPLS(etherType: 0x8847), .output(port: 2)]) == [sent(2, labelled)])
        #expect(after([.popMPLS(etherType: 0x0800), .output(port: 2)], labelled) == [sent(2, Self.udp)])
    }

    @Test func whatLiesBeneathALabelIsMatchedAfterPopping() {
        let labelled = "020000000002 020000000001 8847 00000140" + Self.udp.dropFirst(Self.ethernet.count)
        var match = Match()
        match.require(.ethType, 0x0800)
        match.require(.ipv4Dst, 0x0a00_0002)
        let entries = [
            FlowEntry(actions: [.popMPLS(etherType: 0x0800), .gotoTable(1)]),
            FlowEntry(table: 1, match: match, actions: [.decTTL(), .output(port: 3)]),
        ]
        #expect(ends(labelled, entries) == [sent(3, Self.ethernet + "4500001c 00000000 3f1167cf 0a000001 0a000002 03e80050 0008e7a3")])
    }

    @Test func aFourthLabelStopsThePacket() {
        let push = Action.pushMPLS(etherType: 0x8847)
        #expect(after([.output(port: 2), push, push, push, push, .output(port: 3)]) == [.dropped(.tooManyMPLSLabels)])
    }

    @Test func theActionSetRunsInItsOwnOrder() {
        let labelled = "020000000002 020000000001 8847 0000013f" + "4500001c 00000000 401166cf 0a000001 0a000002 03e80050 0008e7a3"
        // A label is pushed before the TTL is decremented, wherever they stand, so only the label's TTL can change.
        let set: [Action] = [.output(port: 2), .decMPLSTTL, .pushMPLS(etherType: 0x8847)]
        #expect(after([.writeActions(set)]) == [sent(2, labelled)])
        #expect(after([.writeActions([.decTTL()])]) == [.dropped(.actionDrop)])
    }

    @Test func everyReasonForNoOutputHasItsName() {
        #expect(ends(Self.udp, []) == [.dropped(.noMatch)])
        #expect(after([.drop]) == [.dropped(.actionDrop)])
        #expect(after([.output(port: 1)]) == [.dropped(.outputToIngress)])
        #expect(after([.output(port: 9)]) == [.dropped(.noSuchPort)])
        #expect(after([.group(9)]) == [.dropped(.noSuchGroup)])
        #expect(after([.resubmit(inPort: nil, table: 0)]) == [.dropped(.resubmitDepth)])
        #expect(ends("020000000002 02000000", [FlowEntry(actions: [.output(port: 2)])]) == [.dropped(.frameTooShort)])
        let dead = Group(id: 1, kind: .fastFailover, buckets: [.init(id: 0, watchPort: 9, actions: [.output(port: 2)])])
        #expect(ends(Self.udp, [FlowEntry(actions: [.group(1)])], groups: [dead]) == [.dropped(.noLiveBucket)])
    }

    @Test func dispatchReadsAsItsOwnPortAndNoLonger() {
        var dispatched = Match()
        dispatched.require(.inPort, UInt64(ReservedPort.dispatch))
        let entries = [
            FlowEntry(actions: [.load(FieldValue(low: 7), Subfield(.reg0)), .output(port: ReservedPort.dispatch)]),
            FlowEntry(priority: 40000, match: dispatched, actions: [.output(port: 1), .output(port: ReservedPort.inPort), .output(port: 2)]),
        ]
        #expect(ends(Self.udp, entries) == [sent(1, Self.udp), sent(2, Self.udp)])
    }

    @Test func bucketsAndClonesLeaveThePacketAsItWas() {
        let all = Group(
            id: 1, kind: .all, buckets: [.init(id: 0, actions: [.setEthSrc(5), .output(port: 2)]), .init(id: 1, actions: [.output(port: 3)])])
        let changed = "020000000002 000000000005 0800" + Self.udp.dropFirst(Self.ethernet.count)
        #expect(
            ends(Self.udp, [FlowEntry(actions: [.group(1), .output(port: 4)])], groups: [all]) == [
                sent(2, changed), sent(3, Self.udp), sent(4, Self.udp),
            ])
        #expect(after([.clone([.setEthSrc(5), .output(port: 2)]), .output(port: 3)]) == [sent(2, changed), sent(3, Self.udp)])
    }

    @Test func conjunctionsNeedEveryClause() {
        func clause(_ n: Int, _ field: Field, _ value: UInt64) -> FlowEntry {
            var match = Match()
            match.require(.ethType, 0x0800)
            match.require(field, value)
            return FlowEntry(match: match, actions: [.conjunction(id: 5, clause: n, of: 2)])
        }
        var match = Match()
        match.require(.conjunctionID, 5)
        let hit = FlowEntry(match: match, actions: [.output(port: 2)])
        let other = FlowEntry(priority: 1, actions: [.output(port: 3)])
        #expect(ends(Self.udp, [clause(1, .ipv4Src, 0x0a00_0001), clause(2, .ipv4Dst, 0x0a00_0002), hit, other]) == [sent(2, Self.udp)])
        #expect(ends(Self.udp, [clause(1, .ipv4Src, 0x0a00_0001), clause(2, .ipv4Dst, 0x0a00_0003), hit, other]) == [sent(3, Self.udp)])
    }

    @Test func onlyTheFirstFragmentHasATransportChecksum() {
        let header = "4500002e 00000010 401166ad 0a000001 0a000002"
        let payload = "000102030405060708090a0b0c0d0e0f10111213141516171819"
        let expected = Self.ethernet + "4500002e 00000010 401163ad 0a000001 0a000302" + payload
        #expect(ends(Self.ethernet + header + payload, [FlowEntry(actions: [.setIPv4Dst(0x0a00_0302), .output(port: 2)])]) == [sent(2, expected)])
        #expect(
            ends(Self.ethernet + header + payload, [FlowEntry(actions: [.setIPv4Dst(0x0a00_0302), .output(port: 2)])], quirks: .openVSwitch) != [
                sent(2, expected)
            ])
    }
}
