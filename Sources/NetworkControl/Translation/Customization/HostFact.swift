import LogicalNetwork

/// What is true of one host and of no other: with the universal entries of its datapaths it is all that its entries and ports follow from (spec 000-059, H8).
///
/// Facts are values: they are given out with a change, travel between controllers, and say the same on either side. The number of a port is one of them although
/// it is the host's own, since whoever customizes next, another controller or the host itself, must come to the same entries; the store keeps it.
public enum HostFact: Hashable, Sendable {
    /// It is part of the network.
    case member
    /// It implements a datapath, and so has the universal entries of it.
    case datapath(UInt64)
    case port(LocalPort)
    case inLinePort(InLinePort)
    /// The ports of a switch that are here, ascending, with the check of the switch's name.
    case flood(datapath: UInt64, ports: [UInt64], check: UInt64)
    case tunnel(remote: UInt64, address: IPAddress)
    /// A host that is reached by way of a pool node, with the node's address.
    case relayed(remote: UInt64, pool: UInt64, address: IPAddress)
    /// A host that is reached by way of a pool node while it does not answer.
    case watched(WatchedTunnel)
    /// A host for which this one, a pool node, passes packets on.
    case relay(remote: UInt64)
    /// A device that its forwarding element opens.
    case device(HostDevice)
}

/// A logical port that is on the host.
public struct LocalPort: Hashable, Sendable, Codable {
    public var datapath: UInt64
    public var port: UInt64
    /// The number by which the forwarding element knows it.
    public var number: UInt32
    /// 24 bits of its name (`RegisterMap.check`).
    public var check: UInt64
    /// One more than the queue; 0: none.
    public var queue: UInt64
    /// Kilobits in a second; 0: no limit.
    public var rate: UInt64
}

/// A port of an element on a router's wire, with where packets from there go on (`ForwardingTables.inLinePorts`).
public struct InLinePort: Hashable, Sendable, Codable {
    public var datapath: UInt64
    /// The port itself, its number and the check of its name.
    public var side: UInt64
    public var number: UInt32
    public var check: UInt64
    /// The logical port of the datapath behind the wire.
    public var port: UInt64
    public var isRouter: Bool
    /// 0: the datapath is here; else its host, with the port that leads there, the check of that, and the stage that is complete.
    public var distantHost: UInt64
    public var near: UInt64
    public var nearCheck: UInt64
    public var stage: UInt64
}

/// A tunnel that is watched, with the node that stands in, and the ports that are live while either answers.
public struct WatchedTunnel: Hashable, Sendable {
    public var remote: UInt64
    public var address: IPAddress
    public var pool: UInt64
    public var poolAddress: IPAddress
    public var remoteNumber: UInt32
    public var poolNumber: UInt32
}

extension HostFact: Codable {
    /// One key for each kind of fact, so that what is not known is refused.
    private enum Key: String, CodingKey, CaseIterable { case member, datapath, port, inLinePort, flood, tunnel, relayed, watched, relay, device }
    private struct Flood: Codable {
        var datapath: UInt64
        var ports: [UInt64]
        var check: UInt64
    }
    private struct Way: Codable {
        var remote: UInt64
        var pool: UInt64?
        var address: String
    }
    private struct Watched: Codable {
        var remote: UInt64
        var address: String
        var pool: UInt64
        var poolAddress: String
        var remoteNumber: UInt32
        var poolNumber: UInt32
    }

    private static func parsed(_ address: String, _ path: [any CodingKey]) throws -> IPAddress {
        guard let parsed = IPAddress(address) else {
            throw DecodingError.dataCorrupted(.init(codingPath: path, debugDescription: "'\(address)' is no address"))
        }
        return parsed
    }

    public init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: Key.self)
        guard c.allKeys.count == 1, let key = c.allKeys.first else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "a fact has one of the keys that facts have"))
        }
        switch key {
        case .member:
            _ = try c.decode(Bool.self, forKey: key)
            self = .member
        case .datapath: self = .datapath(try c.decode(UInt64.self, forKey: key))
        case .port: self = .port(try c.decode(LocalPort.self, forKey: key))
        case .inLinePort: self = .inLinePort(try c.decode(InLinePort.self, forKey: key))
        case .flood:
            let f = try c.decode(Flood.self, forKey: key)
            self = .flood(datapath: f.datapath, ports: f.ports, check: f.check)
        case .tunnel:
            let way = try c.decode(Way.self, forKey: key)
            self = .tunnel(remote: way.remote, address: try Self.parsed(way.address, c.codingPath))
        case .relayed:
            let way = try c.decode(Way.self, forKey: key)
            guard let pool = way.pool else {
                throw DecodingError.dataCorrupted(.init(codingPath: c.codingPath, debugDescription: "a relayed host has a pool node"))
            }
            self = .relayed(remote: way.remote, pool: pool, address: try Self.parsed(way.address, c.codingPath))
        case .watched:
            let w = try c.decode(Watched.self, forKey: key)
            self = .watched(
                WatchedTunnel(
                    remote: w.remote, address: try Self.parsed(w.address, c.codingPath), pool: w.pool,
                    poolAddress: try Self.parsed(w.poolAddress, c.codingPath), remoteNumber: w.remoteNumber, poolNumber: w.poolNumber))
        case .relay: self = .relay(remote: try c.decode(UInt64.self, forKey: key))
        case .device: self = .device(try c.decode(HostDevice.self, forKey: key))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: Key.self)
        switch self {
        case .member: try c.encode(true, forKey: .member)
        case .datapath(let d): try c.encode(d, forKey: .datapath)
        case .port(let p): try c.encode(p, forKey: .port)
        case .inLinePort(let p): try c.encode(p, forKey: .inLinePort)
        case .flood(let d, let ports, let check): try c.encode(Flood(datapath: d, ports: ports, check: check), forKey: .flood)
        case .tunnel(let remote, let a): try c.encode(Way(remote: remote, address: "\(a)"), forKey: .tunnel)
        case .relayed(let remote, let pool, let a): try c.encode(Way(remote: remote, pool: pool, address: "\(a)"), forKey: .relayed)
        case .watched(let w):
            try c.encode(
                Watched(
                    remote: w.remote, address: "\(w.address)", pool: w.pool, poolAddress: "\(w.poolAddress)", remoteNumber: w.remoteNumber,
                    poolNumber: w.poolNumber), forKey: .watched)
        case .relay(let remote): try c.encode(remote, forKey: .relay)
        case .device(let d): try c.encode(d, forKey: .device)
        }
    }
}
