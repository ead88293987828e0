import Flow
import LogicalNetwork
import RandomNetworks
import Testing

@testable import NetworkSimulation
@testable import Translation

@Suite struct IncrementTests {
    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func afterRandomEditsAllPlanesAreThoseOfAFullComputation(seed: UInt64) throws {
        var random = RandomNetwork(seed: seed)
        let translation = NetworkTranslation()
        var hosts: [String: NaiveHost] = [:]
        for step in 0..<HistoryLength.steps(60) {
            for _ in 0..<(step % 3 + 1) { random.edit() }
            translation.apply(random.network)
            for change in translation.takeChanges() {
                for m in change.modifications { hosts[change.host, default: NaiveHost()].apply(m) }
                #expect(hosts[change.host]?.faults ?? [] == [], "seed \(seed), step \(step)")
            }
            let fresh = NetworkTranslation(numbers: .whole, numbersOf: translation)
            fresh.apply(random.network)
            for (a, b) in zip(translation.engine.relations, fresh.engine.relations) {
                #expect(a.sortedRows == b.sortedRows, "\(a.name), seed \(seed), step \(step)")
            }
            for name in translation.hostNames {
                let program = try #require(fresh.program(host: name))
                let held = hosts[name] ?? NaiveHost()
                if Set(held.entries.values) != Set(program.entries) || Set(held.meters.values) != Set(program.meters) {
                    let missing = Set(program.entries).subtracting(held.entries.values).map(FlowText.text)
                    let extra = Set(held.entries.values).subtracting(program.entries).map(FlowText.text)
                    Issue.record("\(name), seed \(seed), step \(step): missing \(missing.prefix(5)), too many \(extra.prefix(5))")
                    return
                }
                #expect(
                    program.entries.count == Set(program.entries.map(\.identity)).count
                )
            }
        }
        #expect(hosts.values.contains { $0.entries.count > 100 })
    }

    /// The same with the tables that forward, which have meanings of their own for deletions by cookie and for meters.
    @Test(arguments: [21, 22] as [UInt64])
    func theTablesOfHostsHoldWhatTheyShouldAfterRandomEdits(seed: UInt64) throws {
        var random = RandomNetwork(seed: seed)
        let translation = NetworkTranslation()
        translation.apply(random.network)
        let network = try SimulatedNetwork(translation)
        for step in 0..<HistoryLength.steps(60) {
            random.edit()
            translation.apply(random.network)
            try network.update()
            for name in translation.hostNames {
                let program = try #require(translation.program(host: name)), held = try #require(network.held(host: name))
                #expect(
                    Set(held.entries) == Set(program.entries) && held.entries.count == program.entries.count, "\(name), seed \(seed), step \(step)")
                #expect(Set(held.meters) == Set(program.meters), "\(name), seed \(seed), step \(step)")
            }
        }
    }

    /// Tenants with two switches and a router each.
    static func network(tenants: Int, ports: Int) -> NetworkDescription {
        var network = NetworkDescription(
            hosts: (0..<10).map { Host(name: "h\($0)", address: IPAddress(family: .ipv4, low: 0xc000_0200 + UInt64($0))) })
        for t in 0..<tenants {
            var tenant = Tenant(name: "t\(t)")
            var router = LogicalRouter(name: "r")
            for s in 0..<2 {
                var sw = LogicalSwitch(name: "s\(s)")
                for p in 0..<ports {
                    sw.ports.append(
                        SwitchPort(
                            name: "p\(p)", mac: .init(0x0200_0000_0000 + UInt64(s * 1000 + p)),
                            addresses: [IPAddress(family: .ipv4, low: 0x0a00_0000 + UInt64(s) << 16 + UInt64(p) + 10)], host: "h\(p % 10)"))
                }
                tenant.switches.append(sw)
                router.ports.append(
                    RouterPort(
                        name: "p\(s)", addresses: [AddressPrefix(IPAddress(family: .ipv4, low: 0x0a00_0001 + UInt64(s) << 16), length: 16)],
                        peer: .logicalSwitch("s\(s)")))
            }
            tenant.routers = [router]
            network.tenants.append(tenant)
        }
        return network
    }

    @Test func theWorkForOnePortDoesNotGrowWithTheNetwork() {
        func work(tenants: Int, ports: Int) -> NetworkTranslation.Summary {
            let translation = NetworkTranslation()
            translation.apply(Self.network(tenants: tenants, ports: ports))
            let port = SwitchPort(name: "new", mac: .init(0x0299_0000_0001), addresses: [IPAddress("10.0.200.1")!], host: "h3")
            return translation.change(remove: [], put: [.switchPort(tenant: "t0", owner: "s0", port)])
        }
        let small = work(tenants: 3, ports: 10)
        let large = work(tenants: 30, ports: 100)
        #expect(small.added == 1 && large.added == 1)
        #expect(small.work.derivations == large.work.derivations && small.work.changed == large.work.changed)
        #expect(small.work.changed < 30 && large.work.visited <= small.work.visited + 20)
    }

    @Test func onlyHostsThatAreConcernedAreTold() {
        let translation = NetworkTranslation()
        var network = Self.network(tenants: 3, ports: 1)
        translation.apply(network)
        _ = translation.takeChanges()
        network.tenants[1].switches[0].access.rules = [AccessRule(name: "x", direction: .in, verdict: .drop)]
        translation.apply(network)
        let changes = translation.takeChanges()
        #expect(changes.map(\.host) == ["h0"])
        #expect(changes.first?.modifications.count == 1)
    }

    @Test func theUniversalPlaneIsOneForAllHostsAndTheRestDiffersInLocalValuesOnly() throws {
        let translation = NetworkTranslation()
        translation.apply(Self.network(tenants: 2, ports: 20))
        var ofIngress: [String: Set<FlowEntry>] = [:]
        func split(_ host: String) throws -> (universal: Set<FlowEntry>, local: [FlowEntry]) {
            let all = try #require(translation.program(host: host)).entries
            let universal = all.filter { Cookie(value: $0.cookie).kind?.isUniversal == true }
            ofIngress[host] = Set(universal.filter { Cookie(value: $0.cookie).kind!.isOfIngressPort && Cookie(value: $0.cookie).detail != 0 })
            return (Set(universal), all.filter { Cookie(value: $0.cookie).kind?.isUniversal == false })
        }
        let a = try split("h0"), b = try split("h1")
        // What holds a workload to its addresses is where it is, the rest everywhere.
        let everything = Set(translation.universalEntries())
        let held = translation.hostNames.reduce(into: Set<FlowEntry>()) { sum, host in
            if let one = try? split(host).universal { sum.formUnion(one) }
        }
        #expect(held == everything && ofIngress["h0"]!.count > 8 && ofIngress["h0"]!.isDisjoint(with: ofIngress["h1"]!))
        #expect(a.universal.subtracting(ofIngress["h0"]!) == b.universal.subtracting(ofIngress["h1"]!))
        #expect(a.universal.subtracting(ofIngress["h0"]!) == everything.subtracting(ofIngress.values.reduce([]) { $0.union($1) }))
        for entry in a.local + b.local {
            #expect([.ingressMapping, .arrival, .physicalMapping, .localDelivery].contains(Stage(rawValue: entry.table)))
        }
        #expect(a.local.map(\.table).sorted() == b.local.map(\.table).sorted())
        for entry in a.universal {
            #expect(entry.match.requirement(on: .inPort).mask.isZero)
            for action in entry.actions { if case .output = action { Issue.record("a universal entry names a port: \(FlowText.text(entry))") } }
        }
    }
}
