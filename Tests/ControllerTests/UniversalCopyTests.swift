import Controller
import Flow
import LogicalNetwork
import PhysicalControl
import RandomNetworks
import Testing
import Translation

/// One who is told universal entries and facts, by the bytes of the channel, and the hosts that it tells.
private struct TestReceiver {
    let hosts: [String]
    var subscription = UniversalSubscription()
    let copy = UniversalCopy()
    var held: [String: NaiveHost] = [:]
    var devices: [String: [String: HostDevice]] = [:]
    /// Entries that came.
    var told = 0
    private var state: UInt64

    init(_ hosts: [String], seed: UInt64) {
        self.hosts = hosts
        state = seed
    }

    /// Takes an update over that comes in pieces.
    mutating func take(_ update: UniversalUpdate) throws {
        var decoder = ChannelCodec.Decoder()
        var assembler = UniversalUpdate.Assembler()
        var rest = update.bytes[...]
        var whole: UniversalUpdate?
        while !rest.isEmpty {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let piece = rest.prefix(Int(state >> 33) % 3000 + 1)
            rest = rest.dropFirst(piece.count)
            decoder.append(piece)
            while let message = try decoder.next() {
                if case .entry = message { told += 1 }
                if let complete = try assembler.add(message) { whole = complete }
            }
        }
        for (host, change) in try copy.apply(try #require(whole)) {
            let change = try #require(change)
            if change.isGone {
                (held[host], devices[host]) = (nil, nil)
                continue
            }
            for m in change.modifications { held[host, default: NaiveHost()].apply(m) }
            for name in change.closed { devices[host, default: [:]][name] = nil }
            for d in change.opened { devices[host, default: [:]][d.name] = d }
        }
    }

    /// The channel was away, and what happened meanwhile was not told.
    mutating func begin(_ logical: LogicalController) throws {
        subscription = UniversalSubscription()
        let have = Dictionary(uniqueKeysWithValues: copy.digests(set: 1).map { ($0.group, $0.digest) })
        try take(subscription.subscribe(hosts, have: have, logical))
    }
}

@Suite struct UniversalCopyTests {
    private func asTold(_ entries: [FlowEntry]) -> Set<FlowEntry> { Set(entries.map(ControllerLab.asTold)) }

    /// A network without one of its hosts.
    private func without(_ name: String, _ network: NetworkDescription) -> NetworkDescription {
        var n = network
        n.hosts.removeAll { $0.name == name }
        for t in n.tenants.indices {
            for s in n.tenants[t].switches.indices {
                for p in n.tenants[t].switches[s].ports.indices where n.tenants[t].switches[s].ports[p].host == name {
                    n.tenants[t].switches[s].ports[p].host = nil
                }
            }
            for r in n.tenants[t].routers.indices {
                if n.tenants[t].routers[r].host == name { n.tenants[t].routers[r].host = nil }
                for p in n.tenants[t].routers[r].ports.indices where n.tenants[t].routers[r].ports[p].inLine?.host == name {
                    n.tenants[t].routers[r].ports[p].inLine = nil
                }
            }
        }
        return n
    }

    @Test(arguments: [31, 32, 33] as [UInt64])
    func whoCustomizesACopyComesToWhatAFullComputationGives(seed: UInt64) throws {
        var random = RandomNetwork(seed: seed)
        let logical = LogicalController()
        var receivers = [TestReceiver(["h0"], seed: seed), TestReceiver(["h1", "h2"], seed: seed + 1)]
        for i in receivers.indices { try receivers[i].begin(logical) }
        var away = -1
        for step in 0..<HistoryLength.steps(40) {
            for _ in 0..<(step % 3 + 1) { random.edit() }
            let network = step % 20 > 15 ? without("h2", random.network) : random.network
            let outcome = logical.apply(network, revision: UInt64(step + 1))
            if step % 10 == 3 { away = step / 10 % 2 }
            for i in receivers.indices {
                if i == away {
                    if step % 10 == 6 {
                        try receivers[i].begin(logical)
                        away = -1
                    }
                } else if let update = receivers[i].subscription.update(outcome.change, logical) {
                    try receivers[i].take(update)
                }
                if i == away { continue }
                var needed: Set<UInt64> = []
                for name in receivers[i].hosts {
                    let copy = receivers[i].copy.snapshot(host: name)
                    guard let wanted = logical.snapshot(host: name) else {
                        #expect(copy == nil)
                        continue
                    }
                    for case .datapath(let d) in logical.facts(host: name) ?? [] { needed.insert(d) }
                    let have = try #require(copy), at = "\(name), seed \(seed), step \(step)"
                    let entries = asTold(wanted.program.entries)
                    #expect(asTold(have.program.entries) == entries && have.program.entries.count == wanted.program.entries.count, "\(at)")
                    #expect(Set(have.program.meters) == Set(wanted.program.meters) && have.devices == wanted.devices, "\(at)")
                    let held = receivers[i].held[name] ?? NaiveHost()
                    #expect(asTold(Array(held.entries.values)) == entries && Set(held.meters.values) == Set(wanted.program.meters), "\(at)")
                    #expect(held.faults.isEmpty, "\(at): \(held.faults)")
                    #expect((receivers[i].devices[name] ?? [:]).count == wanted.devices.count, "\(at)")
                }
                // Nothing of datapaths that no host of its needs.
                #expect(receivers[i].copy.datapaths == needed, "seed \(seed), step \(step)")
            }
        }
        #expect(receivers.allSatisfy { $0.held.values.contains { $0.entries.count > 100 } })
    }

    @Test func whoComesBackIsToldOnlyGroupsThatDiffer() throws {
        let logical = LogicalController()
        var random = RandomNetwork(seed: 9)
        for _ in 0..<60 { random.edit() }
        _ = logical.apply(random.network, revision: 1)
        var receiver = TestReceiver(["h0", "h1", "h2"], seed: 1)
        try receiver.begin(logical)
        #expect(receiver.told > 200)
        receiver.told = 0
        try receiver.begin(logical)
        #expect(receiver.told == 0)
        // One rule of one switch.
        var network = random.network
        network.tenants[0].switches[0].access.rules = [AccessRule(name: "new", direction: .in, verdict: .drop)]
        _ = logical.apply(network, revision: 2)
        try receiver.begin(logical)
        #expect(receiver.told > 0 && receiver.told < 100, "\(receiver.told)")
        for h in receiver.hosts {
            #expect(asTold(Array(receiver.held[h]!.entries.values)) == asTold(logical.snapshot(host: h)!.program.entries))
        }
    }

    @Test func anUpdateThatDoesNotFitIsRefusedAsAWhole() throws {
        let logical = LogicalController()
        var random = RandomNetwork(seed: 9)
        for _ in 0..<60 { random.edit() }
        _ = logical.apply(random.network, revision: 1)
        var receiver = TestReceiver(["h0"], seed: 1)
        try receiver.begin(logical)
        let before = try #require(receiver.copy.snapshot(host: "h0"))
        func refuses(_ change: (inout UniversalUpdate) -> Void) {
            var update = UniversalUpdate(revision: 2)
            var part = ChannelMessage.HostPart(name: "h0", number: logical.translation.hostNumber("h0")!)
            part.added = [.relay(remote: 77)]
            update.hosts = [part]
            change(&update)
            #expect(throws: ChannelError.self) { _ = try receiver.copy.apply(update) }
            let after = receiver.copy.snapshot(host: "h0")
            #expect(after.map { Set($0.program.entries) } == Set(before.program.entries) && after?.revision == 1)
        }
        refuses { $0.hosts[0].removed = [.relay(remote: 78)] }
        refuses { $0.hosts[0].added.append(.member) }
        refuses { $0.hosts[0].added.append(.datapath(999)) }
        refuses { $0.hosts[0].number += 1 }
        refuses { $0.hosts.append($0.hosts[0]) }
        refuses { $0.groups[UniversalGroup(datapath: 999)] = .init() }
        refuses {
            let group = UniversalGroup(datapath: receiver.copy.datapaths.first!)
            $0.groups[group] = .init()
            $0.groups[group]!.removed = [FlowEntry(table: 7, priority: 7)]
        }
    }
}
