import Datapath
import Flow
import ReferenceSwitch
import Testing

/// A switch that does almost everything right.
private struct FlawedSwitch: SwitchUnderTest {
    var inner: NaiveSwitch
    mutating func apply(_ modification: FlowModification, time: UInt64) { inner.apply(modification, time: time) }
    mutating func process(_ packets: [ReceivedPacket]) -> [[PacketEvent.End]] {
        inner.process(packets).map { ends in
            ends.map { end in
                if case .transmitted(let port, var bytes) = end, port == 3, bytes.count > 60 {
                    bytes[bytes.count - 1] ^= 1
                    return .transmitted(port: port, bytes: bytes)
                }
                return end
            }
        }
    }
}

@Suite struct RandomCaseTests {
    @Test func aCaseIsTheSameEveryTime() {
        let first = RandomCase(seed: 7)
        #expect(first.firstDifference(of: NaiveSwitch(ports: first.ports)) == nil)
        #expect(String(describing: RandomCase(seed: 7).setup) == String(describing: first.setup))
        #expect(String(describing: RandomCase(seed: 8).setup) != String(describing: first.setup))
    }

    @Test func aDifferenceIsFoundAndShortened() throws {
        var found: (RandomCase, Difference)?
        for seed in 1...20 where found == nil {
            let random = RandomCase(seed: UInt64(seed), batches: 4)
            if let d = random.firstDifference(of: FlawedSwitch(inner: NaiveSwitch(ports: random.ports))) { found = (random, d) }
        }
        let (random, difference) = try #require(found)
        let short = random.shortened(upTo: difference) { $0.firstDifference(of: FlawedSwitch(inner: NaiveSwitch(ports: $0.ports))) != nil }
        #expect(short.setup.count < random.setup.count)
        #expect(short.events.count == 1)
    }

    /// Guards against a generator whose packets all end in the first table, or all in the same way.
    @Test func packetsMeetEntriesAndEndInManyWays() {
        var ends: [String: Int] = [:]
        var total = 0
        for seed in 1...40 {
            let random = RandomCase(seed: UInt64(seed), batches: 3)
            let reference = NaiveSwitch(ports: random.ports)
            for change in random.setup { reference.apply(change, time: 0) }
            for case .batch(let batch) in random.events {
                for end in reference.process(batch).joined() {
                    total += 1
                    switch end {
                    case .transmitted: ends["transmitted", default: 0] += 1
                    case .controller: ends["controller", default: 0] += 1
                    case .dropped(let reason): ends[reason.name, default: 0] += 1
                    }
                }
            }
        }

        #expect(ends["transmitted", default: 0] * 2 > total)
        for name in ["controller", "noMatch", "actionDrop", "ttlExpired", "outputToIngress", "noSuchPort", "meter", "frameTooShort"] {
            #expect(ends[name, default: 0] > 0, "\(name)")
        }
    }
}
