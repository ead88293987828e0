import Flow

/// What is known where a list of actions stands.
struct ActionScope {
    /// Where the list stands decides what it may contain.
    enum Place { case applied, actionSet, bucket, packetOut, clone }

    let version: OpenFlowVersion
    var place: Place
    /// The match, and what preceding actions changed.
    var context: MatchContext
    var depth = 0

    /// Clones and action sets inside each other.
    static let maximumDepth = 16

    func require(_ c: FieldCode, _ code: ErrorCode = .matchInconsistent) throws(OpenFlowError) {
        if c.prerequisite == .none || context.meets(c.prerequisite) { return }
        throw OpenFlowError(code, "\(c.field.info.name) exists only in packets that the match does not ask for.")
    }

    func expect(_ holds: Bool, _ what: StaticString) throws(OpenFlowError) {
        if !holds, !context.isOpen { throw OpenFlowError(.matchInconsistent, "\(what)") }
    }
}

/// Numbers of OpenFlow's own actions (OpenFlow 1.5.1 §7.2.6).
enum ActionType {
    static let output: UInt16 = 0
    static let copyTTLOut: UInt16 = 11
    static let copyTTLIn: UInt16 = 12
    static let setMPLSTTL: UInt16 = 15
    static let decMPLSTTL: UInt16 = 16
    static let pushVLAN: UInt16 = 17
    static let popVLAN: UInt16 = 18
    static let pushMPLS: UInt16 = 19
    static let popMPLS: UInt16 = 20
    static let setQueue: UInt16 = 21
    static let group: UInt16 = 22
    static let setTTL: UInt16 = 23
    static let decTTL: UInt16 = 24
    static let setField: UInt16 = 25
    static let pushPBB: UInt16 = 26
    static let popPBB: UInt16 = 27
    /// From 1.5 on.
    static let copyField: UInt16 = 28
    /// From 1.5 on.
    static let meter: UInt16 = 29
    static let experimenter: UInt16 = 0xffff

    static let names: [UInt16: String] = [28: "copy_field", 29: "meter"]
}

/// Reading lists of actions.
extension WireReader {
    /// Reads the actions of the next `size` bytes.
    mutating func actions(_ size: Int, _ scope: inout ActionScope) throws(OpenFlowError) -> [Action] {
        if size > remaining { throw OpenFlowError(.badRequestLength, "The actions are longer than the message.") }
        if size == 0 { return [] }
        let outer = enter(size)
        var list: [Action] = []
        while !isEmpty {
            let type = u16()
            let length = Int(u16())
            if isShort || length < 8 || length & 7 != 0 || length - 4 > remaining {
                throw OpenFlowError(.badActionLength, "An action of \(length) bytes is too short, no multiple of 8, or too long for its list.")
            }
            let list_ = enter(length - 4)
            let a = try action(type, length, &scope)
            if scope.place == .actionSet, !a.isForActionSets {
                throw OpenFlowError(.badActionType, "An action set takes no such action of type \(type).")
            }
            list.append(a)
            if isShort { throw OpenFlowError(.badActionLength, "Action \(type) is cut short.") }
            leave(list_)
        }
        leave(outer)
        if list.count > 1, scope.place != .actionSet { try Self.checkConjunction(list) }
        return list
    }

    private static func checkConjunction(_ list: [Action]) throws(OpenFlowError) {
        var has = false
        var others = false
        for a in list {
            switch a {
            case .conjunction: has = true
            case .note: break
            default: others = true
            }
        }
        if has, others { throw OpenFlowError(.badConjunction, "Beside conjunction only note and further conjunctions may stand.") }
    }

    @inline(__always) private func size(_ length: Int, _ wanted: Int) throws(OpenFlowError) {
        if length != wanted { throw OpenFlowError(.badActionLength, "The action has \(length) bytes where \(wanted) are right.") }
    }

    /// A queue to set; all of them is none (`OFPQ_ALL`). Which queues a port has is not known before a packet is sent there.
    mutating func queue() throws(OpenFlowError) -> UInt32 {
        let queue = u32()
        if queue == OpenFlowNumber.allQueues { throw OpenFlowError(.badActionQueue, "A packet takes one queue, not all.") }
        return queue
    }

    private mutating func action(_ type: UInt16, _ length: Int, _ scope: inout ActionScope) throws(OpenFlowError) -> Action {
        switch type {
        case ActionType.output:
            try size(length, 16)
            return try output(u32(), maxLength: u16())
        case ActionType.setField: return try setField(&scope)
        case ActionType.experimenter: return try experimenterAction(length, &scope)
        case ActionType.group:
            try size(length, 8)
            let id = u32()
            if id > Group.max { throw OpenFlowError(.badActionOutGroup, "Groups are numbered from 0 to \(Group.max), not \(id).") }
            return .group(id)
        case ActionType.setQueue:
            try size(length, 8)
            return .setQueue(try queue())
        case ActionType.setTTL:
            try size(length, 8)
            try scope.expect(scope.context.isIP, "set_nw_ttl needs a match of IP.")
            return .setTTL(u8())
        case ActionType.decTTL:
            try size(length, 8)
            try scope.expect(scope.context.isIP, "dec_nw_ttl needs a match of IP.")
            return .decTTL()
        case ActionType.pushVLAN:
            try size(length, 8)
            let t = u16()
            guard t == 0x8100 || t == 0x88a8 else { throw OpenFlowError(.badActionArgument, "push_vlan takes 0x8100 or 0x88a8.") }
            scope.context.hasTag = true
            return .pushVLAN(etherType: t)
        case ActionType.popVLAN:
            try size(length, 8)
            try scope.expect(scope.context.hasTag, "pop_vlan needs a match of a tag.")
            scope.context.hasTag = false
            return .stripVLAN
        case ActionType.pushMPLS:
            try size(length, 8)
            let t = u16()
            guard t == 0x8847 || t == 0x8848 else { throw OpenFlowError(.badActionArgument, "push_mpls takes 0x8847 or 0x8848.") }
            scope.context.etherType = t
            scope.context.ipProtocol = 0
            return .pushMPLS(etherType: t)
        case ActionType.popMPLS:
            try size(length, 8)
            try scope.expect(scope.context.isMPLS, "pop_mpls needs a match of MPLS.")
            let t = u16()
            scope.context.etherType = t
            return .popMPLS(etherType: t)
        case ActionType.setMPLSTTL:
            try size(length, 8)
            try scope.expect(scope.context.isMPLS, "set_mpls_ttl needs a match of MPLS.")
            return .setMPLSTTL(u8())
        case ActionType.decMPLSTTL:
            try size(length, 8)
            try scope.expect(scope.context.isMPLS, "dec_mpls_ttl needs a match of MPLS.")
            return .decMPLSTTL
        case ActionType.copyTTLOut, ActionType.copyTTLIn:
            try size(length, 8)
            try scope.expect(scope.context.isMPLS || scope.context.isIP, "Copying a TTL needs a match of MPLS or IP.")
            return type == ActionType.copyTTLOut ? .copyTTLOut : .copyTTLIn
        case ActionType.pushPBB:
            try size(length, 8)
            let t = u16()
            guard t == 0x88e7 else { throw OpenFlowError(.badActionArgument, "push_pbb takes 0x88e7.") }
            scope.context.beginFrame(etherType: t)
            return .pushPBB(etherType: t)
        case ActionType.popPBB:
            try size(length, 8)
            try scope.expect(scope.context.isPBB, "pop_pbb needs a match of PBB.")
            // What is below is known only when the packet is there.
            scope.context.beginFrame(etherType: 0)
            return .popPBB
        case ActionType.copyField where scope.version >= .v15: return try copyField(&scope)
        case ActionType.meter where scope.version >= .v15:
            try size(length, 8)
            let id = u32()
            guard id != 0, id <= OpenFlowNumber.maxMeter else { throw OpenFlowError(.badActionMeter, "\(id) is not the number of a meter.") }
            return .meter(id)
        default:
            throw OpenFlowError(.badActionType, "The action \(ActionType.names[type] ?? "\(type)") is not supported.")
        }
    }

    func output(_ port: UInt32, maxLength: UInt16) throws(OpenFlowError) -> Action {
        if port >= ReservedPort.max {
            switch port {
            case ReservedPort.controller:
                var c = Action.Controller()
                c.maxLength = maxLength
                return .controller(c)
            case ReservedPort.inPort, ReservedPort.table, ReservedPort.normal, ReservedPort.flood, ReservedPort.all, ReservedPort.local,
                ReservedPort.dispatch:
                break
            default: throw OpenFlowError(.badActionOutPort, "Packets cannot be sent to port 0x\(String(port, radix: 16)).")
            }
        }
        return maxLength == 0 ? .output(port: port) : .outputHint(port: port, maxLength: maxLength)
    }

    /// An element of field and value, and behind it zeros up to the end of the action (`set_field`, `reg_load2`).
    private mutating func setField(_ scope: inout ActionScope, mayHaveMask: Bool? = nil) throws(OpenFlowError) -> Action {
        guard let h = fieldHeader() else { throw OpenFlowError(.badActionSetLength, "The field of set_field is cut short.") }
        let c = try actionField(h, mayHaveMask: true)
        if h.size > remaining { throw OpenFlowError(.badActionSetLength, "The value of \(c.field.info.name) is cut short.") }
        let size = h.hasMask ? h.size / 2 : h.size
        let (value, fits) = fieldValue(c, size)
        var mask = FieldValue.ones(Int(c.bits))
        if h.hasMask { mask = fieldValue(c, size).0 & mask }
        if !fits { throw OpenFlowError(.badActionSetArgument, "The value does not fit into the \(c.bits) bits of \(c.field.info.name).") }
        if h.hasMask, mask != .ones(Int(c.bits)) {
            guard mayHaveMask ?? (scope.version >= .v15) else { throw OpenFlowError(.badActionSetMask, "set_field has no mask before OpenFlow 1.5.") }
            if !(value & ~mask).isZero { throw OpenFlowError(.badActionSetMask, "\(c.field.info.name) has bits outside its mask.") }
        }
        if !zeros(remaining) { throw OpenFlowError(.badActionSetArgument, "The bytes that pad set_field are not zero.") }
        let isKind = c.field.isKindOfPayload && mask == .ones(Int(c.bits))
        guard c.isWritable || isKind else { throw OpenFlowError(.badActionSetArgument, "\(c.field.info.name) cannot be written.") }
        try scope.require(c)
        switch c.field {
        case .ethType:
            scope.context.etherType = UInt16(truncatingIfNeeded: value.low)
            scope.context.ipProtocol = 0
        case .ipProto: scope.context.ipProtocol = UInt8(truncatingIfNeeded: value.low)
        case .vlanVID: try scope.expect(scope.context.hasTag, "vlan_vid exists only in packets with a tag.")
        case .vlanTCI: scope.context.hasTag = value.low & 0x1000 != 0
        case .arpOp: if value.low > 0xff { throw OpenFlowError(.badActionSetArgument, "An ARP operation is at most 255.") }
        case .inPort:
            // OpenFlow 1.3.5 §A.2.5: set_field does not take OXM_OF_IN_PORT.
            if mayHaveMask == nil, c.special == .none { throw OpenFlowError(.badActionSetArgument, "in_port cannot be written by set_field.") }
            // Written through its 16 bits the port is one of OpenFlow 1.0.
            if c.special == .port16 { return .load(value, Subfield(.inPort, offset: 0, count: 16)) }
        case .ipTOS: if value.low & 3 != 0 { throw OpenFlowError(.badActionSetArgument, "nw_tos has the upper six bits only.") }
        default: break
        }
        return .setField(c.field, value, mask: mask)
    }

    mutating func niciraSetField(_ scope: inout ActionScope) throws(OpenFlowError) -> Action { try setField(&scope, mayHaveMask: true) }

    /// A part of a field; checks that the field has the bits and that its packets have the field.
    func subfield(_ c: FieldCode, offset: Int, count: Int, _ scope: ActionScope, isWritten: Bool = false) throws(OpenFlowError) -> Subfield {
        guard count >= 1, offset + count <= Int(c.bits) else {
            throw OpenFlowError(.badActionArgument, "\(c.field.info.name) has \(c.bits) bits, not \(offset)…\(offset + count - 1).")
        }
        if isWritten, !c.isWritable { throw OpenFlowError(.badActionSetArgument, "\(c.field.info.name) cannot be written.") }
        try scope.require(c)
        return Subfield(c.field, offset: offset, count: count)
    }

    /// `copy_field` of OpenFlow 1.5, and the ONF's for 1.3 behind its own header.
    mutating func copyField(_ scope: inout ActionScope) throws(OpenFlowError) -> Action {
        let count = Int(u16())
        let from = Int(u16())
        let to = Int(u16())
        skip(2)
        let source = try actionField()
        let destination = try actionField()
        if !zeros(remaining) { throw OpenFlowError(.badActionArgument, "The bytes that pad copy_field are not zero.") }
        return .move(
            from: try subfield(source, offset: from, count: count, scope),
            to: try subfield(destination, offset: to, count: count, scope, isWritten: true))
    }
}

extension Action {
    /// Whether the action set of a packet may hold it (OpenFlow 1.3.5 §5.10, and what Open vSwitch adds: `resubmit`, `reg_move`, writes of any field).
    var isForActionSets: Bool {
        switch self {
        case .outputSubfield, .output(_, maxLength: _?), .controller, .clearActions, .clone, .enqueue, .exit, .finTimeout, .gotoTable, .learn,
            .conjunction, .meter, .multipath, .bundle, .note, .popQueue, .push, .pop, .writeActions, .writeMetadata, .checkPacketLarger:
            // To the controller by OpenFlow's own output.
            if case .controller(let c) = self { c.isPlain } else { false }
        default: true
        }
    }
}

extension Action.Controller {
    /// Whether it says no more than OpenFlow's `output` to the controller does.
    var isPlain: Bool { reason == "action" && controllerID == 0 && userdata.isEmpty && !pause }
}
