import Flow
import Synchronization

/// The ports of one forwarding element: which numbers exist, and the dense index under which counters and programs know them.
///
/// Indices are only added. A port is *attached* (someone gave it a number, it takes part in floods) or only *named* by a flow entry; with
/// `admitsNamedPorts` the latter exist too and count what is sent to them, as a replay wants; otherwise output to them is `.noSuchPort`.
/// A live switch detaches ports too; whoever does so tells the tables (`FlowTables.portsChanged`), for programs name ports.
public final class PortRegistry: @unchecked Sendable {
    /// Largest number of ports.
    public static let limit = 4096

    private struct State {
        var indices: [UInt32: Int] = [:]
        var numbers: [UInt32] = []
        var attached: Set<UInt32> = []
    }
    private let state = Mutex(State())
    /// By dense index: what `PortFlags` say. Written before they are published, read by workers without the lock.
    private let flags: UnsafeMutablePointer<PortFlags>
    /// Whether a number that no port was attached under is a counting port.
    public let admitsNamedPorts: Bool

    public init(admitsNamedPorts: Bool = true) {
        self.admitsNamedPorts = admitsNamedPorts
        flags = .allocate(capacity: Self.limit)
        flags.initialize(repeating: [], count: Self.limit)
    }

    deinit { flags.deallocate() }

    /// Adds a port; attaching twice is harmless. Returns its dense index, or nil when there are `limit` ports already.
    @discardableResult public func attach(_ number: UInt32, isTunnel: Bool = false) -> Int? {
        state.withLock {
            guard let i = Self.index(of: number, &$0) else { return nil }
            $0.attached.insert(number)
            if isTunnel { flags[i].insert(.tunnel) } else { flags[i].remove(.tunnel) }
            return i
        }
    }

    /// The dense index of a port that a packet arrives at. It changes nothing about a live port, a detached one included; a replay, in which ports exist by
    /// being used (`admitsNamedPorts`), attaches it.
    func arrivalIndex(of number: UInt32) -> Int? {
        if !admitsNamedPorts, let index = attachedIndex(of: number) { return index }
        return attach(number)
    }

    /// Takes a port out of floods and failover; its number keeps its index.
    public func detach(_ number: UInt32) {
        state.withLock { _ = $0.attached.remove(number) }
    }

    /// Whether packets to the port at a dense index leave by a tunnel.
    @inline(__always) func isTunnel(_ index: Int) -> Bool { flags[index].contains(.tunnel) }
    @inline(__always) func flags(_ index: Int) -> PortFlags { flags[index] }

    /// Restricts a port; the tables must be told (`FlowTables.portsChanged`).
    public func restrict(_ number: UInt32, to restrictions: PortFlags) {
        state.withLock {
            guard let i = $0.indices[number] else { return }
            flags[i] = flags[i].intersection(.tunnel).union(restrictions.subtracting(.tunnel))
        }
    }

    public func restrictions(_ number: UInt32) -> PortFlags {
        state.withLock { $0.indices[number].map { flags[$0].subtracting(.tunnel) } ?? [] }
    }

    func registerNamedByFlow(_ number: UInt32) {
        guard admitsNamedPorts, number < ReservedPort.max || number == ReservedPort.local else { return }
        state.withLock { if Self.index(of: number, &$0) != nil { $0.attached.insert(number) } }
    }

    /// The dense index of an existing port; with `admitsNamedPorts` any valid number is made one.
    func index(of number: UInt32) -> Int? {
        state.withLock {
            if let i = $0.indices[number] { return i }
            guard admitsNamedPorts, number != 0, number < ReservedPort.max else { return nil }
            return Self.index(of: number, &$0)
        }
    }

    private static func index(of number: UInt32, _ s: inout State) -> Int? {
        if let i = s.indices[number] { return i }
        guard s.numbers.count < limit else { return nil }
        s.numbers.append(number)
        s.indices[number] = s.numbers.count - 1
        return s.numbers.count - 1
    }

    /// The dense index of a number that has one.
    public func attachedIndex(of number: UInt32) -> Int? { state.withLock { $0.indices[number] } }

    public func number(at index: Int) -> UInt32 { state.withLock { $0.numbers[index] } }
    /// Every port, by dense index.
    public var numbers: [UInt32] { state.withLock { $0.numbers } }
    /// The ports that floods reach, ascending.
    var floodNumbers: [UInt32] {
        state.withLock { s in s.attached.filter { n in !flags[s.indices[n]!].contains(.noFlood) }.sorted() }
    }
    /// Whether floods reach the port.
    public func isAttached(_ number: UInt32) -> Bool { state.withLock { $0.attached.contains(number) } }
    var isEmpty: Bool { state.withLock { $0.numbers.isEmpty } }
}

/// What is special about a port: a tunnel, or what `OFPT_PORT_MOD` forbids it (OpenFlow 1.3.5 §A.2.1).
public struct PortFlags: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    static let tunnel = PortFlags(rawValue: 1)
    /// Packets that arrive are dropped.
    public static let noReceive = PortFlags(rawValue: 2)
    /// Packets that should leave are dropped.
    public static let noForward = PortFlags(rawValue: 4)
    /// Floods leave it out.
    public static let noFlood = PortFlags(rawValue: 8)
    /// Its packets do not go to the controllers.
    public static let noPacketIn = PortFlags(rawValue: 16)
}
