import LogicalNetwork

/// The numbers that one set of datapaths gives to its names, apart from those of all other sets (spec B128, H11).
///
/// Sets are computed by different controllers, and their entries meet at hosts and in packets. So each has identifiers of ports and datapaths of its own, told
/// by their high bits, and on every host numbers of forwarding-element ports of its own. What belongs to no set, hosts and the tunnels that they watch, has the
/// same number in all: hosts are numbered by who takes the network, and the port of a watched tunnel follows from the number of its remote.
public struct NumberSpace: Hashable, Sendable {
    /// Sets that there may be.
    public static let setLimit = 16
    /// Bits of an identifier below the set's.
    static let bits: UInt64 = 20
    /// Hosts of a network with several sets; the ports of watched tunnels to them lie below `HostPorts.tunnel`.
    public static let hostLimit = 4094
    /// Ports that a host has of one of several sets.
    public static let portsPerHost = (HostPorts.tunnel - UInt32(hostLimit) - 2) / UInt32(setLimit)

    /// What identifiers begin behind, and how many there are.
    let base: UInt64
    let identifiers: UInt64
    /// The same of ports of a host.
    let portBase: UInt32
    let ports: UInt32
    /// Whether there are other sets.
    public let isShared: Bool

    /// All numbers, where one translation has the whole network.
    public static let whole = NumberSpace(
        base: 0, identifiers: RegisterMap.identifierLimit, portBase: 0, ports: HostPorts.tunnel - 1, isShared: false)

    private init(base: UInt64, identifiers: UInt64, portBase: UInt32, ports: UInt32, isShared: Bool) {
        (self.base, self.identifiers, self.portBase, self.ports, self.isShared) = (base, identifiers, portBase, ports, isShared)
    }

    /// - Parameter set: from 1 on.
    public init(set: Int, of count: Int) {
        precondition((1...count).contains(set) && count <= Self.setLimit)
        if count == 1 {
            self = .whole
        } else {
            self.init(
                base: UInt64(set - 1) << Self.bits, identifiers: 1 << Self.bits - 2, portBase: UInt32(set - 1) * Self.portsPerHost,
                ports: Self.portsPerHost, isShared: true)
        }
    }

    /// The set that a datapath or port is of, where there are several.
    public static func set(of identifier: UInt64) -> Int { Int(identifier >> bits) + 1 }

    /// What keeps numbers that were given out while there was one set from being those of the first of several; nil when nothing does.
    public static func obstacle(in numbers: [AssignedNumber]) -> String? {
        func highest(_ kind: AssignedNumber.Kind) -> UInt64 { numbers.lazy.filter { $0.kind == kind }.compactMap(\.number).max() ?? 0 }
        let first = NumberSpace(set: 1, of: 2)
        if max(highest(.port), highest(.datapath)) > first.identifiers { return "identifiers beyond \(first.identifiers) have been given out" }
        if highest(.host) > hostLimit { return "numbers of hosts beyond \(hostLimit) have been given out" }
        let ports = numbers.filter { $0.kind == .hostPort && !isWatch($0) }
        if (ports.compactMap(\.number).max() ?? 0) > UInt64(first.ports) { return "a host has had more than \(first.ports) ports" }
        return nil
    }

    /// Whether it is that of a watched tunnel, which several sets have to number alike.
    static func isWatch(_ number: AssignedNumber) -> Bool {
        number.name.split(separator: " ").last.flatMap { UInt64($0) }.map(HostPorts.isWatch) ?? false
    }
}
