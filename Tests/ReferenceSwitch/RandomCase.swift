import Datapath
import Flow

/// One random case: a pipeline, then packets in small batches with changes of the tables and passing time between them.
///
/// The case is a value made from its seed alone, so that it can be run on several switches and shortened after a failure.
public struct RandomCase: Sendable {
    public enum Event: Sendable {
        case change(FlowModification, time: UInt64)
        case batch([ReceivedPacket])
    }
    public let seed: UInt64
    public let ports: [UInt32]
    public private(set) var setup: [FlowModification]
    public private(set) var events: [Event] = []

    /// - Parameters:
    ///   - batches: How many batches of 1…40 packets to make.
    ///   - choosesByHash: Whether `HashFunctions` matter.
    public init(seed: UInt64, batches: Int = 12, choosesByHash: Bool = false) {
        self.seed = seed
        var pipeline = RandomPipeline(seed: seed, choosesByHash: choosesByHash)
        setup = pipeline.modifications
        ports = pipeline.pool.ports
        var packets = RandomPackets(pool: pipeline.pool, seed: seed ^ 0x5eed)
        var random = SplitMix64(seed: seed ^ 0xe7e7)
        var now: UInt64 = 1_000_000_000
        for _ in 0..<batches {
            var batch: [ReceivedPacket] = []
            let same = packets.next()
            for _ in 0..<random.within(1...40) {
                // Some packets come again, so that caches have something to hit.
                let bytes = random.chance(35) ? same : packets.next()
                now += UInt64(random.pick([0, 1_000, 1_000_000, 200_000_000]))
                batch.append(ReceivedPacket(bytes: bytes, inPort: random.pick(ports), time: now))
            }
            events.append(.batch(batch))
            for _ in 0..<random.below(4) { events.append(.change(pipeline.edit(), time: now)) }
            if random.chance(30) { now += UInt64(random.within(1...15)) * 1_000_000_000 }
        }
    }

    /// Where the switch first differs from the reference, or nil.
    public func firstDifference(of candidate: some SwitchUnderTest, hashes: HashFunctions = .first, limits: Limits = Limits()) -> Difference? {
        let reference = NaiveSwitch(ports: ports, limits: limits, hashes: hashes)
        var candidate = candidate
        for change in setup {
            reference.apply(change, time: 0)
            candidate.apply(change, time: 0)
        }
        for (index, event) in events.enumerated() {
            switch event {
            case .change(let change, let time):
                reference.apply(change, time: time)
                candidate.apply(change, time: time)
            case .batch(let batch):
                let expected = reference.process(batch)
                let actual = candidate.process(batch)
                for i in batch.indices where i >= actual.count || expected[i] != actual[i] {
                    return Difference(seed: seed, event: index, packet: batch[i], expected: expected[i], actual: i < actual.count ? actual[i] : [])
                }
            }
        }
        return nil
    }

    /// The case without what the difference does not need: later events, then every entry, change and packet that can go.
    ///
    /// - Parameter differs: Whether a shortened case still shows a difference.
    public func shortened(upTo difference: Difference, differs: (RandomCase) -> Bool) -> RandomCase {
        var best = self
        best.events = Array(events.prefix(difference.event + 1))
        for i in best.events.indices.reversed() {
            var attempt = best
            attempt.events.remove(at: i)
            if differs(attempt) { best = attempt }
        }
        for i in best.events.indices.reversed() {
            guard case .batch(let batch) = best.events[i] else { continue }
            var kept = batch
            for j in batch.indices.reversed() {
                var fewer = kept
                fewer.remove(at: j)
                var attempt = best
                attempt.events[i] = .batch(fewer)
                if differs(attempt) { (best, kept) = (attempt, fewer) }
            }
        }
        for i in best.setup.indices.reversed() {
            var attempt = best
            attempt.setup.remove(at: i)
            if differs(attempt) { best = attempt }
        }
        return best
    }
}

/// A packet with which two switches disagree.
public struct Difference: CustomStringConvertible, Sendable {
    public var seed: UInt64
    /// Position in the case's events.
    public var event: Int
    public var packet: ReceivedPacket
    public var expected: [PacketEvent.End]
    public var actual: [PacketEvent.End]

    public var description: String {
        """
        seed \(seed), event \(event), in_port \(packet.inPort), time \(packet.time)
          packet   \(hexadecimal(packet.bytes))
          expected \(lines(expected))
          actual   \(lines(actual))
        """
    }

    private func lines(_ ends: [PacketEvent.End]) -> String {
        ends.map { end in
            switch end {
            case .transmitted(let port, let bytes): "port \(port): \(hexadecimal(bytes))"
            case .controller(let bytes): "controller: \(hexadecimal(bytes))"
            case .dropped(let reason): "dropped: \(reason.name)"
            }
        }.joined(separator: "\n           ")
    }
}

/// Two digits per byte, without spaces.
public func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { (String($0, radix: 16).count == 1 ? "0" : "") + String($0, radix: 16) }.joined()
}
