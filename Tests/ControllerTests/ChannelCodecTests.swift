import Flow
import Foundation
import LogicalNetwork
import OpenFlow
import PhysicalControl
import Testing
import Translation

@Suite struct ChannelCodecTests {
    /// One of each message.
    private static var messages: [ChannelMessage] {
        var part = ChannelMessage.HostPart(name: "A", number: 3)
        part.added = [
            .member, .datapath(4), .tunnel(remote: 2, address: IPAddress("2001:db8::7")!),
            .relayed(remote: 3, pool: 2, address: IPAddress("192.0.2.9")!),
            .relay(remote: 5), .flood(datapath: 4, ports: [1, 2], check: 0xabcdef),
        ]
        let group = UniversalGroup(datapath: 4, host: 3)
        let entry = FlowText.parse("table=5,priority=7,ip,reg0=0x4,actions=load:0x2->NXM_NX_REG1[],resubmit(,6)").modifications.compactMap {
            if case .flow(_, let e, _, _, _) = $0 { ControllerLab.asTold(e) } else { nil }
        }[0]
        return [
            .hello(.init(name: "p")), .have(set: 2, [.init(group: group, digest: UniversalDigest([entry]))]),
            .subscribe(set: 16, hosts: ["A", "B"]),
            .unsubscribe(host: "A"), .claim(host: "A", generation: nil), .claim(host: "A", generation: .max), .release(host: "A"),
            .left(host: "A", reason: "\"quoted\""), .leads(.init(sets: 3, led: [.init(set: 2, generation: .max)])),
            .begin(revision: .max, set: 3), .host(part),
            .group(.init(group: group, isWhole: true)), .entry(group, isAdded: true, entry), .entry(group, isAdded: false, entry), .end,
            .granted(host: "A", generation: 2), .revoked(host: "A"), .echo, .echoReply,
        ]
    }

    private func words(_ all: [ChannelMessage]) -> [String] { all.map { "\($0)" } }

    private func decode(_ pieces: [ArraySlice<UInt8>]) throws -> [ChannelMessage] {
        var decoder = ChannelCodec.Decoder()
        var out: [ChannelMessage] = []
        for piece in pieces {
            decoder.append(piece)
            while let m = try decoder.next() { out.append(m) }
        }
        return out
    }

    @Test func messagesAreWhatTheyWereWhereverTheStreamIsCut() throws {
        let whole = try decode([Self.messages.flatMap(ChannelCodec.encode)[...]])
        // A removed entry is told without its actions, the rest as it is.
        #expect(whole.count == Self.messages.count)
        for (a, b) in zip(words(whole), words(Self.messages)) where !a.contains("isAdded: false") { #expect(a == b) }
        for (message, told) in zip(Self.messages, words(whole)) {
            let bytes = ChannelCodec.encode(message)
            for at in 0..<bytes.count { #expect(words(try decode([bytes[..<at], bytes[at...]])) == [told]) }
        }
    }

    @Test func whatIsNoMessageIsRefusedWithAReason() {
        func reason(_ bytes: [UInt8]) -> String {
            do throws(ChannelError) {
                var decoder = ChannelCodec.Decoder()
                decoder.append(bytes)
                return "\(String(describing: try decoder.next()))"
            } catch { return error.description }
        }
        func json(_ text: String) -> [UInt8] { [0, 0, 0, UInt8(text.utf8.count + 1), 0] + Array(text.utf8) }
        #expect(reason([0, 0, 0, 1, 0]) == "a frame of 1 bytes")
        #expect(reason([255, 0, 0, 0, 0]).hasPrefix("a frame of 4278190080"))
        #expect(reason([0, 0, 0, 2, 9, 9]) == "a frame of kind 9")
        #expect(reason(json("{")).hasPrefix("a message cannot be read"))
        #expect(reason(json("{\"echo\":true,\"end\":true}")) == "a message says 2 things that are known")
        #expect(reason(json("{\"news\":1}")) == "a message says 0 things that are known")
        #expect(
            reason(json("{\"host\":{\"name\":\"A\",\"number\":1,\"isWhole\":true,\"isGone\":false,\"removed\":[],\"added\":[{\"new\":1}]}}"))
                .contains("fact"))
        #expect(reason(json("{\"granted\":{\"host\":\"A\"}}")) == "a grant without a generation")
        #expect(reason([0, 0, 0, 3, 1, 0, 0]) == "an entry of 2 bytes")
        let hello = try! MessageEncoder(.v15).encode(.echoRequest([]), xid: 0)
        #expect(reason([0, 0, 0, UInt8(17 + hello.count), 1] + [UInt8](repeating: 0, count: 16) + hello) == "an entry is neither added nor removed")
    }

    @Test func noBytesMakeItTrap() throws {
        let good = Self.messages.flatMap(ChannelCodec.encode)
        var state: UInt64 = 4711
        func next(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(n))
        }
        var refused = 0
        for _ in 0..<1000 {
            var bytes = good
            for _ in 0...next(4) {
                switch next(3) {
                case 0: bytes[next(bytes.count)] = UInt8(next(256))
                case 1: bytes.removeSubrange(next(bytes.count)..<bytes.count)
                default: bytes.insert(UInt8(next(256)), at: next(bytes.count + 1))
                }
                if bytes.isEmpty { bytes = [0] }
            }
            var decoder = ChannelCodec.Decoder()
            var assembler = UniversalUpdate.Assembler()
            let copy = UniversalCopy()
            decoder.append(bytes)
            do throws(ChannelError) {
                while let m = try decoder.next() {
                    switch m {
                    case .begin, .host, .group, .entry, .end: if let u = try assembler.add(m) { _ = try copy.apply(u) }
                    default: break
                    }
                }
            } catch { refused += 1 }
        }
        #expect(refused > 300)
    }
}
