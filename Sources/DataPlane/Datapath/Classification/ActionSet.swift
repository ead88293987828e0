import Flow

/// The action set that `write_actions` fills and the end of the pipeline executes (OpenFlow 1.5.1 §5.6).
enum ActionSet {
    /// The actions of a set, or of a group bucket, in the order of execution; empty when the set has no output, group or resubmit, since a set without
    /// one does nothing.
    static func ordered(_ actions: [Action]) -> [Action] {
        var slots = [Action?](repeating: nil, count: 11)
        var sets: [Action] = []
        var final: (rank: Int, action: Action)?
        for action in actions {
            switch action {
            case .copyTTLIn: slots[0] = action
            case .stripVLAN: slots[1] = action
            case .popMPLS: slots[2] = action
            case .popPBB: slots[3] = action
            case .pushMPLS: slots[4] = action
            case .pushPBB: slots[5] = action
            case .pushVLAN: slots[6] = action
            case .copyTTLOut: slots[7] = action
            case .decTTL: slots[8] = action
            case .decMPLSTTL: slots[9] = action
            case .resubmit: if final.map({ $0.rank <= 0 }) ?? true { final = (0, action) }
            case .output, .outputHint, .outputSubfield, .controller: if final.map({ $0.rank <= 1 }) ?? true { final = (1, action) }
            case .group: if final.map({ $0.rank <= 2 }) ?? true { final = (2, action) }
            case .load, .setField, .move, .setEthSrc, .setEthDst, .setTOS, .setECN, .setTTL, .setIPv4Src, .setIPv4Dst, .setTransportSrc,
                .setTransportDst, .setMPLSLabel, .setMPLSTC, .setMPLSTTL, .setQueue, .setTunnelID, .setVLANID, .setVLANPCP:
                sets.append(action)
            default: break
            }
        }
        guard let final else { return [] }
        return slots.compactMap { $0 } + sets + [final.action]
    }
}
