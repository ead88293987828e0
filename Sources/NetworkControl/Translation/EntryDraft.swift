import Flow
import LogicalNetwork
import Wire

/// A flow entry in the making, in the words of the stages and the register map.
struct EntryDraft {
    private(set) var entry: FlowEntry

    init(_ stage: Stage, _ priority: Int, _ cookie: Cookie) {
        entry = FlowEntry(table: stage.rawValue, priority: UInt16(priority), cookie: cookie.value)
    }

    // MARK: - Match

    mutating func require(_ place: RegisterMap.Place, _ value: UInt64) { require(place.bits, value) }

    mutating func require(_ bits: Subfield, _ value: UInt64) {
        entry.match.require(
            bits.field, FieldValue(low: value) << bits.offset, mask: FieldValue.ones(bits.count) << bits.offset)
    }

    mutating func require(_ field: Field, _ value: UInt64) { entry.match.require(field, value) }
    mutating func requireValue(_ field: Field, _ value: FieldValue, mask: FieldValue? = nil) {
        entry.match.require(field, value, mask: mask ?? .ones(field.info.bits))
    }
    mutating func require(_ field: Field, _ value: UInt64, mask: UInt64) {
        entry.match.require(field, FieldValue(low: value), mask: FieldValue(low: mask))
    }

    mutating func requireFamily(_ family: IPAddress.Family) { require(.ethType, family == .ipv4 ? 0x0800 : 0x86dd) }

    mutating func requireSource(_ family: IPAddress.Family, _ high: UInt64, _ low: UInt64, _ length: Int) {
        requireAddress(family == .ipv4 ? .ipv4Src : .ipv6Src, family, high, low, length)
    }

    mutating func requireDestination(_ family: IPAddress.Family, _ high: UInt64, _ low: UInt64, _ length: Int) {
        requireAddress(family == .ipv4 ? .ipv4Dst : .ipv6Dst, family, high, low, length)
    }

    private mutating func requireAddress(_ field: Field, _ family: IPAddress.Family, _ high: UInt64, _ low: UInt64, _ length: Int) {
        if length == 0 { return }
        let mask = IPAddress.mask(family, length)
        entry.match.require(field, FieldValue(high: high, low: low), mask: FieldValue(high: mask.high, low: mask.low))
    }

    // MARK: - Actions

    mutating func load(_ place: RegisterMap.Place, _ value: UInt64) { load(place.bits, value) }
    mutating func load(_ bits: Subfield, _ value: UInt64) { entry.actions.append(.load(FieldValue(low: value), bits)) }
    mutating func load(_ field: Field, _ value: UInt64) { entry.actions.append(.load(FieldValue(low: value), Subfield(field))) }
    mutating func loadAddress(_ field: Field, _ high: UInt64, _ low: UInt64) {
        entry.actions.append(.load(FieldValue(high: high, low: low), Subfield(field)))
    }
    mutating func move(_ from: Subfield, _ to: Subfield) { entry.actions.append(.move(from: from, to: to)) }
    mutating func move(_ from: Field, _ to: Field) { move(Subfield(from), Subfield(to)) }
    mutating func act(_ action: Action) { entry.actions.append(action) }

    /// Forgets the physical port, so that the packet may go back through it.
    mutating func forgetInPort() { load(.inPort, 0) }

    /// Marks that nothing logical will be left to do when the packet reaches its host.
    mutating func markDone() { load(RegisterMap.stage, UInt64(Stage.egressMapping.rawValue)) }

    /// Writes the first of ports that is live; 0xffff when none is.
    mutating func loadLivePort(_ place: RegisterMap.Place, of ports: [UInt32]) {
        act(.bundle(fields: .ethSrc, basis: 0, algorithm: .activeBackup, members: ports, to: place.bits))
    }

    /// Goes on at another stage: to the tables again at the table of that stage (spec 000-022, B138).
    mutating func next(_ stage: Stage) { entry.actions.append(.resubmit(inPort: nil, table: stage.rawValue)) }

    /// Hands the packet to the controller, which answers in the router's or the rule's name.
    mutating func ask(_ reason: ControllerRequest) {
        var controller = Action.Controller()
        controller.userdata = [reason.rawValue]
        entry.actions.append(.controller(controller))
    }
}

/// What a packet that entries hand to the controller is for: the first byte of the `userdata`. The registers say where it was.
public enum ControllerRequest: UInt8, Sendable, CaseIterable {
    /// The time to live is up: ICMP time exceeded from the ingress port's address.
    case timeExceeded = 1
    /// An access rule rejects: TCP reset, or ICMP administratively prohibited (project decision 6).
    case reject = 2
    /// No route: ICMP net unreachable.
    case noRoute = 3
}

/// The cookie of an entry says what it is: kind in 8 bits, a port or rule in 32, the datapath in 24; so that fates can be told in logical terms, and all
/// entries of a datapath be selected by a mask.
public struct Cookie: Hashable, Sendable {
    public let value: UInt64
    public init(value: UInt64) { self.value = value }
    init(_ kind: EntryKind, datapath: UInt64, detail: UInt64 = 0) {
        value = UInt64(kind.rawValue) << 56 | (detail & 0xffff_ffff) << 24 | datapath & 0xff_ffff
    }
    public var kind: EntryKind? { EntryKind(rawValue: UInt8(value >> 56)) }
    public var detail: UInt64 { value >> 24 & 0xffff_ffff }
    public var datapath: UInt64 { value & 0xff_ffff }
    /// The bits of the datapath.
    public static let datapathMask: UInt64 = 0xff_ffff
}

/// What an entry is for; one for each table of logical forwarding or of a host, and some for what a table's rows say in several entries.
public enum EntryKind: UInt8, CaseIterable, Sendable {
    case switchBase = 1
    case portSecurity
    case addressSecurity
    case access
    case defaultAccess
    case responder
    case forwarding
    case flood
    case unknownAddress
    case egressHost
    case link
    case routerBase
    case routerAdmission
    case routerOwnAddress
    case timeExceeded
    case policy
    case route
    case noRoute
    case nextHop
    case resolution
    case unresolved
    case localPort
    case arrival
    case tunnel
    case localFlood
    case tunnelChoice
}
