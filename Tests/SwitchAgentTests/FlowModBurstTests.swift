import Flow
import OpenFlow
import SwitchAgent
import Testing

/// Flow-mods that come in bursts are taken past the general way through a session; nobody must be able to tell.
@Suite struct FlowModBurstTests {
    private typealias Controller = OpenFlowSessionTests.Controller

    /// Numbers from a seed (xorshift).
    private struct Source: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    /// Flow-mods that meet each other, some of which are refused: a group that is missing, an overlap, a table that is not for controllers.
    private func burst(_ source: inout Source, _ version: OpenFlowVersion) throws -> [[UInt8]] {
        let matches = [
            "ip,nw_src=10.0.0.\(Int.random(in: 1...3, using: &source))", "tcp,tcp_dst=\(Int.random(in: 1...4, using: &source))", "in_port=2", "udp6",
        ]
        let actions = [
            "drop", "output:2", "output:2", "set_field:1.2.3.4->ip_dst,output:3", "group:9", "group:1", "meter:1,output:1", "goto_table:9",
        ]
        return try (0..<60).map { n in
            let match = matches.randomElement(using: &source)!
            var list = actions.randomElement(using: &source)!
            if list.hasPrefix("set_field"), !match.hasPrefix("ip"), !match.hasPrefix("tcp,") { list = "output:3" }
            let more = ["", "", "", "idle_timeout=9,", "check_overlap,", "send_flow_rem,"].randomElement(using: &source)!
            let table = Int.random(in: 0...2, using: &source)
            let priority = Int.random(in: 1...2, using: &source)
            guard
                case .flowMod(var f) = try OpenFlowSessionTests.add("table=\(table),priority=\(priority),cookie=\(n),\(more)\(match),actions=\(list)")
            else { return [] }
            f.command = [.add, .add, .add, .deleteStrict, .deleteStrict, .delete, .modify].randomElement(using: &source)!
            if f.command != .add { f.entry.flags = [] }
            if f.command == .delete || f.command == .deleteStrict { f.entry.actions = [] }
            if Int.random(in: 0..<20, using: &source) == 0 { f.entry.table = 254 }
            var bytes = try MessageEncoder(version).encode(.flowMod(f), xid: UInt32(1000 + n))
            // A header or a match that is wrong.
            if Int.random(in: 0..<20, using: &source) == 0 { bytes[[0, 50, 52].randomElement(using: &source)!] ^= 0x40 }
            return bytes
        }
    }

    /// What the switch said: refusals, and the ends of entries.
    private func answers(_ bytes: [UInt8], _ version: OpenFlowVersion) throws -> [OpenFlowMessage] {
        var framer = MessageFramer()
        var decoder = MessageDecoder(version)
        framer.append(bytes)
        var all: [OpenFlowMessage] = []
        while case .message(let m) = framer.next() {
            var message = try decoder.decode(m)
            if case .flowRemoved(var f) = message.body {
                // How long an entry lived is another matter.
                (f.counters.seconds, f.counters.nanoseconds) = (0, 0)
                message.body = .flowRemoved(f)
            }
            all.append(message)
        }
        return all
    }

    @Test(arguments: 1...40) func aBurstMeansWhatItsMessagesMean(seed: Int) throws {
        var source = Source(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
        let version = OpenFlowVersion.allCases[seed % 3]
        let messages = try burst(&source, version)
        var outcomes: [(errors: [OpenFlowMessage], flows: [String], received: UInt64)] = []
        // At once; and one by one before the eyes of somebody who looks on, for whom each goes the general way.
        for isBurst in [true, false] {
            let agent = try OpenFlowSessionTests.agent()
            let c = try Controller(agent, version)
            let onlooker = isBurst ? nil : try Controller(agent, version, peer: .snooper)
            _ = try c.send(.groupMod(GroupMod(.add, Group(id: 1, kind: .all))))
            _ = try c.send(.meterMod(MeterMod(.add, Meter(id: 1, unit: .pktps, bands: [.drop(rate: 1, burst: 1)]))))
            if isBurst {
                // Cut where no message ends.
                let all = Array(messages.joined())
                agent.receive(Array(all[..<1001]), for: c.session)
                agent.receive(Array(all[1001...]), for: c.session)
            } else {
                for m in messages { agent.receive(m, for: c.session) }
            }
            let answers = try answers(c.wire.bytes, version)
            c.wire.bytes = []
            outcomes.append((answers, try c.flows().map { FlowText.text($0) }, c.session.received))
            #expect(onlooker == nil || !onlooker!.wire.bytes.isEmpty)
        }
        #expect(outcomes[0].errors == outcomes[1].errors)
        #expect(outcomes[0].flows == outcomes[1].flows)
        #expect(outcomes[0].received == outcomes[1].received)
        #expect(!outcomes[0].errors.isEmpty && !outcomes[0].flows.isEmpty)
    }
}
