import LogicalNetwork

/// A number that the translation gave to a name. They are what hosts and packets on their way know networks by, so a controller keeps them over restarts.
public struct AssignedNumber: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case port, datapath, host
        /// Sets, rules and policies, which are in cookies.
        case symbol
        /// Family, port, and address in two halves, as the register of next hops counts them.
        case nextHop
        /// The port of a host's forwarding element: of the host's and the logical port's number.
        case hostPort
    }
    public var kind: Kind
    /// Empty: the highest number of the kind that was ever given out.
    public var name: String
    /// nil: it was given back.
    public var number: UInt64?

    public init(_ kind: Kind, _ name: String, _ number: UInt64?) {
        self.kind = kind
        self.name = name
        self.number = number
    }
}

extension NetworkTranslation {
    /// Numbers that were given out or back since the last call, of names since the first call or `restore`; after `takeChanges`, which gives ports of hosts
    /// theirs.
    public func takeAssignedNumbers() -> [AssignedNumber] {
        var all: [AssignedNumber] = []
        for (kind, path) in InputTranslation.identifiers {
            let changes = input.takeNumberChanges(path)
            if changes.names.isEmpty { continue }
            all += changes.names.map { AssignedNumber(kind, $0.name, $0.number.map(UInt64.init)) }
            all.append(AssignedNumber(kind, "", UInt64(changes.highest)))
        }
        for (i, key) in nextHops.values[toldNextHops...].enumerated() {
            all.append(AssignedNumber(.nextHop, "\(key.family) \(key.port) \(key.high) \(key.low)", UInt64(toldNextHops + i + 1)))
        }
        toldNextHops = nextHops.values.count
        for host in ports.keys {
            for port in ports[host]!.touched { all.append(AssignedNumber(.hostPort, "\(host) \(port)", ports[host]!.all[port].map(UInt64.init))) }
            ports[host]!.touched = []
        }
        return all
    }

    /// Begins with numbers that were given out before; while the network is still empty.
    public func restore(_ all: [AssignedNumber]) {
        for (kind, path) in InputTranslation.identifiers {
            let own = all.filter { $0.kind == kind }
            let highest = own.first { $0.name.isEmpty }?.number ?? 0
            let named = own.compactMap { n in n.name.isEmpty ? nil : n.number.map { (name: n.name, number: UInt32(truncatingIfNeeded: $0)) } }
            input.restore(path, named, highest: Int(truncatingIfNeeded: highest))
        }
        let hops = all.filter { $0.kind == .nextHop }.compactMap { n in n.number.map { (n.name, $0) } }.sorted { $0.1 < $1.1 }
        for (name, number) in hops {
            let parts = name.split(separator: " ").compactMap { UInt64($0) }
            guard parts.count == 4, nextHops.number(of: NextHopKey(family: parts[0], port: parts[1], high: parts[2], low: parts[3])) == number else {
                preconditionFailure("the numbers of next hops have a gap before \(number)")
            }
        }
        toldNextHops = nextHops.values.count
        for n in all where n.kind == .hostPort {
            let parts = n.name.split(separator: " ").compactMap { UInt64($0) }
            guard parts.count == 2, let number = n.number else { continue }
            ports[parts[0], default: HostPorts(numbers)].restore(parts[1], number: UInt32(truncatingIfNeeded: number))
        }
    }
}
