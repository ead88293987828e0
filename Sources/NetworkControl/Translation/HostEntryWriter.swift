import Flow
import LogicalNetwork

/// What only one host has: entries with its ports and tunnels, and its meters (UPCP to CPCP; spec 000-059, H7, H8, A-026).
public struct HostProgram: Sendable {
    public var entries: [FlowEntry] = []
    public var meters: [Meter] = []
}

/// Numbers of the ports of a host's forwarding element.
///
/// One tunnel port serves all tunnels of a host: entries set the far end and look at the near one. Of a tunnel that is watched there is besides a port with
/// that one remote, which says by its state whether the far end answers, and by which no packets go.
public struct HostPorts: Sendable {
    public static let tunnel: UInt32 = 0xfe00
    private let space: NumberSpace
    private var numbers: [UInt64: UInt32] = [:]
    private var logical: [UInt32: UInt64] = [:]
    private var next: UInt32
    private var free: [UInt32] = []
    /// Ports whose numbers were given out or back since they were last asked for.
    var touched: Set<UInt64> = []

    init(_ space: NumberSpace) {
        self.space = space
        next = space.portBase + 1
    }

    /// Begins with a number that was given out before.
    mutating func restore(_ port: UInt64, number: UInt32) {
        if space.isShared, Self.isWatch(port) { return }
        numbers[port] = number
        logical[number] = port
        while next <= number {
            if next != number, logical[next] == nil { free.append(next) }
            next += 1
        }
        free.removeAll { $0 == number }
    }

    /// The number of a logical port that is on this host, a new one if it has none.
    mutating func number(of port: UInt64) -> UInt32 {
        if let known = numbers[port] { return known }
        if space.isShared, Self.isWatch(port) {
            let number = Self.tunnel - UInt32(truncatingIfNeeded: port)
            numbers[port] = number
            logical[number] = port
            return number
        }
        let number = free.popLast() ?? next
        if number == next { next += 1 }
        precondition(number - space.portBase <= space.ports, "a host has at most \(space.ports) ports")
        numbers[port] = number
        logical[number] = port
        touched.insert(port)
        return number
    }

    mutating func release(_ port: UInt64) {
        guard let number = numbers.removeValue(forKey: port) else { return }
        logical[number] = nil
        if space.isShared, Self.isWatch(port) { return }
        touched.insert(port)
        free.append(number)
    }

    /// The logical port behind a number.
    func port(_ number: UInt32) -> UInt64? { logical[number] }

    /// What stands for the watched tunnel to a host among the ports: beyond all logical ones.
    static func watch(_ remote: UInt64) -> UInt64 { 1 << 32 | remote }
    static func isWatch(_ port: UInt64) -> Bool { port >> 32 != 0 }

    /// The logical ports and watched tunnels of this host with their numbers.
    public var all: [UInt64: UInt32] { numbers }
}

/// Rows of a host's tables to its entries.
struct HostEntryWriter {
    let host: UInt64
    private(set) var program = HostProgram()

    init(host: UInt64) { self.host = host }

    private mutating func add(_ draft: EntryDraft) { program.entries.append(draft.entry) }

    /// What every host has: its own ports are its own, and what comes by a tunnel goes on behind the stage that is complete.
    mutating func base() {
        let cookie = Cookie(.arrival, datapath: 0)
        var own = EntryDraft(.physicalMapping, EntryPriority.normal, cookie)
        own.require(RegisterMap.host, host)
        own.next(.localDelivery)
        add(own)
        // One whose egress access rules are at the last hop, which this is.
        var undone = EntryDraft(.physicalMapping, EntryPriority.raised, cookie)
        undone.require(RegisterMap.host, host)
        undone.require(RegisterMap.stage, UInt64(Stage.forwarding.rawValue))
        undone.markDone()
        undone.next(.switchEgressAccess)
        add(undone)
        // One that goes on in a datapath that is walked through here, as if it had come by a tunnel.
        for stage in [Stage.switchEgressAccess, .resolution] {
            var resumed = EntryDraft(.physicalMapping, EntryPriority.raised, cookie)
            resumed.require(RegisterMap.host, host)
            resumed.require(RegisterMap.stage, UInt64(stage.rawValue))
            resumed.next(.arrival)
            add(resumed)
        }
        var flood = EntryDraft(.physicalMapping, EntryPriority.high, cookie)
        flood.require(RegisterMap.host, host)
        flood.require(RegisterMap.floodBit, 1)
        flood.next(.localDelivery)
        add(flood)
        var done = EntryDraft(.arrival, EntryPriority.normal, cookie)
        done.require(RegisterMap.stage, UInt64(Stage.egressMapping.rawValue))
        done.next(.localDelivery)
        add(done)
        var arrived = EntryDraft(.arrival, EntryPriority.high, cookie)
        arrived.require(RegisterMap.stage, UInt64(Stage.forwarding.rawValue))
        arrived.require(RegisterMap.floodBit, 1)
        arrived.next(.localDelivery)
        add(arrived)
    }

    /// A port in both directions: to its logical port (2605, B02) and from it (B15), with its queue and rate.
    mutating func localPort(_ local: LocalPort) {
        let (d, p, queue, rate, number) = (local.datapath, local.port, local.queue, local.rate, local.number)
        let cookie = Cookie(.localPort, datapath: d, detail: p)
        var into = EntryDraft(.ingressMapping, EntryPriority.normal, cookie)
        into.require(.inPort, UInt64(number))
        if rate != 0 {
            // A burst of a tenth of a second, and no less than a full-sized frame with offload.
            let burst = max(UInt32(truncatingIfNeeded: rate / 10), 524)
            program.meters.append(Meter(id: number, unit: .kbps, hasBurst: true, bands: [.drop(rate: UInt32(rate), burst: burst)]))
            into.act(.meter(number))
        }
        into.load(RegisterMap.datapath, d)
        into.load(RegisterMap.ingressPort, p)
        into.next(.portSecurity)
        add(into)
        var out = EntryDraft(.localDelivery, EntryPriority.normal, cookie)
        out.require(RegisterMap.egressPort, p)
        out.require(RegisterMap.check, local.check)
        if queue != 0 { out.act(.setQueue(UInt32(queue - 1))) }
        out.act(.output(port: number))
        add(out)
        // From a first hop that left the egress access rules to this one (B81).
        var undone = EntryDraft(.arrival, EntryPriority.normal, cookie)
        undone.require(RegisterMap.stage, UInt64(Stage.forwarding.rawValue))
        undone.require(RegisterMap.egressPort, p)
        undone.require(RegisterMap.check, local.check)
        undone.load(RegisterMap.datapath, d)
        undone.markDone()
        undone.next(.switchEgressAccess)
        add(undone)
    }

    /// A port of an in-line element: what comes from it goes on behind the wire, as if it had come straight (FW-008).
    mutating func inLinePort(_ local: InLinePort) {
        let (d, side, number) = (local.datapath, local.side, local.number)
        let cookie = Cookie(.localPort, datapath: d, detail: side)
        var into = EntryDraft(.ingressMapping, EntryPriority.normal, cookie)
        into.require(.inPort, UInt64(number))
        // It may have to leave by the port by which it came, after the datapaths behind.
        into.forgetInPort()
        if local.distantHost == 0 {
            into.load(RegisterMap.datapath, d)
            into.load(RegisterMap.ingressPort, local.port)
            into.next(local.isRouter ? .routerAdmission : .switchIngressAccess)
        } else {
            into.load(RegisterMap.egressPort, local.near)
            into.load(RegisterMap.host, local.distantHost)
            into.load(RegisterMap.check, local.nearCheck)
            into.load(RegisterMap.stage, local.stage)
            into.next(.physicalMapping)
        }
        add(into)
        var out = EntryDraft(.localDelivery, EntryPriority.normal, cookie)
        out.require(RegisterMap.egressPort, side)
        out.require(RegisterMap.check, local.check)
        out.act(.output(port: number))
        add(out)
    }

    /// Both directions of a tunnel; context is taken from known hosts only.
    mutating func tunnel(to remote: UInt64, address: IPAddress) {
        let cookie = Cookie(.tunnel, datapath: 0, detail: remote)
        send(to: remote, address: address, cookie)
        var into = EntryDraft(.ingressMapping, EntryPriority.normal, cookie)
        into.require(.inPort, UInt64(HostPorts.tunnel))
        if address.family == .ipv4 {
            into.require(.tunnelSrc, address.low)
        } else {
            into.requireValue(.tunnelIPv6Src, FieldValue(high: address.high, low: address.low))
        }
        into.move(CarriedContext.egressPort, RegisterMap.egressPort.bits)
        into.move(CarriedContext.stage, RegisterMap.stage.bits)
        into.move(CarriedContext.ingressPort, Subfield(RegisterMap.ingressPort.bits.field, offset: 0, count: 24))
        into.move(CarriedContext.marks, RegisterMap.marks.bits)
        into.move(CarriedContext.check, RegisterMap.check.bits)
        into.next(.arrival)
        add(into)
    }

    /// What is for a host to which there is no tunnel goes to the pool node, with the host in its context (B21, B84).
    mutating func relayed(to remote: UInt64, pool: UInt64, address: IPAddress) {
        send(to: remote, address: address, Self.relayedCookie(to: remote, pool: pool), relay: remote)
    }

    /// The way to a host whose tunnel is watched: straight while it answers, else by way of the pool node if that does, else straight, which is no worse. The
    /// forwarding element decides by itself (B84). The tunnel's own entry in the physical mapping is not met meanwhile.
    ///
    /// - Parameter numbers: ports that are live while the remote, and while the pool node, answers.
    mutating func watched(
        to remote: UInt64, address: IPAddress, pool: UInt64, poolAddress: IPAddress, numbers: (remote: UInt32, pool: UInt32)
    ) {
        let cookie = Self.choiceCookie(to: remote, pool: pool)
        var choice = EntryDraft(.physicalMapping, EntryPriority.raised, cookie)
        choice.require(RegisterMap.host, remote)
        choice.loadLivePort(RegisterMap.tunnelPort, of: [numbers.remote, numbers.pool])
        choice.next(.tunnelChoice)
        add(choice)
        send(to: remote, address: address, cookie, in: EntryDraft(.tunnelChoice, EntryPriority.normal, cookie))
        var detour = EntryDraft(.tunnelChoice, EntryPriority.raised, cookie)
        detour.require(RegisterMap.tunnelPort, UInt64(numbers.pool))
        send(to: remote, address: poolAddress, cookie, relay: remote, in: detour)
    }

    static func choiceCookie(to remote: UInt64, pool: UInt64) -> Cookie { Cookie(.tunnelChoice, datapath: pool, detail: remote) }

    static func relayedCookie(to remote: UInt64, pool: UInt64) -> Cookie { Cookie(.tunnel, datapath: pool, detail: remote) }
    static func relayCookie(for remote: UInt64) -> Cookie { Cookie(.arrival, datapath: 0, detail: remote) }

    private mutating func send(to remote: UInt64, address: IPAddress, _ cookie: Cookie, relay: UInt64? = nil, in draft: EntryDraft? = nil) {
        var out = draft ?? EntryDraft(.physicalMapping, EntryPriority.normal, cookie)
        out.require(RegisterMap.host, remote)
        out.move(RegisterMap.egressPort.bits, CarriedContext.egressPort)
        out.move(RegisterMap.stage.bits, CarriedContext.stage)
        out.move(Subfield(RegisterMap.ingressPort.bits.field, offset: 0, count: 24), CarriedContext.ingressPort)
        out.move(RegisterMap.marks.bits, CarriedContext.marks)
        out.move(RegisterMap.check.bits, CarriedContext.check)
        if let relay { out.load(CarriedContext.relay, relay) }
        if address.family == .ipv4 {
            out.load(.tunnelDst, address.low)
        } else {
            out.loadAddress(.tunnelIPv6Dst, address.high, address.low)
        }
        out.act(.output(port: HostPorts.tunnel))
        // A flood's next copy may go straight.
        if relay != nil { out.load(CarriedContext.relay, 0) }
        add(out)
    }

    /// What came for another host goes on to that one, its context as it is: a pool node looks at nothing else.
    mutating func relay(for remote: UInt64) {
        var e = EntryDraft(.arrival, EntryPriority.highest, Self.relayCookie(for: remote))
        e.require(CarriedContext.relay, remote)
        e.load(CarriedContext.relay, 0)
        e.load(RegisterMap.host, remote)
        e.forgetInPort()
        e.next(.physicalMapping)
        add(e)
    }

    /// Copies to the ports of a switch that are here, each through its egress access rules.
    mutating func localFlood(_ datapath: UInt64, ports: [UInt64], check: UInt64) {
        if ports.isEmpty { return }
        var e = EntryDraft(.localDelivery, EntryPriority.normal, Cookie(.localFlood, datapath: datapath))
        e.require(RegisterMap.egressPort, RegisterMap.flood(of: datapath))
        e.require(RegisterMap.check, check)
        e.load(RegisterMap.datapath, datapath)
        for port in ports.sorted() {
            e.load(RegisterMap.egressPort, port)
            e.markDone()
            e.next(.switchEgressAccess)
        }
        add(e)
    }

    /// The entry by which a flood reaches the hosts of a switch, each once (B145): the same for all hosts, for a host that is meant itself takes its own way.
    static func floodHosts(_ datapath: UInt64, hosts: [UInt64], checks: NameChecks) -> FlowEntry? {
        if hosts.isEmpty { return nil }
        var e = EntryDraft(.floodMapping, EntryPriority.normal, Cookie(.flood, datapath: datapath))
        e.require(RegisterMap.datapath, datapath)
        for host in hosts.sorted() {
            // The copies for this host's own ports change these.
            e.load(RegisterMap.egressPort, RegisterMap.flood(of: datapath))
            e.load(RegisterMap.check, checks.ofFlood(datapath))
            e.load(RegisterMap.stage, UInt64(Stage.forwarding.rawValue))
            e.load(RegisterMap.host, host)
            e.next(.physicalMapping)
        }
        return e.entry
    }
}
