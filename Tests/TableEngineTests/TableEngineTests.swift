import Testing

@testable import TableEngine

/// A small network of tables with what rules can do: chains, joins of three, a table asked twice, constants, functions, repeated variables.
private struct Sample {
    let engine = TableEngine()
    let inputs: [Relation]

    init() {
        let e = engine
        let port = e.relation("port", "datapath", "port", "host")
        let link = e.relation("link", "port", "peer")
        let mac = e.relation("mac", "port", "mac")
        inputs = [port, link, mac]
        let kinds = e.constants("kinds", ["host", "kind"], rows: [[0, 7], [1, 7], [2, 9]])
        let reach = e.relation("reach", "datapath", "other", isOutput: true)
        let twoSteps = e.relation("twoSteps", "datapath", "third", isOutput: true)
        let forward = e.relation("forward", "datapath", "mac", "port", isOutput: true)
        let alike = e.relation("alike", "datapath", "kind", "sum", isOutput: true)
        let selfLinked = e.relation("selfLinked", "port", isOutput: true)
        let neighbors = e.relation("neighbors", "port", "other", isOutput: true)
        let different = FunctionTable.condition("different", arguments: 2) { $0[0] != $0[1] }
        let sum = FunctionTable("sum", arguments: 2, results: 1) { arguments, results in
            results[0] = arguments[0] &+ arguments[1]
            return arguments[0] % 5 != 4
        }
        e.rule("reach", reach("d", "o"), if: port("d", "p", "h"), link("p", "q"), port("o", "q", "g"), different(["d", "o"]))
        e.rule("two steps", twoSteps("d", "t"), if: reach("d", "o"), reach("o", "t"), different(["d", "t"]))
        e.rule("forward here", forward("d", "m", "p"), if: port("d", "p", "h"), mac("p", "m"))
        e.rule("forward to the peer", forward("d", "m", "p"), if: port("d", "p", "h"), link("p", "q"), mac("q", "m"))
        e.rule("alike", alike("d", "k", "s"), if: port("d", "p", "h"), kinds("h", "k"), sum(["p", "k"], gives: ["s"]))
        e.rule("linked to itself", selfLinked("p"), if: link("p", "p"))
        e.rule("constant", selfLinked("p"), if: mac("p", 3))
        e.rule("neighbors", neighbors("p", "q"), if: port("d", "p", "h"), port("d", "q", "h"), different(["p", "q"]))
    }
}

@Suite struct TableEngineTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func incrementsEqualFullRecomputationOnRandomEdits(seed: UInt64) {
        let sample = Sample()
        var random = SplitMix(state: seed)
        var present: [String: Set<[UInt64]>] = ["kinds": [[0, 7], [1, 7], [2, 9]]]
        /// What a reader that only sees the changes believes.
        var seen: [String: Set<[UInt64]>] = [:]
        for step in 0..<40 {
            for _ in 0..<(1 + random.below(6)) {
                let relation = sample.inputs[Int(random.below(3))]
                let row = relation.columns.map { $0 == "mac" ? random.below(5) : random.below(6) }
                if present[relation.name, default: []].remove(row) != nil {
                    relation.remove(row)
                } else {
                    present[relation.name, default: []].insert(row)
                    relation.insert(row)
                }
            }
            sample.engine.run()
            let naive = NaiveEvaluation(rules: sample.engine.rules, inputs: present)
            for relation in sample.engine.relations {
                #expect(Set(relation.sortedRows) == naive.rows[relation.name] ?? [], "\(relation.name), seed \(seed), step \(step)")
                guard relation.isOutput else { continue }
                relation.drainChanges { row, isPresent in
                    if isPresent {
                        #expect(seen[relation.name, default: []].insert(Array(row)).inserted)
                    } else {
                        #expect(seen[relation.name, default: []].remove(Array(row)) != nil)
                    }
                }
                #expect(seen[relation.name] ?? [] == naive.rows[relation.name] ?? [])
            }
        }
        #expect(seen["twoSteps"]?.isEmpty == false && seen["neighbors"]?.isEmpty == false, "the sample reached its last tables")
    }

    @Test func aRowWithTwoDerivationsStaysUntilBothAreGone() {
        let engine = TableEngine()
        let a = engine.relation("a", "x"), b = engine.relation("b", "x"), c = engine.relation("c", "x", isOutput: true)
        engine.rule("from a", c("x"), if: a("x"))
        engine.rule("from b", c("x"), if: b("x"))
        a.insert([1])
        b.insert([1])
        engine.run()
        a.remove([1])
        engine.run()
        #expect(c.sortedRows == [[1]])
        b.remove([1])
        engine.run()
        #expect(c.sortedRows == [])
        var changes: [Bool] = []
        c.drainChanges { changes.append($1) }
        #expect(changes == [true, false])
    }

    @Test func changesThatCancelEachOtherCauseNoWork() {
        let sample = Sample()
        sample.engine.run()
        sample.inputs[0].insert([1, 2, 3])
        sample.inputs[0].remove([1, 2, 3])
        #expect(sample.engine.run() == TableEngine.Work())
    }

    @Test func theWorkForAChangeDoesNotGrowWithTheNumberOfDatapaths() {
        func work(datapaths: UInt64) -> TableEngine.Work {
            let sample = Sample()
            for d in 0..<datapaths {
                for p in 0..<8 as Range<UInt64> {
                    sample.inputs[0].insert([d, d * 8 + p, p % 3])
                    sample.inputs[2].insert([d * 8 + p, d * 8 + p])
                }
                sample.inputs[1].insert([d * 8, (d + 1) % datapaths * 8])
            }
            sample.engine.run()
            sample.inputs[0].insert([5, 1_000_000, 1])
            sample.inputs[2].insert([1_000_000, 77])
            return sample.engine.run()
        }
        let small = work(datapaths: 20)
        let large = work(datapaths: 2000)
        #expect(large.derivations == small.derivations && large.changed == small.changed)
        // Rows of other keys that share a bucket are looked at too, a few.
        #expect(large.visited <= small.visited + 16)
    }

    @Test func tablesThatKnowTheDatapathAreJoinedFirst() {
        let engine = TableEngine()
        let trigger = engine.relation("trigger", "datapath", "x", "y", "z")
        let wide = engine.relation("wide", "x", "y", "z", "w")
        let mastered = engine.relation("mastered", "datapath")
        let out = engine.relation("out", "datapath", "w")
        engine.rule("out", out("d", "w"), if: trigger("d", "x", "y", "z"), wide("x", "y", "z", "w"), mastered("d"))
        let plan = QueryPlan(engine.rules[0], changed: 0)
        #expect(plan.steps.map { $0.relation?.name } == ["mastered", "wide"])
        trigger.insert([9, 1, 2, 3])
        for w in 0..<50 as Range<UInt64> { wide.insert([1, 2, 3, w]) }
        engine.run()
        mastered.insert([8])
        #expect(engine.run().visited == 0, "a datapath that nobody knows is no work")
    }
}

/// Steele, Lea and Flood's generator.
struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
    mutating func below(_ n: UInt64) -> UInt64 { next() % n }
}
