import Datapath
import Flow
import Foundation
import ReferenceSwitch
import Testing

/// The datapath as the property test drives it.
struct DatapathUnderTest: SwitchUnderTest {
    private let element: ForwardingElement

    init(ports: [UInt32], usesCache: Bool, limits: Limits = Limits()) {
        let registry = PortRegistry(admitsNamedPorts: false)
        for p in ports { registry.attach(p) }
        element = ForwardingElement(limits: limits, ports: registry, usesCache: usesCache, maxFrameLength: 4096)
    }

    mutating func apply(_ modification: FlowModification, time: UInt64) {
        element.tables.expire(now: time)
        try? element.apply(modification, now: time)
    }

    mutating func process(_ packets: [ReceivedPacket]) -> [[PacketEvent.End]] {
        var ends = [[PacketEvent.End]](repeating: [], count: packets.count)
        let padded = packets.map { $0.bytes + [UInt8](repeating: 0xee, count: 64) }
        var frames: [ReceivedFrame] = []
        let total = padded.reduce(0) { $0 + $1.count }
        let arena = UnsafeMutableRawPointer.allocate(byteCount: max(total, 64), alignment: 64)
        defer { arena.deallocate() }
        var at = 0
        for (p, bytes) in zip(packets, padded) {
            bytes.withUnsafeBytes { (arena + at).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            frames.append(ReceivedFrame(bytes: arena + at, length: p.bytes.count, inPort: p.inPort, time: p.time))
            at += bytes.count
        }
        element.process(frames) { first, recorder in
            for e in recorder.events {
                let bytes = Array(recorder.bytes[e.offset..<(e.offset + e.length)])
                let end: PacketEvent.End
                switch e.kind {
                case .transmitted: end = .transmitted(port: element.tables.ports.number(at: Int(e.port)), bytes: bytes)
                case .controller: end = .controller(bytes: bytes)
                case .dropped: end = .dropped(DropReason(rawValue: UInt8(e.port))!)
                }
                ends[first + e.packet].append(end)
            }
        }
        return ends
    }
}

@Suite struct PropertyTests {
    /// Seconds to run, from the environment; half a minute in CI.
    static var seconds: Double { ProcessInfo.processInfo.environment["WEFT_PROPERTY_SECONDS"].flatMap(Double.init) ?? 10 }
    static var firstSeed: UInt64 {
        ProcessInfo.processInfo.environment["WEFT_PROPERTY_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 1...1_000_000_000)
    }

    /// A case takes a fraction of a second; one that takes so long has met something that grows without bound.
    static let longestCase = 60.0
    /// How long a difference may be made shorter, in seconds.
    static let longestShortening = 60.0

    /// The case as flow text, with its changes and packets in between.
    static func text(_ random: RandomCase) -> String {
        var lines = random.setup.map { FlowText.text($0) }
        for event in random.events {
            switch event {
            case .change(let change, let time): lines.append("at \(time): \(FlowText.text(change))")
            case .batch(let batch): lines += batch.map { "at \($0.time): in_port \($0.inPort), \(hexadecimal($0.bytes))" }
            }
        }
        return lines.joined(separator: "\n")
    }

    @Test func hitsMissesAndTheNaiveSwitchAgreeByteForByte() {
        let start = Date()
        var seed = Self.firstSeed
        print("property test: first seed \(seed)")
        var cases = 0
        var slowest = (seconds: 0.0, seed: seed)
        while Date().timeIntervalSince(start) < Self.seconds || cases == 0 {
            let random = RandomCase(seed: seed)
            let caseStart = Date()
            for usesCache in [true, false] {
                if let d = random.firstDifference(of: DatapathUnderTest(ports: random.ports, usesCache: usesCache)) {
                    let deadline = Date() + Self.longestShortening
                    let short = random.shortened(upTo: d) {
                        Date() < deadline && $0.firstDifference(of: DatapathUnderTest(ports: $0.ports, usesCache: usesCache)) != nil
                    }
                    let e = short.firstDifference(of: DatapathUnderTest(ports: short.ports, usesCache: usesCache))
                    Issue.record("seed \(seed), caches \(usesCache ? "on" : "off")\n\(Self.text(short))\n\(e.map { "\($0)" } ?? "\(d)")")
                    return
                }
            }
            let seconds = Date().timeIntervalSince(caseStart)
            if seconds > slowest.seconds { slowest = (seconds, seed) }
            cases += 1
            seed += 1
        }
        print("property test: \(cases) cases agreed, last seed \(seed - 1); the slowest, seed \(slowest.seed), took \(slowest.seconds) s")
        #expect(slowest.seconds < Self.longestCase, "seed \(slowest.seed)")
    }
}
