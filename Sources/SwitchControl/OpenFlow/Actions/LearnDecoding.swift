import Flow

/// Reading the `learn` action (ovs-actions(7)): the attributes of the entry to learn, then specifications of match, loads and outputs.
extension WireReader {
    private static let flagSendFlowRemoved: UInt16 = 1
    private static let flagDeleteLearned: UInt16 = 2
    private static let flagWriteResult: UInt16 = 4

    mutating func learn(hasLimit: Bool, _ length: Int, _ scope: ActionScope) throws(OpenFlowError) -> Learn {
        if length < (hasLimit ? 40 : 32) { throw OpenFlowError(.badActionLength, "learn has \(length) bytes, too few.") }
        var l = Learn()
        l.idleTimeout = u16()
        l.hardTimeout = u16()
        l.priority = u16()
        l.cookie = u64()
        let flags = u16()
        l.table = u8()
        if u8() != 0 { throw OpenFlowError(.badActionArgument, "The byte that pads learn is not zero.") }
        l.finIdleTimeout = u16()
        l.finHardTimeout = u16()
        if l.table == 255 { throw OpenFlowError(.badActionArgument, "learn names a table from 0 to 254.") }
        l.sendFlowRemoved = flags & Self.flagSendFlowRemoved != 0
        l.deleteLearned = flags & Self.flagDeleteLearned != 0
        if flags & ~(hasLimit ? 7 : 3) != 0 { throw OpenFlowError(.badActionArgument, "learn has unknown flags 0x\(String(flags, radix: 16)).") }
        if hasLimit {
            l.limit = u32()
            let offset = Int(u16())
            if u16() != 0 { throw OpenFlowError(.mustBeZero, "The bytes that pad learn are not zero.") }
            if flags & Self.flagWriteResult != 0 {
                l.resultDestination = try subfield(try actionField(), offset: offset, count: 1, scope, isWritten: true)
            } else if offset != 0 {
                throw OpenFlowError(.badActionArgument, "learn has an offset for a result that it does not write.")
            }
        }
        // What is known of the packets that the learned entry matches.
        var learned = scope
        learned.context = MatchContext()
        learned.context.isOpen = scope.context.isOpen
        while remaining >= 2 {
            let header = u16()
            if header == 0 { break }
            l.specs.append(try learnSpec(header, scope, &learned))
        }
        if !zeros(remaining) { throw OpenFlowError(.badActionArgument, "The bytes behind the specifications of learn are not zero.") }
        return l
    }

    private mutating func learnSpec(_ header: UInt16, _ scope: ActionScope, _ learned: inout ActionScope) throws(OpenFlowError) -> LearnSpec {
        let count = Int(header & 0x7ff)
        let isImmediate = header & 0x2000 != 0
        let kind = header >> 11 & 3
        guard header & 0xc000 == 0, count > 0, kind <= 2, !(kind == 2 && isImmediate) else {
            throw OpenFlowError(.badActionArgument, "A specification of learn has the unknown header 0x\(String(header, radix: 16)).")
        }
        let needed = (isImmediate ? 2 * ((count + 15) / 16) : 6) + (kind == 2 ? 0 : 6)
        if needed > remaining { throw OpenFlowError(.badActionLength, "A specification of learn is cut short.") }
        let source: LearnSpec.Source
        if isImmediate {
            guard count <= 128 else { throw OpenFlowError(.badActionArgument, "A value of \(count) bits is longer than any field.") }
            let v = wide(2 * ((count + 15) / 16))
            let value = FieldValue(high: v.high, low: v.low)
            guard (value & ~FieldValue.ones(count)).isZero else {
                throw OpenFlowError(.badActionArgument, "The value does not fit into \(count) bits.")
            }
            source = .immediate(value)
        } else {
            source = .subfield(try learnField(count, scope))
        }
        switch kind {
        case 0:
            let d = try learnField(count, learned)
            if case .immediate(let v) = source, d.offset == 0 { learned.context.learn(d.field, v.low) }
            return LearnSpec(source: source, destination: .match(d))
        case 1: return LearnSpec(source: source, destination: .load(try learnField(count, learned, isWritten: true)))
        default: return LearnSpec(source: source, destination: .output)
        }
    }

    private mutating func learnField(_ count: Int, _ scope: ActionScope, isWritten: Bool = false) throws(OpenFlowError) -> Subfield {
        let c = try actionField()
        return try subfield(c, offset: Int(u16()), count: count, scope, isWritten: isWritten)
    }
}

extension MatchContext {
    /// Takes in that a match also requires this value of a whole field.
    mutating func learn(_ field: Field, _ value: UInt64) {
        switch field {
        case .ethType: etherType = UInt16(truncatingIfNeeded: value)
        case .ipProto: ipProtocol = UInt8(truncatingIfNeeded: value)
        case .ipFrag: isLaterFragment = value & 2 != 0
        case .icmpv6Type, .icmpType: transportSrc = UInt16(truncatingIfNeeded: value)
        case .icmpv6Code, .icmpCode: transportDstIsZero = value == 0
        case .vlanTCI, .vlanVID: hasTag = value & 0x1000 != 0
        default: break
        }
    }
}
