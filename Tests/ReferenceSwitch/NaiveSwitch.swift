import Datapath
import Flow

/// The whole packet path written for clarity only: the oracle of the datapath's tests.
///
/// It follows Open vSwitch 3.1 (userspace datapath) step by step. A packet is parsed into a flow; translation walks the tables, changes the
/// flow, and writes down at each output what edits turn the packet's headers into the flow's (`Translation`, `commit`); the resulting program
/// is executed on the bytes (`Execution`). Nothing is cached or shared with the datapath but the vocabulary of `Flow` and the event types.
public final class NaiveSwitch: SwitchUnderTest {
    /// Existing ports in ascending order.
    public let ports: [UInt32]
    public let limits: Limits
    public let hashes: HashFunctions
    public let quirks: Quirks

    var flowTables = FlowTables()
    var groups: [UInt32: Group] = [:]
    var meters: [UInt32: MeterState] = [:]
    var learnedMACs: [MACKey: (port: UInt32, time: UInt64)] = [:]

    struct MACKey: Hashable {
        var vlan: UInt16
        var address: UInt64
    }

    public init(ports: [UInt32], limits: Limits = Limits(), hashes: HashFunctions = .first, quirks: Quirks = Quirks()) {
        self.ports = ports.sorted()
        self.limits = limits
        self.hashes = hashes
        self.quirks = quirks
    }

    public func apply(_ modification: FlowModification, time: UInt64) {
        flowTables.expire(time)
        switch modification {
        case .flow(.add, let entry, _, _, _): flowTables.add(entry, time)
        case .flow(let command, let entry, let anyTable, let cookieMask, let outPort):
            let strict = command == .modifyStrict || command == .deleteStrict
            if command == .modify || command == .modifyStrict {
                flowTables.modify(entry, strict: strict, anyTable: anyTable, cookieMask: cookieMask, time)
            } else {
                flowTables.delete(entry, strict: strict, anyTable: anyTable, cookieMask: cookieMask, outPort: outPort)
            }
        case .addGroup(let group), .modifyGroup(let group): groups[group.id] = group
        case .deleteGroup(let id?): groups[id] = nil
        case .deleteGroup(nil): groups = [:]
        case .addMeter(let meter), .modifyMeter(let meter): meters[meter.id] = MeterState(meter, time)
        case .deleteMeter(let id?): meters[id] = nil
        case .deleteMeter(nil): meters = [:]
        }
    }

    public func process(_ packets: [ReceivedPacket]) -> [[PacketEvent.End]] { packets.map { process($0) } }

    /// All ends of one packet: what left, in order, or the one reason why nothing did.
    public func process(_ packet: ReceivedPacket) -> [PacketEvent.End] {
        if packet.bytes.count < 14 { return [.dropped(.frameTooShort)] }
        flowTables.expire(packet.time)
        learnedMACs = learnedMACs.filter { packet.time < $0.value.time + 300_000_000_000 }

        let execution = Execution(self, packet)
        execution.run(packet)
        if !execution.ends.isEmpty { return execution.ends }
        return [.dropped(execution.reasons.first ?? (execution.lastLookupMissed ? .noMatch : .actionDrop))]
    }

    func isLive(_ bucket: Group.Bucket, of group: Group, depth: Int = 0) -> Bool {
        if depth >= 128 || (group.kind == .select && bucket.weight == 0) { return false }
        if bucket.watchPort == ReservedPort.any && bucket.watchGroup == Group.none { return true }
        if bucket.watchPort != ReservedPort.any && bucket.watchPort != ReservedPort.controller && ports.contains(bucket.watchPort) { return true }
        guard bucket.watchGroup != Group.none, let watched = groups[bucket.watchGroup] else { return false }
        return watched.buckets.contains { isLive($0, of: watched, depth: depth + 1) }
    }
}

/// The execution of one packet's program on its bytes.
final class Execution {
    let owner: NaiveSwitch
    let now: UInt64
    /// Packets do not see the entries that they learn.
    let tables: FlowTables
    var ends: [PacketEvent.End] = []
    var reasons: [DropReason] = []
    var lastLookupMissed = false
    /// Recirculations at work one within the other, and in all.
    private var recirculations = (depth: 0, count: 0)

    init(_ owner: NaiveSwitch, _ packet: ReceivedPacket) {
        self.owner = owner
        now = packet.time
        tables = owner.flowTables
    }

    func run(_ received: ReceivedPacket) {
        var packet = NaivePacket(received.bytes)
        var flow = packet.extract(vlanTags: owner.limits.vlanTags)
        flow.key[.inPort] = UInt64(received.inPort)
        flow.key[.actsetOutput] = UInt64(ReservedPort.unset)
        let translation = Translation(self, flow)
        translation.start()
        _ = execute(translation.program, &packet)
    }

    /// Runs the steps; false when a meter dropped the packet, which ends the steps behind it too.
    private func execute(_ steps: [Step], _ packet: inout NaivePacket) -> Bool {
        var cut = 0
        for step in steps {
            switch step {
            case .edit(let edit): packet.apply(edit, quirks: owner.quirks)
            case .truncate(let maxLength): cut = max(0, packet.bytes.count - maxLength)
            case .output(let port):
                ends.append(.transmitted(port: port, bytes: Array(packet.bytes.dropLast(cut))))
                cut = 0
            case .controller(let maxLength): ends.append(.controller(bytes: Array(packet.bytes.prefix(maxLength))))
            case .lookup(let missed): lastLookupMissed = missed
            case .note(let reason): reasons.append(reason)
            case .meter(let id): if !pass(meter: id, &packet) { return false }
            case .clone(let inner):
                var copy = packet
                _ = execute(inner, &copy)
            case .checkLength(let length, let larger, let other):
                var copy = packet
                let size = packet.bytes.count - packet.padding
                _ = execute(size > Int(length) ? larger : other, &copy)
            case .recirculate(let frozen):
                if recirculations.depth >= owner.limits.recirculations || recirculations.count >= owner.limits.copies {
                    reasons.append(recirculations.depth >= owner.limits.recirculations ? .recirculationDepth : .tooManyCopies)
                    continue
                }
                recirculations.depth += 1
                recirculations.count += 1
                defer { recirculations.depth -= 1 }
                var copy = packet
                let translation = Translation(self, thaw(frozen, copy.extract(vlanTags: owner.limits.vlanTags)))
                translation.resume(frozen)
                _ = execute(translation.program, &copy)
            }
        }
        return true
    }

    private func pass(meter id: UInt32, _ packet: inout NaivePacket) -> Bool {
        guard let band = owner.meters[id]?.charge(bytes: packet.bytes.count, now) else { return true }
        switch band {
        case .drop:
            reasons.append(.meter)
            return false
        case .dscpRemark(_, _, let levels):
            // Where the last look found an IP header, also behind more tags than that look would have passed.
            guard let at = packet.networkOffset, packet.transportOffset != nil, packet.labelOffset == nil else { return true }
            let isIPv4 = packet.bytes.u16(at - 2) == 0x0800
            let tos = isIPv4 ? packet.bytes[at + 1] : UInt8(truncatingIfNeeded: packet.bytes.u16(at) >> 4)
            let new = MeterState.remarked(tos: tos, levels: levels)
            if new == tos { return true }
            packet.apply(
                isIPv4
                    ? .ipv4(source: nil, destination: nil, tos: .all(new), ttl: nil)
                    : .ipv6(source: nil, destination: nil, tos: .all(new), label: nil, hopLimit: nil), quirks: owner.quirks)
            return true
        }
    }

    /// The packet's own fields as they are now, with the metadata that it had when it was frozen.
    private func thaw(_ frozen: Frozen, _ parsed: NaiveFlow) -> NaiveFlow {
        var flow = parsed
        for word in FlowKeyLayout.tunnelID..<FlowKeyLayout.wordCount { flow.key[word] = frozen.key[word] }
        flow.key[Field.inPort] = frozen.key[Field.inPort]
        flow.key[.actsetOutput] = UInt64(ReservedPort.unset)
        flow.key[.conjunctionID] = 0
        return flow
    }
}
