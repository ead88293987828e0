import Flow

/// The fields that say how what follows is to be read, as `set_field` may write them (OpenFlow 1.3.5 §5.12).
enum KindOfPayload: UInt8 {
    case etherType
    case ipProtocol
    case bottomOfStack

    /// Code of the prerequisite; see `FieldInfo.Prerequisite.code`.
    var prerequisite: UInt8 {
        switch self {
        case .etherType: 0
        case .ipProtocol: 5
        case .bottomOfStack: 2
        }
    }
}

extension Translator {
    /// Writes the field in the frame, and has the frame parsed anew: with another kind the bytes behind it are another header, or none.
    func setKind(_ kind: KindOfPayload, _ value: UInt16) {
        guard satisfies(kind.prerequisite) else { return }
        commit()
        builder.append(ProgramOp.header(.setKind, a: kind.rawValue, b: value))
        triggerFreeze(isLocal: true)
    }
}
