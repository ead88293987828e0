import Flow
import OpenFlow
import Ports

/// Which Geneve option is which `tun_metadata` field, as controllers set it (Open vSwitch's `NXT_TLV_TABLE_MOD`).
///
/// The tunnel ports follow at once. A field that entries use stays mapped: without the option they would mean something else.
extension OpenFlowSession {
    /// Fields there are, and bytes of options that they hold together.
    static let tunnelOptionCount: UInt16 = 16
    static let tunnelOptionSpace: UInt32 = 128

    /// `NXTTMFC_…`.
    private enum Refusal {
        static let badIndex = ErrorCode.nicira(18)
        static let tableFull = ErrorCode.nicira(19)
        static let alreadyMapped = ErrorCode.nicira(20)
        static let duplicateEntry = ErrorCode.nicira(21)
        static let invalidDeletion = ErrorCode.nicira(38)
    }

    func handle(_ m: TunnelOptionMod) throws(OpenFlowError) {
        var options = agent.tunnelOptions
        switch m.command {
        case .clear:
            try requireUnused(options)
            options = []
        case .delete:
            let ended = options.filter { o in m.options.contains { $0.optionClass == o.optionClass && $0.type == o.type } }
            try requireUnused(ended)
            options.removeAll { ended.contains($0) }
        case .add:
            for o in m.options {
                if o.index >= Self.tunnelOptionCount { throw OpenFlowError(Refusal.badIndex, "There is no tun_metadata\(o.index).") }
                if options.contains(where: { $0.index == o.index }) {
                    throw OpenFlowError(Refusal.alreadyMapped, "tun_metadata\(o.index) is mapped already.")
                }
                if options.contains(where: { $0.optionClass == o.optionClass && $0.type == o.type }) {
                    throw OpenFlowError(Refusal.duplicateEntry, "The option of class \(o.optionClass), type \(o.type) is mapped already.")
                }
                options.append(o)
            }
            if options.reduce(0, { $0 + UInt32($1.size) }) > Self.tunnelOptionSpace {
                throw OpenFlowError(Refusal.tableFull, "The options have more than \(Self.tunnelOptionSpace) bytes together.")
            }
        }
        do {
            try agent.mapTunnelOptions(
                options.map { Ports.TunnelOption(class: $0.optionClass, type: $0.type, size: Int($0.size), metadata: Int($0.index)) })
        } catch {
            throw OpenFlowError(Refusal.tableFull, "\(error)")
        }
        agent.tunnelOptions = options
    }

    private func requireUnused(_ options: [OpenFlow.TunnelOption]) throws(OpenFlowError) {
        let fields = options.compactMap { Field(rawValue: Field.tunnelMetadata0.rawValue + UInt8(truncatingIfNeeded: $0.index)) }
        var used: Field?
        tables.withOwnership {
            tables.forEachEntry(table: nil) { s in
                if used == nil { used = fields.first { f in s.entry.match.words.contains { $0.index == f.info.word } || s.entry.actions.mention(f) } }
            }
        }
        if let used { throw OpenFlowError(Refusal.invalidDeletion, "Entries use \(used.info.name).") }
    }
}

extension [Action] {
    /// Whether an action reads or writes the field.
    func mention(_ f: Field) -> Bool { contains { $0.mentions(f) } }
}

extension Action {
    fileprivate func mentions(_ f: Field) -> Bool {
        switch self {
        case .outputSubfield(let s), .load(_, let s), .push(let s), .pop(let s), .multipath(_, _, _, _, _, let s), .checkPacketLarger(_, let s):
            s.field == f
        case .bundle(_, _, _, _, let s): s?.field == f
        case .setField(let field, _, _): field == f
        case .move(let from, let to): from.field == f || to.field == f
        case .writeActions(let list), .clone(let list): list.mention(f)
        case .learn(let l): l.resultDestination?.field == f || l.specs.contains { $0.mentions(f) }
        default: false
        }
    }
}

extension LearnSpec {
    fileprivate func mentions(_ f: Field) -> Bool {
        if case .subfield(let s) = source, s.field == f { return true }
        switch destination {
        case .match(let s), .load(let s): return s.field == f
        case .output: return false
        }
    }
}
