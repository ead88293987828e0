import LogicalNetwork
import NetworkFile
import Testing

@testable import NetworkSimulation
@testable import Translation

/// The scenarios of Tests/Scenarios with all hosts in one process. `Tests/Live/run-live scenario` runs the same between namespaces, with kernels for machines.
@Suite struct ScenarioTests {
    @Test(arguments: Scenario.names) func aScenarioHoldsWithAllHostsInOneProcess(_ name: String) throws {
        var scenario = try Scenario(name)
        let translation = NetworkTranslation()
        translation.apply(try scenario.description())
        let network = try SimulatedNetwork(translation)
        var machines = SimulatedMachines(try scenario.description(), network)
        for (i, step) in scenario.steps.enumerated() {
            let label: Comment = "\(name), step \(i + 1): \(step)"
            if step.set != nil {
                let before = Set(translation.universalEntries())
                scenario.apply(step: i)
                translation.apply(try scenario.description())
                try network.update()
                machines = SimulatedMachines(try scenario.description(), network)
                if step.reachedAgain != nil {
                    // T41: a machine that moves changes where things are and nothing that is logical.
                    let stages = Set(before.symmetricDifference(translation.universalEntries()).map { Stage(rawValue: $0.table)! })
                    #expect(stages == [.egressMapping, .floodMapping], label)
                }
            } else if let from = step.ping {
                try ping(machines, from, step, label)
            } else if let from = step.tcp {
                try tcp(machines, from, step, label)
            } else if let from = step.trace {
                for (ttl, hop) in step.hops!.enumerated() {
                    let answers = try echo(machines, from, step.to!, ttl: UInt8(ttl + 1))
                    #expect(answers.map { "\($0.source)" } == [hop], label)
                }
            } else if let from = step.send {
                try send(machines, from, step, label)
            } else if let from = step.request {
                let machine = try machines.machine(from)
                let fate = try #require(
                    network.send(Frames.arpRequest(from: machine.mac, "\(machine.addresses[0])", for: step.for!), from: machine.path))
                let replies = fate.deliveries.filter { $0.port == from }
                #expect(replies.count == 1 && replies.allSatisfy { Frames.source($0.bytes) == step.by && $0.bytes[21] == 2 }, label)
                #expect(Set(fate.deliveries.map(\.port)).subtracting([from]) == Set(step.seen!), label)
            } else if let element = step.element {
                let passes = step.passes!
                network.inLine = { port, frame in passes || !port.hasPrefix(element + ":") ? frame : nil }
            } else {
                Issue.record("\(label): it is no step")
            }
        }
    }

    /// IP packets that come back for an echo request.
    private func echo(_ machines: SimulatedMachines, _ from: String, _ to: String, ttl: UInt8 = 64, size: Int = 32) throws -> [ReceivedPacket] {
        let machine = try machines.machine(from)
        let address = try #require(IPAddress(to))
        let source = try #require(machine.addresses.first { $0.family == address.family })
        var message: [UInt8] = [address.family == .ipv4 ? 8 : 128, 0, 0, 0, 0x12, 0x34, 0, 1] + (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        if address.family == .ipv4 {
            message.replaceSubrange(2..<4, with: Frames.sum(message))
        } else {
            message = Frames.icmpv6("\(source)", to, message)
        }
        guard let frame = try machines.packet(from: machine, to: address, protocol: address.family == .ipv4 ? 1 : 58, ttl: ttl, message) else {
            return []
        }
        return try machines.exchange(frame, from: machine).compactMap(ReceivedPacket.init).filter { machine.addresses.contains($0.destination) }
    }

    private func ping(_ machines: SimulatedMachines, _ from: String, _ step: Scenario.Step, _ label: Comment) throws {
        let answers = try echo(machines, from, step.to!, ttl: step.ttl ?? 64, size: step.size ?? 32)
        let types = answers.map { "\($0.source) \($0.payload.first ?? 0)" }
        let isIPv4 = !step.to!.contains(":")
        switch step.expect ?? "answer" {
        case "answer":
            #expect(types == ["\(step.to!) \(isIPv4 ? 0 : 129)"], label)
            if let ttl = step.replyTTL { #expect(answers.first?.ttl == ttl, label) }
        case "nothing": #expect(types == [], label)
        case "time exceeded": #expect(types == ["\(step.by!) \(isIPv4 ? 11 : 3)"], label)
        case "unreachable": #expect(types == ["\(step.by!) \(isIPv4 ? 3 : 1)"], label)
        default: Issue.record("\(label): it expects nothing known")
        }
    }

    /// A connection's first two packets: SYN there, SYN and ACK or RST back.
    private func tcp(_ machines: SimulatedMachines, _ from: String, _ step: Scenario.Step, _ label: Comment) throws {
        let machine = try machines.machine(from)
        let address = try #require(IPAddress(step.to!))
        let frame = try #require(try machines.packet(from: machine, to: address, protocol: 6, Frames.tcp(40_000, step.port!)), label)
        let flags = try machines.exchange(frame, from: machine).compactMap(ReceivedPacket.init).filter { $0.proto == 6 && $0.source == address }
            .map { $0.payload[13] }
        switch step.expect ?? "works" {
        case "works": #expect(flags == [0x12], label)
        case "refused": #expect(flags == [0x14], label)
        case "nothing": #expect(flags == [], label)
        default: Issue.record("\(label): it expects nothing known")
        }
    }

    /// A datagram: who gets it, and how often it crosses between hosts.
    private func send(_ machines: SimulatedMachines, _ from: String, _ step: Scenario.Step, _ label: Comment) throws {
        let machine = try machines.machine(from)
        let address = try #require(IPAddress(step.to!))
        let source = try #require(machine.addresses.first { $0.family == address.family })
        let frame: [UInt8]?
        switch step.to! {
        case "255.255.255.255": frame = SimulatedMachines.packet(machine.mac, "ff:ff:ff:ff:ff:ff", source, address, 17, 64, Frames.udp(40_000, 9))
        case "ff02::1": frame = SimulatedMachines.packet(machine.mac, "33:33:00:00:00:01", source, address, 17, 64, Frames.udp(40_000, 9))
        default: frame = try machines.packet(from: machine, to: address, protocol: 17, Frames.udp(40_000, 9))
        }
        guard let frame else {
            #expect(step.reaches! == [] && step.crossings! == 0, label)
            return
        }
        let before = machines.network.tunnelCount
        let fate = try #require(machines.network.send(frame, from: machine.path))
        #expect(fate.deliveries.map(\.port).sorted() == step.reaches!.sorted(), label)
        #expect(machines.network.tunnelCount - before == step.crossings!, label)
    }

    @Test func thereAreScenarios() { #expect(Scenario.names.count >= 10) }
}
