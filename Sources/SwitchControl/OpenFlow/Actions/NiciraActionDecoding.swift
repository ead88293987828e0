import Flow

/// Subtypes of Nicira's actions (ovs-actions(7)).
enum NiciraAction {
    static let resubmit: UInt16 = 1
    static let setTunnel: UInt16 = 2
    static let setQueue: UInt16 = 4
    static let popQueue: UInt16 = 5
    static let regMove: UInt16 = 6
    static let regLoad: UInt16 = 7
    static let note: UInt16 = 8
    static let setTunnel64: UInt16 = 9
    static let multipath: UInt16 = 10
    static let bundle: UInt16 = 12
    static let bundleLoad: UInt16 = 13
    static let resubmitTable: UInt16 = 14
    static let outputReg: UInt16 = 15
    static let learn: UInt16 = 16
    static let exit: UInt16 = 17
    static let decTTL: UInt16 = 18
    static let finTimeout: UInt16 = 19
    static let controller: UInt16 = 20
    static let decTTLControllers: UInt16 = 21
    static let writeMetadata: UInt16 = 22
    static let pushMPLS: UInt16 = 23
    static let popMPLS: UInt16 = 24
    static let setMPLSTTL: UInt16 = 25
    static let decMPLSTTL: UInt16 = 26
    static let stackPush: UInt16 = 27
    static let stackPop: UInt16 = 28
    static let setMPLSLabel: UInt16 = 30
    static let setMPLSTC: UInt16 = 31
    static let outputReg2: UInt16 = 32
    static let regLoad2: UInt16 = 33
    static let conjunction: UInt16 = 34
    static let controller2: UInt16 = 37
    static let outputTruncated: UInt16 = 39
    static let group: UInt16 = 40
    static let clone: UInt16 = 42
    static let learn2: UInt16 = 45
    static let checkPacketLarger: UInt16 = 49

    /// Known and refused.
    static let unsupported: [UInt16: String] = [
        29: "sample", 35: "ct", 36: "nat", 38: "sample", 41: "sample", 43: "ct_clear", 44: "resubmit with connection tracking", 46: "encap",
        47: "decap",
        48: "dec_nsh_ttl", 50: "delete_field",
    ]

    /// What Open vSwitch reads of a controller's reasons, by number (OpenFlow 1.5.1 §7.4.1).
    static let reasons = ["no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"]

    static let hashFields: [HashFields] = [.ethSrc, .symmetricL4, .symmetricL3L4, .symmetricL3L4UDP, .nwSrc, .nwDst, .symmetricL3]
    static let multipathAlgorithms: [MultipathAlgorithm] = [.moduloN, .hashThreshold, .hrw, .iterHash]
    static let bundleAlgorithms: [BundleAlgorithm] = [.activeBackup, .hrw]
}

/// OpenFlow 1.0's 16-bit port numbers in the 32-bit space, and back.
enum Port16 {
    static func wide(_ p: UInt16) -> UInt32 { p >= 0xff00 ? 0xffff_0000 | UInt32(p) : UInt32(p) }
    /// Nil for a port that 16 bits cannot say.
    static func narrow(_ p: UInt32) -> UInt16? {
        p >= 0xffff_ff00 ? UInt16(truncatingIfNeeded: p) : p < 0xff00 ? UInt16(p) : nil
    }
}

/// Reading the actions of experimenters: Nicira's, and the ONF's `copy_field`.
extension WireReader {
    mutating func experimenterAction(_ length: Int, _ scope: inout ActionScope) throws(OpenFlowError) -> Action {
        let vendor = u32()
        if vendor == Experimenter.onf {
            guard length >= 24, u16() == 3200, scope.version < .v15 else {
                throw OpenFlowError(.badActionExperimenterType, "This action of the ONF is not supported.")
            }
            skip(2)
            return try copyField(&scope)
        }
        guard vendor == Experimenter.nicira else {
            throw OpenFlowError(.badActionExperimenter, "Actions of experimenter 0x\(String(vendor, radix: 16)) are not supported.")
        }
        if length < 16 { throw OpenFlowError(.badActionLength, "An action of Nicira has at least 16 bytes, not \(length).") }
        return try niciraAction(u16(), length, &scope)
    }

    private func size(_ length: Int, _ wanted: Int) throws(OpenFlowError) {
        if length != wanted { throw OpenFlowError(.badActionLength, "The action has \(length) bytes where \(wanted) are right.") }
    }

    private mutating func niciraAction(_ subtype: UInt16, _ length: Int, _ scope: inout ActionScope) throws(OpenFlowError) -> Action {
        switch subtype {
        case NiciraAction.resubmit:
            try size(length, 16)
            return .resubmit(inPort: resubmitPort(u16()), table: nil)
        case NiciraAction.resubmitTable:
            try size(length, 16)
            let port = u16()
            let table = u8()
            if !zeros(3) { throw OpenFlowError(.badActionArgument, "The bytes that pad resubmit are not zero.") }
            return .resubmit(inPort: resubmitPort(port), table: table == 255 ? nil : table)
        case NiciraAction.setTunnel:
            try size(length, 16)
            skip(2)
            return .setTunnelID(UInt64(u32()))
        case NiciraAction.setTunnel64:
            try size(length, 24)
            skip(6)
            return .setTunnelID(u64())
        case NiciraAction.setQueue:
            try size(length, 16)
            skip(2)
            return .setQueue(try queue())
        case NiciraAction.popQueue:
            try size(length, 16)
            return .popQueue
        case NiciraAction.group:
            try size(length, 16)
            skip(2)
            let id = u32()
            if id > Group.max { throw OpenFlowError(.badActionOutGroup, "Groups are numbered from 0 to \(Group.max), not \(id).") }
            return .group(id)
        case NiciraAction.regMove:
            let count = Int(u16())
            let from = Int(u16())
            let to = Int(u16())
            let source = try actionField()
            let destination = try actionField()
            try end("reg_move")
            return .move(
                from: try subfield(source, offset: from, count: count, scope),
                to: try subfield(destination, offset: to, count: count, scope, isWritten: true))
        case NiciraAction.regLoad:
            try size(length, 24)
            let (offset, count) = part(u16())
            let c = try actionField()
            let value = u64()
            if count < 64, value >> UInt64(count) != 0 {
                throw OpenFlowError(.badActionArgument, "The value does not fit into \(count) bits.")
            }
            let to = try subfield(c, offset: offset, count: count, scope, isWritten: true)
            if c.field == .vlanTCI, offset <= 12, offset + count > 12 { scope.context.hasTag = value >> UInt64(12 - offset) & 1 != 0 }
            return .load(FieldValue(low: value), to)
        case NiciraAction.regLoad2:
            return try niciraSetField(&scope)
        case NiciraAction.note: return .note(rest())
        case NiciraAction.stackPush, NiciraAction.stackPop:
            try size(length, 24)
            let offset = Int(u16())
            let c = try actionField()
            let count = Int(u16())
            try end("a stack action")
            let s = try subfield(c, offset: offset, count: count, scope, isWritten: subtype == NiciraAction.stackPop)
            return subtype == NiciraAction.stackPush ? .push(s) : .pop(s)
        case NiciraAction.outputReg:
            try size(length, 24)
            let (offset, count) = part(u16())
            let c = try actionField()
            skip(2)
            try end("output_reg")
            return .outputSubfield(try subfield(c, offset: offset, count: count, scope))
        case NiciraAction.outputReg2:
            try size(length, 24)
            let (offset, count) = part(u16())
            skip(2)
            let c = try actionField()
            try end("output_reg2")
            return .outputSubfield(try subfield(c, offset: offset, count: count, scope))
        case NiciraAction.exit:
            try size(length, 16)
            return .exit
        case NiciraAction.decTTL:
            try size(length, 16)
            try scope.expect(scope.context.isIP, "dec_ttl needs a match of IP.")
            return .decTTL()
        case NiciraAction.decTTLControllers:
            try scope.expect(scope.context.isIP, "dec_ttl needs a match of IP.")
            let count = Int(u16())
            if !zeros(4) { throw OpenFlowError(.mustBeZero, "The bytes that pad dec_ttl_cnt_ids are not zero.") }
            if count * 2 > remaining { throw OpenFlowError(.badActionLength, "dec_ttl_cnt_ids has no room for \(count) numbers.") }
            return .decTTL(controllers: (0..<count).map { _ in u16() })
        case NiciraAction.finTimeout:
            try size(length, 16)
            try scope.expect(scope.context.meets(.tcp), "fin_timeout needs a match of TCP.")
            return .finTimeout(idle: u16(), hard: u16())
        case NiciraAction.controller:
            try size(length, 16)
            var c = Action.Controller()
            c.maxLength = u16()
            c.controllerID = u16()
            c.reason = try reason(u8())
            return .controller(c)
        case NiciraAction.controller2: return .controller(try controller2())
        case NiciraAction.writeMetadata:
            try size(length, 32)
            if !zeros(6) { throw OpenFlowError(.mustBeZero, "The bytes that pad write_metadata are not zero.") }
            return .writeMetadata(value: u64(), mask: u64())
        case NiciraAction.pushMPLS:
            try size(length, 16)
            let t = u16()
            guard t == 0x8847 || t == 0x8848 else { throw OpenFlowError(.badActionArgument, "push_mpls takes 0x8847 or 0x8848.") }
            scope.context.etherType = t
            scope.context.ipProtocol = 0
            return .pushMPLS(etherType: t)
        case NiciraAction.popMPLS, NiciraAction.setMPLSTTL, NiciraAction.decMPLSTTL, NiciraAction.setMPLSLabel, NiciraAction.setMPLSTC:
            try size(length, 16)
            try scope.expect(scope.context.isMPLS, "Actions on MPLS need a match of MPLS.")
            return try mpls(subtype, &scope)
        case NiciraAction.conjunction:
            try size(length, 16)
            let clause = Int(u8())
            let count = Int(u8())
            guard (2...64).contains(count), clause < count else {
                throw OpenFlowError(.badActionArgument, "A conjunction has 2 to 64 clauses; \(clause + 1) of \(count) is none.")
            }
            return .conjunction(id: u32(), clause: clause + 1, of: count)
        case NiciraAction.outputTruncated:
            try size(length, 16)
            let port = Port16.wide(u16())
            let maxLength = u32()
            if maxLength < 14 { throw OpenFlowError(.badActionArgument, "An output cuts packets to at least 14 bytes, not \(maxLength).") }
            guard port < ReservedPort.max || port == ReservedPort.local || port == ReservedPort.inPort else {
                throw OpenFlowError(.badActionOutPort, "With a length a packet goes to a numbered port, LOCAL or IN_PORT.")
            }
            return .output(port: port, maxLength: maxLength)
        case NiciraAction.clone:
            if !zeros(6) { throw OpenFlowError(.mustBeZero, "The bytes that pad clone are not zero.") }
            guard scope.depth < ActionScope.maximumDepth else {
                throw OpenFlowError(.tooManyActions, "Clones are nested deeper than \(ActionScope.maximumDepth).")
            }
            var inner = scope
            inner.depth += 1
            inner.place = .clone
            return .clone(try actions(remaining, &inner))
        case NiciraAction.checkPacketLarger:
            try size(length, 24)
            let packetLength = u16()
            let offset = Int(u16())
            let c = try actionField()
            try end("check_pkt_larger")
            return .checkPacketLarger(length: packetLength, to: try subfield(c, offset: offset, count: 1, scope, isWritten: true))
        case NiciraAction.multipath: return try multipath(length, scope)
        case NiciraAction.bundle, NiciraAction.bundleLoad: return try bundle(loads: subtype == NiciraAction.bundleLoad, length, scope)
        case NiciraAction.learn, NiciraAction.learn2: return .learn(try learn(hasLimit: subtype == NiciraAction.learn2, length, scope))
        default:
            throw OpenFlowError(
                .badActionExperimenterType,
                NiciraAction.unsupported[subtype].map { "The action \($0) is not supported." } ?? "Nicira's action \(subtype) is not supported.")
        }
    }

    private func resubmitPort(_ p: UInt16) -> UInt32? { p == 0xfff8 ? nil : Port16.wide(p) }

    /// Offset and count that share 16 bits.
    private func part(_ v: UInt16) -> (offset: Int, count: Int) { (Int(v >> 6), Int(v & 63) + 1) }

    private mutating func end(_ what: StaticString) throws(OpenFlowError) {
        if !zeros(remaining) { throw OpenFlowError(.badActionArgument, "The bytes that pad \(what) are not zero.") }
    }

    func reason(_ r: UInt8) throws(OpenFlowError) -> String {
        guard Int(r) < NiciraAction.reasons.count else { throw OpenFlowError(.badActionArgument, "\(r) is not a reason for a packet-in.") }
        return NiciraAction.reasons[Int(r)]
    }

    private mutating func mpls(_ subtype: UInt16, _ scope: inout ActionScope) throws(OpenFlowError) -> Action {
        switch subtype {
        case NiciraAction.popMPLS:
            let t = u16()
            scope.context.etherType = t
            return .popMPLS(etherType: t)
        case NiciraAction.setMPLSTTL: return .setMPLSTTL(u8())
        case NiciraAction.decMPLSTTL: return .decMPLSTTL
        case NiciraAction.setMPLSLabel:
            skip(2)
            let label = u32()
            if label > 0xfffff { throw OpenFlowError(.badActionArgument, "An MPLS label has 20 bits.") }
            return .setMPLSLabel(label)
        default:
            let tc = u8()
            if tc > 7 { throw OpenFlowError(.badActionArgument, "An MPLS traffic class has three bits.") }
            return .setMPLSTC(tc)
        }
    }

    private mutating func controller2() throws(OpenFlowError) -> Action.Controller {
        if !zeros(6) { throw OpenFlowError(.mustBeZero, "The bytes that pad controller2 are not zero.") }
        var c = Action.Controller()
        while !isEmpty {
            let (type, outer) = try enterProperty()
            switch type {
            case 0: c.maxLength = u16()
            case 1: c.controllerID = u16()
            case 2: c.reason = try reason(u8())
            case 3: c.userdata = rest()
            case 4: c.pause = true
            case 5: c.meter = u32()
            default: throw OpenFlowError(.badPropertyType, "controller2 has no property \(type).")
            }
            try leaveProperty(outer)
        }
        return c
    }

    private func hashFields(_ n: UInt16) throws(OpenFlowError) -> HashFields {
        guard Int(n) < NiciraAction.hashFields.count else { throw OpenFlowError(.badActionArgument, "\(n) does not say what to hash.") }
        return NiciraAction.hashFields[Int(n)]
    }

    private mutating func multipath(_ length: Int, _ scope: ActionScope) throws(OpenFlowError) -> Action {
        try size(length, 32)
        let fields = try hashFields(u16())
        let basis = u16()
        skip(2)
        let algorithm = Int(u16())
        let links = UInt32(u16()) + 1
        let argument = u32()
        skip(2)
        let (offset, count) = part(u16())
        let c = try actionField()
        guard algorithm < NiciraAction.multipathAlgorithms.count else {
            throw OpenFlowError(.badActionArgument, "\(algorithm) is no multipath algorithm.")
        }
        guard count >= 16 || links <= 1 << UInt32(count) else { throw OpenFlowError(.badActionArgument, "\(count) bits cannot hold \(links) links.") }
        return .multipath(
            fields: fields, basis: basis, algorithm: NiciraAction.multipathAlgorithms[algorithm], links: links, argument: argument,
            to: try subfield(c, offset: offset, count: count, scope, isWritten: true))
    }

    private mutating func bundle(loads: Bool, _ length: Int, _ scope: ActionScope) throws(OpenFlowError) -> Action {
        if length < 32 { throw OpenFlowError(.badActionLength, "A bundle has at least 32 bytes, not \(length).") }
        let algorithm = Int(u16())
        let fields = try hashFields(u16())
        let basis = u16()
        let memberType = u32()
        let memberCount = Int(u16())
        let (offset, count) = part(peek16())
        let isPart = u16() != 0
        let destination = peek32()
        var to: Subfield?
        if loads {
            let c = try actionField()
            guard count >= 16 else { throw OpenFlowError(.badActionArgument, "bundle_load needs 16 bits to write a port to.") }
            to = try subfield(c, offset: offset, count: count, scope, isWritten: true)
        } else {
            skip(4)
            if isPart || destination != 0 { throw OpenFlowError(.badActionArgument, "A bundle that loads nothing has no destination.") }
        }
        if !zeros(4) { throw OpenFlowError(.badActionArgument, "The reserved bytes of a bundle are not zero.") }
        guard algorithm < NiciraAction.bundleAlgorithms.count else { throw OpenFlowError(.badActionArgument, "\(algorithm) is no bundle algorithm.") }
        // NXM_OF_IN_PORT: the members are ports.
        guard memberType == 2 else { throw OpenFlowError(.badActionArgument, "The members of a bundle are ports.") }
        if memberCount * 2 > remaining { throw OpenFlowError(.badActionLength, "The bundle has no room for \(memberCount) members.") }
        guard memberCount <= 2048 else { throw OpenFlowError(.badActionArgument, "A bundle has at most 2048 members.") }
        var members: [UInt32] = []
        for _ in 0..<memberCount {
            let port = Port16.wide(u16())
            if port == ReservedPort.controller { throw OpenFlowError(.badActionOutPort, "The controller is no member of a bundle.") }
            members.append(port)
        }
        return .bundle(fields: fields, basis: basis, algorithm: NiciraAction.bundleAlgorithms[algorithm], members: members, to: to)
    }
}
