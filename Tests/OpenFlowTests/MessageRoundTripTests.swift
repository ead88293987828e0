import Flow
import Foundation
import Testing

@testable import OpenFlow

@Suite struct MessageRoundTripTests {
    @Test(arguments: OpenFlowVersion.allCases)
    func everyMessageReadsBackAsItself(version: OpenFlowVersion) throws {
        var decoder = MessageDecoder(version)
        for m in MessageSamples.all(version) {
            let bytes = try MessageEncoder(version).encode(m, xid: 0x2a)
            let back = try decoder.decode(bytes)
            #expect(back == OpenFlowMessage(version, xid: 0x2a, m))
        }
    }

    /// What Open vSwitch 3.1 does not read: experimenters that nobody knows, `flow-stats` of 1.5,
    /// the flow format, which is 1.0's, and messages that are 1.3's.
    private func isUnknownToOpenVSwitch(_ m: Message, _ version: OpenFlowVersion) -> Bool {
        switch m {
        case .experimenter: true
        case .nicira(.setFlowFormat): true
        case .nicira(.setAsync2): version >= .v14
        case .nicira(.flowMonitorCancel), .nicira(.flowMonitorPaused), .nicira(.flowMonitorResumed): version >= .v14
        case .multipartRequest(let r):
            switch r.body {
            case .experimenter, .flowStats: true
            default: false
            }
        case .multipartReply(let r):
            switch r.body {
            case .experimenter, .flowStats: true
            default: false
            }
        default: false
        }
    }

    @Test(arguments: OpenFlowVersion.allCases)
    func openVSwitchKnowsEveryMessage(version: OpenFlowVersion) throws {
        guard OpenVSwitchPrint.isInstalled else { return }
        let samples = MessageSamples.all(version).filter { !isUnknownToOpenVSwitch($0, version) }
        var left = try OpenVSwitchPrint.lines(samples.map { try MessageEncoder(version).encode($0, xid: 0x2a) })[...]
        for m in samples {
            guard let line = left.popFirst() else {
                Issue.record("Open vSwitch printed fewer messages")
                return
            }
            // A bundle message shows the message inside on a line of its own.
            if case .bundleAdd = m { _ = left.popFirst() }
            #expect(!line.contains("decode error"), "\(m) is to Open vSwitch \(line.prefix(300))")
            let name = line.prefix { $0 != "(" }.trimmingCharacters(in: .whitespaces)
            #expect(name.hasPrefix(OpenVSwitchPrint.name(m, version)), "\(line.prefix(100))")
        }
        #expect(left.isEmpty)
    }

    /// Every prefix of a message, its length field set to fit, is a message or an error; nothing traps.
    @Test(arguments: OpenFlowVersion.allCases)
    func everyTruncationIsAnswered(version: OpenFlowVersion) throws {
        var decoder = MessageDecoder(version)
        for m in MessageSamples.all(version) {
            let bytes = try MessageEncoder(version).encode(m, xid: 0x2a)
            for count in MessageHeader.size..<bytes.count {
                var cut = Array(bytes[..<count])
                cut[2] = UInt8(count >> 8)
                cut[3] = UInt8(count & 0xff)
                do throws(OpenFlowError) {
                    _ = try decoder.decode(cut)
                } catch {
                    #expect(error.xid == 0x2a)
                    #expect(error.data == Array(cut.prefix(64)))
                }
            }
        }
    }

    @Test func aMessageOfAnotherVersionIsRefused() throws {
        var decoder = MessageDecoder(.v13)
        let bytes = try MessageEncoder(.v15).encode(.barrierRequest, xid: 9)
        do throws(OpenFlowError) {
            _ = try decoder.decode(bytes)
            Issue.record("was read")
        } catch {
            #expect(error.code == .badRequestVersion)
            #expect(error.xid == 9)
        }
        let hello = try MessageEncoder(.v13).encode(.hello(Hello(highest: 6, bitmap: 0x70)), xid: 1)
        #expect(MessageDecoder.hello(hello) == Hello(highest: 6, bitmap: 0x70))
    }

    @Test func versionsAreNegotiatedByBitmapOrByTheSmallerNumber() {
        let all: Set<OpenFlowVersion> = [.v13, .v14, .v15]
        #expect(OpenFlowVersion.negotiate(supported: all, peerVersion: 6, peerBitmap: 1 << 4 | 1 << 5) == .v14)
        #expect(OpenFlowVersion.negotiate(supported: all, peerVersion: 6, peerBitmap: nil) == .v15)
        #expect(OpenFlowVersion.negotiate(supported: all, peerVersion: 4, peerBitmap: nil) == .v13)
        #expect(OpenFlowVersion.negotiate(supported: all, peerVersion: 9, peerBitmap: nil) == .v15)
        #expect(OpenFlowVersion.negotiate(supported: all, peerVersion: 1, peerBitmap: nil) == nil)
        #expect(OpenFlowVersion.negotiate(supported: [.v13], peerVersion: 5, peerBitmap: 1 << 5 | 2) == nil)
    }

    @Test(arguments: OpenFlowVersion.allCases)
    func aDumpOfManyEntriesIsCutIntoMessagesAndLosesNone(version: OpenFlowVersion) throws {
        var writer = MultipartReplyWriter(.flow, version: version, xid: 5)
        var framer = MessageFramer()
        var decoder = MessageDecoder(version)
        var priorities: [UInt16] = []
        var flags: [Bool] = []
        func drain() throws {
            while case .message(let m) = framer.next() {
                guard case .multipartReply(let reply) = try decoder.decode(m).body, case .flow(let entries) = reply.body else {
                    Issue.record("another message")
                    return
                }
                flags.append(reply.more)
                priorities += entries.map(\.entry.priority)
            }
        }
        for i in 0..<5000 {
            var e = MessageSamples.entry("tcp,nw_src=10.0.0.1,tp_dst=80,actions=output:1")
            e.priority = UInt16(i)
            writer.append(FlowStatistics(e, MessageSamples.counters))
            framer.append(writer.takeComplete())
            try drain()
        }
        framer.append(try writer.finish())
        try drain()
        #expect(priorities == (0..<5000).map { UInt16($0) })
        #expect(flags.count > 5)
        #expect(flags == Array(repeating: true, count: flags.count - 1) + [false])
        #expect(framer.pendingBytes == 0)
    }

    @Test func whatAVersionCannotSayIsAnErrorOfEncoding() {
        #expect(throws: OpenFlowEncodingError.self) { try MessageEncoder(.v13).encode(.multipartRequest(MultipartRequest(.tableDesc)), xid: 1) }
        #expect(throws: OpenFlowEncodingError.self) {
            try MessageEncoder(.v13).encode(
                .groupMod(GroupMod(.insertBuckets, Group(id: 1, kind: .select))), xid: 1)
        }
        #expect(throws: OpenFlowEncodingError.self) { try MessageEncoder(.v13).encode(.echoRequest(Array(repeating: 0, count: 70000)), xid: 1) }
    }
}
