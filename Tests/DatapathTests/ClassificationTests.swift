import Flow
import Testing

@testable import Datapath

/// A generator with a printed seed.
private struct Random {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
    mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
}

@Suite struct ClassificationTests {
    /// The naive twin: all live entries, highest priority first.
    private func best(_ entries: [FlowEntry], _ key: FlowKey) -> FlowEntry? {
        entries.filter { $0.match.accepts(key) }.max { $0.priority < $1.priority }
    }

    private func entry(_ random: inout Random, priority: UInt16) -> FlowEntry {
        var match = Match()
        if random.below(4) > 0 { match.require(.ethType, 0x0800) }
        // Few values under many masks, so that entries overlap and packets match.
        for (field, bits) in [(Field.ipv4Src, 32), (.ipv4Dst, 32), (.reg0, 32)] where random.below(3) > 0 {
            let length = [8, 12, 16, 20, 24, 28, 32][random.below(7)]
            let value = UInt64([0x0a00_0000, 0x0a10_2030, 0xc0a8_0101, 0x0aff_ff00][random.below(4)]) ^ UInt64(random.below(4))
            match.require(field, FieldValue(low: value), mask: .ones(length) << (bits - length))
        }
        for field in [Field.tcpSrc, .tcpDst] where random.below(3) == 0 { match.require(field, UInt64(random.below(6))) }
        return FlowEntry(table: 0, priority: priority, match: match, actions: [.output(port: UInt32(priority) % 100 + 1)], cookie: UInt64(priority))
    }

    private func key(_ random: inout Random) -> FlowKey {
        var k = FlowKey()
        k[.ethType] = random.below(8) == 0 ? 0x86dd : 0x0800
        for field in [Field.ipv4Src, .ipv4Dst, .reg0] {
            k[field] = UInt64([0x0a00_0000, 0x0a10_2030, 0xc0a8_0101, 0x0aff_ff00][random.below(4)]) ^ UInt64(random.below(4))
        }
        k[.tcpSrc] = UInt64(random.below(6))
        k[.tcpDst] = UInt64(random.below(6))
        return k
    }

    private func lookup(_ tables: FlowTables, _ key: FlowKey) -> FlowEntry? {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: FlowKeyLayout.wordCount) { words in
            for w in 0..<FlowKeyLayout.wordCount { words[w] = key.words[w] }
            return FlowTables.head(tables.shared, 0).lookup(words.baseAddress!, version: tables.version).map { tables.entry($0) }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyShapeOfTableFindsWhatAListFinds(seed: UInt64) throws {
        var random = Random(state: seed)
        let tables = FlowTables()
        var live: [FlowEntry] = []
        var priority: UInt16 = 1
        // Grows through the linear, the tuple and the tree shape, and shrinks back through them.
        for step in 0..<240 {
            let grows = step < 140 ? random.below(5) > 0 : random.below(5) == 0
            if grows || live.isEmpty {
                // Priorities are unique, so that there is one right answer; half of them come in above all others.
                priority &+= 1
                let e = entry(&random, priority: random.below(2) == 0 ? priority : UInt16.max - priority)
                try tables.add(e, now: 0)
                live.append(e)
            } else {
                let e = live.remove(at: random.below(live.count))
                try tables.apply(.flow(.deleteStrict, e), now: 0)
            }
            if random.below(8) > 0 { continue }
            tables.publish()
            for _ in 0..<20 {
                let k = key(&random)
                let found = lookup(tables, k)
                #expect(found?.cookie == best(live, k)?.cookie, "seed \(seed), step \(step), \(live.count) entries")
            }
        }
    }

    /// A tree over many words keeps equal subtrees once, so there are far more ways to its leaves than leaves.
    @Test(.timeLimit(.minutes(1))) func entriesLeaveATreeOfManyWaysInATimeThatTheNodesBound() throws {
        let tables = FlowTables()
        var live: [FlowEntry] = []
        for register in 0..<16 {
            for value in 0..<7 as Range<UInt64> {
                var match = Match()
                match.require(.register(register), value * 0x0101_0101 + 1)
                let e = FlowEntry(
                    priority: UInt16(register * 7) + UInt16(value) + 1, match: match, actions: [.output(port: 1)], cookie: UInt64(live.count))
                try tables.add(e, now: 0)
                live.append(e)
            }
        }
        tables.publish()
        var random = Random(state: 7)
        while live.count > 20 {
            let e = live.remove(at: random.below(live.count))
            try tables.apply(.flow(.deleteStrict, e), now: 0)
            tables.publish()
            var k = FlowKey()
            for register in 0..<16 { k[.register(register)] = UInt64(random.below(7)) * 0x0101_0101 + 1 }
            #expect(lookup(tables, k)?.cookie == best(live, k)?.cookie, "\(live.count) entries")
        }
    }

    @Test func aWorkerThatStaysBehindSeesItsOwnVersion() throws {
        let tables = FlowTables()
        try tables.add(FlowEntry(priority: 1, actions: [.output(port: 1)], cookie: 1), now: 0)
        tables.publish()
        let old = tables.version
        let reader = ReaderEpoch()
        reader.enter(old)
        reader.collected(old)
        tables.register(reader)
        for i in 2...40 as ClosedRange<UInt16> { try tables.add(FlowEntry(priority: i, actions: [.output(port: 1)], cookie: UInt64(i)), now: 0) }
        try tables.apply(.flow(.deleteStrict, FlowEntry(priority: 1)), now: 0)
        tables.publish()
        let key = FlowKey()
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: FlowKeyLayout.wordCount) { words in
            for w in 0..<FlowKeyLayout.wordCount { words[w] = key.words[w] }
            #expect(FlowTables.head(tables.shared, 0).lookup(words.baseAddress!, version: old)?.cookie == 1)
            #expect(FlowTables.head(tables.shared, 0).lookup(words.baseAddress!, version: tables.version)?.cookie == 40)
        }
        tables.unregister(reader)
    }
}
