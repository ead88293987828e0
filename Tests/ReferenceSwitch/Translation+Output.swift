import Datapath
import Flow

extension Translation {
    func output(_ port: UInt32) {
        let inPort = UInt32(flow.key[.inPort])
        switch port {
        case ReservedPort.inPort: send(inPort)
        case ReservedPort.dispatch: goTo(0, inPort: UInt64(ReservedPort.dispatch))
        case ReservedPort.table: goTo(0, inPort: UInt64(inPort))
        case ReservedPort.normal: switchNormally()
        case ReservedPort.flood, ReservedPort.all:
            for p in owner.ports where p != inPort { send(p) }
        case ReservedPort.controller: controller(Action.Controller())
        case ReservedPort.any: break
        case inPort: program.append(.note(.outputToIngress))
        default: send(port)
        }
    }

    /// Emits the packet as it is now, unless the port does not exist.
    func send(_ port: UInt32) {
        if !owner.ports.contains(port) {
            program.append(.note(.noSuchPort))
            return
        }
        commitEdits()
        program.append(.output(port))
    }

    /// Cuts for one output only; the length is measured before pending changes are made.
    func output(_ port: UInt32, truncatedTo maxLength: Int) {
        switch port {
        case ReservedPort.table, ReservedPort.normal, ReservedPort.flood, ReservedPort.all, ReservedPort.controller, ReservedPort.any,
            ReservedPort.dispatch:
            break
        case UInt32(flow.key[.inPort]): program.append(.note(.outputToIngress))
        default:
            if !owner.ports.contains(port) {
                program.append(.note(.noSuchPort))
                return
            }
            program.append(.truncate(maxLength))
            send(port)
        }
    }

    /// A port number in a register has 16 bits; its reserved ports are those of OpenFlow 1.0.
    func outputSubfield(_ from: Subfield) {
        let value = flow.read(from)
        guard value.high == 0, value.low <= 0xffff else {
            program.append(.note(.noSuchPort))
            return
        }
        output(value.low >= 0xff00 ? 0xffff_0000 | UInt32(value.low) : UInt32(value.low))
    }

    func controller(_ c: Action.Controller) {
        commitEdits()
        program.append(.controller(maxLength: Int(c.maxLength)))
        if c.pause { isDone = true }
    }

    func bundle(_ fields: HashFields, _ basis: UInt16, _ algorithm: BundleAlgorithm, _ members: [UInt32], _ to: Subfield?) {
        let enabled = members.indices.filter { owner.ports.contains(members[$0]) }
        let chosen = algorithm == .activeBackup ? enabled.first : owner.hashes.member(fields, basis, enabled, flow.key)
        let port = chosen.map { members[$0] } ?? ReservedPort.any
        if let to { write(to, FieldValue(low: UInt64(port & 0xffff))) } else { output(port) }
    }

    // MARK: Groups

    /// False when the group does not exist, which ends the list.
    func group(_ id: UInt32) -> Bool {
        if !hasRoomToDescend() { return true }
        guard let group = owner.groups[id] else {
            program.append(.note(.noSuchGroup))
            return false
        }
        switch group.kind {
        case .all, .indirect:
            for bucket in group.buckets { run(bucket) }
        case .select, .fastFailover:
            if group.kind == .select && hasUnknownPayload {
                freeze()
                return true
            }
            let live = group.buckets.indices.filter { owner.isLive(group.buckets[$0], of: group) }
            let chosen = group.kind == .select ? owner.hashes.bucket(group, live, flow.key) : live.first
            if let chosen { run(group.buckets[chosen]) } else { program.append(.note(.noLiveBucket)) }
        }
        return true
    }

    /// A bucket is an action set on its own copy; neither `exit` nor too many labels in it end what follows the group.
    private func run(_ bucket: Group.Bucket) {
        let (oldFlow, oldUnknown, oldTable, oldEntry) = (flow, hasUnknownPayload, table, entry)
        if !owner.quirks.undoesCopies { commitEdits() }
        let (oldBase, before) = (base, program)
        if !owner.quirks.undoesCopies { program = [] }
        depth += 1
        run(ActionSet.ordered(bucket.actions))
        depth -= 1
        if isFreezing { finishFreezing() }
        if !owner.quirks.undoesCopies { (program, base) = (before + [.clone(program)], oldBase) }
        (flow, hasUnknownPayload, table, entry) = (oldFlow, oldUnknown, oldTable, oldEntry)
        isDone = false
        if error == .tooManyMPLSLabels {
            program.append(.note(.tooManyMPLSLabels))
            error = nil
        }
    }

    // MARK: The learning switch

    func switchNormally() {
        let inPort = UInt32(flow.key[.inPort])
        if !owner.ports.contains(inPort) { return }
        let hasTag = flow.tag(0) & NaiveFlow.vlanPresent != 0
        if NaiveFlow.isVLAN(flow.etherType) && !hasTag { return }
        let destination = flow.key[.ethDst]
        if Translation.isReserved(destination) { return }

        let vlan = hasTag && NaiveFlow.isVLAN(flow.tagProtocols[0]) ? flow.tag(0) & 0xfff : 0
        let isGroup: (UInt64) -> Bool = { $0 & 0x0100_0000_0000 != 0 }
        if !isGroup(flow.key[.ethSrc]) {
            owner.learnedMACs[.init(vlan: vlan, address: flow.key[.ethSrc])] = (inPort, execution.now)
        }
        if !isGroup(destination), let learned = owner.learnedMACs[.init(vlan: vlan, address: destination)] {
            if learned.port != inPort { sendSwitched(learned.port) } else { program.append(.note(.outputToIngress)) }
        } else {
            for port in owner.ports where port != inPort { sendSwitched(port) }
        }
    }

    /// A priority tag without priority does not leave a trunk port.
    private func sendSwitched(_ port: UInt32) {
        let old = flow
        for i in 0..<2 {
            let isTag = i < flow.tagCount && NaiveFlow.isVLAN(flow.tagProtocols[i]) && (i == 0 || NaiveFlow.isVLAN(old.tagProtocols[0]))
            let information = isTag ? old.tag(i) & 0xefff : 0
            flow.setTag(i, information == 0 ? 0 : information | NaiveFlow.vlanPresent)
        }
        send(port)
        flow = old
    }

    /// Destinations that a bridge does not forward: IEEE 802.1D's, and those of some vendors' link protocols.
    static func isReserved(_ mac: UInt64) -> Bool {
        (0x0180_c200_0000...0x0180_c200_000f).contains(mac) || vendorAddresses.contains(mac)
    }
    private static let vendorAddresses: Set<UInt64> = Set(
        [0x00e0_2b00_0000, 0x00e0_2b00_0004, 0x00e0_2b00_0006, 0x0100_0c00_0000, 0x0100_0ccc_cccc, 0x0100_0ccc_cccd, 0x0100_0ccd_cdcd]
            + (0x0100_0ccc_ccc0...0x0100_0ccc_ccc7).map { $0 })
}
