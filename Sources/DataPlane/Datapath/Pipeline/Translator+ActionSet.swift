import CLinux
import Flow

/// The action set (OpenFlow 1.3.5 §5.10).
extension Translator {
    /// Adds to the action set; `actset_output` reads as its output, unless a group overrides that (OpenFlow 1.5.1 §5.6).
    func writeActions(_ actions: [Action]) {
        actionSet += actions
        for action in actions where !actionSetHasGroup {
            let port: UInt32
            switch action {
            case .output(let p, nil), .outputHint(let p, _): port = p
            case .controller(let c) where c.controllerID == 0 && c.userdata.isEmpty && !c.pause && c.meter == nil: port = ReservedPort.controller
            case .group:
                port = ReservedPort.unset
                actionSetHasGroup = true
            default: continue
            }
            write(FlowKeyLayout.conjunctionActset, mask: 0xffff_ffff, value: UInt64(port))
        }
    }

    func clearActions() {
        actionSet = []
        actionSetHasGroup = false
        write(FlowKeyLayout.conjunctionActset, mask: 0xffff_ffff, value: UInt64(ReservedPort.unset))
    }

    /// Executes the action set, at the end of the pipeline or of a clone.
    func runActionSet() {
        let list = ActionSet.ordered(actionSet)
        actionSet = []
        actionSetHasGroup = false
        guard !list.isEmpty else { return }
        let record: ActionRecord
        if let known = actionSetRecords[list] {
            record = known
        } else {
            if actionSetRecords.count >= Self.actionSetRecordLimit {
                for r in actionSetRecords.values { r.deallocate() }
                actionSetRecords = [:]
            }
            record = ActionRecord(words: ActionCompiler(sides: tables.sides).compile(list), source: 0)
            actionSetRecords[list] = record
        }
        trace?.enter(actionSet: list, at: record.ops)
        let outer = outputContext
        outputContext = .actionSet
        run(record.ops)
        outputContext = outer
        trace?.leave(key, failure: failure)
    }
}
