import LogicalNetwork
import NetworkSimulation
import Testing
import Wire

/// The machines of a simulated network: each asks for MACs, answers when it is asked, and sends by its gateway what is not on its link.
///
/// They do what a kernel's stack would, one packet after the other: a frame is sent, and every machine that gets it says its answer, which is followed too.
struct SimulatedMachines {
    let network: SimulatedNetwork
    private(set) var machines: [String: Machine] = [:]

    struct Machine {
        var path: PortAddress
        var mac: String
        var addresses: [IPAddress]
        /// The prefixes on its link, and by which address others are reached.
        var links: [(prefix: AddressPrefix, gateway: IPAddress)]
    }

    init(_ description: NetworkDescription, _ network: SimulatedNetwork) {
        self.network = network
        for tenant in description.tenants {
            for s in tenant.switches {
                let gateways = tenant.routers.flatMap(\.ports).filter { $0.peer == .logicalSwitch(s.name) }.flatMap(\.addresses)
                for port in s.ports {
                    let path = PortAddress(tenant: tenant.name, owner: s.name, port: port.name)
                    machines[path.description] = Machine(
                        path: path, mac: "\(port.mac!)", addresses: port.addresses, links: gateways.map { ($0.subnet, $0.address) })
                }
            }
        }
    }

    func machine(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Machine {
        try #require(machines[name], "no machine \(name)", sourceLocation: sourceLocation)
    }

    /// The machine of a tenant that has an address.
    func owner(of address: IPAddress, tenant: String) -> Machine? {
        machines.values.first { $0.path.tenant == tenant && $0.addresses.contains(address) }
    }

    /// What a machine gets, itself, as the answer to a frame of its own; answers of others are given and followed.
    func exchange(_ frame: [UInt8], from sender: Machine) throws -> [[UInt8]] {
        var received: [[UInt8]] = []
        var waiting = [(frame: frame, from: sender)]
        var count = 0
        while let (frame, from) = waiting.popLast() {
            count += 1
            if count > 50 { return received }
            let fate = try #require(network.send(frame, from: from.path))
            for (port, bytes) in fate.deliveries {
                guard let machine = machines[port] else { continue }
                if machine.path == sender.path {
                    received.append(bytes)
                    if from.path != sender.path { continue }
                }
                if let answer = try answer(of: machine, to: bytes), machine.path != sender.path { waiting.append((answer, machine)) }
            }
        }
        return received
    }

    /// The MAC to which a machine sends what is for an address.
    func nextMAC(of machine: Machine, towards address: IPAddress) throws -> String? {
        let source = try #require(machine.addresses.first { $0.family == address.family })
        let gateway = machine.links.first { $0.prefix.address.family == address.family }
        let isOnLink = machine.links.contains { $0.prefix.contains(address) } || gateway == nil
        let target = isOnLink ? address : gateway!.gateway
        for frame in try exchange(Self.question(machine.mac, "\(source)", for: target), from: machine) {
            if target.family == .ipv4, frame.count >= 42, frame[12...13] == [8, 6], frame[21] == 2, Array(frame[28..<32]) == Frames.v4("\(target)") {
                return Frames.source(frame)
            }
            if target.family == .ipv6, frame.count >= 86, frame[12...13] == [0x86, 0xdd], frame[54] == 136,
                Array(frame[62..<78]) == Frames.v6("\(target)")
            {
                return Frames.source(frame)
            }
        }
        return nil
    }

    private static func question(_ mac: String, _ source: String, for target: IPAddress) -> [UInt8] {
        target.family == .ipv4
            ? Frames.arpRequest(from: mac, source, for: "\(target)") : Frames.solicitation(from: mac, source, for: "\(target)")
    }

    /// A packet of a machine to an address: nil when nobody tells the MAC.
    func packet(from machine: Machine, to address: IPAddress, protocol proto: UInt8, ttl: UInt8 = 64, _ payload: [UInt8]) throws -> [UInt8]? {
        guard let mac = try nextMAC(of: machine, towards: address) else { return nil }
        let source = try #require(machine.addresses.first { $0.family == address.family })
        return Self.packet(machine.mac, mac, source, address, proto, ttl, payload)
    }

    static func packet(
        _ mac: String, _ next: String, _ from: IPAddress, _ to: IPAddress, _ proto: UInt8, _ ttl: UInt8, _ payload: [UInt8]
    ) -> [UInt8] {
        from.family == .ipv4
            ? Frames.ethernet(mac, next, 0x0800, Frames.ipv4("\(from)", "\(to)", protocol: proto, ttl: ttl, payload))
            : Frames.ethernet(mac, next, 0x86dd, Frames.ipv6("\(from)", "\(to)", protocol: proto, hops: ttl, payload))
    }

    /// What a machine says to a frame that is for it.
    private func answer(of machine: Machine, to frame: [UInt8]) throws -> [UInt8]? {
        guard frame.count >= 34 else { return nil }
        if frame[12...13] == [8, 6] {
            let target = frame[38..<42].map(String.init).joined(separator: ".")
            guard frame[21] == 1, machine.addresses.contains(IPAddress(target)!) else { return nil }
            let asker = Array(frame[22..<32])
            return Array(frame[22..<28]) + Frames.mac(machine.mac) + [8, 6, 0, 1, 8, 0, 6, 4, 0, 2] + Frames.mac(machine.mac) + Frames.v4(target)
                + asker
        }
        guard let received = ReceivedPacket(frame) else { return nil }
        if received.proto == 58, received.payload.first == 135, received.payload.count >= 24 {
            let target = Array(received.payload[8..<24])
            guard let own = machine.addresses.first(where: { $0.family == .ipv6 && Frames.v6("\($0)") == target }) else { return nil }
            let message: [UInt8] = [136, 0, 0, 0, 0x60, 0, 0, 0] + target + [2, 1] + Frames.mac(machine.mac)
            return Frames.ethernet(
                machine.mac, Frames.source(frame), 0x86dd,
                Frames.ipv6(
                    "\(own)", "\(received.source)", protocol: 58, hops: 255, Frames.icmpv6("\(own)", "\(received.source)", message)))
        }
        guard Frames.destination(frame) == machine.mac, machine.addresses.contains(received.destination) else { return nil }
        var payload = received.payload
        switch (received.proto, payload.first) {
        case (1, 8?):
            payload[0] = 0
            payload[2...3] = [0, 0]
            payload.replaceSubrange(2..<4, with: Frames.sum(payload))
        case (58, 128?):
            payload[0] = 129
            payload[2...3] = [0, 0]
            payload = Frames.icmpv6("\(received.destination)", "\(received.source)", payload)
        case (6, _) where payload.count >= 20 && payload[13] == 2:
            // SYN, to which somebody listens: SYN and ACK from the port that was asked.
            payload = Array(payload[2..<4]) + Array(payload[0..<2]) + Array(payload[4...])
            payload[13] = 0x12
        default: return nil
        }
        guard let next = try nextMAC(of: machine, towards: received.source) else { return nil }
        return Self.packet(machine.mac, next, received.destination, received.source, received.proto, 64, payload)
    }
}

/// An IP packet without options, as it arrived.
struct ReceivedPacket {
    var source: IPAddress
    var destination: IPAddress
    var proto: UInt8
    var ttl: UInt8
    var payload: [UInt8]

    init?(_ frame: [UInt8]) {
        func word(_ at: Int, _ count: Int) -> UInt64 { frame[at..<(at + count)].reduce(0) { $0 << 8 | UInt64($1) } }
        guard frame.count >= 34 else { return nil }
        if frame[12...13] == [8, 0], frame[14] == 0x45 {
            (source, destination) = (IPAddress(family: .ipv4, low: word(26, 4)), IPAddress(family: .ipv4, low: word(30, 4)))
            (proto, ttl) = (frame[23], frame[22])
            payload = Array(frame[34..<min(frame.count, 14 + Int(word(16, 2)))])
        } else if frame[12...13] == [0x86, 0xdd], frame.count >= 54 {
            source = IPAddress(family: .ipv6, high: word(22, 8), low: word(30, 8))
            destination = IPAddress(family: .ipv6, high: word(38, 8), low: word(46, 8))
            (proto, ttl) = (frame[20], frame[21])
            payload = Array(frame[54..<min(frame.count, 54 + Int(word(18, 2)))])
        } else {
            return nil
        }
    }
}
