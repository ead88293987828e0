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
    /// By dense index: whether a tunnel ends there. Written before the port is first published, read by workers without the lock.
    private let tunnels: UnsafeMutablePointer<Bool>
    /// Whether a number that no port was attached under is a counting port.
    public let admitsNamedPorts: Bool

    public init(admitsNamedPorts: Bool = true) {
        self.admitsNamedPorts = admitsNamedPorts
        tunnels = .allocate(capacity: Self.limit)
        tunnels.initialize(repeating: false, count: Self.limit)
    }

    deinit { tunnels.deallocate() }

    /// Adds a port; attaching twice is harmless. Returns its dense index, or nil when there are `limit` ports already.
    @discardableResult public func attach(_ number: UInt32, isTunnel: Bool = false) -> Int? {
        state.withLock {
            guard let i = Self.index(of: number, &$0) else { return nil }
            $0.attached.insert(number)
            tunnels[i] = isTunnel
            return i
        }
    }

    /// Takes a port out of floods and failover; its number keeps its index.
    public func detach(_ number: UInt32) {
        state.withLock { _ = $0.attached.remove(number) }
    }

    /// Whether packets to the port at a dense index leave by a tunnel.
    @inline(__always) func isTunnel(_ index: Int) -> Bool { tunnels[index] }

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
    var floodNumbers: [UInt32] { state.withLock { $0.attached.sorted() } }
    /// Whether floods reach the port.
    public func isAttached(_ number: UInt32) -> Bool { state.withLock { $0.attached.contains(number) } }
    var isEmpty: Bool { state.withLock { $0.numbers.isEmpty } }
}
